"""`sesame.monitoring.textfile`: a file that another user reads, whole or not at all."""

import os
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sesame.meters import Gauge, SealerMeters
from sesame.monitoring.textfile import MetricsUnwritable, write_textfile


def test_it_is_read_by_prometheus_own_library(tmp_path: Path) -> None:
    """Name, meaning, value, and labels where there are any; what stood there before is gone."""
    meters, other = SealerMeters(), Gauge("sesame_other", "Something else.", ("part",))
    file = tmp_path / "seal.prom"
    for moment in (1.0, 1_780_000_000.25):
        meters.last_seal.put(moment)
        other.put(2, "half")
        write_textfile(file, [*meters.all(), other])
    one, two = text_string_to_metric_families(file.read_text(encoding="utf-8"))
    assert (one.name, one.type, one.documentation) == (
        "sesame_audit_last_seal_timestamp_seconds",
        "gauge",
        meters.last_seal.meaning,
    )
    assert [(sample.labels, sample.value) for sample in one.samples] == [({}, 1_780_000_000.25)]
    assert [(sample.labels, sample.value) for sample in two.samples] == [({"part": "half"}, 2)]


def test_everybody_may_read_it(tmp_path: Path) -> None:
    """Whatever the umask: node_exporter is another user. Nothing else is left in the folder."""
    before = os.umask(0o077)
    try:
        write_textfile(tmp_path / "seal.prom", SealerMeters().all())
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It says so; and where the name is taken by a folder, nothing is left beside it."""
    with pytest.raises(MetricsUnwritable, match="No such file"):
        write_textfile(tmp_path / "no" / "seal.prom", SealerMeters().all())
    (tmp_path / "seal.prom").mkdir()
    with pytest.raises(MetricsUnwritable, match=r"seal\.prom: Is a directory"):
        write_textfile(tmp_path / "seal.prom", SealerMeters().all())
    assert [path.name for path in tmp_path.iterdir()] == ["seal.prom"]
