"""The reader for every hand: its voice, its size, its time, and the code that is copied."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from sesame.simulator.routes import build
from tests.simulator.browser import (
    RECORDER,
    SILENCE,
    Ears,
    Open,
    code_on,
    insert,
    overlap,
    press,
    violations,
)
from tests.simulator.table import CAMILLE, INES, PIN, Table, serve

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("fonts-dejavu-core")]

# ── The voice ────────────────────────────────────────────────────────────────────────────────────


def test_it_is_silent_before_it_is_asked(open_page: Open) -> None:
    """Whoever has a screen reader hears that, and nothing else."""
    page = open_page(script=RECORDER)
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    assert page.evaluate("heard") == []
    expect(page.locator("#announce")).to_have_attribute("aria-live", "polite")
    expect(page.locator("#silence")).to_be_hidden()


def test_each_sentence_is_said_once(listening: tuple[Page, Ears]) -> None:
    """In the order of the display, and the one before it is cut off."""
    page, ears = listening
    page.keyboard.press("c")
    ears.wait("Code secret")
    page.keyboard.press("1")
    ears.wait("Chiffres saisis")
    page.wait_for_timeout(1500)  # the page has looked at its reader again
    assert ears.all() == [
        "Choisissez une fonction, carte …6 7 8 8",
        SILENCE,
        "Code secret\u00a0?",
        SILENCE,
        "Chiffres saisis\u00a0: 1.",
    ]


def test_nothing_is_said_twice(listening: tuple[Page, Ears]) -> None:
    """While the voice is on, the announcements to screen readers rest; the panel says so."""
    page, _ = listening
    announce = page.locator("#announce")
    expect(announce).to_have_attribute("aria-live", "off")
    page.locator("#settings summary").click()
    expect(page.get_by_label("Lire l’écran à voix haute")).to_be_checked()
    expect(page.locator("#voice-hint")).to_contain_text("n’annoncent plus")
    page.locator("#device").focus()
    page.keyboard.press("v")
    expect(announce).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("told", ["Control", "Tab", "v", "Silence", "the panel"])
def test_silence_at_once_when_told(listening: tuple[Page, Ears], told: str) -> None:
    """In the moment of the key: nothing waits for the server, and nothing is left to be said."""
    page, ears = listening
    page.keyboard.press("c")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    ears.wait("Votre code Sésame")
    page.route("**/readers/**", lambda _route: None)  # never answered
    if told == "Silence":
        page.get_by_role("button", name="Silence").click()
    elif told == "the panel":
        page.locator("#settings summary").click()
        page.get_by_label("Lire l’écran à voix haute").uncheck()
    else:
        page.keyboard.press(told)
    assert ears.all()[-1] == SILENCE
    page.wait_for_timeout(300)
    assert ears.all()[-1] == SILENCE


def test_silence_before_the_first_word(listening: tuple[Page, Ears]) -> None:
    """A key that comes before the voice has begun keeps it from beginning."""
    page, ears = listening
    heard = ears.all()
    page.evaluate(
        """() => { device.dispatchEvent(new KeyboardEvent("keydown", { key: "v" }));
                   device.dispatchEvent(new KeyboardEvent("keydown", { key: "v" }));
                   device.dispatchEvent(new KeyboardEvent("keydown", { key: "Control" })); }"""
    )
    page.wait_for_timeout(300)
    assert set(ears.all()[len(heard) :]) == {SILENCE}


def test_a_pulled_card_silences(listening: tuple[Page, Ears]) -> None:
    """At once, whoever pulls it and wherever: nothing goes on about a card that is gone."""
    page, ears = listening
    page.keyboard.press("c")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    ears.wait("Votre code Sésame")
    page.locator(f"#put-{INES}").click()  # « Retirer », in the drawer
    expect(page.locator("#card")).to_be_hidden()
    assert ears.all()[-1] == SILENCE
    code_on(page)  # it stays to be read


def test_a_page_that_is_left_is_silent(listening: tuple[Page, Ears]) -> None:
    """Hidden, it also says nothing new."""
    page, ears = listening
    page.evaluate(
        """() => { Object.defineProperty(document, "hidden", { value: true, configurable: true });
                   document.dispatchEvent(new Event("visibilitychange")); }"""
    )
    assert ears.all()[-1] == SILENCE
    page.keyboard.press("c")
    expect(page.locator("#lines")).to_contain_text("CODE SECRET")
    page.wait_for_timeout(300)
    assert ears.all()[-1] == SILENCE


def test_the_voice_ends_with_the_code(open_page: Open) -> None:
    """The page wipes the code by itself, and what is being said of it."""
    page = open_page(script=RECORDER)
    page.clock.install()
    insert(page, INES)
    page.keyboard.press("v")
    page.keyboard.press("c")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    code_on(page)
    page.clock.run_for(500)
    ears = Ears(page)
    ears.wait("Votre code Sésame")
    page.route("**/readers/**", lambda _route: None)
    page.clock.run_for(36_000)
    assert ears.all()[-1] == SILENCE


def test_of_two_windows_one_speaks(listening: tuple[Page, Ears]) -> None:
    """The one in which something was last done, though both show the same reader."""
    page, ears = listening
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Mettre le lecteur dans une petite fenêtre").click()
    small = opened.value
    expect(small.locator("#voice-on")).to_be_visible()
    before = ears.all()
    small.keyboard.press("c")
    Ears(small).wait("Code secret")
    expect(page.locator("#lines")).to_contain_text("CODE SECRET")
    page.wait_for_timeout(300)
    assert set(ears.all()[len(before) :]) <= {SILENCE}


def test_the_voice_follows_the_page_s_language(listening: tuple[Page, Ears]) -> None:
    """It stays on, and the words and the voice are English."""
    page, _ = listening
    page.get_by_role("link", name="English").click()
    Ears(page).wait("Choose")


def test_without_a_voice_of_its_own(open_page: Open) -> None:
    """No voice of this language, or one that works elsewhere: the setting says why it is not."""
    page = open_page(script=RECORDER + "voices.pop();")
    insert(page, INES)
    page.keyboard.press("v")
    words = "Aucune voix française n’est installée"
    expect(page.locator("#announce")).to_contain_text(words)
    page.locator("#settings summary").click()
    expect(page.locator("#no-voice")).to_contain_text(words)
    expect(page.get_by_label("Lire l’écran à voix haute")).to_be_disabled()
    page.evaluate(
        """() => { voices.push({ lang: "fr-FR", name: "late", localService: true });
                   findVoices(); }"""
    )
    page.get_by_label("Lire l’écran à voix haute").check()
    Ears(page).wait("Choisissez")


# ── The size ─────────────────────────────────────────────────────────────────────────────────────


def digits(page: Page) -> list[dict[str, float]]:
    """Where each digit of the code stands, in pixels; all at once, as they are drawn again."""
    boxes: list[dict[str, float]] = page.evaluate(
        "[...document.querySelectorAll('#digits svg')].map(d => d.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 8
    return boxes


def height(page: Page) -> float:
    """Of a digit of the code, in pixels."""
    return digits(page)[0]["height"]


@pytest.mark.parametrize("width", [320, 1280])
def test_sizes(open_page: Open, width: int) -> None:
    """Each is larger than the one before, holds all digits, and is kept in the browser."""
    page = open_page(width, 900)
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    page.locator("#settings summary").click()
    heights = []
    for name in ("normale", "grande", "très grande"):
        page.get_by_label(name, exact=True).check()
        heights.append(height(page))
        glass = page.locator("#display").bounding_box()
        assert glass is not None
        for box in digits(page):
            assert glass["x"] <= box["x"]
            assert box["x"] + box["width"] <= glass["x"] + glass["width"]
            assert glass["y"] <= box["y"]
            assert box["y"] + box["height"] <= glass["y"] + glass["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert heights[1] > 1.4 * heights[0]
    assert heights[2] > 1.15 * heights[1]
    page.reload()
    code_on(page)
    assert height(page) == pytest.approx(heights[2], rel=0.02)


def test_what_grows_stays_in_sight(open_page: Open) -> None:
    """The settings that open, and a code that key 0 enlarges, with the drawer scrolled down."""
    page = open_page(1280, 700)
    insert(page, INES)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.locator("#settings summary").click()
    expect(page.locator("#settings summary")).to_be_in_viewport()
    page.locator("#settings summary").click()
    page.locator("#device").focus()
    page.keyboard.press("c")
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    code_on(page)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.keyboard.press("0")
    expect(page.locator("#device")).to_have_class(re.compile("enlarged"))
    expect(page.locator("#display")).to_be_in_viewport()


def test_texts_grow_too(open_page: Open) -> None:
    """Their longest word still fits."""
    page = open_page(320, 800)
    insert(page, INES)
    size = "element => parseFloat(getComputedStyle(element).fontSize)"
    normal = page.locator("#lines").evaluate(size)
    page.locator("#settings summary").click()
    page.get_by_label("très grande").check()
    assert page.locator("#lines").evaluate(size) > 1.4 * normal
    page.locator("#lines").evaluate("element => (element.textContent = 'CARTE INUTILISABLE')")
    assert page.locator("#lines").evaluate("e => e.getClientRects()[0].height") < 2.9 * (
        page.locator("#lines").evaluate(size)
    )  # two lines, not three


TEXTS = ("#lines", "#copy-code", "#seconds", ".badge", '[data-key="1"]', '[data-key="sign"]')


def text_sizes(page: Page) -> list[float]:
    """Of the texts of a reader with a code, in pixels of the device."""
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    size = "e => devicePixelRatio * parseFloat(getComputedStyle(e).fontSize)"
    return [page.locator(text).evaluate(size) for text in TEXTS]


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 900), (1280, 720), (1366, 640), (1920, 1080), (2560, 1300)]
)
def test_text_grows_with_the_zoom(open_page: Open, width: int, height: int) -> None:
    """WCAG 1.4.4: twice as large at 200 %, though half as much fits into the window."""
    before = text_sizes(open_page(width, height))
    zoomed = open_page(width // 2, height // 2, device_scale_factor=2)
    after = text_sizes(zoomed)
    assert min(new / old for new, old in zip(after, before, strict=True)) > 1.999
    assert zoomed.evaluate("document.documentElement.scrollWidth") <= width // 2


def test_a_code_is_in_sight_when_zoomed(open_page: Open) -> None:
    """By keyboard and by mouse, though the reader is higher than the window."""
    page = open_page(640, 450, device_scale_factor=2)
    insert(page, INES)
    expect(page.locator("#display")).to_be_in_viewport(ratio=1)
    page.keyboard.type(f"c{PIN}")
    page.keyboard.press("Enter")
    code_on(page)
    expect(page.locator("#display")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    press(page, "Code", *PIN, "OK")
    code_on(page)
    expect(page.locator("#display")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [320, 1280])
def test_no_size_makes_the_rest_smaller(open_page: Open, width: int) -> None:
    """In a low window: the keys stay as they are, and what a code is called grows."""
    page = open_page(width, 720)
    normal = text_sizes(page)
    for name in ("large", "huge"):
        page.evaluate("size => localStorage.setItem('reader-size', size)", name)
        page.reload()
        code_on(page)
        size = "e => parseFloat(getComputedStyle(e).fontSize)"
        larger = [page.locator(text).evaluate(size) for text in TEXTS]
        assert all(new >= old for new, old in zip(larger, normal, strict=True))
        assert larger[0] > 1.2 * normal[0]


@pytest.mark.parametrize("size", ["normal", "large", "huge"])
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("width", [320, 1280])
def test_what_a_code_is_called_is_whole(
    open_page: Open, width: int, language: str, size: str
) -> None:
    """The longest name, the button beside or below it, and the seconds: all on the glass."""
    page = open_page(
        width,
        at=f"/langue/{language}?retour=/",
        script=f"localStorage.setItem('reader-size', '{size}')",
    )
    insert(page, INES)
    page.locator("#device").focus()
    for key in ("s", *"12.5", "Enter", *"34567890", "Enter", "s", *PIN, "Enter"):
        page.keyboard.press(key)
    code_on(page)
    glass, *parts = (
        page.locator(part).bounding_box()
        for part in ("#display", ".mark", "#lines", "#copy-code", "#digits", "#countdown")
    )
    assert glass is not None
    for part in parts:
        assert part is not None
        assert glass["x"] <= part["x"]
        assert part["x"] + part["width"] <= glass["x"] + glass["width"]
        assert glass["y"] <= part["y"]
        assert part["y"] + part["height"] <= glass["y"] + glass["height"]
    assert not overlap(page, "#lines", "#copy-code")
    assert not overlap(page, "#lines", ".mark")
    assert not overlap(page, "#digits", "#copy-code")


def test_a_browser_that_keeps_nothing(open_page: Open) -> None:
    """With its storage blocked, the settings hold until the page is left."""
    page = open_page(
        script="""for (const name of ["localStorage", "sessionStorage"])
          Object.defineProperty(window, name, { get() { throw new DOMException("blocked"); } });"""
    )
    insert(page, INES)
    page.locator("#settings summary").click()
    page.get_by_label("très grande").check()
    press(page, "Code", *PIN, "OK")
    code_on(page)
    assert height(page) > 90


# ── The copy ─────────────────────────────────────────────────────────────────────────────────────

READ = "navigator.clipboard.readText()"


@pytest.fixture
def clipboard(open_page: Open) -> Page:
    """A page that may read and write the clipboard, with a code."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    insert(page, CAMILLE)
    expect(page.locator("#copy-code")).to_be_hidden()
    press(page, "Code", *PIN, "OK")
    code_on(page)
    return page


