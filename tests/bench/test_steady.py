"""The steady load ends, whatever becomes of the server."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import pytest

from bench import steady
from bench.population import Holder
from bench.servers import ServerEnded, free_port, running
from sesame.bank.user_code import UserCode
from sesame.emv.keys import DesKey

_REQUEST = b"GET / HTTP/1.1\r\n\r\n"
_ACCEPTED = '{"outcome":"accepted"}'
_ANSWERS = rf"""
import socket, sys
body = {_ACCEPTED!r}.encode()
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
left = int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while left:
    connection, _ = listener.accept()
    while left and connection.recv(4096):
        connection.sendall(answer)
        left -= 1
sys.exit("out of answers")
"""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load of less than a second, of one client."""
    monkeypatch.setattr(steady, "_CLIENTS", 1)
    monkeypatch.setattr(steady, "_CAPACITY", 0.1)
    monkeypatch.setattr(steady, "_WARM", 0.1)


async def test_a_server_that_is_not_there_is_counted() -> None:
    """Every login has an error, and its client asks again."""
    clients = [steady.Client(free_port())]
    async with asyncio.timeout(60):
        seen = await steady.at_their_times(
            clients, repeat(_REQUEST), lambda: False, rate=1000, seconds=0.01
        )
    assert seen.errors == {"ConnectionRefusedError": 10}
    assert not seen.latencies


async def _load(answer: bytes) -> pytest.ExceptionInfo[ExceptionGroup[Exception]]:
    """What ends a load on a server that says *answer*, or nothing, to whoever asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (reader.readline() if answer else reader.read())
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(60):
        clients = [steady.Client(server.sockets[0].getsockname()[1])]
        with pytest.raises(ExceptionGroup) as failure:
            await steady.at_their_times(
                clients, repeat(_REQUEST), lambda: False, rate=1000, seconds=0.01
            )
        await clients[0].close()
    return failure


async def test_an_answer_that_is_none_ends_the_load() -> None:
    """An error that nobody thought of is not passed over."""
    failure = await _load(b"HTTP/1.1 200 OK\r\n\r\n")
    assert failure.group_contains(ValueError, match="invalid literal")


async def test_a_server_that_stands_still_ends_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the load would wait for ever."""
    monkeypatch.setattr(steady, "_PATIENCE", 0.1)
    failure = await _load(b"")
    assert failure.group_contains(TimeoutError, match="has not answered")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("answers", [0, 20])
async def test_a_server_that_ends_ends_the_run(answers: int) -> None:
    """And the failure says how."""
    port = free_port()
    command = [sys.executable, "-c", _ANSWERS, str(port), str(answers + 1)]
    with pytest.raises(ServerEnded, match="ends with:\nout of answers"):
        await _measure(command, port, minutes=60)


@pytest.mark.usefixtures("short")
async def test_a_short_run_says_that_it_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    """Memory that was looked at once does not grow."""
    port = free_port()
    command = [sys.executable, "-c", _ANSWERS, str(port), "1000000"]
    await _measure(command, port, minutes=0.001)
    said = capsys.readouterr().out
    assert "memory of the servers: too short to say" in said
    assert "errors: none" in said


@pytest.mark.usefixtures("short")
async def test_a_run_without_an_acceptance_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is no load."""
    monkeypatch.setattr(sys.modules[__name__], "_ANSWERS", _ANSWERS.replace("accepted", "refused"))
    port = free_port()
    command = [sys.executable, "-c", _ANSWERS, str(port), "1000000"]
    assert not await _measure(command, port, minutes=60)
    assert 'not one login was accepted: {\'{"outcome":"refused"}\'' in capsys.readouterr().out


def test_a_part_of_the_run_without_an_acceptance() -> None:
    """It has no percentiles."""
    assert steady.latencies(steady.Seen(1.0)) == "not one login was accepted"


def test_memory_that_grows() -> None:
    """A slope is that of all looks."""
    looks = [(0.0, 100.0), (1800.0, 101.0), (3600.0, 102.0)]
    assert steady.memory(looks).endswith("at most 102.0 MB; +2.0 MB an hour")


async def _measure(command: list[str], port: int, *, minutes: float) -> bool:
    holders = [Holder(UserCode("00000000"), DesKey(bytes(range(16))))]
    said = steady.Settings(database=None, minutes=minutes, workers=1, part=0.5)
    with running(command, port) as server:
        async with asyncio.timeout(60):
            return await steady.measure(server, port, holders, said)


def test_stopped_from_outside_it_leaves_nothing(tmp_path: Path) -> None:
    """Neither its server nor its folder."""
    run = subprocess.Popen(
        [sys.executable, "-m", "bench.steady", "--minutes", "1"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not (serving := list(tmp_path.glob("sesame steady */settings-*.toml"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    port = int(serving[0].stem.rpartition("-")[2])
    while not _answers(port):
        assert time.monotonic() < end
        time.sleep(0.05)
    run.terminate()
    assert run.wait(60) == 1
    assert not list(tmp_path.iterdir())
    assert not _answers(port)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
