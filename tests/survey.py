"""WCAG 2.2, levels A and AA, as far as a machine can measure it on a page: of both applications.

Each function fails with the page's address. The window stays as wide as the last one made it.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypedDict

from playwright.async_api import Page

_HEIGHT = 900
# Sheets made by script are not subject to the policy of the page, <style> would be.
_ADD_STYLE = """css => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [sheet];
}"""
_LARGER = "html { font-size: 200% !important }"
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
_PRESSED = """[...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), textarea")]
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
# Where the keyboard stops: at what is pressed, and at what scrolls; once in a group of radio
# buttons, at the one that is chosen, else at the first.
_STOPS = """[...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), textarea, [tabindex='0']")]
  .filter(element => element.getClientRects().length)
  .filter(element => element.type !== "radio" || element === (
    document.querySelector(`[type=radio][name='${element.name}']:checked`)
    ?? document.querySelector(`[type=radio][name='${element.name}']`)))"""
# What has the keyboard: which of all stops, is it seen, and is nothing on top of it?
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
).replace("ALL", _STOPS)
_LONGEST_STOP = 12  # Tabs: a field of a date has one for each of its parts
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
_AROUND = """links => [
  ...[...document.body.children].map(part => part.localName + "." + part.className),
  ...[...document.querySelectorAll(links)].map(
    link => [link.innerText, link.closest(".links") ? "" : link.getAttribute("href")].join())]"""
_MOVING = """() => [...document.querySelectorAll("*")].filter(element => {
  const style = getComputedStyle(element);
  return [...style.transitionDuration.split(","), ...style.animationDuration.split(",")]
    .some(time => parseFloat(time) > 0.01);
}).map(element => element.outerHTML.slice(0, 80))"""
# Boxes and buttons of one choice are drawn by the system itself.
_WITHOUT_EDGE = """() => [...document.querySelectorAll(
    "input:not([type=hidden], [type=checkbox], [type=radio]), textarea, button, [role=alert]")]
  .filter(element => {
    const style = getComputedStyle(element);
    return !(parseFloat(style.borderTopWidth) >= 1 && style.borderTopStyle === "solid"
      && style.borderTopColor !== style.backgroundColor);
  })
  .map(element => element.outerHTML.slice(0, 120))"""


class _Stop(TypedDict):
    """What has the keyboard."""

    name: str
    free: bool  # nothing lies on top of it
    outline: float  # pixels of its ring
    number: int  # of `all`
    all: int


def styles(*packages: ModuleType) -> list[str]:
    """Every sheet of style of these packages."""
    return [
        path.read_text(encoding="utf-8")
        for package in packages
        for path in Path(package.__path__[0], "static").rglob("*.css")
    ]


async def _widen(page: Page, width: int, height: int = _HEIGHT) -> None:
    await page.set_viewport_size({"width": width, "height": height})


async def fits(page: Page) -> None:
    """Nothing is cut off, and nothing has to be scrolled sideways."""
    root = "document.documentElement"
    assert await page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), page.url
    found = await page.evaluate(_CUT_OFF)
    assert found == [], f"{page.url} cuts off {found}"


async def fits_zoomed_in(page: Page) -> None:
    """1.4.4 and 1.4.10: a window of 1280 by 1024 at 200 and at 400 %."""
    for width, height in ((640, 512), (320, 256)):
        await _widen(page, width, height)
        await fits(page)


async def fits_with_larger_letters(page: Page) -> None:
    """1.4.4 by the letters alone, and 1.4.12: with the spacing of the criterion nothing is lost."""
    await _widen(page, 1280)
    await page.evaluate(_ADD_STYLE, _LARGER)
    await fits(page)
    await page.evaluate(_ADD_STYLE, _TEXT_SPACING)
    assert await page.evaluate("getComputedStyle(document.body).wordSpacing") != "0px"
    for width in (1280, 320):
        await _widen(page, width)
        await fits(page)
    await page.evaluate(_ADD_STYLE, "")


