"""Customers: who has a user code."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    SmallInteger,
    String,
    Table,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite

from sesame.store.access import ACCESS, State, state_columns
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL, AuditRow
from sesame.store.cards import NewCardRow, insert_card
from sesame.store.metadata import METADATA

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
    old_code: str | None  # argon2id
    cards: Sequence[NewCardRow]
    line: AuditRow  # the first of the customer's chain


def insert_customer(connection: Connection, row: NewCustomerRow) -> bool:
    """Write a customer with their cards; False where the user code is somebody's already.

    The state that strangers left on a user code that nobody had is taken over clean.

    Raises:
        DuplicateCard: a card's PAN and PSN are somebody's already.
    """
    fresh = {
        "version": row.line.version,
        "enrolled_at": row.line.at,
        "head": row.line.head,
        **state_columns(State(stepped_at=row.line.at, old_code=row.old_code)),
    }
    key = {"bucket": row.bucket, "user_code": row.user_code}
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    taken_over = connection.execute(
        upsert(ACCESS)
        .values(**key, **fresh)
        .on_conflict_do_update(
            index_elements=[ACCESS.c.bucket, ACCESS.c.user_code],
            set_=fresh,
            where=ACCESS.c.enrolled_at.is_(None) & (ACCESS.c.version < row.line.version),
        )
    )
    if taken_over.rowcount != 1:
        return False
    at = row.line.at
    connection.execute(
        insert(CUSTOMERS).values(name=row.name, language=row.language, created_at=at, **key)
    )
    for card in row.cards:
        insert_card(connection, row.bucket, row.user_code, card, at)
    connection.execute(
        insert(AUDIT_LINES).values(
            version=row.line.version,
            attempt=row.line.attempt,
            at=at,
            line=row.line.line,
            head=row.line.head,
            **key,
        )
    )
    connection.execute(
        insert(AUDIT_PERSONAL).values(
            version=row.line.version, at=at, salt=row.line.salt, address=row.line.address, **key
        )
    )
    return True
