"""Where the bank's database stands in a run, and what befalls it there.

A file; a PostgreSQL, which is killed, whose sessions are ended and whose wires break; or a primary
and its standby, of which the primary dies and the standby takes its place.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Connection, delete, insert, select

from sesame.store.engine import open_database
from sesame.store.metadata import METADATA
from sesame.store.schema import migrate
from tests.history import town
from tests.postgresql import Cluster, new_folder, remove
from tests.wire import Break, Wire

Deed = Callable[[random.Random], Awaitable[None]]
Row = Mapping[str, Any]

_DATABASE = "bank"
_NAPS = (0.05, 0.4)  # seconds that a trouble lasts
_CANCELS = 20
_PAIR = """
synchronous_standby_names = '*'
wal_keep_size = 64MB
hot_standby = on
"""


class Stage(Protocol):
    """A place for a run, while it is open."""

    url: str  # of the database, for whoever nothing befalls
    goes_on: bool  # whether what a killed process asked for may still be done

    @property
    def deeds(self) -> Mapping[str, Deed]:
        """What may befall it, by name; each returns when it is over."""
        ...

    async def way(self, address: str) -> str:
        """The URL for the server at *address*, whose connections have a way of their own."""
        ...

    async def gone(self, address: str) -> None:
        """Wait until nothing goes on in the database that a killed server asked for."""
        ...

    async def keep(self, folder: Path) -> None:
        """Leave all rows in the file that the checker reads, in *folder*.

        Raises:
            DeadlockSeen: there was one.
        """
        ...


class DeadlockSeen(Exception):
    """The database had to end a deadlock."""


Opening = Callable[[Path], AbstractAsyncContextManager[Stage]]


class _OnFile:
    """One SQLite file in the folder of the run. What befalls it is its servers' affair."""

    goes_on = False
    deeds: Mapping[str, Deed] = {}

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / town.FILE}"

    async def way(self, _address: str) -> str:
        return self.url

    async def gone(self, _address: str) -> None:
        """A process that is gone writes to no file."""

    async def keep(self, _folder: Path) -> None:
        """There it is."""


@asynccontextmanager
async def on_file(folder: Path) -> AsyncIterator[Stage]:
    """The stage of a bank on SQLite."""
    yield _OnFile(folder)


# ── One PostgreSQL ───────────────────────────────────────────────────────────────────────────────


