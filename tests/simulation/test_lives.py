"""Lives: drawn from a seed, each by itself."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from sesame.simulation import addresses
from sesame.simulation.events import OF_CUSTOMER, UNMARKED, WITHOUT_STREAM, Kind
from sesame.simulation.lives import campaigns, life, portrait, restores, strangers, user_code_of
from sesame.simulation.plan import DAY, HOUR, MINUTE, START, Habits, Plan
from tests.simulation.busy import BUSY, SHORT

YEAR = Plan(customers=400, days=365, seed=1)


def test_a_life_is_in_order_and_its_customers_own() -> None:
    """What strangers do stands in a list of its own."""
    for number in range(40):
        events, others = list(life(SHORT, number)), strangers(SHORT, number)
        assert events == sorted(events)
        assert others == sorted(others)
        assert {event.kind for event in events} <= OF_CUSTOMER
        assert not {event.kind for event in others} & OF_CUSTOMER
        assert {event.who for event in [*events, *others]} <= {number}
        assert all(START <= event.at < SHORT.ends for event in [*events, *others])


def test_nobody_is_tried_as_all_others_are() -> None:
    """By guesses; there is no card to be stolen or looked at."""
    assert {event.kind for event in strangers(SHORT, -1)} == {Kind.GUESS}


def test_a_life_is_the_same_in_another_bank() -> None:
    """Of fewer customers, so that one can be lived alone."""
    fewer = replace(SHORT, customers=10)
    assert list(life(fewer, 3)) == list(life(SHORT, 3))
    assert list(life(replace(SHORT, seed=8), 3)) != list(life(SHORT, 3))
    assert len({user_code_of(SHORT, number) for number in range(-50, 500)}) == 550


def test_habits_are_what_they_say() -> None:
    """In the mean of some hundred customers over a year."""
    events = [event for number in range(400) for event in life(YEAR, number)]
    days = 400 * 365

    def a_day(kind: Kind) -> float:
        return sum(event.n or 1 for event in events if event.kind is kind) / days

    assert a_day(Kind.LOGIN) == pytest.approx(0.3, rel=0.1)
    assert a_day(Kind.PAY) == pytest.approx(1.5, rel=0.1)
    assert a_day(Kind.TRY_OUT) == pytest.approx(0.05, rel=0.15)
    kinds = [portrait(YEAR, number).cards for number in range(400)]
    assert sum(len(cards) == 2 for cards in kinds) == pytest.approx(40, abs=20)


def test_a_campaign_meets_each_user_code_once_a_round() -> None:
    """Those that nobody has too, and within its time."""
    everybody = range(-YEAR.nobodies, YEAR.customers)
    fast, slow, _ = campaigns(YEAR)
    none = replace(Habits(), vandalised=0, harvested=0, overlooked=0, lost=0, kept=0)
    quiet = replace(YEAR, habits=none)
    events = [event for number in everybody for event in strangers(quiet, number)]
    at = [event.at for event in events if not event.n]
    assert len(at) == fast.guesses + slow.guesses == len(everybody) * 2
    assert len(set(at)) == len(at)
    assert fast.lasts == HOUR
    assert slow.lasts == 30 * DAY
    assert sum(fast.begins <= one < fast.begins + HOUR for one in at) == len(everybody)


def test_a_flood_comes_from_one_office() -> None:
    """In pairs of codes, a few at each user code, within minutes; a small bank has none."""
    *_, flood = campaigns(YEAR)
    assert len(campaigns(SHORT)) == 2
    everybody = range(-YEAR.nobodies, YEAR.customers)
    events = [event for number in everybody for event in strangers(YEAR, number) if event.n == 2]
    pairs = [event for event in events if event.kind is Kind.GUESS]
    assert len(pairs) == flood.guesses == 420
    assert {event.line for event in pairs} == {addresses.OFFICE}
    assert {flood.is_on(event.at) for event in pairs} == {True}
    assert max(event.at for event in pairs) - min(event.at for event in pairs) < 15 * MINUTE
    assert max(Counter(event.who for event in pairs).values()) == 1
    assert flood.is_on(flood.begins - HOUR)
    assert not flood.is_on(flood.begins - HOUR - 1)


def test_strangers_are_somewhere() -> None:
    """A vandal at one place, whoever uses what was given away at another."""
    besieged = replace(SHORT, habits=replace(BUSY, vandalised=100))
    for number in range(-1, 40):
        events = strangers(besieged, number)
        mine = [e for e in events if e.kind is Kind.GUESS]
        vandal = addresses.vandal(number, besieged.habits)
        assert all(event.line for event in events)
        assert sum(e.line == vandal for e in mine) >= 4
        assert len({e.line for e in mine}) <= 1 + 11  # each guess of a campaign from elsewhere


def test_restores_come_as_often_as_asked() -> None:
    """At least once, unless never; each of a backup of some hours before."""
    assert len(restores(YEAR)) == 2
    assert len(restores(replace(YEAR, days=10))) == 1
    assert not restores(replace(YEAR, habits=replace(Habits(), restores=0)))
    assert not restores(Plan(customers=1, days=1, seed=1, habits=replace(BUSY, restores=20)))[1:]
    assert all(event.at - event.n > START for event in restores(YEAR))


def test_backups_are_put_back_in_every_way() -> None:
    """With a stream and without, marked and not; each is of after the restore before it."""
    often = restores(replace(YEAR, habits=replace(Habits(), restores=400)))
    assert {event.luck for event in often} == {0, WITHOUT_STREAM, UNMARKED, 3}
    assert all(one.at < after.at - after.n for one, after in pairwise(often))


def test_what_somebody_kept_is_tried_after_each_restore() -> None:
    """Within the hour, on user codes that somebody has."""
    plan = replace(YEAR, habits=replace(Habits(), kept=1, overlooked=0, vandalised=0))
    at = [event.at for event in strangers(plan, 3) if event.kind is Kind.USE_SEEN]
    assert len(at) == 2
    assert all(0 < a - event.at <= HOUR for a, event in zip(at, restores(plan), strict=True))