def test_a_code_is_copied(clipboard: Page) -> None:
    """By keyboard: eight digits without a space; what was done is said and shown."""
    page = clipboard
    code = code_on(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copier CODE SÉSAME")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#announce")).to_have_text("Copié")
    expect(page.locator("#copy-code")).to_have_text("Copié")
    assert page.evaluate(READ) == code.replace(" ", "")
    expect(page.locator("#copy-code")).to_have_text("Copier")


def test_the_clipboard_is_emptied_with_the_code(clipboard: Page) -> None:
    """And the focus goes back to the reader."""
    page = clipboard
    page.locator("#copy-code").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#announce")).to_have_text("Copié")
    page.keyboard.press("Escape")
    expect(page.locator("#copy-code")).to_be_hidden()
    expect(page.locator("#device")).to_be_focused()
    page.wait_for_timeout(300)
    assert page.evaluate(READ) == ""


def test_what_was_copied_since_is_left(clipboard: Page) -> None:
    """The clipboard is its owner's."""
    page = clipboard
    page.locator("#copy-code").click()
    expect(page.locator("#announce")).to_have_text("Copié")
    page.evaluate("navigator.clipboard.writeText('une adresse')")
    page.keyboard.press("Escape")
    expect(page.locator("#copy-code")).to_be_hidden()
    page.wait_for_timeout(300)
    assert page.evaluate(READ) == "une adresse"


