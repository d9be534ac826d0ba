"""`sesame.bank.card_life`: what is due for a card, and when; pure."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.card_life import Act, Due, Why, due
from sesame.bank.limits import Limits
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.verification import HIGHEST_ATC, candidates
from sesame.store.aging import AgingCard
from sesame.store.cards import CardState
from tests.bank.branch import VERA

_LIMITS = Limits()
_TODAY = date(2026, 3, 2)
_PLAIN = AgingCard(
    bucket=0,
    user_code=VERA.user_code,
    card_number=1,
    state=CardState.ACTIVE,
    last_atc=10,
    last4="1234",
    expires_on="2030-12-31",
    replaced=False,
    succeeded=False,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"expires_on": None}, None),
        ({"expires_on": "2026-04-02"}, None),
        ({"expires_on": "2026-04-01"}, Due(Act.RENEW, Why.EXPIRY)),
        ({"expires_on": "2026-03-02"}, Due(Act.RENEW, Why.EXPIRY)),
        ({"expires_on": "2026-03-01"}, Due(Act.RETIRE, Why.EXPIRY)),
        ({"expires_on": "2026-03-01", "state": "held"}, Due(Act.RETIRE, Why.EXPIRY)),
        ({"expires_on": "2026-03-01", "replaced": 1}, Due(Act.RETIRE, Why.EXPIRY)),
        ({"expires_on": "2026-04-01", "state": "held"}, None),
        ({"expires_on": "2026-04-01", "state": "waiting"}, None),
        ({"expires_on": "2026-04-01", "replaced": 1}, None),
        ({"last_atc": 60_000}, None),
        ({"last_atc": 60_001}, Due(Act.RENEW, Why.COUNTER)),
        ({"last_atc": 60_001, "expires_on": None}, Due(Act.RENEW, Why.COUNTER)),
        ({"last_atc": 60_001, "replaced": 1}, None),
        ({"last_atc": 60_001, "state": "held"}, None),
        ({"last_atc": 60_001, "expires_on": "2026-04-01"}, Due(Act.RENEW, Why.EXPIRY)),
        ({"replaced": 1, "succeeded": 1}, Due(Act.RETIRE, Why.SUCCEEDED)),
    ],
)
def test_what_is_due(changes: dict[str, object], expected: Due | None) -> None:
    """Thirty days before the last day, or above sixty thousand; once, and only what signs in."""
    assert due(_PLAIN._replace(**changes), _TODAY, _LIMITS) == expected  # type: ignore[arg-type]  # by name


@given(last_day=st.dates(date(2026, 1, 1), date(2027, 1, 1)), replaced=st.booleans())
def test_each_day_of_a_life_has_its_place(last_day: date, replaced: bool) -> None:  # noqa: FBT001 -- drawn
    """Nothing, then renewal, then the end: never back; and there is time between."""
    card = _PLAIN._replace(expires_on=last_day.isoformat(), replaced=replaced)
    days = [last_day + timedelta(days=n) for n in range(-60, 5)]
    acts = [due(card, day, _LIMITS) for day in days]
    renewed = [] if replaced else [Due(Act.RENEW, Why.EXPIRY)] * 31
    before = 65 - 4 - len(renewed)
    assert acts == [None] * before + renewed + [Due(Act.RETIRE, Why.EXPIRY)] * 4


@given(st.integers(HIGHEST_ATC - 40, HIGHEST_ATC), st.integers(1, HIGHEST_ATC))
def test_a_counter_never_begins_anew(last: int, claimed: int) -> None:
    """At its end nothing is near: no code of ATC 1 is taken after one of 65,535."""
    near = candidates(SESAME_CARD, last, VERA.card.code(claimed)).near
    assert near is None or last < near <= HIGHEST_ATC
