"""The load generator counts what was answered, on connections that stay and that do not."""

import asyncio

import pytest

from bench.load import Timed, run

_REQUESTS = [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(20)]


@pytest.mark.parametrize(("more", "connections"), [(b"", 4), (b"Connection: close\r\n", 20)])
async def test_every_request_is_answered(more: bytes, connections: int) -> None:
    """Each once, also where a server closes after every answer; every other says yes."""
    seen: list[bytes] = []
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while asked := await reader.readline():
            await reader.readline()
            seen.append(asked)
            body = b"yes" if len(seen) % 2 else b"no!"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n%b\r\n" % more)
            await asyncio.sleep(0)  # the body comes by itself
            writer.write(body)
            if more:
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        measured = await run(port, _REQUESTS, 4, yes=b"yes")
    assert sorted(seen) == sorted(request.partition(b"\r\n")[0] + b"\r\n" for request in _REQUESTS)
    assert opened == connections
    assert measured.statuses == {200: 20}
    assert measured.saying_yes == 10
    assert len(measured.latencies) == 20


async def test_a_server_that_goes_away_is_an_error() -> None:
    """And not a smaller number of answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="closed"):
            await run(port, _REQUESTS, 1)


@pytest.mark.parametrize(
    ("answers", "part", "wanted"),
    [(100, 0.99, 99), (100, 0.5, 50), (100, 1, 100), (100, 0, 1), (4, 0.5, 2), (5, 0.5, 3)],
)
def test_a_percentile_is_the_nearest_rank(answers: int, part: float, wanted: int) -> None:
    """Of a hundred answers, one is longer than the 99th percentile."""
    timed = Timed(1.0, [number / 1000 for number in range(answers, 0, -1)])
    assert timed.percentile(part) == pytest.approx(wanted)


def test_no_answer_has_no_percentile() -> None:
    """And that is said."""
    with pytest.raises(ValueError, match="no answer"):
        Timed(1.0).percentile(0.5)
