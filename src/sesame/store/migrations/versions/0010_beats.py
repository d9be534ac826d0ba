"""Each server has beats of its own: none makes up for another's that a restore took away.

On PostgreSQL no server's beat ever falls, whoever asks.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has had one yet."""
    op.create_table(
        "beats",
        sa.Column("server", sa.LargeBinary(16), primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER beats_only_forwards BEFORE UPDATE OF beat ON beats FOR EACH ROW "
            "WHEN (NEW.beat < OLD.beat) EXECUTE FUNCTION sesame_refuse('a beat does not fall')"
        )


def downgrade() -> None:
    """Forget them: to whoever has a file, the database counts as restored afterwards."""
    op.drop_table("beats")
