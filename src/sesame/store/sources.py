"""How much was refused to whoever comes from one source address, by hour.

No address stands here: a keyed hash of it, forgotten after a day (docs/decisions/0024). Servers
add to the same rows, about once a second each, and read back what all of them counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from sesame.store.buckets import BUCKETS
from sesame.store.forgetting import forget
from sesame.store.metadata import METADATA

SOURCE_LENGTH = 16  # bytes
_AT_A_TIME = 200  # sources that one statement asks for

SOURCE_REFUSALS = Table(
    "source_refusals",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("source", LargeBinary(SOURCE_LENGTH), primary_key=True),
    Column("hour", Integer, primary_key=True),  # whole hours since 1970-01-01 UTC
    Column("failures", Integer, nullable=False),  # judged
    Column("turned_away", Integer, nullable=False),  # not judged
    sqlite_with_rowid=False,
)
_in_all = SOURCE_REFUSALS.c.failures + SOURCE_REFUSALS.c.turned_away


class SourceRow(NamedTuple):
    """What was refused to one source in one hour."""

    source: bytes  # 16 bytes
    hour: int
    failures: int
    turned_away: int

    @property
    def bucket(self) -> int:
        """The bucket of the row's key: a keyed hash is spread evenly already."""
        return self.source[0] % BUCKETS


def add_refusals(
    connection: Connection, rows: Sequence[SourceRow], *, since: int
) -> list[SourceRow]:
    """Add *rows*; what all servers counted for their sources from the hour *since* on.

    In key order, as every server writes them: two of them never wait for each other crosswise.
    """
    if not rows:
        return []
    on_postgresql = connection.dialect.name == "postgresql"
    insert = postgresql.insert if on_postgresql else sqlite.insert
    statement = insert(SOURCE_REFUSALS)
    statement = statement.on_conflict_do_update(
        index_elements=list(SOURCE_REFUSALS.primary_key),
        set_={
            "failures": SOURCE_REFUSALS.c.failures + statement.excluded.failures,
            "turned_away": SOURCE_REFUSALS.c.turned_away + statement.excluded.turned_away,
        },
    )
    in_order = sorted(rows, key=lambda row: (row.bucket, row.source, row.hour))
    connection.execute(statement, [{"bucket": row.bucket, **row._asdict()} for row in in_order])
    keys = sorted({(row.bucket, row.source) for row in rows})
    found = []
    for at in range(0, len(keys), _AT_A_TIME):
        found += _read(connection, keys[at : at + _AT_A_TIME], since=since)
    return found


def delete_old_refusals(connection: Connection, *, before: int) -> int:
    """Forget hours before the hour *before*; how many rows that were."""
    return forget(connection, SOURCE_REFUSALS, SOURCE_REFUSALS.c.hour < before)


def cap_refusals(connection: Connection, *, most: int) -> int:
    """Forget the smallest counts where there are more than *most* rows; how many.

    Whoever comes from ever new addresses makes many small counts, and takes no large one away.
    """
    largest = select(_in_all).order_by(_in_all.desc()).offset(most).limit(1)
    beyond = connection.execute(largest).scalar()
    return 0 if beyond is None else forget(connection, SOURCE_REFUSALS, _in_all <= beyond)


def _read(
    connection: Connection, keys: Sequence[tuple[int, bytes]], *, since: int
) -> list[SourceRow]:
    key = tuple_(SOURCE_REFUSALS.c.bucket, SOURCE_REFUSALS.c.source)
    rows = connection.execute(
        select(
            SOURCE_REFUSALS.c.source,
            SOURCE_REFUSALS.c.hour,
            SOURCE_REFUSALS.c.failures,
            SOURCE_REFUSALS.c.turned_away,
        ).where(key.in_(keys), SOURCE_REFUSALS.c.hour >= since)
    )
    return [SourceRow(*row) for row in rows]
