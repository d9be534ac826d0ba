"""Meters: what one process counts and times of its own work. No meter knows a customer.

A count is an addition in a dictionary, so that it costs a fraction of a microsecond on the way of
a login; `sesame.monitoring` makes Prometheus' text of them (docs/decisions/0028). Only the thread
of the event loop counts. A label has few values, known beforehand: never a user code, an address
or anything that was typed.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from itertools import product
from operator import add
from typing import TypeAlias, TypeVar

import msgspec

Labels: TypeAlias = tuple[str, ...]
Value = TypeVar("Value", float, list[float])
_Join: TypeAlias = Callable[[Value, Value], Value]

# Bounds in seconds: a custodian in this process takes a tenth of a millisecond, a database one
# or two, and whoever waited ten seconds has gone.
SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
)  # fmt: skip
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)  # of a group


@dataclass(slots=True)
class Counter:
    """How often something happened, for each value of its labels."""

    name: str  # Prometheus', with `_total` at its end
    meaning: str
    labels: Labels = ()
    # Told as 0 from the start: of a count that only comes with its first event Prometheus sees
    # no increase, and what is rare is what an alert is for.
    known: Sequence[Labels] = ()
    values: dict[Labels, float] = field(default_factory=dict, repr=False)

    def add(self, *labels: str, times: float = 1) -> None:
        """Count *times* more."""
        self.values[labels] = self.values.get(labels, 0) + times


@dataclass(slots=True)
class Histogram:
    """How values are spread over *bounds*, for each value of its labels."""

    name: str
    meaning: str
    labels: Labels = ()
    bounds: Sequence[float] = SECONDS
    values: dict[Labels, list[float]] = field(default_factory=dict, repr=False)

    def observe(self, value: float, *labels: str) -> None:
        """Count *value* in the first bucket whose bound is not below it, or in the last."""
        spread = self.values.get(labels)
        if spread is None:
            # One bucket more than there are bounds; behind them the sum.
            spread = self.values[labels] = [0.0] * (len(self.bounds) + 2)
        spread[bisect_left(self.bounds, value)] += 1
        spread[-1] += value


@unique
class Join(Enum):
    """What the values of several processes come to."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"


_JOINED: Mapping[Join, Callable[[float, float], float]] = {
    Join.SUM: add,
    Join.MOST: max,
    Join.LEAST: min,
}


@dataclass(slots=True)
class Gauge:
    """How much of something there is just now, over the processes that live."""

    name: str
    meaning: str
    labels: Labels = ()
    join: Join = Join.SUM
    values: dict[Labels, float] = field(default_factory=dict, repr=False)

    def put(self, value: float, *labels: str) -> None:
        """There is *value* of it now."""
        self.values[labels] = float(value)


Meter: TypeAlias = Counter | Histogram | Gauge


# The words of labels that are known beforehand; the packages above have their own lists of them,
# and a test compares.
_DOORS = ("portal", "rest", "desk")
_MEANS = ("code", "two-codes", "challenge", "old-code", "activation", "release")
_BARE = ("accepted", "suspended", "source-closed", "too-busy")  # outcomes without a cause
_CAUSES = (
    "wrong",
    "used",
    "overtaken",
    "card-not-active",
    "card-unsure",
    "key-missing",
    "unknown-user-code",
    "number-wrong",
    "number-expired",
    "nothing-to-open",
)
_STORE_ERRORS = ("StoreUnavailable", "RowHeld", "StandbyBehind", "StatementFailed")
_TOLD = ("sent", "letter", "untold", "deferred", "refused", "server-away", "given-up")
_CUSTODY_ERRORS = ("CustodyBusy", "CustodyUnavailable", "SealBroken", "SocketUnreachable")