def test_nobody_is_asked_whether_the_clipboard_may_be_read(clipboard: Page) -> None:
    """Where reading it would take a question, it is not read."""
    page = clipboard
    page.context.clear_permissions()
    page.context.grant_permissions(["clipboard-write"])
    page.evaluate(
        """() => { navigator.clipboard.readText = () => { throw Error("asked"); };
                   navigator.clipboard.writeText = (text) => { window.written = text; }; }"""
    )
    page.locator("#copy-code").click()
    expect(page.locator("#announce")).to_have_text("Copié")
    page.keyboard.press("Escape")
    expect(page.locator("#copy-code")).to_be_hidden()
    page.wait_for_timeout(300)
    assert re.fullmatch(r"\d{8}", page.evaluate("written"))


# ── What is kept to oneself ──────────────────────────────────────────────────────────────────────


def test_a_typed_pin_is_nowhere_in_the_page(open_page: Open) -> None:
    """Neither in words nor as a key that lights up: every change of the page is looked at."""
    page = open_page()
    insert(page, INES)
    page.keyboard.press("c")
    expect(page.locator("#lines")).to_contain_text("CODE SECRET")
    page.evaluate(
        """() => { window.changes = [];
          const seen = { subtree: true, childList: true, characterData: true, attributes: true };
          new MutationObserver((records) => {
            for (const { type, target } of records)
              changes.push(
                type === "attributes" ? target.cloneNode().outerHTML : target.textContent);
          }).observe(device.parentElement, seen); }"""
    )
    page.keyboard.type("7979")
    expect(page.locator("#lines")).to_contain_text("••••")
    changes = "".join(page.evaluate("changes"))
    assert "Chiffres saisis\u00a0: 4." in changes
    assert not re.search("[79]", changes)
    page.keyboard.press("Enter")  # of another key it would be seen
    expect(page.locator("#lines")).to_contain_text("CODE SECRET FAUX")
    assert 'data-key="ok"' in "".join(page.evaluate("changes"))


