"""An export while it is looked at: its rows in a file that goes away, so that memory stays flat.

An export has them in the order of the database, or in any other if somebody was at it.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sesame.store.errors import LedgerUnusable
from sesame.store.retention import AnchorRow

Standing = tuple[int, bytes]  # a version, and the hash of its line

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE lines (
    place INTEGER PRIMARY KEY, user_code TEXT, version INTEGER, line BLOB, head BLOB
);
CREATE TABLE heads (user_code TEXT PRIMARY KEY, version INTEGER, head BLOB) WITHOUT ROWID;
CREATE TABLE anchors (
    bucket INTEGER, user_code TEXT PRIMARY KEY, version INTEGER, head BLOB, at INTEGER,
    signature BLOB
) WITHOUT ROWID;
CREATE TABLE sealed (user_code TEXT PRIMARY KEY, version INTEGER, head BLOB) WITHOUT ROWID;
"""


class LoadedExport:
    """Lines, heads and sealed heads of an export."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_lines(self, rows: Iterable[tuple[str, int, bytes, bytes]]) -> None:
        """User code, version, line and hash, in the order of the file."""
        self._connection.executemany(
            "INSERT INTO lines (user_code, version, line, head) VALUES (?, ?, ?, ?)", rows
        )

    def add_head(self, user_code: str, version: int, head: bytes) -> bool:
        """Where an access row stood. Of two of one customer the first counts: False."""
        row = (user_code, version, head)
        added = self._connection.execute("INSERT OR IGNORE INTO heads VALUES (?, ?, ?)", row)
        return added.rowcount == 1

    def add_anchors(self, rows: Iterable[AnchorRow]) -> None:
        """Where pruned chains begin. Of two of one customer the first counts."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO anchors VALUES (?, ?, ?, ?, ?, ?)", rows
        )

    def add_sealed(self, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """What a seal says. Of two of one customer the later version counts."""
        self._connection.executemany(
            "INSERT INTO sealed VALUES (?, ?, ?) ON CONFLICT (user_code) DO UPDATE SET "
            "version = excluded.version, head = excluded.head "
            "WHERE excluded.version > sealed.version",
            rows,
        )

    def ready(self) -> None:
        """All rows are there: make them quick to find."""
        self._connection.execute("CREATE INDEX lines_of ON lines (user_code, place)")

    def customers(self) -> Iterator[str]:
        """Everybody of whom there is a row of any kind."""
        for (code,) in self._connection.execute(
            "SELECT user_code FROM lines UNION SELECT user_code FROM heads "
            "UNION SELECT user_code FROM sealed ORDER BY 1"
        ):
            yield code

    def lines_of(self, user_code: str) -> Iterator[tuple[int, bytes, bytes]]:
        """Version, line and hash of one customer, in the order of the file."""
        yield from self._connection.execute(
            "SELECT version, line, head FROM lines WHERE user_code = ? ORDER BY place", (user_code,)
        )

    def head_of(self, user_code: str) -> Standing | None:
        """Where their access row stood."""
        return self._standing("heads", user_code)

    def anchor_of(self, user_code: str) -> AnchorRow | None:
        """The last line that was pruned; None where none was."""
        query = "SELECT * FROM anchors WHERE user_code = ?"
        found = self._connection.execute(query, (user_code,)).fetchone()
        return None if found is None else AnchorRow(*found)

    def sealed_of(self, user_code: str) -> Standing | None:
        """The latest that was sealed."""
        return self._standing("sealed", user_code)

    def _standing(self, table: str, user_code: str) -> Standing | None:
        query = f"SELECT version, head FROM {table} WHERE user_code = ?"  # noqa: S608 -- two names
        found: Standing | None = self._connection.execute(query, (user_code,)).fetchone()
        return found


@contextmanager
def loading() -> Iterator[LoadedExport]:
    """An empty one, which is gone afterwards.

    Raises:
        LedgerUnusable: the disk for temporary files is full, or refuses.
    """
    with tempfile.TemporaryDirectory(prefix="sesame-audit-") as folder:
        path = Path(folder) / "export.db"
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN")
            try:
                yield LoadedExport(connection)
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            raise LedgerUnusable(path, str(error)) from None
