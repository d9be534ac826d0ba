"""How many attempts of unknown devices failed in each hour, over the whole bank.

No personal value stands here: a bucket, an hour, a number. Spread over the buckets and, on
PostgreSQL, over its connections, so that two failures seldom want the same row.
"""

from sqlalchemy import Column, Connection, Integer, SmallInteger, Table, func, select

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


def read_failures(connection: Connection, *, since: int) -> dict[int, int]:
    """The failures of each hour from the hour *since* on; hours without any are left out."""
    hour, failures = STRANGER_FAILURES.c.hour, STRANGER_FAILURES.c.failures
    rows = connection.execute(select(hour, func.sum(failures)).where(hour >= since).group_by(hour))
    return {at: int(count) for at, count in rows}


def delete_old_failures(connection: Connection, *, before: int) -> int:
    """Forget hours before the hour *before*; how many rows that were."""
    return forget(connection, STRANGER_FAILURES, STRANGER_FAILURES.c.hour < before)
