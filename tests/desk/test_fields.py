"""No field of the desk is for a PIN or a password, and every page says what is never asked for."""

import re
from pathlib import Path

import pytest

import sesame.desk
from sesame.desk.routes import build
from tests.desk.office import Office
from tests.desk.test_customer import sign_in
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser

_TEMPLATES = sorted((Path(sesame.desk.__file__).parent / "templates").glob("*.html"))
_SECRET = re.compile(
    r"\bPIN\b|mot de passe|password|passe|code secret|confidentiel|cvv|crypto", re.IGNORECASE
)
# A field by its macro: name and label; one that is written out; what stands around either.
_FIELD = re.compile(r"field\(\s*\"(?P<name>[^\"]+)\",\s*_\(\"(?P<label>[^\"]+)\"\)")
_WRITTEN = re.compile(r"<(?:input|textarea|select)\b[^>]*>")
_LABEL = re.compile(r"<(?:label|legend)\b[^>]*>(.*?)</(?:label|legend)>", re.DOTALL)


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.stem)
def test_no_field_is_for_a_secret(template: Path) -> None:
    """By its name, its label, its kind, or what a browser would fill in."""
    text = template.read_text(encoding="utf-8")
    for field in _FIELD.finditer(text):
        assert not _SECRET.search(field["name"])
        assert not _SECRET.search(field["label"])
    for written in _WRITTEN.findall(text):
        assert 'type="password"' not in written
        assert not re.search(r'(?:name|id|autocomplete)="[^"]*(?:pin|pass)[^"]*"', written)
    for label in _LABEL.findall(text):
        assert not _SECRET.search(label)


def test_the_fields_are_found() -> None:
    """The patterns above see those that there are."""
    text = "".join(path.read_text(encoding="utf-8") for path in _TEMPLATES)
    assert {"code", "next_code", "staff_code", "search", "pan", "reason"} <= {
        field["name"] for field in _FIELD.finditer(text)
    }
    assert _WRITTEN.search(text)
    assert _LABEL.search(text)


async def test_every_page_says_what_is_never_asked_for(office: Office) -> None:
    """In both languages."""
    async with Browser(build(desk_of(office))) as browser:
        await sign_in(browser, office, office.ada)
        pages = ("", "/recherche", "/client/VERA2345", "/demandes", "/demandes/levee")
        for language, words in (
            ("fr", "Ne demandez jamais le code secret d’une carte, ni un code Sésame pour vous"),
            ("en", "Never ask for the PIN of a card, nor for a Sésame code for yourself"),
        ):
            browser.cookies.set("sesame_language", language)
            for address in pages:
                assert words in (await browser.get(f"/guichet{address}")).text
