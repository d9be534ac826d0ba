"""On which days letters are due: working days, and the gaps that keep dispatches apart. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sesame.bank.errors import UnsuitableGaps
from sesame.store.dispatches import PIN, READER, WELCOME

_SATURDAY = 5
PIN_AT_LEAST = 2  # working days behind the card: who steals a bag of mail has not both
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Working days between the posting of the card letter and what follows it.

    For a customer who has the card they count from the day on which the reader was planned.
    """

    pin: int = 2
    reader: int = 4
    welcome: int = 6

    def __post_init__(self) -> None:
        """Refuse gaps by which two elements of an access would be posted on one day.

        Raises:
            UnsuitableGaps: likewise; or the PIN letter follows the card too soon.
        """
        days = (self.pin, self.reader, self.welcome)
        if not all(1 <= day <= _LONGEST for day in days):
            raise UnsuitableGaps(f"a dispatch follows the card by 1 to {_LONGEST} working days")
        if self.pin < PIN_AT_LEAST:
            raise UnsuitableGaps(
                f"the PIN letter follows the card by {PIN_AT_LEAST} working days or more"
            )
        if len(set(days)) < len(days):
            raise UnsuitableGaps(
                "two dispatches would be posted on one day: PIN letter, reader and welcome letter "
                "each need a number of days of their own"
            )

    def after_card(self) -> Mapping[str, int]:
        """Working days behind the card letter, by kind."""
        return {PIN: self.pin, READER: self.reader, WELCOME: self.welcome}


DEFAULT_GAPS = Gaps()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDays:
    """Which days are working days, on whose clock, and how far dispatches are apart."""

    zone: tzinfo
    is_holiday: Callable[[date], bool]
    gaps: Gaps = DEFAULT_GAPS
    activation_days: int = 30  # from the posting of the reader's parcel

    def day(self, at: datetime) -> date:
        """The day that it is at *at*."""
        return at.astimezone(self.zone).date()

    def begin(self, day: date) -> datetime:
        """When *day* begins."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def is_working(self, day: date) -> bool:
        """Whether letters are posted on *day*: Monday to Friday, but for holidays."""
        return day.weekday() < _SATURDAY and not self.is_holiday(day)

    def after(self, day: date, working_days: int) -> date:
        """The working day that is so many of them after *day*; the first one from it on for 0."""
        while not self.is_working(day):
            day += timedelta(days=1)
        for _ in range(working_days):
            day += timedelta(days=1)
            while not self.is_working(day):
                day += timedelta(days=1)
        return day

    def due(self, kind: str, day_0: date) -> datetime:
        """When a dispatch of *kind* is due, of an order whose card is posted on *day_0*.

        What follows no card is due that day.
        """
        days = self.gaps.after_card().get(kind, 0)
        return self.begin(self.after(day_0, days))

    def card_before(self, kind: str, today: date) -> datetime:
        """Before when a card was posted, or handed over, that *kind* may follow *today*."""
        day = today
        while self.due(kind, day) > self.begin(today):
            day -= timedelta(days=1)
        return self.begin(day + timedelta(days=1))

    def activation_ends(self, posted: date) -> datetime:
        """Until when an activation number serves: to the end of its last day."""
        return self.begin(posted + timedelta(days=self.activation_days + 1))
