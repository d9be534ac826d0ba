"""What is read aloud."""

import pytest

from sesame.catalogue import Language
from sesame.reader.machine import SHOWN, Screen, State
from sesame.reader.speech import speak, speak_time

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH


def test_a_code_is_read_digit_by_digit() -> None:
    """In two groups, and with the time that is left."""
    screen = Screen(state=State.CODE_SHOWN, language=FRENCH, code="3465 6023", lasts=35)
    assert speak(screen) == (
        "Votre code Sésame\u00a0: 3 4 6 5, 6 0 2 3. Vous avez 35\u00a0secondes."
    )


def test_a_code_is_read_in_english() -> None:
    """The same code, other words."""
    screen = Screen(state=State.CODE_SHOWN, language=ENGLISH, code="3465 6023", lasts=35)
    assert speak(screen) == "Your Sésame code: 3 4 6 5, 6 0 2 3. You have 35 seconds."


@pytest.mark.parametrize(
    ("screen", "words"),
    [
        (Screen(state=State.OFF, language=FRENCH), "Le lecteur est éteint."),
        (
            Screen(state=State.AWAITING_CARD, language=FRENCH),
            "Lecteur Sésame, insérez votre carte",
        ),
        (
            Screen(state=State.MENU, language=FRENCH, last4="6788"),
            "Choisissez, une fonction, carte …6788",
        ),
        (
            Screen(state=State.WRONG_PIN, language=FRENCH, tries_left=2),
            "Code secret faux, reste 2 essais, appuyez sur OK",
        ),
        (
            Screen(state=State.WRONG_PIN, language=ENGLISH, tries_left=2),
            "Wrong PIN, 2 tries left, press OK",
        ),
    ],
)
def test_the_display_is_read_in_sentence_case(screen: Screen, words: str) -> None:
    """The display's own words, without its capitals; names keep theirs."""
    assert speak(screen) == words


def test_typed_digits_are_counted() -> None:
    """How many there are, never which."""
    asked = Screen(state=State.AWAITING_PIN, language=FRENCH)
    typed = Screen(state=State.AWAITING_PIN, language=FRENCH, typed=2)
    short = Screen(state=State.AWAITING_PIN, language=FRENCH, typed=2, too_short=True)
    assert speak(asked) == "Code secret\u00a0?"
    assert speak(typed) == "Chiffres saisis\u00a0: 2."
    assert speak(short) == "Code secret\u00a0? 4 chiffres"


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("state", list(State))
def test_every_screen_has_words(state: State, language: Language) -> None:
    """None is silent, none shouts."""
    code = "1234 5678" if state in SHOWN else None
    words = speak(Screen(state=state, language=language, tries_left=2, code=code))
    assert words
    assert words != words.upper()


def test_warnings_say_what_goes() -> None:
    """While a code is shown, the code; else the reader."""
    assert speak_time(10, State.CODE_SHOWN, FRENCH) == "Encore 10\u00a0secondes."
    assert speak_time(10, State.CODE_SHOWN, ENGLISH) == "10 seconds left."
    assert speak_time(5, State.MENU, FRENCH) == "Le lecteur s’éteint dans 5\u00a0secondes."
