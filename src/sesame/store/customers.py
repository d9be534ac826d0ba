"""Customers: who has a user code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum, unique

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    SmallInteger,
    String,
    Table,
)

from sesame.store.access import ACCESS, State, state_columns
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL, AuditRow
from sesame.store.bulk import find_rows, insert_rows
from sesame.store.cards import PAN_INDEX, Key, NewCardRow, insert_cards
from sesame.store.details import DetailsRow, find_references, insert_details
from sesame.store.dispatches import DispatchRow, insert_dispatches
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.metadata import METADATA
from sesame.store.names import insert_words

CUSTOMERS = Table(
    "customers",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("language", String(2), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomerRow:
    """A customer as enrolment writes it."""

    bucket: int
    user_code: str
    name: str
    language: str
    old_code: str | None = field(repr=False)  # argon2id
    cards: Sequence[NewCardRow]
    line: AuditRow  # the first of the customer's chain
    details: DetailsRow | None = None
    import_digest: bytes | None = None  # 32 bytes, of the row that was imported
    welcome: DispatchRow | None = None  # the letter with their user code

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return self.bucket, self.user_code


@unique
class Refusal(StrEnum):
    """Why a customer was not enrolled."""

    USER_CODE_TAKEN = "somebody has the user code"
    CARD_TAKEN = "somebody has a card with this PAN and PSN"
    REFERENCE_TAKEN = "somebody has the institution's own reference"
    PERSON_TAKEN = "a member of staff with this personnel number has an account"
    MOVED_ON = "strangers tried the user code, or were forgotten, after its version was read"


def read_versions(connection: Connection, keys: Sequence[Key]) -> dict[Key, int]:
    """The version of each access row that there is at *keys*."""
    rows = find_rows(connection, ACCESS, _KEY, ("version",), keys)
    return {(bucket, user_code): version for bucket, user_code, version in rows}


def insert_customers(
    connection: Connection, rows: Sequence[NewCustomerRow], *, unsure_for: int = 0
) -> dict[int, Refusal]:
    """Write customers with their cards: all of *rows*, or none.

    The state that strangers left on a user code that nobody had is taken over clean. *unsure_for*:
    see `insert_cards`.

    Returns:
        Which of them cannot be, by place; nothing was written then. Empty where all are.

    Raises:
        EnrolledMeanwhile: others came first, or hold a row: undo the transaction, and ask again.
    """
    with _others_first():
        refused = insert_subjects(connection, rows, unsure_for=unsure_for)
        if not refused:
            insert_rows(
                connection,
                CUSTOMERS,
                (*_KEY, "name", "language", "created_at"),
                [(*row.key, row.name, row.language, row.line.at) for row in rows],
            )
            insert_words(connection, [(row.key, row.name) for row in rows])
            insert_details(
                connection,
                [
                    (row.key, row.details, row.import_digest)
                    for row in rows
                    if row.details is not None
                ],
            )
            insert_dispatches(connection, [row.welcome for row in rows if row.welcome is not None])
    return refused


def insert_subjects(
    connection: Connection, rows: Sequence[NewCustomerRow], *, unsure_for: int = 0
) -> dict[int, Refusal]:
    """Write all but that they are customers: access rows, cards, the first lines.

    Takes, returns and raises what `insert_customers` does.
    """
    with _others_first():
        refused = _refused(connection, rows)
        if refused or not rows:
            return refused
        _insert(connection, rows, unsure_for)
    return {}


def _insert(connection: Connection, rows: Sequence[NewCustomerRow], unsure_for: int) -> None:
    taken_over = insert_rows(
        connection,
        ACCESS,
        _ACCESS_COLUMNS,
        # In key order, as a group makes its rows. What was there is held already, as there too:
        # whoever has made a row waits for none but those that come after it.
        [_access(row) for row in sorted(rows, key=lambda row: row.key)],
        otherwise=_TAKE_OVER,
    )
    if taken_over != len(rows):
        raise EnrolledMeanwhile
    cards = [(row.key, card) for row in rows for card in row.cards]
    insert_cards(connection, cards, rows[0].line.at, unsure_for=unsure_for)
    lines = [(row.key, row.line) for row in rows]
    insert_rows(
        connection,
        AUDIT_LINES,
        (*_KEY, "version", "attempt", "at", "line", "head"),
        [(*key, line.version, line.attempt, line.at, line.line, line.head) for key, line in lines],
    )
    insert_rows(
        connection,
        AUDIT_PERSONAL,
        (*_KEY, "version", "at", "salt", "address"),
        [(*key, line.version, line.at, line.salt, line.address) for key, line in lines],
    )


# Ended for another's sake by PostgreSQL, which found a circle or an order that cannot be; and
# a row that was not to be had in time.
_OTHERS_FIRST = frozenset({"40P01", "40001", "55P03"})


@contextmanager
def _others_first() -> Iterator[None]:
    """Say of a transaction that lost to others that it may be asked for again."""
    try:
        yield
    except Exception as error:
        # SQLAlchemy wraps the driver's error, but not that of a COPY.
        if getattr(getattr(error, "orig", error), "sqlstate", None) in _OTHERS_FIRST:
            raise EnrolledMeanwhile from None
        raise


_KEY = ("bucket", "user_code")
_WRITTEN = ("version", "enrolled_at", "head", *state_columns(State()))
_ACCESS_COLUMNS = (*_KEY, *_WRITTEN)
_TAKE_OVER = f"""
ON CONFLICT (bucket, user_code) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN)}
WHERE access.enrolled_at IS NULL AND access.version = excluded.version - 1
"""


def _access(row: NewCustomerRow) -> tuple[object, ...]:
    """The access row of a new customer."""
    state = State(stepped_at=row.line.at, old_code=row.old_code)
    line = row.line
    return (*row.key, line.version, line.at, line.head, *state_columns(state).values())


def _refused(connection: Connection, rows: Sequence[NewCustomerRow]) -> dict[int, Refusal]:
    """Which of *rows* cannot be written: for what is there, or stands before them."""
    keys = [row.key for row in rows]
    there = find_rows(connection, ACCESS, _KEY, ("version", "enrolled_at"), keys, hold=True)
    known = {(bucket, user_code): rest for bucket, user_code, *rest in there}
    pans = [(card.pan_hash, card.psn) for row in rows for card in row.cards]
    cards = set(find_rows(connection, PAN_INDEX, _PAN, (), pans))
    references = set(find_references(connection, [*filter(None, map(_reference, rows))]))
    given: set[Key] = set()
    refused = {}
    for place, row in enumerate(rows):
        version, enrolled_at = known.get(row.key, (0, None))
        own = [(card.pan_hash, card.psn) for card in row.cards]
        if row.key in given or enrolled_at is not None:
            refused[place] = Refusal.USER_CODE_TAKEN
        elif version != row.line.version - 1:
            refused[place] = Refusal.MOVED_ON
        elif len(set(own)) < len(own) or cards.intersection(own):
            refused[place] = Refusal.CARD_TAKEN
        elif _reference(row) in references:
            refused[place] = Refusal.REFERENCE_TAKEN
        else:
            given.add(row.key)
            cards.update(own)
            references.update(filter(None, [_reference(row)]))
    return refused


def _reference(row: NewCustomerRow) -> str | None:
    return None if row.details is None else row.details.reference


_PAN = ("pan_hash", "psn")
