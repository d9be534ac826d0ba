"""What is read aloud."""

import re

import pytest

from sesame.catalogue import Language
from sesame.reader.machine import SHOWN, Screen, State
from sesame.reader.screens import lines
from sesame.reader.speech import speak, speak_time
from tests.reader.displays import screens

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
            "Choisissez une fonction, carte …6 7 8 8",
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
    assert speak(short) == "Chiffres saisis\u00a0: 2. 4 chiffres."


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("state", list(State))
def test_every_screen_has_words(state: State, language: Language) -> None:
    """None is silent, none shouts."""
    code = "1234 5678" if state in SHOWN else None
    words = speak(Screen(state=state, language=language, tries_left=2, code=code))
    assert words
    assert words != words.upper() or words == "PIN?"  # three letters that are said one by one


@pytest.mark.parametrize("state", sorted(SHOWN))
def test_warnings_for_everything_that_is_shown(state: State) -> None:
    """A response or a signature goes as a code does."""
    assert speak_time(5, state, FRENCH) == "Encore 5\u00a0secondes."


def test_warnings_say_what_goes() -> None:
    """While a code is shown, the code; else the reader."""
    assert speak_time(10, State.CODE_SHOWN, FRENCH) == "Encore 10\u00a0secondes."
    assert speak_time(10, State.CODE_SHOWN, ENGLISH) == "10 seconds left."
    assert speak_time(5, State.MENU, FRENCH) == "Le lecteur s’éteint dans 5\u00a0secondes."


@pytest.mark.parametrize(
    ("state", "french", "english"),
    [
        (State.CODE_SHOWN, "Votre code Sésame", "Your Sésame code"),
        (State.RESPONSE_SHOWN, "Votre réponse Sésame", "Your Sésame response"),
        (State.SIGNATURE_SHOWN, "Votre signature Sésame", "Your Sésame signature"),
    ],
)
def test_what_was_made_is_said(state: State, french: str, english: str) -> None:
    """Before its digits."""
    for language, words in ((FRENCH, f"{french}\u00a0"), (ENGLISH, english)):
        screen = Screen(state=state, language=language, code="3465 6023", large=True)
        assert speak(screen) == f"{words}: 3 4 6 5, 6 0 2 3."


def test_the_time_is_said_once() -> None:
    """Of a code that stays there is none; of one that is said again some has gone."""
    for lasts, large, time in (
        (90, False, " Vous avez 90\u00a0secondes."),
        (90, True, ""),
        (None, False, " C pour effacer."),
        (None, True, ""),
    ):
        screen = Screen(
            state=State.CODE_SHOWN, language=FRENCH, code="3465 6023", lasts=lasts, large=large
        )
        assert speak(screen) == f"Votre code Sésame\u00a0: 3 4 6 5, 6 0 2 3.{time}"


@pytest.mark.parametrize(
    ("state", "entered", "french", "english"),
    [
        (State.AWAITING_CHALLENGE, "", "Nombre à recopier\u00a0?", "Number to copy?"),
        (
            State.AWAITING_CHALLENGE,
            "1234",
            "Nombre à recopier\u00a0: 1 2 3 4.",
            "Number to copy: 1 2 3 4.",
        ),
        (State.AWAITING_AMOUNT, "", "Montant\u00a0?", "Amount?"),
        (State.AWAITING_AMOUNT, "1250", "Montant\u00a0: 1250.", "Amount: 1250."),
        (State.AWAITING_AMOUNT, "12,", "Montant\u00a0: 12 virgule.", "Amount: 12 point."),
        (State.AWAITING_AMOUNT, "12,05", "Montant\u00a0: 12,05.", "Amount: 12.05."),
        (
            State.AWAITING_PAYEE,
            "",
            "Bénéficiaire\u00a0? 8\u00a0derniers chiffres",
            "Payee? last 8 digits",
        ),
        (State.AWAITING_PAYEE, "3456", "Bénéficiaire\u00a0: 3 4 5 6.", "Payee: 3 4 5 6."),
    ],
)
def test_what_is_typed_is_said_back(state: State, entered: str, french: str, english: str) -> None:
    """Digit by digit, an amount as a number; it is no secret."""
    for language, words in ((FRENCH, french), (ENGLISH, english)):
        assert speak(Screen(state=state, language=language, entered=entered)) == words


