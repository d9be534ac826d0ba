"""WCAG 2.2, levels A and AA, as far as a machine can measure it on the real pages.

docs/reference/accessibility.md says which criterion is met how, and what only a person can judge.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Page

import sesame.portal
import sesame.web
from tests.chromium import enter
from tests.portal.street import PAGES, Street
from tests.survey import (
    around,
    fits_with_larger_letters,
    fits_zoomed_in,
    goes_by_keyboard,
    keeps_edges,
    shown_by_pointing,
    small_targets,
    stays_still,
    styles,
    surprising,
    wordy_pictures,
)

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

# One of each layout, where what is measured does not change with the words.
_LAYOUTS = [
    "/",
    "/acces",
    "/acces/sesame?motif=session",
    "/acces/deux-codes",
    "/acces/repondre",
    "/activation/repondre",
    "/deblocage/deux-codes",
    "/aide",
    "/mode-d-emploi/carte-bancaire",
    "/premier-essai",
    "/premier-essai/carte-sesame/5",
    "/premier-essai/carte-bancaire/ecrans",
]
_STYLES = styles(sesame.portal, sesame.web)
_LINKS = "header.top a, aside.help a, footer a"  # around the content


@dataclass
class Found:
    """What was measured on one page."""

    small_targets: list[str] = field(default_factory=list)
    surprising: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survey(street: Street) -> Mapping[str, Found]:
    """Every page by its address, opened once for several tests."""
    found = {}
    async with _pages(street, PAGES) as pages:
        async for page in pages:
            found[page.url.removeprefix(street.address)] = Found(
                small_targets=await small_targets(page),
                surprising=await surprising(page),
                pictures=await wordy_pictures(page),
                around=await around(page, _LINKS),
            )
    return found


@asynccontextmanager
async def _pages(street: Street, addresses: list[str]) -> AsyncIterator[AsyncIterator[Page]]:
    """Each of *addresses* in turn, then the signed-in space."""
    async with street.visitor() as page:

        async def all_of_them() -> AsyncIterator[Page]:
            for address in addresses:
                await page.goto(address)
                yield page
            await street.log_in(page)
            yield page

        yield all_of_them()


async def test_zoomed_in(street: Street) -> None:
    """1.4.4 and 1.4.10: a window of 1280 by 1024 at 200 and at 400 %."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await fits_zoomed_in(page)


async def test_larger_letters_and_more_room_between_them(street: Street) -> None:
    """1.4.4 by the letters alone, and 1.4.12: with the spacing of the criterion nothing is lost."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await fits_with_larger_letters(page)


async def test_targets(survey: Mapping[str, Found]) -> None:
    """2.5.8: 24 by 24 pixels for all that is pressed on all pages, links in a sentence aside."""
    assert {url: found.small_targets for url, found in survey.items() if found.small_targets} == {}


async def test_pictures_hold_no_text_of_their_own(survey: Mapping[str, Found]) -> None:
    """1.1.1, 1.4.5: pictures are decoration, or drawings with a name; words are letters."""
    assert {url: found.pictures for url, found in survey.items() if found.pictures} == {}


async def test_help_and_header_are_in_the_same_place(survey: Mapping[str, Found]) -> None:
    """3.2.3, 3.2.4, 3.2.6: the same links in the same order around every page, errors included."""
    home = survey["/"].around
    assert {url: found.around for url, found in survey.items() if found.around != home} == {}


async def test_nothing_happens_before_it_is_asked_for(
    survey: Mapping[str, Found], street: Street
) -> None:
    """No script before the login, so no shortcut, gesture or jump (2.1.4, 2.5.1, 2.5.4, 2.5.7).

    No other window unannounced; focus and typing leave the page as it is (3.2.1, 3.2.2).
    """
    open_to_all = {url: found for url, found in survey.items() if url != "/espace"}
    assert {url: found.surprising for url, found in open_to_all.items() if found.surprising} == {}
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        for name in ("#user_code", "#code"):
            await page.focus(name)
            await page.keyboard.type("34567890")
        await page.check("#shared")
        assert page.url.endswith("/acces/sesame")
        assert await page.title() == "Connexion avec le lecteur Sésame – Coop@net"


async def test_either_way_up(street: Street) -> None:
    """1.3.4: a tablet shows the same upright and lying; no rule asks how it is held."""
    assert not any("orientation" in style for style in _STYLES)
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await page.set_viewport_size({"width": 768, "height": 1024})
            upright = (await page.inner_text("body")).split()
            await page.set_viewport_size({"width": 1024, "height": 768})
            assert (await page.inner_text("body")).split() == upright, page.url


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_keyboard_is_seen_goes_everywhere_and_leaves(street: Street, width: int) -> None:
    """2.1.2, 2.4.3, 2.4.7, 2.4.11: all in order, outlined by 3 pixels, nothing on top of it."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await goes_by_keyboard(page, width)


