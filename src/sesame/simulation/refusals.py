"""What the model knows of refusals by address: what is asked of unknown browsers there?

docs/decisions/0024; written anew from there, not from `sesame.bank.sources`. A server knows at
once what it refused itself. What others refused to an address it learns when it writes down its
own refusals to that address, about a second later.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from typing import NamedTuple

from sesame.simulation.plan import HOUR, SECOND

_TWO_CODES_ABOVE = 30
_HOURS = 24  # before the one that runs
_CLOSED_ABOVE, _FLOODED_ABOVE = 300, 3000
_WRITTEN_AFTER = SECOND


@unique
class Asks(StrEnum):
    """What unknown browsers at an address are asked for."""

    ONE_CODE = "one code"
    TWO_CODES = "two codes"
    NOTHING = "nothing is judged"


class Refused(NamedTuple):
    """Something that was refused to a line, in an hour: judged, or turned away."""

    line: str
    hour: int
    judged: bool


Told = Mapping[Refused, int]


def opens(at: int) -> int:
    """When a line of which nothing is judged at *at* is judged again."""
    return (at // HOUR + 1) * HOUR


class Refusals:
    """What one server refused, and what it has heard of the others."""

    def __init__(self) -> None:
        self.written: dict[str, Counter[Refused]] = {}  # by all servers, in the database
        self._learned: dict[str, Counter[Refused]] = {}  # of that, what this one has read
        self._unread: set[str] = set()  # lines of which something was written since it has read
        self._own: dict[str, Counter[Refused]] = {}  # not yet written down
        self._untold: Counter[Refused] = Counter()  # of what this one refused, to the others
        self._wrote_at = 0

    def note(self, line: str, at: int, *, judged: bool) -> None:
        """Something was refused to an unknown browser."""
        one = Refused(line, at // HOUR, judged)
        self._own.setdefault(line, Counter())[one] += 1
        self._untold[one] += 1

    def tell(self) -> Told:
        """What was refused here since the last time, for the others to hear."""
        told, self._untold = self._untold, Counter()
        return told

    def asks(self, line: str, at: int) -> Asks:
        """What unknown browsers on *line* are asked for at the moment *at*."""
        if line not in self._learned and line not in self._own:
            return Asks.ONE_CODE
        known = self._learned.get(line, Counter[Refused]()) + self._own.get(line, Counter())
        hour = at // HOUR
        if known[Refused(line, hour, judged=True)] > _CLOSED_ABOVE:
            return Asks.NOTHING
        if known[Refused(line, hour, judged=False)] > _FLOODED_ABOVE:
            return Asks.NOTHING
        judged = sum(
            times for one, times in known.items() if one.judged and hour - _HOURS <= one.hour
        )
        return Asks.TWO_CODES if judged > _TWO_CODES_ABOVE else Asks.ONE_CODE

    def may_learn(self, at: int) -> bool:
        """Whether the server would know more by now, had it written down what it refused."""
        return at >= self._wrote_at + _WRITTEN_AFTER and not self._unread.isdisjoint(self._own)

    def write(self, at: int) -> None:
        """What was refused is written down, and what others wrote is learned."""
        for line, own in self._own.items():
            written = self.written.setdefault(line, Counter())
            written.update(own)
            self._learned[line] = written.copy()
        self._unread -= self._own.keys()
        self._own, self._wrote_at = {}, at

    def hear(self, told: Told) -> None:
        """Others wrote this down."""
        for one, times in told.items():
            self.written.setdefault(one.line, Counter())[one] += times
            self._unread.add(one.line)

    def restart(self) -> None:
        """The server died: what it had not written is lost, and it has to learn anew."""
        self._learned, self._own, self._unread = {}, {}, set(self.written)

    def copy(self) -> "Refusals":
        """What a backup has of it."""
        other = Refusals()
        other.written = {line: counts.copy() for line, counts in self.written.items()}
        other.restart()
        other._wrote_at = self._wrote_at
        return other

    def forget(self, at: int) -> None:
        """Forget what is too old to count."""
        first = at // HOUR - _HOURS
        self.written = _since(first, self.written)
        self._learned = _since(first, self._learned)
        self._unread &= self.written.keys()


def together(parts: Iterable[Told]) -> Told:
    """What several servers wrote down."""
    total: Counter[Refused] = Counter()
    for part in parts:
        total.update(part)
    return total


def _since(first: int, counts: Mapping[str, Counter[Refused]]) -> dict[str, Counter[Refused]]:
    """Of *counts*, what was refused in the hour *first* and later."""
    kept = {
        line: Counter({one: times for one, times in of_line.items() if one.hour >= first})
        for line, of_line in counts.items()
    }
    return {line: of_line for line, of_line in kept.items() if of_line}
