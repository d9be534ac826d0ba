"""The store on one SQLite file: WAL, every commit on disk, one writer at a time.

Reading and writing have a thread and a connection each, so that the next group is read
while the last one is being written. Everything but the two statements of a login goes
through SQLAlchemy Core (docs/decisions/0005).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import StaticPool

from sesame.store.access import Access, AccessQuestion, read_group
from sesame.store.buckets import bucket_of
from sesame.store.errors import StoreError, StoreUnavailable
from sesame.store.groups import LARGEST_GROUP, Groups
from sesame.store.steps import Fate, Step, swap_group

Answer = TypeVar("Answer")

_LONGEST_WAIT = 5.0  # seconds for another process's commit

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered is on disk
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {int(_LONGEST_WAIT * 1000)}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 4000",  # pages: a checkpoint every few thousand logins
)

# Busy, full, read-only, gone; and, under its parent's name, damaged or no database at all.
_NO_ANSWER = (sqlite3.OperationalError, sqlite3.DatabaseError)


class Store:
    """Reads access rows, swaps them, and runs whatever else is asked in a transaction."""

    def __init__(self, path: Path, *, largest_group: int = LARGEST_GROUP) -> None:
        self._reader = _Side(path, "store-read", writes=False)
        self._writer = _Side(path, "store-write", writes=True)
        self._reads: Groups[AccessQuestion, Access] = Groups(
            self._read_group,
            key=lambda asked: (bucket_of(asked.user_code), asked.user_code),
            largest=largest_group,
            for_all=StoreUnavailable,
        )
        self._swaps: Groups[Step, Fate] = Groups(
            self._swap_group,
            key=lambda step: (step.bucket, step.user_code),
            largest=largest_group,
            for_all=StoreUnavailable,
        )

    async def read_access(self, user_code: str, devices: tuple[bytes, ...] = ()) -> Access:
        """Read the access row of *user_code* with its cards; alike for one that nobody has.

        *devices* are the hashes (32 bytes) of those that the browser claims, at most four.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        return await self._reads.submit(AccessQuestion(user_code, devices))

    async def swap_access(self, step: Step) -> Fate:
        """Take *step*, together with those that wait beside it, in one commit.

        Raises:
            StoreUnavailable: the database did not take it. Whether the commit reached the
                disk is then unknown; if it did, the step's audit line is there.
        """
        return await self._swaps.submit(step)

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* in a transaction that only reads."""
        return await self._reader.run(lambda side: side.core(query))

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own."""
        return await self._writer.run(lambda side: side.core(change))

    async def close(self) -> None:
        """Let the groups on their way arrive, then let go of the file."""
        await self._reads.drain()
        await self._swaps.drain()
        await self._reader.close()
        await self._writer.close()

    async def _read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        return await self._reader.run(lambda side: read_group(side.raw, asked))

    async def _swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        return await self._writer.run(lambda side: swap_group(side.raw, steps))


def open_store(url: str, *, largest_group: int = LARGEST_GROUP) -> Store:
    """Open the database of *url*, `sqlite:///some/folder/sesame.db`.

    Raises:
        StoreError: the URL names another database, or none.
    """
    return Store(database_path(url), largest_group=largest_group)


def database_path(url: str) -> Path:
    """The file that a database URL names.

    Raises:
        StoreError: the URL names another database, or none.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if (
        parsed is None
        or parsed.get_backend_name() != "sqlite"
        or parsed.database in {None, "", ":memory:"}
    ):
        raise StoreError(
            f"the database URL {url.partition('@')[2] or url!r} is none that is known: "
            "write sqlite:/// and the path of a file"
        )
    return Path(str(parsed.database))


def open_engine(path: Path, *, writes: bool = True) -> Engine:
    """A SQLAlchemy engine on the file, with one connection."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"isolation_level": None, "check_same_thread": False},
        hide_parameters=True,  # they hold names and hashes, which no error may tell
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        _set_up(connection, writes=writes)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # What writes is not deferred: a reader that becomes a writer half-way can only fail.
        # What reads takes no lock: it need not wait for another's commit, nor hold one up.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def answered(path: Path) -> Iterator[None]:
    """Make our error of a database that does not answer.

    Raises:
        StoreUnavailable: the file at *path* is busy, full, read-only, damaged or gone.
    """
    try:
        yield
    except (sqlite3.DatabaseError, DatabaseError) as error:
        cause = getattr(error, "orig", error)
        if type(cause) not in _NO_ANSWER:
            raise  # a statement is wrong, not the database
        raise StoreUnavailable(
            f"the database {path.name} did not answer ({cause}): "
            "is the disk full, the file read-only or damaged, another program holding it?"
        ) from None


def _set_up(connection: sqlite3.Connection, *, writes: bool) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    if not writes:
        connection.execute("PRAGMA query_only = ON")


class _Side:
    """One thread with its connections; nothing else ever touches them."""

    def __init__(self, path: Path, name: str, *, writes: bool) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._path = path
        self._writes = writes
        self._engine: Engine | None = None
        self._raw: sqlite3.Connection | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = open_engine(self._path, writes=self._writes)
        return self._engine

    @property
    def raw(self) -> sqlite3.Connection:
        if self._raw is None:
            raw = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                _set_up(raw, writes=self._writes)
            except BaseException:
                raw.close()  # half set up, it would not wait, or not sync
                raise
            self._raw = raw
        return self._raw

    def core(self, work: Callable[[Connection], Answer]) -> Answer:
        with self.engine.begin() as connection:
            return work(connection)

    async def run(self, work: "Callable[[_Side], Answer]") -> Answer:
        loop = asyncio.get_running_loop()
        with answered(self._path):
            return await loop.run_in_executor(self._thread, work, self)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    def _let_go(self) -> None:
        if self._raw is not None:
            self._raw.close()
        if self._engine is not None:
            self._engine.dispose()
