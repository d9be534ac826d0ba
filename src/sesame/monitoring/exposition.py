"""Metrics in Prometheus' own words, by Prometheus' own library."""

import os
import time
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sesame.meters import Counter, Gauge, Histogram, Labels, Meters, read, total
from sesame.monitoring.neighbours import Figure, Neighbours, Told

PROCESS = "process"  # the label of what is not summed: memory, processor time


class Exposition(Collector):
    """What Prometheus is told of *meters*, and of those of the neighbours."""

    def __init__(self, meters: Meters, neighbours: Neighbours) -> None:
        """Begin with the process' own figures."""
        self._meters = meters
        self._neighbours = neighbours
        self._of_process = ProcessCollector(registry=None)
        self._of_collector = GCCollector(CollectorRegistry())

    @property
    def registry(self) -> CollectorRegistry:
        """A registry that holds this alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def describe(self) -> list[Metric]:
        """Nothing beforehand: the registry need not ask for all only to learn the names."""
        return []

    def own(self, *, ended: bool = False) -> Told:
        """What this process says of itself now."""
        at = 0.0 if ended else time.time()
        self._meters.processes.put(1)
        return Told(os.getpid(), at, read(self._meters), list(self._figures()))

    def collect(self) -> Iterator[Metric]:
        """Every metric of all processes."""
        heard = self._neighbours.heard(self.own())
        reading = total([told.reading for told in heard], self._meters)
        for meter in self._meters.all():
            if isinstance(meter, Histogram):
                yield _histogram(meter, reading.spreads.get(meter.name, []))
            elif isinstance(meter, Counter):
                yield _counter(meter, reading.counts.get(meter.name, []))
            else:
                yield _gauge(meter, reading.gauges.get(meter.name, []))
        yield from _families([figure for told in heard for figure in told.figures])

    def _figures(self) -> Iterator[Figure]:
        process = {PROCESS: str(os.getpid())}
        for collector in (self._of_process, self._of_collector):
            for family in collector.collect():
                for sample in family.samples:
                    yield Figure(
                        name=family.name,
                        kind=family.type,
                        meaning=family.documentation,
                        labels=sample.labels | process,
                        value=sample.value,
                    )


def _counter(meter: Counter, values: Sequence[tuple[Labels, float]]) -> Metric:
    family = CounterMetricFamily(meter.name, meter.meaning, labels=meter.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _gauge(meter: Gauge, values: Sequence[tuple[Labels, float]]) -> Metric:
    family = GaugeMetricFamily(meter.name, meter.meaning, labels=meter.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _histogram(meter: Histogram, values: Sequence[tuple[Labels, list[float]]]) -> Metric:
    family = HistogramMetricFamily(meter.name, meter.meaning, labels=meter.labels)
    for labels, (*buckets, summed) in values:
        bounds = [*map(str, meter.bounds), "+Inf"]
        below = [sum(buckets[: place + 1]) for place in range(len(buckets))]
        family.add_metric(labels, list(zip(bounds, below, strict=True)), summed)
    return family


def _families(figures: Sequence[Figure]) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    for figure in figures:
        family = families.get(figure.name)
        if family is None:
            family = families[figure.name] = Metric(figure.name, figure.meaning, figure.kind)
        suffix = "_total" if figure.kind == "counter" else ""
        family.add_sample(figure.name + suffix, figure.labels, figure.value)
    yield from families.values()
