"""Errors of the store.

StoreError
 ├ StoreUnavailable   the database did not answer in time, or cannot be written
 │  └ RowHeld         another program holds the customer's row: nothing was written
 ├ CardMovedAside     a card's last ATC changed without a step of its access row
 ├ EnrolledMeanwhile  others took a user code or card first, or held a row
 ├ StepLost           others moved an access row first: nothing was written
 ├ LettersMoved       letters, readers or orders are not where they were: nothing was written
 ├ UrlUnusable        the driver does not take a value of the database's URL
 ├ BackupFailed       the file of a backup could not be written
 ├ SchemaMismatch     the tables are not those of this version
 │  ├ SchemaBehind       an earlier one made them
 │  └ SchemaAhead        a later one did
 ├ StreamUnreadable   the folder of the audit stream cannot be read or written
 ├ SegmentTaken       there is a file of that number in it already
 ├ SegmentLost        a file of it is not there
 ├ LedgerHeld         another process has the file that says what was sealed
 └ LedgerUnusable     that file cannot be read or written
"""

from pathlib import Path

from sesame.errors import SesameError


class StoreError(SesameError):
    """Anything wrong with the database."""


class StoreUnavailable(StoreError):
    """The database is busy, full, read-only, damaged or gone; `reason` as it says so itself."""

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason


class RowHeld(StoreUnavailable):
    """Another program holds the customer's row, so that nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "another program holds the customer's row: nothing was written. "
            "Look for a transaction that was left open (pg_stat_activity)"
        )


class FileTampered(StoreUnavailable):
    """A row of a file of SQLite has what no program of ours writes."""

    def __init__(self) -> None:
        super().__init__(
            "a row of the table access, audit_lines or cards has a bucket, version or ATC that is "
            "no whole number, or a user code that is no text: somebody was at the file. Keep it as "
            "it is, and compare it with a backup"
        )


class StandbyBehind(StoreUnavailable):
    """The database *name* committed, and its standby may not have what was written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the database {name} did not wait for its standby to have what was written: "
            "if the standby is gone, take it out of synchronous_standby_names"
        )
        self.name = name


class StatementFailed(Exception):
    """A statement of ours is wrong: no state of a database, and no error to be handled.

    In place of the driver's own, which shows the values of the row.
    """

    def __init__(self, kind: str, sqlstate: str, constraint: str) -> None:
        super().__init__(
            f"a statement failed: {kind}, SQLSTATE {sqlstate}, constraint {constraint}"
        )


class CardMovedAside(StoreError):
    """A card's last ATC had moved while its access row had not: the group is undone."""

    def __init__(self) -> None:
        super().__init__("a card moved without a step of its access row: nothing was written")


class LettersMoved(StoreError):
    """Letters, readers or orders are not where they were when this was prepared."""

    def __init__(self) -> None:
        super().__init__("letters, readers or orders were moved by others: nothing was written")


class StepLost(StoreError):
    """Others moved one of the access rows first: the transaction left nothing."""

    def __init__(self) -> None:
        super().__init__("others moved an access row first: nothing was written, plan again")


class EnrolledMeanwhile(StoreError):
    """Others took a user code or a card first, or held a row: the transaction left nothing."""

    def __init__(self) -> None:
        super().__init__("others came first, or hold a row: nothing was written, try again")


class UrlUnusable(StoreError):
    """The URL of the database has a value that the driver does not take; none is repeated."""

    def __init__(self) -> None:
        super().__init__(
            "the database URL has a value that its driver does not take: look at each behind ?"
        )


class BackupFailed(StoreError):
    """No backup was made; `path` says of what, `reason` why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"no backup was made: {path}: {reason}")
        self.path = path
        self.reason = reason


class SchemaMismatch(StoreError):
    """The tables are not those of this version."""


class SchemaBehind(SchemaMismatch):
    """An earlier version made the tables of the database *name*, or there are none."""

    def __init__(self, name: str = "") -> None:
        super().__init__(
            f"{_database(name)} has not the tables of this version: as the role that owns them "
            "run  sesame database migrate"
        )


class SchemaAhead(SchemaMismatch):
    """A later version of this program made the tables of the database *name*."""

    def __init__(self, name: str = "") -> None:
        super().__init__(
            f"{_database(name)} was made by a later version of this program: "
            "install that one; the database was left as it is"
        )


def _database(name: str) -> str:
    return f"the database {name}" if name else "the database"


class StreamUnreadable(StoreError):
    """The system refuses the folder at `path`; `reason` is in its own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"audit stream {path}: {reason}. Check the folder and who owns it")
        self.path = path
        self.reason = reason


class SegmentTaken(StoreError):
    """A file of the audit stream is never written over."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"audit stream: file {number} is there already: does another sealer write here?"
        )
        self.number = number


class SegmentLost(StoreError):
    """File `number` of the audit stream at `path` is not there, and later ones are."""

    def __init__(self, path: Path, number: int) -> None:
        super().__init__(
            f"audit stream {path}: file {number} is not there, and later ones are. "
            "Look for it where the stream was copied to"
        )
        self.path = path
        self.number = number


class LedgerHeld(StoreError):
    """Another process has the ledger at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"ledger {path}: another sealer has it. Stop that one first")
        self.path = path


class LedgerUnusable(StoreError):
    """The ledger at `path` cannot be read or written; `reason` is in the system's own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"ledger {path}: {reason}. Check the file and who owns it; "
            "taken away, it is made anew from the stream"
        )
        self.path = path
        self.reason = reason
