"""Runs: clients at banks in this process, or at servers of their own that are killed.

On whichever stage: a file, a PostgreSQL, a primary and its standby (`tests.history.stages`).
"""

import asyncio
import multiprocessing
import os
import random
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from ctypes import c_longlong
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from sesame.app import build_asgi
from sesame.settings import read_settings
from tests.contract.running import SESAME, TLS, free_port
from tests.history import server, stages, town
from tests.history.checker import History
from tests.history.clients import World, everybody
from tests.history.faults import planted
from tests.history.model import DESIGN
from tests.history.records import Log
from tests.history.stages import Opening, Stage, on_file
from tests.postgresql import lives

_UP = 60.0  # seconds for a server to come up
_BUSY = 3  # requests that a server has when it is best killed
_LOOKS = 500  # before any other moment will do
_ERA = 3  # kills, before others come
_PROGRAM = "the-program"  # a file in the folder of a run under the design's own limits
_AFTERWARDS = 0.5  # seconds in which nobody is killed

# Forked from a process that has everything loaded: a server is back within a blink.
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["tests.history.server", "uvloop", "httptools"])


async def in_process(  # noqa: PLR0913 -- what a run is, by name
    folder: Path,
    seed: int,
    *,
    steps: int,
    fault: str | None = None,
    banks: int = 3,
    url: str | None = None,
) -> History:
    """Clients at *banks*, without a network between them, on a file or the database of *url*."""
    file = f"sqlite:///{folder / town.FILE}"
    await town.populate(folder, url or file)
    settings = read_settings(town.settings(folder, 8000))
    with planted(fault):
        opened = [town.open_bank(url or file) for _ in range(banks)]
        servers: dict[str, httpx.AsyncBaseTransport] = {
            f"bank-{n}": httpx.ASGITransport(build_asgi(settings, bank), raise_app_exceptions=False)
            for n, bank in enumerate(opened)
        }
        await everybody(World(seed, servers, folder / "logs", pace=0.02), steps)
        for bank in opened:
            await bank.store.close()
    if url is not None:
        await stages.copy(url, folder / town.FILE)
    return read(folder)


async def with_kills(  # noqa: PLR0913 -- what a run is, by name
    folder: Path,
    seed: int,
    *,
    kills: int,
    stage: Opening = on_file,
    count: int = 3,
    clocks: bool = False,
    fault: str | None = None,
) -> History:
    """Clients at *count* servers, until so many *kills* are done.

    Of a server; or, where the stage has more in store, of whatever stands there. *clocks*:
    now and then a server's clock is set as well.
    """
    async with stage(folder) as at:
        await town.populate(folder, at.url)
        servers = _Servers(folder, at, fault)
        async with _running(servers, count=count):
            world = _world(folder, seed, servers)
            await _while_they_come(world, _kill_often(servers, world, kills, clocks=clocks))
        await at.keep(folder)
    return read(folder)