class Meters:
    """Every meter of a server. A further one is a line here, and is exported by that."""

    def __init__(self) -> None:
        """All at nothing."""
        self.attempts = Counter(
            "sesame_attempts_total",
            "Attempts to sign in. `outcome`: accepted, refused, repeated (the same form again), "
            "suspended, source-closed (too much refused to the address), two-codes-wanted, "
            "too-busy, unavailable. `cause`: of a refusal, as in the audit line (wrong, used, "
            "overtaken, card-not-active, card-unsure, key-missing, "
            "unknown-user-code); who wants two codes (access: its own failures; bank: those all "
            "over it; source: those of its address); which error.",
            ("door", "means", "outcome", "cause"),
            [
                *product(_DOORS, _MEANS, _BARE, [""]),
                *product(_DOORS, _MEANS, ["refused"], _CAUSES),
                *product(_DOORS, _MEANS, ["two-codes-wanted"], ["access", "bank", "source"]),
                *product(_DOORS, _MEANS, ["unavailable"], [*_STORE_ERRORS, *_CUSTODY_ERRORS]),
            ],
        )
        self.attempt_seconds = Histogram(
            "sesame_attempt_seconds",
            "From a door's question to the bank to its answer, whichever that was.",
            ("means",),
        )
        self.suspensions = Counter(
            "sesame_suspensions_total",
            "Sides of an access that the last failure of a row suspended: open (any browser) or "
            "reserved (known devices).",
            ("side",),
            [("open",), ("reserved",)],
        )
        self.sessions = Counter(
            "sesame_sessions_opened_total",
            "Sessions that were opened, by means.",
            ("means",),
            [(means,) for means in _MEANS],
        )
        self.custody_seconds = Histogram(
            "sesame_custody_seconds",
            "A question to custody and its answer: match (one code), match-pairs (two), mac.",
            ("call",),
        )
        self.custody_errors = Counter(
            "sesame_custody_errors_total",
            "Questions that custody did not answer, by error; CustodyBusy: it is well, and more "
            "wait than it can answer.",
            ("error",),
            [(error,) for error in _CUSTODY_ERRORS],
        )
        self.store_seconds = Histogram(
            "sesame_store_seconds",
            "A group on its way to the database and back: read (access rows), swap (steps in one "
            "commit), left-over (a step whose row another program held).",
            ("group",),
        )
        self.store_group_size = Histogram(
            "sesame_store_group_size",
            "How many attempts one group carried.",
            ("group",),
            SIZES,
        )
        self.store_errors = Counter(
            "sesame_store_errors_total",
            "Groups that the database did not take, by error.",
            ("error",),
            [(error,) for error in _STORE_ERRORS],
        )
        self.store_waiting = Gauge(
            "sesame_store_waiting",
            "Attempts that wait just now for a group to leave.",
            ("group",),
        )
        self.connections_used = Gauge(
            "sesame_database_connections_used",
            "Connections in use just now: login, read, write.",
            ("pool",),
        )
        self.connections_most = Gauge(
            "sesame_database_connections_most",
            "How many connections the pool may have.",
            ("pool",),
        )
        self.responses = Counter(
            "sesame_http_responses_total",
            "Answers over HTTP by all doors, by status.",
            ("status",),
            [("500",), ("503",)],
        )
        self.pressure = Gauge(
            "sesame_pressure",
            "1 while unknown browsers are asked for two codes all over the bank, else 0.",
            join=Join.MOST,
        )
        self.strangers_failures = Gauge(
            "sesame_strangers_failures",
            "Failures of unknown browsers over the whole bank, as the database has them: of the "
            "hour that runs, and of it and the day before it (`span`: hour, day).",
            ("span",),
            Join.MOST,
        )
        self.strangers_failures_usual = Gauge(
            "sesame_strangers_failures_usual",
            "How many of them are not too many, by what was usual in four weeks; above, the "
            "switch is thrown.",
            ("span",),
            Join.MOST,
        )
        self.ready = Gauge(
            "sesame_ready",
            "1 while every process is ready, 0 while one is not (`part`: database, schema, "
            "custody).",
            ("part",),
            Join.LEAST,
        )
        self.beat = Gauge(
            "sesame_heartbeat_timestamp_seconds",
            "When the database was last looked at for a restore; of the process that is latest.",
            join=Join.LEAST,
        )
        self.restored = Gauge(
            "sesame_restored_timestamp_seconds",
            "When it was last seen that the database was restored; 0: never.",
            join=Join.MOST,
        )
        self.notices = Counter(
            "sesame_notices_total",
            "Notices to customers, by what came of them: sent (an e-mail left), letter (one is due "
            "in its place or beside it), untold (neither: there is no address, or it is not worth "
            "a letter); tries of an e-mail that failed: deferred (not now), refused (never), "
            "server-away (the mail server takes none); and e-mails that were due and are tried no "
            "more: given-up (a day is over, or e-mail was switched off).",
            ("outcome",),
            [(outcome,) for outcome in _TOLD],
        )
        self.notices_waiting = Gauge(
            "sesame_notices_waiting",
            "Notices that wait to be sorted or sent, as the database has them.",
            join=Join.MOST,
        )
        self.notices_oldest = Gauge(
            "sesame_notices_oldest_timestamp_seconds",
            "Of when the change is that has waited longest to be told; 0: nothing waits.",
            join=Join.MOST,
        )
        self.processes = Gauge("sesame_processes", "Server processes that live.")
        self.loop_lag = Gauge(
            "sesame_loop_lag_seconds",
            "How late a process came to what was due at once, a second ago; of the latest one.",
            join=Join.MOST,
        )

    def all(self) -> tuple[Meter, ...]:
        """Each of them."""
        return tuple(vars(self).values())


