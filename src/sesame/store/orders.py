"""Cards that are to be made, and what became of them. No login reads this table."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from sesame.store.bulk import at_least_a_row, there_is
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DISPATCHES, void_unposted
from sesame.store.metadata import METADATA

SESAME = "sesame"  # kind of an order: a card is made
BANK = "bank"  # its customer has the card: only a reader and the user code are sent
COUNTER = "counter"  # reason of an order: handed over, and never posted

ORDERS = Table(
    "card_orders",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("order_number", SmallInteger, primary_key=True),  # 1, 2 … of this customer
    Column("kind", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("replaces", SmallInteger),  # a card of the same customer, by its number
    Column("ordered_at", BigInteger, nullable=False),
    Column("ordered_by", String(8), nullable=False),  # a staff code, or the customer's own
    Column("card_number", SmallInteger),  # null until the card is made
    Column("personalised_at", BigInteger),
    Column("expires_on", String(10)),  # ISO 8601
    Column("sealed_pin", LargeBinary),  # for custody only; null once its letter is on paper
    Column("activation_hash", LargeBinary(32)),  # keyed; null until the reader's parcel is printed
    Column("activation_until", BigInteger),
    Column("activated_at", BigInteger),
    Column("cancelled_at", BigInteger),
    sqlite_with_rowid=False,
)


class OrderRow(NamedTuple):
    """An order, moments as in rows; without its sealed PIN, which few may see."""

    bucket: int
    user_code: str
    order_number: int
    kind: str
    reason: str
    replaces: int | None
    ordered_at: int
    ordered_by: str
    card_number: int | None = None
    personalised_at: int | None = None
    expires_on: str | None = None
    activation_hash: bytes | None = None
    activation_until: int | None = None
    activated_at: int | None = None
    cancelled_at: int | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"OrderRow({self.kind}, {self.reason})"


class ActivationRow(NamedTuple):
    """A card that a number activates, and until when."""

    order_number: int
    card_number: int
    replaces: int | None
    activation_hash: bytes  # 32 bytes
    activation_until: int

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"ActivationRow({self.order_number}, {self.card_number})"


_COLUMNS = [ORDERS.c[name] for name in OrderRow._fields]


def insert_order(  # noqa: PLR0913 -- for whom, what, why, by whom
    connection: Connection,
    key: Key,
    *,
    kind: str,
    reason: str,
    replaces: int | None,
    by: str,
    at: int,
) -> int:
    """Order a card for the customer at *key*; the order's number.

    Call it behind the step that says so (`take_moves`): of two orders at a time one waits there.
    """
    mine = (ORDERS.c.bucket == key[0], ORDERS.c.user_code == key[1])
    highest = select(func.coalesce(func.max(ORDERS.c.order_number), 0)).where(*mine)
    number = int(connection.execute(highest).scalar_one()) + 1
    row = OrderRow(*key, number, kind, reason, replaces, at, by)
    connection.execute(insert(ORDERS).values(row._asdict()))
    return number


def list_orders(connection: Connection, key: Key) -> list[OrderRow]:
    """The orders for the customer at *key*, oldest first."""
    mine = (ORDERS.c.bucket == key[0], ORDERS.c.user_code == key[1])
    rows = connection.execute(select(*_COLUMNS).where(*mine).order_by(ORDERS.c.order_number))
    return [OrderRow(*row) for row in rows]


def find_activations(connection: Connection, key: Key) -> list[ActivationRow]:
    """The orders of the customer at *key* whose card is still to be activated, oldest first.

    Where there are none the database answers a row all the same, as for one: `at_least_a_row`.
    """
    columns = [ORDERS.c[name] for name in ActivationRow._fields]
    tables = at_least_a_row(
        ORDERS,
        ORDERS.c.bucket == key[0],
        ORDERS.c.user_code == key[1],
        ORDERS.c.card_number.is_not(None),
        ORDERS.c.activation_hash.is_not(None),
        ORDERS.c.activation_until.is_not(None),
        ORDERS.c.activated_at.is_(None),
        ORDERS.c.cancelled_at.is_(None),
    )
    rows = connection.execute(select(*columns).select_from(tables).order_by(ORDERS.c.order_number))
    return [ActivationRow(*row) for row in rows if row.order_number is not None]


def activate_order(
    connection: Connection, key: Key, order_number: int, activation_hash: bytes, *, at: int
) -> bool:
    """Note that an order's card was activated by its number; whether it still could be."""
    order = update(ORDERS).where(
        ORDERS.c.bucket == key[0],
        ORDERS.c.user_code == key[1],
        ORDERS.c.order_number == order_number,
        ORDERS.c.activation_hash == activation_hash,
        ORDERS.c.activation_until > at,
        ORDERS.c.activated_at.is_(None),
        ORDERS.c.cancelled_at.is_(None),
    )
    return connection.execute(order.values(activated_at=at)).rowcount == 1


# ── Who is to have a card ────────────────────────────────────────────────────────────────────────


