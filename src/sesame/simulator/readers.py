"""The readers on the table: one for each window, in memory, with a card in it or none.

A reader's chip is a file that is locked and written, so whatever may touch it happens in a
thread, and one reader does one thing at a time. Time passes here too: a code and a PIN are wiped
when they are due, whether or not a window still looks.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sesame import logs
from sesame.catalogue import Language
from sesame.errors import SesameError
from sesame.reader.machine import (
    Announce,
    CardInserted,
    CardRemoved,
    DisplayTime,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    Reader,
    Show,
    State,
    Tick,
    voids_keys,
)
from sesame.reader.screens import ending, lines
from sesame.reader.slot import Clock, run
from sesame.reader.speech import speak, speak_time
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator.errors import NoReaderLeft, ReaderForgotten

MOST = 256  # readers open at once
IDLE = 150.0  # seconds without a word from its window, which speaks every minute at least
_CARD_WAIT = 1.0  # seconds for a card that the command line is using
_BEAT = 0.25  # seconds between two looks at the clock
_ID_BYTES = 16


def _no_contact() -> VirtualSlot:
    """A slot in which nothing touches a chip: it is empty, or the chip is dead."""
    return VirtualSlot(Path(), upside_down=True)


@dataclass(frozen=True, slots=True)
class CardSeen:
    """The card that sticks out of a reader."""

    name: str  # in the drawer
    wrongly: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a window shows of its reader."""

    state: State
    lines: tuple[str, ...] = field(repr=False)
    code: str | None = field(repr=False)  # "0000 0000"
    large: bool  # the code is to be larger than usual
    ending: str  # below a code that no time ends: which key does
    seconds_left: float | None  # until the code goes, or the reader soon; None where neither does
    display_time: DisplayTime  # of the codes to come, and of the one that is shown
    announce: str = field(repr=False)  # to be read aloud, once for each `announced`
    announced: int  # how many announcements there have been
    card: CardSeen | None
    turn: int  # a key that was pressed at an earlier one is void: something was to be read first


class _Place:
    """A reader, what lies in its slot, and what it said last."""

    def __init__(self, language: Language, clock: Clock) -> None:
        self.reader = Reader(language=language)
        self.slot = _no_contact()
        self.card: CardSeen | None = None
        self.lock = asyncio.Lock()
        self.seen = clock.seconds()
        self._clock = clock
        self._announce = speak(self.reader.screen)
        self._announced = 0
        self.turn = 0

    async def run(self, event: Event) -> None:
        """Let *event* happen, to its end."""
        try:
            shown = await asyncio.to_thread(run, self.reader, self.slot, event, self._clock)
        except SesameError:
            self.turn += 1
            self._say(speak(self.reader.screen))
            raise
        self.turn += voids_keys(shown)
        screen = self.reader.screen
        if any(isinstance(effect, Show) for effect in shown):
            self._say(speak(screen))  # for a code, with its seconds
        else:
            for effect in shown:
                if isinstance(effect, Announce):
                    self._say(speak_time(effect.seconds, screen.state, screen.language))

    def translate(self, language: Language) -> None:
        """Go on in *language*; what the reader shows is said again in it."""
        if self.reader.language is not language:
            self.reader.language = language
            self._say(speak(self.reader.screen))

    def _say(self, sentence: str) -> None:
        self._announce = sentence
        self._announced += 1

    async def put_in(self, card: CardSeen, slot: VirtualSlot) -> None:
        """Insert *card*, whose chip is in *slot*; if that cannot be, it is out again."""
        self.card, self.slot = card, slot
        try:
            await self.run(CardInserted())
        except SesameError:
            await self.take_out()
            raise

    async def take_out(self) -> None:
        """Leave the slot empty."""
        if self.card is not None:
            await self.run(CardRemoved())
            self.card, self.slot = None, _no_contact()

    @property
    def face(self) -> Face:
        """What the window shows now."""
        screen = self.reader.screen
        left = None if screen.ends_at is None else screen.ends_at - self._clock.seconds()
        return Face(
            state=screen.state,
            lines=lines(screen),
            code=screen.code,
            large=screen.large,
            ending=ending(screen),
            seconds_left=left,
            display_time=self.reader.display_time,
            announce=self._announce,
            announced=self._announced,
            card=self.card,
            turn=self.turn,
        )


