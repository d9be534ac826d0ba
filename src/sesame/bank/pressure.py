"""Is somebody trying codes all over the bank? Then unknown devices are asked for two.

Guessing on many user codes stays below every single one's limits. What gives it away is the
bank's count of strangers' failures, held against what is usual (docs/decisions/0015).
"""

import logging
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat

from sesame import logs
from sesame.bank.limits import Limits
from sesame.bank.moments import to_row
from sesame.store.engine import Store
from sesame.store.failures import read_failures

_HOUR = timedelta(hours=1)
_log = logging.getLogger("sesame.bank")
_LOOKED = timedelta(seconds=5)  # a look at the counts serves all attempts of so long


def hour_of(moment: datetime) -> int:
    """Whole hours since 1970-01-01 UTC."""
    return to_row(moment) // (_HOUR // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the counts said: failures of strangers, and how many would not be too many."""

    on: bool
    this_hour: int
    this_day: int
    most_an_hour: float
    most_a_day: float


def look_at(failures: Mapping[int, int], hour: int, limits: Limits) -> Look:
    """What the *failures* of each hour up to *hour* come to."""
    most_an_hour, most_a_day = thresholds(failures, hour, limits)
    return Look(
        on=under_pressure(failures, hour, limits),
        this_hour=failures.get(hour, 0),
        this_day=sum(failures.get(at, 0) for at in range(hour - hours_kept(limits), hour + 1)),
        most_an_hour=most_an_hour,
        most_a_day=most_a_day,
    )


def under_pressure(failures: Mapping[int, int], hour: int, limits: Limits) -> bool:
    """Whether too much failed within the last day, by the *failures* of each hour up to *hour*."""
    day = [failures.get(at, 0) for at in range(hour - hours_kept(limits), hour + 1)]
    if max(day) <= limits.hour_floor and sum(day) <= limits.day_floor:
        return False  # whatever is usual
    an_hour, a_day = thresholds(failures, hour, limits)
    return any(count > an_hour for count in day) or sum(day) > a_day


def thresholds(failures: Mapping[int, int], hour: int, limits: Limits) -> tuple[float, float]:
    """How many failures of an hour are not too many, and of the day up to *hour*.

    The usual number is the median of the hours before that day, those without a failure too:
    an attack of some days does not make itself usual.
    """
    kept = hours_kept(limits)
    first = max(hour - limits.usual_over // _HOUR, min(failures, default=hour))
    before = list(map(failures.get, range(first, hour - kept), repeat(0)))
    usual = statistics.median(before or [0])
    above = limits.most_above_usual
    an_hour = max(limits.hour_floor, min(limits.hour_multiple * usual, usual + above))
    a_day = max(limits.day_floor, min(limits.day_multiple * usual * 24, usual * 24 + above))
    return an_hour, a_day


def hours_kept(limits: Limits) -> int:
    """For how many whole hours what was too much counts, besides the one that runs."""
    return limits.bank_pressed_for // _HOUR


class Pressure:
    """What this process last saw of the counts.

    It is no part of the row that an attempt swaps: some seconds late is soon enough.
    """

    def __init__(self) -> None:
        self._looked_at: datetime | None = None
        self.look: Look | None = None

    async def is_on(self, store: Store, limits: Limits, now: datetime) -> bool:
        """Whether unknown devices are asked for two codes, by a look a few seconds old at most."""
        if self._looked_at is None or not timedelta(0) <= now - self._looked_at < _LOOKED:
            self._looked_at = now  # whoever comes meanwhile takes the last look
            since = hour_of(now - limits.usual_over)
            failures = await store.read(lambda connection: read_failures(connection, since=since))
            before, self.look = self.look, look_at(failures, hour_of(now), limits)
            _log_change(before, self.look)
        return self.look is not None and self.look.on


def _log_change(before: Look | None, now: Look) -> None:
    if now.on and not (before and before.on):
        logs.pressure_on(now.this_hour, now.this_day)
    elif before and before.on and not now.on:
        logs.pressure_off()
