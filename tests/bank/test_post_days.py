"""When letters are due: working days, and gaps that keep dispatches apart."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis.strategies import dates, integers

from sesame.bank.errors import UnsuitableGaps
from sesame.bank.post_days import Gaps, PostDays
from sesame.store.dispatches import CARD, ELEMENTS, PIN, READER, WELCOME

_EASTER_MONDAY = date(2026, 4, 6)
_POST = PostDays(
    zone=ZoneInfo("Europe/Paris"), is_holiday=lambda day: day == _EASTER_MONDAY, gaps=Gaps()
)


def test_days_begin_on_the_wall() -> None:
    """At midnight in Paris, in winter and in summer."""
    assert _POST.begin(date(2026, 3, 2)) == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert _POST.begin(date(2026, 7, 2)) == datetime(2026, 7, 1, 22, tzinfo=UTC)
    assert _POST.day(datetime(2026, 7, 1, 22, tzinfo=UTC)) == date(2026, 7, 2)


def test_working_days_leave_out_week_ends_and_holidays() -> None:
    """Thursday before Easter and two days: Friday, then Tuesday."""
    assert _POST.after(date(2026, 4, 2), 2) == date(2026, 4, 7)
    assert _POST.after(date(2026, 4, 4), 0) == date(2026, 4, 7)
    assert _POST.due(CARD, date(2026, 4, 4)) == _POST.begin(date(2026, 4, 7))
    assert _POST.due(PIN, date(2026, 4, 2)) == _POST.begin(date(2026, 4, 7))


def test_what_follows_a_card_follows_it_by_its_gap() -> None:
    """Tuesday after Easter a PIN follows a card of Thursday, and none of Friday."""
    before = _POST.card_before(PIN, date(2026, 4, 7))
    assert before == _POST.begin(date(2026, 4, 3))


def test_an_activation_number_serves_to_the_end_of_its_last_day() -> None:
    """The thirtieth from posting."""
    ends = _POST.activation_ends(date(2026, 3, 9))
    assert _POST.day(ends - timedelta(seconds=1)) == date(2026, 4, 8)
    assert _POST.day(ends) == date(2026, 4, 9)


@given(dates(date(2020, 1, 1), date(2040, 1, 1)), integers(2, 9), integers(1, 9), integers(1, 9))
def test_no_two_are_due_on_one_day(day_0: date, pin: int, reader: int, welcome: int) -> None:
    """Whatever gaps are allowed, from whatever day; and the PIN two working days behind."""
    try:
        gaps = Gaps(pin=pin, reader=reader, welcome=welcome)
    except UnsuitableGaps:
        assert len({pin, reader, welcome}) < 3
        return
    post = PostDays(zone=ZoneInfo("Europe/Paris"), is_holiday=_POST.is_holiday, gaps=gaps)
    due = [post.due(kind, day_0) for kind in ELEMENTS]
    assert len(set(due)) == len(due)
    assert all(post.is_working(post.day(one)) for one in due)
    between = (post.day(due[1]) - post.day(due[0])).days
    assert between >= 2


@pytest.mark.parametrize(
    ("pin", "reader", "welcome"),
    [(1, 4, 6), (2, 2, 6), (2, 4, 4), (6, 4, 6), (2, 0, 6), (2, 4, 61)],
)
def test_gaps_that_are_none(pin: int, reader: int, welcome: int) -> None:
    """Two on one day, or the PIN too soon."""
    with pytest.raises(UnsuitableGaps):
        Gaps(pin=pin, reader=reader, welcome=welcome)


def test_what_follows_the_card() -> None:
    """By kind."""
    assert Gaps(pin=3, reader=5, welcome=8).after_card() == {PIN: 3, READER: 5, WELCOME: 8}
