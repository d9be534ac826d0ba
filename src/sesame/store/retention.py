"""Where pruned chains begin, who is under legal hold, and what the rule may take away.

Statements of the pruner and of those who set holds; a login knows none of it
(docs/decisions/0029).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.bulk import find_rows, insert_rows
from sesame.store.chains import Key, as_bytes, behind
from sesame.store.metadata import METADATA

# The last line that was pruned of a chain: the one before the first that is there.
AUDIT_ANCHORS = Table(
    "audit_anchors",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("at", BigInteger, nullable=False),  # when it was pruned
    Column("signature", LargeBinary(64), nullable=False),  # by the key that seals
    sqlite_with_rowid=False,
)

# Never deleted: a hold that was lifted says when, by whom and why.
LEGAL_HOLDS = Table(
    "legal_holds",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("user_code", String(8), nullable=False),  # empty: everybody
    Column("from_at", BigInteger),  # of everybody: what happened from then …
    Column("until_at", BigInteger),  # … until then; null: no such bound
    Column("set_at", BigInteger, nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", String(80)),
    Column("lifted_reason", String(200)),
    sqlite_with_rowid=False,
)


class AnchorRow(NamedTuple):
    """Version and hash of the last line that was pruned of a chain, signed."""

    bucket: int
    user_code: str
    version: int
    head: bytes  # 32 bytes
    at: int  # when, in microseconds since 1970-01-01 UTC
    signature: bytes  # 64 bytes


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold: of one customer, or of everybody for what happened in a period."""

    number: int = 0
    user_code: str = ""  # empty: everybody
    from_at: int | None = None
    until_at: int | None = None
    set_at: int
    set_by: str
    reason: str
    lifted_at: int | None = None
    lifted_by: str | None = None
    lifted_reason: str | None = None


class OldestLine(NamedTuple):
    """A customer, the last accepted version, and when the first line that is there was written."""

    bucket: int
    user_code: str
    accepted_version: int
    first_at: int | None  # None: no line is there


class PersonalKey(NamedTuple):
    """Which values a line commits to, and when they were written."""

    bucket: int
    user_code: str
    version: int
    at: int


def find_anchors(connection: Connection, keys: Sequence[Key]) -> dict[str, AnchorRow]:
    """The anchors of the customers at *keys*, by user code."""
    wanted = ("version", "head", "at", "signature")
    rows = find_rows(connection, AUDIT_ANCHORS, ("bucket", "user_code"), wanted, keys)
    return {
        code: AnchorRow(bucket, code, version, as_bytes(head), at, as_bytes(signature))
        for bucket, code, version, head, at, signature in rows
    }


def read_oldest(connection: Connection, *, after: Key, most: int) -> list[OldestLine]:
    """The customers behind the key *after*, in order, each with the moment of their first line."""
    first = (
        select(AUDIT_LINES.c.at)
        .where(AUDIT_LINES.c.bucket == ACCESS.c.bucket)
        .where(AUDIT_LINES.c.user_code == ACCESS.c.user_code)
        .order_by(AUDIT_LINES.c.version)
        .limit(1)
        .scalar_subquery()
    )
    query = select(ACCESS.c.bucket, ACCESS.c.user_code, ACCESS.c.accepted_version, first)
    query = query.where(behind(ACCESS, after), ACCESS.c.enrolled_at.is_not(None))
    query = query.order_by(ACCESS.c.bucket, ACCESS.c.user_code).limit(most)
    return [OldestLine(*row) for row in connection.execute(query)]


def old_personal(
    connection: Connection, *, after: tuple[int, str, int], last: Key, before: int, most: int
) -> list[PersonalKey]:
    """The values behind the key *after*, up to the customer *last*, older than *before*."""
    columns = AUDIT_PERSONAL.c
    query = select(columns.bucket, columns.user_code, columns.version, columns.at)
    query = query.where(behind(AUDIT_PERSONAL, after), ~behind(AUDIT_PERSONAL, last))
    query = query.where(columns.at < before)
    query = query.order_by(columns.bucket, columns.user_code, columns.version).limit(most)
    return [PersonalKey(*row) for row in connection.execute(query)]


def cut_chains(
    connection: Connection, anchors: Sequence[AnchorRow], *, holds: Sequence[HoldRow]
) -> bool:
    """Take away the lines up to each of *anchors*, which stay in their place.

    False, and nothing is done, where *holds* are no longer those that there are.
    """
    if active_holds(connection) != list(holds):
        return False
    furthest = {anchor.user_code: anchor for anchor in sorted(anchors)}
    insert_rows(
        connection, AUDIT_ANCHORS, AnchorRow._fields, list(furthest.values()), otherwise=_FURTHER
    )
    columns = AUDIT_LINES.c
    prefix = delete(AUDIT_LINES).where(
        columns.bucket == bindparam("of_bucket"),
        columns.user_code == bindparam("of_user_code"),
        columns.version <= bindparam("of_version"),
    )
    connection.execute(prefix, [_named(anchor) for anchor in furthest.values()])
    return True


# Unless another pruner got further.
_FURTHER = """
ON CONFLICT (bucket, user_code) DO UPDATE
SET version = excluded.version, head = excluded.head, at = excluded.at,
    signature = excluded.signature
WHERE audit_anchors.version < excluded.version
"""


def _named(row: AnchorRow | PersonalKey) -> dict[str, object]:
    return {"of_bucket": row.bucket, "of_user_code": row.user_code, "of_version": row.version}


def erase_personal(
    connection: Connection, keys: Sequence[PersonalKey], *, holds: Sequence[HoldRow]
) -> bool:
    """Erase the values at *keys*; False, and nothing is done, where *holds* are others by now."""
    if active_holds(connection) != list(holds):
        return False
    columns = AUDIT_PERSONAL.c
    statement = delete(AUDIT_PERSONAL).where(
        columns.bucket == bindparam("of_bucket"),
        columns.user_code == bindparam("of_user_code"),
        columns.version == bindparam("of_version"),
    )
    connection.execute(statement, [_named(key) for key in keys])
    return True


def active_holds(connection: Connection) -> list[HoldRow]:
    """The legal holds that nobody has lifted, by number."""
    return [hold for hold in read_holds(connection) if hold.lifted_at is None]


def read_holds(connection: Connection) -> list[HoldRow]:
    """Every legal hold that ever was, by number."""
    rows = connection.execute(select(LEGAL_HOLDS).order_by(LEGAL_HOLDS.c.number))
    return [HoldRow(**row._mapping) for row in rows]  # noqa: SLF001 -- SQLAlchemy's public name


def add_hold(connection: Connection, hold: HoldRow) -> int:
    """Write *hold* down; the number that it gets."""
    latest = connection.execute(select(func.max(LEGAL_HOLDS.c.number))).scalar() or 0
    values = msgspec.structs.asdict(hold) | {"number": latest + 1}
    connection.execute(insert(LEGAL_HOLDS).values(**values))
    return int(latest) + 1


def lift_hold(connection: Connection, number: int, *, at: int, by: str, reason: str) -> bool:
    """Lift hold *number*; False where there is none, or it was lifted before."""
    statement = update(LEGAL_HOLDS).where(
        LEGAL_HOLDS.c.number == number, LEGAL_HOLDS.c.lifted_at.is_(None)
    )
    values = {"lifted_at": at, "lifted_by": by, "lifted_reason": reason}
    return connection.execute(statement.values(**values)).rowcount == 1
