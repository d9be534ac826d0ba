"""How many attempts of unknown devices failed in each hour, over the whole bank.

No personal value stands here: a bucket, an hour, a number. Spread over the buckets and, on
PostgreSQL, over its connections, so that two failures seldom want the same row.
"""

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    SmallInteger,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from sesame.store.forgetting import forget
from sesame.store.metadata import METADATA

STRANGER_FAILURES = Table(
    "stranger_failures",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("hour", Integer, primary_key=True),  # whole hours since 1970-01-01 UTC
    Column("writer", SmallInteger, primary_key=True),  # 0, or which connections counted here
    Column("failures", Integer, nullable=False),
    sqlite_with_rowid=False,
)

_BY_HOUR = (
    select(STRANGER_FAILURES.c.hour, func.sum(STRANGER_FAILURES.c.failures))
    .where(STRANGER_FAILURES.c.hour >= bindparam("since"))
    .group_by(STRANGER_FAILURES.c.hour)
)


def read_failures(connection: Connection, *, since: int) -> dict[int, int]:
    """The failures of each hour from the hour *since* on; hours without any are left out."""
    return {at: int(count) for at, count in connection.execute(_BY_HOUR, {"since": since})}


def add_failures(connection: Connection, *, hour: int, writer: int, failures: int) -> None:
    """Count *failures* more in *hour* that another server saw, as a *writer* of its own."""
    row = (STRANGER_FAILURES.c.bucket == 0, STRANGER_FAILURES.c.hour == hour)
    mine = (*row, STRANGER_FAILURES.c.writer == writer)
    more = STRANGER_FAILURES.c.failures + failures
    changed = connection.execute(update(STRANGER_FAILURES).where(*mine).values(failures=more))
    if not changed.rowcount:
        connection.execute(
            insert(STRANGER_FAILURES).values(bucket=0, hour=hour, writer=writer, failures=failures)
        )


def delete_old_failures(connection: Connection, *, before: int) -> int:
    """Forget hours before the hour *before*; how many rows that were."""
    return forget(connection, STRANGER_FAILURES, STRANGER_FAILURES.c.hour < before)
