"""Tries: how many failures each side of an access has left, and what follows the last.

Pure. An access has two sides. The *open* one any browser may use; the *reserved* one is for
known devices alone, so that strangers cannot shut its owner out (docs/decisions/0014).
"""

from datetime import datetime, timedelta
from enum import StrEnum, unique

from msgspec.structs import replace

from sesame.bank.limits import Limits, SideLimits
from sesame.bank.moments import from_row, to_row
from sesame.store.access import State, Tries


@unique
class Side(StrEnum):
    """Whose tries an attempt uses."""

    OPEN = "open"
    RESERVED = "reserved"


def side_of(state: State, now: datetime, *, known: bool) -> Side:
    """The side that an attempt uses: a known device's own tries, then those of everybody."""
    if known and not suspension_end(state.reserved, now):
        return Side.RESERVED
    return Side.OPEN


def tries_of(state: State, side: Side) -> Tries:
    """The tries of *side*."""
    return state.open if side is Side.OPEN else state.reserved


def suspension_end(tries: Tries, now: datetime) -> datetime | None:
    """When the suspension of *tries* is over, or None where there is none at *now*."""
    if tries.suspended_until is None:
        return None
    until = from_row(tries.suspended_until)
    return until if now < until else None


def suspended_until(state: State, now: datetime, *, known: bool) -> datetime | None:
    """Until when nothing is judged, or None; for a known device until one of its sides opens."""
    sides = (state.open, state.reserved) if known else (state.open,)
    untils = [suspension_end(tries, now) for tries in sides]
    running = [until for until in untils if until is not None]
    return min(running) if len(running) == len(untils) else None


def pressed(tries: Tries, limits: Limits, now: datetime) -> bool:
    """Whether so much failed lately that one code is not enough."""
    if len(tries.failed_at) < limits.pressed_after:
        return False
    return now < from_row(tries.failed_at[limits.pressed_after - 1]) + limits.pressed_for


def refused_again(state: State, attempt: bytes, limits: Limits, now: datetime) -> bool:
    """Whether this very *attempt* was refused a moment ago: an impatient second click."""
    return any(
        tries.refused == attempt and now < from_row(tries.failed_at[0]) + limits.repeated
        for tries in (state.open, state.reserved)
        if tries.failed_at
    )


def after_failure(state: State, side: Side, attempt: bytes, limits: Limits, now: datetime) -> State:
    """What one more failure makes of *state*: the last of a row suspends its side."""
    tries = _remembered(tries_of(state, side), limits, now)
    rules = _rules(side, limits)
    failed_at = (to_row(now), *tries.failed_at)[: limits.pressed_after]
    tries = replace(tries, failures=tries.failures + 1, failed_at=failed_at, refused=attempt)
    if tries.failures >= rules.tries:
        until = now + _suspension(tries, rules, limits, now)
        # The suspension takes the place of the count: as many more once it is over.
        tries = replace(
            tries,
            failures=0,
            suspensions=tries.suspensions + 1,
            suspended_until=to_row(until),
        )
    return _with(state, side, tries)


def after_success(state: State, side: Side) -> State:
    """What a success makes of *state*: the tries of the side it came through begin anew.

    What failed in the last thirty days still counts for `pressed`: else a stranger's guesses
    would begin anew with each login of the owner.
    """
    return _with(state, side, replace(tries_of(state, side), failures=0, suspensions=0))


def tries_left(state: State, side: Side, limits: Limits, now: datetime) -> int:
    """How many failures of *side* may still be judged before it is suspended; 0 while it is."""
    tries = tries_of(state, side)
    if suspension_end(tries, now) is not None:
        return 0
    return _rules(side, limits).tries - _remembered(tries, limits, now).failures


def _rules(side: Side, limits: Limits) -> SideLimits:
    return limits.open_side if side is Side.OPEN else limits.reserved_side


def _remembered(tries: Tries, limits: Limits, now: datetime) -> Tries:
    """*tries*, or none of them where the last failure is long ago.

    By its own age alone, not by what else moved the row: the rows of user codes that nobody
    has move by failures only, and could else be told apart.
    """
    # Without a moment they are from before moments were kept: they count.
    if not tries.failed_at or now < from_row(tries.failed_at[0]) + limits.forgotten_after:
        return tries
    return replace(tries, failures=0, suspensions=0)


def _suspension(tries: Tries, rules: SideLimits, limits: Limits, now: datetime) -> timedelta:
    if pressed(tries, limits, now):
        return limits.pressed_suspension
    return rules.suspensions[min(tries.suspensions, len(rules.suspensions) - 1)]


def _with(state: State, side: Side, tries: Tries) -> State:
    if side is Side.OPEN:
        return replace(state, open=tries)
    return replace(state, reserved=tries)
