"""What issuing and the help line write.

Orders of cards, dispatches and their batches, readers in stock; holds, notices to customers,
exceptional closures; changes of the desk's limits; the words of names, by which the help line
finds somebody, filled from the customers there are; an index of how cards end. New tables; no row
of a customer is changed, and no login reads them. On
PostgreSQL a card that is retired stays so, whoever writes; who makes cards lets none sign in; and
the server of customers opens none but one that waits, by its order, and one that its owner held,
and retires one that waits or was replaced.
What cards began with, from now on: a last ATC may fall from there, and from nowhere else, where who
writes may change both; so a code that was accepted since keeps it from falling, whoever writes.
One request of each kind for a card is
open at a time, no more one of all kinds. Of an address it is known when it was changed at the desk
and when two persons stood for it, and what stood before. What two agreed to can be had once.
The server of customers has them told of what they did themselves, and of nothing else. Who prunes
takes no value of a line away within thirty days, and nothing that is under a legal hold. The desk
makes no customer's row nobody's, and only the owner of the tables begins one with an old code.
A member of staff has a number of the institution's own and one account; a closed one has a reason.
"""

import sqlalchemy as sa
from alembic import op

from sesame.store.errors import StoreError
from sesame.store.names import fill_words

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STAYS_RETIRED = """
CREATE FUNCTION sesame_stays_retired() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE 'refused on cards: a retired card stays so' USING ERRCODE = 'restrict_violation';
END $$
"""
_TRIGGER = """
CREATE TRIGGER cards_stay_retired BEFORE UPDATE OF state ON cards FOR EACH ROW
WHEN (OLD.state = 'retired' AND NEW.state <> 'retired') EXECUTE FUNCTION sesame_stays_retired()
"""
# Of who asks and decides nothing, as the desk does. Who makes cards may hold and retire them; the
# server of customers does what an order or a hold says, which stands first in the transaction.
_GUARDS_STATES = """
CREATE FUNCTION sesame_guards_states() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF has_table_privilege(current_user, 'public.approvals', 'INSERT') OR (CASE
        WHEN NEW.state = OLD.state THEN TRUE
        WHEN has_table_privilege(current_user, TG_RELID, 'INSERT')
            THEN NEW.state IN ('held', 'retired')
        WHEN OLD.state = 'active' AND NEW.state = 'held' THEN EXISTS (
            SELECT FROM public.holds AS hold
            WHERE hold.bucket = OLD.bucket AND hold.user_code = OLD.user_code
              AND hold.card_number = OLD.card_number)
        WHEN OLD.state = 'held' AND NEW.state = 'active' THEN EXISTS (
            SELECT FROM public.holds AS hold
            WHERE hold.bucket = OLD.bucket AND hold.user_code = OLD.user_code
              AND hold.card_number = OLD.card_number AND hold."by" = 'owner')
        WHEN OLD.state = 'waiting' AND NEW.state = 'active' THEN EXISTS (
            SELECT FROM public.card_orders AS made
            WHERE made.bucket = OLD.bucket AND made.user_code = OLD.user_code
              AND made.card_number = OLD.card_number AND made.activation_hash IS NOT NULL
              AND made.activated_at IS NOT NULL AND made.cancelled_at IS NULL)
        WHEN NEW.state = 'retired' THEN OLD.state = 'waiting' OR EXISTS (
            SELECT FROM public.card_orders AS made
            WHERE made.bucket = OLD.bucket AND made.user_code = OLD.user_code
              AND made.replaces = OLD.card_number AND made.activation_hash IS NOT NULL
              AND made.activated_at IS NOT NULL AND made.cancelled_at IS NULL)
        ELSE FALSE END)
    THEN
        RETURN NEW;
    END IF;
    RAISE 'refused on cards: from % to %', OLD.state, NEW.state
        USING ERRCODE = 'restrict_violation';
END $$
"""
_STATES_TRIGGER = """
CREATE TRIGGER cards_guarded_states BEFORE UPDATE OF state ON cards FOR EACH ROW
EXECUTE FUNCTION sesame_guards_states()
"""
# Nor is a card made that signs in at once, but by whom a customer or staff are enrolled.
_GUARDS_NEW = """
CREATE FUNCTION sesame_guards_new_cards() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE 'refused on cards: a new one waits, not %', NEW.state
        USING ERRCODE = 'restrict_violation';
END $$
"""
_NEW_TRIGGER = """
CREATE TRIGGER cards_guarded_new BEFORE INSERT ON cards FOR EACH ROW
WHEN (NEW.state <> 'waiting'
    AND NOT has_table_privilege(current_user, 'public.approvals', 'INSERT'))
EXECUTE FUNCTION sesame_guards_new_cards()
"""
# Likewise: an owner holds what signs in, and takes no hold of the desk's away. What a replay finds
# held by the desk it holds in the bank's own name (`_0000000`), nobody's of staff. Who only takes
# rows away, as an erasure does, is not meant.
_GUARDS_HOLDS = """
CREATE FUNCTION sesame_guards_holds() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD."by" = 'owner' OR has_table_privilege(current_user, 'public.cards', 'INSERT')
                OR NOT has_table_privilege(current_user, TG_RELID, 'INSERT') THEN
            RETURN OLD;
        END IF;
    ELSIF has_table_privilege(current_user, 'public.approvals', 'INSERT')
            OR NEW."by" = 'desk' AND has_table_privilege(current_user, 'public.cards', 'INSERT')
            OR (NEW."by" = 'owner' AND NEW.release_hash IS NOT NULL
                OR NEW."by" = 'desk' AND NEW.by_code = '_0000000') AND EXISTS (
                SELECT FROM public.cards AS card
                WHERE card.bucket = NEW.bucket AND card.user_code = NEW.user_code
                  AND card.card_number = NEW.card_number
                  AND (card.state = 'active' OR NEW."by" = 'desk' AND card.state = 'held')) THEN
        RETURN NEW;
    END IF;
    RAISE 'refused on holds: % of a hold of the desk', TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""
_HOLDS_TRIGGER = """
CREATE TRIGGER holds_guarded BEFORE INSERT OR UPDATE OR DELETE ON holds FOR EACH ROW
EXECUTE FUNCTION sesame_guards_holds()
"""
# Who reads no notice says what customers did themselves; whom it reaches, the desk decides.
_GUARDS_NOTICES = """
CREATE FUNCTION sesame_guards_notices() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE 'refused on notices: % is told by the desk', NEW.event
        USING ERRCODE = 'restrict_violation';
