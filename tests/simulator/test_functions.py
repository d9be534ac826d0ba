"""« Code », « Répondre » and « Signer » on the page: by keyboard, by mouse, and by ear alone.

What the page shows or says is compared with what another reader makes with a twin of the card.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shutil import copytree

import pytest
from playwright.sync_api import Page, expect

from sesame.cap.mode import LOGIN, NO_FLAGS, Iaf, Inputs, Mode, signature
from sesame.cap.token import Code
from sesame.emv.pin import Pin
from sesame.reader.code import make_code
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from tests.simulator.browser import Ears, Open, code_on, insert, press, violations
from tests.simulator.table import CAMILLE, INES, PIN, TODAY, Table

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("fonts-dejavu-core")]

CONFIRM = "1250\u00a0euros et 50\u00a0centimes vers 3 4 5 6, 7 8 9 0. Signer"
PAYMENT = {"amount": 125050, "payee": "34567890", "currency": "978"}  # 1 250,50 €


@dataclass(frozen=True, kw_only=True)
class Function:
    """What one types, and what it comes to."""

    card: str
    keys: tuple[str, ...]  # of the keyboard, before the PIN
    names: tuple[str, ...]  # the same on the drawing
    inputs: Inputs
    state: str
    label: str
    said: str  # before the digits


FUNCTIONS = {
    "code": Function(
        card=INES,
        keys=("c",),
        names=("Code",),
        inputs=LOGIN,
        state="code-shown",
        label="CODE SÉSAME",
        said="Votre code Sésame",
    ),
    "response": Function(
        card=INES,
        keys=("r", *"4711", "Enter"),
        names=("Répondre", *"4711", "OK"),
        inputs=Inputs(mode=Mode.M3, challenge="4711"),
        state="response-shown",
        label="RÉPONSE SÉSAME",
        said="Votre réponse Sésame",
    ),
    "signature in the chip": Function(  # which takes the amount: mode 1
        card=INES,
        keys=("s", *"1250.50", "Enter", *"34567890", "Enter", "s"),
        names=("Signer", *"1250", "Virgule", "5", "0", "OK", *"34567890", "OK", "Signer"),
        inputs=signature(Iaf.AMOUNT | Iaf.AMOUNT_ONLY, **PAYMENT),  # type: ignore[arg-type]
        state="signature-shown",
        label="SIGNATURE SÉSAME",
        said="Votre signature Sésame",
    ),
    "signature in the reader": Function(  # whose card makes the code of a login: M2+TDS
        card=CAMILLE,
        keys=("s", *"1250,5", "Enter", *"34567890", "Enter", "s"),
        names=("Signer", *"1250", "Virgule", "5", "OK", *"34567890", "OK", "Signer"),
        inputs=signature(NO_FLAGS, **PAYMENT),  # type: ignore[arg-type]
        state="signature-shown",
        label="SIGNATURE SÉSAME",
        said="Votre signature Sésame",
    ),
}
EVERY = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)

Twin = Callable[[Function], str]


@pytest.fixture
def twin(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """Makes the code that the card of a function makes next, with a copy of the card."""

    def next_code(function: Function) -> str:
        path = table.drawer.card(function.card)
        assert path is not None
        copies = copytree(path.parent, tmp_path_factory.mktemp("twin") / "cards")
        slot = VirtualSlot(copies / path.name)
        made = make_code(slot, Pin(PIN), Clock(today=lambda: TODAY), inputs=function.inputs)
        assert isinstance(made, Code)
        return made.digits

    return next_code


def type_keys(page: Page, *keys: str) -> None:
    """On the keyboard, as fast as they come."""
    for key in keys:
        page.keyboard.press(key)


@EVERY
def test_by_keyboard_alone(open_page: Open, twin: Twin, function: Function) -> None:
    """The reader has the focus once the card is in."""
    expected = twin(function)
    page = open_page()
    page.locator(f"#put-{function.card}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#device")).to_be_focused()
    type_keys(page, *function.keys, *PIN, "Enter")
    assert code_on(page).replace(" ", "") == expected
    expect(page.locator("#device")).to_have_attribute("data-state", function.state)
    expect(page.locator("#lines")).to_have_text(function.label)


@EVERY
def test_by_mouse(open_page: Open, twin: Twin, function: Function) -> None:
    """With the drawn keys."""
    expected = twin(function)
    page = open_page()
    insert(page, function.card)
    press(page, *function.names, *PIN, "OK")
    assert code_on(page).replace(" ", "") == expected


@EVERY
def test_without_looking(twin: Twin, listening: tuple[Page, Ears], function: Function) -> None:
    """Each key when the voice has asked for it, and the code from what it says."""
    page, ears = listening
    expected = twin(function)
    if function.card == INES:  # off and on: the twin was given power too
        type_keys(page, "Escape", "Escape")
    else:
        page.locator(f"#put-{function.card}").focus()
        page.keyboard.press("Enter")
    ears.wait("Choisissez")
    answers: Mapping[str, tuple[str, ...]] = {
        "c": (),
        "r": ("Nombre à recopier",),
        "s": ("Montant", "Bénéficiaire", CONFIRM),
    }
    first, *rest = function.keys
    page.keyboard.press(first)
    keys = iter(rest)
    for question in answers[first]:
        ears.wait(question)
        for key in keys:
            page.keyboard.press(key)
            if key in {"Enter", "s"}:
                break
    ears.wait("Code secret")
    for count, digit in enumerate(PIN, start=1):
        page.keyboard.press(digit)
        ears.wait(f"Chiffres saisis\u00a0: {count}.")
    page.keyboard.press("Enter")
    said = ears.wait(function.said)
    spoken = re.fullmatch(rf"{function.said}\u00a0: ([\d ,]+)\. Vous avez 35\u00a0secondes\.", said)
    assert spoken is not None
    assert re.fullmatch(r"\d( \d){3}, \d( \d){3}", spoken[1])
    assert re.sub(r"\D", "", spoken[1]) == expected
    page.keyboard.press("0")
    assert ears.wait(function.said) == f"{function.said}\u00a0: {spoken[1]}."


def test_code_secret_and_code_sesame_are_two_things(listening: tuple[Page, Ears]) -> None:
    """Heard or read, the word « code » never stands alone."""
    page, ears = listening
    page.keyboard.press("c")
    ears.wait("Code secret")
    expect(page.locator("#lines")).to_have_text("CODE SECRET\u00a0?\n", use_inner_text=True)
    type_keys(page, *PIN, "Enter")
    ears.wait("Votre code Sésame")
    expect(page.locator("#lines")).to_have_text("CODE SÉSAME")
    alone = re.compile(r"code(?! (secret|Sésame))", re.IGNORECASE)
    assert [words for words in ears.all() if alone.search(words)] == []


def test_each_result_looks_another(open_page: Open) -> None:
    """Beside its words and its colour, a mark and the frame tell them apart (WCAG 1.4.1)."""
    page = open_page()
    insert(page, INES)
    looks = []
    for function in list(FUNCTIONS.values())[:3]:
        type_keys(page, *function.keys, *PIN, "Enter")
        expect(page.locator("#lines")).to_have_text(function.label)
        looks.append(
            page.evaluate(
                """() => { const style = getComputedStyle(display);
                  const marks = [...display.querySelectorAll(".mark path")];
                  return [style.backgroundImage, style.borderStyle,
                          marks.map((mark) => mark.checkVisibility()).join()]; }"""
            )
        )
        type_keys(page, "Escape", "Escape")
    for traits in zip(*looks, strict=True):
        assert len(set(traits)) == 3


def test_function_keys_are_nobody_s_outside_of_the_reader(open_page: Open) -> None:
    """WCAG 2.1.4: no letter does anything while something else has the focus."""
    page = open_page()
    insert(page, INES)
    page.locator(f"#copy-{INES}").focus()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.keyboard.type("crsv,.7")
    page.wait_for_timeout(300)
    assert "POST" not in sent
    expect(page.locator("#lines")).to_contain_text("CHOISISSEZ")


@pytest.mark.parametrize(("width", "language"), [(320, "fr"), (1280, "en")])
def test_axe_finds_nothing(open_page: Open, width: int, language: str) -> None:
    """In every state that a function leads to; nothing scrolls sideways."""
    page = open_page(width, at=f"/langue/{language}?retour=/", bypass_csp=True)
    insert(page, INES)
    found = []
    steps = [["r"], ["4", "Enter"], [*PIN, "Enter"], ["Escape", "Escape", "s"], ["5", "Enter"]]
    steps += [[*"34567890", "Enter"], ["s"], [*PIN, "Enter"], ["0"]]
    states = ["awaiting-challenge", "awaiting-pin", "response-shown", "awaiting-amount"]
    states += ["awaiting-payee", "confirming", "awaiting-pin", "signature-shown", "signature-shown"]
    for keys, state in zip(steps, states, strict=True):
        type_keys(page, *keys)
        expect(page.locator("#device")).to_have_attribute("data-state", state)
        found += violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#device")).to_have_class(re.compile("enlarged"))
    assert found == []


def test_in_the_system_s_own_colours(open_page: Open) -> None:
    """A code is as light on dark as everything else."""
    page = open_page(forced_colors="active", color_scheme="dark")
    insert(page, INES)
    type_keys(page, "c", *PIN, "Enter")
    code_on(page)
    colours = page.evaluate(
        """() => [getComputedStyle(document.querySelector("#digits svg")).fill,
                  getComputedStyle(display).color, getComputedStyle(display).backgroundColor]"""
    )
    assert colours[0] == colours[1] != colours[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_is_drawn_in_the_system_s_own_colours(open_page: Open, scheme: str) -> None:
    """WCAG 1.4.3 and 1.4.11: ink and paper are the system's, on shell, keys and card."""
    page = open_page(forced_colors="active", color_scheme=scheme)
    insert(page, INES)
    paper, ink = page.evaluate(
        """() => { document.body.append(document.createElement("i"));
          const style = document.querySelector("body > i").style;
          style.cssText = "background: Canvas; color: CanvasText";
          const { backgroundColor, color } = getComputedStyle(document.querySelector("body > i"));
          return [backgroundColor, color]; }"""
    )
    style = "(element, property) => getComputedStyle(element)[property]"
    for part in (".shell .edge", ".shell .front", ".card .plastic", ".mouth .slit"):
        assert page.locator(part).evaluate(style, "fill") == paper
    for part in (".shell .edge", ".card .plastic", ".key.power svg"):
        assert page.locator(part).evaluate(style, "stroke") == ink
    for part in ("#card-holder", "#card-sort"):
        assert page.locator(part).evaluate(style, "fill") == ink
    for key in page.locator(".key").all():
        assert key.evaluate(style, "backgroundImage") == "none"
        assert key.evaluate(style, "backgroundColor") == paper
        assert key.evaluate(style, "borderTopColor") == key.evaluate(style, "color") == ink
