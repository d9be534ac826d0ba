"""What tells a restored database: a generation and a mark; and each card's generation.

The cards that there are belong to the generation that there is. On PostgreSQL no generation
ever falls, whoever asks.
"""

import os

import sqlalchemy as sa
from alembic import op

from sesame.store.errors import StoreError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_RISING = {
    "cards_generation": ("cards", "generation", "NEW.generation < OLD.generation"),
    "incarnation_only_forwards": (
        "incarnation",
        "generation",
        "NEW.generation < OLD.generation",
    ),
}


def upgrade() -> None:
    """Begin the first life of this database."""
    incarnation = op.create_table(
        "incarnation",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("mark", sa.LargeBinary(16), nullable=False),
        sa.Column("restored_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    first = {"id": 1, "generation": 0, "mark": os.urandom(16), "restored_at": None}
    op.bulk_insert(incarnation, [first])
    op.add_column("cards", sa.Column("generation", sa.Integer, nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "sqlite":
        return
    for name, (table, columns, condition) in _RISING.items():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION sesame_refuse('a generation does not fall')"
        )


def downgrade() -> None:
    """Take it away. A database whose cards are unsure would forget that: it stays."""
    unsure = sa.text(
        "SELECT count(*) FROM cards "
        "WHERE generation <> coalesce((SELECT generation FROM incarnation), -1)"
    )
    if op.get_bind().execute(unsure).scalar_one():
        raise StoreError(
            "cards of a restored database still wait for their challenge: an older schema "
            "would take their used codes, so this one stays"
        )
    if op.get_bind().dialect.name == "postgresql":
        for name, (table, _, _) in _RISING.items():
            op.execute(f"DROP TRIGGER {name} ON {table}")
    op.drop_column("cards", "generation")
    op.drop_table("incarnation")
