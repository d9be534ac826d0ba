"""When the help line answers: clocks that change, nights, feasts in a row, weeks of closure."""

import doctest
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesame.web import opening
from sesame.web.errors import MalformedHours
from sesame.web.opening import (
    MIDNIGHT,
    PARIS,
    Closure,
    Holiday,
    OpeningHours,
    Span,
    SpecialDay,
    easter,
    holiday_dates,
    parse_span,
)

OFFICE = OpeningHours()
NO_HOLIDAYS = frozenset[Holiday]()
NEVER: tuple[tuple[Span, ...], ...] = ((),) * 7
ALWAYS = ((Span(0, MIDNIGHT),),) * 7


def paris(text: str) -> datetime:
    """The moment when a clock in Paris shows *text*, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def closed(first: str, last: str | None = None) -> Closure:
    """A closure of these days."""
    return Closure(
        first=date.fromisoformat(first), last=date.fromisoformat(last or first), reason="Travaux."
    )


# ── Feasts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sunday",
    [
        "1818-03-22",  # the earliest that there is
        "1943-04-25",  # the latest
        "1954-04-18",  # the two years when the plain rule of Gauss fails
        "1981-04-19",
        "2000-04-23",
        "2008-03-23",
        "2024-03-31",
        "2025-04-20",
        "2026-04-05",
        "2027-03-28",
        "2038-04-25",
        "2049-04-18",
        "2076-04-19",
        "2285-03-22",
    ],
)
def test_easter(sunday: str) -> None:
    """As calendars print it."""
    day = date.fromisoformat(sunday)
    assert easter(day.year) == day


@given(st.integers(1583, 9999))
def test_easter_is_the_sunday_after_the_full_moon_of_spring(year: int) -> None:
    """By the church's own rule: golden number, epact, Sunday (Lilius and Clavius, 1582).

    As D. E. Knuth gives it: The Art of Computer Programming, volume 1, 1.3.2, exercise 14.
    """
    golden, century = year % 19 + 1, year // 100 + 1
    omitted_leap_years, moon = 3 * century // 4 - 12, (8 * century + 5) // 25 - 5
    sunday = 5 * year // 4 - omitted_leap_years - 10
    epact = (11 * golden + 20 + moon - omitted_leap_years) % 30
    if (epact == 25 and golden > 11) or epact == 24:
        epact += 1
    full_moon = 44 - epact
    full_moon += 30 if full_moon < 21 else 0
    after = full_moon + 7 - (sunday + full_moon) % 7
    assert easter(year) == date(year, 3, 1) + timedelta(days=after - 1)


def test_the_eleven_holidays_of_a_year() -> None:
    """As the French government publishes them for 2026."""
    assert [f"{day:%d/%m}" for day in holiday_dates(2026).values()] == [
        "01/01",
        "06/04",
        "01/05",
        "08/05",
        "14/05",
        "25/05",
        "14/07",
        "15/08",
        "01/11",
        "11/11",
        "25/12",
    ]
    assert list(holiday_dates(2026)) == list(Holiday)


# ── Examples ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("at", "closes", "opens"),
    [
        ("2026-03-02T07:59:59", None, "2026-03-02T08:00"),
        ("2026-03-02T08:00", "2026-03-02T18:00", "2026-03-03T08:00"),
        ("2026-03-02T17:59:59", "2026-03-02T18:00", "2026-03-03T08:00"),
        ("2026-03-02T18:00", None, "2026-03-03T08:00"),
        ("2026-03-06T19:00", None, "2026-03-07T09:30"),  # Friday evening
        ("2026-03-07T13:00", "2026-03-07T13:30", "2026-03-09T08:00"),  # Saturday
        ("2026-03-08T12:00", None, "2026-03-09T08:00"),  # Sunday
        ("2026-04-04T13:30", None, "2026-04-07T08:00"),  # Easter: Sunday, then a Monday
        ("2026-05-01T10:00", None, "2026-05-02T09:30"),
        ("2027-05-06T10:00", None, "2027-05-07T08:00"),  # Ascension Day
        ("2026-12-24T18:00", None, "2026-12-26T09:30"),
        ("2026-12-31T19:00", None, "2027-01-02T09:30"),
        ("2026-03-28T14:00", None, "2026-03-30T08:00"),  # clocks go forward in that night
        ("2026-10-24T14:00", None, "2026-10-26T08:00"),  # and back in this one
    ],
)
def test_an_ordinary_week(at: str, closes: str | None, opens: str) -> None:
    """Open until when, and opening next when, on a clock in Paris."""
    moment = paris(at)
    assert OFFICE.is_open(moment) is (closes is not None)
    assert OFFICE.closes_at(moment) == (closes and paris(closes))
    assert OFFICE.next_opening(moment) == paris(opens)


def test_two_spans_a_day() -> None:
    """At noon nobody answers."""
    hours = OpeningHours(week=((Span(480, 720), Span(840, 1080)),) * 7, holidays=NO_HOLIDAYS)
    assert hours.closes_at(paris("2026-03-02T11:00")) == paris("2026-03-02T12:00")
    assert hours.next_opening(paris("2026-03-02T11:00")) == paris("2026-03-02T14:00")
    assert not hours.is_open(paris("2026-03-02T13:00"))
    assert hours.closes_at(paris("2026-03-02T14:00")) == paris("2026-03-02T18:00")


def test_a_night_is_one_time_of_answering() -> None:
    """Friday from 20:00 to Saturday at 2:00: at midnight nothing closes."""
    week = ((), (), (), (), (Span(1200, MIDNIGHT),), (Span(0, 120),), ())
    hours = OpeningHours(week=week, holidays=NO_HOLIDAYS)
    assert hours.closes_at(paris("2026-03-06T23:00")) == paris("2026-03-07T02:00")
    assert hours.closes_at(paris("2026-03-07T00:00")) == paris("2026-03-07T02:00")
    assert hours.next_opening(paris("2026-03-06T23:00")) == paris("2026-03-13T20:00")


def test_the_hour_that_does_not_exist_and_the_one_that_is_there_twice() -> None:
    """29 March and 25 October 2026; a night shift lasts an hour less, or more."""
    hours = OpeningHours(week=((Span(60, 240),),) * 7, holidays=NO_HOLIDAYS)
    for day, length in (("2026-03-28", 3), ("2026-03-29", 2), ("2026-10-25", 4)):
        begin = paris(f"{day}T01:00")
        assert hours.is_open(begin)
        assert hours.closes_at(begin) == begin + timedelta(hours=length)


def test_hours_that_a_clock_skips_are_none() -> None:
    """2:30 to 3:00 on 29 March 2026; the next night it is there again."""
    hours = OpeningHours(week=((Span(150, 180),),) * 7, holidays=NO_HOLIDAYS)
    assert hours.next_opening(paris("2026-03-28T12:00")) == paris("2026-03-30T02:30")


def test_weeks_of_closure() -> None:
    """Two that overlap and one that follows: open again on the first day after them."""
    hours = OpeningHours(
        closures=(
            closed("2026-08-10", "2026-08-21"),
            closed("2026-07-27", "2026-08-14"),
            closed("2026-08-22"),
        )
    )
    assert hours.closes_at(paris("2026-07-24T12:00")) == paris("2026-07-24T18:00")
    assert not hours.is_open(paris("2026-08-05T12:00"))
    assert hours.next_opening(paris("2026-07-25T14:00")) == paris("2026-08-24T08:00")
    assert hours.exception(date(2026, 8, 14)) == closed("2026-08-10", "2026-08-21")


def test_every_monday_of_a_year_closed() -> None:
    """A line that answers on Mondays only, and each of them is taken away."""
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(52)]
    hours = OpeningHours(
        week=((Span(480, 1080),), (), (), (), (), (), ()),
        closures=tuple(closed(f"{day}") for day in mondays),
    )
    assert hours.next_opening(paris("2026-01-01T00:00")) == paris("2027-01-04T08:00")


@pytest.mark.parametrize(
    "hours",
    [
        OpeningHours(week=NEVER),
        OpeningHours(closures=(closed("2026-01-01", "9999-12-31"),)),
        OpeningHours(closures=(closed("2026-01-01", "9999-12-29"),), week=NEVER),
    ],
)
def test_it_may_never_open(hours: OpeningHours) -> None:
    """None, and no endless search."""
    at = paris("2026-03-02T12:00")
    assert not hours.is_open(at)
    assert hours.closes_at(at) is None
    assert hours.next_opening(at) is None


def test_it_may_never_close() -> None:
    """Day and night, all week, feasts included; with feasts it closes for the next of them."""
    at = paris("2026-03-02T12:00")
    hours = OpeningHours(week=ALWAYS, holidays=NO_HOLIDAYS)
    assert hours.is_open(at)
    assert hours.closes_at(at) is None
    assert hours.next_opening(at) is None
    hours = OpeningHours(week=ALWAYS)
    assert hours.closes_at(at) == paris("2026-04-06T00:00")
    assert hours.next_opening(at) == paris("2026-04-07T00:00")


def test_some_holidays_only() -> None:
    """Two feasts on one day are both asked: 8 May 1997 was Ascension Day too."""
    hours = OpeningHours(holidays=frozenset({Holiday.ASCENSION}))
    assert hours.is_open(paris("2026-05-08T12:00"))
    assert hours.exception(date(1997, 5, 8)) is Holiday.ASCENSION
    assert OpeningHours().exception(date(1997, 5, 8)) is Holiday.VICTORY_DAY
    assert hours.exception(date(1997, 5, 9)) is None


def special(day: str, hours: str | None = None, reason: str = "Travaux.") -> SpecialDay:
    """A day with these hours, or none."""
    span = None if hours is None else parse_span(hours)
    return SpecialDay(day=date.fromisoformat(day), hours=span, reason=reason)


def test_a_day_of_its_own_goes_before_all() -> None:
    """Open on a Sunday, on Christmas, in a closure; closed on a Monday, and at other hours."""
    hours = OpeningHours(
        closures=(closed("2026-08-03", "2026-08-21"),),
        days=(
            special("2026-12-25", "10:00-11:00"),
            special("2026-12-28"),
            special("2026-08-12", "09:00-10:00"),
            special("2026-03-08", "09:00-10:00"),
            special("2026-03-03", "12:00-14:00"),
        ),
    )
    assert hours.next_opening(paris("2026-12-24T18:00")) == paris("2026-12-25T10:00")
    assert hours.next_opening(paris("2026-12-26T13:30")) == paris("2026-12-29T08:00")
    assert hours.next_opening(paris("2026-08-01T13:30")) == paris("2026-08-12T09:00")
    assert hours.next_opening(paris("2026-08-12T09:00")) == paris("2026-08-22T09:30")
    assert hours.is_open(paris("2026-03-08T09:30"))
    assert not hours.is_open(paris("2026-03-03T09:30"))
    assert hours.closes_at(paris("2026-03-03T13:00")) == paris("2026-03-03T14:00")
    assert hours.exception(date(2026, 12, 25)) is None
    assert hours.exception(date(2026, 12, 28)) == closed("2026-12-28")
    assert (date(2026, 12, 25), Holiday.CHRISTMAS) not in hours.holidays_to_come(
        date(2026, 12, 1), count=5
    )


def test_a_day_of_its_own_opens_what_never_opens() -> None:
    """Once, however long the closure around it."""
    hours = OpeningHours(
        closures=(closed("2026-01-01", "9999-12-31"),), days=(special("2030-02-03", "09:00-10:00"),)
    )
    assert hours.next_opening(paris("2026-03-02T12:00")) == paris("2030-02-03T09:00")
    assert hours.next_opening(paris("2030-02-03T09:00")) is None


def test_days_of_their_own_are_announced() -> None:
    """Closed ones in a row, for one reason, are told as one; other hours day by day."""
    hours = OpeningHours(
        closures=(closed("2026-05-15"),),
        days=(
            special("2026-05-05"),
            special("2026-05-04"),
            special("2026-05-06", reason="Formation."),
            special("2026-05-08", reason="Formation."),
            special("2026-05-07", "09:00-10:00"),
            special("2026-04-30", "09:00-10:00"),
        ),
    )
    formation = [
        Closure(first=day, last=day, reason="Formation.")
        for day in (date(2026, 5, 6), date(2026, 5, 8))
    ]
    first, fortnight = date(2026, 5, 1), timedelta(days=14)
    assert hours.closures_to_come(first, within=fortnight) == [
        closed("2026-05-04", "2026-05-05"),
        *formation,
        closed("2026-05-15"),
    ]
    assert hours.openings_to_come(first, within=fortnight) == [
        (special("2026-05-07", "09:00-10:00"), Span(540, 600))
    ]


def test_what_is_to_be_announced() -> None:
    """A closure two weeks ahead and not earlier, until its last day; in order."""
    august, may = closed("2026-08-03", "2026-08-07"), closed("2026-05-15")
    hours = OpeningHours(closures=(august, may))
    fortnight = timedelta(days=14)
    assert hours.closures_to_come(date(2026, 7, 19), within=fortnight) == []
    assert hours.closures_to_come(date(2026, 7, 20), within=fortnight) == [august]
    assert hours.closures_to_come(date(2026, 8, 7), within=fortnight) == [august]
    assert hours.closures_to_come(date(2026, 8, 8), within=fortnight) == []
    assert hours.closures_to_come(date(2026, 5, 1), within=timedelta(days=365)) == [may, august]


def test_holidays_to_come() -> None:
    """Those on which somebody would answer otherwise, over the turn of the year."""
    assert OFFICE.holidays_to_come(date(2026, 8, 15), count=4) == [
        (date(2026, 8, 15), Holiday.ASSUMPTION),  # a Saturday; All Saints' is a Sunday
        (date(2026, 11, 11), Holiday.ARMISTICE),
        (date(2026, 12, 25), Holiday.CHRISTMAS),
        (date(2027, 1, 1), Holiday.NEW_YEAR),
    ]
    assert OpeningHours(holidays=NO_HOLIDAYS).holidays_to_come(date(2026, 1, 1), count=9) == []


# ── What cannot be ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8-18", "write hours as 08:00-18:00"),
        ("08:00–18:00", "write hours as 08:00-18:00"),
        ("8h00-18h00", "write hours as 08:00-18:00"),
        ("", "write hours as 08:00-18:00"),
        ("08:00-18:60", "minutes 00 to 59"),
        ("08:61-18:00", "minutes 00 to 59"),
        ("18:00-08:00", "under the next day"),
        ("08:00-08:00", "under the next day"),
        ("20:00-26:00", "ends at 24:00"),
        ("24:00-24:00", "under the next day"),
    ],
)
def test_a_span_that_is_none(text: str, said: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(MalformedHours, match=said):
        parse_span(text)


def test_spans_are_read() -> None:
    """With or without a zero in front, to the end of the day."""
    assert doctest.testmod(opening).failed == 0
    assert parse_span("8:00-24:00") == Span(480, MIDNIGHT)


@pytest.mark.parametrize(
    "spans",
    [
        (Span(480, 720), Span(700, 1080)),
        (Span(480, 720), Span(720, 1080)),
        (Span(840, 1080), Span(480, 720)),
    ],
)
def test_spans_of_a_day_stand_apart_and_in_order(spans: tuple[Span, ...]) -> None:
    """Else one of them was meant otherwise."""
    with pytest.raises(MalformedHours, match="one after the other"):
        OpeningHours(week=(spans, (), (), (), (), (), ()))


def test_a_week_has_seven_days() -> None:
    """No more, no fewer."""
    with pytest.raises(MalformedHours, match="seven days, not 5"):
        OpeningHours(week=((Span(480, 720),),) * 5)


def test_a_closure_ends_after_it_begins() -> None:
    """Or on the same day."""
    with pytest.raises(MalformedHours, match="ends on 2026-08-01, before it begins"):
        closed("2026-08-02", "2026-08-01")


# ── Properties ───────────────────────────────────────────────────────────────────────────────────


@st.composite
def days(draw: st.DrawFn) -> tuple[Span, ...]:
    """The hours of some day, apart from the two hours of the night when clocks change."""
    minutes = [0, *range(180, MIDNIGHT + 1, 30)]
    marks = draw(st.lists(st.sampled_from(minutes), unique=True, max_size=6).map(sorted))
    return tuple(Span(a, b) for a, b in zip(marks[::2], marks[1::2], strict=False))


_DAY = st.dates(date(2024, 1, 1), date(2030, 12, 31))
_CLOSURES = st.lists(
    st.builds(
        lambda first, more: Closure(first=first, last=first + timedelta(more), reason="Travaux."),
        _DAY,
        st.integers(0, 40),
    ),
    max_size=3,
).map(tuple)
_DAYS = st.lists(
    st.builds(
        SpecialDay,
        day=_DAY,
        hours=st.none() | days().filter(bool).map(lambda spans: spans[0]),
        reason=st.just("Travaux."),
    ),
    max_size=4,
    unique_by=lambda special: special.day,
).map(tuple)
_HOURS = st.builds(
    OpeningHours,
    week=st.tuples(*[days()] * 7),
    holidays=st.frozensets(st.sampled_from(list(Holiday))),
    closures=_CLOSURES,
    days=_DAYS,
)
_MOMENT = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants the bounds bare


def _by_the_clock(hours: OpeningHours, at: datetime) -> bool:
    """Open, as somebody in Paris would say who looks at a calendar, a clock and a notice."""
    local = at.astimezone(PARIS)
    minute = 60 * local.hour + local.minute
    for special in hours.days:
        if special.day == local.date():
            span = special.hours
            return span is not None and span.opens <= minute < span.closes
    if any(closure.first <= local.date() <= closure.last for closure in hours.closures):
        return False
    if local.date() in {holiday_dates(local.year)[holiday] for holiday in hours.holidays}:
        return False
    return any(span.opens <= minute < span.closes for span in hours.week[local.weekday()])


@given(_HOURS, _MOMENT)
def test_open_means_what_the_clock_on_the_wall_says(hours: OpeningHours, at: datetime) -> None:
    """Whatever the season."""
    assert hours.is_open(at) is _by_the_clock(hours, at)


@given(_HOURS, _MOMENT)
def test_it_stays_as_it_is_until_it_changes(hours: OpeningHours, at: datetime) -> None:
    """Open until it closes, closed until it opens, and then the other way round."""
    opens, closes = hours.next_opening(at), hours.closes_at(at)
    an_instant = timedelta(microseconds=1)
    if closes is not None:
        assert closes > at
        assert hours.is_open(closes - an_instant)
        assert not hours.is_open(closes)
        assert opens is None or opens > closes
    elif opens is not None:
        assert opens > at
        assert hours.is_open(opens)
        assert not hours.is_open(opens - an_instant)
        assert not hours.is_open(at + (opens - at) / 2)
    elif not hours.is_open(at):
        for later in range(400):
            assert not _by_the_clock(hours, at + timedelta(days=later))


# Where something changes: clocks, the year, a feast; and the days around them.
_TURNS = st.sampled_from(
    [date(2026, 3, 29), date(2026, 10, 25), date(2026, 12, 31), date(2026, 4, 6), date(2028, 2, 29)]
)
_NEAR = st.builds(lambda turn, days: turn + timedelta(days), _TURNS, st.integers(-2, 2))
_HOURS_NEAR = st.builds(
    OpeningHours,
    week=st.tuples(*[days()] * 7),
    holidays=st.sampled_from([frozenset(Holiday), NO_HOLIDAYS]),
    closures=st.lists(_NEAR.map(lambda day: closed(day.isoformat())), max_size=1).map(tuple),
    days=st.lists(
        st.builds(
            SpecialDay,
            day=_NEAR,
            hours=st.none() | days().filter(bool).map(lambda spans: spans[0]),
            reason=st.just("Travaux."),
        ),
        max_size=2,
        unique_by=lambda special: special.day,
    ).map(tuple),
)


@settings(max_examples=30)
@given(_HOURS_NEAR, _NEAR, st.integers(0, 1439))
def test_minute_by_minute(hours: OpeningHours, day: date, minute: int) -> None:
    """Whoever looks at the clock each minute for two days sees it open and close at these."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    moments = [at + timedelta(minutes=n) for n in range(2 * 1440)]
    told = [_by_the_clock(hours, moment) for moment in moments]
    turns = [n for n in range(1, len(told)) if told[n] != told[n - 1]]
    opens = next((moments[n] for n in turns if told[n]), None)
    closes = next((moments[n] for n in turns if not told[n]), None)
    found, end = hours.next_opening(at), hours.closes_at(at)
    assert hours.is_open(at) is told[0]
    if opens is not None:
        assert found == opens
    else:
        assert found is None or found > moments[-1]
    if not told[0]:
        assert end is None
    elif closes is not None:
        assert end == closes
    else:
        assert end is None or end > moments[-1]


@given(_HOURS, _MOMENT)
def test_nothing_depends_on_how_a_moment_is_written(hours: OpeningHours, at: datetime) -> None:
    """In UTC or in Paris."""
    local = at.astimezone(PARIS)
    assert hours.closes_at(local) == hours.closes_at(at)
    assert hours.next_opening(local) == hours.next_opening(at)


@given(st.times().map(lambda t: t.replace(second=0, microsecond=0)), st.integers(1, 1440))
def test_a_span_is_read_as_it_is_written(begin: time, length: int) -> None:
    """Any whole minutes of one day."""
    opens = 60 * begin.hour + begin.minute
    closes = min(opens + length, MIDNIGHT)
    text = f"{opens // 60:02d}:{opens % 60:02d}-{closes // 60:02d}:{closes % 60:02d}"
    assert parse_span(text) == Span(opens, closes)
