"""The store on one SQLite file: WAL, every commit on disk, one writer at a time.

Reading and writing have a thread and a connection each, so that the next group is read
while the last one is being written. Everything but the statements of a login goes through
SQLAlchemy Core (docs/decisions/0005).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from sesame.store.access import Access, AccessQuestion
from sesame.store.errors import StoreUnavailable
from sesame.store.sqlite_login import read_group, swap_group
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")

_STATEMENTS = 512  # kept ready: those of a group have a text for each size
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


class SqliteDatabase:
    """A file, by two threads."""

    at_once = 1
    at_once_alone = 1

    def __init__(self, path: Path) -> None:
        self._reader = _Side(path, "store-read", writes=False)
        self._writer = _Side(path, "store-write", writes=True)

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """Read the rows of a group."""
        return await self._reader.run(lambda side: read_group(side.raw, asked))

    async def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        """Take the steps of a group in one commit."""
        return await self._writer.run(lambda side: swap_group(side.raw, steps))

    async def swap_alone(self, step: Step) -> Fate:
        """Take one step; no group of SQLite's ever leaves one over."""
        (fate,) = await self.swap_group([step])
        return fate

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* in a transaction that only reads."""
        return await self._reader.run(lambda side: side.core(query))

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own."""
        return await self._writer.run(lambda side: side.core(change))

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """None that would be shared out: reading and writing have one each."""
        return {}

    async def close(self) -> None:
        """Let go of the file."""
        await self._reader.close()
        await self._writer.close()


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
            "is the disk full, the file read-only or damaged, another program holding it?",
            reason=str(cause),
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
            raw = sqlite3.connect(
                self._path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
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
