"""Coop@net in a real browser: by keyboard, without script, on a narrow screen, and axe."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route
from playwright.async_api import Response as PageResponse

from sesame.bank.sessions import end_all_sessions
from sesame.portal.answers import ANSWERS
from sesame.portal.trial import STEPS
from tests.chromium import ARGUMENTS, EXECUTABLE, enter, follow
from tests.portal.street import Street
from tests.portal.town import wrong_code

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
        await follow(page, "form.panel button")
        await _check(page, width)


@pytest.mark.parametrize("script", [True, False])
async def test_the_whole_way_by_keyboard(street: Street, script: bool) -> None:  # noqa: FBT001 -- the case
    """From the home page in and out again, with Tab and Enter alone, with and without script."""
    async with street.visitor(script=script) as page:
        await page.goto("/")
        await _tab_to(page, 'a[href="/acces"]')
        await enter(page)
        await page.wait_for_url("**/acces")
        await _tab_to(page, 'a[href="/acces/sesame"]')
        await enter(page)
        await page.wait_for_url("**/acces/sesame")
        await _tab_to(page, "#user_code")
        await page.keyboard.type("vera 2345")
        await page.keyboard.press("Tab")
        code = await street.town.code_of(street.town.vera)
        await page.keyboard.type(f"{code[:4]} {code[4:]}")
        await enter(page)
        await page.wait_for_url("**/espace")
        assert await page.title() == "Votre espace Coop@net – Banque coopérative du Tilleul"
        await _tab_to(page, 'main > .session form[action="/deconnexion"] button')
        await enter(page)
        await page.wait_for_url("**/deconnexion")


async def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until *selector* has the focus, and see that the focus shows."""
    wanted = page.locator(selector)
    for _ in range(30):
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
        await enter(page)
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


@pytest.mark.parametrize(("language", "width"), [("fr", 320), ("en", 1280)])
async def test_axe_finds_nothing_for_learners(street: Street, language: str, width: int) -> None:
    """In the instructions, on every step of the trial, and on the answer to every display.

    Thirty pages of few kinds: each language and each width once, not each with each.
    """
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
    await enter(page)


@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize("sheet", _SHEETS)
async def test_a_sheet_is_one_side_of_a4(street: Street, sheet: str, language: str) -> None:
    """Nothing to press is printed, everything else is; large print takes more paper.

    With room to spare, as fonts differ, and whether somebody answers the telephone or not.
    """
    async with street.visitor(language=language) as page:
        for hour in (9, 22):
            with street.at(datetime(2026, 3, 2, hour, tzinfo=UTC)):
                await page.goto(sheet)
            assert _sides(await page.pdf(prefer_css_page_size=True, scale=1.03)) == 1
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


# ── Signed in ────────────────────────────────────────────────────────────────────────────────────


async def _log_in_with_old_code(street: Street, page: Page) -> None:
    await page.goto("/acces/ancien-code")
    await page.fill("#user_code", "OMAR6789")
    await page.fill("#old_code", street.town.omar.old_code)
    await follow(page, "form.panel button")
    await page.wait_for_url("**/espace")


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
async def test_axe_finds_nothing_on_the_connections(
    street: Street, language: str, width: int
) -> None:
    """With another session, and with the alarm of a replay above."""
    async with (
        street.visitor(width=width, language=language) as page,
        street.visitor(language=language) as other,
    ):
        await street.log_in(page)
        code = await street.town.code_of(street.town.vera)
        for _ in range(2):
            await other.goto("/acces/sesame")
            await other.fill("#user_code", "VERA2345")
            await other.fill("#code", code)
            await follow(other, "form.panel button")
        await page.goto("/espace/connexions")
        assert await page.is_visible("[role=alert]")
        assert await page.is_visible('form[action="/espace/connexions/terminer"]')
        await _check(page, width)


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
async def test_axe_finds_nothing_with_an_old_code(
    street: Street, language: str, width: int
) -> None:
    """The space that only shows, the trial with its errors, and the bravo."""
    async with street.visitor(width=width, language=language) as page:
        await _log_in_with_old_code(street, page)
        await _check(page, width)
        await page.goto("/espace/connexions")
        await _check(page, width)
        await page.goto("/premier-essai/verifier")
        await _check(page, width)
        for typed in ("12", wrong_code(await street.town.code_of(street.town.omar))):
            await page.fill("#code", typed)
            await follow(page, "form.panel button")
            assert await page.evaluate("document.activeElement.id") == "code"
            await _check(page, width)
        await page.fill("#code", await street.town.code_of(street.town.omar))
        await follow(page, "form.panel button")
        await page.wait_for_url("**/premier-essai/bravo")
        await _check(page, width)


