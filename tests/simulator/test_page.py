"""The page in Debian's Chromium: by mouse, by keyboard alone, in two windows, without script."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from sesame.simulator.routes import build
from tests.simulator.browser import Open, code_on, insert, overlap, press, violations
from tests.simulator.table import CAMILLE, INES, PIN, WRONG_PIN, Table, serve

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("fonts-dejavu-core")]

# ── Making a code ────────────────────────────────────────────────────────────────────────────────


def test_by_mouse(open_page: Open) -> None:
    """Card, Code, PIN, OK: the code, its bar and its seconds."""
    page = open_page()
    expect(page.locator("#lines")).to_be_empty()
    insert(page, CAMILLE)
    expect(page.locator("#lines")).to_contain_text("CHOISISSEZ")
    press(page, "Code", *"12")
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?\n••", use_inner_text=True)
    press(page, *"34", "OK")
    code = code_on(page)
    assert page.locator("#digits use").count() == 8
    expect(page.locator("#seconds")).to_have_text(re.compile(r"3\d s"))
    spoken = ", ".join(" ".join(group) for group in code.split())
    expect(page.locator("#announce")).to_contain_text(f"Votre code Sésame\u00a0: {spoken}.")


def test_by_keyboard_alone(open_page: Open) -> None:
    """From the top of the page, with Tab, Enter, and the keys that the page names."""
    page = open_page()
    expect(page.locator(f"#put-{INES}")).to_be_visible()
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"put-{INES}":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#device")).to_be_focused()
    page.keyboard.press("c")
    page.keyboard.type(PIN + "99")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    first = code_on(page)
    page.keyboard.press("Escape")
    expect(page.locator("#device")).to_have_attribute("data-state", "off")
    expect(page.locator("#digits")).to_be_empty()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.keyboard.type("777")
    page.keyboard.press("Delete")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    assert code_on(page) != first


def test_every_drawn_key_is_reached_and_pressed_by_keyboard(open_page: Open) -> None:
    """Tab goes from key to key; Enter and the space bar press the one that has the focus."""
    page = open_page()
    insert(page, INES)
    names = []
    for _ in range(18):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.dataset.key ?? 'pull'"))
    assert names == [
        "pull",
        "code",
        "respond",
        "sign",
        *"123",
        "on",
        *"456",
        "c",
        *"789",
        "ok",
        ",",
        "0",
    ]
    page.locator('[data-key="code"]').focus()
    page.keyboard.press("Enter")
    page.locator('[data-key="7"]').focus()
    page.keyboard.press("Space")
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?\n•", use_inner_text=True)


def test_a_french_keyboard_needs_no_shift(open_page: Open) -> None:
    """There the key of 1 writes &."""
    page = open_page()
    insert(page, INES)
    page.keyboard.press("c")
    page.evaluate(
        """for (const [key, code] of [["&", "Digit1"], ["é", "Digit2"]])
             device.dispatchEvent(new KeyboardEvent("keydown", { key, code, cancelable: true }))"""
    )
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?\n••", use_inner_text=True)


def test_shortcuts_hold_only_in_the_reader(open_page: Open) -> None:
    """WCAG 2.1.4: outside of it, letters and digits are nobody's; with Ctrl they never are."""
    page = open_page()
    insert(page, INES)
    page.locator(f"#copy-{INES}").focus()
    page.keyboard.type("c1")
    page.locator("#device").focus()
    page.keyboard.press("Control+c")
    page.keyboard.press("Escape")
    expect(page.locator("#device")).to_have_attribute("data-state", "off")
    assert page.locator("#lines").inner_text() == ""


def test_a_mouse_leaves_enter_meaning_ok(open_page: Open) -> None:
    """After a click on a key, Enter does not press that key again."""
    page = open_page()
    insert(page, INES)
    press(page, "Code", *PIN)
    page.keyboard.press("Enter")
    code_on(page)


