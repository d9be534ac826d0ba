"""WCAG 2.2, levels A and AA, as far as a machine can measure it on the real pages.

docs/reference/accessibility.md says which criterion is met how, and what only a person can judge.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

import sesame.portal
import sesame.web
from tests.chromium import enter
from tests.portal.street import PAGES, Street

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
_STYLES = [
    path.read_text(encoding="utf-8")
    for package in (sesame.portal, sesame.web)
    for path in Path(package.__path__[0], "static").rglob("*.css")
]
# Sheets made by script are not subject to the policy of the page, <style> would be.
_ADD_STYLE = """css => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [sheet];
}"""
_TEXT_SPACING = """*:not(svg *) {
  line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important;
} p { margin-bottom: 2em !important; }"""
# Text that does not fit where it stands: cut off, or wider than the page.
_CUT_OFF = """() => [...document.querySelectorAll("body *:not(svg, svg *, .visually-hidden)")]
  .filter(element => element.getClientRects().length && element.innerText?.trim())
  .filter(element => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const hides = style.overflowX !== "visible" || style.overflowY !== "visible";
    return hides && (element.scrollWidth > element.clientWidth + 1
        || element.scrollHeight > element.clientHeight + 1)
      || style.clipPath === "none" && !element.closest("thead, .skip")
        && box.right > document.documentElement.clientWidth + 1;
  })
  .map(element => element.outerHTML.slice(0, 120))"""
# What is pressed, by its box; a link within a sentence is as high as its line (2.5.8, inline).
_PRESSED = """[...document.querySelectorAll("a[href], button, input:not([type=hidden])")]
  .filter(element => element.getClientRects().length)"""
_SMALL_TARGETS = (
    f"() => {_PRESSED}"
    """
  .filter(element => {
    const box = element.getBoundingClientRect();
    const around = element.parentElement;
    const inline = getComputedStyle(element).display === "inline"
      && around.innerText.trim() !== element.innerText.trim();
    return !inline && (box.width < 24 || box.height < 24);
  })
  .map(element => element.outerHTML.slice(0, 160))"""
)
# What has the keyboard: which of all that is pressed, is it seen, and is nothing on top of it?
_FOCUS = (
    """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getClientRects()[0];
  const middle = box.y + box.height / 2;
  const free = [box.x + 4, box.x + box.width / 2, box.right - 4].some(
    x => element.contains(document.elementFromPoint(x, middle)));
  return {name: element.outerHTML.slice(0, 120), free,
          outline: style.outlineStyle === "solid" ? parseFloat(style.outlineWidth) : 0,
          number: ALL.indexOf(element), all: ALL.length};
}"""
).replace("ALL", _PRESSED)


# What acts by itself, on a gesture or a key, in another window unannounced, or on pointing.
_SURPRISING = """() => [...document.querySelectorAll("*")].filter(element =>
  element.matches("script, meta[http-equiv=refresh]")
  || element.target === "_blank" && !element.innerText.includes("nouvelle fenêtre")
  || [...element.attributes].some(({name}) =>
    name.startsWith("on") || ["accesskey", "draggable", "title"].includes(name)))
  .map(element => element.outerHTML.slice(0, 120))"""
# Pictures that are neither decoration nor a drawing with a name.
_PICTURES = """() => [...document.querySelectorAll("body *")].filter(element =>
  element.localName === "img" ? element.getAttribute("alt") !== ""
  : element.localName === "svg"
    ? (element.ariaHidden === "true" ? element.ariaLabel
      : !(element.ariaLabel && element.role === "img"))
  : getComputedStyle(element).backgroundImage.includes("url("))
  .map(element => element.outerHTML.slice(0, 120))"""
# The parts of the page in their order, and the links of all but the content.
_AROUND = """() => [
  ...[...document.body.children].map(part => part.localName + "." + part.className),
  ...[...document.querySelectorAll("header.top a, aside.help a, footer a")].map(
    link => [link.innerText, link.closest(".links") ? "" : link.getAttribute("href")].join())]"""


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
            small = []
            for width in (320, 1280):
                await page.set_viewport_size({"width": width, "height": 900})
                small += await page.evaluate(_SMALL_TARGETS)
            found[page.url.removeprefix(street.address)] = Found(
                small_targets=small,
                surprising=await page.evaluate(_SURPRISING),
                pictures=await page.evaluate(_PICTURES),
                around=await page.evaluate(_AROUND),
            )
    return found


@asynccontextmanager
async def _pages(
    street: Street, addresses: list[str], *, width: int = 1280, height: int = 900
) -> AsyncIterator[AsyncIterator[Page]]:
    """Each of *addresses* in turn, then the signed-in space."""
    async with street.visitor(width=width, height=height) as page:

        async def all_of_them() -> AsyncIterator[Page]:
            for address in addresses:
                await page.goto(address)
                yield page
            await street.log_in(page)
            yield page

        yield all_of_them()


async def _fits(page: Page) -> None:
    """Nothing is cut off, and nothing has to be scrolled sideways."""
    root = "document.documentElement"
    assert await page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), page.url
    assert await page.evaluate(_CUT_OFF) == [], page.url


async def test_zoomed_in(street: Street) -> None:
    """1.4.4 and 1.4.10: a window of 1280 by 1024 at 200 and at 400 %."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            for width, height in ((640, 512), (320, 256)):
                await page.set_viewport_size({"width": width, "height": height})
                await _fits(page)


