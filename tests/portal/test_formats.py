"""Amounts, days and times as each language writes them, in Paris."""

from datetime import UTC, date, datetime

import pytest

from sesame.catalogue import Language
from sesame.portal.formats import amount, day, end_time, short_day, time

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


def test_days() -> None:
    """In a sentence, and in a column."""
    assert day(date(2026, 3, 2), FRENCH) == "2\u00a0mars\u00a02026"
    assert day(date(2026, 3, 2), ENGLISH) == "2\u00a0March\u00a02026"
    assert short_day(date(2026, 3, 2)) == "02/03/2026"


@pytest.mark.parametrize(
    ("moment", "french", "english"),
    [
        (datetime(2026, 1, 5, 13, 32, tzinfo=UTC), "14\u00a0h\u00a032", "14:32"),
        (datetime(2026, 7, 5, 12, 32, tzinfo=UTC), "14\u00a0h\u00a032", "14:32"),  # summer time
        (datetime(2026, 7, 5, 22, 5, tzinfo=UTC), "0\u00a0h\u00a005", "00:05"),
    ],
)
def test_times(moment: datetime, french: str, english: str) -> None:
    """UTC in, the clock on a wall in Paris out."""
    assert (time(moment, FRENCH), time(moment, ENGLISH)) == (french, english)


def test_the_end_of_a_wait_is_never_too_early() -> None:
    """Rounded up to the minute: at 14 h 33 the wait is over, at 14 h 32 it might not be."""
    assert end_time(datetime(2026, 1, 5, 13, 32, 0, 1, tzinfo=UTC), ENGLISH) == "14:33"
    assert end_time(datetime(2026, 1, 5, 13, 32, 59, tzinfo=UTC), ENGLISH) == "14:33"
    assert end_time(datetime(2026, 1, 5, 13, 32, tzinfo=UTC), ENGLISH) == "14:32"
    assert end_time(datetime(2026, 1, 5, 22, 59, 30, tzinfo=UTC), ENGLISH) == "00:00"
