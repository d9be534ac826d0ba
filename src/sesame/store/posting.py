"""What a letter prints: a dispatch with the customer's name and address, and what its order has."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, Table, and_, func, select, update

from sesame.store.access import ACCESS
from sesame.store.addresses import waits_for_second
from sesame.store.bulk import there_is
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS, DetailsRow
from sesame.store.dispatches import DISPATCHES, PIN, PRINTED, REMINDER, When, is_due, may_print
from sesame.store.orders import ORDERS
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
    order = and_(_theirs(ORDERS), ORDERS.c.order_number == DISPATCHES.c.order_number)
    query = select(*columns, *(CUSTOMER_DETAILS.c[name] for name in DetailsRow._fields))
    query = query.select_from(_addressed().outerjoin(ORDERS, order)).where(*_may_go(kind, when))
    query = query.order_by(DISPATCHES.c.due_at, DISPATCHES.c.reference).limit(most)
    return [_row(tuple(row), with_pin=kind == PIN) for row in connection.execute(query)]


def count_due(connection: Connection, when: When) -> Mapping[str, tuple[int, int]]:
    """By kind: how many may be printed by this person, and how many are due in all."""
    counts = {}
    for kind in PRINTED:
        may = select(func.count()).select_from(_addressed()).where(*_may_go(kind, when))
        due = select(func.count()).select_from(DISPATCHES).where(*is_due(kind, when.now))
        counts[kind] = (
            int(connection.execute(may).scalar_one()),
            int(connection.execute(due).scalar_one()),
        )
    return counts


def void_overtaken(connection: Connection, at: int) -> int:
    """Have no reminder be printed of those that remind of nothing any more; how many there were."""
    overtaken = update(DISPATCHES).where(*is_due(REMINDER, at), ~_reminds())
    return connection.execute(overtaken.values(voided_at=at)).rowcount


def _may_go(kind: str, when: When) -> tuple[ColumnElement[bool], ...]:
    """What may be printed and sent off.

    To an address that was changed at the desk a PIN goes, and an activation number, once two
    persons stand for it: one of them may have sent the card there, or have handed it over.
    """
    may = (*may_print(kind, when), ~waits_for_second())
    return (*may, _reminds()) if kind == REMINDER else may


def _reminds() -> ColumnElement[bool]:
    """Whether the customer could still switch: they have an old code, and a card that may."""
    return and_(
        there_is(_theirs(ACCESS), ACCESS.c.old_code.is_not(None)),
        there_is(_theirs(CARDS), CARDS.c.state.in_((CardState.ACTIVE, CardState.WAITING))),
    )


def _addressed() -> FromClause:
    """The dispatches, with whom and where they go."""
    return DISPATCHES.join(CUSTOMERS, _theirs(CUSTOMERS)).join(
        CUSTOMER_DETAILS, _theirs(CUSTOMER_DETAILS)
    )


def _theirs(table: Table) -> ColumnElement[bool]:
    """The rows of *table* that are of a dispatch's customer."""
    return and_(table.c.bucket == DISPATCHES.c.bucket, table.c.user_code == DISPATCHES.c.user_code)


def _row(found: tuple[object, ...], *, with_pin: bool) -> LetterRow:
    own, details = found[: -len(DetailsRow._fields)], found[-len(DetailsRow._fields) :]
    *first, has_reader, signs_in, old_code, reason = own
    if not with_pin:
        first.append(None)
    facts = (bool(has_reader), bool(signs_in), bool(old_code))
    return LetterRow._make((*first, *facts, reason, DetailsRow._make(details)))
