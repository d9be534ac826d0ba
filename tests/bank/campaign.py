"""A campaign that tries codes all over the bank, against the public thresholds.

Expected numbers, no chance: customers who mistype as they do every day, and somebody who knows
the thresholds and tries as fast as they please. `python -m tests.bank.campaign` prints the table
of docs/decisions/0015.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import pi, sin

from sesame.bank.limits import Limits
from sesame.bank.pressure import under_pressure

LUCKY = 2**-17  # one guess at a bank card
ACCOUNTS = 1_000_000
LOOKED = 5  # seconds until every process has seen what the counts say
# How many of the customers mistype a code on an unknown browser in a day: one in seventeen
# signs in from one, one in twenty of them fails. A guess, to be replaced by what a bank sees.
MISTYPING = 0.003
# How many of those fail still when two codes are asked of them. A guess as well.
TWO_CODES_MISTYPED = 0.2
_PARTS = 20_000  # of an hour
WARM = 28 * 24  # hours

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
SPEEDS: Mapping[str, float] = {  # a million guesses in a …; guesses an hour
    "hour": ACCOUNTS,
    "day": ACCOUNTS / 24,
    "month": ACCOUNTS / (30 * 24),
    "year": ACCOUNTS / (365 * 24),
}


@dataclass(frozen=True)
class Campaign:
    """How it went."""

    guesses: int  # that were judged
    hours: int
    pressed: int  # hours in which two codes were asked of everybody

    @property
    def lucky(self) -> float:
        """How many logins are to be expected of them."""
        return self.guesses * LUCKY


def usual_day(customers: int) -> Sequence[float]:
    """How many strangers' failures each hour of an honest day sees: few at night."""
    shape = [1 + sin((hour - 9) / 24 * 2 * pi) for hour in range(24)]
    return [customers * MISTYPING * part / sum(shape) for part in shape]


def run(
    customers: int, an_hour: float, *, longest: int, stop_when_pressed: bool, limits: Limits
) -> Campaign:
    """A campaign of *an_hour* guesses on a bank that has worked for a month, *longest* hours."""
    honest = usual_day(customers)
    failures = {hour: round(honest[hour % 24]) for hour in range(WARM)}
    guesses = pressed = 0
    for hour in count(WARM):
        if hour - WARM >= longest or guesses >= ACCOUNTS * 9:
            return Campaign(guesses, hour - WARM, pressed)
        failures.pop(hour - WARM - 1, None)
        usual = round(honest[hour % 24])
        wanted = round(an_hour)
        if not _on(failures, hour, usual + wanted, limits):
            failures[hour] = usual + wanted
            guesses += wanted
            continue
        pressed += 1
        if _on(failures, hour, 0, limits):
            failures[hour] = round(usual * TWO_CODES_MISTYPED)
            continue
        # Customers and guesses come evenly until it shows.
        parts = range(_PARTS)
        shows = bisect_left(
            parts,
            1,
            key=lambda part: _on(failures, hour, (usual + wanted) * part // _PARTS, limits),
        )
        room = shows / _PARTS
        seen_late = min(wanted, round(wanted * room + an_hour * LOOKED / 3600))
        guesses += seen_late
        failures[hour] = round(usual * room) + seen_late
        if stop_when_pressed:
            return Campaign(guesses, hour - WARM + 1, pressed)
    raise AssertionError


def _on(failures: Mapping[int, int], hour: int, now: int, limits: Limits) -> bool:
    return under_pressure({**failures, hour: now}, hour, limits)


def _print_table() -> None:
    for customers in SIZES:
        for name, an_hour in SPEEDS.items():
            first = run(customers, an_hour, longest=8760, stop_when_pressed=True, limits=Limits())
            year = run(customers, an_hour, longest=8760, stop_when_pressed=False, limits=Limits())
            seen = f"{first.guesses:,} | {first.lucky:.3f}" if first.pressed else "never | –"
            print(  # noqa: T201 -- it is what this is run for
                f"| {customers:,} | {name} | {seen} | {year.guesses:,} | {year.lucky:.2f} |"
                f" {year.pressed / year.hours:.0%} |"
            )


if __name__ == "__main__":
    _print_table()
