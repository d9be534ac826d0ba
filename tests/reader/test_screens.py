"""Every screen fits a small display, in every language, and gives no code away."""

from itertools import product

import pytest

from sesame.catalogue import Language
from sesame.reader.machine import Screen, State
from sesame.reader.screens import HEIGHT, WIDTH, lines


def screens(language: Language) -> list[Screen]:
    """Every screen that the reader can show, longest dots and all."""
    return [
        Screen(
            state=state,
            language=language,
            typed=typed,
            too_short=too_short,
            tries_left=tries_left,
            mute_times=mute_times,
            last4="4417",
            code="3465 6023" if state is State.CODE_SHOWN else None,
        )
        for state, typed, too_short, tries_left, mute_times in product(
            State, (0, 12), (False, True), (1, 2, 15), (1, 2, 3, 4)
        )
    ]


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
    for word in ("INSÉREZ", "VÉRIFICATION…", "BLOQUÉE", "RETIRÉE", "EXPIRÉE", "SÉSAME", "À"):
        assert word in said


def test_english_is_whole() -> None:
    """No French is left in it."""
    french = {line for screen in screens(Language.FRENCH) for line in lines(screen)}
    english = {line for screen in screens(Language.ENGLISH) for line in lines(screen)}
    assert {line for line in french & english if line.strip("•")} == set()


def test_the_words_never_hold_the_code() -> None:
    """It has a place of its own, which does not print itself."""
    for screen in screens(Language.FRENCH):
        assert not any("3465" in line for line in lines(screen))
        assert "3465" not in repr(screen)
