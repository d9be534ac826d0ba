"""A load generator: so many clients, each sends its next request when the last is answered."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass(slots=True)
class Timed:
    """So many seconds, and in them answers, each with its own."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """The latency in milliseconds that *part* (0 to 1) of the answers did not exceed.

        The nearest rank: of a hundred, the 99th percentile is the 99th.

        Raises:
            ValueError: there was no answer.
        """
        if not self.latencies:
            raise ValueError("no answer came, so none has a latency")
        rank = max(1, math.ceil(part * len(self.latencies)))
        return 1000 * sorted(self.latencies)[rank - 1]


@dataclass(slots=True)
class Measured(Timed):
    """What a run gave."""

    own_seconds: float = 0.0  # of processor time that the generator took itself
    statuses: Counter[int] = field(default_factory=Counter)
    saying_yes: int = 0  # answers in whose body the words stand that were looked for


async def run(port: int, requests: Sequence[bytes], clients: int, *, yes: bytes = b"") -> Measured:
    """Send *requests* from so many *clients*; HTTP/1.1. *yes* is what an acceptance says.

    Connections stay open. Where a server closes its own after an answer, the next request
    opens another, and its latency begins there.
    """
    measured = Measured()
    todo = iter(requests)
    callers = [_Client(port, todo, measured, yes) for _ in range(clients)]
    await asyncio.gather(*(caller.connect() for caller in callers))
    started, own = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller.go() for caller in callers))
    measured.seconds = time.perf_counter() - started
    measured.own_seconds = time.process_time() - own
    return measured


class _Client(asyncio.Protocol):
    """One client. Reads just enough of an answer to know its status and its end."""

    def __init__(self, port: int, todo: Iterator[bytes], measured: Measured, yes: bytes) -> None:
        self._port = port
        self._todo = todo
        self._measured = measured
        self._yes = yes
        self._received = b""
        self._sent_at = 0.0
        self._closes = False  # the server said that it will
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._again: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self._loop.create_connection(lambda: self, "127.0.0.1", self._port)

    async def go(self) -> None:
        self._send_next()
        await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        if len(body) < _content_length(lowered):
            return
        self._measured.latencies.append(time.perf_counter() - self._sent_at)
        self._measured.statuses[int(head[9:12])] += 1
        self._measured.saying_yes += self._yes in body
        self._received = b""
        self._closes = b"connection: close" in lowered
        if not self._closes:
            self._send_next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._done.done():
            return
        if self._closes:
            self._again = self._loop.create_task(self._send_anew())
        else:
            self._done.set_exception(ConnectionError("the server closed the connection"))

    async def _send_anew(self) -> None:
        """The next request on a new connection."""
        request = next(self._todo, None)
        if request is None:
            self._done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        try:
            await self.connect()
        except OSError as error:
            self._done.set_exception(error)
            return
        self._closes = False
        self._write(request)

    def _send_next(self) -> None:
        request = next(self._todo, None)
        if request is None:
            self._done.set_result(None)
            if self._transport is not None:
                self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._write(request)

    def _write(self, request: bytes) -> None:
        if self._transport is None:
            self._done.set_exception(ConnectionError("the server closed the connection"))
            return
        self._transport.write(request)


def _content_length(lowered: bytes) -> int:
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
