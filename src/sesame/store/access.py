"""What an attempt reads and swaps: the one row per customer that decides.

Its two statements are a login's, so they are written by hand for each database
(docs/decisions/0001, 0005 and 0020): `sesame.store.sqlite_login` and
`sesame.store.postgresql_login`. Moments are stored as microseconds since 1970-01-01 UTC.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
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
    exists,
    select,
    text,
)

from sesame.store.audit import STRANGER_LINES, delete_stranger_lines
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardRow
from sesame.store.forgetting import forget
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
    # What strangers left is found without a look at all customers. On PostgreSQL no index may
    # stand on a column that a step changes, or each login writes every index of the row anew.
    Index("access_of_strangers", "stepped_at", sqlite_where=text("enrolled_at IS NULL")).ddl_if(
        dialect="sqlite"
    ),
    Index(
        "access_nobodys", "bucket", "user_code", postgresql_where=text("enrolled_at IS NULL")
    ).ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)

NO_HEAD = bytes(32)  # stands before a chain's first line
NO_ATTEMPT = bytes(16)
DEVICES_ASKED = 4  # of how many people who share a browser the devices are told apart


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """The tries of one side: what any browser may use, or what is kept for known devices."""

    failures: int = 0  # in a row
    suspensions: int = 0  # since the last success
    suspended_until: int | None = None
    failed_at: tuple[int, ...] = ()  # the latest failures, newest first
    refused: bytes = NO_ATTEMPT  # the attempt that failed last


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a step may change of an access row, besides its version and head."""

    open: Tries = Tries()
    reserved: Tries = Tries()
    session_epoch: int = 0
    stepped_at: int = 0
    accepted: bytes = NO_ATTEMPT
    accepted_version: int = 0
    signed_in_at: int | None = None
    old_code: str | None = None  # argon2id; not printed
    replayed_at: int | None = None
    rehearsal_failures: int = 0
    rehearsal_failed_at: int | None = None

    def __repr__(self) -> str:
        shown = (name for name in self.__struct_fields__ if name != "old_code")
        return f"State({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class Access(msgspec.Struct, frozen=True):
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

    @property
    def bucket(self) -> int:
        """The bucket of the row's key."""
        return bucket_of(self.user_code)


# What both databases read of a row and its cards, in the order of `access_of`.
READ_COLUMNS = """
       version, enrolled_at IS NOT NULL, head,
       open_failures, open_suspensions, open_suspended_until, open_failed_at, open_refused,
       reserved_failures, reserved_suspensions, reserved_suspended_until, reserved_failed_at,
       reserved_refused,
       session_epoch, stepped_at, accepted, accepted_version, signed_in_at, old_code,
       replayed_at, rehearsal_failures, rehearsal_failed_at,
       card_number, state, profile, sealed, last_atc,
       cards.generation = (SELECT now.generation FROM incarnation AS now WHERE now.id = 1)
"""
_CARD_AT = 23  # in a row that begins with `device_until`


def access_of(user_code: str, rows: Sequence[Sequence[Any]]) -> Access:
    """The access row that was read in *rows*, one a card: `device_until`, then `READ_COLUMNS`."""
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


def hold_row(connection: Connection, bucket: int, user_code: str) -> bool:
    """Hold an access row until the transaction ends; whether there is one.

    A step of it that is on its way into a commit is waited for. On PostgreSQL the transaction
    becomes one that writes: when its own commit is answered, the standby has all that was
    committed before.
    """
    row = select(ACCESS.c.version).where(ACCESS.c.bucket == bucket, ACCESS.c.user_code == user_code)
    return connection.execute(row.with_for_update(key_share=True)).first() is not None


def names_attempt(connection: Connection, bucket: int, user_code: str, attempt: bytes) -> bool:
    """Whether *attempt* is the one that was accepted last, or refused last on either side."""
    row = select(ACCESS.c.accepted, ACCESS.c.open_refused, ACCESS.c.reserved_refused)
    row = row.where(ACCESS.c.bucket == bucket, ACCESS.c.user_code == user_code)
    return attempt in (connection.execute(row).first() or ())


def delete_stranger_rows(connection: Connection, *, untouched_since: int) -> int:
    """Forget what happened long ago on user codes that nobody has; how many rows that were.

    With the rows go their lines, all of them older: a row that begins anew counts its
    versions from 1 again, so it stays for as long as a line does.
    """
    lines = delete_stranger_lines(connection, before=untouched_since)
    of_row = (STRANGER_LINES.c.bucket == ACCESS.c.bucket) & (
        STRANGER_LINES.c.user_code == ACCESS.c.user_code
    )
    old = ACCESS.c.enrolled_at.is_(None) & (ACCESS.c.stepped_at < untouched_since)
    return lines + forget(connection, ACCESS, old & ~exists().where(of_row))


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
