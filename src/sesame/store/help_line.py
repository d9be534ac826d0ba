"""What the help line writes in one transaction: steps, cards, holds, orders, notices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from sesame.store.approvals import Move, Signer, circles_lost, take_moves
from sesame.store.audit import AUDIT_LINES
from sesame.store.cards import CARDS, CardState, Key, raise_atc, set_card_state
from sesame.store.customers import CUSTOMERS
from sesame.store.devices import DEVICES
from sesame.store.dispatches import DISPATCHES
from sesame.store.errors import StepLost
from sesame.store.holds import HOLDS
from sesame.store.notices import insert_notice
from sesame.store.orders import ORDERS, insert_order
from sesame.store.staff import has_right

_BY_DESK = "desk"


class NamedCard(NamedTuple):
    """A customer's card as staff name it."""

    number: int
    kind: str
    state: CardState
    last4: str


class NamedOrder(NamedTuple):
    """An order as staff name it: without what is sealed."""

    order_number: int
    kind: str
    reason: str
    replaces: int | None
    card_number: int | None  # null until it is made
    cancelled_at: int | None


class Named(NamedTuple):
    """A customer as staff name them, with their cards and orders by number."""

    name: str
    cards: tuple[NamedCard, ...]
    orders: tuple[NamedOrder, ...]


class Hold(NamedTuple):
    """A card that is held by the desk, and why."""

    card_number: int
    reason: str


class NewOrder(NamedTuple):
    """A card to be ordered; see `insert_order`."""

    kind: str
    reason: str
    replaces: int | None


class Notice(NamedTuple):
    """What the customer is to be told; see `insert_notice`."""

    id: bytes
    event: str
    facts: bytes


class AtMost(NamedTuple):
    """How many lines of *event* there may be since a moment: of the customer, of the adviser."""

    event: str
    since: int
    of_customer: int
    of_staff: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpEffect:
    """What goes with the steps, all of it the customer's at `key`. Numbers are of cards, orders."""

    key: Key
    at: int
    atcs: Sequence[tuple[int, int]] = ()  # card number and its new last ATC
    states: Sequence[tuple[int, CardState]] = ()
    holds: Sequence[Hold] = ()
    cancels: Sequence[int] = ()  # orders, with their letters that are not posted yet
    orders: Sequence[NewOrder] = ()
    hands_over: str | None = None  # the reference of the letter that a card lies in
    forgets_devices: bool = False
    notice: Notice | None = field(default=None, repr=False)
    at_most: AtMost | None = None


@unique
class Helped(StrEnum):
    """What became of it."""

    DONE = "done"
    NO_RIGHT = "whoever does it has no right any more"
    ENOUGH = "so often was it done already"


class _Said(msgspec.Struct, frozen=True):
    event: str


_ORDERS = [ORDERS.c[name] for name in NamedOrder._fields]
_read_event = msgspec.json.Decoder(_Said).decode


@circles_lost()
def settle_help(
    connection: Connection, by: Signer, moves: Sequence[Move], effect: HelpEffect
) -> Helped:
    """Take the steps with all that goes with them, or nothing at all.

    Raises:
        StepLost: somebody was faster, or a card cannot be moved so any more; undo the
            transaction, read and plan again.
    """
    if not has_right(connection, by.key, by.roles):
        return Helped.NO_RIGHT
    # Before the steps: a line that is written meanwhile takes the row on, and the step is lost.
    if effect.at_most is not None and _had_enough(connection, effect.key, by, effect.at_most):
        return Helped.ENOUGH
    take_moves(connection, moves)
    _change_cards(connection, by, effect)
    _change_orders(connection, by, effect)
    if effect.forgets_devices:
        bucket, user_code = effect.key
        connection.execute(
            delete(DEVICES).where(DEVICES.c.bucket == bucket, DEVICES.c.user_code == user_code)
        )
    if (told := effect.notice) is not None:
        insert_notice(
            connection,
            effect.key,
            notice=told.id,
            event=told.event,
            facts=told.facts,
            at=effect.at,
        )
    return Helped.DONE


def read_named(connection: Connection, key: Key) -> Named | None:
    """The customer at *key* as staff name them; None where there is none."""
    mine = (CUSTOMERS.c.bucket == key[0], CUSTOMERS.c.user_code == key[1])
    name = connection.execute(select(CUSTOMERS.c.name).where(*mine)).scalar()
    if name is None:
        return None
    columns = (CARDS.c.card_number, CARDS.c.kind, CARDS.c.state, CARDS.c.last4)
    rows = select(*columns).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    cards = tuple(
        NamedCard(number, kind, CardState(state), last4)
        for number, kind, state, last4 in connection.execute(rows.order_by(CARDS.c.card_number))
    )
    orders = select(*_ORDERS).where(ORDERS.c.bucket == key[0], ORDERS.c.user_code == key[1])
    found = connection.execute(orders.order_by(ORDERS.c.order_number))
    return Named(name, cards, tuple(NamedOrder(*row) for row in found))


