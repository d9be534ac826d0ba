"""A step that lets cards sign in: one that waits from now on, or one that its owner held again.

It writes what a login's step writes, and the cards' states, their order or hold and the notice,
in a transaction of its own: the two hot statements know nothing of it. Where anything moved since
it was read, nothing is written.
"""

import msgspec
from sqlalchemy import Connection, select

from sesame.store.cards import CARDS, CardState, Key
from sesame.store.errors import StepLost
from sesame.store.holds import delete_own_hold
from sesame.store.notices import insert_notice
from sesame.store.orders import activate_order
from sesame.store.steps import Fate, Step
from sesame.store.whole_step import change_state, take_step


class OpenedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that becomes active, and what the database must still say of it."""

    card_number: int
    was: CardState  # waiting, or held
    number_hash: bytes  # 32 bytes: of its order's activation, or of the hold's release
    order_number: int | None = None  # of a card that waits
    retires: int | None = None  # the card that it replaces

    def __repr__(self) -> str:
        return f"OpenedCard({self.card_number}, {self.was})"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The cards that a step lets sign in, and the notice that tells of it."""

    cards: tuple[OpenedCard, ...]
    event: str
    notice: bytes  # 16 bytes by chance, its id


def take_opening(connection: Connection, step: Step, opening: Opening) -> Fate:
    """Take *step* by compare-and-swap, with all that settles with it and *opening*.

    Raises:
        StepLost: somebody was faster, or a card, order or hold is not as it was read; undo the
            transaction, read and plan again.
    """
    key = (step.bucket, step.user_code)
    take_step(connection, step)
    for card in opening.cards:
        _open(connection, key, card, at=step.line.at)
    insert_notice(
        connection,
        key,
        notice=opening.notice,
        event=opening.event,
        facts=_facts(connection, key, opening),
        at=step.line.at,
    )
    return Fate.WON


def _open(connection: Connection, key: Key, card: OpenedCard, *, at: int) -> None:
    """Let a card sign in, whose order or hold is as it was read; retire what it replaces."""
    if card.order_number is not None and not activate_order(
        connection, key, card.order_number, card.number_hash, at=at
    ):
        raise StepLost
    change_state(connection, key, card.card_number, was=(card.was,), becomes=CardState.ACTIVE)
    if card.order_number is None and not delete_own_hold(
        connection, key, card.card_number, card.number_hash
    ):
        raise StepLost
    if card.retires is not None:
        live = (CardState.ACTIVE, CardState.HELD, CardState.WAITING)
        change_state(connection, key, card.retires, was=live, becomes=CardState.RETIRED)


def _facts(connection: Connection, key: Key, opening: Opening) -> bytes:
    """How the numbers of the cards end that sign in, as a notice may say."""
    opened = [card.card_number for card in opening.cards]
    ends = select(CARDS.c.last4).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    ends = ends.where(CARDS.c.card_number.in_(opened)).order_by(CARDS.c.card_number)
    return msgspec.json.encode({"last4": list(connection.execute(ends).scalars())})
