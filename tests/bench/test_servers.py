"""A measurement's server is stopped whatever it does, and its last words are not lost."""

import socket
import sys
from pathlib import Path

import pytest

from bench import servers
from bench.servers import ServerEnded, free_port, last_lines, running

_LISTEN = """
import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("I listen", flush=True)
"""
_STUBBORN = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{_LISTEN}
os.fork()
time.sleep(600)
"""
_NOT_UNDERSTOOD = ValueError("an answer was not understood")


def _command(program: str, port: int) -> list[str]:
    return [sys.executable, "-c", program, str(port)]


def test_a_server_that_does_not_come_up_says_why() -> None:
    """The last lines of what it said stand in the failure."""
    port = free_port()
    program = "print(*range(30), sep='\\n'); raise SystemExit('no room')"
    with pytest.raises(ServerEnded) as failure, running(_command(program, port), port):
        pytest.fail("it did not come up")
    said = str(failure.value).splitlines()
    assert said[-1] == "no room"
    assert "status 1" in said[-22]
    assert said[-20:-1] == [str(number) for number in range(11, 30)]


def test_a_server_that_ends_meanwhile_fails_the_measurement() -> None:
    """Also where the measurement itself saw nothing of it, or something else."""
    port = free_port()
    command = _command(f"{_LISTEN}\nlistener.accept()\nlistener.accept()[0].recv(1)", port)
    with pytest.raises(ServerEnded, match=r"(?s)status 0.*ends with:\nI listen"):
        _see_it_end(command, port, then=None)
    with pytest.raises(ServerEnded, match=r"(?s)status 0.*ends with:\nI listen") as failure:
        _see_it_end(command, port, then=_NOT_UNDERSTOOD)
    assert failure.value.__context__ is _NOT_UNDERSTOOD


def test_a_measurement_that_fails_quotes_its_servers(tmp_path: Path) -> None:
    """For the log may be deleted before anybody can read it."""
    port = free_port()
    log = tmp_path / "log"
    command = _command(f"{_LISTEN}\ntime.sleep(600)", port)
    with pytest.raises(ValueError, match="not understood") as failure:
        _fail_beside(command, port, log)
    assert failure.value.__notes__[0].endswith("\nlog ends with:\nI listen")
    assert log.read_text() == "I listen\n"


def test_what_a_server_says_does_not_go_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Also where nobody named a log."""
    port = free_port()
    with running(_command(f"{_LISTEN}\ntime.sleep(600)", port), port) as server:
        assert last_lines(server.log).endswith("I listen")
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_of_a_server_that_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed, and what it started with it."""
    monkeypatch.setattr(servers, "_STOPS", 0.1)
    port = free_port()
    with running(_command(_STUBBORN, port), port) as server:
        connection = socket.create_connection(("127.0.0.1", port))
    assert server.process.returncode == -9
    with connection:
        connection.settimeout(60)
        with pytest.raises(ConnectionResetError):  # nobody holds the socket
            connection.recv(1)


def _see_it_end(command: list[str], port: int, *, then: ValueError | None) -> None:
    with running(command, port) as server:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"!")
        server.process.wait(60)
        if then is not None:
            raise then


def _fail_beside(command: list[str], port: int, log: Path) -> None:
    with running(command, port, log=log):
        raise _NOT_UNDERSTOOD
