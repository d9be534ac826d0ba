"""When the help line answers: a week of hours, public holidays, exceptional closures.

Every question is asked of a moment; nothing here looks at a clock. Hours are those of a clock on
a wall in Paris, answers are moments in UTC, so that the two Sundays of 23 and of 25 hours need no
care elsewhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum, unique
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from sesame.web.errors import MalformedHours

PARIS = ZoneInfo("Europe/Paris")
MIDNIGHT = 24 * 60  # minutes: the end of a day

# Days after which a week of hours has opened if it ever does: no day of the week is a public
# holiday so many weeks in a row.
_LONG_ENOUGH = 60
_A_DAY = timedelta(days=1)
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


@unique
class Holiday(StrEnum):
    """The eleven public holidays of France (Code du travail, art. L3133-1), in their order."""

    NEW_YEAR = "new-year"
    EASTER_MONDAY = "easter-monday"
    LABOUR_DAY = "labour-day"
    VICTORY_DAY = "victory-day"
    ASCENSION = "ascension"
    WHIT_MONDAY = "whit-monday"
    NATIONAL_DAY = "national-day"
    ASSUMPTION = "assumption"
    ALL_SAINTS = "all-saints"
    ARMISTICE = "armistice"
    CHRISTMAS = "christmas"


def easter(year: int) -> date:
    """Easter Sunday of *year*, 1583 or later.

    The anonymous Gregorian algorithm of 1876, as Jean Meeus gives it (Astronomical Algorithms,
    2nd edition, 1998, chapter 8), with his letters.
    """
    a = year % 19
    b, c = divmod(year, 100)
    d, e = divmod(b, 4)
    f = (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7  # noqa: E741 -- the letter of the source
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=16)
def holiday_dates(year: int) -> Mapping[Holiday, date]:
    """When each public holiday of *year* is; two of them may fall on one day."""
    sunday = easter(year)
    return {
        Holiday.NEW_YEAR: date(year, 1, 1),
        Holiday.EASTER_MONDAY: sunday + timedelta(days=1),
        Holiday.LABOUR_DAY: date(year, 5, 1),
        Holiday.VICTORY_DAY: date(year, 5, 8),
        Holiday.ASCENSION: sunday + timedelta(days=39),
        Holiday.WHIT_MONDAY: sunday + timedelta(days=50),
        Holiday.NATIONAL_DAY: date(year, 7, 14),
        Holiday.ASSUMPTION: date(year, 8, 15),
        Holiday.ALL_SAINTS: date(year, 11, 1),
        Holiday.ARMISTICE: date(year, 11, 11),
        Holiday.CHRISTMAS: date(year, 12, 25),
    }


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of one day, in minutes after midnight."""

    opens: int  # 0 to 1439
    closes: int  # 1 to 1440, the first minute when nobody answers any more

    def __post_init__(self) -> None:
        """Refuse a span that ends before it begins, or outside its day.

        Raises:
            MalformedHours: likewise.
        """
        if self.closes > MIDNIGHT:
            raise MalformedHours("a day ends at 24:00: what lasts longer begins the next day anew")
        if not 0 <= self.opens < self.closes:
            raise MalformedHours(
                "it must end after it begins; hours past midnight stand under the next day: "
                'friday = ["20:00-24:00"] and saturday = ["00:00-02:00"]'
            )


