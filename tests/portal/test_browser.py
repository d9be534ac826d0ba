"""Coop@net in a real browser: by keyboard, without script, on a narrow screen, and axe."""

import re
from datetime import UTC, datetime

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from sesame.portal.answers import ANSWERS
from sesame.portal.trial import STEPS
from tests.portal.street import Street

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.asyncio(loop_scope="module"),
]

_WIDTHS = [1280, 320]  # pixels; 320 is WCAG 1.4.10
_LANGUAGES = ["fr", "en"]
# WCAG 2.2 wants 24 px targets; axe leaves that out unless asked. No preload: it would fetch style
# sheets from a script, which the policy forbids.
_AXE = {"preload": False, "rules": {"target-size": {"enabled": True}}}


async def _check(page: Page, width: int) -> None:
    """Axe finds nothing, and nothing has to be scrolled sideways."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    found = await Axe().run(page, options=_AXE)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize(
    "address", ["/", "/acces", "/acces/sesame", "/acces/sesame?motif=session", "/deconnexion", "/x"]
)
async def test_axe_finds_nothing(street: Street, address: str, language: str, width: int) -> None:
    """On the pages that anybody can open."""
    async with street.visitor(width=width, language=language) as page:
        await page.goto(address)
        await _check(page, width)


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize(
    ("at", "state"),
    [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "open"),
        (datetime(2026, 3, 1, 9, tzinfo=UTC), "closed"),
    ],
)
async def test_axe_finds_nothing_on_the_page_of_help(
    street: Street, at: datetime, state: str, language: str, width: int
) -> None:
    """Whether somebody answers or not, with closures on it and the block announcing one."""
    with street.at(at):
        async with street.visitor(width=width, language=language) as page:
            await page.goto("/aide")
            assert await page.locator(f".state.{state}").count() == 2
            assert await page.locator(".help .closure").is_visible()
            await _check(page, width)


async def test_help_is_read_and_dialled_on_a_narrow_screen(street: Street) -> None:
    """Numbers stay on one line, in targets of 24 pixels and more (WCAG 2.5.8)."""
    async with street.visitor(width=320) as page:
        await page.goto("/acces/sesame")
        numbers = page.locator('.help a[href^="tel:"]')
        assert await numbers.count() == 2
        for number in await numbers.all():
            box = await number.bounding_box()
            assert box
            assert box["x"] + box["width"] <= 320
            assert 24 <= box["height"] < 60


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
async def test_axe_finds_nothing_when_signed_in(street: Street, language: str, width: int) -> None:
    """In the space with its accounts."""
    async with street.visitor(width=width, language=language) as page:
        await street.log_in(page)
        await _check(page, width)


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize(("user_code", "code"), [("NOBODY22", "34567890"), ("NO", "12")])
async def test_axe_finds_nothing_on_an_error(
    street: Street, user_code: str, code: str, language: str, width: int
) -> None:
    """Refused, or mistyped in both fields."""
    async with street.visitor(width=width, language=language) as page:
        await page.goto("/acces/sesame")
        await page.fill("#user_code", user_code)
        await page.fill("#code", code)
        await page.click("form.panel button")
        await page.wait_for_selector("[role=alert]")
        await _check(page, width)


@pytest.mark.parametrize("script", [True, False])
async def test_the_whole_way_by_keyboard(street: Street, script: bool) -> None:  # noqa: FBT001 -- the case
    """From the home page in and out again, with Tab and Enter alone, with and without script."""
    async with street.visitor(script=script) as page:
        await page.goto("/")
        await _tab_to(page, 'a[href="/acces"]')
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/acces")
        await _tab_to(page, 'a[href="/acces/sesame"]')
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/acces/sesame")
        await _tab_to(page, "#user_code")
        await page.keyboard.type("vera 2345")
        await page.keyboard.press("Tab")
        code = await street.town.code_of(street.town.vera)
        await page.keyboard.type(f"{code[:4]} {code[4:]}")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/espace")
        assert await page.title() == "Votre espace Coop@net – Banque coopérative du Tilleul"
        await _tab_to(page, 'form[action="/deconnexion"] button')
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/deconnexion")


async def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until *selector* has the focus, and see that the focus shows."""
    wanted = page.locator(selector)
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            style = await wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert style == "solid"
            return
    pytest.fail(f"Tab does not reach {selector}")


async def test_the_first_tab_skips_to_the_content(street: Street) -> None:
    """WCAG 2.4.1."""
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == "user_code"


async def test_an_impatient_double_click_gets_in(street: Street) -> None:
    """Two requests with one form; the answer that the browser shows is not a refusal."""
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        await page.fill("#user_code", "VERA2345")
        await page.fill("#code", await street.town.code_of(street.town.vera))
        await page.dblclick("form.panel button")
        await page.wait_for_url("**/espace")


