"""Servers that a measurement starts, waits for and stops."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_COMES_UP = 60.0  # seconds


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[int]:
    """The process of *command*, from when it listens on *port*.

    What it says goes to *log*, where there is one.

    Raises:
        RuntimeError: it did not come up.
    """
    with (log or Path(os.devnull)).open("ab") as said:
        process = subprocess.Popen(
            command,
            env=os.environ | (environment or {}),
            stdout=said if log else None,
            stderr=said if log else None,
        )
    try:
        _wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _COMES_UP
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up")
