"""Limits of the desk that two persons changed: which, to what, and by which request."""

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    select,
)

from sesame.store.chains import as_bytes
from sesame.store.metadata import METADATA

# Never changed nor deleted: the last one of a name holds, and an auditor looks at all.
LIMIT_CHANGES = Table(
    "limit_changes",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1, 2 … of that name
    Column("value", Integer, nullable=False),  # in the unit of that limit
    Column("at", BigInteger, nullable=False),
    Column("request", LargeBinary(16), nullable=False),  # by which two agreed to it
    Index("limit_changes_by_request", "request", unique=True),
    sqlite_with_rowid=False,
)


class LimitChangeRow(NamedTuple):
    """A change, its moment as in rows."""

    name: str
    number: int
    value: int
    at: int
    request: bytes


_COLUMNS = [LIMIT_CHANGES.c[name] for name in LimitChangeRow._fields]


def read_limit_changes(connection: Connection) -> list[LimitChangeRow]:
    """All changes that there ever were, by name, in their order."""
    query = select(*_COLUMNS).order_by(LIMIT_CHANGES.c.name, LIMIT_CHANGES.c.number)
    rows = [LimitChangeRow(*row) for row in connection.execute(query)]
    # Somebody who was at the file of an SQLite database may have left a request of any type.
    return [row._replace(request=as_bytes(row.request)) for row in rows]


def add_limit_change(
    connection: Connection, name: str, value: int, *, request: bytes, at: int
) -> None:
    """Have the limit *name* be *value* from now on; behind a step that all such changes take."""
    last = select(func.max(LIMIT_CHANGES.c.number)).where(LIMIT_CHANGES.c.name == name)
    number = (connection.execute(last).scalar() or 0) + 1
    row = LimitChangeRow(name, number, value, at, request)
    connection.execute(insert(LIMIT_CHANGES).values(row._asdict()))
