"""What was sealed already: a file of the sealer's own, beside no database of the bank's.

It can be made anew from the stream, so it holds nothing that is not there. It is a file of
SQLite, whatever the bank's database is.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from sesame.store.errors import LedgerHeld, LedgerUnusable

Key = tuple[int, str]  # bucket, user code

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS heads (
    bucket INTEGER NOT NULL, user_code TEXT NOT NULL, version INTEGER NOT NULL, head BLOB NOT NULL,
    PRIMARY KEY (bucket, user_code)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS last_seal (
    one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS looked (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL, swept_at INTEGER NOT NULL, sweep_took INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pending (
    one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, content BLOB NOT NULL
);
"""


class SealedHead(NamedTuple):
    """The latest head of a customer under a seal."""

    bucket: int
    user_code: str
    version: int
    head: bytes  # 32 bytes


class Looked(NamedTuple):
    """When the sealer looked, in microseconds since 1970-01-01 UTC; 0: never."""

    at: int = 0  # when the last whole round began
    swept_at: int = 0  # when the last began that looked at every customer
    sweep_took: int = 0  # microseconds


class Ledger:
    """The latest seal, and for each customer the latest head under one. One process has it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """The ledger at *path*, a new one where there is none; for this process alone.

        Raises:
            LedgerHeld: another process has it.
            LedgerUnusable: the system refuses, or it is damaged.
        """
        try:
            path.touch(mode=0o600)  # it names user codes
            # A file of its own: to close any handle of a database's file lets go of its locks.
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refusal:
            raise LedgerUnusable(path, str(refusal.strerror)) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise LedgerHeld(path) from None
        with _usable(path):
            connection = sqlite3.connect(path, isolation_level=None)
            connection.executescript(_SCHEMA)
        return cls(path, connection, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def last_seal(self) -> tuple[int, bytes] | None:
        """Number and hash of the latest seal; None before the first."""
        with _usable(self.path):
            found = self._connection.execute("SELECT number, hash FROM last_seal").fetchone()
        return None if found is None else (found[0], found[1])

    @property
    def looked(self) -> Looked:
        """When the sealer looked last."""
        with _usable(self.path):
            query = "SELECT at, swept_at, sweep_took FROM looked"
            found = self._connection.execute(query).fetchone()
        return Looked() if found is None else Looked(*found)

    @property
    def pending(self) -> tuple[int, bytes] | None:
        """A segment that may not have been shipped: number and content."""
        with _usable(self.path):
            found = self._connection.execute("SELECT number, content FROM pending").fetchone()
        return None if found is None else (found[0], found[1])

    def heads(self, keys: Sequence[Key]) -> dict[str, tuple[int, bytes]]:
        """Version and head of those at *keys* that were ever sealed."""
        found = {}
        with _usable(self.path):
            for bucket, user_code in keys:
                row = self._connection.execute(
                    "SELECT version, head FROM heads WHERE bucket = ? AND user_code = ?",
                    (bucket, user_code),
                ).fetchone()
                if row is not None:
                    found[user_code] = (row[0], row[1])
        return found

    def heads_behind(self, after: Key, *, most: int) -> list[SealedHead]:
        """Those behind the key *after*, in order."""
        with _usable(self.path):
            rows = self._connection.execute(
                "SELECT * FROM heads WHERE (bucket, user_code) > (?, ?) "
                "ORDER BY bucket, user_code LIMIT ?",
                (*after, most),
            )
            return [SealedHead(*row) for row in rows]

    def pend(self, number: int, content: bytes) -> None:
        """Keep a segment until it is recorded, so that it can be shipped again as it is."""
        with self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO pending VALUES (1, ?, ?)", (number, content)
            )

    def record(self, number: int, seal_hash: bytes, heads: Iterable[SealedHead]) -> None:
        """Seal *number* was shipped, over *heads*."""
        with self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)", heads)
            self._connection.execute(
                "INSERT OR REPLACE INTO last_seal VALUES (1, ?, ?)", (number, seal_hash)
            )
            self._connection.execute("DELETE FROM pending")

    def look(self, looked: Looked) -> None:
        """Remember when it was looked."""
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO looked VALUES (1, ?, ?, ?)", looked)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
        os.close(self._lock)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _usable(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise LedgerUnusable(path, str(error)) from None
