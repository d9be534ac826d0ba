"""The drawn reader says what the real one says."""

import pytest

from sesame.cap.profiles import ISSUED
from sesame.cap.token import parse_code, show
from sesame.catalogue import Language
from sesame.reader.machine import Key, Reader, Screen, State
from sesame.reader.screens import lines
from sesame.reader.speech import speak
from sesame.web.drawn_reader import (
    CODE,
    FACES,
    LAST4,
    PAYEE,
    TRIES,
    Next,
    draw,
    lines_of,
    sentence_of,
)

# The reader that customers hold has all its keys on it.
HAND_HELD = [state for state in State if state is not State.PIN_ON_PAD]


def _screens(language: Language) -> dict[str, Screen]:
    """What the reader shows in each drawn state."""

    def screen(state: State, **more: int | str | bool | None) -> Screen:
        return Screen(state=state, language=language, **more)  # type: ignore[arg-type] # ours

    return {state.value: screen(state) for state in HAND_HELD} | {
        State.MENU.value: screen(State.MENU, last4=LAST4),
        State.CONFIRMING.value: screen(
            State.CONFIRMING, amount=1250_00, payee=PAYEE.replace(" ", "")
        ),
        State.LAST_TRY.value: screen(State.LAST_TRY, tries_left=1),
        "last-try-perhaps": screen(State.LAST_TRY, tries_left=None),
        State.WRONG_PIN.value: screen(State.WRONG_PIN, tries_left=TRIES),
        State.CARD_MUTE.value: screen(State.CARD_MUTE, mute_times=1),
        "pin-typed": screen(State.AWAITING_PIN, typed=4),
        "pin-too-short": screen(State.AWAITING_PIN, typed=3, too_short=True),
        "last-wrong-pin": screen(State.WRONG_PIN, tries_left=1),
        "chip-to-clean": screen(State.CARD_MUTE, mute_times=3),
        "card-to-replace": screen(State.CARD_MUTE, mute_times=4),
        "gone": screen(State.OFF),
    }


@pytest.mark.parametrize("language", Language)
def test_every_display_is_drawn_in_its_own_words(language: Language) -> None:
    """Line by line, in both languages, and no state is left out."""
    screens = _screens(language)
    assert {name: lines_of(face, language) for name, face in FACES.items()} == {
        name: lines(screen) for name, screen in screens.items()
    }


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", FACES)
def test_a_drawing_is_heard_as_the_reader_is(name: str, language: Language) -> None:
    """The name of the drawing holds the sentence that the talking reader says."""
    drawing, screen = draw(FACES[name], language), _screens(language)[name]
    if not drawing.lines:
        assert {Language.FRENCH: "éteint", Language.ENGLISH: "off"}[language] in drawing.label
    elif not screen.typed:
        assert sentence_of(FACES[name], language) == speak(screen)
    assert sentence_of(FACES[name], language) in drawing.label


@pytest.mark.parametrize("name", FACES)
def test_a_drawing_says_where_the_card_is_and_what_comes_next(name: str) -> None:
    """In words too, for those who do not see the arrow."""
    face, label = FACES[name], draw(FACES[name], Language.FRENCH).label
    assert ("La carte est dans le lecteur." in label) is face.card
    assert ("La carte est hors du lecteur" in label) is not face.card
    assert ("Une flèche montre" in label) is (face.next is not None)


def test_dots_and_zeros_are_heard_too() -> None:
    """The digits of a PIN are dots; the code is no code of any card."""
    dots = draw(FACES["pin-typed"], Language.FRENCH)
    assert dots.lines == ("CODE SECRET\u00a0?", "••••")
    assert "4 points cachent les chiffres tapés" in dots.label
    code = draw(FACES["code-shown"], Language.FRENCH)
    assert code.code == CODE == show(0)
    assert "0 0 0 0, 0 0 0 0" in code.label
    assert not any(profile.fits(int(parse_code(CODE).digits)) for profile in ISSUED.values())


def test_the_keys_drawn_are_the_readers() -> None:
    """What an arrow may point at beside the card: keys of the reader, or all its digits."""
    pointed = set(Next) - {Next.CARD_IN, Next.CARD_OUT, Next.DIGITS}
    assert {key.value for key in pointed} <= {key.value for key in Key}


@pytest.mark.parametrize("state", HAND_HELD)
def test_an_arrow_points_at_something_that_helps(state: State) -> None:
    """A key is pointed at only where the reader takes it."""
    pointed = FACES[state.value].next
    if pointed in {Next.ON, Next.CODE, Next.SIGN, Next.OK}:
        assert (state, Key(pointed.value)) in Reader.TRANSITIONS