class Wanting(NamedTuple):
    """A customer who is to be sent something for the first time, and what: SESAME or BANK."""

    bucket: int
    user_code: str
    kind: str

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return self.bucket, self.user_code


def who_wants(
    connection: Connection, *, most: int, among: Sequence[Key] | None = None
) -> list[Wanting]:
    """Customers for whom nothing was ever ordered and who are to have it, in key order.

    A Sésame card, where they have no card that lives; or a reader for the bank card they have.
    With *among*, of these customers only.
    """
    wanted = CUSTOMER_DETAILS
    query = select(wanted.c.bucket, wanted.c.user_code, wanted.c.card_kind).where(_WANTS)
    if among is not None:
        query = query.where(tuple_(wanted.c.bucket, wanted.c.user_code).in_(among))
    query = query.order_by(wanted.c.bucket, wanted.c.user_code).limit(most)
    return [Wanting(*row) for row in connection.execute(query)]


def count_wanting(connection: Connection) -> dict[str, int]:
    """How many of `who_wants` there are, by kind."""
    kind = CUSTOMER_DETAILS.c.card_kind
    found = connection.execute(select(kind, func.count()).where(_WANTS).group_by(kind))
    return {kind: int(count) for kind, count in found}


# ── What is to be made, and was ──────────────────────────────────────────────────────────────────


class ToMake(NamedTuple):
    """An order without a card, and whose name is printed on it."""

    bucket: int
    user_code: str
    order_number: int
    reason: str
    replaces: int | None
    name: str
    language: str

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return self.bucket, self.user_code

    def __repr__(self) -> str:
        """Without the name."""
        return f"ToMake({self.reason})"


def orders_to_make(connection: Connection, *, most: int) -> list[ToMake]:
    """The oldest orders whose card is to be made, at most *most*."""
    columns = [ORDERS.c[name] for name in ToMake._fields[:5]]
    query = select(*columns, CUSTOMERS.c.name, CUSTOMERS.c.language)
    query = query.select_from(ORDERS.join(CUSTOMERS, _same(ORDERS, CUSTOMERS)))
    query = query.where(*_TO_MAKE).order_by(ORDERS.c.ordered_at, *columns[:3]).limit(most)
    return [ToMake._make(row) for row in connection.execute(query)]


def count_to_make(connection: Connection) -> int:
    """How many of them there are."""
    query = select(func.count()).select_from(ORDERS).where(*_TO_MAKE)
    return int(connection.execute(query).scalar_one())


def mark_made(  # noqa: PLR0913 -- what the order becomes
    connection: Connection,
    key: Key,
    order_number: int,
    *,
    card_number: int,
    at: int,
    expires_on: str,
    sealed_pin: bytes,
) -> bool:
    """Say that the card of an order is made; False where it is, or is not wanted any more."""
    made = update(ORDERS).where(*_at(key), ORDERS.c.order_number == order_number, *_TO_MAKE)
    made = made.values(
        card_number=card_number, personalised_at=at, expires_on=expires_on, sealed_pin=sealed_pin
    )
    return connection.execute(made).rowcount == 1


def readers_to_plan(connection: Connection, *, most: int) -> list[OrderRow]:
    """The orders of a reader for a bank card for which nothing is planned yet."""
    planned = there_is(
        _same(ORDERS, DISPATCHES), DISPATCHES.c.order_number == ORDERS.c.order_number
    )
    query = select(*_COLUMNS).where(
        ORDERS.c.kind == BANK, ORDERS.c.cancelled_at.is_(None), ~planned
    )
    query = query.order_by(ORDERS.c.bucket, ORDERS.c.user_code).limit(most)
    return [OrderRow(*row) for row in connection.execute(query)]


def order_of_card(connection: Connection, key: Key, card_number: int) -> OrderRow | None:
    """The order that a card was made for; None where it was enrolled otherwise."""
    query = select(*_COLUMNS).where(
        *_at(key), ORDERS.c.card_number == card_number, ORDERS.c.kind == SESAME
    )
    row = connection.execute(query.order_by(ORDERS.c.order_number.desc()).limit(1)).first()
    return None if row is None else OrderRow(*row)


def stands_for(order: OrderRow, card_number: int) -> int:
    """Which card comes to its end once there is another one in the place of *card_number*: pure.

    That of *order* itself; or, where nobody has used it, the one that it was to replace and that
    works still.
    """
    if order.activated_at is None and order.replaces is not None:
        return order.replaces
    return card_number


def order_instead(  # noqa: PLR0913 -- for whom, in which card's place, why, by whom
    connection: Connection, key: Key, card_number: int, *, reason: str, by: str, at: int
) -> int:
    """Order a card in the place of one: its letters are void, and so is its activation.

    The number of the order; the one that stands where another card is coming already. Call it
    behind a step, as `insert_order`.
    """
    old = order_of_card(connection, key, card_number)
    replaces = card_number
    if old is not None:
        void_unposted(connection, key, at, order_number=old.order_number)
        cancel_order(connection, key, old.order_number, at)
        replaces = stands_for(old, card_number)
    if (coming := _coming(connection, key, replaces)) is not None:
        return coming
    return insert_order(
        connection, key, kind=SESAME, reason=reason, replaces=replaces, by=by, at=at
    )


