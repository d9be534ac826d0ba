"""Many rows by one statement, on either database.

For what writes a whole batch, as enrolment does. PostgreSQL is a round trip away and gets an
array a column; SQLite is in the process and gets a row at a time.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Join,
    String,
    Table,
    and_,
    exists,
    literal,
    literal_column,
    select,
)

Values = tuple[object, ...]


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Values],
    *,
    otherwise: str = "",
) -> int:
    """Insert *rows* of *columns*, and return how many were written.

    *otherwise* is an ON CONFLICT clause; without one, a row that is there fails them all.
    """
    if not rows:
        return 0
    into = f"INSERT INTO {table.name} ({', '.join(columns)})"
    if connection.dialect.name == "postgresql":
        if not otherwise:
            return _copy(connection, table, columns, rows)
        arrays = _arrays(connection, table, columns)
        statement = f"{into} SELECT * FROM unnest({arrays}) {otherwise}"  # noqa: S608 -- columns
        return connection.exec_driver_sql(statement, _by_column(rows)).rowcount
    marks = ", ".join("?" * len(columns))
    return connection.exec_driver_sql(f"{into} VALUES ({marks}) {otherwise}", list(rows)).rowcount


def find_rows(  # noqa: PLR0913 -- what is asked of which table
    connection: Connection,
    table: Table,
    key: Sequence[str],
    wanted: Sequence[str],
    asked: Sequence[Values],
    *,
    hold: bool = False,
) -> list[tuple[Any, ...]]:
    """The rows whose *key* columns are one of *asked*: the key, then the columns *wanted*.

    With *hold* they are locked, in key order (as Python sorts), until the transaction ends.
    """
    if not asked:
        return []
    columns = ", ".join([f"{table.name}.{name}" for name in (*key, *wanted)])
    if connection.dialect.name == "postgresql":
        arrays, names = _arrays(connection, table, key), ", ".join(key)
        order = ", ".join(_by_bytes(table, name) for name in key)
        locked = f"ORDER BY {order} FOR NO KEY UPDATE OF {table.name}" if hold else ""
        statement = (
            f"SELECT {columns} FROM unnest({arrays}) AS asked({names}) "  # noqa: S608 -- columns
            f"JOIN {table.name} USING ({names}) {locked}"
        )
        found = connection.exec_driver_sql(statement, _by_column(asked))
        return [tuple(row) for row in found]
    where = " AND ".join(f"{name} = ?" for name in key)
    statement = f"SELECT {columns} FROM {table.name} WHERE {where}"  # noqa: S608 -- columns
    return [
        tuple(row) for one in asked for row in connection.exec_driver_sql(statement, one).fetchall()
    ]


def there_is(*where: ColumnElement[bool]) -> Exists:
    """Whether there is a row so; it asks for no column, which a role might not see."""
    return exists(select(literal(1)).where(*where))


def at_least_a_row(table: Table, *which: ColumnElement[bool]) -> Join:
    """What to select from to get the rows of *table* for which *which* holds, or one of nulls.

    For questions that strangers can have asked: the first row that comes of the database costs
    some twenty microseconds, which would tell that there is one.
    """
    one = select(literal_column("1").label("one")).subquery("always")
    return one.outerjoin(table, and_(*which))


def _copy(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Values]
) -> int:
    """`COPY`, for which SQLAlchemy has no words: it takes half of what INSERT does."""
    # Begins the transaction, which SQLAlchemy puts off until something is asked.
    connection.exec_driver_sql("SELECT 1")
    copied: str = connection.connection.dbapi_connection.run_async(  # type: ignore[union-attr]  # asyncpg's adapter
        lambda driver: driver.copy_records_to_table(table.name, columns=columns, records=rows)
    )
    return int(copied.removeprefix("COPY "))


def _arrays(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    """The parameters of a statement, an array for each of *columns*."""
    kinds = [table.c[name].type.compile(connection.dialect) for name in columns]
    return ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(kinds, 1))


def _by_bytes(table: Table, name: str) -> str:
    """What to order by *name* by: in the same order whatever language a database sorts as."""
    return f'{name} COLLATE "C"' if isinstance(table.c[name].type, String) else name


def _by_column(rows: Sequence[Values]) -> Values:
    return tuple(zip(*rows, strict=True))
