"""Tries of two sides, known devices, old-code sessions, the bank's count of failures.

What had failed before counts on the open side: nobody knew a device then. Sessions that are
open were opened by a code. The attempt that moved a row last is forgotten, which a double
click during the upgrade may notice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ZERO = sa.text("0")


def upgrade() -> None:
    """Add the columns and tables."""
    none, no_attempt = _bytes(0), _bytes(16)
    op.execute("ALTER TABLE access RENAME COLUMN failures TO open_failures")
    op.execute("ALTER TABLE access RENAME COLUMN suspended_until TO open_suspended_until")
    for column in (
        sa.Column("open_suspensions", sa.SmallInteger, nullable=False, server_default=_ZERO),
        sa.Column("open_failed_at", sa.LargeBinary, nullable=False, server_default=none),
        sa.Column("open_refused", sa.LargeBinary(16), nullable=False, server_default=no_attempt),
        sa.Column("reserved_failures", sa.SmallInteger, nullable=False, server_default=_ZERO),
        sa.Column("reserved_suspensions", sa.SmallInteger, nullable=False, server_default=_ZERO),
        sa.Column("reserved_suspended_until", sa.BigInteger),
        sa.Column("reserved_failed_at", sa.LargeBinary, nullable=False, server_default=none),
        sa.Column(
            "reserved_refused",
            sa.LargeBinary(16),
            nullable=False,
            server_default=no_attempt,
        ),
        sa.Column("accepted", sa.LargeBinary(16), nullable=False, server_default=no_attempt),
        sa.Column("accepted_version", sa.BigInteger, nullable=False, server_default=_ZERO),
        sa.Column("replayed_at", sa.BigInteger),
        sa.Column("rehearsal_failures", sa.SmallInteger, nullable=False, server_default=_ZERO),
        sa.Column("rehearsal_failed_at", sa.BigInteger),
    ):
        op.add_column("access", column)
    op.drop_column("access", "last_attempt")
    op.drop_column("access", "last_accepted")
    op.add_column(
        "sessions", sa.Column("means", sa.String(16), nullable=False, server_default="code")
    )
    op.add_column(
        "sessions",
        sa.Column("erased_old_code", sa.SmallInteger, nullable=False, server_default=_ZERO),
    )
    op.create_table(
        "devices",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
        sa.Column("device_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("known_since", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stranger_failures",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop what was added; failures of known devices are forgotten."""
    no_attempt = _bytes(16)
    op.drop_table("stranger_failures")
    op.drop_table("devices")
    # What was opened to look only must not become a whole session.
    op.execute("DELETE FROM sessions WHERE means = 'old-code'")
    op.drop_column("sessions", "erased_old_code")
    op.drop_column("sessions", "means")
    op.add_column(
        "access",
        sa.Column("last_attempt", sa.LargeBinary(16), nullable=False, server_default=no_attempt),
    )
    op.add_column(
        "access",
        sa.Column("last_accepted", sa.SmallInteger, nullable=False, server_default=_ZERO),
    )
    for name in (
        "open_suspensions",
        "open_failed_at",
        "open_refused",
        "reserved_failures",
        "reserved_suspensions",
        "reserved_suspended_until",
        "reserved_failed_at",
        "reserved_refused",
        "accepted",
        "accepted_version",
        "replayed_at",
        "rehearsal_failures",
        "rehearsal_failed_at",
    ):
        op.drop_column("access", name)
    op.execute("ALTER TABLE access RENAME COLUMN open_suspended_until TO suspended_until")
    op.execute("ALTER TABLE access RENAME COLUMN open_failures TO failures")


def _bytes(length: int) -> sa.TextClause:
    """So many zero bytes, as the database at hand writes them."""
    digits = "00" * length
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    return sa.text(f"x'{digits}'" if on_sqlite else rf"'\x{digits}'::bytea")
