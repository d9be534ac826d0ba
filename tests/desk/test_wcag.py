"""WCAG 2.2, levels A and AA, as far as a machine can measure it, on the desk's real pages.

One walk by the links of each role, as in `test_ways.py`, with all measures of each page: those of
the portal, and whether a screen reader can read it. docs/reference/accessibility.md has the rows.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page
from starlette.routing import Route

import sesame.desk
import sesame.web
from sesame.bank.staff import Role
from sesame.desk.addresses import CONFIRM
from sesame.desk.guard import CAMPAIGN, HOME, LOGIN, REQUESTS
from sesame.desk.hours import HOURS
from sesame.desk.numbers import SHOW
from sesame.desk.people import NEW
from sesame.desk.routes import routes
from tests.chromium import PATIENCE
from tests.desk.mistakes import begin_shift
from tests.desk.test_browser import Corridor, chromium, corridor  # noqa: F401 -- fixtures
from tests.desk.test_pages import desk_of
from tests.desk.test_screen_reader import AROUND, AROUND_SIGNED_IN
from tests.desk.test_ways import links_of
from tests.screen_reader import assert_sound, listen
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

_LINKS = "header.top a, nav.places a, footer a"  # around the content
_OUTSIDE = [
    LOGIN,
    "/guichet/deux-codes",
    "/guichet/repondre",
    "/guichet/premier-acces",
    "/guichet/nulle-part",
]
# About whom there is most to do; of any other customer the same pages are not opened.
_VERA, _OMAR = "/guichet/client/VERA2345", "/guichet/client/OMAR6789"
_FIRST = [_VERA, f"{_OMAR}/adresse", f"{_OMAR}/activation"]
_SHARED = {HOME, REQUESTS, CAMPAIGN}  # another page for each role
_ONLY_REDIRECTS = {CONFIRM, SHOW}
# Measured again with the mistake of a form that is sent empty.
_MISTAKEN = {
    LOGIN,
    HOURS,
    NEW,
    "/guichet/client/{user_code}/opposition",
    "/guichet/client/{user_code}/suspension",
}
# What axe finds beyond this, it looks for in `test_browser.py`.
_COLOURS = {
    "preload": False,
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
_FORM = "main form:has(input:not([type=hidden]))"
# The keyboard is in the first field that is wrong, and hears first what is.
_AT_FAULT = """() => {
  const field = document.activeElement;
  const told = field.getAttribute("aria-describedby")?.split(" ")[0];
  return field === document.querySelector("[aria-invalid=true]")
    && document.getElementById(told)?.matches(".field-error, [role=alert]");
}"""


@dataclass
class _Walk:
    """A page of a browser, and what it has come by."""

    page: Page
    routes: list[Route]
    seen: set[tuple[str, str]] = field(default_factory=set)  # layouts, by role where it matters
    titles: dict[str, str] = field(default_factory=dict)  # of layouts
    frames: dict[str, list[str]] = field(default_factory=dict)  # what lies around, by role

    def layout(self, address: str) -> str:
        """The route of *address*; itself where there is none."""
        path = re.sub("[?#].*", "", address)
        return next((one.path for one in self.routes if one.path_regex.match(path)), path)

    async def go(self, addresses: Iterable[str], role: str) -> None:
        """Open one page of each layout that the links lead to, measure it, and make a mistake."""
        waiting = deque(addresses)
        while waiting:
            address = waiting.popleft()
            layout = self.layout(address)
            key = (layout, role if layout in _SHARED else "")
            if key in self.seen:
                continue
            self.seen.add(key)
            await self.page.goto(address)
            await self.measure(role)
            title = await self.page.title()
            assert self.titles.setdefault(title, layout) == layout, title
            if role:
                waiting += sorted(links_of(await self.page.content()))
            if await self.page.locator(_FORM).count():
                await self.slip()
                if layout in _MISTAKEN:
                    await self.measure(role)

    async def measure(self, role: str) -> None:
        """All that a machine can measure, on the page as it is."""
        page = self.page
        heard = await listen(page)
        assert_sound(heard, (AROUND_SIGNED_IN if role else AROUND)[heard.language])
        frame = await around(page, _LINKS)
        assert self.frames.setdefault(role, frame) == frame, page.url
        assert await surprising(page) == [], page.url
        assert await wordy_pictures(page) == [], page.url
        assert await small_targets(page) == [], page.url
        colours = await Axe().run(page, options=_COLOURS)
        assert colours.violations_count == 0, colours.generate_report()
        await goes_by_keyboard(page, 1280)
        await fits_zoomed_in(page)
        await fits_with_larger_letters(page)
        await stays_still(page)
        await keeps_edges(page)

    async def slip(self) -> None:
        """Send the page's form empty: what is wrong has the keyboard, and says what it is."""
        form = self.page.locator(_FORM).first
        await form.evaluate("form => { form.noValidate = true; }")
        for text in await form.locator("input.code, input[type=text], input[type=date]").all():
            await text.fill("")
        async with self.page.expect_navigation(timeout=PATIENCE):
            await form.locator("button").first.click()
        assert (await self.page.title()).startswith("Erreur – "), self.page.url
        assert await self.page.evaluate(_AT_FAULT), self.page.url


@pytest.mark.needs("chromium")
@pytest.mark.asyncio(loop_scope="module")
async def test_every_page_in_every_role(corridor: Corridor) -> None:  # noqa: F811 -- the fixture
    """One page of each layout, found by links, with the mistake of its form; none is left out."""
    shift = await begin_shift(corridor.office)
    table = [one for one in routes(desk_of(corridor.office)) if isinstance(one, Route)]
    async with corridor.visitor(script=True) as page:
        walk = _Walk(page, table)
        await walk.go(_OUTSIDE, "")
        for role in Role:
            await corridor.log_in(page, shift.who(role))
            await walk.go([*(_FIRST if role is Role.ADVISER else ()), HOME], role)
    pages = {
        one.path for one in table if "GET" in (one.methods or ()) and one.path.startswith(HOME)
    }
    assert {layout for layout, _ in walk.seen} >= pages - _ONLY_REDIRECTS


def test_nothing_appears_by_pointing_and_nothing_asks_how_it_is_held() -> None:
    """1.4.13, 1.3.4: no rule of the desk's sheets."""
    sheets = styles(sesame.desk, sesame.web)
    assert list(shown_by_pointing(sheets)) == []
    assert not any("orientation" in sheet for sheet in sheets)


def test_the_desk_has_the_colours_of_the_portal() -> None:
    """1.4.11: their contrasts are measured there; no sheet of the desk adds one."""
    for sheet in styles(sesame.desk):
        assert not re.search(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|color)\(", sheet)