def test_a_held_c_takes_all_digits(open_page: Open) -> None:
    """With the mouse button kept down."""
    page = open_page()
    insert(page, INES)
    press(page, "Code", *"123")
    page.locator('[data-key="c"]').hover()
    page.mouse.down()
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?", use_inner_text=True)
    page.mouse.up()
    press(page, "4", "5")
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?\n••", use_inner_text=True)


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────


def test_a_wrong_pin(open_page: Open) -> None:
    """The reader tells the tries that are left; the right one then makes a code."""
    page = open_page()
    insert(page, CAMILLE)
    press(page, "Code", *WRONG_PIN, "OK")
    expect(page.locator("#lines")).to_contain_text("RESTE 2 ESSAIS")
    expect(page.locator("#announce")).to_have_text(
        "Code secret faux, reste 2 essais, appuyez sur OK"
    )
    press(page, "OK", *PIN, "OK")
    code_on(page)


def test_a_pulled_card(open_page: Open) -> None:
    """By the button on the card; the focus goes on to the reader."""
    page = open_page()
    insert(page, INES)
    press(page, "Code", *"12")
    page.get_by_role("button", name="Retirer la carte").click()
    expect(page.locator("#lines")).to_have_text("CARTE RETIRÉE")
    expect(page.locator("#card")).to_be_hidden()
    expect(page.locator("#device")).to_be_focused()
    expect(page.locator("#lines")).to_contain_text("INSÉREZ VOTRE CARTE")


def test_a_card_goes_back_to_the_drawer(open_page: Open) -> None:
    """By its own button there, which keeps the focus and becomes the first again."""
    page = open_page()
    insert(page, INES)
    button = page.locator(f"#put-{INES}")
    expect(button).to_have_text("Retirer")
    expect(page.locator(f"#turn-{INES}")).to_be_hidden()
    button.click()
    expect(button).to_have_text("Insérer")
    expect(button).to_be_focused()
    expect(page.locator(f"#turn-{INES}")).to_be_visible()


def test_a_double_click_inserts_once(open_page: Open) -> None:
    """Its second half does not pull the card out again."""
    page = open_page()
    sent: list[str | None] = []
    page.on("request", lambda request: sent.append(request.post_data))
    page.locator(f"#put-{INES}").dblclick()
    expect(page.locator("#lines")).to_contain_text("CHOISISSEZ")
    press(page, "Code", *PIN, "OK")
    code_on(page)
    assert not any("remove" in (body or "") for body in sent)


def test_a_card_the_wrong_way_round(open_page: Open) -> None:
    """Its chip sticks out, and the reader says what to do."""
    page = open_page()
    insert(page, INES, "insert-wrongly")
    expect(page.locator("#lines")).to_have_text("CARTE ILLISIBLE\nPUCE VERS LE HAUT")
    expect(page.locator("#card")).to_have_class(re.compile(r"\bwrongly\b"))


def test_a_card_in_another_window(open_page: Open) -> None:
    """It comes over, and the first window shows that it has gone."""
    first, second = open_page(), open_page()
    insert(first, INES)
    insert(second, INES)
    expect(second.locator("#lines")).to_contain_text("CHOISISSEZ")
    expect(first.locator("#card")).to_be_hidden()


def test_a_simulator_that_stops_and_comes_back(open_page: Open) -> None:
    """The page says so, shows no code meanwhile, and goes on by itself."""
    page = open_page()
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    page.route("**/readers/**", lambda route: route.abort())
    expect(page.locator("#notice")).to_have_text(
        "Le simulateur ne répond pas. Est-il arrêté\u202f?"
    )
    expect(page.locator("#digits")).to_be_empty()
    page.unroute("**/readers/**")
    expect(page.locator("#notice")).to_be_hidden(timeout=30_000)
    code_on(page)


