"""The hours of the help line as they are now: the week of the settings, and what officers set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from sesame.store.closures import ClosureRow
from sesame.web.errors import MalformedHours
from sesame.web.opening import OpeningHours, SpecialDay, parse_span


class Hours:
    """The week with the days that this process saw last; the week alone until it saw any."""

    def __init__(self, week: OpeningHours, closures: Callable[[], Sequence[ClosureRow]]) -> None:
        self._week = week
        self._closures = closures
        self._seen: Sequence[ClosureRow] = ()
        self._hours = week

    def __call__(self) -> OpeningHours:
        """The same value until a day changes."""
        rows = self._closures()
        if rows is not self._seen:
            self._seen = rows
            self._hours = replace(self._week, days=tuple(special_days(rows)))
        return self._hours


def special_days(rows: Sequence[ClosureRow]) -> Iterator[SpecialDay]:
    """The days of *rows*; one that cannot be read has its usual hours, and costs no page."""
    for row in rows:
        try:
            closed = row.opens is None or row.closes is None
            hours = None if closed else parse_span(f"{row.opens}-{row.closes}")
            yield SpecialDay(day=date.fromisoformat(row.day), hours=hours, reason=row.reason)
        except (MalformedHours, ValueError):
            continue
