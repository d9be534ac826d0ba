"""Two or three servers beat while older states of the database are put back in any order.

Held against a model that writes down what each state of the database holds, and what each file was
told: no code that a server's file vouches for passes again once that server has looked, whatever
the others did; and nothing is taken for restored that is not.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from sesame.bank.bank import Bank
from sesame.bank.restored import Seen, beat, nothing_seen
from sesame.store.engine import Store
from sesame.store.incarnation import read_incarnation
from sesame.store.memory import Backup, MemoryDatabase
from tests.bank.branch import Clock, open_bank
from tests.custody.keystores import chance

Answer = TypeVar("Answer")
Event = tuple[object, ...]  # its name, and what it is told

_APART = timedelta(minutes=10)
_NEVER = timedelta(days=100_000)
_CLOCKS = (timedelta(), timedelta(minutes=4), timedelta(minutes=-4))  # of the three servers


@dataclass(frozen=True)
class State:
    """What one state of the database holds, by the numbers of what happened, in their order."""

    codes: frozenset[int] = frozenset()
    beats: frozenset[int] = frozenset()
    lives: tuple[int, ...] = (0,)  # the last one goes on; -1 is that of a backup, without a mark
    begun_at: timedelta | None = None  # by the clock of whoever began the last one


@dataclass(frozen=True)
class File:
    """What a server's file says, and what the database held when it was told so."""

    seen: Seen
    at: timedelta
    beat: int | None = None  # None: it was made before there was one, and vouches for nothing
    life: int | None = None  # the one that it was made in then; None: none that has a mark
    codes: frozenset[int] = frozenset()


@dataclass
class Server:
    """One process, its file and its clock."""

    clock: timedelta
    file: File | None = None
    last: Seen | None = None


class Between(Store):
    """Has something happen before the second transaction of a beat, by another server."""

    happens: Callable[[], None] | None = None

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change*; what is to happen happens after the first one."""
        answer = await super().write(change)
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return answer


@dataclass
class Town:
    """The bank, and the model beside it."""

    database: MemoryDatabase
    servers: list[Server] = field(default_factory=lambda: [Server(clock) for clock in _CLOCKS])
    state: State = field(default_factory=State)
    kept: list[tuple[Backup, State]] = field(default_factory=list)
    now: timedelta = timedelta()
    happened: int = 0

    def __post_init__(self) -> None:
        self.store = Between(self.database)
        self.clock = Clock()
        self._start = self.clock.at
        self.bank: Bank = replace(
            open_bank(Path("nowhere")),
            store=self.store,
            now=self.clock,
            random_bytes=chance("beats"),
        )

    def next(self) -> int:
        """The number of what happens now."""
        self.happened += 1
        return self.happened

    # ── What may happen ──────────────────────────────────────────────────────────────────────────

    def sign_in(self) -> None:
        """A code is used; that nobody's row says so here makes no difference to beats."""
        self.state = replace(self.state, codes=self.state.codes | {self.next()})

    def pass_time(self, minutes: int) -> None:
        """Time passes."""
        self.now += timedelta(minutes=minutes)

    def keep(self, *, marked: bool) -> None:
        """A backup is taken, or the disk copied."""
        state = self.state
        if marked:
            state = replace(state, lives=(*state.lives, -1))
        self.kept.append((self.database.backup(marked=marked), state))

    def put_back(self, which: int) -> None:
        """One of those comes back: an earlier state, or a later one after an earlier."""
        if self.kept:
            backup, self.state = self.kept[which % len(self.kept)]
            self.database.restore(backup)

    def copy_file(self, source: int, target: int) -> None:
        """As a further server gets its own."""
        self.servers[target].file = self.servers[source].file

    def lose_file(self, which: int) -> None:
        """The disk beside it is gone."""
        self.servers[which].file = None

    def start_again(self, which: int) -> None:
        """Another process takes over, which knows the file alone."""
        self.servers[which].last = None

    def look(self, which: int, told: str = "told", between: Event | None = None) -> None:
        """A server takes its beat; *between* happens before the second transaction of one.

        The file is not *told* where the answer is lost, the process killed, or its disk full.
        """
        server = self.servers[which]
        self._set(server.clock)
        before = self._file_of(server)
        wanted = self._is_wanted(before)

        def happens() -> None:
            if between is not None and between != ("look", which):
                tell(self, [between])
                self._set(server.clock)

        self.store.happens = happens
        last, server.last = server.last, None
        if not wanted:
            self._note_beat()
            self._check(before)
        noted = self.state
        after = _run(beat(self.bank, before.seen, last))
        if wanted:
            if self._is_wanted(before):
                self._note_life(server)
            self._note_beat()
            self._check(before)
            noted = self.state
        self._count()
        if told != "lost":
            server.last = after
        if told == "told":
            at = self.now + server.clock
            server.file = File(after, at, beat=max(noted.beats), codes=noted.codes)

    def _file_of(self, server: Server) -> File:
        """Its file, which is made first where there is none."""
        if server.file is None:
            fine = self.state.lives[-1] != -1 and not self.state.beats
            at, life = (self.now + server.clock, self.state.lives[-1]) if fine else (_NEVER, None)
            server.file = File(_run(nothing_seen(self.bank)), at, life=life)
        return server.file

    def _note_beat(self) -> None:
        self.state = replace(self.state, beats=self.state.beats | {self.next()})

    def _note_life(self, server: Server) -> None:
        self.state = replace(
            self.state,
            lives=(*self.state.lives, self.next()),
            begun_at=self.now + server.clock,
        )

    def _set(self, clock: timedelta) -> None:
        self.clock.at = self._start + self.now + clock

    # ── What must hold ───────────────────────────────────────────────────────────────────────────

    def _is_wanted(self, file: File) -> bool:
        state = self.state
        if state.lives[-1] == -1:
            return True
        if file.beat in state.beats or (file.life is not None and file.life == state.lives[-1]):
            return False
        return state.begun_at is None or state.begun_at < file.at + _APART

    def _check(self, before: File) -> None:
        for code in before.codes - self.state.codes:
            assert any(life > code for life in self.state.lives), "a code may pass again"

    def _count(self) -> None:
        """As many lives as the model has, and no more: a backup counts for one."""
        found = _run(self.database.read(read_incarnation))
        assert found is not None
        assert found.generation == len(self.state.lives) - 1


