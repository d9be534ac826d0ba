"""Errors of the store.

StoreError
 ├ StoreUnavailable   the database did not answer in time, or cannot be written
 │  └ RowHeld         another program holds the customer's row: nothing was written
 ├ CardMovedAside     a card's last ATC changed without a step of its access row
 ├ EnrolledMeanwhile  others took a user code or card first, or held a row
 └ SchemaMismatch     the database is of a later version than this program
"""

from sesame.errors import SesameError


class StoreError(SesameError):
    """Anything wrong with the database."""


class StoreUnavailable(StoreError):
    """The database is busy, full, read-only, damaged or gone."""


class RowHeld(StoreUnavailable):
    """Another program holds the customer's row, so that nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "another program holds the customer's row: nothing was written. "
            "Look for a transaction that was left open (pg_stat_activity)"
        )


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


class EnrolledMeanwhile(StoreError):
    """Others took a user code or a card first, or held a row: the transaction left nothing."""

    def __init__(self) -> None:
        super().__init__("others came first, or hold a row: nothing was written, try again")


class SchemaMismatch(StoreError):
    """The database has a later schema than this program knows."""
