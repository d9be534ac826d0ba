"""`sesame.bank.verification.decide`: pure, so every case of it can be searched."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesame.bank.limits import Limits
from sesame.bank.moments import to_row
from sesame.bank.verification import (
    Cause,
    Decision,
    Match,
    Matches,
    decide,
    refusal_again,
    suspended_until,
)
from sesame.store.access import NO_ATTEMPT, Access
from sesame.store.cards import CardRow, CardState
from tests.bank.branch import NINE

_LIMITS = Limits()
_QUARTER = timedelta(minutes=15)
_MONTH = timedelta(days=30)
_ID, _OTHER_ID = b"\x01" * 16, b"\x02" * 16
_NOTHING = Matches((), ())


def card(number: int = 1, state: CardState = CardState.ACTIVE, last_atc: int = 10) -> CardRow:
    """A card of the Sésame profile."""
    return CardRow(number, state, "sesame-card-1", b"sealed", last_atc)


def access(*cards: CardRow, **changes: object) -> Access:
    """A customer's row, last moved at nine by another attempt."""
    plain = Access(
        user_code="VERA2345",
        version=7,
        enrolled=True,
        stepped_at=to_row(NINE),
        last_attempt=_OTHER_ID,
        cards=cards or (card(),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


def near(*found: tuple[int, int]) -> Matches:
    """The code fits above the last ATC."""
    return Matches(tuple(Match(*pair) for pair in found), ())


def behind(*found: tuple[int, int]) -> Matches:
    """The code fits at or below the last ATC."""
    return Matches((), tuple(Match(*pair) for pair in found))


def decided(row: Access, matches: Matches, now: datetime = NINE, id_: bytes = _ID) -> Decision:
    """What is decided by the institution's limits."""
    return decide(row, id_, matches, _LIMITS, now)


# ── One attempt ──────────────────────────────────────────────────────────────────────────────────


def test_a_code_above_the_last_atc_is_accepted() -> None:
    """The card goes to the code's ATC; what failed before is forgotten."""
    assert decided(access(failures=4), near((1, 15))) == Decision(None, 0, None, (Match(1, 15),))


def test_a_code_that_fits_two_cards_advances_both() -> None:
    """Whichever it was, it is used up for both."""
    row = access(card(1), card(2))
    assert decided(row, near((1, 15), (2, 11))).advance == (Match(1, 15), Match(2, 11))


def test_a_code_that_is_behind_one_card_and_near_the_other_is_accepted() -> None:
    """Near on an active card is enough; only that card moves."""
    row = access(card(1), card(2))
    decision = decided(row, Matches((Match(2, 11),), (Match(1, 10),)))
    assert decision == Decision(None, 0, None, (Match(2, 11),))


@pytest.mark.parametrize(
    ("row", "matches", "cause"),
    [
        (access(), _NOTHING, Cause.WRONG),
        (access(), behind((1, 10)), Cause.USED),
        (access(), behind((1, 9)), Cause.OVERTAKEN),
        (access(card(1), card(2)), behind((1, 9), (2, 10)), Cause.USED),
        (access(card(1, CardState.HELD)), near((1, 15)), Cause.CARD_NOT_ACTIVE),
        (access(card(1, CardState.HELD)), behind((1, 10)), Cause.USED),
        (access(card(1, CardState.HELD)), _NOTHING, Cause.WRONG),
        (replace(access(), cards=()), _NOTHING, Cause.WRONG),
        (Access("NEMO3333", stepped_at=to_row(NINE)), _NOTHING, Cause.UNKNOWN_USER_CODE),
    ],
)
def test_every_other_code_is_refused_and_counts(
    row: Access, matches: Matches, cause: Cause
) -> None:
    """Staff see the cause; what happens is the same for all of them."""
    assert decided(row, matches) == Decision(cause, 1, None)
    fifth = decided(replace(row, failures=4), matches)
    assert fifth == Decision(cause, 0, NINE + _QUARTER)


@pytest.mark.parametrize(
    ("row", "matches"), [(access(failures=4), _NOTHING), (Access("NEMO3333", failures=4), _NOTHING)]
)
def test_failures_are_forgotten_by_age_alike_for_everybody(row: Access, matches: Matches) -> None:
    """After thirty days without a step the count begins anew, as it does for nobody's row."""
    old = replace(row, stepped_at=to_row(NINE - _MONTH))
    assert decided(old, matches).failures == 1
    younger = replace(row, stepped_at=to_row(NINE - _MONTH + timedelta(microseconds=1)))
    assert decided(younger, matches).suspended_until == NINE + _QUARTER


def test_a_held_card_beside_an_active_one_does_not_move() -> None:
    """The code is accepted for the active card alone."""
    row = access(card(1, CardState.HELD), card(2))
    assert decided(row, near((1, 15), (2, 11))).advance == (Match(2, 11),)


@pytest.mark.parametrize("failures", range(5))
def test_the_fifth_failure_in_a_row_suspends(failures: int) -> None:
    """For fifteen minutes; the count begins anew with it."""
    decision = decided(access(failures=failures), _NOTHING)
    if failures < 4:
        assert (decision.failures, decision.suspended_until) == (failures + 1, None)
    else:
        assert (decision.failures, decision.suspended_until) == (0, NINE + _QUARTER)


def test_a_suspension_lifts_itself() -> None:
    """Nothing is judged up to its last microsecond; then it is over."""
    until = NINE + _QUARTER
    row = access(suspended_until=to_row(until))
    assert suspended_until(row, NINE) == until
    assert suspended_until(row, until - timedelta(microseconds=1)) == until
    assert suspended_until(row, until) is None
    assert suspended_until(access(), NINE) is None


# ── The same attempt again ───────────────────────────────────────────────────────────────────────


def test_an_accepted_attempt_is_repeated_with_its_own_code() -> None:
    """The second click of an impatient customer reads what the first one read."""
    row = access(last_attempt=_ID, last_accepted=True)
    repeated = decided(row, behind((1, 10)), NINE + timedelta(hours=1))
    assert repeated == Decision(None, 0, None, repeated=True)


@pytest.mark.parametrize("matches", [_NOTHING, behind((1, 9))])
def test_an_accepted_attempt_is_not_repeated_with_another_code(matches: Matches) -> None:
    """Whoever sends the same form with a guess is judged like everybody."""
    decision = decided(access(last_attempt=_ID, last_accepted=True), matches)
    assert decision.cause is not None
    assert (decision.failures, decision.repeated) == (1, False)


def test_an_accepted_form_with_the_next_code_is_a_new_login() -> None:
    """Back, a fresh code, « Valider »: the same form id, and the card moves on."""
    decision = decided(access(last_attempt=_ID, last_accepted=True), near((1, 11)))
    assert decision == Decision(None, 0, None, (Match(1, 11),))


@pytest.mark.parametrize("matches", [_NOTHING, behind((1, 10)), near((1, 15))])
def test_a_refused_attempt_is_repeated_for_five_seconds(matches: Matches) -> None:
    """Whatever the code says: the answer tells nothing about it, so no guess is free."""
    row = access(last_attempt=_ID, failures=3)
    just = NINE + timedelta(seconds=5) - timedelta(microseconds=1)
    repeated = decided(row, matches, just)
    assert repeated.repeated
    assert repeated.cause is not None
    assert (repeated.failures, repeated.advance) == (3, ())
    later = decided(row, matches, NINE + timedelta(seconds=5))
    assert not later.repeated
    assert (later.cause is None) is bool(matches.near)


def test_somebody_elses_attempt_is_not_repeated() -> None:
    """Another id is another attempt: a used code is refused to it."""
    decision = decided(access(last_accepted=True), behind((1, 10)))
    assert decision.cause is Cause.USED


# ── Any number of attempts ───────────────────────────────────────────────────────────────────────

_KINDS = ("near", "next", "near-held", "used", "overtaken", "nothing")


@dataclass(frozen=True)
class Event:
    """An attempt: what its code fits, how long after the last one, whether it has its id."""

    kind: str
    pause: timedelta
    same_id: bool


_events = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from((*_KINDS, *["nothing"] * 10)),  # failures are what suspends
        pause=st.sampled_from(
            [
                timedelta(0),
                timedelta(seconds=4),
                timedelta(seconds=6),
                timedelta(minutes=14, seconds=59),
                _QUARTER,
                _MONTH,
            ]
        ),
        same_id=st.booleans(),
    ),
    max_size=60,
)