async def test_after_an_error_the_next_code_goes_to_the_field_at_once(street: Street) -> None:
    """The field that has to be filled in anew has the focus, and knows what was wrong."""
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        await page.fill("#user_code", "NOBODY23")
        await page.fill("#code", "34567890")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("[role=alert]")
        assert await page.evaluate("document.activeElement.id") == "code"
        assert await page.input_value("#user_code") == "NOBODY23"
        assert await page.input_value("#code") == ""
        described = await page.get_attribute("#code", "aria-describedby")
        assert described == "message code-hint"


async def test_the_language_changes_where_one_is(street: Street) -> None:
    """And stays for the rest of the way."""
    async with street.visitor() as page:
        await page.goto("/acces/sesame?retour=/acces")
        await page.click("text=English")
        await page.wait_for_selector("text=Login with the Sésame reader")
        assert page.url.endswith("/acces/sesame?retour=/acces")
        await page.goto("/")
        assert await page.inner_text("a.button") == "Subscriber access"


_SHEETS = ["/mode-d-emploi/carte-bancaire", "/mode-d-emploi/carte-sesame"]
_LARGE = "?caracteres=grands"
_LEARNING = [
    "/mode-d-emploi",
    *_SHEETS,
    *(sheet + _LARGE for sheet in _SHEETS),
    "/premier-essai",
    *(f"/premier-essai/carte-bancaire/{number}" for number in range(1, len(STEPS) + 1)),
    "/premier-essai/carte-sesame/ecrans",
    *(f"/premier-essai/carte-sesame/ecrans/{answer.name}" for answer in ANSWERS),
]


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
async def test_axe_finds_nothing_for_learners(street: Street, language: str, width: int) -> None:
    """In the instructions, on every step of the trial, and on the answer to every display."""
    async with street.visitor(width=width, language=language) as page:
        for address in _LEARNING:
            await page.goto(address)
            await _check(page, width)


@pytest.mark.parametrize("script", [True, False])
async def test_the_trial_by_keyboard(street: Street, script: bool) -> None:  # noqa: FBT001 -- the case
    """From the home page through all steps, with Tab and Enter alone, there and one back."""
    async with street.visitor(script=script) as page:
        await page.goto("/")
        await _follow(page, 'a[href="/premier-essai"]')
        await _follow(page, 'a[href="/premier-essai/carte-sesame/1"]')
        for number in range(2, len(STEPS) + 1):
            await _follow(page, "a[rel=next]")
            assert page.url.endswith(f"/premier-essai/carte-sesame/{number}")
            assert (await page.title()).startswith(f"Étape {number} sur {len(STEPS)}")
        assert not await page.locator("a[rel=next]").count()
        await _follow(page, "a[rel=prev]")
        await _follow(page, 'a[href$="/ecrans"]')
        await _follow(page, 'a[href$="/ecrans/carte-illisible"]')
        assert await page.inner_text("h1") == "Le lecteur ne lit pas la carte"
        await _follow(page, 'a[href="/premier-essai/carte-sesame/2"]')


async def _follow(page: Page, selector: str) -> None:
    await _tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize("sheet", _SHEETS)
async def test_a_sheet_is_one_side_of_a4(street: Street, sheet: str, language: str) -> None:
    """Nothing to press is printed, everything else is; large print takes more paper."""
    async with street.visitor(language=language) as page:
        await page.goto(sheet)
        assert _sides(await page.pdf(prefer_css_page_size=True)) == 1
        await page.emulate_media(media="print")
        for section in await page.locator("h1, h2, .steps li, .never strong, [href^='tel:']").all():
            assert await section.is_visible()
        for selector in ("nav", ".skip", ".button", ".ribbon a", ".screen-only"):
            for part in await page.locator(selector).all():
                assert not await part.is_visible()
        await page.goto(sheet + _LARGE)
        assert _sides(await page.pdf(prefer_css_page_size=True)) > 1
        await page.emulate_media(media="print")
        points = "element => parseFloat(getComputedStyle(element).fontSize) * 3 / 4"
        for paragraph in await page.locator(".sheet p:visible, .sheet li, .help p:visible").all():
            assert 18 <= await paragraph.evaluate(points) <= 20


def _sides(pdf: bytes) -> int:
    assert re.findall(rb"/MediaBox \[0 0 (59\d)[.\d]* (84\d)", pdf), "the paper is not A4"
    return len(re.findall(rb"/Type /Page\b", pdf))


async def test_nothing_is_loaded_from_elsewhere(street: Street) -> None:
    """Every request goes to this server, and the style sheet and its base arrive."""
    async with street.visitor() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/acces", wait_until="networkidle")
        assert asked
        assert all(url.startswith(street.address) for url in asked)
        assert any("vendor/simple-" in url for url in asked)
        assert await page.evaluate("getComputedStyle(document.body).display") == "grid"


async def test_on_paper_only_the_content_is_left(street: Street) -> None:
    """Print hides what cannot be pressed there."""
    async with street.visitor() as page:
        await street.log_in(page)
        await page.emulate_media(media="print")
        assert not await page.is_visible("text=Se déconnecter")
        assert await page.is_visible("text=Livret solidaire")
