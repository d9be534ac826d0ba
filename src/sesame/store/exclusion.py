"""Who may change the tables on PostgreSQL: one migration at a time, between two logins."""

import time

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

# As a login locks them, so that a migration and a login never wait for one another.
_IN_ORDER = (
    "access",
    "cards",
    "begun_counters",
    "customers",
    "customer_details",
    "customer_words",
    "former_addresses",
    "pan_index",
    "audit_lines",
    "audit_personal",
    "stranger_lines",
    "stranger_personal",
    "sessions",
    "devices",
    "notices",
    "stranger_failures",
    "incarnation",
    "beats",
    "source_refusals",
    "audit_anchors",
    "legal_holds",
    "staff",
    "staff_bootstraps",
    "approvals",
    "card_orders",
    "dispatches",
    "batches",
    "readers",
    "holds",
    "closures",
    "limit_changes",
)
# Others lock in an order of their own: they are let pass, long before PostgreSQL looks for a
# deadlock (deadlock_timeout is a second) and ends one of the two.
_AT_A_TIME = 0.1  # seconds
_FIRST = 0x5E5A3E  # an advisory lock, any number that is ours
_NOT_HAD = "55P03"


def be_the_only_one(connection: Connection) -> None:
    """Wait until no other migration runs, and keep others waiting until the commit.

    By a lock that a server's role cannot have; before there is a table to lock, by a number.
    """
    if inspect(connection).has_table("alembic_version"):
        connection.execute(text("LOCK TABLE alembic_version IN SHARE ROW EXCLUSIVE MODE"))
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:ours)"), {"ours": _FIRST})


def hold_tables(connection: Connection) -> None:
    """Keep everybody from the tables until the commit, as soon as nobody uses them.

    It tries for as long as `lock_timeout` says and lets logins pass in between.

    Raises:
        DBAPIError: somebody used one all the time.
    """
    there = set(inspect(connection).get_table_names())
    tables = ", ".join(table for table in _IN_ORDER if table in there)
    if not tables:
        return
    setting = text("SELECT setting::integer FROM pg_settings WHERE name = 'lock_timeout'")
    end = time.monotonic() + connection.execute(setting).scalar_one() / 1000
    while True:
        try:
            with connection.begin_nested():  # gives back what it got when it does not get all
                connection.execute(text(f"SET LOCAL lock_timeout = {int(_AT_A_TIME * 1000)}"))
                connection.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_HAD or time.monotonic() > end:
                raise
            time.sleep(_AT_A_TIME)
        else:
            connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
            return
