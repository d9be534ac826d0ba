"""Load that lasts: minutes at a part of what the servers can do, with an eye on their memory.

    python -m bench.steady [--database URL] [--minutes 30] [--workers 1] [--part 0.8]

Measures the capacity first, with as many clients as later. Then logins come at their own times,
whether those before were answered or not, so that a server that stands still is seen in the
latencies. Ends with 1 where a code was not accepted, or the load was too much, and before its time
where the server ends, or stands still for a minute. Without --database the bank is a new SQLite
file; a PostgreSQL database is empty before, and holds the bank afterwards.
"""

import argparse
import asyncio
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.load import Timed
from bench.population import API_KEY, Holder, Premises, populate, settings_file
from bench.servers import Server, free_port, last_lines, running
from sesame.store.groups import LARGEST_GROUP

_HOLDERS = 1000
_CLIENTS = 32
_CAPACITY = 20.0  # seconds in which it is measured
_WARM = 20.0  # seconds of load before memory is looked at
_KEPT_UP = 0.98  # of the rate that was sent
_PATIENCE = 60.0  # seconds without an answer, after which the run ends
_LOOK = 5.0  # seconds between two looks
_FEWEST_LOOKS = 2  # between which memory grows or not
_MB = 1 << 20
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said on the command line."""

    database: str | None
    minutes: float
    workers: int
    part: float


@dataclass(slots=True)
class Seen(Timed):
    """What came of the logins of one part of the run; the accepted ones are timed."""

    errors: Counter[str] = field(default_factory=Counter)


class Client:
    """One connection, and another one where the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> str:
        """The short body of the answer, or what was wrong.

        Raises:
            TimeoutError: the server stands still.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(request)
        except TimeoutError:
            raise TimeoutError(f"the server has not answered for {_PATIENCE:g} s") from None

    async def _ask(self, request: bytes) -> str:
        said = ""
        # A connection that was idle may be closed by now: then nothing was read of the request.
        for _ in range(2):
            try:
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                return (await reader.readexactly(int(length))).decode()
            except (OSError, asyncio.IncompleteReadError) as error:
                await self.close()
                said = type(error).__name__
        return said

    async def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with suppress(OSError):  # it may have broken before
                await writer.wait_closed()


def requests(holders: Sequence[Holder], port: int) -> Iterator[bytes]:
    """Fresh codes, the holders in turn, for ever."""
    for atc in count(1):
        for holder in holders:
            said = {"user_code": holder.user_code, "code": holder.code(atc).digits}
            body = json.dumps(said).encode()
            yield (
                f"POST /api/v1/verifications HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode() + body


async def as_many_as_possible(
    clients: Sequence[Client], todo: Iterator[bytes], ended: Callable[[], bool]
) -> Seen:
    """Each client sends its next one when the last is answered, until the server has *ended*."""
    seen = Seen()
    started = time.perf_counter()

    async def one(client: Client) -> None:
        while time.perf_counter() < started + _CAPACITY and not ended():
            began = time.perf_counter()
            _note(seen, await client.ask(next(todo)), time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(one(client))
    seen.seconds = time.perf_counter() - started
    return seen


async def at_their_times(
    clients: Sequence[Client],
    todo: Iterator[bytes],
    ended: Callable[[], bool],
    *,
    rate: float,
    seconds: float,
) -> Seen:
    """*rate* a second, whatever becomes of them, until the server has *ended*.

    A latency counts from when the login was due.
    """
    seen = Seen()
    free: asyncio.LifoQueue[Client] = asyncio.LifoQueue()
    for client in clients:
        free.put_nowait(client)
    started = time.perf_counter()

    async def one(due: float) -> None:
        client = await free.get()
        try:
            _note(seen, await client.ask(next(todo)), time.perf_counter() - due)
        finally:
            free.put_nowait(client)

    async with asyncio.TaskGroup() as under_way:
        for number in range(int(rate * seconds)):
            if ended():
                break
            due = started + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            under_way.create_task(one(due))
    seen.seconds = time.perf_counter() - started
    return seen


def _note(seen: Seen, said: str, latency: float) -> None:
    if said == '{"outcome":"accepted"}':
        seen.latencies.append(latency)
    else:
        seen.errors[said[:100]] += 1


async def watch(process: int, looks: list[tuple[float, float]]) -> None:
    """Note seconds and MB of *process* and its children, until cancelled."""
    started = time.perf_counter()
    while True:
        looks.append((time.perf_counter() - started, resident(process) / _MB))
        await asyncio.sleep(_LOOK)


def resident(process: int) -> int:
    """Bytes in memory of *process* and all below it."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
        below = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0
    return pages * _PAGE + sum(resident(int(child)) for child in below.split())


