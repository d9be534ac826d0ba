"""What stays of a pruned chain, and legal holds. No row is changed.

On PostgreSQL nobody takes away a line that is younger than thirteen months but whoever owns the
tables: not the role that prunes either, whatever it is told the rule was.
"""

import sqlalchemy as sa
from alembic import op

from sesame.store.errors import StoreError

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the guard."""
    op.create_table(
        "audit_anchors",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "legal_holds",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_code", sa.String(8), nullable=False),
        sa.Column("from_at", sa.BigInteger),
        sa.Column("until_at", sa.BigInteger),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sa.Column("set_by", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.String(80)),
        sa.Column("lifted_reason", sa.String(200)),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER audit_lines_thirteen_months AFTER DELETE ON audit_lines FOR EACH ROW "
            "WHEN (OLD.at > (extract(epoch FROM now() - interval '397 days') * 1000000)::bigint) "
            "EXECUTE FUNCTION sesame_leave_to_owner('a line stays for thirteen months')"
        )


def downgrade() -> None:
    """Take them away. Where lines were pruned, an older program would miss them: it stays."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT count(*) FROM audit_anchors")).scalar_one():
        raise StoreError(
            "chains were pruned here: an older schema would take that for lines that are "
            "missing, so this one stays"
        )
    if connection.dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_lines_thirteen_months ON audit_lines")
    op.drop_table("legal_holds")
    op.drop_table("audit_anchors")
