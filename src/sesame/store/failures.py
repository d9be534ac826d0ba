"""How many attempts of unknown devices failed in each hour, over the whole bank.

No personal value stands here: a bucket, an hour, a number. Spread over the buckets, so that
two failures seldom want the same row.
"""

import sqlite3

from sqlalchemy import Column, Connection, Integer, SmallInteger, Table, delete, func, select

from sesame.store.metadata import METADATA

STRANGER_FAILURES = Table(
    "stranger_failures",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("hour", Integer, primary_key=True),  # whole hours since 1970-01-01 UTC
    Column("failures", Integer, nullable=False),
    sqlite_with_rowid=False,
)

_COUNT_FAILURE = """
INSERT INTO stranger_failures (bucket, hour, failures) VALUES (?, ?, 1)
ON CONFLICT (bucket, hour) DO UPDATE SET failures = stranger_failures.failures + 1
"""


def count_failure(connection: sqlite3.Connection, bucket: int, hour: int) -> None:
    """Count one more, in the transaction of the step that failed."""
    connection.execute(_COUNT_FAILURE, (bucket, hour))


def read_failures(connection: Connection, *, since: int) -> dict[int, int]:
    """The failures of each hour from the hour *since* on; hours without any are left out."""
    hour, failures = STRANGER_FAILURES.c.hour, STRANGER_FAILURES.c.failures
    rows = connection.execute(select(hour, func.sum(failures)).where(hour >= since).group_by(hour))
    return {at: int(count) for at, count in rows}


def delete_old_failures(connection: Connection, *, before: int) -> None:
    """Forget the hours before the hour *before*."""
    connection.execute(delete(STRANGER_FAILURES).where(STRANGER_FAILURES.c.hour < before))
