"""What no statement may do on PostgreSQL, whoever sends it and whatever it says.

A card's last ATC and an access row's version only ever rise. The servers' role takes no row
away that is a customer's.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_REFUSAL = """
CREATE FUNCTION sesame_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'refused on %: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$
"""
_TRIGGERS = {
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
    op.execute(_REFUSAL)
    for table, (event, condition, reason) in _TRIGGERS.items():
        _trigger(f"{table}_only_forwards", table, event, condition, reason)
    _trigger(
        "access_of_customers",
        "access",
        "DELETE",
        "OLD.enrolled_at IS NOT NULL AND current_user = 'sesame_web'",
        "a customer stays",
    )


def downgrade() -> None:
    """Take the triggers away, and what they do."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sesame_refuse() CASCADE")


def _trigger(name: str, table: str, event: str, condition: str, reason: str) -> None:
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW "
        f"WHEN ({condition}) EXECUTE FUNCTION sesame_refuse('{reason}')"
    )