class _OnServer:
    goes_on = True

    def __init__(self, primary: Cluster) -> None:
        self.primary = primary
        self.url = primary.url(_DATABASE)
        self.ways: dict[str, Wire] = {}

    @property
    def deeds(self) -> Mapping[str, Deed]:
        return {
            "database stopped at once": self._stopped,
            "database killed": self._killed,
            "sessions ended": self._sessions_ended,
            "statements cancelled": self._statements_cancelled,
            "wires broken": self._wires_broken,
            "a row held": self._row_held,
        }

    async def way(self, address: str) -> str:
        if address not in self.ways:
            self.ways[address] = Wire(
                self.primary.folder / f"w{len(self.ways)}", self.primary.folder
            )
            await self.ways[address].open()
        return self.ways[address].url(self.url)

    async def gone(self, address: str) -> None:
        await self.ways[address].quiet()

    async def keep(self, folder: Path) -> None:
        await asyncio.to_thread(self._look_for_deadlocks, self.primary)
        await copy(self.url, folder / town.FILE)

    async def close(self) -> None:
        for wire in self._wires:
            await wire.close()

    @property
    def _wires(self) -> list[Wire]:
        return list(self.ways.values())

    def _look_for_deadlocks(self, cluster: Cluster) -> None:
        # Counts are forgotten when a server dies; what it wrote down is not.
        if "deadlock detected" in (cluster.folder / "log").read_text(encoding="utf-8"):
            raise DeadlockSeen(f"{cluster.folder.name}: deadlock detected, see its log")

    async def _stopped(self, chance: random.Random) -> None:
        await asyncio.to_thread(self.primary.stop, "immediate")
        await asyncio.sleep(chance.uniform(*_NAPS))
        await asyncio.to_thread(self.primary.start)

    async def _killed(self, chance: random.Random) -> None:
        await asyncio.to_thread(self.primary.kill)
        await asyncio.sleep(chance.uniform(*_NAPS))
        await asyncio.to_thread(self.primary.start)

    async def _sessions_ended(self, _chance: random.Random) -> None:
        await self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'sesame' AND random() < 0.5"
        )

    async def _statements_cancelled(self, chance: random.Random) -> None:
        for _ in range(_CANCELS):
            await self.ask(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'sesame' AND state = 'active'"
            )
            await asyncio.sleep(chance.uniform(0, 0.01))

    async def _wires_broken(self, chance: random.Random) -> None:
        wires = self._wires
        for wire in chance.sample(wires, len(wires) // 2 + 1):
            kinds = (Break.BEFORE, Break.ON_ITS_WAY, Break.AFTER)
            wire.breaks.extend(chance.choices(kinds, k=2))
        await asyncio.sleep(chance.uniform(*_NAPS))

    async def _row_held(self, chance: random.Random) -> None:
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            async with connection.transaction():
                person = chance.choice(town.people())
                query = "SELECT FROM access WHERE user_code = $1 FOR UPDATE"
                await connection.fetch(query, person.user_code)
                await asyncio.sleep(chance.uniform(*_NAPS))
        finally:
            await connection.close()

    async def ask(self, query: str) -> list[Any]:
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()


def on_server(settings: str = "") -> Opening:
    """The stage of a bank on one PostgreSQL."""

    @asynccontextmanager
    async def opened(_folder: Path) -> AsyncIterator[Stage]:
        cluster = await asyncio.to_thread(Cluster, new_folder())
        try:
            cluster.set(settings)
            await asyncio.to_thread(cluster.start)
            await asyncio.to_thread(cluster.psql, f"CREATE DATABASE {_DATABASE}")
            stage = _OnServer(cluster)
            try:
                yield stage
            finally:
                await stage.close()
        finally:
            await asyncio.to_thread(remove, cluster)

    return opened


# ── A primary and its standby ────────────────────────────────────────────────────────────────────


class _OnPair(_OnServer):
    """Two slots, in each of which stands a primary, a standby, or a dead one.

    A server's URL names both, and it looks for the one that writes.
    """

    def __init__(self, primary: Cluster) -> None:
        super().__init__(primary)
        self.standby: Cluster | None = None
        self.slots: tuple[list[Wire], list[Wire]] = ([], [])
        self.slot = 0  # the primary's
        self.link: Wire | None = None  # between them
        self.clusters = [primary]
        self._folder = new_folder()  # of the wires, which outlive their servers

    @property
    def deeds(self) -> Mapping[str, Deed]:
        return {
            "fail-over": self._change,
            "fail-over from behind": self._fail_over_from_behind,
            "link stalled": self._link_stalled,
            "sessions ended": self._sessions_ended,
            "statements cancelled": self._statements_cancelled,
            "wires broken": self._wires_broken,
        }

    async def way(self, address: str) -> str:
        number = len(self.slots[0])
        for slot, wires in enumerate(self.slots):
            cluster = self.primary if slot == self.slot else self.standby
            assert cluster is not None
            wires.append(Wire(self._folder / f"{slot}-{number}", cluster.folder))
            await wires[-1].open()
        self.ways[address] = self.slots[0][-1]
        hosts = ",".join(str(wires[-1].folder) for wires in self.slots)
        return f"{self.url.partition('?')[0]}?host={hosts}&target_session_attrs=read-write"

    async def gone(self, address: str) -> None:
        number = list(self.ways).index(address)
        for wires in self.slots:
            await wires[number].quiet()

    async def close(self) -> None:
        await super().close()
        if self.link is not None:
            await self.link.close()
        for cluster in self.clusters:
            await asyncio.to_thread(remove, cluster)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _wires(self) -> list[Wire]:
        return [wire for wires in self.slots for wire in wires]

    async def with_a_standby(self) -> None:
        """Make a standby of the primary, for which every commit waits from then on."""
        self.link = Wire(self._folder / f"link-{len(self.clusters)}", self.primary.folder)
        await self.link.open()
        standby = await asyncio.to_thread(Cluster, new_folder(), copied_from=self.link.folder)
        self.clusters.append(standby)
        standby.set(_PAIR)
        await asyncio.to_thread(standby.start)
        self.standby = standby

    async def _fail_over_from_behind(self, chance: random.Random) -> None:
        """What the standby never got was never answered."""
        assert self.link is not None
        self.link.stall()
        await asyncio.sleep(chance.uniform(*_NAPS))
        await self._change(chance)

    async def _change(self, chance: random.Random) -> None:
        """The primary dies and is never written again; the standby takes its place."""
        assert self.standby is not None
        assert self.link is not None
        old, new = self.primary, self.standby
        if chance.random() < 1 / 2:
            await asyncio.to_thread(old.kill)
        else:
            await asyncio.to_thread(old.stop, "immediate")
        for wire in self.slots[self.slot]:
            await wire.close()
        await asyncio.to_thread(self._look_for_deadlocks, old)
        old.destroy()
        await self.link.close()
        await asyncio.to_thread(new.promote)
        self.primary, self.slot = new, 1 - self.slot
        self.url = new.url(_DATABASE)
        await self.with_a_standby()
        for wire in self.slots[1 - self.slot]:
            wire.to = self.standby.folder
            await wire.open()

    async def _link_stalled(self, chance: random.Random) -> None:
        assert self.link is not None
        self.link.stall()
        await asyncio.sleep(chance.uniform(*_NAPS))
        self.link.move()


@asynccontextmanager
async def on_pair(_folder: Path) -> AsyncIterator[Stage]:
    """The stage of a bank on a primary and its standby, for which each commit waits."""
    primary = await asyncio.to_thread(Cluster, new_folder())
    stage = _OnPair(primary)
    try:
        await asyncio.to_thread(primary.start)
        await asyncio.to_thread(primary.psql, f"CREATE DATABASE {_DATABASE}")
        primary.set(_PAIR)
        await asyncio.to_thread(primary.reload)
        await stage.with_a_standby()
        yield stage
    finally:
        await stage.close()


STAGES: Mapping[str, Opening] = {
    "sqlite": on_file,
    "postgresql": on_server(),
    "pair": on_pair,
}


async def copy(url: str, path: Path) -> None:
    """Copy all rows of the database of *url* into a new file."""

    def read(connection: Connection) -> dict[str, list[Row]]:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in METADATA.sorted_tables
        }

    def write(connection: Connection, rows: Mapping[str, list[Row]]) -> None:
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))  # a new database has begun a life of its own
            if rows[table.name]:
                connection.execute(insert(table), rows[table.name])

    await asyncio.to_thread(migrate, f"sqlite:///{path}")
    there, here = open_database(url), open_database(f"sqlite:///{path}")
    try:
        rows = await there.read(read)
        await here.write(lambda connection: write(connection, rows))
    finally:
        await there.close()
        await here.close()
