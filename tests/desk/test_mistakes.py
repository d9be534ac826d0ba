"""Whoever made a mistake at the desk is where it is, and hears what it is, on each of its forms."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import pytest_asyncio

import sesame.desk
from sesame.bank.staff import Role
from sesame.desk.routes import build
from tests.desk.mistakes import MISTAKES, Mistake, Shift, begin_shift
from tests.desk.office import open_office
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser
from tests.portal.town import wrong_code

pytestmark = pytest.mark.asyncio(loop_scope="module")

_TEMPLATES = Path(sesame.desk.__file__).parent / "templates"
# How a template asks for what was wrong with a field, or with a line of the address.
_ASKED_FOR = re.compile(r"""errors\.get\(["'](\w+)|"(\w+)" in page\.errors|\bline\("(\w+)""")
_FIELDS = {"input", "textarea"}


class _Page(HTMLParser):
    """The fields of a page in their order, the words of each element that has an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: list[dict[str, str]] = []
        self.words: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []  # elements: name, id
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a field, and go into what has an end."""
        given = {name: value or "" for name, value in attrs}
        if tag in _FIELDS and given.get("type") != "hidden":
            self.fields.append(given)
        if tag not in {"br", "img", "input", "link", "meta"}:
            self._open.append((tag, given.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Keep words for each element around them."""
        for _, name in self._open:
            self.words[name] = self.words.get(name, "") + data

    @property
    def wrong(self) -> list[dict[str, str]]:
        """The fields that are marked as wrong."""
        return [one for one in self.fields if one.get("aria-invalid") == "true"]

    @property
    def focus(self) -> dict[str, str]:
        """The field that a browser puts the keyboard into: the first that asks for it."""
        return next(one for one in self.fields if "autofocus" in one)

    def heard(self, given: dict[str, str]) -> list[str]:
        """What describes a field, in the order in which it is read."""
        return [self.words[name].strip() for name in given["aria-describedby"].split()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shift(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shift]:
    """One office for all tests of this file: a mistake changes nothing."""
    office = await open_office(tmp_path_factory.mktemp("office"))
    yield await begin_shift(office)
    await office.bank.store.close()


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
async def test_the_keyboard_is_where_it_is_wrong(shift: Shift, mistake: Mistake) -> None:
    """At the first that is wrong; each is marked so and described by its error before all else."""
    async with Browser(build(desk_of(shift.office))) as browser:
        response = await shift.make(mistake, browser)
    assert response.status_code == 422
    page = _Page(response.text)
    assert re.search(r"<title>\s*Erreur – ", response.text)
    assert 'role="alert"' in response.text
    assert page.focus is page.wrong[0]
    told = {page.heard(field)[0] for field in page.wrong}
    if mistake.template == "new_number.html":
        assert told == {page.words["message"].strip()}
        return
    assert re.findall(r'id="(\w+)-error"', response.text) == list(mistake.wrong)
    assert told == {page.words[f"{name}-error"].strip() for name in mistake.wrong}
    assert page.heard(page.focus)[0] == page.words[f"{mistake.wrong[0]}-error"].strip()


async def test_no_field_is_left_out() -> None:
    """Whatever a template can find fault with is among the mistakes above."""
    shared = {"person_fields.html": ["first_access.html", "hire.html"]}
    expected = {
        (name, next(filter(None, found)))
        for path in _TEMPLATES.glob("*.html")
        for found in _ASKED_FOR.findall(path.read_text(encoding="utf-8"))
        for name in shared.get(path.name, [path.name])
    }
    made = {(one.template, name) for one in MISTAKES for name in one.wrong}
    # What cannot be lifted is no fault of a field; the activation's box has the page's message.
    assert expected - {("suspension.html", "lift")} == made - {("new_number.html", "checked")}
    assert len(expected) > 40


@pytest.mark.parametrize("way", ["connexion", "deux-codes", "repondre"])
async def test_a_refusal_is_heard_at_the_code(shift: Shift, way: str) -> None:
    """Nothing is marked as wrong, for nobody learns which it was."""
    async with Browser(build(desk_of(shift.office))) as browser:
        code = wrong_code(await shift.office.code_of(shift.issuer))
        fields = {"staff_code": shift.issuer.typed, "code": code, "next_code": wrong_code(code)}
        response = await browser.fill_in(f"/guichet/{way}", **fields)
    page = _Page(response.text)
    assert page.wrong == []
    assert page.focus["name"] == "code"
    assert page.heard(page.focus)[0] == page.words["message"].strip()
    assert page.heard(page.focus)[0].startswith("Connexion refusée.")


async def test_a_code_that_is_not_judged_is_heard_at_its_field(shift: Shift) -> None:
    """The access is suspended: the title says that something went wrong, the field what."""
    way = "/guichet/client/VERA2345/code"
    async with Browser(build(desk_of(shift.office))) as browser:
        await shift.sign_in(browser, Role.ADVISER)
        code = await shift.office.town.code_of(shift.office.town.vera)
        response = await browser.fill_in(way, code=code)
    assert response.status_code == 429
    page = _Page(response.text)
    assert "<title>Erreur – Expliquer un code" in response.text
    assert page.focus["name"] == "code"
    assert page.heard(page.focus)[0].startswith("L’accès est suspendu")
