"""What many processes on one PostgreSQL need; SQLite gets the same columns.

Strangers' failures are counted in a row for each of a few groups of connections, so that
servers do not wait for one another. On PostgreSQL pages keep room for the next version of a
row that each login writes anew: with no index on a changed column it then stays on its page,
and what is dead is taken away in passing. Tables that only grow are looked at for their age
alone. Devices whose time is over are found by an index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REWRITTEN = (
    "fillfactor = {fill}, autovacuum_vacuum_scale_factor = 0.02, "
    "autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02, "
    "autovacuum_vacuum_cost_delay = 1"
)
_STORAGE = {
    "access": _REWRITTEN.format(fill=70),
    "cards": _REWRITTEN.format(fill=70),
    "sessions": _REWRITTEN.format(fill=80),
    "stranger_failures": _REWRITTEN.format(fill=50),
    "audit_lines": "autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_freeze_min_age = 0",
    "audit_personal": "autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_freeze_min_age = 0",
}


def upgrade() -> None:
    """Give each writer its row, and pages their room."""
    _rebuild("hour, 0, failures", "")
    op.create_index("devices_by_end", "devices", ["expires_at"])
    if op.get_bind().dialect.name == "sqlite":
        return
    op.drop_index("access_of_strangers", "access")
    op.create_index(
        "access_nobodys",
        "access",
        ["bucket", "user_code"],
        postgresql_where=sa.text("enrolled_at IS NULL"),
    )
    for table, parameters in _STORAGE.items():
        op.execute(f"ALTER TABLE {table} SET ({parameters})")


def downgrade() -> None:
    """Take all that away; the counts of all writers are summed up."""
    op.drop_index("devices_by_end", "devices")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("hour, sum(failures)", "GROUP BY bucket, hour", writer=False)
        return
    for table, parameters in _STORAGE.items():
        names = ", ".join(one.partition(" = ")[0] for one in parameters.split(", "))
        op.execute(f"ALTER TABLE {table} RESET ({names})")
    op.drop_index("access_nobodys", "access")
    op.create_index("access_of_strangers", "access", ["stepped_at"])
    _rebuild("hour, sum(failures)", "GROUP BY bucket, hour", writer=False)


def _rebuild(columns: str, grouped: str, *, writer: bool = True) -> None:
    """Make the table anew: SQLite does not change a key."""
    op.rename_table("stranger_failures", "stranger_failures_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX stranger_failures_pkey RENAME TO stranger_failures_before_pkey")
    op.create_table(
        "stranger_failures",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        *([sa.Column("writer", sa.SmallInteger, primary_key=True)] if writer else []),
        sa.Column("failures", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO stranger_failures SELECT bucket, {columns} "  # noqa: S608 -- two constants
        f"FROM stranger_failures_before {grouped}"
    )
    op.drop_table("stranger_failures_before")
