"""A bank in the memory of one thread: SQLite without a file, for what is gone afterwards.

The statements are those of `sesame.store.sqlite_login`, so it answers as a file does; what it
leaves out is the disk and the two threads that wait for it. For simulations: nothing of it
survives the process.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from sesame.store.access import Access, AccessQuestion
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.incarnation import mark_as_backup
from sesame.store.schema import migrate
from sesame.store.sqlite_login import read_group, swap_group
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")

_IN_MEMORY = ":memory:"
_STATEMENTS = 512  # kept ready: those of a group have a text for each size


class MemoryDatabase:
    """A database of this thread alone, empty and of the newest schema.

    *path* is for tests that look at it from outside: the file of a migrated database.
    """

    at_once = 1
    at_once_alone = 1

    def __init__(self, path: Path | None = None) -> None:
        self._raw = sqlite3.connect(
            path or _IN_MEMORY,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        if path is None:
            self._migrate()
        self._engine = _engine(self._raw)

        @event.listens_for(self._engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        self._connection = self._engine.connect()  # one for good: there is nobody else

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """Read the rows of a group."""
        return read_group(self._raw, asked)

    async def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        """Take the steps of a group in one commit."""
        return swap_group(self._raw, steps)

    async def swap_alone(self, step: Step) -> Fate:
        """Take one step."""
        (fate,) = swap_group(self._raw, [step])
        return fate

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* where nothing can be written."""
        self._raw.execute("PRAGMA query_only = ON")
        try:
            with self._connection.begin():
                return query(self._connection)
        finally:
            self._raw.execute("PRAGMA query_only = OFF")

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own."""
        with self._connection.begin():
            return change(self._connection)

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """None that would be shared out."""
        return {}

    async def close(self) -> None:
        """Forget it all."""
        self._connection.close()
        self._engine.dispose()
        self._raw.close()

    def backup(self, *, marked: bool = False) -> "Backup":
        """All rows as they are now.

        *marked* it is a copy as `sesame database backup` makes them, which says itself what
        it is; else one of the disk.
        """
        copy = sqlite3.connect(_IN_MEMORY, check_same_thread=False)
        self._raw.backup(copy)
        if marked:
            engine = _engine(copy)
            with engine.begin() as connection:
                mark_as_backup(connection)
        return Backup(copy)

    def restore(self, backup: "Backup") -> None:
        """All rows as they were then; what came since is gone."""
        backup.copy.backup(self._raw)

    def forget_lines(self, *, before: int) -> None:
        """Forget audit lines from before the moment *before*: a year of them fills a memory."""
        for table in (AUDIT_LINES.name, AUDIT_PERSONAL.name):
            self._raw.execute(f"DELETE FROM {table} WHERE at < ?", (before,))  # noqa: S608 -- two constants

    def _migrate(self) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "empty.db"
            migrate(f"sqlite:///{path}")
            empty = sqlite3.connect(path)
            try:
                empty.backup(self._raw)
            finally:
                empty.close()


def _engine(raw: sqlite3.Connection) -> Engine:
    return create_engine(
        "sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True
    )


class Backup:
    """What a bank in memory was at one moment."""

    def __init__(self, copy: sqlite3.Connection) -> None:
        self.copy = copy

    def close(self) -> None:
        """Forget it."""
        self.copy.close()
