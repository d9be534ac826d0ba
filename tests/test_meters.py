"""`sesame.meters`: what one process counts, and what several come to."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.meters import SECONDS, Counter, Gauge, Histogram, Join, Meters, Reading, read, total


def test_names_are_prometheus_own_kind() -> None:
    """Counters end in `_total`, times in `_seconds`, and no two meters share a name."""
    meters = Meters().all()
    assert len({meter.name for meter in meters}) == len(meters)
    for meter in meters:
        assert meter.name.startswith("sesame_")
        assert meter.name.endswith("_total") is isinstance(meter, Counter), meter.name
        if isinstance(meter, Histogram) and meter.bounds is SECONDS:
            assert meter.name.endswith("_seconds"), meter.name


def test_a_counter_counts_for_each_value_of_its_labels() -> None:
    """From nothing, without naming any beforehand."""
    counter = Counter("n_total", "N.", ("one", "two"))
    for _ in range(3):
        counter.add("a", "b")
    counter.add("a", "c")
    assert counter.values == {("a", "b"): 3, ("a", "c"): 1}


@given(st.lists(st.floats(min_value=0, max_value=20)))
def test_a_histogram_puts_each_value_below_its_bound(values: Sequence[float]) -> None:
    """`le` means at or below; what is above every bound has a place too."""
    histogram = Histogram("n_seconds", "N.")
    for value in values:
        histogram.observe(value)
    (spread,) = histogram.values.values() or [[0.0] * (len(SECONDS) + 2)]
    *buckets, summed = spread
    for place, bound in enumerate(SECONDS):
        assert sum(buckets[: place + 1]) == sum(value <= bound for value in values)
    assert sum(buckets) == len(values)
    assert summed == pytest.approx(sum(values))


def counted(times: int, gauge: float) -> Reading:
    """What a process with so much to say says."""
    meters = Meters()
    for _ in range(times):
        meters.attempts.add("rest", "code", "refused", "wrong")
        meters.custody_seconds.observe(0.002, "match")
    meters.store_waiting.put(gauge, "read")
    meters.pressure.put(gauge)
    meters.ready.put(gauge, "custody")
    return read(meters)


def test_processes_add_up() -> None:
    """Counts, spreads and what is in use are summed; a state is the worst of all."""
    found = total([counted(2, 1), counted(5, 0)], Meters())
    attempts = dict(found.counts["sesame_attempts_total"])
    assert attempts["rest", "code", "refused", "wrong"] == 7
    assert sum(attempts.values()) == 7
    ((labels, spread),) = found.spreads["sesame_custody_seconds"]
    assert labels == ("match",)
    assert sum(spread[:-1]) == 7
    assert spread[-1] == pytest.approx(0.014)
    assert found.gauges["sesame_store_waiting"] == [(("read",), 1)]
    assert found.gauges["sesame_pressure"] == [((), 1)]
    assert found.gauges["sesame_ready"] == [(("custody",), 0)]


@pytest.mark.parametrize("join", Join)
def test_one_process_alone_says_what_it_counted(join: Join) -> None:
    """Whatever a value is joined by."""
    meters = Meters()
    meters.processes.join = join
    meters.processes.put(4)
    alone = read(meters)
    assert total([alone], meters) == alone


def test_what_is_said_can_be_written_down_and_read_again() -> None:
    """As processes tell it each other."""
    said = counted(3, 1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=Reading) == said


def test_a_gauge_holds_a_yes_as_one() -> None:
    """Not as a truth value, which no other process could read."""
    gauge = Gauge("n", "N.")
    gauge.put(not gauge.values)
    assert [type(value) for value in gauge.values.values()] == [float]