def test_nothing_secret_is_kept(open_page: Open) -> None:
    """The address is the page's, and the browser keeps the reader's name and the settings."""
    page = open_page(script=RECORDER)
    insert(page, INES)
    page.keyboard.press("v")
    page.locator("#settings summary").click()
    page.get_by_label("grande", exact=True).check()
    press(page, "Code", *PIN, "OK")
    code = code_on(page).replace(" ", "")
    kept = page.evaluate("({ ...localStorage, ...sessionStorage })")
    assert set(kept) == {"reader", "reader-voice", "reader-size"}
    assert code not in str(kept)
    assert page.url.removeprefix("http://").partition("/")[2] == ""


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(open_page: Open, width: int, language: str) -> None:
    """With the settings open, the voice on, and a very large code."""
    page = open_page(width, at=f"/langue/{language}?retour=/", script=RECORDER, bypass_csp=True)
    insert(page, CAMILLE)
    page.keyboard.press("v")
    page.locator("#settings summary").click()
    found = violations(page)
    page.locator('[value="huge"]').check()
    press(page, "Code", *PIN, "OK")
    code_on(page)
    found += violations(page)
    assert found == []


# ── The time ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("choice", "seconds"), [("35 s", 35), ("90 s", 90)])
def test_a_code_stays_as_long_as_was_chosen(
    chromium: Browser, table: Table, choice: str, seconds: int
) -> None:
    """The page counts them, the bar is full at first, and in the end the code is gone."""
    with serve(build(table.simulator())) as address:
        page = chromium.new_page()
        page.goto(address)
        page.locator("#settings summary").click()
        page.get_by_label(choice).check()
        insert(page, INES)
        press(page, "Code", *PIN, "OK")
        code_on(page)
        expect(page.locator("#seconds")).to_have_text(f"{seconds} s")
        assert page.locator("#rest").evaluate("e => e.style.transform") == "scaleX(1)"
        expect(page.locator("#announce")).to_contain_text(f"Vous avez {seconds}\u00a0secondes.")
        expect(page.locator(".steps")).to_contain_text("35\u00a0secondes, sauf autre réglage")
        table.pass_time(seconds - 20)
        expect(page.locator("#seconds")).to_have_text("20 s")
        table.pass_time(20)
        expect(page.locator("#digits")).to_be_empty()
        page.close()


