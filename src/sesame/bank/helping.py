"""What the help line does to an access, as rules: pure. `sesame.bank.help_line` writes it down.

Nothing here opens anything: a suspension that is lifted leaves the failures of thirty days, a code
that is read out is used up, and a card that is lost is held (docs/decisions/0039).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from msgspec.structs import replace

from sesame.bank.customers import CardKind
from sesame.bank.errors import NothingToLift, NothingToReplace, NotIdentified
from sesame.bank.matching import Cause, Match, Matches
from sesame.bank.tries import suspension_end
from sesame.store.access import Access, State, Tries
from sesame.store.cards import CardState
from sesame.store.help_line import NamedCard, NamedOrder

# Of the questions that tell a caller from somebody else: one answer may be on an envelope.
ENOUGH_QUESTIONS = 2
HANDED_OVER = "handed-over"  # an order whose card goes over the counter, and not by post


@unique
class Question(StrEnum):
    """What a caller is asked, to be told from somebody else. No answer is typed anywhere."""

    LAST_LOGIN = "last-login"
    ADDRESS = "address"
    LETTER = "letter"  # the reference of the last one
    CARD = "card"  # its kind, and its last four digits


# One at least is of these: address and card both stand in a stolen wallet.
IN_NO_WALLET = frozenset({Question.LAST_LOGIN, Question.LETTER})


@unique
class LiftReason(StrEnum):
    """Why a suspension is lifted: from a list, so that no line names anybody."""

    MISTYPED = "mistyped"
    OTHER_CARD = "other-card"  # or somebody else's
    READER = "reader"
    STRANGER = "stranger"  # somebody else tried
    UNEXPLAINED = "unexplained"


@unique
class Loss(StrEnum):
    """What has become of a card; the reason of the order that replaces it."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A card to be ordered; *replaces* is the number of the one that it stands in for."""

    kind: str
    reason: str
    replaces: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposition:
    """What is done at once: to cards, by their numbers, and to orders, by theirs."""

    held: tuple[int, ...] = ()
    retired: tuple[int, ...] = ()  # cards that nobody has used yet
    cancelled: tuple[int, ...] = ()  # orders of those
    ordered: tuple[Replacement, ...] = ()
    ends_sessions: bool = False  # and forgets the known devices


def check_identified(asked: Iterable[Question]) -> frozenset[Question]:
    """The questions that were *asked*, where they are enough.

    Raises:
        NotIdentified: they are too few, or a stolen wallet answers them all.
    """
    ticked = frozenset(asked)
    if len(ticked) < ENOUGH_QUESTIONS or not ticked & IN_NO_WALLET:
        raise NotIdentified(ENOUGH_QUESTIONS)
    return ticked


def lifted(state: State, now: datetime) -> State:
    """*state* with the tries of each suspended side given back.

    How often it was suspended stays, and what failed in thirty days: whoever talked an adviser
    over guesses no more than before, and waits longer after it.

    Raises:
        NothingToLift: no side is suspended at *now*.
    """

    def again(tries: Tries) -> Tries:
        if suspension_end(tries, now) is None:
            return tries
        return replace(tries, failures=0, suspended_until=None)

    after = replace(state, open=again(state.open), reserved=again(state.reserved))
    if after == state:
        raise NothingToLift
    return after


def plan_opposition(
    loss: Loss, chosen: Iterable[int], cards: Sequence[NamedCard], orders: Sequence[NamedOrder]
) -> Opposition:
    """What becomes of the *chosen* cards, by number, of a customer who has *cards* and *orders*.

    A card that is lost or stolen is held, one that is damaged works until its replacement does.
    One that nobody has used yet is retired, however it went: else it would only need a lift to
    work without its activation. A bank card is replaced by the system that issued it.

    Raises:
        NothingToReplace: none of them lives any more, or what replaces them is ordered already.
    """
    wanted = frozenset(chosen)
    live = [card for card in cards if card.number in wanted and card.state is not CardState.RETIRED]
    unused = [card for card in live if card.state is CardState.WAITING]
    gone = frozenset(card.number for card in unused)
    used = [card for card in live if card.number not in gone]
    cancelled = [one for one in orders if one.card_number in gone and one.cancelled_at is None]
    coming = [one for one in orders if _comes(one, cards, gone)]
    held = tuple(card.number for card in used) if loss is not Loss.DAMAGED else ()
    ordered = [Replacement(kind=one.kind, reason=loss, replaces=one.replaces) for one in cancelled]
    replaced = {one.replaces for one in coming} | {one.replaces for one in ordered}
    ordered += [
        Replacement(kind=card.kind, reason=loss, replaces=card.number)
        for card in used
        if card.kind == CardKind.SESAME and card.number not in replaced
    ]
    if not (held or gone or ordered):
        raise NothingToReplace
    return Opposition(
        held=held,
        retired=tuple(sorted(gone)),
        cancelled=tuple(one.order_number for one in cancelled),
        ordered=tuple(ordered),
        ends_sessions=loss is not Loss.DAMAGED,
    )


def plan_counter(
    cards: Sequence[NamedCard], orders: Sequence[NamedOrder]
) -> tuple[Replacement, tuple[int, ...]]:
    """The card to be handed over a counter, and the orders (by number) that it stands in for.

    Raises:
        NothingToReplace: the customer has a card that works, or one is made and on its way.
    """
    if any(card.state in {CardState.ACTIVE, CardState.WAITING} for card in cards):
        raise NothingToReplace
    unmade = [one for one in orders if one.card_number is None and one.cancelled_at is None]
    if any(one.reason == HANDED_OVER for one in unmade):
        raise NothingToReplace
    held = [
        card.number
        for card in cards
        if card.state is CardState.HELD and card.kind == CardKind.SESAME
    ]
    known = [one.replaces for one in unmade if one.replaces is not None]
    replaces = max(held or known, default=None)
    return (
        Replacement(kind=CardKind.SESAME, reason=HANDED_OVER, replaces=replaces),
        tuple(one.order_number for one in unmade),
    )


def used_up(access: Access, matches: Matches) -> tuple[Match, ...]:
    """The ATCs that a code read out takes, the highest of each card: whatever state it is in.

    So it signs in nowhere afterwards, also where the card is let go later. A card that is unsure
    needs none of it: only the answer to a challenge moves it, beyond whatever was read out.
    """
    sure = {card.card_number for card in access.cards if card.sure}
    highest: dict[int, int] = {}
    for found in matches.near:
        if found.card_number in sure:
            highest[found.card_number] = max(found.atc, highest.get(found.card_number, 0))
    return tuple(Match(number, atc) for number, atc in sorted(highest.items()))


def together(*found: Matches) -> Matches:
    """What several inquiries about codes that were read out found, as one."""
    return Matches(
        near=tuple(match for one in found for match in one.near),
        behind=tuple(match for one in found for match in one.behind),
        keyless=tuple(number for one in found for number in one.keyless),
    )


def costs_a_try(cause: Cause | None) -> bool:
    """Whether a code read out counts as a failure: where none of the customer's cards made it.

    Else an adviser could guess; and a customer who reads an old code out has shown a card.
    """
    return cause in {Cause.WRONG, Cause.KEY_MISSING}


def _comes(order: NamedOrder, cards: Sequence[NamedCard], gone: frozenset[int]) -> bool:
    """Whether the card of *order* is still to be made, or on its way and not among those *gone*."""
    if order.cancelled_at is not None:
        return False
    if order.card_number is None:
        return True
    waiting = {card.number for card in cards if card.state is CardState.WAITING}
    return order.card_number in waiting - gone
