"""Every screen fits a small display, in every language, and gives no code away."""

import re

import pytest

from sesame.catalogue import Language
from sesame.reader.machine import SHOWN, Screen, State
from sesame.reader.screens import HEIGHT, WIDTH, lines
from tests.reader.displays import screens


@pytest.mark.parametrize("language", Language)
def test_three_lines_of_twenty_characters(language: Language) -> None:
    """A small display has no more."""
    for screen in screens(language):
        shown = lines(screen)
        assert len(shown) <= HEIGHT == 3
        assert all(len(line) <= WIDTH == 20 for line in shown), shown


@pytest.mark.parametrize("language", Language)
def test_every_state_but_off_says_something(language: Language) -> None:
    """An empty display means off."""
    for screen in screens(language):
        assert bool(lines(screen)) == (screen.state is not State.OFF)


def test_capitals_with_their_accents() -> None:
    """The display shouts, as small displays do, and spells."""
    for screen in screens(Language.FRENCH):
        assert all(line == line.upper() for line in lines(screen))
    said = "\n".join(line for screen in screens(Language.FRENCH) for line in lines(screen))
    for word in (
        "INSÉREZ",
        "VÉRIFICATION…",
        "BLOQUÉE",
        "RETIRÉE",
        "EXPIRÉE",
        "SÉSAME",
        "À",
        "ZÉRO",
    ):
        assert word in said


def test_english_is_whole() -> None:
    """No French is left in it."""
    french = {line for screen in screens(Language.FRENCH) for line in lines(screen)}
    english = {line for screen in screens(Language.ENGLISH) for line in lines(screen)}
    # Digits, dots and the arrow are alike in both.
    assert {line for line in french & english if re.search(r"[^\W\d]", line)} == set()


def test_the_words_never_hold_the_code() -> None:
    """It has a place of its own, which does not print itself."""
    for screen in screens(Language.FRENCH):
        assert not any("3465" in line for line in lines(screen))
        assert "3465" not in repr(screen)


@pytest.mark.parametrize(
    ("entered", "french", "english"),
    [
        ("", "0,00\u00a0€", "€0.00"),
        ("1", "1\u00a0€", "€1"),
        ("1250", "1\u202f250\u00a0€", "€1,250"),
        ("1250,", "1\u202f250,\u00a0€", "€1,250."),
        ("0,5", "0,5\u00a0€", "€0.5"),
        ("9999999,99", "9\u202f999\u202f999,99\u00a0€", "€9,999,999.99"),
    ],
)
def test_an_amount_is_written_as_the_language_does(entered: str, french: str, english: str) -> None:
    """While it is typed, nothing is added or left out but the groups."""
    for language, words in ((Language.FRENCH, french), (Language.ENGLISH, english)):
        screen = Screen(state=State.AWAITING_AMOUNT, language=language, entered=entered)
        assert lines(screen)[1] == words


@pytest.mark.parametrize(
    ("amount", "french", "english"),
    [
        (125000, "1\u202f250,00\u00a0€", "€1,250.00"),
        (1, "0,01\u00a0€", "€0.01"),
        (123, "1,23\u00a0€", "€1.23"),
    ],
)
def test_what_is_signed_is_shown_in_full(amount: int, french: str, english: str) -> None:
    """All cents, all digits."""
    for language, words, question in (
        (Language.FRENCH, french, "SIGNER POUR VALIDER"),
        (Language.ENGLISH, english, "SIGN TO CONFIRM"),
    ):
        screen = Screen(state=State.CONFIRMING, language=language, amount=amount, payee="34567890")
        assert lines(screen) == (words, "→ 3456 7890", question)


def test_code_is_never_said_alone() -> None:
    """« Code secret » is the PIN, « code Sésame » what the reader makes: no third code."""
    for screen in screens(Language.FRENCH):
        for found in re.finditer(r"CODES?\b(?! (?:SECRET|SÉSAME)\b)", " ".join(lines(screen))):
            pytest.fail(f"{found[0]} in {lines(screen)}")
    for screen in screens(Language.ENGLISH):
        for found in re.finditer(r"(?<!SÉSAME )CODES?\b", " ".join(lines(screen))):
            pytest.fail(f"{found[0]} in {lines(screen)}")


@pytest.mark.parametrize("language", Language)
def test_what_was_made_is_told_apart(language: Language) -> None:
    """A code, a response and a signature: each has words of its own."""
    labels = {lines(Screen(state=state, language=language)) for state in SHOWN}
    assert len(labels) == len(SHOWN) == 3
