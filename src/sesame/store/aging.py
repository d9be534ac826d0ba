"""Cards near their end: by the date on them, by their counter, or because another took over."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    literal,
    or_,
    select,
    tuple_,
)

from sesame.store.approvals import Move, take_moves
from sesame.store.cards import CARDS, CardState, Key, set_card_state
from sesame.store.customers import CUSTOMERS
from sesame.store.dispatches import DISPATCHES
from sesame.store.errors import StepLost
from sesame.store.notices import insert_notice
from sesame.store.orders import ORDERS, insert_order

_RENEWAL = "renewal"  # the reason of an order: it is one, whichever end is near
_KIND = "sesame"  # a bank card's life is the bank's card system's


class AgingCard(NamedTuple):
    """A card that is not retired, and what says how long it lives."""

    bucket: int
    user_code: str
    card_number: int
    state: str
    last_atc: int
    last4: str
    expires_on: str | None  # ISO 8601, its last day; None where it was not made here
    replaced: int | bool  # another is ordered in its place, or made; or waits to be sent again
    succeeded: int | bool  # that one has signed in

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return self.bucket, self.user_code


def find_aging(
    connection: Connection, *, expires_by: str, above: int, after: AgingCard | None, many: int
) -> list[AgingCard]:
    """Customers' cards that end by a day, or whose last ATC is *above*, or that are succeeded.

    At most *many*, in the order of their keys, behind the card *after*.
    """
    ends = or_(_MADE.c.expires_on <= expires_by, CARDS.c.last_atc > above, _succeeded())
    query = _cards().where(ends)
    if after is not None:
        place = (after.bucket, after.user_code, after.card_number)
        query = query.where(tuple_(*_KEY) > tuple_(*map(literal, place)))
    rows = connection.execute(query.order_by(*_KEY).limit(many))
    return [AgingCard(*row) for row in rows]


def read_aging(connection: Connection, card: AgingCard) -> AgingCard | None:
    """The same card as it is now; None where it is retired or gone."""
    query = _cards().where(
        CARDS.c.bucket == card.bucket,
        CARDS.c.user_code == card.user_code,
        CARDS.c.card_number == card.card_number,
    )
    row = connection.execute(query).first()
    return None if row is None else AgingCard(*row)


class NewNotice(NamedTuple):
    """What its owner is told of it: an id by chance (16 bytes), the event, and a JSON object."""

    id: bytes
    event: str
    facts: bytes


def take_renewal(  # noqa: PLR0913 -- which card, whether it is due, and what settles with it
    connection: Connection,
    *,
    card: AgingCard,
    still: Callable[[AgingCard | None], bool],
    move: Move,
    notice: NewNotice,
    by: str,
) -> None:
    """Order another in the place of *card*, if what is read behind the step *still* says so.

    Raises:
        StepLost: somebody was faster; undo the transaction, read and plan again.
    """
    _take(connection, card, still, move)
    insert_order(
        connection,
        card.key,
        kind=_KIND,
        reason=_RENEWAL,
        replaces=card.card_number,
        by=by,
        at=move.line.at,
    )
    _tell(connection, card, move, notice)


def take_end(
    connection: Connection,
    *,
    card: AgingCard,
    still: Callable[[AgingCard | None], bool],
    move: Move,
    notice: NewNotice,
) -> None:
    """Retire *card*, likewise.

    Raises:
        StepLost: as `take_renewal`.
    """
    _take(connection, card, still, move)
    set_card_state(connection, card.key, card.card_number, CardState.RETIRED)
    _tell(connection, card, move, notice)


def _take(
    connection: Connection,
    card: AgingCard,
    still: Callable[[AgingCard | None], bool],
    move: Move,
) -> None:
    take_moves(connection, [move])
    # What came in between moved the row, and was seen; this sees what moved no row.
    if not still(read_aging(connection, card)):
        raise StepLost


def _tell(connection: Connection, card: AgingCard, move: Move, notice: NewNotice) -> None:
    at = move.line.at
    insert_notice(
        connection, card.key, notice=notice.id, event=notice.event, facts=notice.facts, at=at
    )


_KEY = (CARDS.c.bucket, CARDS.c.user_code, CARDS.c.card_number)
_MADE = ORDERS.alias("made")  # the order that the card was made for
_NEXT = ORDERS.alias("next")  # one that replaces it
_NEW = CARDS.alias("new")  # its card


def _mine(table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.bucket == CARDS.c.bucket, table.c.user_code == CARDS.c.user_code)


def _replaces() -> ColumnElement[bool]:
    return and_(
        _mine(_NEXT), _NEXT.c.replaces == CARDS.c.card_number, _NEXT.c.cancelled_at.is_(None)
    )


def _waits_for_an_address() -> ColumnElement[bool]:
    """One that was to replace it came back: another is ordered by who has looked at the address."""
    came_back = and_(
        DISPATCHES.c.bucket == _NEXT.c.bucket,
        DISPATCHES.c.user_code == _NEXT.c.user_code,
        DISPATCHES.c.order_number == _NEXT.c.order_number,
        DISPATCHES.c.returned_at == _NEXT.c.cancelled_at,
    )
    of_card = and_(_mine(_NEXT), _NEXT.c.replaces == CARDS.c.card_number)
    return exists(select(1).where(of_card, exists(select(1).where(came_back))))


def _succeeded() -> ColumnElement[bool]:
    """One that replaces it was activated, or needed none and has made a code."""
    signs_in = and_(
        _mine(_NEW), _NEW.c.card_number == _NEXT.c.card_number, _NEW.c.state == CardState.ACTIVE
    )
    used = or_(_NEXT.c.activated_at.is_not(None), _NEW.c.last_atc > 0)
    return exists(select(1).where(_replaces(), signs_in, used))


def _cards() -> Select[Any]:
    made = and_(
        _mine(_MADE), _MADE.c.card_number == CARDS.c.card_number, _MADE.c.cancelled_at.is_(None)
    )
    columns = (CARDS.c.state, CARDS.c.last_atc, CARDS.c.last4, _MADE.c.expires_on)
    replaced = or_(exists(select(1).where(_replaces())), _waits_for_an_address())
    cards = CARDS.join(CUSTOMERS, _mine(CUSTOMERS)).outerjoin(_MADE, made)
    return (
        select(*_KEY, *columns, replaced, _succeeded())
        .select_from(cards)
        .where(CARDS.c.kind == _KIND, CARDS.c.state != CardState.RETIRED)
    )
