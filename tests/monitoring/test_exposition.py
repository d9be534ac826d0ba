"""`sesame.monitoring.exposition`: what Prometheus reads, as its own library reads it."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families as parsed

from sesame.meters import SECONDS, Counter, Histogram, Meters
from sesame.monitoring.exposition import PROCESS, Exposition
from sesame.monitoring.neighbours import Neighbours


def exposed(meters: Meters) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Each sample by its name."""
    text = generate_latest(Exposition(meters, Neighbours(None)).registry).decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in parsed(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_meter_that_says_something_is_exposed() -> None:
    """Under its own name, with its labels and its meaning."""
    meters = Meters()
    for meter in meters.all():
        labels = ["x"] * len(meter.labels)
        if isinstance(meter, Counter):
            meter.add(*labels)
        elif isinstance(meter, Histogram):
            meter.observe(0.002, *labels)
        else:
            meter.put(1, *labels)
    found = exposed(meters)
    for meter in meters.all():
        name = f"{meter.name}_count" if isinstance(meter, Histogram) else meter.name
        said = [sample for sample in found[name] if sample[1]]
        assert said == [(dict.fromkeys(meter.labels, "x"), 1)]
    text = generate_latest(Exposition(meters, Neighbours(None)).registry).decode()
    assert "# HELP sesame_suspensions_total Sides of an access" in text


def test_buckets_count_what_is_at_or_below_them() -> None:
    """As Prometheus adds them up: each holds all below it."""
    meters = Meters()
    for seconds in (0.0001, 0.002, 0.002, 30):
        meters.custody_seconds.observe(seconds, "match")
    found = exposed(meters)
    buckets = {labels["le"]: count for labels, count in found["sesame_custody_seconds_bucket"]}
    assert [float(bound) for bound in buckets][:-1] == list(SECONDS)
    assert (buckets["0.0001"], buckets["0.001"], buckets["0.0025"]) == (1, 1, 3)
    assert (buckets["10.0"], buckets["+Inf"]) == (3, 4)
    assert found["sesame_custody_seconds_sum"] == [({"call": "match"}, 30.0041)]


def test_the_process_says_what_it_uses() -> None:
    """Memory, processor time, files and the collector, apart for each process."""
    found = exposed(Meters())
    for name in (
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "python_gc_collections_total",
    ):
        assert found[name]
        assert all(value >= 0 and labels[PROCESS] for labels, value in found[name])


def test_what_is_rare_is_told_before_it_happens() -> None:
    """As 0: Prometheus sees no increase in a count that comes with its first event."""
    found = exposed(Meters())
    told = [labels for labels, count in found["sesame_attempts_total"] if count == 0]
    assert {"door": "rest", "means": "code", "outcome": "refused", "cause": "overtaken"} in told
    assert ({"status": "500"}, 0) in found["sesame_http_responses_total"]
    assert ({"error": "SealBroken"}, 0) in found["sesame_custody_errors_total"]