def line_of_attempt(connection: Connection, key: Key, attempt: bytes) -> bytes | None:
    """The line that *attempt* (16 bytes) left in the chain at *key*; None where it left none."""
    line: bytes | None = connection.execute(
        select(AUDIT_LINES.c.line)
        .where(AUDIT_LINES.c.bucket == key[0], AUDIT_LINES.c.user_code == key[1])
        .where(AUDIT_LINES.c.attempt == attempt)
    ).scalar()
    return line


def card_letter(connection: Connection, key: Key, order: int) -> str | None:
    """The reference of the printed letter with the card of *order*; None where there is none."""
    row = select(DISPATCHES.c.reference).where(
        DISPATCHES.c.bucket == key[0],
        DISPATCHES.c.user_code == key[1],
        DISPATCHES.c.order_number == order,
        DISPATCHES.c.kind == "card",
        DISPATCHES.c.printed_at.is_not(None),
        DISPATCHES.c.voided_at.is_(None),
    )
    reference: str | None = connection.execute(row).scalar()
    return reference


def _change_cards(connection: Connection, by: Signer, effect: HelpEffect) -> None:
    for number, atc in effect.atcs:
        if not raise_atc(connection, effect.key, number, atc):
            raise StepLost
    for number, state in effect.states:
        set_card_state(connection, effect.key, number, state)
    for hold in effect.holds:
        _hold(connection, effect.key, hold, by=by.user_code, at=effect.at)


def _change_orders(connection: Connection, by: Signer, effect: HelpEffect) -> None:
    key, at = effect.key, effect.at
    for order in effect.cancels:
        _cancel(connection, key, order, at=at)
    for new in effect.orders:
        insert_order(connection, key, **new._asdict(), by=by.user_code, at=at)
    if effect.hands_over is not None:
        # Where it went to the branch with others, it was posted then.
        letter = update(DISPATCHES).where(
            _unposted(key), DISPATCHES.c.reference == effect.hands_over
        )
        connection.execute(letter.values(posted_at=at))


def _had_enough(connection: Connection, key: Key, by: Signer, most: AtMost) -> bool:
    return (
        _count(connection, key, most) >= most.of_customer
        or _count(connection, by.key, most) >= most.of_staff
    )


def _count(connection: Connection, key: Key, most: AtMost) -> int:
    """How many lines of that event the chain at *key* has since that moment."""
    rows = select(AUDIT_LINES.c.line).where(
        AUDIT_LINES.c.bucket == key[0],
        AUDIT_LINES.c.user_code == key[1],
        AUDIT_LINES.c.at > most.since,
    )
    return sum(_read_event(line).event == most.event for line in connection.scalars(rows))


def _hold(connection: Connection, key: Key, hold: Hold, *, by: str, at: int) -> None:
    """Hold a card by the desk; an owner's own hold, with its release number, gives way."""
    set_card_state(connection, key, hold.card_number, CardState.HELD)
    own = and_(HOLDS.c.bucket == key[0], HOLDS.c.user_code == key[1])
    connection.execute(delete(HOLDS).where(own, HOLDS.c.card_number == hold.card_number))
    connection.execute(
        insert(HOLDS).values(
            bucket=key[0],
            user_code=key[1],
            card_number=hold.card_number,
            by=_BY_DESK,
            by_code=by,
            reason=hold.reason,
            at=at,
        )
    )


def _cancel(connection: Connection, key: Key, order: int, *, at: int) -> None:
    mine = (ORDERS.c.bucket == key[0], ORDERS.c.user_code == key[1])
    cancelled = update(ORDERS).where(*mine, ORDERS.c.order_number == order)
    connection.execute(cancelled.values(cancelled_at=at, activation_until=None))
    letters = update(DISPATCHES).where(_unposted(key), DISPATCHES.c.order_number == order)
    connection.execute(letters.values(voided_at=at))


def _unposted(key: Key) -> ColumnElement[bool]:
    return and_(
        DISPATCHES.c.bucket == key[0],
        DISPATCHES.c.user_code == key[1],
        DISPATCHES.c.posted_at.is_(None),
        DISPATCHES.c.voided_at.is_(None),
    )
