"""`sesame.bank.verification.decide` and `turned_away`: pure, case by case.

Whole lives of an access are searched in test_life.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sesame.bank.limits import Limits
from sesame.bank.matching import Cause, Match, TwoCodes, Verdict
from sesame.bank.moments import to_row
from sesame.bank.old_code import OldCode
from sesame.bank.tries import Side
from sesame.bank.verification import (
    Decision,
    Reading,
    Suspended,
    TwoCodesWanted,
    decide,
    turned_away,
)
from sesame.cap.token import Code
from sesame.store.access import Access, State, Tries
from tests.bank.branch import NINE, OLD_CODE, VERA, attempt
from tests.bank.rows import access

_LIMITS = Limits()
_ID = b"\x01" * 16
_CODE = Code("34567890")
_PAIR = TwoCodes(_CODE, Code("34567891"))
_RIGHT = Verdict(None, (Match(1, 15),))
_AGAIN = Verdict(Cause.USED, again=True)
_QUARTER = timedelta(minutes=15)


def reading(
    row: Access,
    *,
    now: datetime = NINE,
    known: bool = False,
    side: Side = Side.OPEN,
    two_codes: bool = False,
) -> Reading:
    """What was read, by a browser that nobody knows unless *known*."""
    return Reading(access=row, now=now, known=known, side=side, two_codes=two_codes)


def decided(read: Reading, verdict: Verdict, code: Code | TwoCodes | OldCode = _CODE) -> Decision:
    """What is decided of one attempt by the institution's limits."""
    return decide(read, attempt(VERA.user_code, code, id=_ID), verdict, _LIMITS)


def after(decision: Decision) -> State:
    """The state that a decision leads to."""
    assert decision.state is not None
    return decision.state


def unjudged(
    read: Reading, code: Code | TwoCodes | OldCode = _CODE
) -> Suspended | TwoCodesWanted | None:
    """The answer to an attempt that is not judged."""
    return turned_away(read, attempt(VERA.user_code, code, id=_ID), _LIMITS)


# ── Judged ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [_CODE, _PAIR], ids=["one", "two"])
def test_a_right_code_is_accepted(code: Code | TwoCodes) -> None:
    """The old code is retired, the login is dated, the attempt remembered with its version."""
    row = access(old_code="$argon2id$", signed_in_at=1, open=Tries(failures=2))
    decision = decided(reading(row), _RIGHT, code)
    assert (decision.cause, decision.advance) == (None, _RIGHT.advance)
    assert after(decision) == replace(
        row.state,
        open=Tries(),
        accepted=_ID,
        accepted_version=8,
        signed_in_at=to_row(NINE),
        old_code=None,
    )


def test_a_right_old_code_is_accepted_and_stays() -> None:
    """Until the first code Sésame."""
    decision = decided(reading(access(old_code="$argon2id$")), Verdict(None), OLD_CODE)
    assert decision.cause is None
    assert after(decision).old_code == "$argon2id$"


@pytest.mark.parametrize("side", Side)
def test_a_success_resets_its_own_side_alone(side: Side) -> None:
    """What failed on the other one still counts."""
    row = access(open=Tries(failures=2), reserved=Tries(failures=1))
    state = after(decided(reading(row, side=side, known=True), _RIGHT))
    failures = (state.open.failures, state.reserved.failures)
    assert failures == ((0, 1) if side is Side.OPEN else (2, 0))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("cause", [Cause.WRONG, Cause.USED, Cause.OVERTAKEN, Cause.CARD_NOT_ACTIVE])
def test_every_refusal_counts_alike(cause: Cause, side: Side) -> None:
    """On the side it came through; staff see the cause."""
    decision = decided(reading(access(), side=side, known=True), Verdict(cause))
    assert (decision.cause, decision.advance) == (cause, ())
    state = after(decision)
    counted, other = state.open, state.reserved
    if side is Side.RESERVED:
        counted, other = other, counted
    assert (counted.failures, counted.failed_at, counted.refused) == (1, (to_row(NINE),), _ID)
    assert other == Tries()


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (Cause.USED, True),
        (Cause.OVERTAKEN, True),
        (Cause.WRONG, False),
        (Cause.CARD_NOT_ACTIVE, False),
        (Cause.UNKNOWN_USER_CODE, False),
    ],
)
def test_a_code_that_comes_again_is_noted_for_its_owner(cause: Cause, told: bool) -> None:  # noqa: FBT001 -- the case
    """Whoever is signed in hears of it."""
    state = after(decided(reading(access()), Verdict(cause)))
    assert (state.replayed_at == to_row(NINE)) is told


# ── The same attempt again ───────────────────────────────────────────────────────────────────────


