"""Members of staff, the secrets that enrol the first, and what two persons decide together.

New tables; no row of a customer is changed, and no login reads them. On PostgreSQL what begins for
a staff code (one with the mark, `_`) is begun by the desk's role or the owner of the tables: a
server of customers that was broken into makes itself no session at the desk. It reads the cards of
staff; that it tries out none of their codes custody sees to, where it is apart.
"""

import sqlalchemy as sa
from alembic import op

from sesame.store.errors import StoreError

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FOR_THE_DESK = """
CREATE FUNCTION sesame_leave_to_desk() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        OR EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = 'sesame_desk' AND pg_has_role(current_user, oid, 'USAGE')
        )
    THEN
        RETURN NULL;
    END IF;
    RAISE 'refused on %: staff are the desk''s', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""
_OF_STAFF = ("access", "cards", "devices", "sessions")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "staff",
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("roles", sa.String(64), nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("begun_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "staff_bootstraps",
        sa.Column("secret_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(8), nullable=False),
        sa.Column("open_card", sa.SmallInteger),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("requested_by", sa.String(8), nullable=False),
        sa.Column("requested_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("decided_by", sa.String(8)),
        sa.Column("decided_at", sa.BigInteger),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_persons"),
        sqlite_with_rowid=False,
    )
    op.create_index("approvals_by_moment", "approvals", ["requested_at"])
    op.create_index("approvals_one_a_card", "approvals", ["subject", "open_card"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FOR_THE_DESK)
        for table in _OF_STAFF:
            op.execute(
                f"CREATE TRIGGER {table}_of_staff AFTER INSERT ON {table} FOR EACH ROW "
                "WHEN (starts_with(NEW.user_code, '_')) EXECUTE FUNCTION sesame_leave_to_desk()"
            )


def downgrade() -> None:
    """Take them away. Where there is staff, an older program could not say who they are."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM staff")).scalar_one():
        raise StoreError("there are members of staff: an older schema would forget them")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sesame_leave_to_desk() CASCADE")
    op.drop_table("approvals")
    op.drop_table("staff_bootstraps")
    op.drop_table("staff")
