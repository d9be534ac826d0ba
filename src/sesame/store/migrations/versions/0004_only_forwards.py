"""What no statement may do on PostgreSQL, whoever sends it and whatever it says.

A card's last ATC and an access row's version only ever rise. A row that is a customer's is taken
away by the owner of the tables alone.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOR_ALL = """
CREATE FUNCTION sesame_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'refused on %: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$
"""
# Whoever has the rights of the owner may. The path: or a table of one's own, called pg_class,
# would stand before the catalogue's and say who that is.
_FOR_OTHERS = """
CREATE FUNCTION sesame_leave_to_owner() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NULL;
    END IF;
    RAISE 'refused on %: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$
"""
_RISING = {
    "cards": (
        "UPDATE OF last_atc",
        "NEW.last_atc < OLD.last_atc",
        "a last ATC does not fall",
    ),
    "access": (
        "UPDATE OF version",
        "NEW.version < OLD.version",
        "a version does not fall",
    ),
}


def upgrade() -> None:
    """Say so to the database."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(_FOR_ALL)
    op.execute(_FOR_OTHERS)
    for table, (event, condition, reason) in _RISING.items():
        op.execute(
            f"CREATE TRIGGER {table}_only_forwards BEFORE {event} ON {table} FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION sesame_refuse('{reason}')"
        )
    op.execute(
        "CREATE TRIGGER access_of_customers AFTER DELETE ON access FOR EACH ROW "
        "WHEN (OLD.enrolled_at IS NOT NULL) "
        "EXECUTE FUNCTION sesame_leave_to_owner('a customer stays')"
    )


def downgrade() -> None:
    """Take the triggers away, and what they do."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sesame_refuse(), sesame_leave_to_owner() CASCADE")