async def small_targets(page: Page) -> list[str]:
    """2.5.8: what is pressed and smaller than 24 by 24 pixels, links in a sentence aside."""
    found: list[str] = []
    for width in (320, 1280):
        await _widen(page, width)
        found += await page.evaluate(_SMALL_TARGETS)
    return found


async def surprising(page: Page) -> list[str]:
    """What acts before it is asked (2.1.4, 2.5.1, 2.5.2, 2.5.4, 2.5.7, 3.2.1, 3.2.2)."""
    found: list[str] = await page.evaluate(_SURPRISING)
    return found


async def wordy_pictures(page: Page) -> list[str]:
    """1.1.1, 1.4.5: pictures that are neither decoration nor drawings with a name."""
    found: list[str] = await page.evaluate(_PICTURES)
    return found


async def around(page: Page, links: str) -> list[str]:
    """3.2.3, 3.2.4, 3.2.6: what lies around the content, with the *links* (a selector) there."""
    found: list[str] = await page.evaluate(_AROUND, links)
    return found


async def goes_by_keyboard(page: Page, width: int) -> None:
    """2.1.2, 2.4.3, 2.4.7, 2.4.11: all in order, outlined by 3 pixels, nothing on top of it."""
    await _widen(page, width)
    await page.evaluate("document.activeElement.blur()")
    numbers: list[int] = []
    all_of_them, tabs, left = 0, 0, False
    while (stop := await _press_tab(page)) is None or stop["number"] not in numbers[:-1]:
        if stop is None:  # after its last stop; the next one is its first
            assert not left, f"{page.url} has no first stop"
            left = True
            continue
        tabs = tabs + 1 if numbers[-1:] == [stop["number"]] else 0
        assert tabs < _LONGEST_STOP, f"{page.url} does not let go of {stop['name']}"
        if tabs:
            continue
        assert stop["free"], f"{page.url} covers {stop['name']}"
        assert stop["outline"] >= 3, f"{page.url} does not show {stop['name']}"
        numbers.append(stop["number"])
        all_of_them = stop["all"]
    first = numbers.index(0)  # a page may put the keyboard into a field at once
    in_order = numbers[first:] + numbers[:first]
    assert in_order == list(range(all_of_them)), f"{page.url}: {in_order} of {all_of_them}"


async def _press_tab(page: Page) -> _Stop | None:
    await page.keyboard.press("Tab")
    found: _Stop | None = await page.evaluate(_FOCUS)
    return found


async def stays_still(page: Page) -> None:
    """2.2.2, 2.3.1: no animation, no video; what fades does not for who asked for less motion."""
    assert await page.evaluate("document.getAnimations().length") == 0
    assert await page.locator("video, audio, canvas, marquee, blink, iframe").count() == 0
    await page.emulate_media(reduced_motion="reduce")
    found = await page.evaluate(_MOVING)
    assert found == [], f"{page.url} moves {found}"
    await page.emulate_media(reduced_motion="null")


async def keeps_edges(page: Page) -> None:
    """In the system's own colours fields, buttons and errors keep an edge, the keyboard its ring.

    The keyboard is one stop further.
    """
    await page.emulate_media(forced_colors="active")
    found = await page.evaluate(_WITHOUT_EDGE)
    assert found == [], f"{page.url} without an edge: {found}"
    stop = await _press_tab(page) or await _press_tab(page)  # it may have been at the last one
    assert stop is not None, page.url
    assert stop["outline"] >= 3, f"{page.url} does not show {stop['name']}"
    await page.emulate_media(forced_colors="null")


def shown_by_pointing(sheets: list[str]) -> Iterator[str]:
    """1.4.13: the rules that show or hide something under the pointer."""
    for sheet in sheets:
        for rule in sheet.split("}"):
            selector, _, body = rule.partition("{")
            if ":hover" in selector and {"display", "visibility", "opacity", "content"} & {
                line.partition(":")[0].strip() for line in body.split(";")
            }:
                yield selector