def _coming(connection: Connection, key: Key, replaces: int) -> int | None:
    """The order for a card in that place that is to be made, or waits; None: there is none."""
    waits = there_is(
        _same(ORDERS, CARDS),
        CARDS.c.card_number == ORDERS.c.card_number,
        CARDS.c.state == CardState.WAITING,
    )
    query = select(ORDERS.c.order_number).where(
        *_at(key),
        ORDERS.c.replaces == replaces,
        ORDERS.c.cancelled_at.is_(None),
        ORDERS.c.card_number.is_(None) | waits,
    )
    number: int | None = connection.execute(query.order_by(ORDERS.c.order_number)).scalar()
    return number


def cancel_order(connection: Connection, key: Key, order_number: int, at: int) -> None:
    """Have an order over: no card is made for it, and its number activates nothing.

    Its sealed PIN goes with `erase_cancelled_pins`, by who may see it.
    """
    connection.execute(
        update(ORDERS)
        .where(*_at(key), ORDERS.c.order_number == order_number, ORDERS.c.cancelled_at.is_(None))
        .values(cancelled_at=at, activation_until=None)
    )


def withdraw_activation(connection: Connection, key: Key, order_number: int) -> None:
    """Have the activation number of an order open nothing any more."""
    connection.execute(
        update(ORDERS)
        .where(*_at(key), ORDERS.c.order_number == order_number)
        .values(activation_until=None)
    )


class Activation(NamedTuple):
    """The hash (32 bytes) of an activation number of an order, and until when it serves."""

    bucket: int
    user_code: str
    order_number: int
    activation_hash: bytes
    activation_until: int

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Activation({self.order_number})"


def set_activations(connection: Connection, rows: Sequence[Activation]) -> None:
    """Have the activation numbers of orders be other ones."""
    if not rows:
        return
    changed = update(ORDERS).where(
        ORDERS.c.bucket == bindparam("of_bucket"),
        ORDERS.c.user_code == bindparam("of_user_code"),
        ORDERS.c.order_number == bindparam("of_number"),
    )
    changed = changed.values(activation_hash=bindparam("hash"), activation_until=bindparam("until"))
    connection.execute(
        changed,
        [
            {
                "of_bucket": row.bucket,
                "of_user_code": row.user_code,
                "of_number": row.order_number,
                "hash": row.activation_hash,
                "until": row.activation_until,
            }
            for row in rows
        ],
    )


def extend_activations(connection: Connection, batch: str, until: int) -> None:
    """Have the activation numbers that were posted with *batch* serve until *until*."""
    posted = there_is(
        _same(ORDERS, DISPATCHES),
        DISPATCHES.c.order_number == ORDERS.c.order_number,
        DISPATCHES.c.batch == batch,
        DISPATCHES.c.voided_at.is_(None),
    )
    live = (ORDERS.c.activation_until.is_not(None), ORDERS.c.activated_at.is_(None))
    connection.execute(update(ORDERS).where(posted, *live).values(activation_until=until))


def erase_cancelled_pins(connection: Connection) -> int:
    """Forget the sealed PINs of orders that were cancelled; how many there were."""
    over = (ORDERS.c.cancelled_at.is_not(None), ORDERS.c.sealed_pin.is_not(None))
    return connection.execute(update(ORDERS).where(*over).values(sealed_pin=None)).rowcount


def erase_pins(connection: Connection, batch: str) -> int:
    """Forget the sealed PINs whose letters were in *batch*; how many there were."""
    printed = there_is(
        _same(ORDERS, DISPATCHES),
        DISPATCHES.c.order_number == ORDERS.c.order_number,
        DISPATCHES.c.batch == batch,
    )
    erased = update(ORDERS).where(printed, ORDERS.c.sealed_pin.is_not(None))
    return connection.execute(erased.values(sealed_pin=None)).rowcount


def _at(key: Key) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ORDERS.c.bucket == key[0], ORDERS.c.user_code == key[1]


def _same(one: Table, other: Table) -> ColumnElement[bool]:
    """Of the same customer."""
    return and_(one.c.bucket == other.c.bucket, one.c.user_code == other.c.user_code)


_TO_MAKE = (
    ORDERS.c.kind == SESAME,
    ORDERS.c.reason != COUNTER,
    ORDERS.c.card_number.is_(None),
    ORDERS.c.cancelled_at.is_(None),
)
_LIVES = there_is(_same(CUSTOMER_DETAILS, CARDS), CARDS.c.state != CardState.RETIRED)
_KIND = CUSTOMER_DETAILS.c.card_kind
_WANTS = and_(
    ~there_is(_same(CUSTOMER_DETAILS, ORDERS)),
    or_(and_(_KIND == SESAME, ~_LIVES), and_(_KIND == BANK, _LIVES)),
)