def _run(coroutine: Coroutine[object, object, Answer]) -> Answer:
    """What never waits needs no loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    raise AssertionError("it waited")


@pytest.fixture(scope="module")
def empty() -> Iterator[MemoryDatabase]:
    """A database, emptied by each story's first act: a migration takes longer than a story."""
    database = MemoryDatabase()
    yield database
    _run(database.close())


@contextmanager
def town_on(database: MemoryDatabase) -> Iterator[Town]:
    """A new town; the database is as it was afterwards."""
    with closing(database.backup()) as new:
        town = Town(database)
        try:
            yield town
        finally:
            for backup, _ in town.kept:
                backup.close()
            database.restore(new)


_WHO = st.integers(0, 2)
_WHICH = st.integers(0, 9)
_TOLD = st.sampled_from(["told", "told", "told", "lost", "unwritten"])
_BETWEEN = st.one_of(
    st.none(),
    st.tuples(st.just("look"), _WHO),
    st.tuples(st.just("put_back"), _WHICH),
)
_LOOK = st.tuples(st.just("look"), _WHO, _TOLD, _BETWEEN)
_PLAIN = st.tuples(st.just("look"), _WHO)
_KEEP = st.just(("keep", False))
_COPY = st.tuples(st.just("copy_file"), _WHO, _WHO)
_PUT_BACK = st.tuples(st.just("put_back"), _WHICH)
_ODD = st.one_of(
    st.just(("keep", True)),
    st.tuples(st.just("pass_time"), st.sampled_from([1, 15])),
    st.tuples(st.just("lose_file"), _WHO),
    st.tuples(st.just("start_again"), _WHO),
    _COPY,
    _LOOK,
)
# Most of what can go wrong takes a state that was kept, a code and a beat after it, and its return.
_LOSS = st.tuples(_KEEP, st.just(("sign_in",)), _LOOK, _COPY | _PLAIN, _PUT_BACK, _LOOK)
_STORIES = st.lists(
    st.one_of(
        _LOSS,
        _LOSS,
        st.tuples(_PUT_BACK, _LOOK),
        st.tuples(_COPY, _KEEP, _PLAIN),
        st.tuples(_ODD),
    ),
    min_size=2,
    max_size=6,
).map(lambda chapters: [event for chapter in chapters for event in chapter])


def tell(town: Town, story: list[Event]) -> None:
    """Have it all happen."""
    acts: dict[object, Callable[..., None]] = {
        "look": town.look,
        "keep": lambda marked: town.keep(marked=marked),
        "sign_in": town.sign_in,
        "pass_time": town.pass_time,
        "put_back": town.put_back,
        "copy_file": town.copy_file,
        "lose_file": town.lose_file,
        "start_again": town.start_again,
    }
    for name, *rest in story:
        acts[name](*rest)


