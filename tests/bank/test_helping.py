"""`sesame.bank.helping`: the rules of the help line, of any customer."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sesame.bank.errors import NothingToLift, NothingToReplace, NotIdentified
from sesame.bank.helping import (
    HANDED_OVER,
    Loss,
    Opposition,
    Question,
    Replacement,
    check_identified,
    costs_a_try,
    lifted,
    plan_counter,
    plan_opposition,
    together,
    used_up,
)
from sesame.bank.limits import Limits
from sesame.bank.matching import Cause, Match, Matches
from sesame.bank.moments import to_row
from sesame.bank.tries import Side, after_failure, suspended_until, suspension_end
from sesame.store.access import Access, State, Tries
from sesame.store.cards import CardRow, CardState
from sesame.store.help_line import NamedCard, NamedOrder
from tests.bank.branch import NINE

_LIMITS = Limits()


def _card(number: int, state: CardState, kind: str = "sesame") -> NamedCard:
    return NamedCard(number, kind, state, f"000{number}")


def _order(  # noqa: PLR0913 -- an order's columns
    number: int,
    *,
    reason: str = "first",
    kind: str = "sesame",
    replaces: int | None = None,
    card: int | None = None,
    cancelled: int | None = None,
) -> NamedOrder:
    return NamedOrder(number, kind, reason, replaces, card, cancelled)


ACTIVE, HELD, WAITING, RETIRED = (
    CardState.ACTIVE,
    CardState.HELD,
    CardState.WAITING,
    CardState.RETIRED,
)


def test_identified() -> None:
    """By two questions, one that no stolen wallet answers; the same one twice is one."""
    for known in (Question.LAST_LOGIN, Question.LETTER):
        for other in set(Question) - {known}:
            assert check_identified([known, other]) == {known, other}
        with pytest.raises(NotIdentified):
            check_identified([known, known])
    with pytest.raises(NotIdentified):
        check_identified([Question.CARD, Question.ADDRESS])


def test_the_tries_of_suspended_sides_alone() -> None:
    """Of both, where both are; what failed and how often it was suspended stays."""
    later = to_row(NINE + timedelta(minutes=5))
    over = Tries(suspensions=1, suspended_until=later, failed_at=(1, 2))
    counts = Tries(failures=1, failed_at=(3,))
    after = lifted(State(open=over, reserved=counts), NINE)
    assert after == State(open=structs.replace(over, suspended_until=None), reserved=counts)
    after = lifted(State(open=over, reserved=over), NINE)
    assert suspended_until(after, NINE, known=False) is None
    assert after.reserved == structs.replace(over, suspended_until=None)
    for state in (State(open=counts), State(open=structs.replace(over, suspended_until=1))):
        with pytest.raises(NothingToLift):
            lifted(state, NINE)


@given(st.lists(st.tuples(st.sampled_from(Side), st.booleans()), max_size=40))
def test_never_six_failures_in_a_row_without_a_suspension(
    events: list[tuple[Side, bool]],
) -> None:
    """Invariant 2, however often an adviser lifts what there is to lift."""
    state, now, in_a_row = State(), NINE, 0
    for side, lifts in events:
        now += timedelta(seconds=1)
        if lifts and suspended_until(state, now, known=False) is not None:
            state = lifted(state, now)
        tries = state.open if side is Side.OPEN else state.reserved
        if suspension_end(tries, now):
            continue
        state = after_failure(state, side, bytes(16), _LIMITS, now)
        tries = state.open if side is Side.OPEN else state.reserved
        in_a_row = 0 if suspension_end(tries, now) else in_a_row + 1
        assert in_a_row <= 5


def test_lost() -> None:
    """Held; a Sésame card is ordered once, a bank card never; sessions end."""
    cards = [_card(1, ACTIVE), _card(2, ACTIVE, "bank"), _card(3, RETIRED)]
    assert plan_opposition(Loss.LOST, [1, 2, 3, 9], cards, []) == Opposition(
        held=(1, 2),
        ordered=(Replacement(kind="sesame", reason="lost", replaces=1),),
        ends_sessions=True,
    )
    ordered = [_order(1, reason="renewal", replaces=1)]
    assert plan_opposition(Loss.LOST, [1], cards, ordered).ordered == ()
    cancelled = [_order(1, reason="renewal", replaces=1, cancelled=5)]
    assert len(plan_opposition(Loss.LOST, [1], cards, cancelled).ordered) == 1
    held = [_card(1, HELD)]
    assert plan_opposition(Loss.STOLEN, [1], held, ordered) == Opposition(
        held=(1,), ends_sessions=True
    )


def test_the_replacement_is_on_its_way() -> None:
    """No second one, unless that one is gone too."""
    cards = [_card(1, ACTIVE), _card(2, WAITING)]
    orders = [_order(1, reason="renewal", replaces=1, card=2)]
    assert plan_opposition(Loss.LOST, [1], cards, orders).ordered == ()
    both = plan_opposition(Loss.STOLEN, [1, 2], cards, orders)
    assert (both.held, both.retired, both.cancelled) == ((1,), (2,), (1,))
    assert both.ordered == (Replacement(kind="sesame", reason="stolen", replaces=1),)
    in_use = [_card(1, ACTIVE), _card(2, ACTIVE)]
    assert len(plan_opposition(Loss.LOST, [1], in_use, orders).ordered) == 1


def test_damaged() -> None:
    """Works on until its replacement does; unless nobody has used it yet."""
    order = Replacement(kind="sesame", reason="damaged", replaces=1)
    assert plan_opposition(Loss.DAMAGED, [1], [_card(1, ACTIVE)], []) == Opposition(
        ordered=(order,)
    )
    waiting = plan_opposition(Loss.DAMAGED, [1], [_card(1, WAITING)], [_order(1, card=1)])
    assert waiting == Opposition(
        retired=(1,),
        cancelled=(1,),
        ordered=(Replacement(kind="sesame", reason="damaged", replaces=None),),
    )
    for cards in ([_card(1, ACTIVE, "bank")], [_card(1, RETIRED)], []):
        with pytest.raises(NothingToReplace):
            plan_opposition(Loss.DAMAGED, [1], cards, [])


def test_nothing_was_chosen() -> None:
    """So nothing is done."""
    with pytest.raises(NothingToReplace):
        plan_opposition(Loss.LOST, [], [_card(1, ACTIVE)], [])


@given(
    st.sampled_from(Loss),
    st.sets(st.integers(1, 4)),
    st.lists(st.sampled_from(CardState), max_size=4),
    st.sampled_from(["bank", "sesame"]),
)
def test_any_opposition(loss: Loss, chosen: set[int], states: list[CardState], kind: str) -> None:
    """Nothing that was not chosen is touched, nothing retired comes back, no card is left able."""
    cards = [_card(number, state, kind) for number, state in enumerate(states, 1)]
    try:
        done = plan_opposition(loss, chosen, cards, [])
    except NothingToReplace:
        return
    by_number = {card.number: card.state for card in cards}
    assert {*done.held, *done.retired} <= chosen
    assert all(by_number[number] in {ACTIVE, HELD} for number in done.held)
    assert all(by_number[number] is WAITING for number in done.retired)
    if loss is not Loss.DAMAGED:
        able = {number for number, state in by_number.items() if state in {ACTIVE, WAITING}}
        assert able & chosen <= {*done.held, *done.retired}


def test_counter() -> None:
    """For who has no card that works, in place of what was ordered to be posted."""
    held = [_card(1, HELD), _card(2, RETIRED)]
    order, instead = plan_counter(held, [_order(1, reason="lost", replaces=1)])
    assert order == Replacement(kind="sesame", reason=HANDED_OVER, replaces=1)
    assert instead == (1,)
    order, instead = plan_counter([], [_order(1, replaces=4), _order(2, card=9, cancelled=3)])
    assert (order.replaces, instead) == (4, (1,))
    assert plan_counter([_card(1, RETIRED)], [])[0].replaces is None
    assert plan_counter([_card(1, HELD, "bank")], [])[0].replaces is None
    with pytest.raises(NothingToReplace):
        plan_counter([*held, _card(3, WAITING)], [])
    with pytest.raises(NothingToReplace):
        plan_counter([_card(3, ACTIVE, "bank")], [])
    with pytest.raises(NothingToReplace):
        plan_counter(held, [_order(1, reason=HANDED_OVER)])


def test_used_up() -> None:
    """The highest of each card that is sure, held or not."""
    cards = (
        CardRow(1, HELD, "p", b"", 4),
        CardRow(2, ACTIVE, "p", b"", 4, sure=False),
        CardRow(3, ACTIVE, "p", b"", 4),
    )
    access = Access("VERA2345", cards=cards)
    near = (Match(1, 9), Match(2, 9), Match(1, 7), Match(3, 5), Match(3, 6))
    assert used_up(access, Matches(near, (Match(3, 4),))) == (Match(1, 9), Match(3, 6))


def test_together() -> None:
    """All that any of them found."""
    one = Matches((Match(1, 1),), (), (2,))
    other = Matches((), (Match(1, 2),))
    assert together(one, other) == Matches((Match(1, 1),), (Match(1, 2),), (2,))


@pytest.mark.parametrize("cause", [None, *Cause])
def test_what_costs_a_try(cause: Cause | None) -> None:
    """Only what none of the customer's cards made, or may have made."""
    assert costs_a_try(cause) == (cause in {Cause.WRONG, Cause.KEY_MISSING})
