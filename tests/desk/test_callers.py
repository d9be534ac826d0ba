"""The first page of an adviser: who is likely calling now."""

import re
from collections.abc import AsyncIterator

import pytest

from sesame.bank import callers
from sesame.bank.person import erase
from sesame.desk.routes import build
from sesame.portal.routes import build as build_portal
from tests.custody.keystores import chance
from tests.desk.office import Office
from tests.desk.test_customer import live, sign_in, text_of
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser
from tests.portal.town import Customer, wrong_code


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk, where Ada is signed in."""
    async with Browser(build(desk_of(office))) as browser:
        await sign_in(browser, office, office.ada)
        yield browser


async def _fail(office: Office, who: Customer, times: int = 1) -> None:
    async with Browser(build_portal(office.town.portal())) as stranger:
        for _ in range(times):
            await stranger.log_in(who.user_code, wrong_code(await office.town.code_of(who)))


def _names(page: str) -> list[str]:
    return re.findall(r'<a href="/guichet/client/(\w+)">', page)


async def test_nobody(office: Office, browser: Browser) -> None:
    """Whoever signs in calls nobody; nor do staff who fail, or codes that nobody has."""
    async with Browser(build_portal(office.town.portal())) as customer:
        vera = office.town.vera
        await customer.log_in(vera.user_code, await office.town.code_of(vera))
        await customer.log_in("NEMO3333", "40000000")
    async with Browser(build(desk_of(office, "paul"))) as other:
        code = wrong_code(await office.code_of(office.paul))
        await other.fill_in("/guichet/connexion", staff_code=office.paul.typed, code=code)
    page = await browser.get("/guichet")
    assert _names(page.text) == []
    assert "Qui appelle sans doute" in page.text
    assert "Personne." in page.text
    assert "NEMO3333" not in page.text
    assert "Paul" not in page.text


async def test_who_failed_last_comes_first(office: Office, browser: Browser) -> None:
    """Each once, with the latest cause, the tries that are left, and how often it was."""
    vera, omar = office.town.vera, office.town.omar
    await live(office)  # Véra is suspended
    await _fail(office, vera)  # and turned away
    await _fail(office, omar, 2)
    page = await browser.get("/guichet")
    assert _names(page.text) == ["OMAR6789", "VERA2345"]
    said = text_of(page).replace("\xa0", " ")
    for what in (
        "Omar Belkacem OMAR6789 Code refusé : aucune des cartes de cet abonné",
        "Essais restants : 1, et 2 de plus sur un navigateur connu.",
        "Refus dans cet intervalle : 2.",
        "Suspendu jusqu’à",
        "Véra Tissot",
    ):
        assert what in said, what
    assert vera.record.pan.digits not in page.text


async def test_who_managed_since(office: Office, browser: Browser) -> None:
    """They may call all the same, so they stay, and it is said."""
    vera = office.town.vera
    await _fail(office, vera)
    assert "A pu se connecter depuis" not in (await browser.get("/guichet")).text
    async with Browser(build_portal(office.town.portal())) as customer:
        await customer.log_in(vera.user_code, await office.town.code_of(vera))
    page = (await browser.get("/guichet")).text
    assert _names(page) == ["VERA2345"]
    assert "A pu se connecter depuis" in page


async def test_how_far_back(office: Office, browser: Browser) -> None:
    """An hour, unless four or twenty-four are asked for; whatever else is asked is an hour."""
    await _fail(office, office.town.vera)
    office.town.clock.advance(minutes=61)
    await sign_in(browser, office, office.ada)
    for query, found in (
        ("", []),
        ("?depuis=4", ["VERA2345"]),
        ("?depuis=24", ["VERA2345"]),
        ("?depuis=2", []),
        ("?depuis=x&page=x", []),
    ):
        page = (await browser.get(f"/guichet{query}")).text
        assert _names(page) == found, query
    assert "depuis=4&amp;page=1" in (await browser.get("/guichet")).text


async def test_page_by_page(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None twice, none left out; and not without end."""
    monkeypatch.setattr(callers, "PAGE", 1)
    await _fail(office, office.town.vera)
    await _fail(office, office.town.omar)
    first = (await browser.get("/guichet")).text
    assert _names(first) == ["OMAR6789"]
    assert "depuis=1&amp;page=2" in first
    assert "Plus récent" not in first
    second = (await browser.get("/guichet?depuis=1&page=2")).text
    assert _names(second) == ["VERA2345"]
    assert "page=3" not in second
    assert "Plus récent" in second
    monkeypatch.setattr(callers, "MOST_PAGES", 1)
    assert "Plus ancien" not in (await browser.get("/guichet")).text


async def test_who_was_erased_calls_no_more(office: Office, browser: Browser) -> None:
    """Though their lines stay."""
    await _fail(office, office.town.vera)
    await erase(
        office.bank.store,
        "VERA2345",
        by="Maître Aubry",
        now=office.town.clock(),
        random_bytes=chance("erased"),
    )
    assert _names((await browser.get("/guichet")).text) == []


@pytest.mark.parametrize("who", ["odile", "aude"])
async def test_others_begin_with_what_waits(office: Office, who: str) -> None:
    """Only the help line has the list; they find customers by the search."""
    await _fail(office, office.town.vera)
    async with Browser(build(desk_of(office))) as browser:
        await sign_in(browser, office, getattr(office, who))
        page = (await browser.get("/guichet")).text
        assert "Qui appelle" not in page
        assert "VERA2345" not in page
        assert "Chercher un abonné" in page
