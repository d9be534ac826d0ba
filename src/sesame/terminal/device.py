"""A reader and the one card that belongs to it: what both faces of a terminal drive."""

from pathlib import Path

from sesame.errors import SesameError
from sesame.reader.machine import (
    Announce,
    CardInserted,
    CardRemoved,
    Event,
    Key,
    KeyPressed,
    Reader,
    Screen,
    Show,
    State,
)
from sesame.reader.slot import CLOCK, Clock, run
from sesame.reader.virtual_slot import VirtualSlot

_CARD_WAIT = 1.0  # seconds for a card that another program is using


class Device:
    """A *reader* with the card of the file *card* beside it, not in it yet.

    One event at a time. What touches the card may wait for its file and its disk: a face that
    must not stand still hands events in from a thread.
    """

    def __init__(self, reader: Reader, card: Path, clock: Clock = CLOCK) -> None:
        self._reader = reader
        self._slot = VirtualSlot(card, _CARD_WAIT)
        self._clock = clock
        self.card_in = False

    @property
    def screen(self) -> Screen:
        """What the display has to tell now."""
        return self._reader.screen

    @property
    def due_in(self) -> float | None:
        """Seconds until the next Tick matters; None when switched off."""
        deadline = self._reader.deadline
        return None if deadline is None else max(0.0, deadline - self._clock.seconds())

    def seconds_left(self, screen: Screen) -> float | None:
        """Until the code of *screen* goes; None where there is none, or it stays."""
        return None if screen.ends_at is None else max(0.0, screen.ends_at - self._clock.seconds())

    def handle(self, event: Event) -> list[Show | Announce]:
        """Let *event* happen, to its end.

        Raises:
            SesameError: the card's file could not be used; `screen` is what to show beside it.
        """
        return run(self._reader, self._slot, event, self._clock)

    def insert(self) -> list[Show | Announce]:
        """Put the card in; if that cannot be, it is out again.

        Raises:
            CardError: its file is in use by another program, or cannot be used.
        """
        try:
            effects = self.handle(CardInserted())
        except SesameError:
            self.handle(CardRemoved())
            raise
        self.card_in = True
        return effects

    def remove(self) -> list[Show | Announce]:
        """Pull the card out, if it is in."""
        if not self.card_in:
            return []
        self.card_in = False
        return self.handle(CardRemoved())

    def put_away(self) -> None:
        """Take the card out and switch off: nothing is shown any more, nobody is kept waiting."""
        self.remove()
        if self.screen.state is not State.OFF:
            self.handle(KeyPressed(Key.ON))
