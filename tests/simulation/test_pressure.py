"""When the model holds that somebody tries codes all over the bank."""

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.limits import Limits
from sesame.bank.pressure import under_pressure
from sesame.simulation.plan import HOUR, SECOND
from sesame.simulation.pressure import Failures

_HOUR = 500_000


def test_for_five_seconds_both_are_right() -> None:
    """A server looks now and then."""
    failures, at = Failures(), _HOUR * HOUR
    for _ in range(200):
        failures.count(at)
    assert failures.allowed(at) == {False}
    failures.hear(_HOUR, 1)
    assert failures.allowed(at) == {True, False}
    assert failures.allowed(at + 5 * SECOND) == {True, False}
    assert failures.allowed(at + 5 * SECOND + 1) == {True}
    assert failures.here[_HOUR] == 200
    copy = failures.copy()
    failures.count(at)
    assert (copy.by_hour[_HOUR], copy.here[_HOUR]) == (201, 200)


@given(
    st.dictionaries(
        st.integers(_HOUR - 671, _HOUR), st.integers(1, 3_000), min_size=1, max_size=300
    )
)
def test_it_agrees_with_the_bank(counts: dict[int, int]) -> None:
    """Which counts by another way, from the same page."""
    failures = Failures()
    for hour, times in counts.items():
        failures.hear(hour, times)
    on = under_pressure(counts, _HOUR, Limits())
    assert on in failures.allowed(_HOUR * HOUR)
    assert failures.allowed(_HOUR * HOUR + 6 * SECOND) == {on}
