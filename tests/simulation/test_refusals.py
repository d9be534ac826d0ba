"""What the model holds to be asked at an address: by what one server refused, read and heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank import sources
from sesame.bank.limits import SourceLimits
from sesame.simulation.plan import HOUR, SECOND
from sesame.simulation.refusals import Asks, Refusals, Refused, opens, together

_HOUR = 500_000
_AT = _HOUR * HOUR
_LINE, _OTHER = "192.0.2.1", "2001:db8::/64"
_SAME = {
    sources.Standing.OPEN: Asks.ONE_CODE,
    sources.Standing.TWO_CODES: Asks.TWO_CODES,
    sources.Standing.CLOSED: Asks.NOTHING,
}


def _note(refusals: Refusals, times: int, at: int = _AT, *, judged: bool = True) -> None:
    for _ in range(times):
        refusals.note(_LINE, at, judged=judged)


def test_two_codes_for_a_day_and_nothing_for_an_hour() -> None:
    """At that address alone."""
    refusals = Refusals()
    _note(refusals, 30)
    assert refusals.asks(_LINE, _AT) is Asks.ONE_CODE
    _note(refusals, 1)
    assert refusals.asks(_LINE, _AT) is Asks.TWO_CODES
    assert refusals.asks(_OTHER, _AT) is Asks.ONE_CODE
    _note(refusals, 270)
    assert refusals.asks(_LINE, opens(_AT) - 1) is Asks.NOTHING
    assert refusals.asks(_LINE, opens(_AT)) is Asks.TWO_CODES
    assert refusals.asks(_LINE, _AT + 25 * HOUR - 1) is Asks.TWO_CODES
    assert refusals.asks(_LINE, _AT + 25 * HOUR) is Asks.ONE_CODE


def test_what_is_turned_away_closes_late_and_presses_nobody() -> None:
    """It guesses nothing."""
    refusals = Refusals()
    _note(refusals, 3_000, judged=False)
    assert refusals.asks(_LINE, _AT) is Asks.ONE_CODE
    _note(refusals, 1, judged=False)
    assert refusals.asks(_LINE, _AT) is Asks.NOTHING


_counts = st.one_of(st.integers(0, 12), st.sampled_from([29, 30, 31, 299, 300, 301, 2_999, 3_001]))


_hours = st.sampled_from([_HOUR - before for before in (0, 1, 12, 23, 24, 25, 26)])


@given(st.dictionaries(_hours, st.tuples(_counts, _counts), min_size=1))
def test_it_agrees_with_the_bank(counts: dict[int, tuple[int, int]]) -> None:
    """Which counts by another way, from the same page."""
    refusals = Refusals()
    for hour, (judged, turned_away) in counts.items():
        refusals.hear({Refused(_LINE, hour, judged=True): judged})
        refusals.hear({Refused(_LINE, hour, judged=False): turned_away})
    refusals.note(_LINE, _AT - 30 * HOUR, judged=True)  # what it writes, it learns by
    refusals.write(_AT)
    by_hour = {hour: sources.Refusals(*both) for hour, both in counts.items()}
    standing = sources.standing(by_hour, _HOUR, SourceLimits())
    assert refusals.asks(_LINE, _AT) is _SAME[standing]


def test_what_others_refused_is_learned_with_ones_own_next_refusal() -> None:
    """A second after it; until then this server goes by what it knows."""
    here, there = Refusals(), Refusals()
    _note(there, 31)
    told = there.tell()
    assert told == {Refused(_LINE, _HOUR, judged=True): 31}
    assert not there.tell()
    here.hear(told)
    assert here.asks(_LINE, _AT) is Asks.ONE_CODE
    assert not here.may_learn(_AT + SECOND)  # nothing to write, so nothing is read
    here.note(_LINE, _AT, judged=True)
    assert here.may_learn(_AT + SECOND)
    here.write(_AT + SECOND)
    assert here.written[_LINE] == {Refused(_LINE, _HOUR, judged=True): 32}
    assert here.asks(_LINE, _AT) is Asks.TWO_CODES
    here.note(_LINE, _AT + SECOND, judged=True)
    assert not here.may_learn(_AT + 9 * SECOND)  # nobody has written since
    here.hear(told)
    assert not here.may_learn(_AT + SECOND)  # within the second
    assert here.may_learn(_AT + 2 * SECOND)


def test_a_server_that_died_learns_anew() -> None:
    """What it had not written is lost."""
    refusals = Refusals()
    _note(refusals, 31)
    refusals.write(_AT)
    _note(refusals, 300)
    assert refusals.asks(_LINE, _AT) is Asks.NOTHING
    refusals.restart()
    assert refusals.asks(_LINE, _AT) is Asks.ONE_CODE
    _note(refusals, 1)
    assert refusals.may_learn(_AT + SECOND)
    refusals.write(_AT + SECOND)
    assert refusals.written[_LINE] == {Refused(_LINE, _HOUR, judged=True): 32}
    assert refusals.asks(_LINE, _AT) is Asks.TWO_CODES


def test_a_backup_has_what_was_written() -> None:
    """And nothing of what came later; whoever stands on it has to read it first."""
    refusals = Refusals()
    _note(refusals, 31)
    refusals.write(_AT)
    _note(refusals, 1)
    copy = refusals.copy()
    refusals.write(_AT)
    assert copy.written[_LINE][Refused(_LINE, _HOUR, judged=True)] == 31
    assert copy.asks(_LINE, _AT) is Asks.ONE_CODE
    copy.note(_LINE, _AT, judged=True)
    assert copy.may_learn(_AT + SECOND)


@pytest.mark.parametrize(("hours", "kept"), [(24, True), (25, False)])
def test_what_is_too_old_is_forgotten(hours: int, *, kept: bool) -> None:
    """With the address."""
    refusals = Refusals()
    _note(refusals, 31)
    refusals.write(_AT)
    refusals.hear({Refused(_OTHER, _HOUR, judged=True): 1})
    refusals.forget(_AT + hours * HOUR)
    assert (set(refusals.written) == {_LINE, _OTHER}) is kept
    assert (refusals.asks(_LINE, _AT) is Asks.TWO_CODES) is kept
    refusals.note(_OTHER, _AT, judged=True)
    assert refusals.may_learn(_AT + SECOND) is kept


def test_what_several_servers_wrote_adds_up() -> None:
    """By address, hour and kind."""
    one, other = Refused(_LINE, _HOUR, judged=True), Refused(_LINE, _HOUR, judged=False)
    assert together([{one: 2}, {one: 3, other: 1}, {}]) == {one: 5, other: 1}
