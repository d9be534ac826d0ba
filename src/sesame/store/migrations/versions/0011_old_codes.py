"""An old code's hash is for the server alone, and set by the owner alone, on PostgreSQL.

Who exports a person's data has to say whether there is an old code, and who erases them takes it
away: neither has to see a hash, nor could write one whose old code they know.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# By the owner's rights, and so with a path of its own.
_HAS_OLD_CODE = """
CREATE FUNCTION sesame_has_old_code(of_bucket smallint, of_user_code text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT old_code IS NOT NULL FROM public.access
    WHERE bucket = of_bucket AND user_code = of_user_code
$$
"""


def upgrade() -> None:
    """Say so to the database."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_HAS_OLD_CODE)
        op.execute(
            "CREATE TRIGGER access_old_code AFTER UPDATE OF old_code ON access FOR EACH ROW "
            "WHEN (NEW.old_code IS NOT NULL AND NEW.old_code IS DISTINCT FROM OLD.old_code) "
            "EXECUTE FUNCTION sesame_leave_to_owner('an old code is only taken away')"
        )


def downgrade() -> None:
    """Take the function and the guard away."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER access_old_code ON access")
        op.execute("DROP FUNCTION sesame_has_old_code(smallint, text)")
