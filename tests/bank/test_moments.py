"""`sesame.bank.moments`."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.moments import from_row, to_row

_moments = st.datetimes(timezones=st.just(UTC))


@given(moment=_moments)
def test_nothing_is_lost(moment: datetime) -> None:
    """To the microsecond, before 1970 too."""
    assert from_row(to_row(moment)) == moment
    assert from_row(to_row(moment)).tzinfo is UTC


@given(earlier=_moments, later=_moments)
def test_rows_sort_as_moments_do(earlier: datetime, later: datetime) -> None:
    """Statements compare them."""
    assert (to_row(earlier) < to_row(later)) is (earlier < later)


def test_a_known_moment() -> None:
    """The second moon landing's first step, in two time zones."""
    moment = datetime(1969, 11, 19, 11, 54, 35, 1, UTC)
    assert to_row(moment) == -3_672_324_999_999
    assert to_row(moment.astimezone(timezone(timedelta(hours=1)))) == to_row(moment)
