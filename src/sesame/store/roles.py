"""Who may do what on PostgreSQL: one role owns the tables, another one serves.

The second is `WEB_ROLE`, where there is one. It cannot change a table, nor alter or take away an
audit line, a card or a customer. What no right can say triggers do (migration 0004): nobody lowers
a last ATC, nor has a version go on but by one, and who has not the owner's rights takes no
customer's row away.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, inspect, text

WEB_ROLE = "sesame_web"

# What a server does, and no more; `*` are all columns but those of `_FIXED`. Enrolment is the
# owner's until there is a desk.
GRANTS: Mapping[str, str] = {
    # A stranger's row begins, and is forgotten.
    "access": "SELECT, INSERT (bucket, user_code, *), UPDATE (*), DELETE",
    "cards": "SELECT, UPDATE (last_atc)",
    "customers": "SELECT",
    "sessions": "SELECT, INSERT, UPDATE (seen_at), DELETE",
    "devices": "SELECT, INSERT, UPDATE (known_since, expires_at), DELETE",
    # Whether a line is there, and of which attempt; what it says is the auditors' to read.
    "audit_lines": "SELECT (bucket, user_code, version, attempt, head), INSERT",
    "audit_personal": "INSERT",
    "stranger_lines": "SELECT, INSERT, DELETE",  # forgotten by age and number
    "stranger_personal": "SELECT, INSERT, DELETE",
    "stranger_failures": "SELECT, INSERT, UPDATE (failures), DELETE",
    "alembic_version": "SELECT",
}
_FIXED = frozenset({"bucket", "user_code", "enrolled_at"})


def grant(connection: Connection) -> None:
    """Give `WEB_ROLE` its rights on the tables that there are, and take all others away."""
    asked = {"role": WEB_ROLE}
    if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), asked).first():
        return
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {WEB_ROLE}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {WEB_ROLE}"))
    tables = inspect(connection)
    there = set(tables.get_table_names())
    for table, rights in GRANTS.items():
        if table in there:  # in an older schema some are not
            columns = [column["name"] for column in tables.get_columns(table)]
            changed = ", ".join(column for column in columns if column not in _FIXED)
            granted = rights.replace("*", changed)
            connection.execute(text(f"GRANT {granted} ON {table} TO {WEB_ROLE}"))


def may_alter_lines(connection: Connection) -> bool:
    """Whether the role that is connected could alter an audit line: no server's should."""
    asked = text("SELECT has_table_privilege('audit_lines', 'UPDATE')")
    return bool(connection.execute(asked).scalar_one())
