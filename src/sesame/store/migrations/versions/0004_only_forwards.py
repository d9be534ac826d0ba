"""What no statement may do on PostgreSQL, whoever sends it and whatever it says.

A card's last ATC only ever rises, and so does an access row's version: by one, from one on, so
that nobody takes it to an end. A row that is a customer's is taken away by the owner of the tables
alone, who may also bring rows along that stand further.
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
    # A step's, or enrolment's, which takes a stranger's row over.
    "access": (
        "UPDATE OF version",
        "NEW.version <> OLD.version AND NEW.version <> OLD.version + 1",
        "a version goes on by one",
    ),
}
# After it: an INSERT that finds a row and takes it over begins none.
_LEFT_TO_OWNER = {
    "access_from_one": ("INSERT", "NEW.version <> 1", "a version begins with one"),
    "access_of_customers": ("DELETE", "OLD.enrolled_at IS NOT NULL", "a customer stays"),
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
    for name, (event, condition, reason) in _LEFT_TO_OWNER.items():
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON access FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION sesame_leave_to_owner('{reason}')"
        )


def downgrade() -> None:
    """Take the triggers away, and what they do."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sesame_refuse(), sesame_leave_to_owner() CASCADE")