def parse_span(text: str) -> Span:
    """Read hours as settings have them.

    >>> parse_span("09:30-13:30")
    Span(opens=570, closes=810)

    Raises:
        MalformedHours: it is no such text, or no span of one day.
    """
    parts = _SPAN.fullmatch(text)
    if parts is None:
        raise MalformedHours("write hours as 08:00-18:00")
    hour, minute, last_hour, last_minute = map(int, parts.groups())
    if minute > 59 or last_minute > 59:  # noqa: PLR2004 -- minutes of an hour
        raise MalformedHours("an hour has minutes 00 to 59")
    return Span(60 * hour + minute, 60 * last_hour + last_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Whole days on which nobody answers, for a reason that is told."""

    first: date
    last: date
    reason: str  # a short sentence in French
    reason_in_english: str | None = None

    def __post_init__(self) -> None:
        """Refuse days in the wrong order.

        Raises:
            MalformedHours: it ends before it begins.
        """
        if self.last < self.first:
            raise MalformedHours(f"it ends on {self.last}, before it begins on {self.first}")

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    """A day with hours of its own, which go before its week, a holiday and every closure."""

    day: date
    hours: Span | None  # None: nobody answers
    reason: str  # a short sentence in French


def _office_week() -> tuple[tuple[Span, ...], ...]:
    day, saturday = (Span(8 * 60, 18 * 60),), (Span(9 * 60 + 30, 13 * 60 + 30),)
    return (day, day, day, day, day, saturday, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """A week of hours and its exceptions; what is left out is as at the fictional bank."""

    week: tuple[tuple[Span, ...], ...] = field(default_factory=_office_week)  # Monday first
    holidays: frozenset[Holiday] = frozenset(Holiday)  # on these nobody answers
    closures: tuple[Closure, ...] = ()
    days: tuple[SpecialDay, ...] = ()  # each day once

    def __post_init__(self) -> None:
        """Refuse spans of one day that are not one after the other.

        Raises:
            MalformedHours: two of them meet or overlap, or a week has not seven days.
        """
        if len(self.week) != 7:  # noqa: PLR2004 -- days of a week
            raise MalformedHours(f"a week has seven days, not {len(self.week)}")
        for spans in self.week:
            for earlier, later in pairwise(spans):
                if later.opens <= earlier.closes:
                    raise MalformedHours(
                        "two spans of a day meet, overlap or stand in the wrong order: "
                        'write them one after the other, ["08:00-12:00", "14:00-18:00"]'
                    )

    def is_open(self, at: datetime) -> bool:
        """Whether somebody answers at *at*."""
        period = next(self._periods(at), None)
        return period is not None and period[0] <= at

    def closes_at(self, at: datetime) -> datetime | None:
        """When those who answer at *at* stop; None if nobody does, or no end is in sight."""
        period = next(self._periods(at), None)
        if period is None or period[0] > at or period[1] >= self._horizon(at):
            return None
        return period[1]

    def next_opening(self, at: datetime) -> datetime | None:
        """The first moment after *at* when somebody begins to answer; None if that never comes."""
        return next((opens for opens, _ in self._periods(at) if opens > at), None)

    def exception(self, day: date) -> Closure | Holiday | None:
        """Why nobody answers on *day*, whatever day of the week it is."""
        special = self._special(day)
        if special is None:
            return self._closure(day) or self._holiday(day)
        if special.hours is None:
            return Closure(first=day, last=day, reason=special.reason)
        return None

    def closures_to_come(self, day: date, *, within: timedelta) -> Sequence[Closure]:
        """The closures of *day*, and those that begin *within* that time, the first first."""
        known = [*self.closures, *self._closed_days()]
        near = [c for c in known if c.last >= day and c.first - day <= within]
        return sorted(near, key=lambda closure: closure.first)

    def openings_to_come(
        self, day: date, *, within: timedelta
    ) -> Sequence[tuple[SpecialDay, Span]]:
        """The days with other hours, *day* included, *within* that time, the first first."""
        near = [one for one in self.days if timedelta() <= one.day - day <= within]
        open_ones = [(one, one.hours) for one in near if one.hours is not None]
        return sorted(open_ones, key=lambda one: one[0].day)

    def holidays_to_come(self, day: date, *, count: int) -> Sequence[tuple[date, Holiday]]:
        """The next holidays, *day* included, on which somebody would otherwise answer."""
        dates = [
            (when, holiday)
            for year in (day.year, day.year + 1)
            for holiday, when in holiday_dates(year).items()
            if holiday in self.holidays and when >= day and self.week[when.weekday()]
            if (special := self._special(when)) is None or special.hours is None
        ]
        return sorted(dates)[:count]

    def _special(self, day: date) -> SpecialDay | None:
        return next((special for special in self.days if special.day == day), None)

    def _closure(self, day: date) -> Closure | None:
        return next((closure for closure in self.closures if day in closure), None)

    def _closed_days(self) -> Sequence[Closure]:
        """The special days on which nobody answers; those in a row for one reason are one."""
        found: list[Closure] = []
        for special in sorted(self.days, key=lambda one: one.day):
            day, first = special.day, special.day
            if special.hours is not None:
                continue
            if found and found[-1].reason == special.reason and day - found[-1].last == _A_DAY:
                first = found.pop().first
            found.append(Closure(first=first, last=day, reason=special.reason))
        return found

    def _holiday(self, day: date) -> Holiday | None:
        dates = holiday_dates(day.year)
        return next((h for h in Holiday if h in self.holidays and dates[h] == day), None)

    def _periods(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The times of answering that end after *at*, in order, joined where they meet."""
        joined: tuple[datetime, datetime] | None = None
        for opens, closes in self._spans(at):
            if joined is None:
                joined = opens, closes
            elif opens <= joined[1]:
                joined = joined[0], max(joined[1], closes)
            else:
                yield joined
                joined = opens, closes
        if joined is not None:
            yield joined

    def _spans(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans that end after *at*, day by day, as moments."""
        ordinal, last = _day(at).toordinal(), self._last_day(at)
        while ordinal <= last:
            day = date.fromordinal(ordinal)
            ordinal = self._following(day)
            for span in self._hours(day):
                opens, closes = _moment(day, span.opens), _moment(day, span.closes)
                # In the hour that clocks skip in spring a span may have no length.
                if closes > max(opens, at):
                    yield opens, closes

    def _hours(self, day: date) -> Sequence[Span]:
        special = self._special(day)
        if special is not None:
            return () if special.hours is None else (special.hours,)
        return () if self.exception(day) else self.week[day.weekday()]

    def _following(self, day: date) -> int:
        """The ordinal of the next day to look at: a long closure is not gone through."""
        closure = self._closure(day)
        last = day if closure is None else closure.last
        later = [special.day.toordinal() for special in self.days if special.day > day]
        return min([last.toordinal() + 1, *later])

    def _last_day(self, at: datetime) -> int:
        """The ordinal of the day by which it has opened, if it ever does."""
        ends = [*(closure.last for closure in self.closures), *(one.day for one in self.days)]
        known = max([_day(at), *ends]).toordinal()
        return min(known + _LONG_ENOUGH, date.max.toordinal() - 1)

    def _horizon(self, at: datetime) -> datetime:
        return _moment(date.fromordinal(self._last_day(at)), MIDNIGHT)


def _day(at: datetime) -> date:
    return at.astimezone(PARIS).date()


def _moment(day: date, minutes: int) -> datetime:
    """When a clock in Paris shows that many *minutes* after the midnight that begins *day*.

    PEP 495, fold 0: a time that clocks show twice is the first one, one that they skip is as
    much later as they are put forward.
    """
    shown = datetime(day.year, day.month, day.day, tzinfo=PARIS) + timedelta(minutes=minutes)
    return shown.astimezone(UTC)
