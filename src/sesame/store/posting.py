"""What a letter prints: a dispatch with the customer's name and address, and what its order has."""

from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from sesame.store.access import ACCESS
from sesame.store.addresses import address_is_confirmed
from sesame.store.bulk import there_is
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS, DetailsRow
from sesame.store.dispatches import DISPATCHES, PIN, READER, When, may_print
from sesame.store.orders import ORDERS, SESAME
from sesame.store.readers import READERS, SENT


class LetterRow(NamedTuple):
    """A letter that is to be printed, and what stands in it. It prints nothing of itself."""

    reference: str
    bucket: int
    user_code: str
    order_number: int | None
    name: str
    language: str
    card_kind: str | None  # of the order
    card_number: int | None
    sealed_pin: bytes | None  # for a PIN letter alone
    has_reader: bool
    signs_in: bool  # with a card of theirs
    old_code: bool  # it serves still
    reason: str | None  # of the order
    details: DetailsRow

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return self.bucket, self.user_code

    def __repr__(self) -> str:
        return "LetterRow()"


def letters_to_print(
    connection: Connection, kind: str, when: When, *, most: int
) -> list[LetterRow]:
    """The letters of *kind* that this person may print now, by when they were due."""
    parcel = DISPATCHES.alias("parcel")
    taken_out = there_is(
        parcel.c.bucket == DISPATCHES.c.bucket,
        parcel.c.user_code == DISPATCHES.c.user_code,
        parcel.c.reader_serial == READERS.c.serial,
        parcel.c.voided_at.is_not(None),
        parcel.c.posted_at.is_(None),
    )
    has_reader = there_is(
        READERS.c.bucket == DISPATCHES.c.bucket,
        READERS.c.user_code == DISPATCHES.c.user_code,
        READERS.c.state == SENT,
        ~taken_out,
    )
    signs_in = there_is(
        CARDS.c.bucket == DISPATCHES.c.bucket,
        CARDS.c.user_code == DISPATCHES.c.user_code,
        CARDS.c.state == CardState.ACTIVE,
    )
    old_code = there_is(
        ACCESS.c.bucket == DISPATCHES.c.bucket,
        ACCESS.c.user_code == DISPATCHES.c.user_code,
        ACCESS.c.old_code.is_not(None),
    )
    columns = [
        DISPATCHES.c.reference,
        DISPATCHES.c.bucket,
        DISPATCHES.c.user_code,
        DISPATCHES.c.order_number,
        CUSTOMERS.c.name,
        CUSTOMERS.c.language,
        ORDERS.c.kind,
        ORDERS.c.card_number,
        *([ORDERS.c.sealed_pin] if kind == PIN else []),
        has_reader.label("has_reader"),
        signs_in.label("signs_in"),
        old_code.label("old_code"),
        ORDERS.c.reason,
    ]
    customer, details, order = (
        and_(
            table.c.bucket == DISPATCHES.c.bucket,
            table.c.user_code == DISPATCHES.c.user_code,
        )
        for table in (CUSTOMERS, CUSTOMER_DETAILS, ORDERS)
    )
    order = and_(order, ORDERS.c.order_number == DISPATCHES.c.order_number)
    tables = DISPATCHES.join(CUSTOMERS, customer).join(CUSTOMER_DETAILS, details)
    query = select(*columns, *(CUSTOMER_DETAILS.c[name] for name in DetailsRow._fields))
    query = query.select_from(tables.outerjoin(ORDERS, order)).where(*may_print(kind, when))
    query = query.order_by(DISPATCHES.c.due_at, DISPATCHES.c.reference).limit(most)
    rows = [_row(tuple(row), with_pin=kind == PIN) for row in connection.execute(query)]
    # To an address that was changed at the desk a PIN goes, and an activation number, once two
    # persons stand for it: one of them may have sent the card there, or have handed it over.
    return [
        row
        for row in rows
        if not (kind == PIN or (kind == READER and row.card_kind == SESAME))
        or address_is_confirmed(connection, row.key, settled_before=when.settled_before)
    ]


def _row(found: tuple[object, ...], *, with_pin: bool) -> LetterRow:
    own, details = found[: -len(DetailsRow._fields)], found[-len(DetailsRow._fields) :]
    *first, has_reader, signs_in, old_code, reason = own
    if not with_pin:
        first.append(None)
    facts = (bool(has_reader), bool(signs_in), bool(old_code))
    return LetterRow._make((*first, *facts, reason, DetailsRow._make(details)))
