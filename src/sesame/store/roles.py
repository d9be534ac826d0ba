"""Who may do what on PostgreSQL: one role owns the tables, another one serves.

The second is `WEB_ROLE`, where there is one. It cannot change a table, nor alter or take away an
audit line.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, inspect, text

WEB_ROLE = "sesame_web"

# What a server does, and no more. Enrolment is the owner's until there is a desk.
GRANTS: Mapping[str, str] = {
    "access": "SELECT, INSERT, UPDATE, DELETE",  # a stranger's row begins, and is forgotten
    "cards": "SELECT, UPDATE (last_atc)",
    "customers": "SELECT",
    "sessions": "SELECT, INSERT, UPDATE, DELETE",
    "devices": "SELECT, INSERT, UPDATE, DELETE",
    "audit_lines": "SELECT, INSERT",
    "audit_personal": "SELECT, INSERT",
    "stranger_lines": "SELECT, INSERT, DELETE",  # forgotten by age and number
    "stranger_personal": "SELECT, INSERT, DELETE",
    "stranger_failures": "SELECT, INSERT, UPDATE, DELETE",
    "alembic_version": "SELECT",
}


def grant(connection: Connection) -> None:
    """Give `WEB_ROLE` its rights on the tables that there are, and take all others away."""
    asked = {"role": WEB_ROLE}
    if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), asked).first():
        return
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {WEB_ROLE}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {WEB_ROLE}"))
    there = set(inspect(connection).get_table_names())
    for table, rights in GRANTS.items():
        if table in there:  # in an older schema some are not
            connection.execute(text(f"GRANT {rights} ON {table} TO {WEB_ROLE}"))