def test_a_reader_that_was_put_away_is_replaced(open_page: Open) -> None:
    """Somebody made everything new: the next click takes a new reader and puts the card in."""
    page, other = open_page(), open_page()
    insert(page, INES)
    other.goto("/remise-a-neuf")
    other.get_by_role("button", name="Oui, tout remettre à neuf").click()
    expect(other.get_by_role("status").first).to_contain_text("Tout est remis à neuf")
    expect(page.locator("#card")).to_be_hidden()
    insert(page, INES)
    expect(page.locator("#lines")).to_contain_text("CHOISISSEZ")


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_code_goes_without_the_server(open_page: Open) -> None:
    """After 35 seconds the page has wiped it by itself, cut off from everything."""
    page = open_page()
    page.clock.install()
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code = code_on(page)
    page.route("**/readers/**", lambda _route: None)  # never answered
    page.clock.run_for(30_000)
    expect(page.locator("#seconds")).to_have_text(re.compile(r"[3-6] s"))
    assert code in page.locator("#digits").inner_text()
    page.clock.run_for(6_000)
    expect(page.locator("#digits")).to_be_empty()
    shown = page.evaluate("document.documentElement.outerHTML")
    assert code not in shown
    assert ", ".join(" ".join(group) for group in code.split()) not in shown


def test_the_code_goes_with_the_reader(chromium: Browser, table: Table) -> None:
    """When the server's reader switches off, the page follows within a second or two."""
    with serve(build(table.simulator())) as address:
        page = chromium.new_page()
        page.goto(address)
        insert(page, INES)
        press(page, "Code", *PIN, "OK")
        code_on(page)
        table.pass_time(35)
        expect(page.locator("#digits")).to_be_empty()
        expect(page.locator("#announce")).to_have_text("Le lecteur est éteint.")
        page.close()


# ── Windows and languages ────────────────────────────────────────────────────────────────────────


def test_the_reader_in_a_small_window(open_page: Open) -> None:
    """It is the same reader, with the card in it; both windows show the same."""
    page = open_page()
    insert(page, INES)
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Mettre le lecteur dans une petite fenêtre").click()
    small = opened.value
    expect(small.locator("#lines")).to_contain_text("CHOISISSEZ")
    expect(small.locator("#device")).to_be_focused()
    expect(small.locator("#apart")).to_be_hidden()
    small.keyboard.press("c")
    small.keyboard.type(PIN)
    small.keyboard.press("Enter")
    code = code_on(small)
    expect(page.locator("#digits")).to_contain_text(code)


def test_a_page_loaded_again_keeps_its_reader(open_page: Open) -> None:
    """Card and dialogue are on the server."""
    page = open_page()
    insert(page, INES)
    press(page, "Code")
    page.reload()
    expect(page.locator("#card")).to_be_visible()
    expect(page.locator("#lines")).to_contain_text("CODE SECRET")


def test_the_reader_follows_the_page_s_language(open_page: Open) -> None:
    """The card stays in."""
    page = open_page()
    insert(page, INES)
    page.get_by_role("link", name="English").click()
    expect(page.locator("#lines")).to_contain_text("CHOOSE")
    expect(page.locator("#card-sort")).to_have_text("Sésame card")
    expect(page.locator(f"#put-{INES}")).to_have_text("Take out")
    press(page, "Code", *PIN, "OK")
    code_on(page)
    expect(page.locator("#announce")).to_contain_text("You have 35 seconds.")
    page.get_by_role("link", name="Français").click()
    expect(page.locator("#lines")).to_have_text("CODE SÉSAME")


