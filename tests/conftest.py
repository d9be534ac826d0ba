"""What all tests share: peers that may be missing, and how hypothesis searches.

A test that meets a peer says so with ``@pytest.mark.needs("chromium")``, a package of
requirements/system.txt. On a laptop a missing peer is a skip that names it; with CI=true any
skip, whatever its cause, is a failure.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from sesame.store.schema import migrate
from tests.places import Place
from tests.postgresql import Cluster, running_cluster
from tools.system_packages import read_list

_ROOT = Path(__file__).parent.parent
_IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

set_hypothesis_home_dir(_ROOT / ".cache" / "hypothesis")
# No deadline: a test never asserts times, and a laptop under load is slow for a while. CI tries
# the same examples of one source each time, so that no chance refuses it; laptops try others.
hypothesis.settings.register_profile(
    "sesame",
    deadline=None,
    derandomize=_IN_CI,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("sesame")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peer is missing, and name the peer."""
    packages = {package.name: package for package in read_list()}
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            package = packages.get(name)
            if package is None:
                pytest.fail(f"requirements/system.txt has no line for {name!r}", pytrace=False)
            if not package.present:
                pytest.skip(f"{name} is missing: apt-get install {name}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this process's tests; who uses it says that they need it."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def migrated_server(cluster: Cluster) -> Iterator[Place]:
    """A database on the tests' PostgreSQL, with tables; one after the other uses it."""
    name = cluster.new_database()
    migrate(cluster.url(name))
    place = Place(cluster.url(name))
    yield place
    place.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that was skipped has failed."""
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI, a file that was skipped whole has failed."""
    report = yield
    if _IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why pytest skipped, out of its (file, line, reason)."""
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
