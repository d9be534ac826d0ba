"""Who may do what on PostgreSQL: one role owns the tables, another serves, others look or prune.

The second is `WEB_ROLE`, where there is one. It cannot change a table, nor alter or take away an
audit line or a customer, and of a card only its last ATC and state. What no right can say triggers
do (migrations 0004 and 0014): nobody lowers a last ATC once a code was accepted, opens a card that
the desk holds, nor has a version go on but by one, and who has not the owner's rights takes no
customer's row away, and changes no old code to another (0011).
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import Connection, inspect, text

WEB_ROLE = "sesame_web"
SEAL_ROLE = "sesame_seal"  # seals the audit chains, and audits them
EVIDENCE_ROLE = "sesame_evidence"  # the same, and sees what opens a line's commitments
RETENTION_ROLE = "sesame_retention"  # takes away what the rule says
DESK_ROLE = "sesame_desk"  # serves /guichet
ISSUING_ROLE = "sesame_issuing"  # makes cards, prints and posts letters
PERSON_ROLE = "sesame_person"  # exports and erases a person, sets and lifts legal holds

# What a server does, and no more; `*` are all columns but those of `_FIXED`. Enrolment is the
# owner's until there is a desk.
GRANTS: Mapping[str, str] = {
    # A stranger's row begins, and is forgotten.
    "access": "SELECT, INSERT (bucket, user_code, *), UPDATE (*), DELETE",
    # A state only as triggers let it (migration 0014): no hold of the desk's is lifted.
    "cards": "SELECT, UPDATE (last_atc, generation, state)",
    "card_orders": (
        "SELECT (bucket, user_code, order_number, replaces, card_number, activation_hash, "
        "activation_until, activated_at, cancelled_at), UPDATE (activated_at)"
    ),
    "holds": "SELECT, INSERT, DELETE",
    # Its owner's own doing, told as `new`: what is told of, and to whom, the desk settles (0014).
    "notices": "INSERT (id, bucket, user_code, event, at, facts, email_state, tries, next_try_at)",
    # Begun anew once a restore is seen; DELETE nobody's.
    "incarnation": "SELECT, INSERT, UPDATE",
    "beats": "SELECT, INSERT, UPDATE (beat, taken_at)",
    "customers": "SELECT",
    "sessions": "SELECT, INSERT, UPDATE (seen_at), DELETE",
    "devices": "SELECT, INSERT, UPDATE (known_since, expires_at), DELETE",
    # Whether a line is there, and of which attempt; what it says is the auditors' to read.
    "audit_lines": "SELECT (bucket, user_code, version, attempt, head), INSERT",
    "audit_personal": "INSERT",
    "stranger_lines": "SELECT, INSERT, DELETE",  # forgotten by age and number
    "stranger_personal": "SELECT, INSERT, DELETE",
    "stranger_failures": "SELECT, INSERT, UPDATE (failures), DELETE",
    "source_refusals": "SELECT, INSERT, UPDATE (failures, turned_away), DELETE",
    "closures": "SELECT",
    "alembic_version": "SELECT",
}
_NAMED = re.compile(r"\(([^)]*)\)")
_FIXED = frozenset({"bucket", "user_code", "enrolled_at"})
# Of the roles that only look, and write nothing.
_CHAINS: Mapping[str, str] = {
    "access": "SELECT (bucket, user_code, version, head, enrolled_at)",
    "audit_lines": "SELECT",
    "audit_anchors": "SELECT",
    "incarnation": "SELECT (id, restored_at)",
    "cards": "SELECT (bucket, user_code, card_number, last_atc, created_at)",
    "begun_counters": "SELECT",
    # Names and reasons stand in it: lines commit to all of it together.
    "approvals": "SELECT",
    "limit_changes": "SELECT",
    "staff": "SELECT (bucket, user_code, roles, added_at, begun_at)",
    "alembic_version": "SELECT",
}
# Takes lines and values away, and lifts no hold. Lines of the last thirteen months, values of the
# last thirty days and what is under a legal hold triggers keep from it (migrations 0008, 0014).
_RETENTION: Mapping[str, str] = {
    "access": "SELECT (bucket, user_code, version, head, enrolled_at, accepted_version)",
    "audit_lines": "SELECT, DELETE",
    "audit_personal": "SELECT (bucket, user_code, version, at), DELETE",
    "audit_anchors": "SELECT, INSERT, UPDATE (version, head, at, signature)",
    "legal_holds": "SELECT",
    "alembic_version": "SELECT",
}
# An order without its sealed PIN, which whoever prints the letter sees.
_ORDER = (
    "(bucket, user_code, order_number, kind, reason, replaces, ordered_at, ordered_by, "
    "card_number, personalised_at, expires_on, activation_hash, activation_until, activated_at, "
    "cancelled_at)"
)
# Sees no secret: neither a sealed card nor a hash of a token or of an old code. An erasure writes
# all that a step may write; a trigger keeps it from setting an old code (migration 0011).
_PERSON: Mapping[str, str] = {
    "access": (
        "SELECT (bucket, user_code, version, head, session_epoch, stepped_at, enrolled_at, "
        "signed_in_at, open_failures, open_suspended_until, reserved_failures, "
        "reserved_suspended_until), UPDATE (*)"
    ),
    "customers": "SELECT, DELETE",
    "customer_details": (
        "SELECT (bucket, user_code, line_2, line_3, line_4, line_5, postcode, city, country, "
        "letter_format, email, card_kind, old_code_to_come, reference), DELETE"
    ),
    "customer_words": "SELECT (bucket, user_code), DELETE",
    "former_addresses": "SELECT, DELETE",
    "cards": (
        "SELECT (bucket, user_code, card_number, kind, state, profile, last4, last_atc, "
        "created_at), DELETE"
    ),
    "begun_counters": "SELECT, DELETE",
    "sessions": "SELECT (bucket, user_code, means, opened_at, seen_at, ends_at), DELETE",
    "card_orders": f"SELECT {_ORDER}, DELETE",
    "dispatches": "SELECT, DELETE",
    "holds": "SELECT (bucket, user_code, card_number, by, by_code, reason, at), DELETE",
    "notices": "SELECT, DELETE",
    "readers": "SELECT, UPDATE (bucket, user_code)",
    "devices": "SELECT (bucket, user_code, known_since, expires_at), DELETE",
    "audit_lines": "SELECT, INSERT",
    "audit_personal": "SELECT, DELETE",
    "legal_holds": "SELECT, INSERT, UPDATE (lifted_at, lifted_by, lifted_reason)",
    "alembic_version": "SELECT",
}
# What a server does, for staff sign in the same way; and what officers do: enrol staff, hold and
# release cards, ask and decide. It enrols no customer, and makes no secret that enrols an officer.
_DESK: Mapping[str, str] = {
    **GRANTS,
    "access": "SELECT, INSERT (bucket, user_code, enrolled_at, *), UPDATE (*, enrolled_at), DELETE",
    "cards": "SELECT, INSERT, UPDATE (last_atc, generation, state)",
    # Who may change it may have a card's last ATC fall from there (migration 0014). It never rises.
    "begun_counters": "SELECT, UPDATE (last_atc)",
    "pan_index": "SELECT, INSERT",
    "staff": "SELECT, INSERT, UPDATE (begun_at, closed_at, closed_reason)",
    "staff_bootstraps": "SELECT, UPDATE (used_at)",
    "approvals": "SELECT, INSERT, UPDATE (verdict, decided_by, decided_at, open_card, used_at)",
    "limit_changes": "SELECT, INSERT",
    "customers": "SELECT",
    "customer_details": (
        "SELECT, UPDATE (line_2, line_3, line_4, line_5, postcode, city, country, "
        "address_changed_at, address_confirmed_at)"
    ),
    "former_addresses": "SELECT, INSERT",
    "customer_words": "SELECT",
    "audit_lines": "SELECT, INSERT",  # a timeline says what happened
    "card_orders": (
        f"SELECT {_ORDER}, INSERT, "
        "UPDATE (activated_at, cancelled_at, activation_until)"  # activated by a replay
    ),
    "dispatches": "SELECT, INSERT, UPDATE (posted_at, returned_at, voided_at)",
    "batches": "SELECT",
    "readers": "SELECT, INSERT, UPDATE (state, bucket, user_code, changed_at)",
    "holds": "SELECT, INSERT, DELETE",
    # Sorted and sent here; what one tells of, and whom, stays as it was written.
    "notices": "SELECT, INSERT, UPDATE (email_state, tries, next_try_at, sent_at, letter)",
    "closures": "SELECT, INSERT, UPDATE (opens, closes, reason, set_by, set_at), DELETE",
}
# `sesame issuing`: sees sealed PINs, and opens nobody's session. Neither enrols nor decides; a card
# that it makes waits, and triggers let it hold and retire cards only (migration 0014).
_ISSUING: Mapping[str, str] = {
    "access": "SELECT, UPDATE (*)",
    "cards": "SELECT, INSERT, UPDATE (state)",
    "pan_index": "SELECT, INSERT",
    "incarnation": "SELECT",
    "devices": "SELECT",
    # PostgreSQL holds a row only for who may change something of it.
    "staff": "SELECT, UPDATE (language)",
    "approvals": "SELECT",
    "customers": "SELECT",
    "customer_details": "SELECT",
    "audit_lines": "INSERT",
    "audit_personal": "INSERT",
    "card_orders": (
        "SELECT, INSERT, UPDATE (card_number, personalised_at, expires_on, sealed_pin, "
        "activation_hash, activation_until, cancelled_at)"
    ),
    "dispatches": (
        "SELECT, INSERT, UPDATE (due_at, batch, printed_at, posted_at, returned_at, voided_at, "
        "reader_serial)"
    ),
    "batches": "SELECT, INSERT, UPDATE (posted_at, destroyed_at)",
    "readers": "SELECT, INSERT, UPDATE (state, bucket, user_code, changed_at)",
    "holds": "SELECT, INSERT, DELETE",
    "notices": "SELECT, INSERT",
    "former_addresses": "SELECT",
    "alembic_version": "SELECT",
}
ROLES: Mapping[str, Mapping[str, str]] = {
    WEB_ROLE: GRANTS,
    DESK_ROLE: _DESK,
    SEAL_ROLE: _CHAINS,
    EVIDENCE_ROLE: {**_CHAINS, "audit_personal": "SELECT"},
    RETENTION_ROLE: _RETENTION,
    PERSON_ROLE: _PERSON,
    ISSUING_ROLE: _ISSUING,
}


# Tells whether a customer has an old code, for who may not see it; of migration 0011.
_HAS_OLD_CODE = "sesame_has_old_code(smallint, text)"


def grant(connection: Connection) -> None:
    """Give each of `ROLES` its rights on the tables that there are, and take all others away."""
    known = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
    for role, rights in ROLES.items():
        if role in known:
            _grant(connection, role, rights)
    there = text(f"SELECT to_regprocedure('{_HAS_OLD_CODE}') IS NOT NULL")
    if connection.execute(there).scalar_one():  # in an older schema it is not
        connection.execute(text(f"REVOKE ALL ON FUNCTION {_HAS_OLD_CODE} FROM PUBLIC"))
        if PERSON_ROLE in known:
            connection.execute(text(f"GRANT EXECUTE ON FUNCTION {_HAS_OLD_CODE} TO {PERSON_ROLE}"))


def _grant(connection: Connection, role: str, grants: Mapping[str, str]) -> None:
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    tables = inspect(connection)
    there = set(tables.get_table_names())
    for table, rights in grants.items():
        if table in there:  # in an older schema some are not
            columns = [column["name"] for column in tables.get_columns(table)]
            changed = ", ".join(column for column in columns if column not in _FIXED)
            granted = _NAMED.sub(partial(_there_are, columns), rights.replace("*", changed))
            connection.execute(text(f"GRANT {granted} ON {table} TO {role}"))


def _there_are(columns: Sequence[str], named: re.Match[str]) -> str:
    """Those of the columns *named* that are among *columns*: in an older schema some are not."""
    return f"({', '.join(name for name in named[1].split(', ') if name in columns)})"


def may_alter_lines(connection: Connection) -> bool:
    """Whether the role that is connected could alter an audit line: no server's should."""
    asked = text("SELECT has_table_privilege('audit_lines', 'UPDATE')")
    return bool(connection.execute(asked).scalar_one())
