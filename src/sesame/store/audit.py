"""Audit lines: one a step, each with the hash of the one before (docs/decisions/0012).

What a line says and how it is encoded is the bank's business; here it is bytes.
"""

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    select,
)

from sesame.store.forgetting import forget
from sesame.store.metadata import METADATA


def _lines(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("bucket", SmallInteger, primary_key=True),
        Column("user_code", String(8), primary_key=True),
        Column("version", BigInteger, primary_key=True),  # of the access row it led to
        Column("attempt", LargeBinary(16), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("line", LargeBinary, nullable=False),
        Column("head", LargeBinary(32), nullable=False),  # the line's hash
        sqlite_with_rowid=False,
    )


AUDIT_LINES = _lines("audit_lines")
# How a sealer finds the lines of the last minutes (docs/decisions/0026). On PostgreSQL it is one
# that a login does not maintain.
Index(
    "audit_lines_by_moment",
    AUDIT_LINES.c.at,
    postgresql_using="brin",
    postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
)
# Attempts on user codes that nobody has: the same columns and cost, but no chain to keep.
STRANGER_LINES = _lines("stranger_lines")


def _personal(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("bucket", SmallInteger, primary_key=True),
        Column("user_code", String(8), primary_key=True),
        Column("version", BigInteger, primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("salt", LargeBinary(16), nullable=False),
        Column("address", String(64), nullable=False),  # where the attempt came from
        sqlite_with_rowid=False,
    )


# What a line commits to by salted hash; rows here can be erased and the chain still holds.
AUDIT_PERSONAL = _personal("audit_personal")
STRANGER_PERSONAL = _personal("stranger_personal")


class AuditRow(msgspec.Struct, frozen=True):
    """A line ready to be written, with the personal values that it commits to."""

    version: int
    attempt: bytes  # 16 bytes
    at: int
    line: bytes
    head: bytes  # 32 bytes
    salt: bytes  # 16 bytes
    address: str

    def __repr__(self) -> str:
        """Without line, salt and address: they are the auditors' to read."""
        return f"AuditRow({self.version})"


def read_lines(
    connection: Connection, bucket: int, user_code: str
) -> list[tuple[int, bytes, bytes]]:
    """Read a customer's chain in order: version, line, head."""
    rows = connection.execute(
        select(AUDIT_LINES.c.version, AUDIT_LINES.c.line, AUDIT_LINES.c.head)
        .where(AUDIT_LINES.c.bucket == bucket, AUDIT_LINES.c.user_code == user_code)
        .order_by(AUDIT_LINES.c.version)
    )
    return [(version, line, head) for version, line, head in rows]


def has_line(
    connection: Connection, bucket: int, user_code: str, row: AuditRow, *, enrolled: bool
) -> bool:
    """Whether *row*, and no other of its version, was written: its salt makes it unlike any."""
    table = AUDIT_LINES if enrolled else STRANGER_LINES
    head = connection.execute(
        select(table.c.head).where(
            table.c.bucket == bucket,
            table.c.user_code == user_code,
            table.c.version == row.version,
        )
    ).scalar()
    return head == row.head


def attempt_of(connection: Connection, bucket: int, user_code: str, version: int) -> bytes | None:
    """The id of the attempt that took a customer's row to *version*."""
    attempt: bytes | None = connection.execute(
        select(AUDIT_LINES.c.attempt).where(
            AUDIT_LINES.c.bucket == bucket,
            AUDIT_LINES.c.user_code == user_code,
            AUDIT_LINES.c.version == version,
        )
    ).scalar()
    return attempt


def delete_stranger_lines(connection: Connection, *, before: int) -> int:
    """Forget the lines about user codes that nobody has, written before the moment *before*.

    Returns how many rows that were, of both tables.
    """
    return sum(
        forget(connection, table, table.c.at < before, shared=False)
        for table in (STRANGER_LINES, STRANGER_PERSONAL)
    )


def cap_stranger_lines(connection: Connection, *, most: int) -> int:
    """Forget the oldest lines about user codes that nobody has, beyond *most*; how many."""
    kept_from = connection.execute(
        select(STRANGER_LINES.c.at).order_by(STRANGER_LINES.c.at.desc()).offset(most).limit(1)
    ).scalar()
    return 0 if kept_from is None else delete_stranger_lines(connection, before=kept_from + 1)
