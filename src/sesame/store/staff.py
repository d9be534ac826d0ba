"""Members of staff, and the one-time secrets that enrol security officers.

Their access rows, cards, sessions and lines stand in the tables of customers; here is what makes
them staff. No statement of a login reads these tables.
"""

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    func,
    insert,
    select,
    text,
    update,
)

from sesame.store.access import ACCESS
from sesame.store.bulk import insert_rows
from sesame.store.cards import CardState, Key, set_card_state
from sesame.store.customers import NewCustomerRow, Refusal, insert_subjects
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.metadata import METADATA
from sesame.store.sessions import SESSIONS

STAFF = Table(
    "staff",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("language", String(2), nullable=False),
    Column("roles", String(64), nullable=False),  # sorted, with blanks between
    Column("added_at", BigInteger, nullable=False),
    Column("begun_at", BigInteger),  # null: nobody has agreed yet
    Column("closed_at", BigInteger),
    Column("closed_reason", String(200)),
    Column("personnel_number", String(20)),  # the institution's own; null before migration 0014
    # One person has one account: two would be two persons to whoever asks for two.
    Index(
        "staff_one_account",
        "personnel_number",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    sqlite_with_rowid=False,
)
STAFF_BOOTSTRAPS = Table(
    "staff_bootstraps",
    METADATA,
    Column("secret_hash", LargeBinary(32), primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    sqlite_with_rowid=False,
)


class StaffRow(NamedTuple):
    """A member of staff, moments as in rows."""

    user_code: str
    name: str
    language: str
    roles: str
    added_at: int
    begun_at: int | None
    closed_at: int | None
    closed_reason: str | None
    personnel_number: str | None


class StaffSession(NamedTuple):
    """A session of a member of staff who is one now."""

    user_code: str
    name: str
    roles: str
    opened_at: int
    seen_at: int
    ends_at: int


class StaffRights(NamedTuple):
    """What somebody may do, for an auditor; moments as in rows."""

    bucket: int
    user_code: str
    roles: str
    added_at: int
    begun_at: int | None


_COLUMNS = [STAFF.c[name] for name in StaffRow._fields]


def read_staff(connection: Connection, key: Key) -> StaffRow | None:
    """The member of staff at *key*, begun or not, closed or not."""
    row = connection.execute(select(*_COLUMNS).where(_at(key))).first()
    return None if row is None else StaffRow(*row)


def read_rights(connection: Connection) -> list[StaffRights]:
    """What everybody may do who is, was or is to become staff."""
    return [
        StaffRights(*row)
        for row in connection.execute(select(*(STAFF.c[name] for name in StaffRights._fields)))
    ]


def list_staff(connection: Connection) -> list[StaffRow]:
    """All who are or were members of staff, by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(STAFF.c.name, STAFF.c.user_code))
    return [StaffRow(*row) for row in rows]


def find_staff_session(
    connection: Connection, bucket: int, token_hash: bytes
) -> StaffSession | None:
    """The session of a token, of a member of staff who has begun and is not closed."""
    of_staff = and_(STAFF.c.bucket == SESSIONS.c.bucket, STAFF.c.user_code == SESSIONS.c.user_code)
    of_access = and_(
        ACCESS.c.bucket == SESSIONS.c.bucket,
        ACCESS.c.user_code == SESSIONS.c.user_code,
        ACCESS.c.session_epoch == SESSIONS.c.session_epoch,
    )
    row = connection.execute(
        select(
            STAFF.c.user_code,
            STAFF.c.name,
            STAFF.c.roles,
            SESSIONS.c.opened_at,
            SESSIONS.c.seen_at,
            SESSIONS.c.ends_at,
        )
        .select_from(SESSIONS)
        .join(STAFF, of_staff)
        .join(ACCESS, of_access)
        .where(SESSIONS.c.bucket == bucket, SESSIONS.c.token_hash == token_hash)
        .where(STAFF.c.begun_at.is_not(None), STAFF.c.closed_at.is_(None))
    ).first()
    return None if row is None else StaffSession(*row)


def insert_staff(
    connection: Connection,
    row: NewCustomerRow,
    *,
    roles: str,
    personnel_number: str,
    begun_at: int | None,
) -> dict[int, Refusal]:
    """Write a member of staff with their one card, held until they have begun.

    Returns, and raises: as `insert_customers` does of one row.
    """
    theirs = (STAFF.c.personnel_number == personnel_number, STAFF.c.closed_at.is_(None))
    if connection.execute(select(STAFF.c.user_code).where(*theirs)).first() is not None:
        return {0: Refusal.PERSON_TAKEN}
    refused = insert_subjects(connection, [row])
    if refused:
        return refused
    if begun_at is None:
        for card in row.cards:
            set_card_state(connection, row.key, card.card_number, CardState.HELD)
    values = {
        "bucket": row.bucket,
        "user_code": row.user_code,
        "name": row.name,
        "language": row.language,
        "roles": roles,
        "added_at": row.line.at,
        "begun_at": begun_at,
        "personnel_number": personnel_number,
    }
    place = [tuple(values.values())]
    if not insert_rows(connection, STAFF, tuple(values), place, otherwise="ON CONFLICT DO NOTHING"):
        raise EnrolledMeanwhile  # somebody else with the same number came first
    return {}


def begin_staff(connection: Connection, key: Key, *, roles: str, at: int) -> bool:
    """Let somebody begin, with *roles* as they were agreed to; False where they cannot."""
    begun = update(STAFF).where(_at(key), STAFF.c.begun_at.is_(None), STAFF.c.closed_at.is_(None))
    return connection.execute(begun.where(STAFF.c.roles == roles).values(begun_at=at)).rowcount == 1


def close_staff(connection: Connection, key: Key, *, by: str, reason: str, at: int) -> bool:
    """Close an account; False where it is closed, or the one who closes."""
    closed = update(STAFF).where(_at(key), STAFF.c.closed_at.is_(None), STAFF.c.user_code != by)
    values = {"closed_at": at, "closed_reason": reason}
    return connection.execute(closed.values(values)).rowcount == 1


def has_right(connection: Connection, key: Key, roles: str) -> bool:
    """Whether the member of staff at *key* is one now, with exactly *roles*; their row is held."""
    row = select(STAFF.c.user_code).where(_at(key), STAFF.c.roles == roles)
    row = row.where(STAFF.c.begun_at.is_not(None), STAFF.c.closed_at.is_(None))
    return connection.execute(row.with_for_update(read=True)).first() is not None


def count_proved(connection: Connection, roles: str) -> int:
    """How many members of staff with exactly *roles* have signed in, and are not closed."""
    of_access = and_(ACCESS.c.bucket == STAFF.c.bucket, ACCESS.c.user_code == STAFF.c.user_code)
    query = select(func.count()).select_from(STAFF.join(ACCESS, of_access))
    query = query.where(STAFF.c.roles == roles, STAFF.c.closed_at.is_(None))
    query = query.where(STAFF.c.begun_at.is_not(None), ACCESS.c.signed_in_at.is_not(None))
    return int(connection.execute(query).scalar_one())


def add_bootstrap(connection: Connection, secret_hash: bytes, *, at: int, expires_at: int) -> None:
    """Let a secret be used once until it expires; what was made before and not used is void."""
    table = STAFF_BOOTSTRAPS
    before = update(table).where(table.c.used_at.is_(None), table.c.expires_at > at)
    connection.execute(before.values(expires_at=at))
    values = {"secret_hash": secret_hash, "made_at": at, "expires_at": expires_at}
    connection.execute(insert(table).values(values))


def is_bootstrap(connection: Connection, secret_hash: bytes, *, at: int) -> bool:
    """Whether a secret could be used up now."""
    table = STAFF_BOOTSTRAPS
    row = select(table.c.made_at).where(table.c.secret_hash == secret_hash)
    row = row.where(table.c.used_at.is_(None), table.c.expires_at > at)
    return connection.execute(row).first() is not None


def use_bootstrap(connection: Connection, secret_hash: bytes, *, at: int) -> bool:
    """Use a secret up; False where it is none, expired or used."""
    table = STAFF_BOOTSTRAPS
    used = update(table).where(table.c.secret_hash == secret_hash, table.c.used_at.is_(None))
    return connection.execute(used.where(table.c.expires_at > at).values(used_at=at)).rowcount == 1


def _at(key: Key) -> ColumnElement[bool]:
    return and_(STAFF.c.bucket == key[0], STAFF.c.user_code == key[1])
