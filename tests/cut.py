"""A wire to PostgreSQL that can be cut: before a statement arrives, or before its answer does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"
_PIECE = 65536


class Cut(Enum):
    """What happens to the next thing that a client says."""

    NOT = auto()
    BEFORE = auto()  # it does not arrive
    AFTER = auto()  # it arrives, and the answer is lost


class Wire:
    """Carries what is said between a store and the server of *behind*, in a folder of its own."""

    def __init__(self, behind: Path, folder: Path) -> None:
        self.folder = folder
        self.cut = Cut.NOT
        self._behind = str(behind / _SOCKET)
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def url(self, url: str) -> str:
        """*url*, by way of this wire."""
        return f"{url.partition('?')[0]}?host={self.folder}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks[task] = writer
        from_server, to_server = await asyncio.open_unix_connection(self._behind)
        lost = False

        async def forth() -> None:
            nonlocal lost
            while said := await reader.read(_PIECE):
                if self.cut is Cut.BEFORE:
                    break
                lost = self.cut is Cut.AFTER
                to_server.write(said)
                await to_server.drain()

        async def back() -> None:
            while said := await from_server.read(_PIECE):
                if lost:
                    self.cut = Cut.NOT
                    break
                writer.write(said)
                await writer.drain()

        ways = [asyncio.create_task(forth()), asyncio.create_task(back())]
        try:
            with suppress(ConnectionError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            if self.cut is Cut.BEFORE:
                self.cut = Cut.NOT
            for end in (writer, to_server):
                end.close()
            del self._talks[task]

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        self.folder.mkdir()
        server = await asyncio.start_unix_server(self._talk, self.folder / _SOCKET)
        try:
            yield
        finally:
            server.close()
            for writer in self._talks.values():
                writer.close()
            await asyncio.gather(*self._talks)
            await server.wait_closed()


@asynccontextmanager
async def wired(behind: Path, folder: Path) -> AsyncIterator[Wire]:
    """A wire to the server whose socket stands in *behind*, while the block runs."""
    wire = Wire(behind, folder)
    async with wire._listening():  # noqa: SLF001 -- of its own module
        yield wire
