"""`sesame.bank.verification.decide` and `turned_away`: pure, case by case.

Whole lives of an access are searched in test_life.
"""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

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
    accepted_before,
    answer_unjudged,
    decide,
    repeats,
)
from sesame.cap.token import Code
from sesame.store.access import Access, Tries
from tests.bank.branch import NINE, OLD_CODE, VERA, attempt
from tests.bank.rows import access

_LIMITS = Limits()
_ID = b"\x01" * 16
_CODE = Code("34567890")
_PAIR = TwoCodes(_CODE, Code("34567891"))
_RIGHT = Verdict(None, (Match(1, 15),))
_AGAIN = Verdict(Cause.USED, again=True)
_QUARTER = timedelta(minutes=15)


def reading(  # noqa: PLR0913 -- all that a reading has
    row: Access,
    *,
    now: datetime = NINE,
    known: bool = False,
    side: Side = Side.OPEN,
    pressed: bool = False,
    bank_pressed: bool = False,
) -> Reading:
    """What was read, by a browser that nobody knows unless *known*."""
    return Reading(
        access=row, now=now, known=known, side=side, pressed=pressed, bank_pressed=bank_pressed
    )


def decided(read: Reading, verdict: Verdict, code: Code | TwoCodes | OldCode = _CODE) -> Decision:
    """What is decided of one attempt by the institution's limits."""
    return decide(read, attempt(VERA.user_code, code, id=_ID), verdict, _LIMITS)


def unjudged(
    read: Reading, code: Code | TwoCodes | OldCode = _CODE
) -> Suspended | TwoCodesWanted | None:
    """The answer to an attempt that is not judged."""
    return answer_unjudged(read, attempt(VERA.user_code, code, id=_ID), _LIMITS)


# ── Judged ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [_CODE, _PAIR], ids=["one", "two"])
def test_a_right_code_is_accepted(code: Code | TwoCodes) -> None:
    """The old code is retired, the login is dated, the attempt remembered with its version."""
    row = access(old_code="$argon2id$", signed_in_at=1, open=Tries(failures=2))
    decision = decided(reading(row), _RIGHT, code)
    assert (decision.cause, decision.advance) == (None, _RIGHT.advance)
    assert decision.state == replace(
        row.state,
        open=Tries(),
        accepted=_ID,
        accepted_version=8,
        signed_in_at=to_row(NINE),
        old_code=None,
        session_epoch=1,  # what the old code had opened is closed
    )
    assert decision.retires_old_code


def test_a_code_after_the_first_retires_nothing() -> None:
    """The customer's sessions stay, wherever they are open."""
    decision = decided(reading(access(session_epoch=4)), _RIGHT)
    assert not decision.retires_old_code
    assert decision.state.session_epoch == 4


def test_a_right_old_code_is_accepted_and_stays() -> None:
    """Until the first code Sésame."""
    decision = decided(reading(access(old_code="$argon2id$")), Verdict(None), OLD_CODE)
    assert decision.cause is None
    assert decision.state.old_code == "$argon2id$"


@pytest.mark.parametrize("side", Side)
def test_a_success_resets_its_own_side_alone(side: Side) -> None:
    """What failed on the other one still counts."""
    row = access(open=Tries(failures=2), reserved=Tries(failures=1))
    state = decided(reading(row, side=side, known=True), _RIGHT).state
    failures = (state.open.failures, state.reserved.failures)
    assert failures == ((0, 1) if side is Side.OPEN else (2, 0))


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("cause", [Cause.WRONG, Cause.USED, Cause.OVERTAKEN, Cause.CARD_NOT_ACTIVE])
def test_every_refusal_counts_alike(cause: Cause, side: Side) -> None:
    """On the side it came through; staff see the cause."""
    decision = decided(reading(access(), side=side, known=True), Verdict(cause))
    assert (decision.cause, decision.advance) == (cause, ())
    state = decision.state
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
    state = decided(reading(access()), Verdict(cause)).state
    assert (state.replayed_at == to_row(NINE)) is told


# ── The same attempt again ───────────────────────────────────────────────────────────────────────


def test_an_attempt_is_known_again_by_its_id_once_it_was_accepted() -> None:
    """A row that never accepted any knows none: not the sixteen zeros that stand there."""
    mine = attempt(VERA.user_code, _CODE, id=_ID)
    assert accepted_before(access(accepted=_ID, accepted_version=7).state, mine)
    assert not accepted_before(access(accepted=b"x" * 16, accepted_version=7).state, mine)
    nothing = attempt(VERA.user_code, _CODE, id=bytes(16))
    assert not accepted_before(access().state, nothing)
    assert not accepted_before(access(accepted_version=0).state, nothing)


@pytest.mark.parametrize(
    ("verdict", "code", "same"),
    [
        (_AGAIN, _CODE, True),
        (_AGAIN, _PAIR, True),
        (Verdict(Cause.CARD_NOT_ACTIVE, again=True), _CODE, True),
        (Verdict(Cause.OVERTAKEN), _CODE, False),
        (Verdict(Cause.WRONG), _CODE, False),
        (_RIGHT, _CODE, False),  # the next code: a new login
        (Verdict(None), OLD_CODE, True),  # nothing of it is used up
        (Verdict(Cause.WRONG), OLD_CODE, False),
    ],
)
def test_an_acceptance_is_repeated_to_the_same_code(
    verdict: Verdict,
    code: Code | TwoCodes | OldCode,
    same: bool,  # noqa: FBT001 -- the case
) -> None:
    """Whoever sends the same form with a guess is judged like everybody."""
    assert repeats(verdict, attempt(VERA.user_code, code)) is same


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


@pytest.mark.parametrize(
    ("pressure", "code", "judged"),
    [
        ("pressed", _CODE, False),
        ("pressed", _PAIR, True),
        ("pressed", OLD_CODE, False),
        ("bank_pressed", _CODE, False),
        ("bank_pressed", _PAIR, True),
        ("bank_pressed", OLD_CODE, True),  # who has nothing else is not shut out for others
    ],
)
def test_where_two_codes_are_wanted_one_is_not_judged(
    pressure: str,
    code: Code | TwoCodes | OldCode,
    judged: bool,  # noqa: FBT001 -- the case
) -> None:
    """Nor the old one, where it failed lately on this very user code."""
    failed = access(open=Tries(failed_at=(to_row(NINE),)))
    read = replace(reading(failed), **{pressure: True})
    assert unjudged(read, code) == (None if judged else TwoCodesWanted())


def test_under_pressure_an_old_code_is_judged_when_its_side_has_been_quiet() -> None:
    """For an hour: a customer without a card waits no longer than that."""
    failed = access(open=Tries(failed_at=(to_row(NINE),)))
    quiet = NINE + timedelta(hours=1)
    just = quiet - timedelta(microseconds=1)
    assert unjudged(reading(failed, now=just, pressed=True), OLD_CODE) == TwoCodesWanted()
    assert unjudged(reading(failed, now=quiet, pressed=True), OLD_CODE) is None


def test_a_suspension_comes_before_the_wish_for_two_codes() -> None:
    """Two codes are turned away too."""
    answer = unjudged(reading(access(open=_OVER), pressed=True), _PAIR)
    assert answer == Suspended(_OVER_AT)