async def test_nothing_moves(street: Street) -> None:
    """2.2.2, 2.3.1: no animation, no video; what fades does not for who asked for less motion."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await stays_still(page)


async def test_the_systems_own_colours(street: Street) -> None:
    """Forced colours: fields, buttons and the keyboard keep an edge, what happened keeps words."""
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        await keeps_edges(page)
        await page.fill("#user_code", "NO")
        await page.fill("#code", "12")
        await enter(page)
        assert await page.locator("[role=alert]").is_visible()
        await keeps_edges(page)


async def test_the_purpose_of_each_field(street: Street) -> None:
    """1.3.5: what a browser may fill in says so; both codes may be pasted (3.3.8)."""
    purposes = {
        "/acces/sesame": {"user_code": "username", "code": "one-time-code"},
        "/acces/deux-codes": {"user_code": "username", "next_code": "one-time-code"},
        "/acces/repondre": {"user_code": "username", "next_code": "one-time-code"},
        "/acces/ancien-code": {"user_code": "username", "old_code": "current-password"},
        "/activation": {"user_code": "username", "number": "off", "code": "one-time-code"},
    }
    async with street.visitor() as page:
        for address, fields in purposes.items():
            await page.goto(address)
            for field, purpose in fields.items():
                assert await page.get_attribute(f"#{field}", "autocomplete") == purpose
        await page.goto("/acces/sesame")
        await page.evaluate(
            "document.body.append(Object.assign(document.createElement('input'),"
            " {id: 'copied', value: '3456 7890'}))"
        )
        await page.locator("#copied").select_text()
        await page.keyboard.press("Control+c")
        await page.focus("#code")
        await page.keyboard.press("Control+v")
        assert await page.input_value("#code") == "3456 7890"


async def test_nothing_is_asked_twice(street: Street) -> None:
    """3.3.7: after a refusal the user code stands there; only the code, spent, is typed anew."""
    async with street.visitor() as page:
        for address in ("/acces/sesame", "/acces/deux-codes", "/acces/repondre", "/activation"):
            await page.goto(address)
            await page.fill("#user_code", "VERA2345")
            for field in await page.locator("input.code:not(#user_code)").all():
                await field.fill("12")
            await page.check("#shared")
            await enter(page)
            assert await page.input_value("#user_code") == "VERA2345"
            assert await page.is_checked("#shared")


async def test_the_end_of_the_session_is_announced(street: Street) -> None:
    """2.2.1: when it ends stands on the page, a link makes it longer; afterwards it says why."""
    async with street.visitor() as page:
        await street.log_in(page)
        await page.get_by_text("Sans activité pendant 5 minutes").wait_for()
        await page.get_by_role("link", name="Prolonger la session").click()
        await page.get_by_role("heading", name="Votre espace").wait_for()
        await page.goto("/acces/sesame?motif=session")
        status = page.get_by_role("status")
        assert "Votre session est terminée" in await status.inner_text()


async def test_nothing_appears_by_pointing() -> None:
    """1.4.13: no rule of ours shows or hides anything under the pointer or the keyboard."""
    assert list(shown_by_pointing(_STYLES)) == []


async def test_edges_and_rings_stand_out() -> None:
    """1.4.11: the edge of fields and the ring of the keyboard, 3:1 on each ground they lie on."""
    (theme,) = [style for style in _STYLES if "--field-line:" in style]
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
    light = ["paper", "surface", "petrol-tint", "alarm-tint", "linden-tint"]
    pairs = [(line, ground) for line in ("field-line", "focus", "alarm") for ground in light]
    # The ribbon is linden, its ring ink; the welcome of the home page is petrol, its ring linden.
    pairs += [("ink", "linden"), ("linden", "petrol"), ("petrol", "surface")]
    weak = {pair for pair in pairs if _contrast(colour[pair[0]], colour[pair[1]]) < 3}
    assert weak == set()


def _contrast(one: str, other: str) -> float:
    """As WCAG defines it, of two colours like #1c2a2d; 1 to 21."""
    lights = sorted(_luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
