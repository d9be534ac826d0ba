"""`sesame.bank.tries`: pure, so every branch is said."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from sesame.bank.limits import Limits
from sesame.bank.moments import from_row, to_row
from sesame.bank.tries import (
    Side,
    after_failure,
    after_success,
    pressed,
    refused_again,
    side_of,
    suspended_until,
    suspension_end,
    tries_of,
)
from sesame.store.access import State, Tries
from tests.bank.branch import NINE

_LIMITS = Limits()
_MOMENT = timedelta(microseconds=1)
_MONTH = timedelta(days=30)
_ID, _OTHER = b"\x01" * 16, b"\x02" * 16
_OPEN, _RESERVED = Side.OPEN, Side.RESERVED


def failed(state: State, side: Side, times: int, at: datetime = NINE) -> State:
    """*state* after *times* failures of *side*, all at one moment."""
    for _ in range(times):
        state = after_failure(state, side, _ID, _LIMITS, at)
    return state


def until(minutes: float) -> Tries:
    """A side that is suspended for *minutes* after nine."""
    return Tries(suspended_until=to_row(NINE + timedelta(minutes=minutes)))


# ── Sides ────────────────────────────────────────────────────────────────────────────────────────


def test_a_known_device_has_tries_of_its_own() -> None:
    """Whatever became of those of everybody."""
    for state in (State(), State(open=until(10))):
        assert side_of(state, NINE, known=True) is _RESERVED
        assert side_of(state, NINE, known=False) is _OPEN


def test_a_known_device_falls_back_to_the_tries_of_everybody() -> None:
    """While its own are suspended; then it has its own again."""
    state = State(reserved=until(15))
    assert side_of(state, NINE, known=True) is _OPEN
    assert side_of(state, NINE + timedelta(minutes=15), known=True) is _RESERVED


def test_each_side_has_its_tries() -> None:
    """And no failure of one moves the other."""
    state = failed(State(), _OPEN, 2)
    assert tries_of(state, _OPEN).failures == 2
    assert tries_of(state, _RESERVED) == Tries()
    state = failed(state, _RESERVED, 1)
    assert (state.open.failures, state.reserved.failures) == (2, 1)


@pytest.mark.parametrize(
    ("state", "stranger", "known"),
    [
        (State(), None, None),
        (State(open=until(10)), 10, None),
        (State(reserved=until(15)), None, None),
        (State(open=until(10), reserved=until(15)), 10, 10),
        (State(open=until(60), reserved=until(15)), 60, 15),
        (State(open=until(10), reserved=until(-1)), 10, None),
    ],
)
def test_nothing_is_judged_while_every_side_is_suspended(
    state: State, stranger: float | None, known: float | None
) -> None:
    """A known device waits for the first of the two to open."""
    for minutes, is_known in ((stranger, False), (known, True)):
        expected = None if minutes is None else NINE + timedelta(minutes=minutes)
        assert suspended_until(state, NINE, known=is_known) == expected


def test_a_suspension_ends_at_its_moment() -> None:
    """Not one microsecond before."""
    tries = until(15)
    end = NINE + timedelta(minutes=15)
    assert suspension_end(tries, end - _MOMENT) == end
    assert suspension_end(tries, end) is None
    assert suspension_end(Tries(), NINE) is None


# ── Failures ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("side", "tries"), [(_OPEN, 3), (_RESERVED, 2)])
def test_the_last_try_suspends(side: Side, tries: int) -> None:
    """Five in all, three for everybody and two more for known devices; then the count is anew."""
    almost = tries_of(failed(State(), side, tries - 1), side)
    assert (almost.failures, almost.suspended_until) == (tries - 1, None)
    suspended = tries_of(failed(State(), side, tries), side)
    assert suspended.failures == 0
    assert suspended.suspensions == 1
    assert suspension_end(suspended, NINE) == NINE + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("side", "minutes"),
    [(_OPEN, [15, 60, 240, 240, 240]), (_RESERVED, [15, 15, 15, 15, 15])],
)
def test_suspensions_grow(side: Side, minutes: list[int]) -> None:
    """A quarter of an hour, an hour, four; for known devices always a quarter."""
    limits = replace(_LIMITS, pressed_after=1000)
    rules = limits.open_side if side is _OPEN else limits.reserved_side
    state, now = State(), NINE
    for pause in minutes:
        for _ in range(rules.tries):
            state = after_failure(state, side, _ID, limits, now)
        end = suspension_end(tries_of(state, side), now)
        assert end == now + timedelta(minutes=pause)
        now = end


def test_under_pressure_suspensions_are_short() -> None:
    """The ninth failure in thirty days brings two codes, and a minute instead of four hours."""
    state, now, pauses = State(), NINE, []
    for _ in range(5):
        state = failed(state, _OPEN, 3, now)
        end = suspension_end(state.open, now)
        assert end is not None
        pauses.append(end - now)
        now = end
    minutes = [pause / timedelta(minutes=1) for pause in pauses]
    assert minutes == [15, 60, 1, 1, 1]


def test_nine_failures_in_thirty_days_press() -> None:
    """By the ninth last one's own age, whatever succeeded meanwhile."""
    eight = failed(State(), _OPEN, 8)
    assert not pressed(eight.open, _LIMITS, NINE)
    nine = after_success(after_failure(eight, _OPEN, _ID, _LIMITS, NINE + _MOMENT), _OPEN)
    assert pressed(nine.open, _LIMITS, NINE + _MONTH - _MOMENT)
    assert not pressed(nine.open, _LIMITS, NINE + _MONTH)
    assert not pressed(nine.reserved, _LIMITS, NINE)


