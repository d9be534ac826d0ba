"""What an attempt reads and swaps: the one row per customer that decides.

Its two statements are a login's, so they are written by hand (docs/decisions/0001 and
0005). Moments are stored as microseconds since 1970-01-01 UTC.
"""

import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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


def _tries_of(side: str) -> tuple[Column[Any], ...]:
    """The columns of one side's tries."""
    return (
        Column(f"{side}_failures", SmallInteger, nullable=False),  # in a row
        Column(f"{side}_suspensions", SmallInteger, nullable=False),  # since the last success
        Column(f"{side}_suspended_until", BigInteger),
        # The latest failures' moments, newest first, 8 bytes each.
        Column(f"{side}_failed_at", LargeBinary, nullable=False),
        Column(f"{side}_refused", LargeBinary(16), nullable=False),  # attempt that failed last
    )


ACCESS = Table(
    "access",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("enrolled_at", BigInteger),  # null: nobody has this user code, somebody typed it
    *_tries_of("open"),
    *_tries_of("reserved"),
    Column("session_epoch", Integer, nullable=False),  # raised to end every session at once
    Column("head", LargeBinary(32), nullable=False),  # of the audit chain
    Column("stepped_at", BigInteger, nullable=False),  # never runs backwards
    Column("accepted", LargeBinary(16), nullable=False),  # the attempt that was accepted last
    Column("accepted_version", BigInteger, nullable=False),  # that it led to
    Column("signed_in_at", BigInteger),
    Column("old_code", String(255)),  # argon2id; erased by the first accepted code Sésame
    Column("replayed_at", BigInteger),  # when a code that was used already came again
    Column("rehearsal_failures", SmallInteger, nullable=False),  # of « premier essai »
    Column("rehearsal_failed_at", BigInteger),
    # What strangers left is found without a look at all customers.
    Index("access_of_strangers", "stepped_at", sqlite_where=text("enrolled_at IS NULL")),
    sqlite_with_rowid=False,
)

NO_HEAD = bytes(32)  # stands before a chain's first line
NO_ATTEMPT = bytes(16)
DEVICES_ASKED = 4  # of how many people who share a browser the devices are told apart
_NO_DEVICE = b""  # no hash is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """The tries of one side: what any browser may use, or what is kept for known devices."""

    failures: int = 0  # in a row
    suspensions: int = 0  # since the last success
    suspended_until: int | None = None
    failed_at: tuple[int, ...] = ()  # the latest failures, newest first
    refused: bytes = NO_ATTEMPT  # the attempt that failed last


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a step may change of an access row, besides its version and head."""

    open: Tries = Tries()
    reserved: Tries = Tries()
    session_epoch: int = 0
    stepped_at: int = 0
    accepted: bytes = NO_ATTEMPT
    accepted_version: int = 0
    signed_in_at: int | None = None
    old_code: str | None = field(default=None, repr=False)
    replayed_at: int | None = None
    rehearsal_failures: int = 0
    rehearsal_failed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """The access row as read, with the customer's cards; version 0 where there is none yet.

    `device_until`: until when the browser that asks is known; None where it is not.
    """

    user_code: str
    version: int = 0
    enrolled: bool = False
    head: bytes = NO_HEAD
    state: State = State()
    device_until: int | None = None
    cards: tuple[CardRow, ...] = ()

    @property
    def bucket(self) -> int:
        """The bucket of the row's key."""
        return bucket_of(self.user_code)


@dataclass(frozen=True, slots=True)
class AccessQuestion:
    """Which row to read, and the hashes (32 bytes each) of the devices that ask, at most four."""

    user_code: str
    devices: tuple[bytes, ...] = ()


# The row, whether the browser is known, and the cards, in one statement. A user code that
# nobody has reads alike.
_READ_ACCESS = """
SELECT (SELECT max(expires_at) FROM devices
        WHERE devices.bucket = access.bucket AND devices.user_code = access.user_code
          AND device_hash IN (?, ?, ?, ?)),
       version, enrolled_at IS NOT NULL, head,
       open_failures, open_suspensions, open_suspended_until, open_failed_at, open_refused,
       reserved_failures, reserved_suspensions, reserved_suspended_until, reserved_failed_at,
       reserved_refused,
       session_epoch, stepped_at, accepted, accepted_version, signed_in_at, old_code,
       replayed_at, rehearsal_failures, rehearsal_failed_at,
       card_number, state, profile, sealed, last_atc
FROM access LEFT JOIN cards USING (bucket, user_code)
WHERE access.bucket = ? AND access.user_code = ?
ORDER BY card_number
"""
_CARD_AT = 23  # in that row

