"""Forgetting by age: a part at a time, so that nobody waits long for it."""

from sqlalchemy import ColumnElement, Connection, Table, delete, select, text, tuple_

MOST = 10_000  # rows of one transaction
_ONE_AT_A_TIME = 0x5E5A3F  # an advisory lock of PostgreSQL, any number that is ours


def forget(
    connection: Connection, table: Table, condition: ColumnElement[bool], *, shared: bool = True
) -> int:
    """Delete at most `MOST` rows of *table*, and return how many; 0 where there are none left.

    On PostgreSQL one server at a time does so, and 0 is told to the others. Rows of a
    *shared* table that a login holds just now are left for later: neither waits for the other.
    """
    key = list(table.primary_key)
    some = select(*key).where(condition).limit(MOST)
    if connection.dialect.name == "postgresql":
        asked = {"ours": _ONE_AT_A_TIME}
        if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:ours)"), asked):
            return 0
        if shared:
            some = some.with_for_update(skip_locked=True)
        # Looked for once: a subselect may run anew for each row, and skip what is locked by then.
        some = select(some.cte("some").prefix_with("MATERIALIZED"))
    return connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
