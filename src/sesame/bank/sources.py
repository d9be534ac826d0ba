"""Source addresses: how much was refused to each, and what follows for unknown devices there.

Refusals alone are counted, so a thousand customers behind one address who get in are no matter.
First an unknown device is asked for two codes, much later nothing from there is judged; a known
device notices neither (docs/decisions/0024).

Each process counts by itself and knows at once what it counted. About once a second it adds
that up in the database, and learns what the others counted for the same addresses.
"""

import hmac
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import NamedTuple

from sesame.bank.limits import SourceLimits
from sesame.bank.moments import from_row
from sesame.bank.pressure import hour_of
from sesame.custody.custodian import Custodian, KeyUsage
from sesame.store.engine import Store
from sesame.store.sources import SOURCE_LENGTH, SourceRow, add_refusals

_HOUR = 3_600_000_000  # microseconds
_MOST = 20_000  # addresses that a process keeps in mind; some kilobytes each at most
_KEY_OF = b"sesame-sources-1"  # what custody makes the hashes' key of
_log = logging.getLogger("sesame.bank")


@unique
class Standing(StrEnum):
    """What is asked of unknown devices at one address."""

    OPEN = "open"
    TWO_CODES = "two-codes"
    CLOSED = "closed"  # nothing is judged


class Refusals(NamedTuple):
    """What was refused to one source in an hour."""

    failures: int = 0  # judged
    turned_away: int = 0  # not judged: suspended, two codes wanted, or closed


ByHour = Mapping[int, Refusals]  # by whole hours since 1970-01-01 UTC
_NONE = Refusals()
_WORDS = {
    Standing.TWO_CODES: "source addresses whose unknown devices are asked for two codes: %d more",
    Standing.CLOSED: "source addresses from which unknown devices are not judged: %d more",
}


def standing(counts: ByHour, hour: int, limits: SourceLimits) -> Standing:
    """What is asked at a source to which so much was refused up to *hour*: pure."""
    now = counts.get(hour, _NONE)
    if now.failures > limits.closed_above or now.turned_away > limits.flooded_above:
        return Standing.CLOSED
    first = hour - limits.hours_kept
    failures = sum(counts.get(at, _NONE).failures for at in range(first, hour + 1))
    return Standing.TWO_CODES if failures > limits.two_codes_above else Standing.OPEN


def open_again(now: datetime) -> datetime:
    """When a source that is closed at *now* opens: at the next whole hour."""
    return from_row((hour_of(now) + 1) * _HOUR)


@dataclass(slots=True)
class _Source:
    """What this process knows of one address."""

    written: ByHour = field(default_factory=dict)  # by all servers
    leaving: ByHour = field(default_factory=dict)  # ours, on its way to the database
    unwritten: ByHour = field(default_factory=dict)  # ours
    told: Standing = Standing.OPEN  # what the log says of it
    seen: tuple[int, Standing] | None = None  # its standing in an hour, until the counts change

    def counts(self) -> ByHour:
        return _together(_together(self.written, self.leaving), self.unwritten)

    def standing(self, hour: int, limits: SourceLimits) -> Standing:
        if self.seen is None or self.seen[0] != hour:
            self.seen = hour, standing(self.counts(), hour, limits)
        return self.seen[1]


class Sources:
    """The addresses to which this process refused something lately, the latest last."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._key = b""

    def standing(self, address: str, limits: SourceLimits | None, now: datetime) -> Standing:
        """What is asked of unknown devices at *address*."""
        source = self._sources.get(address)
        if source is None or limits is None:
            return Standing.OPEN
        return source.standing(hour_of(now), limits)

    def add(
        self, address: str, limits: SourceLimits | None, now: datetime, *, judged: bool
    ) -> None:
        """Count a refusal; "" is nobody's address. Beyond 20,000 others are not counted."""
        if not address or limits is None:
            return
        source = self._sources.pop(address, None)
        if source is None:
            if len(self._sources) >= _MOST:
                return
            source = _Source()
        self._sources[address] = source
        one = Refusals(failures=1) if judged else Refusals(turned_away=1)
        source.unwritten = _together(source.unwritten, {hour_of(now): one})
        source.seen = None

    async def share(
        self, store: Store, custodian: Custodian, limits: SourceLimits | None, now: datetime
    ) -> None:
        """Write down what was counted since the last time; learn what other servers counted.

        What cannot be written is kept for the next time. Where the answer to a commit was lost,
        the refusals of that second count twice.

        Raises:
            StoreUnavailable: the database does not answer; nothing was learned.
        """
        if limits is None:
            return
        since = hour_of(now) - limits.hours_kept
        self._forget(since)
        self._key = self._key or await custodian.mac(KeyUsage.SESSION, _KEY_OF)
        leaving = {self._hash(a): s for a, s in self._sources.items() if s.unwritten}
        if not leaving:
            return
        for source in leaving.values():
            source.leaving, source.unwritten = source.unwritten, {}
        rows = [SourceRow(h, at, *one) for h, s in leaving.items() for at, one in s.leaving.items()]
        try:
            found = await store.write(
                lambda connection: add_refusals(connection, rows, since=since)
            )
        except BaseException:
            for source in leaving.values():
                source.leaving, source.unwritten = {}, _together(source.leaving, source.unwritten)
            raise
        for source in leaving.values():
            source.written, source.leaving, source.seen = {}, {}, None
        for row in found:
            written = {row.hour: Refusals(row.failures, row.turned_away)}
            leaving[row.source].written = _together(leaving[row.source].written, written)
        _tell(list(leaving.values()), hour_of(now), limits)

    def _hash(self, address: str) -> bytes:
        return hmac.digest(self._key, address.encode(), "sha256")[:SOURCE_LENGTH]

    def _forget(self, since: int) -> None:
        """Forget what no longer counts; and the longest quiet ones, if they are too many.

        Those are learned again from the database with their next refusal.
        """
        for address, source in list(self._sources.items()):
            much = len(self._sources) > _MOST // 2 and not source.unwritten
            if much or all(hour < since for hour in source.counts()):
                del self._sources[address]


def _together(some: ByHour, others: ByHour) -> ByHour:
    both = dict(some)
    for hour, more in others.items():
        had = both.get(hour, _NONE)
        both[hour] = Refusals(had.failures + more.failures, had.turned_away + more.turned_away)
    return both


def _tell(sources: Sequence[_Source], hour: int, limits: SourceLimits) -> None:
    """Say in the log what has changed, without addresses: these stand in audit lines."""
    risen: Counter[Standing] = Counter()
    for source in sources:
        standing = source.standing(hour, limits)
        risen[standing] += standing is not source.told
        source.told = standing
    for standing, words in _WORDS.items():
        if risen[standing]:
            _log.warning(words, risen[standing])
