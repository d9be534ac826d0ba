"""Servers that a measurement starts, waits for and stops."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_COMES_UP = 60.0  # seconds
_STOPS = 15.0  # seconds; then it is killed
_LAST_LINES = 20
_END_OF_LOG = 16_384  # bytes in which the last lines are looked for


class ServerEnded(RuntimeError):
    """A server ended while it was needed; with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that was started, in a process group of its own, and the log of what it says."""

    command: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.process.poll() is not None

    def check(self) -> None:
        """Go on only while it runs.

        Raises:
            ServerEnded: it does not.
        """
        if self.ended():
            status = self.process.returncode
            raise ServerEnded(
                f"a server ended with status {status}: {self.command}\n{last_lines(self.log)}"
            )

    def stop(self) -> None:
        """End it, and everything that it started."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOPS)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int | Path,
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Server]:
    """The server of *command*, from when it listens on *port*, or on the socket of that path.

    What it says goes to *log*, or to a file that is gone afterwards. Where the measurement
    fails, the last lines stand in the failure.

    Raises:
        ServerEnded: it ended before it was stopped.
        RuntimeError: it did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="sesame server ") as folder:
        server = _start(command, environment or {}, log or Path(folder, "server.log"))
        try:
            _wait_for(port, server)
            yield server
            server.check()
        except ServerEnded:
            raise
        except Exception as error:
            if server.ended():
                server.check()
            error.add_note(f"beside this server: {server.command}\n{last_lines(server.log)}")
            raise
        finally:
            server.stop()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def last_lines(log: Path) -> str:
    """How *log* ends, for a failure; the folder that it is in may be gone when that is read."""
    end = b""
    if log.exists():
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _END_OF_LOG))
            end = file.read()
    lines = end.decode(errors="replace").splitlines()[-_LAST_LINES:]
    return "\n".join([f"{log.name} ends with:", *lines]) if lines else f"{log.name} is empty"


def _start(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Server:
    with log.open("ab") as said:
        process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    return Server(" ".join(map(str, command)), process, log)


def _wait_for(port: int | Path, server: Server) -> None:
    local = isinstance(port, Path)
    deadline = time.monotonic() + _COMES_UP
    while time.monotonic() < deadline:
        server.check()
        with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as probe:
            if probe.connect_ex(str(port) if local else ("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"a server did not listen on {port} within {_COMES_UP:g} s")