@dataclass
class Model:
    """The rules for one customer, told another way: by looking back."""

    history: list[tuple[datetime, bool, bytes]]  # judged: when, accepted, id
    last_atc: int = 10

    def suspended(self, now: datetime) -> bool:
        """Five failures since the last success or suspension, the last of them not long ago."""
        streak, before = 0, now
        for at, accepted, _ in self.history:
            if at - before >= _MONTH:
                streak = 0
            streak, before = 0 if accepted else streak + 1, at
            if streak == 5:
                if now < at + _QUARTER:
                    return True
                streak = 0
        return False

    def expected(self, event: Event, now: datetime, id_: bytes) -> str:
        """suspended, repeats the last answer, accepted or refused."""
        if self.history and self.history[-1][2] == id_:
            at, accepted, _ = self.history[-1]
            if accepted and event.kind == "used":
                return "repeats accepted"
            if not accepted and now - at < timedelta(seconds=5):
                return "repeats refused"
        if self.suspended(now):
            return "suspended"
        return "accepted" if event.kind in {"near", "next"} else "refused"


def fits(kind: str, last_atc: int) -> Matches:
    """What custody would find for a code of that *kind*; card 2 is held."""
    return {
        "near": near((1, last_atc + 20)),
        "next": near((1, last_atc + 1)),
        "near-held": near((2, 11)),
        "used": behind((1, last_atc)),
        "overtaken": behind((1, last_atc - 3)),
        "nothing": _NOTHING,
    }[kind]