def test_no_more_moments_are_kept_than_are_asked_for() -> None:
    """Nine, the newest first."""
    state = State()
    for second in range(12):
        state = failed(state, _OPEN, 1, NINE + timedelta(seconds=second))
    kept = [from_row(at) - NINE for at in state.open.failed_at]
    assert kept == [timedelta(seconds=second) for second in range(11, 2, -1)]


@pytest.mark.parametrize("side", [_OPEN, _RESERVED])
def test_failures_are_forgotten_by_their_own_age(side: Side) -> None:
    """Thirty days after the last one of this side; the other side's do not matter."""
    other = _RESERVED if side is _OPEN else _OPEN
    state = structs.replace(failed(State(), side, 1), stepped_at=to_row(NINE + _MONTH))
    state = failed(state, other, 1, NINE + _MONTH - _MOMENT)
    assert tries_of(failed(state, side, 1, NINE + _MONTH), side).failures == 1
    if side is _OPEN:
        assert tries_of(failed(state, side, 1, NINE + _MONTH - _MOMENT), side).failures == 2


def test_suspensions_are_forgotten_with_them() -> None:
    """The next one is a quarter of an hour again."""
    state = failed(State(), _OPEN, 6)
    assert state.open.suspensions == 2
    later = NINE + _MONTH
    again = failed(state, _OPEN, 3, later)
    assert suspension_end(again.open, later) == later + timedelta(minutes=15)
    sooner = later - _MOMENT
    assert failed(state, _OPEN, 1, sooner).open.suspensions == 2


# ── A success ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("side", "left"), [(_OPEN, (0, 1)), (_RESERVED, (2, 0))])
def test_a_success_resets_its_own_side(side: Side, left: tuple[int, int]) -> None:
    """A stranger's failures stay counted when the owner signs in on a known device."""
    state = after_success(failed(failed(State(), _OPEN, 2), _RESERVED, 1), side)
    assert (state.open.failures, state.reserved.failures) == left
    assert (len(state.open.failed_at), len(state.reserved.failed_at)) == (2, 1)


# ── The same attempt again ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("side", [_OPEN, _RESERVED])
def test_a_refused_attempt_is_known_for_five_seconds(side: Side) -> None:
    """While nothing else failed on its side."""
    state = failed(State(), side, 1)
    five = NINE + timedelta(seconds=5)
    assert refused_again(state, _ID, _LIMITS, five - _MOMENT)
    assert not refused_again(state, _ID, _LIMITS, five)
    assert not refused_again(state, _OTHER, _LIMITS, NINE)
    assert not refused_again(after_failure(state, side, _OTHER, _LIMITS, NINE), _ID, _LIMITS, NINE)
    assert not refused_again(State(), bytes(16), _LIMITS, NINE)


def test_failures_from_before_moments_were_kept_still_count() -> None:
    """An upgraded row has none: its failures are not taken for old ones."""
    state = State(open=Tries(failures=2))
    third = after_failure(state, Side.OPEN, b"x" * 16, Limits(), NINE)
    assert third.open.suspended_until is not None