# Compare-and-swap, so that of two guesses that read the same row only one is written. A
# user code that nobody has gets its row by the same statement; a row that was read and
# has gone meanwhile does not come back.
_SWAP_ACCESS = """
INSERT INTO access (bucket, user_code, version, head,
    open_failures, open_suspensions, open_suspended_until, open_failed_at, open_refused,
    reserved_failures, reserved_suspensions, reserved_suspended_until, reserved_failed_at,
    reserved_refused,
    session_epoch, stepped_at, accepted, accepted_version, signed_in_at, old_code,
    replayed_at, rehearsal_failures, rehearsal_failed_at)
SELECT :bucket, :user_code, :read_version + 1, :head,
    :open_failures, :open_suspensions, :open_suspended_until, :open_failed_at, :open_refused,
    :reserved_failures, :reserved_suspensions, :reserved_suspended_until, :reserved_failed_at,
    :reserved_refused,
    :session_epoch, :stepped_at, :accepted, :accepted_version, :signed_in_at, :old_code,
    :replayed_at, :rehearsal_failures, :rehearsal_failed_at
WHERE :read_version = 0 OR EXISTS (
    SELECT 1 FROM access WHERE bucket = :bucket AND user_code = :user_code
                           AND version = :read_version)
ON CONFLICT (bucket, user_code) DO UPDATE
SET version = excluded.version, head = excluded.head,
    open_failures = excluded.open_failures, open_suspensions = excluded.open_suspensions,
    open_suspended_until = excluded.open_suspended_until,
    open_failed_at = excluded.open_failed_at, open_refused = excluded.open_refused,
    reserved_failures = excluded.reserved_failures,
    reserved_suspensions = excluded.reserved_suspensions,
    reserved_suspended_until = excluded.reserved_suspended_until,
    reserved_failed_at = excluded.reserved_failed_at,
    reserved_refused = excluded.reserved_refused,
    session_epoch = excluded.session_epoch, stepped_at = excluded.stepped_at,
    accepted = excluded.accepted, accepted_version = excluded.accepted_version,
    signed_in_at = excluded.signed_in_at, old_code = excluded.old_code,
    replayed_at = excluded.replayed_at, rehearsal_failures = excluded.rehearsal_failures,
    rehearsal_failed_at = excluded.rehearsal_failed_at
WHERE access.version = :read_version
"""


def read_group(connection: sqlite3.Connection, asked: Sequence[AccessQuestion]) -> list[Access]:
    """Read the access rows that are *asked* for, each with its cards."""
    return [_read_one(connection, question) for question in asked]


def swap_row(  # noqa: PLR0913 -- a key, a version, and what becomes of the row
    connection: sqlite3.Connection,
    bucket: int,
    user_code: str,
    *,
    read_version: int,
    head: bytes,
    state: State,
) -> bool:
    """Take an access row from *read_version* to the next; False where somebody was faster."""
    row = {
        "bucket": bucket,
        "user_code": user_code,
        "read_version": read_version,
        "head": head,
        **state_columns(state),
    }
    return connection.execute(_SWAP_ACCESS, row).rowcount == 1


def state_columns(state: State) -> Mapping[str, object]:
    """*state* as the row's columns."""
    opened, reserved = state.open, state.reserved
    return {
        "open_failures": opened.failures,
        "open_suspensions": opened.suspensions,
        "open_suspended_until": opened.suspended_until,
        "open_failed_at": _packed(opened.failed_at),
        "open_refused": opened.refused,
        "reserved_failures": reserved.failures,
        "reserved_suspensions": reserved.suspensions,
        "reserved_suspended_until": reserved.suspended_until,
        "reserved_failed_at": _packed(reserved.failed_at),
        "reserved_refused": reserved.refused,
        "session_epoch": state.session_epoch,
        "stepped_at": state.stepped_at,
        "accepted": state.accepted,
        "accepted_version": state.accepted_version,
        "signed_in_at": state.signed_in_at,
        "old_code": state.old_code,
        "replayed_at": state.replayed_at,
        "rehearsal_failures": state.rehearsal_failures,
        "rehearsal_failed_at": state.rehearsal_failed_at,
    }


def delete_stranger_rows(connection: Connection, *, untouched_since: int) -> None:
    """Forget what happened long ago on user codes that nobody has.

    With the rows go their lines, all of them older: a row that begins anew counts its
    versions from 1 again.
    """
    delete_stranger_lines(connection, before=untouched_since)
    connection.execute(
        delete(ACCESS).where(ACCESS.c.enrolled_at.is_(None), ACCESS.c.stepped_at < untouched_since)
    )


def _read_one(connection: sqlite3.Connection, asked: AccessQuestion) -> Access:
    user_code = asked.user_code
    devices = (*asked.devices, *[_NO_DEVICE] * (DEVICES_ASKED - len(asked.devices)))
    parameters = (*devices, bucket_of(user_code), user_code)
    rows = connection.execute(_READ_ACCESS, parameters).fetchall()
    if not rows:
        return Access(user_code)
    device_until, version, enrolled, head, *columns = rows[0][:_CARD_AT]
    opened, reserved, rest = columns[:5], columns[5:10], columns[10:]
    epoch, at, accepted, accepted_version, signed_in_at, old_code, replayed_at, *rehearsal = rest
    return Access(
        user_code=user_code,
        version=version,
        enrolled=bool(enrolled),
        head=head,
        state=State(
            open=_tries(*opened),
            reserved=_tries(*reserved),
            session_epoch=epoch,
            stepped_at=at,
            accepted=accepted,
            accepted_version=accepted_version,
            signed_in_at=signed_in_at,
            old_code=old_code,
            replayed_at=replayed_at,
            rehearsal_failures=rehearsal[0],
            rehearsal_failed_at=rehearsal[1],
        ),
        device_until=device_until,
        cards=tuple(CardRow(*row[_CARD_AT:]) for row in rows if row[_CARD_AT] is not None),
    )


def _tries(
    failures: int, suspensions: int, until: int | None, failed_at: bytes, refused: bytes
) -> Tries:
    return Tries(
        failures=failures,
        suspensions=suspensions,
        suspended_until=until,
        failed_at=struct.unpack(f">{len(failed_at) // 8}q", failed_at),
        refused=refused,
    )


def _packed(moments: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(moments)}q", *moments)