def test_an_accepted_attempt_is_repeated_with_its_own_code() -> None:
    """Also when others failed since, and an hour later."""
    row = access(accepted=_ID, accepted_version=7, open=Tries(failures=2, refused=b"x" * 16))
    assert decided(reading(row, now=NINE + timedelta(hours=1)), _AGAIN) == Decision(None, None)


def test_an_accepted_old_code_is_repeated_with_itself() -> None:
    """Nothing of it is used up, so that it is right again."""
    row = access(accepted=_ID, old_code="$argon2id$")
    assert decided(reading(row), Verdict(None), OLD_CODE) == Decision(None, None)


@pytest.mark.parametrize("verdict", [Verdict(Cause.WRONG), Verdict(Cause.OVERTAKEN)])
def test_an_accepted_attempt_is_not_repeated_with_another_code(verdict: Verdict) -> None:
    """Whoever sends the same form with a guess is judged like everybody."""
    decision = decided(reading(access(accepted=_ID)), verdict)
    assert decision.cause is verdict.cause
    assert after(decision).open.failures == 1


def test_an_accepted_form_with_the_next_code_is_a_new_login() -> None:
    """Back, a fresh code, « Valider »: the same form id, and the card moves on."""
    decision = decided(reading(access(accepted=_ID, accepted_version=7)), _RIGHT)
    assert decision.advance == _RIGHT.advance
    assert after(decision).accepted_version == 8


@pytest.mark.parametrize("side", ["open", "reserved"])
@pytest.mark.parametrize("verdict", [Verdict(Cause.WRONG), _AGAIN, _RIGHT])
def test_a_refused_attempt_is_repeated_for_five_seconds(verdict: Verdict, side: str) -> None:
    """Whatever the code says: the answer tells nothing about it, so no guess is free."""
    failed = Tries(failures=1, failed_at=(to_row(NINE),), refused=_ID)
    row = access(**{side: failed})
    just = NINE + timedelta(seconds=5) - timedelta(microseconds=1)
    assert decided(reading(row, now=just), verdict) == Decision(Cause.WRONG, None)
    later = decided(reading(row, now=NINE + timedelta(seconds=5)), verdict)
    assert later.state is not None


def test_somebody_elses_attempt_is_not_repeated() -> None:
    """Another id is another attempt: a used code is refused to it."""
    assert decided(reading(access(accepted=b"x" * 16)), _AGAIN).cause is Cause.USED


# ── Not judged ───────────────────────────────────────────────────────────────────────────────────

_OVER_AT = NINE + _QUARTER
_OVER = Tries(suspended_until=to_row(_OVER_AT), failed_at=(to_row(NINE),))


def test_a_suspended_side_judges_nothing_up_to_its_last_microsecond() -> None:
    """Then it is over by itself."""
    row = access(open=_OVER)
    assert unjudged(reading(row)) == Suspended(_OVER_AT)
    assert unjudged(reading(row, now=_OVER_AT - timedelta(microseconds=1))) == Suspended(_OVER_AT)
    assert unjudged(reading(row, now=_OVER_AT)) is None


def test_a_known_device_is_suspended_when_both_sides_are() -> None:
    """Until the first of them opens."""
    sooner = Tries(suspended_until=to_row(NINE + timedelta(minutes=3)), failed_at=(1,))
    assert unjudged(reading(access(open=_OVER), known=True)) is None
    assert unjudged(reading(access(reserved=_OVER), known=True)) is None
    both = access(open=_OVER, reserved=sooner)
    assert unjudged(reading(both, known=True)) == Suspended(NINE + timedelta(minutes=3))


@pytest.mark.parametrize(("code", "judged"), [(_CODE, False), (_PAIR, True), (OLD_CODE, False)])
def test_where_two_codes_are_wanted_nothing_else_is_judged(
    code: Code | TwoCodes | OldCode,
    judged: bool,  # noqa: FBT001 -- the case
) -> None:
    """Not one code, and not the old one."""
    answer = unjudged(reading(access(), two_codes=True), code)
    assert answer == (None if judged else TwoCodesWanted())


def test_a_suspension_comes_before_the_wish_for_two_codes() -> None:
    """Two codes are turned away too."""
    answer = unjudged(reading(access(open=_OVER), two_codes=True), _PAIR)
    assert answer == Suspended(_OVER_AT)


def test_the_refusal_that_suspended_is_repeated_as_a_refusal() -> None:
    """The second click reads what the first one read."""
    failed = replace(_OVER, refused=_ID)
    assert unjudged(reading(access(open=failed))) is None
    assert unjudged(reading(access(open=failed), two_codes=True)) is None
