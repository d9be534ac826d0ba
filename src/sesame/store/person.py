"""All that stands of one person, without secrets; and its erasure in one commit."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from sesame.store.access import ACCESS, State, state_columns
from sesame.store.addresses import FORMER_ADDRESSES, AddressRow
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL, AuditRow
from sesame.store.begun import BEGUN_COUNTERS
from sesame.store.cards import CARDS
from sesame.store.chains import Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS, DetailsRow, read_details
from sesame.store.devices import DEVICES
from sesame.store.dispatches import DISPATCHES
from sesame.store.holds import HOLDS, reason_key
from sesame.store.names import CUSTOMER_WORDS
from sesame.store.notices import NOTICES
from sesame.store.orders import ORDERS
from sesame.store.readers import READERS
from sesame.store.retention import active_holds
from sesame.store.sessions import SESSIONS

_ERASED = (
    SESSIONS,
    DEVICES,
    HOLDS,
    ORDERS,
    DISPATCHES,
    NOTICES,
    CARDS,
    BEGUN_COUNTERS,
    CUSTOMER_DETAILS,
    CUSTOMER_WORDS,
    FORMER_ADDRESSES,
    CUSTOMERS,
    AUDIT_PERSONAL,
)


class PersonRow(NamedTuple):
    """The access row and the customer's, as far as people read them; moments as in rows."""

    version: int
    head: bytes  # 32 bytes
    session_epoch: int
    stepped_at: int
    enrolled_at: int
    signed_in_at: int | None
    has_old_code: bool
    open_failures: int
    open_suspended_until: int | None
    reserved_failures: int
    reserved_suspended_until: int | None
    name: str | None  # None: erased
    language: str | None
    created_at: int | None


class CardHeld(NamedTuple):
    """A card, as a screen may show it."""

    card_number: int
    kind: str
    state: str
    profile: str
    last4: str
    last_atc: int
    created_at: int


class BegunHeld(NamedTuple):
    """What a card began with."""

    card_number: int
    last_atc: int


class DeviceHeld(NamedTuple):
    """A browser that is known."""

    known_since: int
    expires_at: int


class SessionHeld(NamedTuple):
    """A session."""

    means: str
    opened_at: int
    seen_at: int
    ends_at: int


class OrderHeld(NamedTuple):
    """A card that was ordered, without what is sealed or hashed."""

    order_number: int
    kind: str
    reason: str
    replaces: int | None
    card_number: int | None
    ordered_at: int
    personalised_at: int | None
    expires_on: str | None
    activation_until: int | None
    activated_at: int | None
    cancelled_at: int | None


class LetterHeld(NamedTuple):
    """A letter or parcel."""

    due_at: int
    reference: str
    kind: str
    order_number: int | None
    printed_at: int | None
    posted_at: int | None
    returned_at: int | None
    voided_at: int | None
    reader_serial: str | None


class ReaderHeld(NamedTuple):
    """A reader that was sent."""

    serial: str
    model: str
    state: str


class CardHoldHeld(NamedTuple):
    """Why a card signs in nowhere."""

    card_number: int
    by: str  # owner or desk
    reason: str
    at: int


class NoticeHeld(NamedTuple):
    """What the person was told, or is to be."""

    at: int
    event: str
    facts: bytes  # JSON
    email_state: str
    sent_at: int | None
    letter: str | None


class LineHeld(NamedTuple):
    """A line, and the address that it commits to: None where that was erased."""

    version: int
    line: bytes
    address: str | None

    def __repr__(self) -> str:
        return f"LineHeld({self.version})"


class PersonHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands of one person."""

    row: PersonRow
    details: DetailsRow | None
    former_addresses: list[tuple[Any, ...]]  # as `AddressRow`, and until when
    cards: list[CardHeld]
    begun: list[BegunHeld]
    devices: list[DeviceHeld]
    sessions: list[SessionHeld]
    orders: list[OrderHeld]
    letters: list[LetterHeld]
    readers: list[ReaderHeld]
    holds: list[CardHoldHeld]
    notices: list[NoticeHeld]
    lines: list[LineHeld]

    def __repr__(self) -> str:
        return "PersonHeld()"


def read_person(connection: Connection, key: Key) -> PersonHeld | None:
    """All that stands of the person at *key*; None where nobody has that user code."""
    row = read_person_row(connection, key)
    if row is None:
        return None
    return PersonHeld(
        row=row,
        details=read_details(connection, key),
        former_addresses=_former_addresses(connection, key),
        cards=[CardHeld(*one) for one in _rows(connection, CARDS, CardHeld, key)],
        begun=[BegunHeld(*one) for one in _rows(connection, BEGUN_COUNTERS, BegunHeld, key)],
        devices=[DeviceHeld(*one) for one in _rows(connection, DEVICES, DeviceHeld, key)],
        sessions=[SessionHeld(*one) for one in _rows(connection, SESSIONS, SessionHeld, key)],
        orders=[OrderHeld(*one) for one in _rows(connection, ORDERS, OrderHeld, key)],
        letters=[LetterHeld(*one) for one in _rows(connection, DISPATCHES, LetterHeld, key)],
        readers=[ReaderHeld(*one) for one in _rows(connection, READERS, ReaderHeld, key)],
        holds=_holds(connection, key),
        notices=[NoticeHeld(*one) for one in _rows(connection, NOTICES, NoticeHeld, key)],
        lines=_lines(connection, key),
    )


def _holds(connection: Connection, key: Key) -> list[CardHoldHeld]:
    holds = [CardHoldHeld(*one) for one in _rows(connection, HOLDS, CardHoldHeld, key)]
    return [hold._replace(reason=reason_key(hold.reason)) for hold in holds]


def _former_addresses(connection: Connection, key: Key) -> list[tuple[Any, ...]]:
    table = FORMER_ADDRESSES
    columns = [table.c[name] for name in (*AddressRow._fields, "until")]
    rows = connection.execute(select(*columns).where(*_of(table, key)).order_by(table.c.until))
    return [tuple(row) for row in rows]


def read_person_row(connection: Connection, key: Key) -> PersonRow | None:
    """The rows of the person at *key*; None where nobody has that user code."""
    access, customers = ACCESS.c, CUSTOMERS.c
    joined = and_(customers.bucket == access.bucket, customers.user_code == access.user_code)
    query = (
        select(
            access.version,
            access.head,
            access.session_epoch,
            access.stepped_at,
            access.enrolled_at,
            access.signed_in_at,
            _has_old_code(connection),
            access.open_failures,
            access.open_suspended_until,
            access.reserved_failures,
            access.reserved_suspended_until,
            customers.name,
            customers.language,
            customers.created_at,
        )
        .select_from(ACCESS.outerjoin(CUSTOMERS, joined))
        .where(*_of(ACCESS, key), access.enrolled_at.is_not(None))
    )
    found = connection.execute(query).first()
    return None if found is None else PersonRow(*found)


def erase_person(connection: Connection, key: Key, row: PersonRow, line: AuditRow) -> bool | None:
    """Take the step of *line* from *row*, and erase with it all but the lines; in one commit.

    False, and nothing is done, where the access row went on meanwhile; None where there is a
    legal hold by now. The index of card numbers stays: no card of theirs is enrolled again, for
    nobody would know its last ATC.
    """
    if any(hold.user_code in {"", key[1]} for hold in active_holds(connection)):
        return None
    state = State(session_epoch=row.session_epoch + 1, stepped_at=line.at)
    step = update(ACCESS).where(*_of(ACCESS, key), ACCESS.c.version == row.version)
    step = step.values(**state_columns(state), version=line.version, head=line.head)
    if connection.execute(step).rowcount != 1:
        return False
    bucket, user_code = key
    connection.execute(
        insert(AUDIT_LINES).values(
            bucket=bucket,
            user_code=user_code,
            version=line.version,
            attempt=line.attempt,
            at=line.at,
            line=line.line,
            head=line.head,
        )
    )
    for table in _ERASED:
        connection.execute(delete(table).where(*_of(table, key)))
    # Of a reader stays that it is gone, and nothing of where.
    connection.execute(
        update(READERS).where(*_of(READERS, key)).values(bucket=None, user_code=None)
    )
    return True


def _has_old_code(connection: Connection) -> ColumnElement[bool]:
    """Whether a row has an old code: on PostgreSQL said by a function, for nobody here sees it."""
    if connection.dialect.name == "postgresql":
        return func.sesame_has_old_code(ACCESS.c.bucket, ACCESS.c.user_code, type_=Boolean)
    return ACCESS.c.old_code.is_not(None)


def _rows(connection: Connection, table: Table, kind: Any, key: Key) -> Any:  # noqa: ANN401 -- rows
    columns = [table.c[name] for name in kind._fields]
    return connection.execute(select(*columns).where(*_of(table, key)).order_by(*columns)).all()


def _lines(connection: Connection, key: Key) -> list[LineHeld]:
    joined = and_(
        AUDIT_PERSONAL.c.bucket == AUDIT_LINES.c.bucket,
        AUDIT_PERSONAL.c.user_code == AUDIT_LINES.c.user_code,
        AUDIT_PERSONAL.c.version == AUDIT_LINES.c.version,
    )
    query = (
        select(AUDIT_LINES.c.version, AUDIT_LINES.c.line, AUDIT_PERSONAL.c.address)
        .select_from(AUDIT_LINES.outerjoin(AUDIT_PERSONAL, joined))
        .where(*_of(AUDIT_LINES, key))
        .order_by(AUDIT_LINES.c.version)
    )
    return [LineHeld(*row) for row in connection.execute(query)]


def _of(table: Table, key: Key) -> Any:  # noqa: ANN401 -- SQLAlchemy's conditions
    bucket, user_code = key
    return table.c.bucket == bucket, table.c.user_code == user_code
