"""Amounts, days and times as each language writes them, in Paris."""

from datetime import UTC, date, datetime

import pytest

from sesame.catalogue import Language
from sesame.web.formats import amount, day, short_day, time, until, when
from sesame.web.week import clock

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH


@pytest.mark.parametrize(
    ("cents", "french", "english"),
    [
        (125_000, "1\u202f250,00\u00a0€", "€1,250.00"),
        (-4_520, "−45,20\u00a0€", "−€45.20"),
        (7, "0,07\u00a0€", "€0.07"),
        (123_456_789, "1\u202f234\u202f567,89\u00a0€", "€1,234,567.89"),
    ],
)
def test_amounts(cents: int, french: str, english: str) -> None:
    """Whole cents in, a text that no line end breaks out."""
    assert (amount(cents, FRENCH), amount(cents, ENGLISH)) == (french, english)


@pytest.mark.parametrize(
    ("moment", "french", "english"),
    [
        (date(2026, 3, 2), "lundi 2\u00a0mars", "Monday 2\u00a0March"),
        (date(2026, 3, 1), "dimanche 1er\u00a0mars", "Sunday 1\u00a0March"),
        (date(2025, 8, 1), "vendredi 1er\u00a0août\u00a02025", "Friday 1\u00a0August\u00a02025"),
        (date(2027, 1, 4), "lundi 4\u00a0janvier\u00a02027", "Monday 4\u00a0January\u00a02027"),
    ],
)
def test_days(moment: date, french: str, english: str) -> None:
    """In a sentence, with a year where it is another one; « 1er » and no other ordinal."""
    assert day(moment, FRENCH, this_year=2026) == french
    assert day(moment, ENGLISH, this_year=2026) == english


def test_days_in_a_column() -> None:
    """All of one width."""
    assert short_day(date(2026, 3, 2)) == "02/03/2026"


@pytest.mark.parametrize(
    ("moment", "french", "english"),
    [
        (datetime(2026, 1, 5, 13, 32, tzinfo=UTC), "14\u00a0h\u00a032", "14:32"),
        (datetime(2026, 7, 5, 12, 32, tzinfo=UTC), "14\u00a0h\u00a032", "14:32"),  # summer time
        (datetime(2026, 7, 5, 22, 5, tzinfo=UTC), "0\u00a0h\u00a005", "00:05"),
        (datetime(2026, 1, 5, 7, 0, tzinfo=UTC), "8\u00a0h", "08:00"),
    ],
)
def test_times(moment: datetime, french: str, english: str) -> None:
    """UTC in, the clock on a wall in Paris out."""
    assert (time(moment, FRENCH), time(moment, ENGLISH)) == (french, english)


def test_the_end_of_a_day_has_a_name() -> None:
    """Its beginning is 0 h."""
    assert (clock(1440, FRENCH), clock(1440, ENGLISH)) == ("minuit", "midnight")
    assert (clock(0, FRENCH), clock(0, ENGLISH)) == ("0\u00a0h", "00:00")


_NOW = datetime(2026, 3, 2, 13, 17, tzinfo=UTC)  # 14 h 17 in Paris, a Monday


@pytest.mark.parametrize(
    ("moment", "french", "english"),
    [
        (datetime(2026, 3, 2, 13, 32, tzinfo=UTC), "jusqu’à 14 h 32", "until 14:32"),
        (datetime(2026, 3, 2, 17, 0, tzinfo=UTC), "jusqu’à 18 h", "until 18:00"),
        (
            datetime(2026, 3, 3, 13, 32, tzinfo=UTC),
            "jusqu’au mardi 3 mars à 14 h 32",
            "until Tuesday 3 March at 14:32",
        ),
        (datetime(2026, 3, 2, 23, 0, tzinfo=UTC), "jusqu’à minuit", "until midnight"),
        (
            datetime(2026, 3, 2, 23, 30, tzinfo=UTC),
            "jusqu’au mardi 3 mars à 0 h 30",
            "until Tuesday 3 March at 00:30",
        ),
        (
            datetime(2026, 3, 3, 23, 0, tzinfo=UTC),
            "jusqu’au mercredi 4 mars à 0 h",
            "until Wednesday 4 March at 00:00",
        ),
        (
            datetime(2027, 1, 1, 8, 0, tzinfo=UTC),
            "jusqu’au vendredi 1er janvier 2027 à 9 h",
            "until Friday 1 January 2027 at 09:00",
        ),
    ],
)
def test_until(moment: datetime, french: str, english: str) -> None:
    """The day only where it is another one."""
    assert _plain(until(moment, FRENCH, now=_NOW)) == french
    assert _plain(until(moment, ENGLISH, now=_NOW)) == english


def test_no_line_ends_within_a_time() -> None:
    """Nor between a day and its month; a long date may still break behind its weekday."""
    later = datetime(2026, 3, 3, 13, 32, tzinfo=UTC)
    assert until(later, FRENCH, now=_NOW) == ("jusqu’au mardi 3\u00a0mars à\u00a014\u00a0h\u00a032")


@pytest.mark.parametrize(
    ("second", "microsecond", "said"), [(0, 0, "14:32"), (0, 1, "14:33"), (59, 0, "14:33")]
)
def test_the_end_of_a_wait_is_never_too_early(second: int, microsecond: int, said: str) -> None:
    """Rounded up to the minute: at 14 h 33 the wait is over, at 14 h 32 it might not be."""
    moment = datetime(2026, 3, 2, 13, 32, second, microsecond, tzinfo=UTC)
    assert until(moment, ENGLISH, now=_NOW) == f"until {said}"


def test_rounding_up_can_reach_midnight() -> None:
    """And the next day after it."""
    moment = datetime(2026, 3, 2, 22, 59, 30, tzinfo=UTC)
    assert until(moment, ENGLISH, now=_NOW) == "until midnight"


def test_when() -> None:
    """A time of today, or the day too."""
    today, other = datetime(2026, 3, 2, 21, 0, tzinfo=UTC), datetime(2026, 3, 3, 1, 17, tzinfo=UTC)
    assert _plain(when(today, FRENCH, now=_NOW)) == "à 22 h"
    assert _plain(when(today, ENGLISH, now=_NOW)) == "at 22:00"
    assert _plain(when(other, FRENCH, now=_NOW)) == "le mardi 3 mars à 2 h 17"
    assert _plain(when(other, ENGLISH, now=_NOW)) == "on Tuesday 3 March at 02:17"


def _plain(text: str) -> str:
    return text.replace("\u00a0", " ")
