"""The users' leaflet, followed in Debian's Chromium: make a code with the reader, log in with it.

The reader stands in one window and Coop@net in another, as a customer would have them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright

from tests.chromium import launch_here
from tests.contract.running import Browser, Customer, Demonstration, fresh_code

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("fonts-dejavu-core")]

CODE = re.compile(r"\d{4} \d{4}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Debian's browser."""
    with sync_playwright() as playwright:
        browser = launch_here(playwright)
        yield browser
        browser.close()


@contextmanager
def windows(
    chromium: Chromium, demo: Demonstration, *, portal_script: bool = True
) -> Iterator[tuple[Page, Page]]:
    """The reader's window and Coop@net's, side by side; the portal's without script if asked."""
    beside = chromium.new_context(viewport={"width": 400, "height": 800})
    front = chromium.new_context(
        viewport={"width": 900, "height": 800}, java_script_enabled=portal_script
    )
    reader, portal = beside.new_page(), front.new_page()
    reader.goto(demo.simulator)
    portal.goto(demo.portal)
    yield reader, portal
    beside.close()
    front.close()


def make_code(reader: Page, customer: Customer) -> str:
    """Part 1 of the leaflet: insert the card, « Code », the PIN, OK; read the digits."""
    reader.locator(f'[data-card="{customer.user_code}"] [data-event="insert"]').click()
    expect(reader.locator("#card")).to_be_visible()
    for name in ["Code", *customer.pin, "OK"]:
        reader.locator("#keys").get_by_role("button", name=name, exact=True).click()
    digits = reader.locator("#digits")
    expect(digits).to_have_text(CODE)
    return digits.inner_text()


def log_in(portal: Page, user_code: str, code: str) -> None:
    """Part 2: « Accès abonnés », the reader's picture, both codes, « Valider »."""
    portal.goto("/" if portal.url == "about:blank" else re.sub(r"(//[^/]+/).*", r"\1", portal.url))
    portal.get_by_role("link", name="Accès abonnés").first.click()
    expect(portal.get_by_role("heading", level=1)).to_have_text("Accès à vos comptes")
    portal.get_by_role("link", name="Lecteur Sésame").click()
    portal.get_by_role("textbox", name="Code utilisateur").fill(user_code)
    portal.get_by_role("textbox", name="Code Sésame").fill(code)
    portal.get_by_role("button", name="Valider").click()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("kind", ["bank", "sesame"])
def test_the_leaflet_from_the_first_line_to_the_last(
    chromium: Chromium,
    demo: Demonstration,
    kind: str,
    script: bool,  # noqa: FBT001 -- the case
) -> None:
    """Both card kinds, with script and without: in with the code; the second time refused."""
    customer = demo.customers(kind)[0]
    with windows(chromium, demo, portal_script=script) as (reader, portal):
        code = make_code(reader, customer)
        log_in(portal, customer.user_code, code)
        expect(portal.get_by_role("heading", level=1)).to_contain_text("espace Coop@net")
        assert portal.url.endswith("/espace")
        portal.get_by_role("button", name="Se déconnecter").click()
        log_in(portal, customer.user_code, code)
        expect(portal.get_by_role("alert")).to_contain_text("Connexion refusée")
        expect(portal).to_have_title(re.compile("^Erreur"))
        log_in(portal, customer.user_code, make_code_again(reader, customer))
        expect(portal.get_by_role("heading", level=1)).to_contain_text("espace Coop@net")


def make_code_again(reader: Page, customer: Customer) -> str:
    """Off, on again, and another code with the card that is still in the reader."""
    before = reader.locator("#digits").inner_text()
    keys = reader.locator("#keys")
    keys.get_by_role("button", name="Marche et arrêt").click()
    expect(reader.locator("#device")).to_have_attribute("data-state", "off")
    keys.get_by_role("button", name="Marche et arrêt").click()
    for name in ["Code", *customer.pin, "OK"]:
        keys.get_by_role("button", name=name, exact=True).click()
    digits = reader.locator("#digits")
    expect(digits).to_have_text(CODE)
    after = digits.inner_text()
    assert after != before
    return after


def test_last_login_is_shown(chromium: Chromium, demo: Demonstration) -> None:
    """The second login tells when the first was (S25, I17)."""
    customer = demo.customers("bank")[-1]
    with Browser(demo.portal) as earlier:
        assert earlier.submit(customer.user_code, fresh_code(customer)).status_code == 303
    with windows(chromium, demo) as (_, portal):
        log_in(portal, customer.user_code, fresh_code(customer))
        expect(portal.locator("main")).to_contain_text("dernière connexion")


