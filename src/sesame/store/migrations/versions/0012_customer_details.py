"""What letters need of a customer, the postal address first; and what was imported.

Nothing of it is read by a login. The reference is the institution's own number for a customer
who had no user code yet; no two customers have the same.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "customer_details",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
        sa.Column("line_2", sa.String(38), nullable=False),
        sa.Column("line_3", sa.String(38), nullable=False),
        sa.Column("line_4", sa.String(38), nullable=False),
        sa.Column("line_5", sa.String(38), nullable=False),
        sa.Column("postcode", sa.String(10), nullable=False),
        sa.Column("city", sa.String(38), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("letter_format", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("card_kind", sa.String(16), nullable=False),
        sa.Column("old_code_to_come", sa.Boolean, nullable=False),
        sa.Column("reference", sa.String(40), nullable=True),
        sa.Column("import_digest", sa.LargeBinary(32), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("customer_details_reference", "customer_details", ["reference"], unique=True)


def downgrade() -> None:
    """Forget the addresses."""
    op.drop_table("customer_details")
