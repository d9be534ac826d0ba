"""A wire between a server of ours and PostgreSQL, which breaks when it is told to.

It reads along (PostgreSQL's protocol, version 3), so that it can break at the step of an access
row: before it arrives, once it is on its way, or when it is committed and nobody was told yet.
"""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, unique
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
_STEP = b"swapped AS"  # stands in the statements that take steps, and in no other
_CANCEL = 80877102  # the code of a request to cancel, which is all that its connection says
_ERROR = b"E"


@unique
class Break(Enum):
    """Where the wire breaks for one step."""

    BEFORE = "before it arrives"
    ON_ITS_WAY = "on its way"  # it arrives, and nobody waits for what comes of it
    AFTER = "after its commit"  # the answer that was sent does not arrive
    HELD = "held after its commit"  # the answer waits until `release`, or until its client is gone


class Wire:
    """Listens in *folder* and speaks to the server whose socket is in the folder *to*."""

    def __init__(self, folder: Path, to: Path) -> None:
        self.folder = folder
        self.to = to
        self.breaks: deque[Break] = deque()  # for the steps that come
        self.broken = 0  # how often it did
        self.held = asyncio.Event()  # an answer waits
        self.stalled = False  # nothing passes in either way, and no connection breaks
        self._released = asyncio.Event()
        self._moved = asyncio.Event()
        self.clients: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def url(self, url: str) -> str:
        """*url*, by way of this wire."""
        return f"{url.partition('?')[0]}?host={self.folder}"

    async def open(self) -> None:
        """Listen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Whoever speaks PostgreSQL's own programs may be another user.
        self.folder.chmod(0o755)
        self._server = await asyncio.start_unix_server(self._accepted, self.folder / SOCKET)
        (self.folder / SOCKET).chmod(0o777)

    async def close(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._server is not None:
            # asyncio forgets a socket that it has accepted when its server is closed meanwhile.
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0.01)
            self._server.close()
            self._server = None
            (self.folder / SOCKET).unlink(missing_ok=True)
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed by the loop

    async def quiet(self) -> None:
        """Wait until PostgreSQL has no session left of those that came by here."""
        while self._talks:
            await asyncio.wait(self._talks)

    def announce(self, message: bytes) -> None:
        """Say something in the server's name on every connection, and nothing more."""
        for writer in self.clients:
            writer.write(message)

    def release(self) -> None:
        """Let the answer pass that was held."""
        self._released.set()

    def move(self) -> None:
        """Let pass again what was stalled."""
        self.stalled = False
        self._moved.set()

    def stall(self) -> None:
        """Let nothing pass until `move`."""
        self.stalled = True
        self._moved.clear()

    async def pass_(self) -> None:
        """Wait while the wire is stalled."""
        if self.stalled:
            await self._moved.wait()

    async def hold(self, gone: asyncio.Event) -> bool:
        """Hold an answer; whether it may pass in the end."""
        self.held.set()
        waits = [asyncio.create_task(e.wait()) for e in (self._released, gone)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        self.held.clear()
        passes = self._released.is_set()
        self._released.clear()
        return passes

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(_Talk(self, reader, writer).run())
        self._talks.add(talk)
        self.clients.add(writer)

        def over(_talk: "asyncio.Task[None]") -> None:
            # Here, for a talk that is cancelled before its first step never runs.
            self._talks.discard(talk)
            self.clients.discard(writer)
            writer.transport.abort()

        talk.add_done_callback(over)


class _Talk:
    """One connection and its two ways."""

    def __init__(
        self, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._wire = wire
        self._client = (reader, writer)
        self._steps: set[bytes] = set()  # names of prepared statements
        self._asked: deque[Break | None] = deque()  # for each answer that is to come
        self._gone = asyncio.Event()  # the client is

    async def run(self) -> None:
        with suppress(OSError):  # PostgreSQL is not there
            server = await asyncio.open_unix_connection(self._wire.to / SOCKET)
            await self._talk(*self._client, *server)

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        back = asyncio.create_task(self._back_until_its_end(from_server, writer))
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._forth(reader, to_server)
            self._gone.set()
            with suppress(OSError):
                to_server.write_eof()
            await back  # until its session has ended, and whatever it was doing
        finally:
            back.cancel()
            to_server.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(8)
        length, code = struct.unpack(">II", start)
        to_server.write(start + await reader.readexactly(length - 8))
        if code == _CANCEL:
            return
        planned: Break | None = None
        while True:
            kind, message = await _message(reader)
            if kind == b"P":
                name, _, rest = message[5:].partition(b"\0")
                (self._steps.add if _STEP in rest else self._steps.discard)(name)
            elif kind == b"B" and message[5:].split(b"\0", 2)[1] in self._steps:
                planned = self._wire.breaks.popleft() if self._wire.breaks else None
                if planned is Break.BEFORE:
                    self._wire.broken += 1
                    self._client[1].transport.abort()
                    return
            await self._wire.pass_()
            to_server.write(message)
            await to_server.drain()
            if kind in b"SQ":
                self._asked.append(planned)
                if planned is Break.ON_ITS_WAY:
                    self._wire.broken += 1
                    self._client[1].transport.abort()
                    return
                planned = None

    async def _back_until_its_end(
        self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._back(from_server, writer)
        writer.close()

    async def _back(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        failed = False
        while True:
            kind, message = await _message(from_server)
            failed = failed or kind == _ERROR
            if kind == b"Z" and self._asked:
                planned = self._asked.popleft()
                if planned is Break.HELD and not await self._wire.hold(self._gone):
                    return
                if planned is Break.AFTER and not failed:
                    self._wire.broken += 1
                    writer.transport.abort()
                    continue
                failed = False
            await self._wire.pass_()
            if not writer.is_closing():
                writer.write(message)
                with suppress(ConnectionError):
                    await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The next message's kind, one byte, and the whole of it."""
    head = await reader.readexactly(5)
    (length,) = struct.unpack(">I", head[1:])
    return head[:1], head + await reader.readexactly(length - 4)


@asynccontextmanager
async def wired(folder: Path, to: Path) -> AsyncIterator[Wire]:
    """A wire in *folder* to the server of *to*, while the block runs."""
    wire = Wire(folder, to)
    await wire.open()
    try:
        yield wire
    finally:
        await wire.close()
        folder.rmdir()  # noqa: ASYNC240 -- no disk to wait for