@pytest.mark.parametrize("script", [True, False])
async def test_others_are_ended_by_keyboard(street: Street, script: bool) -> None:  # noqa: FBT001 -- the case
    """From the space to the connections, and all the others end; with and without script."""
    async with street.visitor(script=script) as page, street.visitor() as other:
        vera = street.town.vera.user_code
        await end_all_sessions(street.town.bank, vera, "")  # of the tests before
        await street.log_in(other)
        await street.log_in(page)
        await _tab_to(page, 'a[href="/espace/connexions"]')
        await enter(page)
        await page.wait_for_url("**/espace/connexions")
        await _tab_to(page, 'form[action="/espace/connexions/autres"] button')
        await enter(page)
        await page.wait_for_url("**/espace/connexions?fait=autres")
        assert await page.locator("[role=status]").first.is_visible()
        await other.goto("/espace")
        assert "/acces/sesame" in other.url


@pytest.mark.parametrize("script", [True, False])
async def test_a_trial_by_keyboard(street: Street, script: bool) -> None:  # noqa: FBT001 -- the case
    """From the space of an old code to the bravo, with and without script."""
    async with street.visitor(script=script) as page:
        await _log_in_with_old_code(street, page)
        await _tab_to(page, 'a.button[href="/premier-essai/verifier"]')
        await enter(page)
        await page.wait_for_url("**/premier-essai/verifier")
        await _tab_to(page, "#code")
        await page.keyboard.type(await street.town.code_of(street.town.omar))
        await enter(page)
        await page.wait_for_url("**/premier-essai/bravo")


# ── The end of a session ─────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _watched(street: Street, **how: object) -> AsyncIterator[Page]:
    """A page of somebody signed in, whose clock stands still until told."""
    async with street.visitor(**how) as page:  # type: ignore[arg-type]  # names of its own
        await page.clock.install()
        await street.log_in(page)
        yield page


async def _pass(street: Street, page: Page, seconds: int) -> None:
    """Let time pass, at the bank and before the page."""
    street.town.clock.advance(seconds=seconds)
    await page.clock.fast_forward(1000 * seconds)


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("language", _LANGUAGES)
async def test_a_minute_before_the_end_one_is_asked(
    street: Street, language: str, width: int
) -> None:
    """Not earlier; with the focus on what prolongs, and nothing for axe to find."""
    async with _watched(street, language=language, width=width) as page:
        await _pass(street, page, 235)
        assert not await page.is_visible("#ending")
        await _pass(street, page, 10)
        await page.wait_for_selector("#ending", state="visible")
        assert await page.get_attribute("#ending", "role") == "alertdialog"
        assert await page.evaluate("document.activeElement.id") == "prolong"
        assert 0 < int(await page.inner_text("[data-says=seconds]")) <= 60
        assert not await page.is_visible("[data-says=last]")
        await _check(page, width)


@pytest.mark.parametrize("key", ["Enter", "Escape"])
async def test_whoever_answers_stays(street: Street, key: str) -> None:
    """The warning goes, the focus is where it was, and five more minutes begin."""
    async with _watched(street) as page:
        await page.focus('a[href="/espace/connexions"]')
        await _pass(street, page, 250)
        await page.wait_for_selector("#ending", state="visible")
        async with page.expect_response("**/espace/reste"):
            await page.keyboard.press(key)
        await page.wait_for_selector("#ending", state="hidden")
        focus = await page.evaluate("document.activeElement.getAttribute('href')")
        assert focus == "/espace/connexions"
        await _pass(street, page, 200)
        assert not await page.is_visible("#ending")
        await page.reload()
        assert page.url.endswith("/espace")


async def test_the_warning_signs_out_too(street: Street) -> None:
    """By its other button."""
    async with _watched(street) as page:
        await _pass(street, page, 250)
        await page.click("#ending form button")
        await page.wait_for_url("**/deconnexion")


async def test_seconds_are_read_aloud_twice(street: Street) -> None:
    """At thirty and at ten; the ones between only change on the screen."""
    async with _watched(street) as page:
        await _pass(street, page, 250)
        await page.wait_for_selector("#ending", state="visible")
        assert await page.inner_text("[data-says=aloud]") == ""
        for seconds in (30, 10):
            while int(await page.inner_text("[data-says=seconds]")) > seconds:
                street.town.clock.advance(seconds=1)
                await page.clock.run_for(1000)
                await page.wait_for_timeout(20)
            aloud = await page.text_content("[data-says=aloud]")
            said = re.fullmatch("Temps restant, en secondes\u00a0: (\\d+)", aloud or "")
            assert said
            assert seconds - 2 <= int(said[1]) <= seconds  # the server sets the count right


async def test_at_the_end_nothing_of_the_account_is_left(street: Street) -> None:
    """The login form with the way back; neither Back nor the page before shows the account."""
    async with _watched(street) as page:
        await page.goto("/espace/connexions")
        await _pass(street, page, 250)
        await page.wait_for_selector("#ending", state="visible")
        await _pass(street, page, 60)
        await page.wait_for_url("**/acces/sesame?**")
        assert "retour=%2Fespace%2Fconnexions" in page.url
        assert await page.input_value('input[name="retour"]') == "/espace/connexions"
        assert await page.is_visible("text=Votre session est terminée")
        await page.go_back()
        assert "/acces/sesame" in page.url
        assert not await page.is_visible("text=Livret solidaire")


