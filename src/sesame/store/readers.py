"""Readers by their serial numbers: what is in stock, and where the others went.

A reader holds no secret and is bound to nobody: this is a ledger of things, and no login asks it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    SmallInteger,
    String,
    Table,
    bindparam,
    func,
    select,
    update,
)

from sesame.store.bulk import insert_rows
from sesame.store.cards import Key
from sesame.store.metadata import METADATA

STOCK, SENT, RETURNED, DISCARDED = "stock", "sent", "returned", "discarded"

READERS = Table(
    "readers",
    METADATA,
    Column("serial", String(40), primary_key=True),
    Column("model", String(40), nullable=False),
    Column("state", String(16), nullable=False),  # stock, sent, returned or discarded
    Column("bucket", SmallInteger),  # of whom it was sent to
    Column("user_code", String(8)),
    Column("changed_at", BigInteger, nullable=False),
    Index("readers_in_stock", "state", "model"),
    Index("readers_of_customer", "bucket", "user_code"),
    sqlite_with_rowid=False,
)


class ReaderRow(NamedTuple):
    """A reader: serial number and model as on its back."""

    serial: str
    model: str
    state: str
    bucket: int | None
    user_code: str | None
    changed_at: int


def add_readers(connection: Connection, readers: Sequence[tuple[str, str]], at: int) -> int:
    """Take readers (serial number, model) into stock; how many were not known yet."""
    rows = [(serial, model, STOCK, at) for serial, model in readers]
    columns = ("serial", "model", "state", "changed_at")
    return insert_rows(
        connection, READERS, columns, rows, otherwise="ON CONFLICT (serial) DO NOTHING"
    )


def readers_in_stock(connection: Connection, *, most: int) -> list[ReaderRow]:
    """Readers that can be sent, by model and serial number, at most *most*."""
    query = select(*_COLUMNS).where(READERS.c.state == STOCK)
    query = query.order_by(READERS.c.model, READERS.c.serial).limit(most)
    return [ReaderRow(*row) for row in connection.execute(query)]


def read_reader(connection: Connection, serial: str) -> ReaderRow | None:
    """The reader with that serial number."""
    row = connection.execute(select(*_COLUMNS).where(READERS.c.serial == serial)).first()
    return None if row is None else ReaderRow(*row)


def send_readers(connection: Connection, sent: Sequence[tuple[str, Key]], at: int) -> int:
    """Say whom readers are sent to, by serial number; how many were in stock still."""
    if not sent:
        return 0
    goes = update(READERS).where(READERS.c.serial == bindparam("which"), READERS.c.state == STOCK)
    goes = goes.values(
        state=SENT, bucket=bindparam("to_bucket"), user_code=bindparam("to_code"), changed_at=at
    )
    connection.execute(
        goes,
        [{"which": serial, "to_bucket": key[0], "to_code": key[1]} for serial, key in sent],
    )
    gone = select(func.count()).select_from(READERS)
    gone = gone.where(READERS.c.state == SENT, READERS.c.changed_at == at)
    return int(connection.execute(gone).scalar_one())


def move_reader(
    connection: Connection, serial: str, *, before: Sequence[str], after: str, at: int
) -> bool:
    """Take a reader from one of the states *before* to another; False where it is in none.

    In stock it is nobody's.
    """
    moved = update(READERS).where(READERS.c.serial == serial, READERS.c.state.in_(before))
    moved = moved.values(state=after, changed_at=at)
    if after == STOCK:
        moved = moved.values(bucket=None, user_code=None)
    return connection.execute(moved).rowcount == 1


def count_readers(connection: Connection) -> list[tuple[str, str, int]]:
    """How many readers there are, by model and state."""
    query = select(READERS.c.model, READERS.c.state, func.count())
    query = query.group_by(READERS.c.model, READERS.c.state).order_by(READERS.c.model)
    return [(model, state, int(count)) for model, state, count in connection.execute(query)]


_COLUMNS = [READERS.c[name] for name in ReaderRow._fields]
