"""A load generator: so many clients, each sends its next request when the last is answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

_SHORT = 100  # bytes


@dataclass(slots=True)
class Measured:
    """What a run gave: answers by status and by short body, seconds for all and for each one."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: Counter[bytes] = field(default_factory=Counter)  # pages are left out
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """The latency in milliseconds that *part* (0 to 1) of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


async def run(port: int, requests: Sequence[bytes], clients: int) -> Measured:
    """Send *requests* over *clients* connections that stay open; HTTP/1.1."""
    measured = Measured()
    todo = iter(requests)
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: _Client(todo, measured), "127.0.0.1", port)
        for _ in range(clients)
    ]
    started = time.perf_counter()
    await asyncio.gather(*(protocol.go() for _, protocol in connections))
    measured.seconds = time.perf_counter() - started
    return measured


class _Client(asyncio.Protocol):
    """One connection. Reads just enough of an answer to know its status and its end."""

    def __init__(self, todo: Iterator[bytes], measured: Measured) -> None:
        self._todo = todo
        self._measured = measured
        self._received = b""
        self._sent_at = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def go(self) -> None:
        self._send_next()
        await self._done

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._measured.latencies.append(time.perf_counter() - self._sent_at)
        self._measured.statuses[int(head[9:12])] += 1
        if len(body) < _SHORT:
            self._measured.bodies[body] += 1
        self._received = b""
        self._send_next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("the server closed the connection"))

    def _send_next(self) -> None:
        request = next(self._todo, None)
        if self._transport is None or request is None:
            self._done.set_result(None)
            if self._transport is not None:
                self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