async def test_larger_letters_and_more_room_between_them(street: Street) -> None:
    """1.4.4 by the letters alone, and 1.4.12: with the spacing of the criterion nothing is lost."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            await page.set_viewport_size({"width": 1280, "height": 900})
            await page.evaluate(_ADD_STYLE, "html { font-size: 200% !important }")
            await _fits(page)
            await page.evaluate(_ADD_STYLE, _TEXT_SPACING)
            assert await page.evaluate("getComputedStyle(document.body).wordSpacing") != "0px"
            for width in (1280, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                await _fits(page)


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
    async with _pages(street, _LAYOUTS, width=768, height=1024) as pages:
        async for page in pages:
            upright = (await page.inner_text("body")).split()
            await page.set_viewport_size({"width": 1024, "height": 768})
            assert (await page.inner_text("body")).split() == upright, page.url
            await page.set_viewport_size({"width": 768, "height": 1024})


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_keyboard_is_seen_goes_everywhere_and_leaves(street: Street, width: int) -> None:
    """2.1.2, 2.4.3, 2.4.7, 2.4.11: all in order, outlined by 3 pixels, nothing on top of it."""
    async with _pages(street, _LAYOUTS, width=width) as pages:
        async for page in pages:
            await page.evaluate("document.activeElement.blur()")
            numbers: list[int] = []
            while True:
                await page.keyboard.press("Tab")
                stop = await page.evaluate(_FOCUS)
                if stop is None or stop["number"] in numbers:
                    break
                assert stop["free"], f"{page.url} covers {stop['name']}"
                assert stop["outline"] >= 3, f"{page.url} does not show {stop['name']}"
                numbers.append(stop["number"])
                all_of_them = stop["all"]
            first = numbers.index(0)  # a page may put the keyboard into a field at once
            assert numbers[first:] + numbers[:first] == list(range(all_of_them)), page.url


async def test_nothing_moves(street: Street) -> None:
    """2.2.2, 2.3.1: no animation, no video; what fades does not for who asked for less motion."""
    async with _pages(street, _LAYOUTS) as pages:
        async for page in pages:
            assert await page.evaluate("document.getAnimations().length") == 0
            assert await page.locator("video, audio, canvas, marquee, blink, iframe").count() == 0
            await page.emulate_media(reduced_motion="reduce")
            moving = """() => [...document.querySelectorAll("*")].filter(element => {
              const style = getComputedStyle(element);
              return [...style.transitionDuration.split(","), ...style.animationDuration.split(",")]
                .some(time => parseFloat(time) > 0.01);
            }).map(element => element.outerHTML.slice(0, 80))"""
            assert await page.evaluate(moving) == [], page.url


async def test_the_systems_own_colours(street: Street) -> None:
    """Forced colours: fields, buttons and the keyboard keep an edge, what happened keeps words."""
    edge = """element => { const style = getComputedStyle(element);
      return parseFloat(style.borderTopWidth) >= 1 && style.borderTopStyle === "solid"
        && style.borderTopColor !== style.backgroundColor; }"""
    async with street.visitor() as page:
        await page.emulate_media(forced_colors="active")
        await page.goto("/acces/sesame")
        for pressed in await page.locator(
            "input:not([type=hidden], [type=checkbox]), button"
        ).all():
            assert await pressed.evaluate(edge)
        await page.keyboard.press("Tab")
        stop = await page.evaluate(_FOCUS)
        assert stop["outline"] >= 3
        await page.fill("#user_code", "NO")
        await page.fill("#code", "12")
        await enter(page)
        assert await page.locator("[role=alert]").evaluate(edge)
        assert await page.locator("#user_code").evaluate(edge)


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
    for style in _STYLES:
        for rule in style.split("}"):
            selector, _, body = rule.partition("{")
            if ":hover" in selector:
                assert not {"display", "visibility", "opacity", "content"} & {
                    line.partition(":")[0].strip() for line in body.split(";")
                }, selector


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
