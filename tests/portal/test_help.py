"""`GET /aide`: everything that the help block is too short for."""

import re
from datetime import UTC, date, datetime

import pytest

from sesame.catalogue import Language
from sesame.portal.routes import build
from sesame.reader.machine import Screen, State
from sesame.reader.screens import lines
from sesame.web.institution import Institution
from sesame.web.opening import Closure, OpeningHours
from sesame.web.rendering import Site
from tests.portal.browser import Browser
from tests.portal.town import Town


async def test_every_topic_is_reached_from_the_top(browser: Browser) -> None:
    """And what the block of every page links to is there."""
    page = (await browser.get("/aide")).text
    linked = set(re.findall(r'href="(?:/aide)?#([^"]+)"', page)) - {"main"}
    assert linked == {
        "appeler",
        "activer",
        "carte-perdue",
        "code-utilisateur",
        "code-refuse",
        "lecteur",
        "fraude",
    }
    assert linked <= set(re.findall(r' id="([^"]+)"', page))


async def test_it_follows_the_banks_clock(town: Town, browser: Browser) -> None:
    """Open with the next opening behind, then closed."""
    page = (await browser.get("/aide")).text
    # Here, and in the block.
    assert page.count("Ouverte en ce moment, jusqu’à\u00a018\u00a0h.") == 2
    assert page.count("Réouverture mardi 3\u00a0mars à\u00a08\u00a0h.") == 1
    town.clock.time = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    page = (await browser.get("/aide")).text
    assert page.count("Fermée en ce moment.") == 2
    assert page.count("Réouverture mardi 3\u00a0mars à\u00a08\u00a0h.") == 2


async def test_the_hours_are_a_table(browser: Browser) -> None:
    """Seven days, each a heading of its row; and the feasts to come."""
    page = (await browser.get("/aide")).text
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td>([^<]+)</td></tr>', page)
    assert len(rows) == 7
    assert rows[5] == ("samedi", "de 9\u00a0h\u00a030 à 13\u00a0h\u00a030")
    assert "<li>lundi 6\u00a0avril (lundi de Pâques)</li>" in page


async def test_closures_of_a_year_are_listed(town: Town) -> None:
    """Also those that are too far ahead for every page."""
    august = Closure(first=date(2026, 8, 3), last=date(2026, 8, 7), reason="Travaux.")
    site = Site(
        institution=Institution(hours=OpeningHours(closures=(august,))),
        demonstration=True,
        beside="http://127.0.0.1:8001/",
        https=False,
    )
    async with Browser(build(town.portal(site=site))) as browser:
        assert "Travaux." not in (await browser.get("/")).text
        assert (await browser.get("/aide")).text.count("Travaux.") == 1


async def test_the_true_address_is_told(town: Town) -> None:
    """The one of the settings; never what a request says of itself."""
    async with Browser(build(town.portal(public_origin="https://bank.example"))) as browser:
        assert (
            '<strong class="address">https://bank.example/</strong>'
            in (await browser.get("/aide")).text
        )
    async with Browser(build(town.portal())) as browser:
        page = (await browser.get("/aide", headers={"Host": "evil.test"})).text
        assert "evil.test" not in page
        assert 'class="address"' not in page


@pytest.mark.parametrize("demonstration", [True, False])
async def test_numbers_of_fiction_are_said_to_be(town: Town, demonstration: bool) -> None:  # noqa: FBT001 -- the case
    """In a demonstration only."""
    site = Site(institution=Institution(), demonstration=demonstration, https=False)
    async with Browser(build(town.portal(site=site))) as browser:
        page = (await browser.get("/aide")).text
    assert ("réservés à la fiction" in page) is demonstration


_TOLD = [
    State.BATTERY_WEAK,
    State.BATTERY_EMPTY,
    State.CARD_MUTE,
    State.CARD_UNKNOWN,
    State.WRONG_PIN,
    State.LAST_TRY,
    State.CARD_BLOCKED,
    State.CARD_UNFIT,
    State.CARD_EXPIRED,
    State.CARD_NOT_YET_VALID,
    State.CARD_REFUSED,
]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("state", _TOLD)
async def test_what_the_reader_says_is_explained(
    browser: Browser, state: State, language: Language
) -> None:
    """In the words of its display."""
    browser.cookies.set("sesame_language", language)
    page = (await browser.get("/aide")).text
    terms = " ".join(re.findall("<dt>(.*?)</dt>", page))
    said = " ".join(lines(Screen(state=state, language=language, tries_left=2)))
    assert any(term in said for term in re.findall("[«“]\u00a0?(.*?)\u00a0?[»”]", terms)), said
