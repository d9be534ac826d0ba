"""What staff see of one customer, on one page. Nothing secret is read: no sealed card, no hash."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, and_, func, select, tuple_

from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES
from sesame.store.cards import CARDS, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import DetailsRow, read_details
from sesame.store.devices import DEVICES
from sesame.store.dispatches import DispatchRow, list_dispatches
from sesame.store.holds import HOLDS, reason_key
from sesame.store.notices import NOTICES
from sesame.store.number_letters import find_waiting
from sesame.store.orders import ORDERS
from sesame.store.readers import READERS
from sesame.store.sessions import SESSIONS

_NOTICES = 20  # the latest are shown; the timeline has the rest


class CardShown(NamedTuple):
    """A card, as a screen may show it; moments as in rows."""

    card_number: int
    kind: str
    state: str
    last4: str
    last_atc: int
    created_at: int


class OrderShown(NamedTuple):
    """An order of a card, without what is secret; moments as in rows."""

    order_number: int
    kind: str
    reason: str
    replaces: int | None
    ordered_at: int
    ordered_by: str
    card_number: int | None
    personalised_at: int | None
    expires_on: str | None
    activation_until: int | None
    activated_at: int | None
    cancelled_at: int | None


class HoldShown(NamedTuple):
    """Who holds a card, and why."""

    card_number: int
    by: str
    by_code: str
    reason: str
    at: int


class NoticeShown(NamedTuple):
    """What a customer was or is to be told on another channel."""

    at: int
    event: str
    email_state: str
    sent_at: int | None
    letter: str | None  # reference of the one that tells it too


class ReaderShown(NamedTuple):
    """A reader that was sent to a customer."""

    serial: str
    model: str
    state: str
    changed_at: int


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a page about a customer shows, but for their access row."""

    name: str
    language: str
    created_at: int
    details: DetailsRow | None
    cards: list[CardShown]
    waits: bool  # one of them for its activation, by a number that was printed
    orders: list[OrderShown]
    dispatches: list[DispatchRow]
    holds: list[HoldShown]
    notices: list[NoticeShown]  # newest first, the latest few
    readers: list[ReaderShown]
    sessions: int  # open ones
    devices: int  # known browsers


class LineShown(NamedTuple):
    """An audit line of a customer."""

    version: int
    at: int
    line: bytes

    def __repr__(self) -> str:
        return f"LineShown({self.version})"


def read_view(
    connection: Connection, key: Key, *, seen_since: int, now: int
) -> CustomerView | None:
    """What there is of the customer at *key*; None where nobody is one, or is any more.

    Sessions count that were seen after *seen_since*, and neither they nor devices ended by *now*.
    """
    of_customer = (CUSTOMERS.c.bucket == key[0], CUSTOMERS.c.user_code == key[1])
    columns = (CUSTOMERS.c.name, CUSTOMERS.c.language, CUSTOMERS.c.created_at)
    row = connection.execute(select(*columns).where(*of_customer)).first()
    if row is None:
        return None
    name, language, created_at = row
    return CustomerView(
        name=name,
        language=language,
        created_at=created_at,
        details=read_details(connection, key),
        cards=_rows(connection, CARDS, CardShown, key),
        waits=bool(find_waiting(connection, key)),
        orders=_rows(connection, ORDERS, OrderShown, key),
        dispatches=list_dispatches(connection, key),
        holds=[
            hold._replace(reason=reason_key(hold.reason))
            for hold in _rows(connection, HOLDS, HoldShown, key)
        ],
        notices=_notices(connection, key),
        readers=_rows(connection, READERS, ReaderShown, key),
        sessions=_open_sessions(connection, key, seen_since, now),
        devices=_known_devices(connection, key, now),
    )


def names_of(connection: Connection, keys: Sequence[Key]) -> dict[str, str]:
    """The names of the customers at *keys*, by user code; none of who was erased."""
    query = select(CUSTOMERS.c.user_code, CUSTOMERS.c.name)
    query = query.where(tuple_(CUSTOMERS.c.bucket, CUSTOMERS.c.user_code).in_(keys))
    return {row.user_code: row.name for row in connection.execute(query)}


def read_lines_before(
    connection: Connection, key: Key, *, before: int | None, most: int
) -> list[LineShown]:
    """The lines of the customer at *key* below the version *before*, newest first."""
    lines = AUDIT_LINES.c
    query = select(lines.version, lines.at, lines.line)
    query = query.where(lines.bucket == key[0], lines.user_code == key[1])
    if before is not None:
        query = query.where(lines.version < before)
    rows = connection.execute(query.order_by(lines.version.desc()).limit(most))
    return [LineShown(*row) for row in rows]


def _rows(connection: Connection, table: Table, kind: Any, key: Key) -> Any:  # noqa: ANN401 -- rows
    columns = [table.c[name] for name in kind._fields]
    mine = (table.c.bucket == key[0], table.c.user_code == key[1])
    rows = connection.execute(select(*columns).where(*mine).order_by(columns[0]))
    return [kind(*row) for row in rows]


def _notices(connection: Connection, key: Key) -> list[NoticeShown]:
    columns = [NOTICES.c[name] for name in NoticeShown._fields]
    query = select(*columns).where(NOTICES.c.bucket == key[0], NOTICES.c.user_code == key[1])
    rows = connection.execute(query.order_by(NOTICES.c.at.desc(), NOTICES.c.id).limit(_NOTICES))
    return [NoticeShown(*row) for row in rows]


def _open_sessions(connection: Connection, key: Key, seen_since: int, now: int) -> int:
    """As `sesame.store.sessions.list_sessions` finds them."""
    of_access = and_(
        ACCESS.c.bucket == SESSIONS.c.bucket,
        ACCESS.c.user_code == SESSIONS.c.user_code,
        ACCESS.c.session_epoch == SESSIONS.c.session_epoch,
    )
    query = select(func.count()).select_from(SESSIONS.join(ACCESS, of_access))
    query = query.where(SESSIONS.c.bucket == key[0], SESSIONS.c.user_code == key[1])
    query = query.where(SESSIONS.c.seen_at > seen_since, SESSIONS.c.ends_at > now)
    return int(connection.execute(query).scalar_one())


def _known_devices(connection: Connection, key: Key, now: int) -> int:
    query = select(func.count()).where(DEVICES.c.bucket == key[0], DEVICES.c.user_code == key[1])
    return int(connection.execute(query.where(DEVICES.c.expires_at > now)).scalar_one())
