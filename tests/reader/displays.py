"""Every screen that the reader can show, with the longest of everything that stands on it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from sesame.catalogue import Language
from sesame.reader.machine import SHOWN, Screen, State

ENTERED = {
    State.AWAITING_CHALLENGE: ("", "1", "99999999"),
    State.AWAITING_AMOUNT: ("", "1", "1250", "12,", "12,5", "9999999,99"),
    State.AWAITING_PAYEE: ("", "3456", "34567890"),
}
CODES = ("3465 6023", "9999 9999 99")  # the longest that 33 bits make
AMOUNTS = (1, 100, 1_05, 1250_50, 9_999_999_99)


def screens(language: Language) -> Iterator[Screen]:
    """In *language*, state by state."""
    for state, tries_left, mute_times, last4 in product(
        State, (1, 2, 15), (1, 2, 3, 4), ("", "4417")
    ):
        screen = Screen(
            state=state,
            language=language,
            tries_left=tries_left,
            mute_times=mute_times,
            last4=last4,
        )
        match state:
            case State.LAST_TRY:
                yield screen
                yield replace(screen, tries_left=None)
            case State.CONFIRMING:
                for amount in AMOUNTS:
                    yield replace(screen, amount=amount, payee="34567890")
            case State.AWAITING_PIN:
                for typed, too_short in product((0, 3, 4, 12), (False, True)):
                    yield replace(screen, typed=typed, too_short=too_short)
            case _ if state in SHOWN:
                for code, lasts, large in product(CODES, (35, 90, None), (False, True)):
                    yield replace(screen, code=code, lasts=lasts, large=large)
            case _ if state in ENTERED:
                yield from _asking(screen)
            case _:
                yield screen


def _asking(screen: Screen) -> Iterator[Screen]:
    for entered in ENTERED[screen.state]:
        yield replace(screen, entered=entered)
        yield replace(screen, entered=entered, zero=True)
        if screen.state is not State.AWAITING_AMOUNT:
            yield replace(screen, entered=entered, too_short=True)