END $$
"""
_NOTICES_TRIGGER = """
CREATE TRIGGER notices_guarded BEFORE INSERT ON notices FOR EACH ROW
WHEN ((NEW.event NOT IN ('hold', 'release', 'activation', 'old-code', 'devices-forgotten')
        OR NEW.email_state <> 'new' OR NEW.tries <> 0)
    AND NOT has_table_privilege(current_user, 'public.notices', 'SELECT'))
EXECUTE FUNCTION sesame_guards_notices()
"""
# Thirty days are the least that a setting may say. Who sets legal holds erases persons too.
_VALUES_TRIGGER = """
CREATE TRIGGER audit_personal_thirty_days AFTER DELETE ON audit_personal FOR EACH ROW
WHEN (OLD.at > (extract(epoch FROM now() - interval '30 days') * 1000000)::bigint
    AND NOT has_table_privilege(current_user, 'public.legal_holds', 'INSERT'))
EXECUTE FUNCTION sesame_leave_to_owner('a value stays for thirty days')
"""
# The desk enrols staff, and takes a row of nobody over for that: no other row becomes nobody's, to
# be deleted and begun anew, and none begins with an old code.
_ROWS_TRIGGERS = (
    """
CREATE TRIGGER access_enrolled AFTER UPDATE OF enrolled_at ON access FOR EACH ROW
WHEN (OLD.enrolled_at IS NOT NULL AND NEW.enrolled_at IS DISTINCT FROM OLD.enrolled_at)
EXECUTE FUNCTION sesame_leave_to_owner('a customer stays one')
""",
    """
CREATE TRIGGER access_new_old_code AFTER INSERT ON access FOR EACH ROW
WHEN (NEW.old_code IS NOT NULL)
EXECUTE FUNCTION sesame_leave_to_owner('an old code is only taken away')
""",
)
# As `bank.retention.is_held` says.
_KEEPS_HELD = """
CREATE FUNCTION sesame_keeps_held() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        AND EXISTS (
            SELECT FROM gone JOIN public.legal_holds AS hold ON hold.lifted_at IS NULL AND (
                hold.user_code = gone.user_code OR (hold.user_code = ''
                    AND (hold.from_at IS NULL OR gone.at >= hold.from_at)
                    AND (hold.until_at IS NULL OR gone.at < hold.until_at))))
    THEN
        RAISE 'refused on %: it is under a legal hold', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$
"""
_HELD_TRIGGER = """
CREATE TRIGGER {table}_held AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION sesame_keeps_held()
"""
_UNDER_HOLDS = ("audit_lines", "audit_personal")

# Who may change both, and while no code was accepted: then the last ATC stands above. Both fall by
# this one statement, or a card that had come up to where it began could fall again.
_FALLS = """
CREATE FUNCTION sesame_falls_from_beginning() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF has_column_privilege(current_user, 'public.begun_counters', 'last_atc', 'UPDATE') THEN
        UPDATE public.begun_counters AS begun SET last_atc = NEW.last_atc
        WHERE begun.bucket = OLD.bucket AND begun.user_code = OLD.user_code
          AND begun.card_number = OLD.card_number AND begun.last_atc = OLD.last_atc;
        IF FOUND THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE 'refused on cards: a last ATC does not fall' USING ERRCODE = 'restrict_violation';