async def test_the_end_without_a_network(street: Street) -> None:
    """The page's own count decides, and the account goes all the same."""
    async with street.visitor() as page:
        await page.clock.install()
        await street.log_in(page)
        asked = 0

        async def fails(route: Route) -> None:
            nonlocal asked
            asked += 1
            await route.fulfill(status=503)

        await page.route("**/espace/reste", fails)
        await _pass(street, page, 245)
        await page.wait_for_selector("#ending", state="visible")
        await page.click("#prolong")
        await page.wait_for_selector("[data-says=failed]", state="visible")
        await _pass(street, page, 60)
        await page.wait_for_url("**/acces/sesame?**")
        assert asked > 1
        assert not await page.is_visible("text=Livret solidaire")


async def test_two_windows_agree(street: Street) -> None:
    """A page that is read in one keeps the other quiet; what one prolongs, the other knows."""
    async with _watched(street) as first:
        answers: list[PageResponse] = []
        first.on("response", lambda one: answers.append(one))  # noqa: PLW0108 -- a builtin will not do
        second = await first.context.new_page()
        await second.goto("/espace")
        # It asks, for another window was opened. An answer of after the bank's clock has moved and
        # before the page's has would end the session there.
        while not answers:
            await first.wait_for_timeout(20)
        await _pass(street, first, 200)  # the clock is that of both
        answers.clear()
        await second.goto("/espace/connexions")
        while not [one for one in answers if (await one.json())["seconds"] > 240]:
            await first.wait_for_timeout(20)
        await _pass(street, first, 60)
        await first.wait_for_timeout(200)
        assert not await first.is_visible("#ending")
        await _pass(street, first, 190)
        for page in (first, second):
            await page.wait_for_selector("#ending", state="visible")
        await second.click("#prolong")
        for page in (first, second):
            await page.wait_for_selector("#ending", state="hidden")


async def test_a_sign_out_in_one_window_empties_the_other(street: Street) -> None:
    """At once, not when somebody looks there next."""
    async with _watched(street) as first:
        second = await first.context.new_page()
        await second.goto("/espace")
        await second.click('main form[action="/deconnexion"] button')
        await second.wait_for_url("**/deconnexion")
        await first.wait_for_url("**/acces/sesame?**")


async def test_the_longest_time_cannot_be_prolonged(street: Street) -> None:
    """The warning says so and offers no button for it; once read it does not come again."""
    async with _watched(street) as page:
        for _ in range(119):
            street.town.clock.advance(minutes=4)
            await page.goto("/espace")
        await _pass(street, page, 200)
        await page.wait_for_selector("#ending", state="visible")
        assert await page.is_visible("[data-says=last]")
        assert not await page.is_visible("#prolong")
        await page.click("#understood")
        await page.wait_for_selector("#ending", state="hidden")
        street.town.clock.advance(seconds=5)
        await page.clock.run_for(5000)
        await page.wait_for_timeout(100)
        assert not await page.is_visible("#ending")


async def test_back_after_signing_out_shows_nothing(street: Street) -> None:
    """Neither from a cache nor from the browser's memory of whole pages."""
    async with street.visitor() as page:
        await street.log_in(page)
        await page.goto("/espace/connexions")
        await page.click('main > .session form[action="/deconnexion"] button')
        await page.wait_for_url("**/deconnexion")
        for _ in range(2):
            await page.go_back()
            await page.wait_for_url("**/acces/sesame?**")
            assert not await page.is_visible("text=Livret solidaire")
            await page.goto("/deconnexion")


async def test_a_page_that_the_browser_kept_shows_nothing_either(street: Street) -> None:
    """Chromium keeps whole pages for its Back button, `no-store` or not; Playwright forbids it."""
    keeping = await street.chromium.browser_type.launch(
        executable_path=EXECUTABLE,
        args=ARGUMENTS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    keeps = Street(street.town, keeping, street.address)
    async with keeps.visitor() as page:
        await page.add_init_script(
            "addEventListener('pageshow', (event) => {"
            " if (event.persisted) sessionStorage.kept = location.pathname; });"
        )
        await street.log_in(page)
        await page.goto("/aide")
        street.town.clock.advance(minutes=5)
        await page.go_back(wait_until="commit")
        await page.wait_for_selector("#user_code")
        assert "/acces/sesame?" in page.url
        assert await page.evaluate("sessionStorage.kept") == "/espace"
        assert not await page.is_visible("text=Livret solidaire")
        await street.log_in(page)
        await page.click('main > .session form[action="/deconnexion"] button')
        await page.wait_for_url("**/deconnexion")
        await page.go_back(wait_until="commit")
        await page.wait_for_selector("#user_code")
        assert "/acces/sesame?" in page.url
        assert not await page.is_visible("text=Livret solidaire")
    await keeping.close()