def _look(*who: int) -> list[Event]:
    return [("look", one) for one in who]


# Two servers; one has not seen the last beats of the other, and takes as many of its own.
_HIDDEN: list[Event] = [
    *_look(0), ("copy_file", 0, 1), *_look(1), ("keep", False), ("sign_in",), *_look(0),
    ("put_back", 0), *_look(1, 1, 1, 0),
]  # fmt: skip
# Both have the same file, and one takes the very beat that the other lost.
_SAME_FILE: list[Event] = [
    *_look(0), ("copy_file", 0, 1), ("keep", False), ("sign_in",), *_look(0), ("put_back", 0),
    *_look(1, 0),
]  # fmt: skip
# The beat whose answer was lost is taken by another state too, and the first one comes back.
_LOST: list[Event] = [
    *_look(0), ("keep", False), ("look", 0, "lost"), ("keep", False), ("put_back", 0),
    ("sign_in",), *_look(0), ("put_back", 1), *_look(0),
]  # fmt: skip
# A process goes on, though an older file was put in the place of its own.
_OLDER_FILE: list[Event] = [
    *_look(0), ("copy_file", 0, 1), ("keep", False), ("sign_in",), *_look(0), ("copy_file", 0, 2),
    ("put_back", 0), ("copy_file", 1, 0), *_look(0, 2),
]  # fmt: skip
# A life that was over goes on once more, by a server whose clock is behind, and is over again.
_TWO_STATES: list[Event] = [
    *_look(0), ("copy_file", 0, 1), ("copy_file", 0, 2), ("keep", False), *_look(1),
    ("put_back", 0), *_look(1), ("keep", False), ("put_back", 0), ("sign_in",), *_look(2),
    ("put_back", 1), *_look(2),
]  # fmt: skip
# A life that this database knows nothing of.
_UNKNOWN: list[Event] = [
    *_look(0), ("copy_file", 0, 1), ("keep", False), *_look(1), ("put_back", 0), *_look(1),
    ("pass_time", 30), ("put_back", 0), *_look(2, 1),
]  # fmt: skip
# Both notice the same restore at once, and each begins a life: neither knows what the other saw.
_BOTH: list[Event] = [
    *_look(0), ("copy_file", 0, 1), ("keep", False), ("sign_in",), *_look(1, 0), ("put_back", 0),
    ("look", 0, "told", ("look", 1)), *_look(0, 1),
]  # fmt: skip
# Of two older states the second comes just when the first was found to be one.
_SECOND: list[Event] = [
    *_look(0), ("keep", False), ("sign_in",), *_look(0), ("copy_file", 0, 1), ("keep", False),
    ("put_back", 0), *_look(0), ("keep", False), ("put_back", 1), ("sign_in",), *_look(1),
    ("put_back", 0), ("look", 1, "told", ("put_back", 2)), *_look(1),
]  # fmt: skip
# The first beat of all is taken, and its answer lost, twice.
_FIRST: list[Event] = [("look", 0, "lost"), ("start_again", 0), ("look", 0, "lost"), *_look(0)]


@example(_SECOND)
@example(_FIRST)
@example(_HIDDEN)
@example(_SAME_FILE)
@example(_LOST)
@example(_OLDER_FILE)
@example(_TWO_STATES)
@example(_UNKNOWN)
@example(_BOTH)
@given(_STORIES)
@settings(max_examples=400, deadline=None)
def test_whoever_beats_meanwhile_no_server_overlooks_what_it_saw(
    empty: MemoryDatabase, story: list[Event]
) -> None:
    """A life begins whenever a server's own last beat is missing, and only then."""
    with town_on(empty) as town:
        tell(town, story)


def test_a_server_that_was_away_hides_nothing_from_the_others(empty: MemoryDatabase) -> None:
    """What the old file vouches for is there; the one that saw more notices all the same."""
    with town_on(empty) as town:
        tell(town, _HIDDEN)
        assert len(town.state.lives) == 2


def test_a_restore_that_was_noticed_long_since_is_not_again(empty: MemoryDatabase) -> None:
    """A server that comes back after it follows, though its own last beat is lost."""
    with town_on(empty) as town:
        tell(town, _HIDDEN[:6])
        town.pass_time(15)
        tell(town, [("lose_file", 2), ("put_back", 0), ("look", 2)])
        assert len(town.state.lives) == 2
        town.look(0)
        assert len(town.state.lives) == 2