END $$
"""
_ONLY_FORWARDS = """
CREATE TRIGGER cards_only_forwards BEFORE UPDATE OF last_atc ON cards FOR EACH ROW
WHEN (NEW.last_atc < OLD.last_atc) EXECUTE FUNCTION {}
"""
# Of a card that there is nobody knows any more what it began with.
_BEGINS = """
CREATE FUNCTION sesame_begins_before_its_card() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.cards AS card
        WHERE card.bucket = NEW.bucket AND card.user_code = NEW.user_code
          AND card.card_number = NEW.card_number)
    THEN
        RAISE 'refused on begun_counters: its card is there already'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
_BEGINS_TRIGGER = """
CREATE TRIGGER begun_before_its_card BEFORE INSERT ON begun_counters FOR EACH ROW
EXECUTE FUNCTION sesame_begins_before_its_card()
"""
_BEGUN_FALLS = """
CREATE TRIGGER begun_only_falls BEFORE UPDATE ON begun_counters FOR EACH ROW
WHEN (NEW.last_atc >= OLD.last_atc OR (NEW.bucket, NEW.user_code, NEW.card_number)
    IS DISTINCT FROM (OLD.bucket, OLD.user_code, OLD.card_number))
EXECUTE FUNCTION sesame_refuse('what a card began with does not rise')
"""


