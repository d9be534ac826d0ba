"""What an adviser does to an access: lifts a suspension, opposes cards, orders one for a counter.

The rules are pure and stand in `sesame.bank.helping`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.calls import Act, Call, carry_out, named_customer, notice_of
from sesame.bank.desk_limits import desk_limits
from sesame.bank.errors import NothingToHandOver
from sesame.bank.helping import (
    HANDED_OVER,
    LiftReason,
    Loss,
    Question,
    check_identified,
    lifted,
    plan_counter,
    plan_opposition,
)
from sesame.bank.moments import to_row
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState
from sesame.store.help_line import AtMost, HelpEffect, Hold, NewOrder, card_letter

LIFTED = "suspension-lifted"
OPPOSITION = "opposition"
COUNTER_ORDER = "counter-order"
_ORDERED = "order"  # what the customer is told of where nothing is held
CARD_HANDED_OVER = "card-handed-over"
_ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposed:
    """What was done to cards, which are named by how they end; and what was ordered."""

    held: tuple[str, ...]
    retired: tuple[str, ...]
    ordered: int


async def lift_suspension(
    bank: Bank, call: Call, reason: LiftReason, asked: Iterable[Question]
) -> None:
    """Give the tries of a suspended access back, so often and no more.

    Raises:
        NotIdentified: too few questions were *asked*.
        NothingToLift: it is not suspended.
        LiftedEnough: it was done so often today, for this customer or by this adviser.
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable: see `carry_out`.
    """
    questions = check_identified(asked)

    async def plan(access: Access, now: datetime) -> Act:
        limits = await desk_limits(bank)
        most = AtMost(
            LIFTED,
            to_row(now - limits.lifts_again),
            limits.lifts_of_customer,
            limits.lifts_of_adviser,
        )
        return Act(
            facts={"reason": reason, "identity": " ".join(sorted(questions))},
            state=lifted(access.state, now),
            effect=HelpEffect(
                key=call.key, at=to_row(now), at_most=most, notice=notice_of(bank, LIFTED, {})
            ),
        )

    await carry_out(bank, call, LIFTED, plan)


async def oppose(bank: Bank, call: Call, loss: Loss, cards: Iterable[int]) -> Opposed:
    """Have *cards*, by number, sign in no more, and order what replaces them: at once.

    Raises:
        NothingToReplace: none of them lives, or what replaces them is on its way.
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable: see `carry_out`.
    """
    chosen = frozenset(cards)

    async def plan(access: Access, now: datetime) -> Act:
        named = await named_customer(bank, call.key)
        done = plan_opposition(loss, chosen, named.cards, named.orders)
        ends = {card.number: card.last4 for card in named.cards}
        told = {
            "reason": loss,
            "cards": [ends[number] for number in (*done.held, *done.retired)],
            "ordered": len(done.ordered),
        }
        return Act(
            facts={"reason": loss},
            own={
                "held": [[number] for number in done.held],
                "retired": [[number] for number in done.retired],
                "ordered": [[one.kind, one.replaces or 0] for one in done.ordered],
                "sessions": _ENDED if done.ends_sessions else "",
            },
            state=access.state,
            ends_sessions=done.ends_sessions,
            effect=HelpEffect(
                key=call.key,
                at=to_row(now),
                states=[(number, CardState.RETIRED) for number in done.retired],
                holds=[Hold(number, loss) for number in done.held],
                cancels=done.cancelled,
                orders=[NewOrder(one.kind, one.reason, one.replaces) for one in done.ordered],
                forgets_devices=done.ends_sessions,
                notice=notice_of(bank, OPPOSITION if told["cards"] else _ORDERED, told),
            ),
        )

    line = await carry_out(bank, call, OPPOSITION, plan)
    ends = {card.number: card.last4 for card in (await named_customer(bank, call.key)).cards}
    return Opposed(
        held=tuple(ends[number] for (number,) in line.held),
        retired=tuple(ends[number] for (number,) in line.retired),
        ordered=len(line.ordered),
    )


async def order_for_counter(bank: Bank, call: Call) -> None:
    """Order a Sésame card that is handed over the counter, for somebody whose cards all fail.

    Its PIN and what activates it go by post all the same.

    Raises:
        NothingToReplace: a card works, or is on its way.
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable: see `carry_out`.
    """

    async def plan(access: Access, now: datetime) -> Act:
        named = await named_customer(bank, call.key)
        order, instead_of = plan_counter(named.cards, named.orders)
        return Act(
            own={"ordered": [[order.kind, order.replaces or 0]]},
            state=access.state,
            effect=HelpEffect(
                key=call.key,
                at=to_row(now),
                cancels=instead_of,
                orders=[NewOrder(order.kind, order.reason, order.replaces)],
                notice=notice_of(bank, COUNTER_ORDER, {}),
            ),
        )

    await carry_out(bank, call, COUNTER_ORDER, plan)


async def hand_over(bank: Bank, call: Call) -> None:
    """Write down that the customer was given their card, in its letter, after showing who they are.

    Raises:
        NothingToHandOver: no such card is made and printed, or it was handed over.
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable: see `carry_out`.
    """

    async def plan(access: Access, now: datetime) -> Act:
        reference = await letter_to_hand_over(bank, call.user_code)
        if reference is None:
            raise NothingToHandOver
        return Act(
            facts={"letter": reference},
            state=access.state,
            effect=HelpEffect(
                key=call.key,
                at=to_row(now),
                hands_over=reference,
                notice=notice_of(bank, CARD_HANDED_OVER, {}),
            ),
        )

    await carry_out(bank, call, CARD_HANDED_OVER, plan)


async def letter_to_hand_over(bank: Bank, user_code: UserCode) -> str | None:
    """The reference of the letter with a card that waits at the counter for this customer."""
    key = (bucket_of(user_code), user_code)
    orders = (await named_customer(bank, key)).orders
    waiting = [
        one.order_number for one in orders if one.reason == HANDED_OVER and one.cancelled_at is None
    ]
    for order in reversed(waiting):
        reference = await bank.store.read(partial(card_letter, key=key, order=order))
        if reference is not None:
            said = f'"letter":"{reference}"'.encode()
            rows = await bank.store.read(lambda connection: read_lines(connection, *key))
            return None if any(said in line for _, line, _ in rows) else reference
    return None