def test_the_user_code_can_be_copied(open_page: Open) -> None:
    """And nothing else."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copier Camille Martin").click()
    expect(page.locator("#announce")).to_have_text("Copié")
    assert page.evaluate("navigator.clipboard.readText()") == CAMILLE


def test_without_script(open_page: Open) -> None:
    """The page says that it needs one, offers no dead button, and still lists the customers."""
    page = open_page(java_script_enabled=False)
    expect(page.locator("noscript p")).to_contain_text("Ce lecteur a besoin de JavaScript.")
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator(f'[data-card="{INES}"] .known').first).to_have_text(INES)
    assert page.locator("button:visible:not(.key)").count() == 0
    page.get_by_role("link", name="Tout remettre à neuf").click()
    page.get_by_role("button", name="Oui, tout remettre à neuf").click()
    expect(page.get_by_text("Tout est remis à neuf")).to_be_visible()


# ── For everybody ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(open_page: Open, width: int, language: str) -> None:
    """Empty, with a code, with a problem, and on the question before all is made new."""
    page = open_page(width, at=f"/langue/{language}?retour=/", bypass_csp=True)
    expect(page.locator(f"#put-{CAMILLE}")).to_be_visible()
    found = violations(page)
    insert(page, CAMILLE)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    found += violations(page)
    page.route("**/readers/**", lambda route: route.abort())
    expect(page.locator("#notice")).to_be_visible()
    found += violations(page)
    page.goto("/remise-a-neuf")
    found += violations(page)
    assert found == []


@pytest.mark.parametrize(("width", "height"), [(320, 640), (400, 700), (1280, 720), (1366, 640)])
def test_the_reader_fits(open_page: Open, width: int, height: int) -> None:
    """With a card in, card, display and all keys are in sight at once; nothing scrolls sideways."""
    page = open_page(width, height)
    insert(page, INES)
    page.wait_for_timeout(600)  # until the card has slid in
    for part in ["#card-holder", "#display", '[data-key="code"]', '[data-key="ok"]']:
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_long_name_fits_its_card(open_page: Open, table: Table) -> None:
    """It is pressed together, and the next, shorter one is not."""
    camille = replace(table.drawer.customers[0], name="Association des Jardins partagés")
    table.drawer = replace(table.drawer, customers=(camille, table.drawer.customers[1]))
    page = open_page()
    insert(page, CAMILLE)
    name, plastic = (page.locator(part).bounding_box() for part in ("#card-holder", ".plastic"))
    assert name is not None
    assert plastic is not None
    assert name["x"] + name["width"] < plastic["x"] + plastic["width"]
    insert(page, INES)
    expect(page.locator("#card-holder")).to_have_text("Inès Lefèvre")
    assert page.locator("#card-holder").get_attribute("textLength") is None


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "window", [(320, 640, 1), (1280, 560, 1), (640, 450, 2)], ids=["narrow", "low", "zoomed"]
)
def test_the_button_on_the_card_covers_no_word(
    open_page: Open, table: Table, window: tuple[int, int, int], language: str
) -> None:
    """Neither the longest name nor the longest kind of card."""
    long = "Association des Jardins partagés d’Île-de-France"
    camille = replace(table.drawer.customers[0], name=long)
    table.drawer = replace(table.drawer, customers=(camille, table.drawer.customers[1]))
    width, height, zoom = window
    page = open_page(width, height, at=f"/langue/{language}?retour=/", device_scale_factor=zoom)
    for card in (CAMILLE, INES):
        insert(page, card)
        page.wait_for_timeout(600)  # until the card has slid in
        for words in ("#card-holder", "#card-sort"):
            assert not overlap(page, "#pull", words)


@pytest.mark.parametrize("width", [320, 1280])
def test_everything_is_large_enough_for_a_finger(open_page: Open, width: int) -> None:
    """WCAG 2.5.8: 24 pixels for all; the keys have more."""
    page = open_page(width)
    insert(page, INES)
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        least = 40 if button.get_attribute("data-key") else 24
        assert min(box["width"], box["height"]) >= least, button.inner_text()


def test_less_movement_where_it_is_asked_for(open_page: Open) -> None:
    """The card is there at once, and the bar goes in steps."""
    page = open_page(reduced_motion="reduce")
    insert(page, INES)
    style = "element => getComputedStyle(element).animationName"
    assert page.locator("#card").evaluate(style) == "none"
    assert page.locator("#rest").evaluate("e => getComputedStyle(e).transitionProperty") != (
        "transform"
    )