class SealerMeters:
    """Every meter of `sesame audit seal`, which serves nothing and tells them in a file."""

    def __init__(self) -> None:
        """All at nothing."""
        self.last_seal = Gauge(
            "sesame_audit_last_seal_timestamp_seconds",
            "When the last seal over the audit lines was made and had arrived, in seconds since "
            "1970.",
        )

    def all(self) -> tuple[Gauge, ...]:
        """Each of them."""
        return tuple(vars(self).values())


class Reading(msgspec.Struct, frozen=True):
    """The values of all meters at one moment, by name; what processes tell each other.

    Each value stands beside those of its labels: of a histogram the buckets, the sum last.
    """

    counts: dict[str, list[tuple[Labels, float]]]
    gauges: dict[str, list[tuple[Labels, float]]]
    spreads: dict[str, list[tuple[Labels, list[float]]]]


def read(meters: Meters) -> Reading:
    """What *meters* say now. Safe from another thread than the one that counts."""
    reading = Reading({}, {}, {})
    for meter in meters.all():
        # Copied in one step of the interpreter each: none grows while it is gone through.
        if isinstance(meter, Histogram):
            copied = list(meter.values.items())
            reading.spreads[meter.name] = [(labels, list(spread)) for labels, spread in copied]
        else:
            begun = dict.fromkeys(meter.known, 0.0) if isinstance(meter, Counter) else {}
            kept = reading.counts if isinstance(meter, Counter) else reading.gauges
            kept[meter.name] = list((begun | meter.values).items())
    return reading


def total(readings: Sequence[Reading], meters: Meters) -> Reading:
    """What *readings* of several processes come to; *meters* say how each is joined."""
    joins = {gauge.name: _JOINED[gauge.join] for gauge in meters.all() if isinstance(gauge, Gauge)}
    return Reading(
        counts=_joined([reading.counts for reading in readings], lambda _: add),
        gauges=_joined([reading.gauges for reading in readings], lambda name: joins[name]),
        spreads=_joined([reading.spreads for reading in readings], lambda _: _each),
    )


_Kept: TypeAlias = dict[str, list[tuple[Labels, Value]]]


def _joined(parts: Sequence[_Kept[Value]], how: Callable[[str], _Join[Value]]) -> _Kept[Value]:
    found: dict[str, dict[Labels, Value]] = {}
    for part in parts:
        for name, values in part.items():
            kept, join = found.setdefault(name, {}), how(name)
            for labels, value in values:
                kept[labels] = join(kept[labels], value) if labels in kept else value
    return {name: list(values.items()) for name, values in found.items()}


def _each(one: list[float], other: list[float]) -> list[float]:
    return [mine + theirs for mine, theirs in zip(one, other, strict=True)]