def test_three_wrong_codes_suspend_and_say_until_when(
    chromium: Chromium, own_demo: Demonstration
) -> None:
    """The right code does not help then; « Tout remettre à neuf » does."""
    customer = own_demo.customers("sesame")[0]
    with windows(chromium, own_demo) as (reader, portal):
        for _ in range(3):
            log_in(portal, customer.user_code, "4000 0000")
            expect(portal.get_by_role("alert")).to_contain_text("Connexion refusée")
        log_in(portal, customer.user_code, make_code(reader, customer))
        expect(portal.get_by_role("alert")).to_contain_text("suspendu jusqu")
        reader.get_by_role("link", name="Tout remettre à neuf").click()
        reader.get_by_role("button", name="Oui, tout remettre à neuf").click()
        expect(reader.get_by_role("status").first).to_contain_text("remis à neuf")
        log_in(portal, customer.user_code, make_code(reader, customer))
        expect(portal.get_by_role("heading", level=1)).to_contain_text("espace Coop@net")


def test_making_everything_new_gives_pin_tries_back_and_ends_sessions(
    chromium: Chromium, own_demo: Demonstration
) -> None:
    """A blocked card works again; who was signed in is not any more."""
    customer = own_demo.customers("bank")[0]
    with windows(chromium, own_demo) as (reader, portal):
        log_in(portal, customer.user_code, make_code(reader, customer))
        expect(portal.get_by_role("heading", level=1)).to_contain_text("espace Coop@net")
        reader.get_by_role("link", name="Tout remettre à neuf").click()
        reader.get_by_role("button", name="Oui, tout remettre à neuf").click()
        expect(reader.get_by_role("status").first).to_contain_text("remis à neuf")
        portal.reload()
        assert "/acces/sesame" in portal.url


def test_the_language_changes_on_the_way(chromium: Chromium, demo: Demonstration) -> None:
    """English from the home page on, in both windows."""
    customer = demo.customers("sesame")[-1]
    with windows(chromium, demo) as (reader, portal):
        portal.get_by_role("link", name="English").click()
        portal.get_by_role("link", name="Subscriber access").first.click()
        portal.get_by_role("link", name="Sésame reader").click()
        expect(portal.locator("html")).to_have_attribute("lang", "en")
        reader.get_by_role("link", name="English").click()
        expect(reader.locator("html")).to_have_attribute("lang", "en")
        code = make_code(reader, customer)
        portal.locator("#user_code").fill(customer.user_code)
        portal.locator("#code").fill(code)
        portal.locator("form.panel button").click()
        expect(portal.get_by_role("heading", level=1)).to_contain_text("Coop@net")
        expect(portal.locator("html")).to_have_attribute("lang", "en")


def test_the_leaflet_by_keyboard_alone(chromium: Chromium, demo: Demonstration) -> None:
    """Both windows, Tab, Enter and the keys that the page names; the mouse stays where it is."""
    customer = demo.customers("sesame")[0]
    with windows(chromium, demo) as (reader, portal):
        expect(reader.locator(f"#put-{customer.user_code}")).to_be_visible()
        tab_to(reader, f"#put-{customer.user_code}")
        reader.keyboard.press("Enter")
        expect(reader.locator("#lines")).to_contain_text("CHOISISSEZ")
        reader.keyboard.press("c")
        reader.keyboard.type(customer.pin)
        reader.keyboard.press("Enter")
        expect(reader.locator("#digits")).to_have_text(CODE)
        tab_to(portal, 'a[href="/acces"]')
        portal.keyboard.press("Enter")
        portal.wait_for_url("**/acces")
        tab_to(portal, 'a[href="/acces/sesame"]')
        portal.keyboard.press("Enter")
        portal.wait_for_url("**/acces/sesame")
        tab_to(portal, "#user_code")
        portal.keyboard.type(customer.user_code.lower())
        portal.keyboard.press("Tab")
        portal.keyboard.type(reader.locator("#digits").inner_text())
        portal.keyboard.press("Enter")
        portal.wait_for_url("**/espace")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until *selector* has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.locator(selector).evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {selector}")


def test_a_double_click_gets_in(chromium: Chromium, demo: Demonstration) -> None:
    """On a real server: whichever answer the browser shows, it is the space."""
    customer = demo.customers("bank")[0]
    with windows(chromium, demo) as (reader, portal):
        code = make_code(reader, customer)
        portal.goto(demo.portal + "/acces/sesame")
        portal.locator("#user_code").fill(customer.user_code)
        portal.locator("#code").fill(code)
        portal.locator("form.panel button").dblclick()
        portal.wait_for_url("**/espace")
        expect(portal.get_by_role("heading", level=1)).to_contain_text("espace Coop@net")


def test_every_page_says_that_it_is_a_demonstration(
    chromium: Chromium, demo: Demonstration
) -> None:
    """The ribbon, which leads to the other application; noindex; axe finds nothing."""
    with windows(chromium, demo) as (reader, portal):
        for page, other in ((portal, demo.simulator), (reader, demo.portal)):
            ribbon = page.get_by_label("Démonstration", exact=True)
            expect(ribbon).to_contain_text("Démonstration – banque fictive")
            assert (ribbon.get_by_role("link").get_attribute("href") or "").startswith(other)
            robots = page.locator('meta[name="robots"]')
            assert "noindex" in (robots.get_attribute("content") or "")
            found = Axe().run(page, options={"preload": False})
            assert found.violations_count == 0, found.generate_report()