async def with_kills_of_the_program(
    folder: Path, seed: int, *, kills: int, stage: Opening = on_file
) -> History:
    """The same at `sesame serve --workers 2` as it is: suspensions take a quarter of an hour.

    So after some seconds others come, whose access is new.
    """
    (folder / _PROGRAM).touch()
    chance = random.Random(f"{seed} workers")  # noqa: S311 -- the order of a test
    async with stage(folder) as at:
        await town.populate(folder, at.url, eras=kills // _ERA + 1)
        program = _Program(folder, at, chance)
        async with _running(program, count=2):
            world = _world(folder, seed, program)
            await _while_they_come(world, _kill_often(program, world, kills, era=_ERA))
        await at.keep(folder)
    return read(folder)


def read(folder: Path) -> History:
    """The history of the run that took place in *folder*."""
    rules = DESIGN if (folder / _PROGRAM).exists() else town.SHORT_RULES
    return town.read_history(folder, rules=rules)


def _world(folder: Path, seed: int, servers: "_Servers | _Program") -> World:
    transports = {address: httpx.AsyncHTTPTransport(verify=TLS) for address in servers.addresses}
    return World(seed, transports, folder / "logs")


async def _while_they_come(world: World, kill: Coroutine[None, None, None]) -> None:
    """Let everybody come until the killing is over, or one of the clients fails."""
    clients = asyncio.create_task(everybody(world, None))
    killing = asyncio.create_task(kill)
    try:
        await asyncio.wait([clients, killing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        world.over = True
        # What was stopped is started again before anything is taken away.
        await asyncio.gather(killing, return_exceptions=True)
        await clients
        for transport in world.servers.values():
            await transport.aclose()
    killing.result()


async def _kill_often(
    servers: "_Servers | _Program", world: World, kills: int, *, era: int = 0, clocks: bool = False
) -> None:
    chance = random.Random(f"{world.seed} kills")  # noqa: S311 -- the order of a test
    bag: list[str | None] = []
    for number in range(kills):
        if world.over:
            return
        if era:
            world.era = number // era
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        if clocks and isinstance(servers, _Servers):
            servers.set_a_clock(chance)
        if not bag:
            # Everything once, and servers as often as all else.
            bag = [*servers.deeds, *[None] * max(1, len(servers.deeds))]
            chance.shuffle(bag)
        deed = bag.pop()
        if deed is None:
            await _kill_one(servers, world, chance)
        else:
            await servers.befall(deed, chance)
    await asyncio.sleep(_AFTERWARDS)


async def _kill_one(servers: "_Servers | _Program", world: World, chance: random.Random) -> None:
    victim = chance.choice(servers.addresses)
    # In the middle of something, if that comes soon.
    for _ in range(_LOOKS):
        if world.under_way[victim] >= _BUSY:
            break
        await asyncio.sleep(0)
    await asyncio.sleep(chance.uniform(0, 0.02))
    await servers.kill(victim)


class _Processes:
    """What servers of either kind have: a stage, and a log of what befell them."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self._stage = stage
        self._folder = folder
        self._log = Log(folder / "logs", "kills")
        self._settings: dict[str, Path] = {}

    @property
    def addresses(self) -> list[str]:
        return list(self._settings)

    @property
    def deeds(self) -> Sequence[str]:
        return list(self._stage.deeds)

    async def befall(self, deed: str, chance: random.Random) -> None:
        """Let something befall the database, and write it down."""
        await self._stage.deeds[deed](chance)
        self._log.befell(deed)

    async def settings(self, address: str) -> Path:
        """The settings of the server there."""
        if address not in self._settings:
            url = await self._stage.way(address)
            self._settings[address] = town.settings(self._folder, _port(address), url)
        return self._settings[address]


class _Servers(_Processes):
    """Servers with short suspensions, one process each, and each with a clock of its own."""

    def __init__(self, folder: Path, stage: Stage, fault: str | None) -> None:
        super().__init__(folder, stage)
        self._fault = fault
        self._processes: dict[str, ForkServerProcess] = {}
        self._clocks: dict[str, c_longlong] = {}

    def set_a_clock(self, chance: random.Random) -> None:
        """Set a server's clock, forward or back."""
        address = chance.choice(self.addresses)
        most = town.SKEW // timedelta(microseconds=1)
        by = chance.randint(-most, most)
        self._log.clock_set(address, by)
        self._clocks[address].value = by

    async def start(self, address: str) -> None:
        clock = self._clocks.setdefault(address, _FORK.Value("q", 0, lock=False))
        arguments = (await self.settings(address), clock, self._fault)
        process = _FORK.Process(target=server.run, args=arguments, daemon=True)
        process.start()
        self._processes[address] = process

    async def kill(self, address: str) -> None:
        """Kill −9, write down when it was gone, and start it again."""
        process = self._processes[address]
        process.kill()
        await asyncio.to_thread(process.join)
        await self._stage.gone(address)
        self._log.killed(address)
        await self.start(address)
        await _until_it_listens(address)

    async def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            await asyncio.to_thread(process.join, _UP)
            process.kill()
            process.join()
        self._log.close()


class _Program(_Processes):
    """`sesame serve` with two workers each, as it is installed, by the machine's clock."""

    def __init__(self, folder: Path, stage: Stage, chance: random.Random) -> None:
        super().__init__(folder, stage)
        self._chance = chance
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self, address: str) -> None:
        path = await self.settings(address)
        command = [*SESAME, "serve", "--settings", str(path), "--workers", "2"]
        output = subprocess.DEVNULL
        self._processes[address] = subprocess.Popen(  # noqa: ASYNC220 -- returns at once
            command, stdout=output, stderr=output, start_new_session=True
        )

    async def kill(self, address: str) -> None:
        """Kill −9 a worker, which comes again by itself, or all that serve there."""
        process = self._processes[address]
        workers = _workers(process.pid)
        if len(workers) > 1 and self._chance.random() < 0.7:
            victim = self._chance.choice(workers)
            os.kill(victim, signal.SIGKILL)
            await _until_they_are_gone([victim])
            if self._stage.goes_on:
                self._log.befell("worker killed")  # what it asked for may still be done
            else:
                self._log.killed(address)
            return
        os.killpg(process.pid, signal.SIGKILL)
        await _until_they_are_gone([process.pid, *workers])
        process.wait()
        await self._stage.gone(address)
        self._log.killed(address)
        await self.start(address)
        await _until_it_listens(address)

    async def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            await asyncio.to_thread(process.wait, _UP)
        self._log.close()


@asynccontextmanager
async def _running(servers: "_Servers | _Program", *, count: int) -> AsyncIterator[None]:
    try:
        for _ in range(count):
            await servers.start(f"127.0.0.1:{free_port()}")
        for address in servers.addresses:
            await _until_it_listens(address)
        yield
    finally:
        await servers.stop()


def _workers(master: int) -> list[int]:
    """The processes that *master* lets answer; it has one more, which keeps its resources."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
    return [
        int(child)
        for child in children.split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def _until_they_are_gone(pids: Sequence[int]) -> None:
    while any(map(lives, pids)):  # noqa: ASYNC110 -- nobody else tells us
        await asyncio.sleep(0.005)


async def _until_it_listens(address: str) -> None:
    async def listening() -> None:
        while True:
            with socket.socket() as one:
                one.setblocking(False)  # noqa: FBT003 -- the library's own
                try:
                    await asyncio.get_running_loop().sock_connect(
                        one, ("127.0.0.1", _port(address))
                    )
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    return

    await asyncio.wait_for(listening(), _UP)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
