"""Customers, their cards, the access row that decides, sessions and audit lines.

Every table of a login has a key that begins with bucket and user code, so that the same
schema can be spread over machines later (docs/decisions/0003). `pan_index` is unique
across customers and is written by enrolment only.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "customers",
        *_key(),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "access",
        *_key(),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("enrolled_at", sa.BigInteger),
        sa.Column("failures", sa.SmallInteger, nullable=False),
        sa.Column("suspended_until", sa.BigInteger),
        sa.Column("session_epoch", sa.Integer, nullable=False),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
        sa.Column("stepped_at", sa.BigInteger, nullable=False),
        sa.Column("last_attempt", sa.LargeBinary(16), nullable=False),
        sa.Column("last_accepted", sa.SmallInteger, nullable=False),
        sa.Column("signed_in_at", sa.BigInteger),
        sa.Column("old_code", sa.String(255)),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "access_of_strangers",
        "access",
        ["stepped_at"],
        sqlite_where=sa.text("enrolled_at IS NULL"),
    )
    op.create_table(
        "cards",
        *_key(),
        sa.Column("card_number", sa.SmallInteger, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("last_atc", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pan_index",
        sa.Column("pan_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("psn", sa.String(2), primary_key=True),
        sa.Column("bucket", sa.SmallInteger, nullable=False),
        sa.Column("user_code", sa.String(8), nullable=False),
        sa.Column("card_number", sa.SmallInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sessions",
        *_key(),
        sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("session_epoch", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("previous_login_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_by_token", "sessions", ["bucket", "token_hash"], unique=True)
    for name in ("audit_lines", "stranger_lines"):
        op.create_table(
            name,
            *_key(),
            sa.Column("version", sa.BigInteger, primary_key=True),
            sa.Column("attempt", sa.LargeBinary(16), nullable=False),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.Column("line", sa.LargeBinary, nullable=False),
            sa.Column("head", sa.LargeBinary(32), nullable=False),
            sqlite_with_rowid=False,
        )
    for name in ("audit_personal", "stranger_personal"):
        op.create_table(
            name,
            *_key(),
            sa.Column("version", sa.BigInteger, primary_key=True),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.Column("salt", sa.LargeBinary(16), nullable=False),
            sa.Column("address", sa.String(64), nullable=False),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    """Drop them, and all that they hold."""
    op.drop_table("stranger_personal")
    op.drop_table("audit_personal")
    op.drop_table("stranger_lines")
    op.drop_table("audit_lines")
    op.drop_table("sessions")
    op.drop_table("pan_index")
    op.drop_table("cards")
    op.drop_table("access")
    op.drop_table("customers")


def _key() -> tuple[sa.Column[int], sa.Column[str]]:
    return (
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
    )
