"""What was seen before in a file, however long it is: in a database that nobody else sees.

It is SQLite's own temporary one: a small part of it is in memory, the rest in a file without a
name, which is gone with the process. It holds keyed hashes under a key that is gone too.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_KEY, _HASH = 32, 16  # bytes
_CACHE = "PRAGMA cache_size = -4096"  # KiB


class Seen:
    """Values with the line that each stood on first."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY)
        self._scratch = sqlite3.connect("", isolation_level=None)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _CACHE):
            self._scratch.execute(statement)
        self._scratch.execute(
            "CREATE TABLE seen (value BLOB PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
        )

    def first_lines(self, line: int, values: Sequence[tuple[str, str]]) -> dict[str, int]:
        """On which lines *values* (a field and what stands in it) stood before, by field.

        Where none did, all of them are known from now on to stand on *line*.
        """
        hashed = [(field, self._hash(field, value)) for field, value in values]
        before = {}
        for field, value in hashed:
            query = "SELECT line FROM seen WHERE value = ?"
            row = self._scratch.execute(query, (value,)).fetchone()
            if row is not None:
                before[field] = int(row[0])
        if not before:
            insert = "INSERT INTO seen VALUES (?, ?)"
            self._scratch.executemany(insert, [(value, line) for _, value in hashed])
        return before

    def close(self) -> None:
        """Forget all."""
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hash(self, field: str, value: str) -> bytes:
        named = f"{field}\x00{value}".encode()
        return hashlib.blake2b(named, key=self._key, digest_size=_HASH).digest()
