"""A reader and its slot: what both faces of a terminal drive."""

from sesame.errors import SesameError
from sesame.reader.machine import (
    Announce,
    CardInserted,
    CardRemoved,
    Event,
    Key,
    KeyPressed,
    PadShown,
    Reader,
    Screen,
    Show,
    State,
    Tick,
)
from sesame.reader.slot import CLOCK, Clock, Slot, WatchedSlot, run

_LOOK = 0.5  # seconds between two looks for a card in a slot that a hand reaches


class Device:
    """A *reader* and its *slot*, no card in it yet as far as the reader knows.

    Where a hand puts the card in and takes it out, the device looks for it whenever time passes.
    Where the PIN is typed on the slot's keys, time lets it begin, once a face has shown that.

    One event at a time. What touches the card may wait for its file, its disk or its holder: a
    face that must not stand still hands events in from a thread.
    """

    def __init__(self, reader: Reader, slot: Slot, clock: Clock = CLOCK) -> None:
        self._reader = reader
        self._slot = slot
        self._clock = clock
        self._refused = False  # the card that is there cannot be used, and that was said
        self._blind = False  # nobody can tell whether there is one, and that was said
        self._looked = clock.seconds()
        self.card_in = False

    @property
    def screen(self) -> Screen:
        """What the display has to tell now."""
        return self._reader.screen

    @property
    def due_in(self) -> float | None:
        """Seconds until the next Tick matters; None when switched off, and no hand near."""
        if self.screen.state is State.PIN_ON_PAD:
            return 0.0
        deadline = self._reader.deadline
        due = None if deadline is None else max(0.0, deadline - self._clock.seconds())
        if not isinstance(self._slot, WatchedSlot):
            return due
        look = max(0.0, self._looked + _LOOK - self._clock.seconds())
        return look if due is None else min(due, look)

    @property
    def by_hand(self) -> bool:
        """Whether a hand puts the card in: then it is one that somebody needs."""
        return isinstance(self._slot, WatchedSlot)

    def seconds_left(self, screen: Screen) -> float | None:
        """Until the code of *screen* goes; None where there is none, or it stays."""
        return None if screen.ends_at is None else max(0.0, screen.ends_at - self._clock.seconds())

    def handle(self, event: Event) -> list[Show | Announce]:
        """Let *event* happen, to its end.

        Raises:
            SesameError: the card could not be used; `screen` is what to show beside it.
        """
        if isinstance(event, Tick):
            if self.screen.state is State.PIN_ON_PAD:
                event = PadShown()
            else:
                seen = self._look()
                return [*seen, *self._handle(event)]
        return self._handle(event)

    def insert(self) -> list[Show | Announce]:
        """Put the card in; if that cannot be, it is out again.

        Raises:
            CardError: its file is in use by another program, or cannot be used.
            PcscError: there is none, or it cannot be used.
        """
        try:
            effects = self._handle(CardInserted())
        except SesameError:
            self._refused = True
            self._handle(CardRemoved())
            raise
        self.card_in = True
        return effects

    def remove(self) -> list[Show | Announce]:
        """Pull the card out, if it is in."""
        if not self.card_in:
            return []
        self.card_in = False
        return self._handle(CardRemoved())

    def put_away(self) -> None:
        """Take the card out and switch off: nothing is shown any more, nobody is kept waiting."""
        self.remove()
        if self.screen.state is not State.OFF:
            self.handle(KeyPressed(Key.ON))

    def turn(self) -> list[Show | Announce]:
        """Put the card in, or take it out; where a hand does that, look what it has done.

        Raises:
            SesameError: as for `insert`.
        """
        if isinstance(self._slot, WatchedSlot):
            self._refused = self._blind = False  # who asks is told again, and tried again
            return self._look()
        return self.remove() if self.card_in else self.insert()

    def _look(self) -> list[Show | Announce]:
        """Take in what a hand has done to the card since the last look.

        Raises:
            SesameError: as for `insert`; or nobody can tell whether there is a card.
        """
        if not isinstance(self._slot, WatchedSlot):
            return []
        self._looked = self._clock.seconds()
        try:
            there = self._slot.card_there()
        except SesameError:
            # It is as good as gone. Whoever sits here hears why once, not twice a second.
            told, self._blind = self._blind, True
            gone = self.remove()
            if told:
                return gone
            raise
        self._blind = False
        self._refused = self._refused and there
        if self.card_in and not there:
            return self.remove()
        if there and not self.card_in and not self._refused:
            return self.insert()
        return []

    def _handle(self, event: Event) -> list[Show | Announce]:
        return run(self._reader, self._slot, event, self._clock)