def _key() -> tuple[sa.Column[int], sa.Column[str]]:
    return (
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("user_code", sa.String(8), primary_key=True),
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "card_orders",
        *_key(),
        sa.Column("order_number", sa.SmallInteger, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("replaces", sa.SmallInteger),
        sa.Column("ordered_at", sa.BigInteger, nullable=False),
        sa.Column("ordered_by", sa.String(8), nullable=False),
        sa.Column("card_number", sa.SmallInteger),
        sa.Column("personalised_at", sa.BigInteger),
        sa.Column("expires_on", sa.String(10)),
        sa.Column("sealed_pin", sa.LargeBinary),
        sa.Column("activation_hash", sa.LargeBinary(32)),
        sa.Column("activation_until", sa.BigInteger),
        sa.Column("activated_at", sa.BigInteger),
        sa.Column("cancelled_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dispatches",
        sa.Column("reference", sa.String(24), primary_key=True),
        sa.Column("bucket", sa.SmallInteger, nullable=False),
        sa.Column("user_code", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("order_number", sa.SmallInteger),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.String(24)),
        sa.Column("printed_at", sa.BigInteger),
        sa.Column("posted_at", sa.BigInteger),
        sa.Column("returned_at", sa.BigInteger),
        sa.Column("voided_at", sa.BigInteger),
        sa.Column("reader_serial", sa.String(40)),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "dispatches_of_customer",
        "dispatches",
        ["bucket", "user_code", "kind", "posted_at", "returned_at", "voided_at", "due_at"],
    )
    op.create_index("dispatches_by_batch", "dispatches", ["batch"])
    op.create_index("dispatches_due", "dispatches", ["kind", "due_at"])
    op.create_table(
        "batches",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.String(8), nullable=False),
        sa.Column("letters", sa.Integer, nullable=False),
        sa.Column("manifest", sa.LargeBinary(32)),
        sa.Column("posted_at", sa.BigInteger),
        sa.Column("destroyed_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "readers",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("model", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("bucket", sa.SmallInteger),
        sa.Column("user_code", sa.String(8)),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("readers_in_stock", "readers", ["state", "model"])
    op.create_index("readers_of_customer", "readers", ["bucket", "user_code"])
    op.create_table(
        "holds",
        *_key(),
        sa.Column("card_number", sa.SmallInteger, primary_key=True),
        sa.Column("by", sa.String(8), nullable=False),
        sa.Column("by_code", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("release_hash", sa.LargeBinary(32)),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "begun_counters",
        *_key(),
        sa.Column("card_number", sa.SmallInteger, primary_key=True),
        sa.Column("last_atc", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("bucket", sa.SmallInteger, nullable=False),
        sa.Column("user_code", sa.String(8), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("email_state", sa.String(8), nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("letter", sa.String(24)),
        sqlite_with_rowid=False,
    )
    op.create_index("notices_of_customer", "notices", ["bucket", "user_code", "at"])
    op.create_index("notices_due", "notices", ["email_state", "next_try_at"])
    op.create_table(
        "closures",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("opens", sa.String(5)),
        sa.Column("closes", sa.String(5)),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("set_by", sa.String(8), nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "limit_changes",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("request", sa.LargeBinary(16), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("limit_changes_by_request", "limit_changes", ["request"], unique=True)
    _make_words()
    op.create_index("cards_by_last4", "cards", ["last4"])
    op.create_table(
        "former_addresses",
        *_key(),
        sa.Column("until", sa.BigInteger, primary_key=True),
        *(sa.Column(f"line_{line}", sa.String(38), nullable=False) for line in (2, 3, 4, 5)),
        sa.Column("postcode", sa.String(10), nullable=False),
        sa.Column("city", sa.String(38), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sqlite_with_rowid=False,
    )
    for name in ("address_changed_at", "address_confirmed_at"):
        op.add_column("customer_details", sa.Column(name, sa.BigInteger))
    op.add_column("approvals", sa.Column("used_at", sa.BigInteger))
    op.add_column("staff", sa.Column("closed_reason", sa.String(200)))
    op.add_column("staff", sa.Column("personnel_number", sa.String(20)))
    still_open = sa.text("closed_at IS NULL")
    op.create_index(
        "staff_one_account",
        "staff",
        ["personnel_number"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.drop_index("approvals_one_a_card", "approvals")
    op.create_index(
        "approvals_one_open", "approvals", ["subject", "kind", "open_card"], unique=True
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_STAYS_RETIRED)
        op.execute(_TRIGGER)
        op.execute(_GUARDS_STATES)
        op.execute(_STATES_TRIGGER)
        op.execute(_GUARDS_NEW)
        op.execute(_NEW_TRIGGER)
        op.execute(_GUARDS_HOLDS)
        op.execute(_HOLDS_TRIGGER)
        op.execute(_GUARDS_NOTICES)
        op.execute(_NOTICES_TRIGGER)
        op.execute(_VALUES_TRIGGER)
        for trigger in _ROWS_TRIGGERS:
            op.execute(trigger)
        op.execute(_KEEPS_HELD)
        for table in _UNDER_HOLDS:
            op.execute(_HELD_TRIGGER.format(table=table))
        op.execute(_FALLS)
        op.execute("DROP TRIGGER cards_only_forwards ON cards")
        op.execute(_ONLY_FORWARDS.format("sesame_falls_from_beginning()"))
        op.execute(_BEGINS)
        op.execute(_BEGINS_TRIGGER)
        op.execute(_BEGUN_FALLS)


def _make_words() -> None:
    """Make the table of the words of names, and fill it."""
    word = sa.String(40).with_variant(sa.String(40, collation="C"), "postgresql")
    op.create_table(
        "customer_words",
        *_key(),
        sa.Column("word", word, primary_key=True),
        sqlite_with_rowid=False,
    )
    fill_words(op.get_bind())
    op.create_index("customer_words_by_word", "customer_words", ["word"])


def downgrade() -> None:
    """Take them away. Where cards wait or are retired, an older program would let them sign in."""
    unknown = sa.text("SELECT count(*) FROM cards WHERE state IN ('waiting', 'retired')")
    if op.get_bind().execute(unknown).scalar_one():
        raise StoreError(
            "there are cards that wait for their activation or are retired: an older schema "
            "does not know these states"
        )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "DROP FUNCTION sesame_stays_retired(), sesame_guards_states(), "
            "sesame_guards_new_cards(), sesame_guards_holds(), sesame_guards_notices(), "
            "sesame_keeps_held(), sesame_falls_from_beginning(), "
            "sesame_begins_before_its_card() CASCADE"
        )
        op.execute("DROP TRIGGER audit_personal_thirty_days ON audit_personal")
        op.execute("DROP TRIGGER access_enrolled ON access")
        op.execute("DROP TRIGGER access_new_old_code ON access")
        op.execute(_ONLY_FORWARDS.format("sesame_refuse('a last ATC does not fall')"))
    op.drop_index("approvals_one_open", "approvals")
    op.drop_column("approvals", "used_at")
    op.drop_index("staff_one_account", "staff")
    op.drop_column("staff", "personnel_number")
    op.drop_column("staff", "closed_reason")
    op.create_index("approvals_one_a_card", "approvals", ["subject", "open_card"], unique=True)
    for name in ("address_changed_at", "address_confirmed_at"):
        op.drop_column("customer_details", name)
    op.drop_index("cards_by_last4", "cards")
    for table in (
        "customer_words",
        "former_addresses",
        "limit_changes",
        "closures",
        "notices",
        "begun_counters",
        "holds",
        "readers",
        "batches",
        "dispatches",
        "card_orders",
    ):
        op.drop_table(table)
