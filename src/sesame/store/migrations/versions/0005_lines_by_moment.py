"""A sealer finds the lines of the last minutes by it, whatever the size of the table.

On PostgreSQL an index that says of each range of pages from when to when its lines are: lines
come in nearly that order, and a login does not maintain it. On SQLite an ordinary one; a login
writes at its end. Where the table is large already, whoever owns it makes the index beforehand,
while servers run; here it is found then.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("audit_lines_by_moment", "audit_lines", ["at"], if_not_exists=True)
        return
    op.create_index(
        "audit_lines_by_moment",
        "audit_lines",
        ["at"],
        postgresql_using="brin",
        if_not_exists=True,
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index("audit_lines_by_moment", "audit_lines")
