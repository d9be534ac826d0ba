"""The till in Debian's Chromium: by keyboard alone, without script, at every width."""

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.simulator.table import CAMILLE, INES, PIN, WRONG_PIN

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("fonts-dejavu-core")]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens the till in a browser of its own; at the end none of them has complained."""
    complaints: list[str] = []
    contexts = []

    def open_page(width: int = 1280, *, at: str = "/caisse", **how: object) -> Page:
        context = chromium.new_context(
            base_url=address,
            viewport={"width": width, "height": 900},
            **how,  # type: ignore[arg-type]  # the test's own words
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(at)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Chromium itself writes a line for every answer of 4xx.
    assert [words for words in complaints if not words.startswith("Failed to load resource")] == []


def pay(page: Page, card: str, pin: str = PIN, amount: str = "12,50") -> None:
    """Fill in the form, and send it."""
    page.locator(f'[name="card"][value="{card}"]').check()
    page.get_by_label("Montant en euros").fill(amount)
    page.locator("#pin").fill(pin)
    page.get_by_role("button", name="Payer").click()


def test_by_keyboard_alone(open_page: Open) -> None:
    """From the table: Tab to the link, Enter; then card, amount, PIN, Enter; and back."""
    page = open_page(at="/")
    tab_to(page, "document.activeElement.getAttribute('href') === '/caisse'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("La caisse d’un magasin")
    tab_to(page, "document.activeElement.name === 'card'")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(f'[value="{CAMILLE}"]')).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("12,50")
    page.keyboard.press("Tab")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Paiement accepté")
    assert PIN not in page.url
    assert PIN not in page.content()
    tab_to(page, "document.activeElement.textContent === 'Payer encore avec cette carte'")
    page.keyboard.press("Enter")
    expect(page.locator(f'[value="{CAMILLE}"]')).to_be_checked()


def tab_to(page: Page, there: str) -> None:
    """Press Tab until the focus is where the expression *there* is true."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(there):
            return
    pytest.fail(f"Tab does not lead to where {there}")


def test_without_script(open_page: Open) -> None:
    """All of it: an error, its correction, the ticket; a ticket loaded again pays nothing."""
    page = open_page(java_script_enabled=False)
    pay(page, CAMILLE, amount="0")
    expect(page).to_have_title("Erreur – La caisse d’un magasin – Simulateur Sésame")
    expect(page.get_by_label("Montant en euros")).to_be_focused()
    described = "Le montant doit être d’un centime au moins. Par exemple 12,50."
    expect(page.get_by_label("Montant en euros")).to_have_accessible_description(
        re.compile(re.escape(described))
    )
    expect(page.locator("#pin")).to_have_value("")
    expect(page.locator(f'[value="{CAMILLE}"]')).to_be_checked()
    pay(page, CAMILLE)
    expect(page.get_by_text("est passé de 0 à 1")).to_be_visible()
    page.reload()
    expect(page.get_by_text("est passé de 0 à 1")).to_be_visible()
    page.get_by_role("link", name="Payer encore avec cette carte").click()
    pay(page, CAMILLE)
    expect(page.get_by_text("est passé de 1 à 2")).to_be_visible()


def test_the_pin_is_masked(open_page: Open) -> None:
    """It is a field for passwords, with a name that says whose."""
    page = open_page()
    expect(page.locator("#pin")).to_have_attribute("type", "password")
    expect(page.locator("#pin")).to_have_accessible_name("Code secret de la carte")


def test_a_card_is_named_with_all_that_is_beside_it(open_page: Open) -> None:
    """Whose it is, of what kind, and its PIN, in a group that says what is chosen."""
    page = open_page()
    expect(page.get_by_role("radiogroup", name="Carte")).to_have_count(1)
    expect(page.locator(f'[value="{INES}"]')).to_have_accessible_name(
        f"Inès Lefèvre Carte Sésame Code secret de la carte {PIN}"
    )


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(open_page: Open, width: int, language: str) -> None:
    """The form, the form with errors, a ticket, a refusal; and nothing scrolls sideways."""
    page = open_page(width, at=f"/langue/{language}?retour=/caisse", bypass_csp=True)
    found = violations(page)
    page.locator("form button").click()
    expect(page.locator(".field-error")).to_have_count(3)
    found += violations(page)
    for card, pin in [(CAMILLE, PIN), (CAMILLE, WRONG_PIN), (INES, PIN)]:
        page.goto(f"/caisse?carte={card}")
        page.locator("#amount").fill("12,50")
        page.locator("#pin").fill(pin)
        page.locator("form button").click()
        expect(page.locator(".ticket")).to_be_visible()
        found += violations(page)
    assert found == []


def violations(page: Page) -> list[str]:
    """What axe finds, in words; and a page wider than its window."""
    results = Axe().run(page, options=WCAG).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [f"{rule['id']}: {node['html']}" for rule in results for node in rule["nodes"]] + (
        [f"{page.url} scrolls sideways"] if wide else []
    )


@pytest.mark.parametrize("width", [320, 1280])
def test_everything_is_large_enough_for_a_finger(open_page: Open, width: int) -> None:
    """WCAG 2.5.8: 24 pixels."""
    page = open_page(width)
    for target in page.locator("main input:visible, main button:visible, main .button").all():
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, target.evaluate("e => e.outerHTML")


def test_a_chosen_card_is_not_told_by_colour_alone(open_page: Open) -> None:
    """The browser's own mark is in the button, with whatever colours."""
    page = open_page(forced_colors="active")
    radio = page.locator(f'[value="{CAMILLE}"]')
    before = radio.screenshot()
    radio.check()
    page.mouse.move(0, 0)
    assert radio.screenshot() != before
    assert radio.evaluate("e => getComputedStyle(e).appearance") == "auto"


def test_a_reader_s_window_sees_its_card_go(open_page: Open) -> None:
    """It lies in the reader of one window, and pays in another."""
    table, till = open_page(at="/"), open_page()
    table.locator(f"#put-{CAMILLE}").click()
    expect(table.locator("#card")).to_be_visible()
    pay(till, CAMILLE)
    expect(till.get_by_text("Paiement accepté").first).to_be_visible()
    expect(table.locator("#card")).to_be_hidden()
