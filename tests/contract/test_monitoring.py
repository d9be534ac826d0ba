"""The listener for those who run the bank: apart from the doors, and right for all processes."""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from tests.contract.running import TLS, free_port, server, sesame
from tests.contract.test_serve import bank_settings

_KEY = "a bearer key that nobody else has"
_HEADERS = {"Authorization": f"Bearer {_KEY}", "X-Forwarded-Proto": "https"}
_PATIENCE = 120.0


@dataclass
class Watched:
    """A server of three processes, and where it is watched."""

    port: int
    monitoring: int

    def attempt(self, number: int) -> None:
        """Present a code for a user code of its own, over a connection of its own."""
        asked = {"user_code": f"NEMO{number:04d}", "code": "40000001"}
        path = f"http://127.0.0.1:{self.port}/api/v1/verifications"
        answer = httpx.post(path, json=asked, headers=_HEADERS, verify=TLS, timeout=60)
        assert answer.json() == {"outcome": "refused"}

    def get(self, path: str) -> httpx.Response:
        """What is said on the listener's *path*."""
        return httpx.get(f"http://127.0.0.1:{self.monitoring}{path}", verify=TLS, timeout=60)

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Each sample of *name*, as Prometheus reads it."""
        families = parsed(self.get("/metrics").text)
        found = [sample for family in families for sample in family.samples]
        return [(sample.labels, sample.value) for sample in found if sample.name == name]

    def refused(self) -> float:
        """How many attempts were refused, by all processes."""
        return sum(
            value
            for labels, value in self.samples("sesame_attempts_total")
            if labels["outcome"] == "refused"
        )

    def processes(self) -> set[int]:
        """Those that tell of themselves."""
        return {int(labels["process"]) for labels, _ in self.samples("process_open_fds")}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """On SQLite, once its three processes are there."""
    port = free_port()
    watched = Watched(port, port + 1)
    settings = bank_settings(
        tmp_path_factory.mktemp("watched"),
        port,
        api_keys=f'{{ desk = "{hashlib.sha256(_KEY.encode()).hexdigest()}" }}',
        monitoring=f"{{ port = {watched.monitoring} }}",
    )
    with server(settings, port, workers=3):
        _until(lambda: len(watched.processes()) == 3)
        yield watched


def _until(holds: Callable[[], bool]) -> None:
    """Wait until it *holds*."""
    until = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_several_processes_are_counted_together(watched: Watched) -> None:
    """Whoever of them is asked; what one counted that was killed is not lost, nor counted twice."""
    assert watched.get("/live").json() == {"live": True}
    _until(lambda: watched.get("/ready").status_code == 200)
    assert watched.get("/ready").json()["stage"] == "serving"
    for number in range(30):
        watched.attempt(number)
    _until(lambda: watched.refused() == 30)
    assert {watched.refused() for _ in range(6)} == {30}
    time.sleep(1.1)  # each has told what it counted
    killed = min(watched.processes())
    os.kill(killed, signal.SIGKILL)
    _until(lambda: len(watched.processes() - {killed}) == 3)
    assert {watched.refused() for _ in range(6)} == {30}
    watched.attempt(30)
    _until(lambda: watched.refused() == 31)


def test_it_is_not_on_the_customers_port(watched: Watched) -> None:
    """There is one bare address, which says yes or no; and no other on the listener."""
    public = f"http://127.0.0.1:{watched.port}"
    for path in ("/metrics", "/live", "/ready"):
        page = httpx.get(public + path, headers=_HEADERS, verify=TLS)
        assert page.status_code == 404
        assert "sesame_" not in page.text
    _until(lambda: httpx.get(f"{public}/sante", verify=TLS).status_code == 200)
    bare = httpx.get(f"{public}/sante", verify=TLS)  # as a balancer asks: by plain http
    assert bare.text == ""
    assert set(bare.headers) <= {"date", "content-length", "cache-control"}
    for path in ("/", "/acces/sesame", "/api/v1/verifications", "/sante"):
        assert watched.get(path).status_code == 404


def test_it_answers_while_the_doors_are_full(tmp_path: Path) -> None:
    """A thousand connections that say nothing take every place at the doors."""
    port = free_port()
    watched = Watched(port, port + 1)
    settings = bank_settings(tmp_path, port, monitoring=f"{{ port = {watched.monitoring} }}")
    with server(settings, port):
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(1000)]
        try:
            turned_away = httpx.get(f"http://127.0.0.1:{port}/sante", verify=TLS)
            assert turned_away.status_code == 503
            assert watched.get("/live").status_code == 200
            assert watched.get("/ready").status_code == 200
        finally:
            for one in crowd:
                one.close()


def test_its_port_may_be_another_programs(tmp_path: Path) -> None:
    """One sentence, before anything is served."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        busy = taken.getsockname()[1]
        settings = bank_settings(tmp_path, free_port(), monitoring=f"{{ port = {busy} }}")
        refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert str(busy) in refused.stderr
    assert "Traceback" not in refused.stderr
