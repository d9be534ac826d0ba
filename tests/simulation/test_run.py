"""A whole run, by the short one: nothing is broken, and it is the same each time."""

import multiprocessing
import os
from dataclasses import replace

import pytest

from sesame.simulation.book import Book, Count
from sesame.simulation.errors import ServerGone
from sesame.simulation.plan import Plan
from sesame.simulation.run import simulate
from tests.simulation.busy import BUSY, CALM, FLOODED, SHORT

_MINUTES = float(os.environ.get("SOAK_MINUTES") or 0)


@pytest.fixture(scope="module")
def book() -> Book:
    """What was counted in the short run."""
    return simulate(SHORT)


def test_every_life_is_lived(book: Book) -> None:
    """Each kind of thing happens at least once, so that each invariant had its chance to break."""
    never = {what for what in Count if not book.total[what]}
    assert never <= {
        Count.WRONGLY_REFUSED,
        Count.LUCKY,  # a guess in some hundred thousand
        Count.TWO_CARDS,  # as seldom
        Count.OVERTAKEN,
        Count.TWO_CODES_ASKED,
        Count.NOT_HEALED,
        Count.DESK_STUCK,
        Count.OWNER_TURNED_AWAY,
        Count.SUSPENDED_BY_OWNER,
        Count.TWO_CODES_FOR_OTHERS,  # these three in the flooded bank
        Count.OWNER_ADDRESS_CLOSED,
        Count.ADDRESS_CLOSED,
    }


def test_nobody_is_refused_within_the_window(book: Book) -> None:
    """And whoever ran ahead gets in by two codes."""
    assert book.total[Count.WRONGLY_REFUSED] == 0
    assert book.total[Count.IN_WINDOW] > 350
    assert 0 < book.total[Count.HEALED] <= book.total[Count.OUT_OF_STEP]


def test_two_runs_from_one_seed_are_one() -> None:
    """Down to each week; another seed is another year."""
    some = replace(SHORT, days=3)
    once = simulate(some)
    assert simulate(some) == once
    assert simulate(replace(some, seed=8)).total != once.total


def test_processes_change_nothing() -> None:
    """Two servers of one bank, in this process or in one each."""
    plan = Plan(customers=30, days=3, seed=3, servers=2, habits=BUSY)
    shares: list[float] = []
    apart = simulate(plan, processes=2, progress=shares.append)
    assert apart == simulate(plan)
    assert apart.total[Count.LOGINS] > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_process_that_is_gone_is_said() -> None:
    """Soon, and none of the others is left behind."""
    plan = Plan(customers=6, days=3, seed=3, servers=2, habits=BUSY)

    def progress(_: float) -> None:
        for one in multiprocessing.active_children()[:1]:
            one.kill()
            one.join()

    with pytest.raises(ServerGone):
        simulate(plan, processes=2, progress=progress)
    assert not multiprocessing.active_children()


def test_servers_hear_what_the_others_count() -> None:
    """A campaign over all user codes is noticed by what all of them counted, not by one alone."""
    book = simulate(Plan(customers=150, days=1, seed=5, servers=4))
    # Some ninety guesses fall on each, and no server alone would mind two hundred.
    assert book.total[Count.GUESSES] > 200
    assert book.total[Count.PRESSED_ALL] > 50


def test_customers_at_an_address_that_others_use() -> None:
    """Are asked for two codes there, or wait until the next hour, and get in; nobody calls."""
    book = simulate(FLOODED).total
    assert book[Count.GUESSES] > 500
    assert book[Count.ADDRESS_CLOSED] > 100
    assert 2 <= book[Count.OWNER_ADDRESS_CLOSED] < 20
    assert 10 < book[Count.TWO_CODES_FOR_OTHERS] < book[Count.PRESSED_ADDRESS]
    assert book[Count.DESK_STUCK] == book[Count.WRONGLY_REFUSED] == 0


def test_a_flood_from_one_address_is_no_matter_elsewhere() -> None:
    """Three hundred wrong pairs in an hour; nobody else is asked for two codes."""
    book = simulate(CALM)
    assert book.weeks[0][Count.PRESSED_ALL] > 100  # of the campaign
    assert book.weeks[1][Count.GUESSES] > 300
    assert book.weeks[1][Count.ADDRESS_CLOSED] > 100
    assert book.weeks[1][Count.PRESSED_ALL] == 0


def test_servers_hear_what_the_others_refused_to_an_address() -> None:
    """A quarter of the flood falls on each: none alone would close the office."""
    book = simulate(replace(FLOODED, servers=4, habits=replace(FLOODED.habits, logins=0.1)))
    assert book.total[Count.ADDRESS_CLOSED] > 80


@pytest.mark.soak
def test_a_year_of_a_thousand() -> None:
    """A larger bank, in two processes; more seeds of the busy one for as long as the soak lasts."""
    book = simulate(Plan.of(1_000, 365, 7), processes=2)
    assert book.total[Count.WRONGLY_REFUSED] == 0
    assert book.total[Count.OUT_OF_STEP] > 50
    for seed in range(100, 120 + round(20 * _MINUTES)):
        simulate(replace(SHORT, seed=seed))