class Readers:
    """All open readers, by id.

    Every method but `open` raises ReaderForgotten where there is no reader of that id.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._places: dict[str, _Place] = {}
        self._table = asyncio.Lock()  # held while a card changes hands, or all are made anew

    async def open(self, language: Language) -> str:
        """Put a new reader on the table.

        Returns:
            Its id, 32 hexadecimal digits; who knows it has the reader.

        Raises:
            NoReaderLeft: there are too many already.
        """
        async with self._table:
            if len(self._places) >= MOST:
                raise NoReaderLeft(MOST)
            reader_id = self._random_bytes(_ID_BYTES).hex()
            self._places[reader_id] = _Place(language, self._clock)
            return reader_id

    async def look(self, reader_id: str, language: Language) -> Face:
        """What the reader shows, from now on in *language*."""
        async with self._at(reader_id) as place:
            place.translate(language)
            await place.run(Tick())
            return place.face

    async def press(
        self, reader_id: str, event: KeyPressed | KeyHeld, turn: int | None = None
    ) -> Face:
        """Press or hold a key; *turn* is that of the face that was seen then.

        Without it, it is the turn in which the key comes here: it may have to wait for the card.
        What was pressed before the last warning, or before the card's last answer, does nothing;
        only ON and off always does.
        """
        if turn is None and reader_id in self._places:
            turn = self._places[reader_id].turn
        async with self._at(reader_id) as place:
            if event.key is Key.ON or turn is None or turn >= place.turn:
                await place.run(event)
            return place.face

    async def set_display_time(self, reader_id: str, time: DisplayTime) -> Face:
        """Let codes stay as long as *time*, the one that is shown too."""
        async with self._at(reader_id) as place:
            place.reader.display_time = time
            await place.run(Tick())
            return place.face

    async def insert(self, reader_id: str, card: CardSeen, path: Path | None) -> Face:
        """Put *card* in, whose file is *path* (None: its chip is dead); another one comes out.

        A card that lies in another window's reader is pulled out there first: that window
        may be long closed, and one pair of hands has them all.

        Raises:
            CardError: its file is in use by another program, or cannot be used.
        """
        async with self._table:  # two hands that reach for one card take turns
            await self._fetch(card.name)
            async with self._at(reader_id) as place:
                await self._exchange(place, card, path)
                return place.face

    @asynccontextmanager
    async def taken(self, name: str) -> AsyncIterator[None]:
        """Have the drawer's card *name* in hand: out of every reader, and in none meanwhile."""
        async with self._table:
            await self._fetch(name)
            yield

    async def remove(self, reader_id: str) -> Face:
        """Pull the card out, if there is one."""
        async with self._at(reader_id) as place:
            await place.take_out()
            return place.face

    async def renew(self, make_anew: Callable[[], Awaitable[None]]) -> None:
        """Take all cards out and all readers away, then have everything made anew."""
        async with self._table:
            await self.put_away()
            await make_anew()

    async def put_away(self) -> None:
        """Take all cards out and all readers away."""
        for reader_id in list(self._places):
            await self._forget(reader_id)

    async def keep_time(self) -> None:
        """Let time pass in every reader, for ever."""
        while True:
            await asyncio.sleep(_BEAT)
            await self.pass_time()

    async def pass_time(self) -> None:
        """Wipe what is due, and put away the readers that nobody looks at any more."""
        now = self._clock.seconds()
        for reader_id, place in list(self._places.items()):
            if place.lock.locked():
                continue  # what is happening there looks at the clock itself
            deadline = place.reader.deadline
            try:
                if now - place.seen > IDLE:
                    await self._forget(reader_id)
                elif deadline is not None and deadline <= now:
                    async with place.lock:
                        await place.run(Tick())
            except Exception as error:  # noqa: BLE001 -- time must go on in the other readers
                logs.reader_stopped(error)

    async def _fetch(self, name: str) -> None:
        """Pull the card of this *name* out of whichever reader has it."""
        for other in list(self._places.values()):
            async with other.lock:
                if other.card is not None and other.card.name == name:
                    await other.take_out()

    async def _exchange(self, place: _Place, card: CardSeen, path: Path | None) -> None:
        await place.take_out()
        dead = path is None or card.wrongly
        slot = VirtualSlot(path or Path(), _CARD_WAIT, upside_down=dead)
        await place.put_in(card, slot)

    async def _forget(self, reader_id: str) -> None:
        place = self._places.get(reader_id)
        if place is not None:
            async with place.lock:
                await place.take_out()
                self._places.pop(reader_id, None)

    @asynccontextmanager
    async def _at(self, reader_id: str) -> AsyncIterator[_Place]:
        place = self._places.get(reader_id)
        if place is None:
            raise ReaderForgotten
        place.seen = self._clock.seconds()
        async with place.lock:
            if reader_id not in self._places:  # put away while we waited
                raise ReaderForgotten
            yield place
