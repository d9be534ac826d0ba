"""Bank cards that customers are given, and what they have so far."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, update

from sesame.store.aging import NewNotice
from sesame.store.approvals import Move, circles_lost, take_moves
from sesame.store.bulk import find_rows
from sesame.store.cards import (
    CARDS,
    PAN_INDEX,
    CardState,
    Key,
    NewCardRow,
    insert_cards,
    set_card_state,
)
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS, find_references
from sesame.store.holds import HOLDS, HeldBy
from sesame.store.notices import insert_notice

_KEY = ("bucket", "user_code")
_HAD = ("card_number", "kind", "state", "last4")
_NONE, _BANK = "none", "bank"  # which card somebody is to have


class HadCard(NamedTuple):
    """A card that a customer has, or had."""

    number: int
    kind: str
    state: str
    last4: str


class Holder(NamedTuple):
    """A customer by name, with their cards, and whether a hold of their own stands."""

    name: str
    cards: tuple[HadCard, ...]
    holds: bool

    def __repr__(self) -> str:
        """Without the name."""
        return f"Holder({len(self.cards)} cards)"


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """What is done for one customer in a step: a card is given, or cards end, or both."""

    move: Move
    card: NewCardRow | None
    ends: tuple[int, ...]  # by their numbers
    notice: NewNotice


def find_holders(connection: Connection, keys: Sequence[Key]) -> dict[Key, Holder]:
    """The customers at *keys*; who is none is not in it."""
    cards: dict[Key, list[HadCard]] = {}
    for bucket, user_code, *card in find_rows(connection, CARDS, _KEY, _HAD, keys):
        cards.setdefault((bucket, user_code), []).append(HadCard(*card))
    holds = find_rows(connection, HOLDS, _KEY, ("by",), keys)
    held = {(bucket, user_code) for bucket, user_code, by in holds if by == HeldBy.OWNER}
    return {
        (bucket, user_code): Holder(
            name,
            tuple(sorted(cards.get((bucket, user_code), []))),
            (bucket, user_code) in held,
        )
        for bucket, user_code, name in find_rows(connection, CUSTOMERS, _KEY, ("name",), keys)
    }


def find_by_references(connection: Connection, references: Sequence[str]) -> dict[str, Key]:
    """The customers with *references* of the institution's own."""
    found = find_references(connection, references)
    return {reference: imported.key for reference, imported in found.items()}


def find_owners(
    connection: Connection, cards: Sequence[tuple[bytes, str]]
) -> Mapping[tuple[bytes, str], tuple[Key, int]]:
    """Whose each of *cards* is (PAN's hash, PSN) that is somebody's, and by which number."""
    wanted = ("bucket", "user_code", "card_number")
    rows = find_rows(connection, PAN_INDEX, ("pan_hash", "psn"), wanted, cards)
    return {
        (bytes(pan_hash), psn): ((bucket, user_code), number)
        for pan_hash, psn, bucket, user_code, number in rows
    }


@circles_lost()
def take_gifts(connection: Connection, gifts: Sequence[Gift], *, unsure_for: int) -> None:
    """Take each step with what it gives and ends, and have its customer told. See `insert_cards`.

    Raises:
        StepLost, EnrolledMeanwhile: somebody was faster; undo the transaction, read and plan again.
    """
    take_moves(connection, [gift.move for gift in gifts])
    # In the order of their cards, as an enrolment writes them: none waits for another in turn.
    for gift in sorted(gifts, key=_card_of):
        key, at = gift.move.key, gift.move.line.at
        for number in gift.ends:
            set_card_state(connection, key, number, CardState.RETIRED)
        if gift.card is not None:
            insert_cards(connection, [(key, gift.card)], at, unsure_for=unsure_for)
            _wants_a_reader(connection, key)
        notice = gift.notice
        insert_notice(
            connection, key, notice=notice.id, event=notice.event, facts=notice.facts, at=at
        )


def _card_of(gift: Gift) -> tuple[bytes, str]:
    return (b"", "") if gift.card is None else (gift.card.pan_hash, gift.card.psn)


def _wants_a_reader(connection: Connection, key: Key) -> None:
    """Have somebody who was to have no card be sent a reader for the one that they have now."""
    details = CUSTOMER_DETAILS.c
    none = update(CUSTOMER_DETAILS).where(details.bucket == key[0], details.user_code == key[1])
    connection.execute(none.where(details.card_kind == _NONE).values(card_kind=_BANK))
