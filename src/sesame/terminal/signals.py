"""Signals that end a program which has changed the terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Whoever sends the last one from the keyboard (Ctrl-\\) would have the memory written to a file,
# and a PIN may be in it.
_POLITE = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CODES_OF_SIGNALS = 128  # what shells add to the number of the signal that ended a program
_TICK = 0.5  # seconds


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a polite signal end us as an error would, so that the terminal is put back.

    Ctrl-Z does nothing meanwhile: a shell that brings a job back shows again what is typed, and
    a card that nobody asks is kept from everybody.

    Python hears of a signal between two of its steps. One that comes between the last of them and a
    read that waits for the keyboard would be heard when a key is pressed, so a clock interrupts.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(_CODES_OF_SIGNALS + number)

    before = {number: signal.signal(number, end) for number in _POLITE}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, lambda *_: None)
    clock = signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, *clock)
