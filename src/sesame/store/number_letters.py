"""Cards that wait for their activation, and one more letter with a number for one of them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, exists, select

from sesame.store.approvals import Move, Signer, take_moves
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.dispatches import DISPATCHES, DispatchRow, insert_dispatch
from sesame.store.errors import StepLost
from sesame.store.notices import insert_notice
from sesame.store.orders import ORDERS
from sesame.store.staff import has_right

READER = "reader"  # the kind of the letter that a number stands in


class WaitingRow(NamedTuple):
    """A card that waits, whose reader's letter was printed; the moment as in rows."""

    order_number: int
    last4: str
    activation_until: int
    planned: int | bool  # one more letter is to be printed already


def find_waiting(connection: Connection, key: Key) -> list[WaitingRow]:
    """The cards of the customer at *key* that wait, whose number was printed once."""
    card = and_(
        CARDS.c.bucket == ORDERS.c.bucket,
        CARDS.c.user_code == ORDERS.c.user_code,
        CARDS.c.card_number == ORDERS.c.card_number,
        CARDS.c.state == CardState.WAITING,
    )
    planned = exists(
        select(1).where(
            DISPATCHES.c.bucket == ORDERS.c.bucket,
            DISPATCHES.c.user_code == ORDERS.c.user_code,
            DISPATCHES.c.order_number == ORDERS.c.order_number,
            DISPATCHES.c.kind == READER,
            DISPATCHES.c.printed_at.is_(None),
            DISPATCHES.c.voided_at.is_(None),
        )
    )
    query = (
        select(ORDERS.c.order_number, CARDS.c.last4, ORDERS.c.activation_until, planned)
        .select_from(ORDERS.join(CARDS, card))
        .where(
            ORDERS.c.bucket == key[0],
            ORDERS.c.user_code == key[1],
            ORDERS.c.activation_hash.is_not(None),
            ORDERS.c.activation_until.is_not(None),
            ORDERS.c.activated_at.is_(None),
            ORDERS.c.cancelled_at.is_(None),
        )
    )
    return [WaitingRow(*row) for row in connection.execute(query.order_by(ORDERS.c.order_number))]


def plan_number_letter(  # noqa: PLR0913 -- by whom, which letter, and what settles with it
    connection: Connection,
    *,
    by: Signer,
    row: DispatchRow,
    moves: Sequence[Move],
    notice: bytes,
    event: str,
) -> bool:
    """Plan the letter *row* for an order whose card waits; False where *by* has no right.

    Raises:
        StepLost: the card waits no longer, or a letter is planned; undo the transaction, and look
            again.
    """
    if not has_right(connection, by.key, by.roles):
        return False
    take_moves(connection, moves)
    key = (row.bucket, row.user_code)
    wanted = {one.order_number for one in find_waiting(connection, key) if not one.planned}
    if row.order_number not in wanted:
        raise StepLost
    insert_dispatch(connection, row)
    insert_notice(connection, key, notice=notice, event=event, facts=b"{}", at=row.due_at)
    return True
