"""Days on which the help line has other hours than its week: what officers set beforehand."""

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, insert, select

from sesame.store.approvals import Move, Signer, take_moves
from sesame.store.metadata import METADATA
from sesame.store.staff import has_right

CLOSURES = Table(
    "closures",
    METADATA,
    Column("day", String(10), primary_key=True),  # ISO 8601, in the institution's time zone
    Column("opens", String(5)),  # "09:30"; null: closed all day
    Column("closes", String(5)),
    Column("reason", String(200), nullable=False),
    Column("set_by", String(8), nullable=False),
    Column("set_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class ClosureRow(NamedTuple):
    """Such a day, its moment as in rows."""

    day: str
    opens: str | None
    closes: str | None
    reason: str
    set_by: str
    set_at: int


_COLUMNS = [CLOSURES.c[name] for name in ClosureRow._fields]


def list_closures(connection: Connection, *, since: str, most: int) -> list[ClosureRow]:
    """The days from the day *since* on (ISO 8601), the next first."""
    query = select(*_COLUMNS).where(CLOSURES.c.day >= since).order_by(CLOSURES.c.day).limit(most)
    return [ClosureRow(*row) for row in connection.execute(query)]


def set_closure(connection: Connection, row: ClosureRow, by: Signer, move: Move) -> bool:
    """Give a day its hours, in place of those that it had; False where *by* has no right.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return False
    take_moves(connection, [move])  # of two at a time one waits here, or plans again
    connection.execute(delete(CLOSURES).where(CLOSURES.c.day == row.day))
    connection.execute(insert(CLOSURES).values(row._asdict()))
    return True


def take_closure_back(connection: Connection, day: str, by: Signer, move: Move) -> bool | None:
    """Give a day its usual hours again; None where *by* has no right, False where it has them.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return None
    if connection.execute(delete(CLOSURES).where(CLOSURES.c.day == day)).rowcount != 1:
        return False
    take_moves(connection, [move])
    return True
