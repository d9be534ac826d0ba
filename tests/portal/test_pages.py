"""Each page, from its dataclass alone, in both languages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request

from sesame.catalogue import Language
from sesame.portal.account import AccountLines, MovementLine, SignedOutPage, SpacePage
from sesame.portal.home import AccessPage, HomePage
from sesame.portal.login import LoginPage
from sesame.web.institution import Institution
from sesame.web.problems import ProblemPage
from sesame.web.rendering import Renderer, Site
from tests.portal.town import SIMULATOR

_FORM = LoginPage(action="/acces/sesame", form="00" * 16, proof="00" * 32, back="/espace")
_FORMS = (
    _FORM,
    replace(_FORM, notice="<notice>", shared=True),
    replace(_FORM, user_code="<user>", message="<message>"),
    replace(_FORM, message="<message>", refused=True),
    replace(_FORM, user_code_error="<one>", code_error="<two>"),
)
_PAGES: Mapping[str, tuple[object, ...]] = {
    "home.html": (HomePage(),),
    "access.html": (AccessPage(),),
    "login.html": _FORMS,
    "two_codes.html": (*_FORMS, replace(_FORM, next_code_error="<three>")),
    "old_code.html": _FORMS,
    "space.html": (
        SpacePage(
            name="<name>",
            last_login="<moment>",
            idle_minutes=5,
            idle_until="14:32",
            ends_at="22:32",
            accounts=(
                AccountLines("<account>", "0000", "1 €", (MovementLine("1", "<label>", "2 €"),)),
                AccountLines("<empty>", "0001", "0 €", ()),
            ),
            sign_out_proof="00",
        ),
        SpacePage(
            name="x",
            last_login=None,
            idle_minutes=5,
            idle_until="14:32",
            ends_at="22:32",
            accounts=(),
            sign_out_proof="00",
        ),
    ),
    "signed_out.html": (SignedOutPage(),),
}
_AROUND = {"field.html", "frame.html", "help.html", "way_in.html"}  # what other pages are made of
_CASES = [(template, page) for template, pages in _PAGES.items() for page in pages]
# A word that only French has, and that no name of a person, a product or a language is.
_FRENCH = re.compile(
    r"\b(?:votre|vous|vos|nous|avec|les|une|des|est|compte|connexion)\b", re.IGNORECASE
)


def _render(template: str, page: object, language: Language) -> str:
    site = Site(institution=Institution(), demonstration=True, beside=SIMULATOR, https=False)
    request = Request(
        {
            "type": "http",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"cookie", f"sesame_language={language}".encode())],
        }
    )
    return bytes(Renderer("sesame.portal", site).render(request, template, page).body).decode()


def test_no_page_is_left_out() -> None:
    """Every template of the portal has a page here, or is part of one."""
    import sesame.portal  # noqa: PLC0415 -- for its folder only

    folder = Path(sesame.portal.__path__[0], "templates")
    assert {path.name for path in folder.iterdir()} == _AROUND | set(_PAGES)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("template", "page"), _CASES)
def test_every_page_is_sound(template: str, page: object, language: Language) -> None:
    """One `h1`, a title that says where, labels that lead to fields, nothing unescaped."""
    text = _render(template, page, language)
    assert text.startswith("<!doctype html>")
    assert f'<html lang="{language}">' in text
    assert len(re.findall("<h1[ >]", text)) == 1
    title = re.search("<title>(.*)</title>", text)
    assert title
    assert "Coop@net" in title[1]
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for name in re.findall(r' (?:for|aria-labelledby|aria-describedby)="([^"]+)"', text):
        assert set(name.split()) <= set(ids)
    for word in re.findall(r"'<(\w+)>'", repr(page)):
        assert f"<{word}>" not in text
        assert f"&lt;{word}&gt;" in text


@pytest.mark.parametrize(("template", "page"), _CASES)
def test_english_is_whole(template: str, page: object) -> None:
    """No French is left over but what is marked as French."""
    text = re.sub(r'<a [^>]*lang="fr".*?</a>', "", _render(template, page, Language.ENGLISH))
    words = re.sub(r"<[^>]+>", " ", text)
    assert not _FRENCH.search(words)
    for attribute in re.findall(r'(?:alt|aria-label|title)="([^"]*)"', text):
        assert not _FRENCH.search(attribute)


def test_an_error_is_in_the_title() -> None:
    """Read aloud first, before anything else of the page."""
    for template, page in _CASES:
        if isinstance(page, LoginPage):
            text = _render(template, page, Language.FRENCH)
            assert ("<title>Erreur – " in text) is page.error


def test_a_production_page_has_no_ribbon() -> None:
    """The same templates without a demonstration."""
    site = Site(institution=Institution(), demonstration=False)
    scope = {"type": "http", "raw_path": b"/", "query_string": b"", "headers": []}
    renderer = Renderer("sesame.portal", site)
    text = bytes(renderer.render(Request(scope), "home.html", HomePage()).body).decode()
    assert "ribbon" not in text
    assert "noindex" not in text


def test_the_error_page_too() -> None:
    """problem.html is shared, and has the portal's frame."""
    page = ProblemPage("Erreur", "Cette page n’existe pas")
    assert "Banque coopérative du Tilleul" in _render("problem.html", page, Language.FRENCH)