@settings(max_examples=200)
@given(events=_events)
def test_any_history_is_decided_as_the_model_says(events: list[Event]) -> None:
    """And six failures in a row have a quarter of an hour between two of them."""
    row = access(card(1), card(2, CardState.HELD), last_attempt=NO_ATTEMPT)
    model = Model([])
    now, last_id = NINE, NO_ATTEMPT
    for number, event in enumerate(events, 1):
        now += event.pause
        id_ = last_id if event.same_id and model.history else number.to_bytes(16)
        expected = model.expected(event, now, id_)
        if suspended_until(row, now) and not refusal_again(row, id_, _LIMITS, now):
            assert expected == "suspended"
            continue
        decision = decided(row, fits(event.kind, model.last_atc), now, id_)
        answer = "accepted" if decision.cause is None else "refused"
        assert expected == (f"repeats {answer}" if decision.repeated else answer)
        if decision.repeated:
            assert decision.advance == ()
            continue
        accepted = decision.cause is None
        assert bool(decision.advance) is accepted
        for found in decision.advance:
            assert found.card_number == 1
            assert found.atc > model.last_atc
            model.last_atc = found.atc
        model.history.append((now, accepted, id_))
        last_id, until = id_, decision.suspended_until
        row = replace(
            row,
            version=row.version + 1,
            failures=decision.failures,
            suspended_until=None if until is None else to_row(until),
            stepped_at=to_row(now),
            last_attempt=id_,
            last_accepted=accepted,
            cards=(card(1, last_atc=model.last_atc), card(2, CardState.HELD)),
        )
        assert 0 <= row.failures < 5
    for start in range(len(model.history) - 5):
        six = model.history[start : start + 6]
        if not any(accepted for _, accepted, _ in six):
            pauses = [later[0] - earlier[0] for earlier, later in pairwise(six)]
            assert max(pauses) >= _QUARTER