async def measure(server: Server, port: int, holders: Sequence[Holder], said: Settings) -> bool:
    """Measure, print, and say whether every code was accepted, and at its time.

    Raises:
        ServerEnded: the server did, meanwhile.
    """
    clients = [Client(port) for _ in range(_CLIENTS)]
    try:
        return await _measure(server, clients, requests(holders, port), said)
    finally:
        for client in clients:
            await client.close()


async def _measure(
    server: Server, clients: Sequence[Client], todo: Iterator[bytes], said: Settings
) -> bool:
    capacity = await as_many_as_possible(clients, todo, server.ended)
    server.check()
    if not capacity.latencies:
        print(f"not one login was accepted: {dict(capacity.errors)}")
        return False
    print(
        f"capacity: {capacity.rate:.0f} logins a second with {_CLIENTS} clients, "
        f"p99 {capacity.percentile(0.99):.1f} ms; {capacity.errors.total()} errors",
        flush=True,
    )
    rate = said.part * capacity.rate
    warm = await at_their_times(clients, todo, server.ended, rate=rate, seconds=_WARM)
    server.check()
    looks: list[tuple[float, float]] = []
    watching = asyncio.create_task(watch(server.process.pid, looks))
    steady = await at_their_times(clients, todo, server.ended, rate=rate, seconds=60 * said.minutes)
    watching.cancel()
    server.check()
    errors = capacity.errors + warm.errors + steady.errors
    print(
        f"load: {said.minutes:g} minutes at {rate:.0f} a second\n{latencies(steady)}\n"
        f"memory of the servers: {memory(looks)}\nerrors: {dict(errors) or 'none'}"
    )
    kept_up = steady.rate > _KEPT_UP * rate
    if not kept_up:
        print("the servers did not keep up: they can do less than when that was measured")
    return kept_up and not errors


def latencies(seen: Seen) -> str:
    """How many logins were accepted, and how long after they were due."""
    if not seen.latencies:
        return "not one login was accepted"
    return (
        f"{len(seen.latencies)} accepted, {seen.rate:.0f} a second\n"
        f"latency from when each was due: p50 {seen.percentile(0.50):.1f} ms, "
        f"p99 {seen.percentile(0.99):.1f} ms, longest {seen.percentile(1):.0f} ms"
    )


def memory(looks: Sequence[tuple[float, float]]) -> str:
    """What the *looks* (seconds, MB) say; whether it grows takes two of them."""
    if len(looks) < _FEWEST_LOOKS:
        return f"too short to say; it is looked at every {_LOOK:g} s"
    slope = statistics.linear_regression(*zip(*looks, strict=True)).slope * 3600
    return (
        f"{looks[0][1]:.1f} MB at the start, {looks[-1][1]:.1f} MB at the end, "
        f"at most {max(mb for _, mb in looks):.1f} MB; {slope:+.1f} MB an hour"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.steady")
    parser.add_argument("--database", help="the URL of an empty database; default: a new file")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--part", type=float, default=0.8, help="of the capacity")
    said = Settings(**vars(parser.parse_args(arguments)))
    # Stopped from outside, it still stops its server and takes away what it made: as by Ctrl-C,
    # for then asyncio cancels what runs, where an exception in one task would leave the others.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    folder = Path(tempfile.mkdtemp(prefix="sesame steady "))
    at = Premises.on_sqlite(folder) if said.database is None else Premises(folder, said.database)
    port = free_port()
    try:
        holders = asyncio.run(populate(at, _HOLDERS))
        settings = settings_file(at, port=port, largest_group=LARGEST_GROUP)
        serve = [sys.executable, "-m", "sesame", "serve", "--settings", str(settings)]
        command = [*serve, "--workers", str(said.workers)]
        log = folder / "server.log"
        with running(command, port, log=log) as server:
            all_accepted = asyncio.run(measure(server, port, holders, said))
        if not all_accepted:
            print(last_lines(log))
    except KeyboardInterrupt:
        return 1
    finally:
        shutil.rmtree(folder)
    return 0 if all_accepted else 1


if __name__ == "__main__":
    sys.exit(main())