def test_the_last_seconds_are_seen(chromium: Browser, table: Table) -> None:
    """Five seconds before the reader goes off by itself; a key takes them away."""
    with serve(build(table.simulator())) as address:
        page = chromium.new_page()
        page.goto(address)
        insert(page, INES)
        press(page, "Signer")
        expect(page.locator("#countdown")).to_be_hidden()
        table.pass_time(31)
        expect(page.locator("#countdown")).to_be_visible()
        expect(page.locator("#seconds")).to_have_text(re.compile(r"^[1-5] s$"))
        press(page, "1")
        expect(page.locator("#countdown")).to_be_hidden()
        page.close()


def test_a_code_stays_until_a_key(chromium: Browser, table: Table) -> None:
    """Without seconds; which key, the display says. Then it goes at once."""
    with serve(build(table.simulator())) as address:
        page = chromium.new_page()
        page.goto(address)
        page.locator("#settings summary").click()
        page.get_by_label("jusqu’à une touche").check()
        insert(page, INES)
        press(page, "Code", *PIN, "OK")
        code = code_on(page)
        table.pass_time(120)
        page.wait_for_timeout(1500)
        assert code_on(page) == code
        expect(page.locator("#countdown")).to_be_hidden()
        expect(page.locator("#until-key")).to_have_text("C POUR EFFACER")
        press(page, "OK")  # twice is easily once too often
        assert code_on(page) == code
        page.locator("#device").focus()
        page.keyboard.press("Backspace")
        expect(page.locator("#digits")).to_be_empty()
        expect(page.locator("#until-key")).to_be_hidden()
        page.close()


def test_the_time_is_kept_for_the_next_reader(open_page: Open) -> None:
    """In the browser: the server has put the first reader away."""
    page = open_page()
    page.locator("#settings summary").click()
    page.get_by_label("90 s").check()
    page.evaluate("sessionStorage.clear()")
    page.reload()
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    expect(page.locator("#seconds")).to_have_text(re.compile(r"(90|8\d) s"))
    page.locator("#settings summary").click()
    expect(page.get_by_label("90 s")).to_be_checked()


def test_the_time_may_change_while_a_code_is_shown(open_page: Open) -> None:
    """From 35 seconds to 90, and to no end."""
    page = open_page()
    insert(page, INES)
    press(page, "Code", *PIN, "OK")
    code_on(page)
    page.locator("#settings summary").click()
    page.get_by_label("90 s").check()
    expect(page.locator("#seconds")).to_have_text(re.compile(r"(90|8\d) s"))
    page.get_by_label("jusqu’à une touche").check()
    expect(page.locator("#countdown")).to_be_hidden()
    page.get_by_label("35 s").check()
    expect(page.locator("#seconds")).to_have_text(re.compile(r"3\d s"))
