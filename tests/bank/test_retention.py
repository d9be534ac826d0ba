"""`sesame.bank.retention`: what may go, and what a legal hold keeps."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.retention import (
    Rules,
    Written,
    is_held,
    is_person_held,
    is_too_young_to_be_first,
    prunable,
)
from sesame.store.retention import HoldRow

_VERA, _OMAR = "VERA2345", "OMAR6789"


def _hold(user_code: str = "", from_at: int | None = None, until_at: int | None = None) -> HoldRow:
    return HoldRow(
        user_code=user_code, from_at=from_at, until_at=until_at, set_at=0, set_by="x", reason="y"
    )


def _lines(*moments: int) -> list[Written]:
    return [Written(version, at) for version, at in enumerate(moments, 1)]


def _many(written: list[Written], *holds: HoldRow, sealed: int = 99, accepted: int = 0) -> int:
    return prunable(
        written, user_code=_VERA, before=50, holds=holds, sealed=sealed, accepted=accepted
    )


def test_the_old_first_lines_may_go() -> None:
    """Up to the first that is young, sealed last, accepted last, or held."""
    written = _lines(10, 20, 30, 49, 50, 60)
    assert _many(written) == 4
    assert _many(written, sealed=3) == 2
    assert _many(written, accepted=2) == 1
    assert _many(written[:3]) == 3
    assert _many([]) == 0
    assert _many(written, _hold(_VERA)) == 0
    assert _many(written, _hold(_OMAR)) == 4
    assert _many(written, _hold(from_at=20, until_at=30)) == 1
    assert _many(written, _hold(from_at=21, until_at=30)) == 4
    assert _many(written, _hold(until_at=10)) == 4
    assert _many(written, _hold(from_at=30)) == 2


def test_a_first_seal_that_no_rule_left() -> None:
    """The very first may be young; any other one is older than the rule, whatever that is."""
    now, rules = datetime(2027, 6, 1, tzinfo=UTC), Rules(lines=timedelta(days=400))
    limit = now - timedelta(days=400)
    assert not is_too_young_to_be_first(1, now, now=now, rules=rules)
    assert is_too_young_to_be_first(2, limit, now=now, rules=rules)
    assert not is_too_young_to_be_first(2, limit - timedelta(seconds=1), now=now, rules=rules)
    assert is_too_young_to_be_first(2, limit, now=now, rules=Rules(lines=timedelta(days=401)))
    assert not is_too_young_to_be_first(2, limit, now=now, rules=Rules())


def test_holds() -> None:
    """Of a customer, whenever; of everybody, in a period, whose end is not in it."""
    period = [_hold(from_at=5, until_at=7)]
    assert [is_held(period, _VERA, at) for at in (4, 5, 6, 7)] == [False, True, True, False]
    assert is_held([_hold()], _VERA, 0)
    assert is_held([_hold(_VERA)], _VERA, 0)
    assert not is_held([_hold(_OMAR)], _VERA, 0)
    assert is_person_held(period, _VERA)
    assert is_person_held([_hold(_VERA)], _VERA)
    assert not is_person_held([_hold(_OMAR)], _VERA)
    assert not is_person_held([], _VERA)


@given(
    moments=st.lists(st.integers(0, 99), max_size=12).map(sorted),
    sealed=st.integers(1, 13),
    accepted=st.integers(0, 13),
    period=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_only_what_may_go_goes(
    moments: list[int], sealed: int, accepted: int, period: tuple[int, int]
) -> None:
    """None of the first ones must stay; the next one must."""
    written, hold = _lines(*moments), _hold(from_at=period[0], until_at=period[1])

    def may_go(line: Written) -> bool:
        return (
            line.at < 50
            and line.version < sealed
            and not (0 < accepted <= line.version)
            and not period[0] <= line.at < period[1]
        )

    many = _many(written, hold, sealed=sealed, accepted=accepted)
    assert all(map(may_go, written[:many]))
    assert many == len(written) or not may_go(written[many])
