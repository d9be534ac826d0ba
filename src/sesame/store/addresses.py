"""Where letters to a customer go: changed at the desk, and confirmed before secrets go there.

The address stands in `customer_details`, which an import wrote; what stood before a change stays
in `former_addresses`, so that what tells of the change can be sent there.
"""

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    SmallInteger,
    String,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from sesame.store.bulk import there_is
from sesame.store.cards import Key
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DISPATCHES, PIN, READER
from sesame.store.metadata import METADATA
from sesame.store.orders import ORDERS, SESAME

FORMER_ADDRESSES = Table(
    "former_addresses",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("until", BigInteger, primary_key=True),  # when another took its place
    Column("line_2", String(38), nullable=False),
    Column("line_3", String(38), nullable=False),
    Column("line_4", String(38), nullable=False),
    Column("line_5", String(38), nullable=False),
    Column("postcode", String(10), nullable=False),
    Column("city", String(38), nullable=False),
    Column("country", String(2), nullable=False),
    sqlite_with_rowid=False,
)


class AddressRow(NamedTuple):
    """An address as it is stored; see `sesame.bank.details.PostalAddress`."""

    line_2: str
    line_3: str
    line_4: str
    line_5: str
    postcode: str
    city: str
    country: str

    def __repr__(self) -> str:
        """Without the values: where somebody lives is nobody's to log."""
        return "AddressRow()"


class StandingAddress(NamedTuple):
    """The address of today, when it was changed at the desk, and when that was confirmed by two."""

    address: AddressRow
    changed_at: int | None
    confirmed_at: int | None


def read_standing(connection: Connection, key: Key) -> StandingAddress | None:
    """The address of the customer at *key*; None where there is none."""
    columns = [*_ADDRESS, CUSTOMER_DETAILS.c.address_changed_at]
    columns.append(CUSTOMER_DETAILS.c.address_confirmed_at)
    row = connection.execute(select(*columns).where(_of(CUSTOMER_DETAILS, key))).first()
    return None if row is None else StandingAddress(AddressRow(*row[:-2]), row[-2], row[-1])


def write_address(connection: Connection, key: Key, address: AddressRow, *, at: int) -> None:
    """Put *address* in the place of the customer's, which is kept as a former one.

    Call it behind the step that says so (`take_moves`).
    """
    former = read_standing(connection, key)
    if former is not None:
        values = {"bucket": key[0], "user_code": key[1], "until": at, **former.address._asdict()}
        connection.execute(insert(FORMER_ADDRESSES).values(values))
    change = update(CUSTOMER_DETAILS).where(_of(CUSTOMER_DETAILS, key))
    values = {**address._asdict(), "address_changed_at": at, "address_confirmed_at": None}
    connection.execute(change.values(values))


def address_at(connection: Connection, key: Key, at: int) -> AddressRow | None:
    """Where letters to the customer went at that moment: before a change that is of it.

    So what tells of a change goes to the address that stood before.
    """
    columns = [FORMER_ADDRESSES.c[name] for name in AddressRow._fields]
    query = select(*columns).where(_of(FORMER_ADDRESSES, key), FORMER_ADDRESSES.c.until >= at)
    row = connection.execute(query.order_by(FORMER_ADDRESSES.c.until)).first()
    if row is not None:
        return AddressRow(*row)
    standing = read_standing(connection, key)
    return None if standing is None else standing.address


def waits_for_confirmation(connection: Connection, key: Key, changed_at: int) -> bool:
    """Whether the address is still the one of that change, and nobody has confirmed it."""
    standing = read_standing(connection, key)
    return (
        standing is not None and standing.changed_at == changed_at and standing.confirmed_at is None
    )


def confirm_address(connection: Connection, key: Key, *, at: int) -> None:
    """Say that two persons stand for the address of today."""
    change = update(CUSTOMER_DETAILS).where(_of(CUSTOMER_DETAILS, key))
    connection.execute(change.values(address_confirmed_at=at))


def secret_to_come(connection: Connection, key: Key, *, before: int) -> bool:
    """Whether a card was ordered before that moment whose secrets are not all printed yet.

    These are its PIN and its activation number.
    """
    letters = (_of(DISPATCHES, key), DISPATCHES.c.order_number == ORDERS.c.order_number)
    waiting = (DISPATCHES.c.printed_at.is_(None), DISPATCHES.c.voided_at.is_(None))
    each = (
        (*letters, DISPATCHES.c.kind == PIN),
        (*letters, DISPATCHES.c.kind == READER),
    )
    order = and_(
        _of(ORDERS, key),
        ORDERS.c.kind == SESAME,  # a bank card has its PIN from elsewhere, and no number
        ORDERS.c.ordered_at <= before,
        ORDERS.c.cancelled_at.is_(None),
        ORDERS.c.activated_at.is_(None),
        # planned, or to be planned
        or_(*(or_(~there_is(*one), there_is(*one, *waiting)) for one in each)),
    )
    return connection.execute(select(ORDERS.c.order_number).where(order)).first() is not None


def address_is_confirmed(connection: Connection, key: Key) -> bool:
    """Whether secrets may be sent to the customer's address: else they wait for a second person.

    They may where nobody changed the address at the desk, or where two persons stand for it; no
    time that passes makes one person two.
    """
    standing = read_standing(connection, key)
    return standing is not None and (
        standing.changed_at is None or standing.confirmed_at is not None
    )


def waits_for_second() -> ColumnElement[bool]:
    """Whether a dispatch brings a secret to an address that no second person stands for.

    A PIN is one, and what is in a reader's parcel for a card of ours.
    """
    details, order = CUSTOMER_DETAILS.alias("unconfirmed"), ORDERS.alias("secret_of")
    of_ours = there_is(
        order.c.bucket == DISPATCHES.c.bucket,
        order.c.user_code == DISPATCHES.c.user_code,
        order.c.order_number == DISPATCHES.c.order_number,
        order.c.kind == SESAME,
    )
    return and_(
        or_(DISPATCHES.c.kind == PIN, and_(DISPATCHES.c.kind == READER, of_ours)),
        there_is(
            details.c.bucket == DISPATCHES.c.bucket,
            details.c.user_code == DISPATCHES.c.user_code,
            details.c.address_changed_at.is_not(None),
            details.c.address_confirmed_at.is_(None),
        ),
    )


def secrets_that_wait(connection: Connection, *, most: int) -> tuple[int, list[tuple[str, str]]]:
    """How many dispatches wait for a second person; and whose, by user code, with their kind."""
    waiting = (
        DISPATCHES.c.printed_at.is_(None),
        DISPATCHES.c.voided_at.is_(None),
        waits_for_second(),
    )
    count = select(func.count()).select_from(DISPATCHES).where(*waiting)
    columns = (DISPATCHES.c.user_code, DISPATCHES.c.kind)
    rows = connection.execute(select(*columns).where(*waiting).order_by(*columns).limit(most))
    found = [(user_code, kind) for user_code, kind in rows]
    return int(connection.execute(count).scalar_one()), found


def _of(table: Table, key: Key) -> ColumnElement[bool]:
    return and_(table.c.bucket == key[0], table.c.user_code == key[1])


_ADDRESS = [CUSTOMER_DETAILS.c[name] for name in AddressRow._fields]
