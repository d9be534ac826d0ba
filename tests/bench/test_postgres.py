"""The measurement's own PostgreSQL: why it was not made, and that it always ends."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import postgres
from bench.postgres import cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user reaches, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="sesame bench "))
    yield folder
    shutil.rmtree(folder)


def test_a_step_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines of the logs, which are deleted soon, stand in the failure."""
    initdb = tmp_path / "initdb"
    initdb.write_text('#!/bin/sh\necho no room; echo kept > "$2/server.log"; exit 3\n')
    initdb.chmod(0o700)
    monkeypatch.setattr(postgres, "find_programs", lambda: tmp_path)
    monkeypatch.setattr(postgres, "_unprivileged", lambda: None)
    with (
        pytest.raises(RuntimeError, match=r"(?s)initdb ended with status 3.*no room.*kept"),
        cluster(tmp_path),
    ):
        pytest.fail("it was not made")


@pytest.mark.needs("postgresql")
def test_a_backend_that_stands_still_does_not_keep_the_server(folder: Path) -> None:
    """Nothing runs on data that is deleted next."""
    with cluster(folder) as server:
        client = subprocess.Popen(
            [server.programs / "psql", "-X", "-q", "-A", "-t", server.url("postgres")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"SELECT pg_backend_pid();\n")
        client.stdin.flush()
        backend = int(client.stdout.readline())
        os.kill(backend, signal.SIGSTOP)
    assert not (server.folder / "postmaster.pid").exists()
    client.communicate(timeout=60)
