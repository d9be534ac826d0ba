"""Cards, as a replay finds them again: held, retired or let sign in by what a line says.

Downwards it goes with every line. Upwards only what a release or an activation names, for custody
vouches for those: a card that waits by its own order, or one that its owner held no later than
the line. What the desk holds no line lets go (docs/decisions/0027).
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.exc import DBAPIError

from sesame.store.access import ACCESS
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.holds import (
    HOLDS,
    NO_NUMBER,
    HeldBy,
    delete_hold,
    delete_holds_of_owner,
    held_since,
    insert_own_holds,
    put_desk_hold,
)
from sesame.store.orders import ORDERS

# Whoever lets these go sees why they are held; `sesame.desk.timeline_words` has the words.
WAS_RETIRED = "was-retired"
_REFUSED = "23001"  # restrict_violation: by a trigger of migration 0014


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMoves:
    """What a line says of cards, by their numbers."""

    opened: tuple[tuple[int, int], ...] = ()  # with its order; 0: its owner had held it
    held_by_owner: tuple[int, ...] = ()
    held: tuple[int, ...] = ()  # by the desk
    all_held: bool = False  # whichever there are
    retired: tuple[int, ...] = ()
    reason: str = ""  # of the desk's holds


def move_cards(
    connection: Connection, key: Key, moves: CardMoves, *, by: str, at: int
) -> tuple[int, int]:
    """Move the cards of the customer at *key* as a line of the moment *at* says.

    *by*: the staff code that the desk's holds stand under. How many were held or retired by it,
    and how many let sign in. Behind the row of `access`, which the caller holds.
    """
    states = _states_then(connection, key, at)
    opened = closed = 0
    for number, order in moves.opened:
        if _open(connection, key, number, order, was=states.get(number), at=at):
            states[number] = CardState.ACTIVE
            opened += 1
    for number in moves.held_by_owner:
        closed += _hold_by_owner(connection, key, number, was=states.get(number), at=at)
    for number in sorted(states) if moves.all_held else moves.held:
        was = states.get(number)
        if was is CardState.WAITING:  # once held it would only need a lift, and no number
            closed += _retire(connection, key, number, was=was, by=by, at=at)
        else:
            closed += _hold(connection, key, number, moves.reason, was=was, by=by, at=at)
    for number in moves.retired:
        closed += _retire(connection, key, number, was=states.get(number), by=by, at=at)
    return closed, opened


def _states_then(connection: Connection, key: Key, at: int) -> dict[int, CardState]:
    """The state of each card that a line of the moment *at* can mean, by number.

    A card that was made later has another one's number, unless it came with its owner, who was
    enrolled again.
    """
    same = and_(CARDS.c.bucket == ACCESS.c.bucket, CARDS.c.user_code == ACCESS.c.user_code)
    query = select(CARDS.c.card_number, CARDS.c.state).select_from(CARDS.join(ACCESS, same))
    query = query.where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    query = query.where(or_(CARDS.c.created_at <= at, CARDS.c.created_at <= ACCESS.c.enrolled_at))
    return {number: CardState(state) for number, state in connection.execute(query)}


def _open(  # noqa: PLR0913 -- which card, by what, and what it was
    connection: Connection, key: Key, number: int, order: int, *, was: CardState | None, at: int
) -> bool:
    """Let a card sign in, by its order or after its owner's own hold; whether it may."""
    if was is CardState.WAITING and order:
        made = update(ORDERS).where(
            ORDERS.c.bucket == key[0],
            ORDERS.c.user_code == key[1],
            ORDERS.c.order_number == order,
            ORDERS.c.card_number == number,
            ORDERS.c.activation_hash.is_not(None),
            ORDERS.c.activated_at.is_(None),
            ORDERS.c.cancelled_at.is_(None),
        )
        if connection.execute(made.values(activated_at=at)).rowcount != 1:
            return False
        _set(connection, key, number, CardState.ACTIVE)
        return True
    if was is CardState.HELD and not order:
        own = select(HOLDS.c.at).where(
            _of_hold(key, number), HOLDS.c.by == HeldBy.OWNER, HOLDS.c.at <= at
        )
        if connection.execute(own).first() is None:
            return False
        # While the hold stands: a trigger looks for it.
        _set(connection, key, number, CardState.ACTIVE)
        delete_hold(connection, key, number)
        return True
    return False


def _hold_by_owner(
    connection: Connection, key: Key, number: int, *, was: CardState | None, at: int
) -> bool:
    """Hold a card that signs in: the number that lifted its owner's hold is lost."""
    if was is not CardState.ACTIVE:
        return False
    delete_holds_of_owner(connection, key, [number])
    if not held_since(connection, key, number):
        insert_own_holds(connection, key, [number], reason="", release_hash=NO_NUMBER, at=at)
    _set(connection, key, number, CardState.HELD)
    return True


def _hold(  # noqa: PLR0913 -- which card, why, by whom, and what it was
    connection: Connection,
    key: Key,
    number: int,
    reason: str,
    *,
    was: CardState | None,
    by: str,
    at: int,
) -> bool:
    """Have the desk hold a card, also where its owner does; whether it did not before."""
    if was not in {CardState.ACTIVE, CardState.HELD}:
        return False
    of_desk = select(HOLDS.c.at).where(_of_hold(key, number), HOLDS.c.by == HeldBy.DESK)
    if connection.execute(of_desk).first() is None:
        put_desk_hold(connection, key, number, by=by, reason=reason, at=at)
    elif was is CardState.HELD:
        return False
    if was is CardState.ACTIVE:
        _set(connection, key, number, CardState.HELD)
    return True


def _retire(  # noqa: PLR0913 -- which card, by whom, and what it was
    connection: Connection, key: Key, number: int, *, was: CardState | None, by: str, at: int
) -> bool:
    """Retire a card; where the database lets this role not, have the desk hold it."""
    if was is None or was is CardState.RETIRED:
        return False
    if connection.dialect.name != "postgresql":
        _set(connection, key, number, CardState.RETIRED)
        return True
    try:
        with connection.begin_nested():
            _set(connection, key, number, CardState.RETIRED)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _REFUSED:
            raise
        return _hold(connection, key, number, WAS_RETIRED, was=was, by=by, at=at)
    return True


def _set(connection: Connection, key: Key, number: int, state: CardState) -> None:
    card = update(CARDS).where(
        CARDS.c.bucket == key[0], CARDS.c.user_code == key[1], CARDS.c.card_number == number
    )
    connection.execute(card.values(state=state))


def _of_hold(key: Key, number: int) -> ColumnElement[bool]:
    return and_(
        HOLDS.c.bucket == key[0], HOLDS.c.user_code == key[1], HOLDS.c.card_number == number
    )
