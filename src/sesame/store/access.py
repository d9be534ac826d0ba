"""What an attempt reads and swaps: the one row per customer that decides.

Its two statements are a login's, so they are written by hand (docs/decisions/0001 and
0005). Moments are stored as microseconds since 1970-01-01 UTC.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    delete,
    text,
)

from sesame.store.audit import delete_stranger_lines
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardRow
from sesame.store.metadata import METADATA

ACCESS = Table(
    "access",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("enrolled_at", BigInteger),  # null: nobody has this user code, somebody typed it
    Column("failures", SmallInteger, nullable=False),  # in a row
    Column("suspended_until", BigInteger),
    Column("session_epoch", Integer, nullable=False),  # raised to end every session at once
    Column("head", LargeBinary(32), nullable=False),  # of the audit chain
    Column("stepped_at", BigInteger, nullable=False),  # never runs backwards
    Column("last_attempt", LargeBinary(16), nullable=False),  # which the last step settled
    Column("last_accepted", SmallInteger, nullable=False),  # 1 where that one was accepted
    Column("signed_in_at", BigInteger),
    Column("old_code", String(255)),  # argon2id; erased by the first accepted code
    # What strangers left is found without a look at all customers.
    Index("access_of_strangers", "stepped_at", sqlite_where=text("enrolled_at IS NULL")),
    sqlite_with_rowid=False,
)

NO_HEAD = bytes(32)  # stands before a chain's first line
NO_ATTEMPT = bytes(16)


@dataclass(frozen=True, slots=True)
class Access:
    """The access row as read, with the customer's cards; version 0 where there is none yet."""

    user_code: str
    version: int = 0
    enrolled: bool = False
    failures: int = 0
    suspended_until: int | None = None
    session_epoch: int = 0
    head: bytes = NO_HEAD
    stepped_at: int = 0
    last_attempt: bytes = NO_ATTEMPT
    last_accepted: bool = False
    signed_in_at: int | None = None
    cards: tuple[CardRow, ...] = ()

    @property
    def bucket(self) -> int:
        """The bucket of the row's key."""
        return bucket_of(self.user_code)


# The row and its cards in one statement. A user code that nobody has reads alike.
_READ_ACCESS = """
SELECT version, enrolled_at IS NOT NULL, failures, suspended_until, session_epoch, head,
       stepped_at, last_attempt, last_accepted, signed_in_at,
       card_number, state, profile, sealed, last_atc
FROM access LEFT JOIN cards USING (bucket, user_code)
WHERE access.bucket = ? AND access.user_code = ?
ORDER BY card_number
"""

# Compare-and-swap, so that of two guesses that read the same row only one is written. A
# user code that nobody has gets its row by the same statement; a row that was read and
# has gone meanwhile does not come back.
_SWAP_ACCESS = """
INSERT INTO access (bucket, user_code, version, failures, suspended_until, session_epoch,
                    head, stepped_at, last_attempt, last_accepted)
SELECT :bucket, :user_code, :read_version + 1, :failures, :suspended_until, 0,
       :head, :at, :attempt, :accepted
WHERE :read_version = 0 OR EXISTS (
    SELECT 1 FROM access WHERE bucket = :bucket AND user_code = :user_code
                           AND version = :read_version)
ON CONFLICT (bucket, user_code) DO UPDATE
SET version = excluded.version, failures = excluded.failures,
    suspended_until = excluded.suspended_until, head = excluded.head,
    stepped_at = excluded.stepped_at, last_attempt = excluded.last_attempt,
    last_accepted = excluded.last_accepted,
    signed_in_at = CASE WHEN :accepted THEN :at ELSE signed_in_at END,
    old_code = CASE WHEN :accepted THEN NULL ELSE old_code END
WHERE access.version = :read_version
"""


def read_group(connection: sqlite3.Connection, user_codes: Sequence[str]) -> list[Access]:
    """Read the access rows of *user_codes*, each with its cards."""
    return [_read_one(connection, user_code) for user_code in user_codes]


def swap_row(connection: sqlite3.Connection, row: Mapping[str, object]) -> bool:
    """Take an access row from `read_version` to the next; False where somebody was faster.

    *row* holds the parameters of the statement above, by name.
    """
    return connection.execute(_SWAP_ACCESS, row).rowcount == 1


def delete_stranger_rows(connection: Connection, *, untouched_since: int) -> None:
    """Forget what happened long ago on user codes that nobody has.

    With the rows go their lines, all of them older: a row that begins anew counts its
    versions from 1 again.
    """
    delete_stranger_lines(connection, before=untouched_since)
    connection.execute(
        delete(ACCESS).where(ACCESS.c.enrolled_at.is_(None), ACCESS.c.stepped_at < untouched_since)
    )


def _read_one(connection: sqlite3.Connection, user_code: str) -> Access:
    rows = connection.execute(_READ_ACCESS, (bucket_of(user_code), user_code)).fetchall()
    if not rows:
        return Access(user_code)
    version, enrolled, failures, until, epoch, head, at, attempt, accepted, signed_in, *_ = rows[0]
    return Access(
        user_code=user_code,
        version=version,
        enrolled=bool(enrolled),
        failures=failures,
        suspended_until=until,
        session_epoch=epoch,
        head=head,
        stepped_at=at,
        last_attempt=attempt,
        last_accepted=bool(accepted),
        signed_in_at=signed_in,
        cards=tuple(CardRow(*row[10:]) for row in rows if row[10] is not None),
    )