def test_a_refusal_says_why() -> None:
    """After what was typed, or after the question where nothing was."""
    zero = Screen(state=State.AWAITING_CHALLENGE, language=FRENCH, entered="00", zero=True)
    short = Screen(state=State.AWAITING_PAYEE, language=FRENCH, entered="34", too_short=True)
    nothing = Screen(state=State.AWAITING_AMOUNT, language=FRENCH, zero=True)
    long = Screen(state=State.AWAITING_PIN, language=FRENCH, typed=12, too_long=True)
    assert speak(zero) == "Nombre à recopier\u00a0: 0 0. Pas zéro."
    assert speak(short) == "Bénéficiaire\u00a0: 3 4. Il faut 8\u00a0chiffres."
    assert speak(long) == "Chiffres saisis\u00a0: 12. Trop long."
    assert speak(nothing) == "Montant\u00a0? pas zéro"


@pytest.mark.parametrize(
    ("amount", "french", "english"),
    [
        (1, "1\u00a0centime", "1 cent"),
        (50, "50\u00a0centimes", "50 cents"),
        (1_00, "1\u00a0euro", "1 euro"),
        (2_01, "2\u00a0euros et 1\u00a0centime", "2 euros and 1 cent"),
        (1250_00, "1250\u00a0euros", "1250 euros"),
        (1250_50, "1250\u00a0euros et 50\u00a0centimes", "1250 euros and 50 cents"),
    ],
)
def test_what_is_signed_is_said_in_full(amount: int, french: str, english: str) -> None:
    """The amount as people say it, the payee digit by digit."""
    for language, words in (
        (FRENCH, f"{french} vers 3 4 5 6, 7 8 9 0. Signer pour valider."),
        (ENGLISH, f"{english} to 3 4 5 6, 7 8 9 0. Sign to confirm."),
    ):
        screen = Screen(state=State.CONFIRMING, language=language, amount=amount, payee="34567890")
        assert speak(screen) == words


def numbers(text: str) -> list[str]:
    """The digits of *text*, those that are said one by one put together."""
    return [re.sub(r"\D", "", said) for said in re.findall(r"\d(?:,? ?\d)*", text)]


@pytest.mark.parametrize("language", list(Language))
def test_every_number_that_is_said_stands_on_the_display(language: Language) -> None:
    """As digits; how many dots there are; and how long its bar is."""
    for screen in screens(language):
        display = re.sub(r"[\s,.€]", "", " ".join([*lines(screen), screen.code or ""]))
        seen = [display, str(screen.typed), str(screen.lasts)]
        for number in numbers(speak(screen)):
            assert any(number in place for place in seen), (number, speak(screen))


@pytest.mark.parametrize("language", list(Language))
def test_no_long_number_is_said_but_an_amount(language: Language) -> None:
    """Codes, challenges, payees and card numbers: one digit at a time."""
    for screen in screens(language):
        if screen.state not in {State.AWAITING_AMOUNT, State.CONFIRMING}:
            assert not re.search(r"\d{3}", speak(screen)), speak(screen)


def test_a_pin_on_the_slots_keys() -> None:
    """Where it is typed."""
    said = [speak(Screen(state=State.PIN_ON_PAD, language=language)) for language in Language]
    assert said == [
        "Tapez le code secret sur le clavier du lecteur.",
        "Type the PIN on the reader’s keypad.",
    ]


def test_code_is_never_said_alone() -> None:
    """« Code secret » is the PIN, « code Sésame » what the reader makes."""
    alone = {FRENCH: r"\bcodes?\b(?! (?:secret|Sésame)\b)", ENGLISH: r"(?<!Sésame )\bcodes?\b"}
    for language, pattern in alone.items():
        said = [speak(screen) for screen in screens(language)]
        said += [speak_time(5, state, language) for state in State]
        assert [words for words in said if re.search(pattern, words, re.IGNORECASE)] == []
