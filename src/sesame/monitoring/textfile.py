"""What a program that serves nothing tells Prometheus: a file for node_exporter.

Its textfile collector reads each `*.prom` of a folder, as another user: so the file is everybody's
to read, and there whole or not at all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sesame.custody.whole_file import written_beside
from sesame.errors import SesameError
from sesame.meters import Gauge

_MODE = 0o644


class MetricsUnwritable(SesameError):
    """The file of the metrics cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Check the folder and its owner.")
        self.path = path
        self.reason = reason


def write_textfile(path: Path, gauges: Sequence[Gauge]) -> None:
    """Write what *gauges* say now to *path* (mode 0644), in the place of what stood there.

    Raises:
        MetricsUnwritable: the system refuses.
    """
    registry = CollectorRegistry()
    registry.register(_Gauges(gauges))
    try:
        with written_beside(path, generate_latest(registry)) as new:
            new.chmod(_MODE)
            new.replace(path)
    except OSError as refusal:
        raise MetricsUnwritable(path, str(refusal.strerror)) from None


class _Gauges(Collector):
    """Gauges as Prometheus' own library wants them."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
            for labels, value in gauge.values.items():
                family.add_metric(labels, value)
            yield family
