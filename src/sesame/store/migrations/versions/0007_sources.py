"""Refusals by source address, which all servers count together.

A keyed hash of the address, an hour, two numbers; forgotten after a day. A row is written anew
about once a second while somebody fails, so pages keep room, as those of `stranger_failures` do.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "source_refusals",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("source", sa.LargeBinary(16), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("turned_away", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE source_refusals SET (fillfactor = 50, "
            "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, "
            "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1)"
        )


def downgrade() -> None:
    """Forget what was counted."""
    op.drop_table("source_refusals")
