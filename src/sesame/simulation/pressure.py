"""What the model knows of failures all over the bank: may unknown browsers be asked for two codes?

A server looks at the counts every few seconds, so for a moment after a change both answers are
right. docs/decisions/0015; written anew from there, not from `sesame.bank.pressure`.
"""

import statistics
from collections import Counter

from sesame.simulation.plan import DAY, HOUR, SECOND

_LOOKED = 5 * SECOND
_HOURS = 24  # before the one that runs
_HOUR_FLOOR, _DAY_FLOOR = 200, 500
_HOUR_MULTIPLE, _DAY_MULTIPLE = 5, 2
_MOST_ABOVE = 12_000
_USUAL = 28 * DAY // HOUR  # hours


class Failures:
    """Failures of unknown browsers by hour, and since when too many or not."""

    def __init__(self) -> None:
        self.by_hour: Counter[int] = Counter()
        self.here: Counter[int] = Counter()  # of them, those that this server saw itself
        self._on = False
        self._since = 0

    def copy(self) -> "Failures":
        """What a backup has of it."""
        other = Failures()
        other.by_hour, other.here = self.by_hour.copy(), self.here.copy()
        return other

    def count(self, at: int) -> None:
        """One more, at the moment *at*."""
        self.here[at // HOUR] += 1
        self.by_hour[at // HOUR] += 1

    def hear(self, hour: int, times: int) -> None:
        """Another server saw so many more in *hour*."""
        self.by_hour[hour] += times

    def allowed(self, at: int) -> set[bool]:
        """What a server may hold to be so at the moment *at*."""
        on = self._too_many(at // HOUR)
        if on != self._on:
            self._on, self._since = on, at
        return {on, not on} if at <= self._since + _LOOKED else {on}

    def _too_many(self, hour: int) -> bool:
        day = [self.by_hour.get(one, 0) for one in range(hour - _HOURS, hour + 1)]
        if max(day) <= _HOUR_FLOOR and sum(day) <= _DAY_FLOOR:
            return False
        first = min(one for one in self.by_hour if one >= hour - _USUAL)
        before = range(first, hour - _HOURS)
        usual = statistics.median([self.by_hour.get(one, 0) for one in before] or [0])
        an_hour = max(_HOUR_FLOOR, min(_HOUR_MULTIPLE * usual, usual + _MOST_ABOVE))
        a_day = max(_DAY_FLOOR, min(_DAY_MULTIPLE * usual * 24, usual * 24 + _MOST_ABOVE))
        return max(day) > an_hour or sum(day) > a_day
