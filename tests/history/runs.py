"""Runs: clients at banks in this process, or at servers of their own that are killed."""

import asyncio
import multiprocessing
import os
import random
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from sesame.app import build_asgi
from sesame.settings import read_settings
from tests.contract.running import SESAME, TLS, free_port
from tests.history import server, town
from tests.history.checker import History
from tests.history.clients import World, everybody
from tests.history.faults import planted
from tests.history.model import DESIGN
from tests.history.records import Log

_UP = 60.0  # seconds for a server to come up
_BUSY = 3  # requests that a server has when it is best killed
_LOOKS = 500  # before any other moment will do
_ERA = 3  # kills, before others come
_PROGRAM = "the-program"  # a file in the folder of a run under the design's own limits
_AFTERWARDS = 0.5  # seconds in which nobody is killed

# Forked from a process that has everything loaded: a server is back within a blink.
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["tests.history.server", "uvloop", "httptools"])


async def in_process(
    folder: Path, seed: int, *, steps: int, fault: str | None = None, banks: int = 3
) -> History:
    """Clients at *banks* on one file, without a network between them."""
    await town.populate(folder)
    settings = read_settings(town.settings(folder, 8000))
    with planted(fault):
        opened = [town.open_bank(folder / "bank.db") for _ in range(banks)]
        servers: dict[str, httpx.AsyncBaseTransport] = {
            f"bank-{n}": httpx.ASGITransport(build_asgi(settings, bank), raise_app_exceptions=False)
            for n, bank in enumerate(opened)
        }
        await everybody(World(seed, servers, folder / "logs", pace=0.02), steps)
        for bank in opened:
            await bank.store.close()
    return read(folder)


async def with_kills(folder: Path, seed: int, *, kills: int, fault: str | None = None) -> History:
    """Clients at servers, one of which is killed every moment, until *kills* are done."""
    await town.populate(folder)
    servers = _Servers(folder, fault)
    async with _running(servers, count=3):
        world = _world(folder, seed, servers)
        await _while_they_come(world, _kill_often(servers, world, kills))
    return read(folder)


async def with_kills_of_the_program(folder: Path, seed: int, *, kills: int) -> History:
    """The same at `sesame serve --workers 2` as it is: suspensions take a quarter of an hour.

    So after some seconds others come, whose access is new.
    """
    await town.populate(folder, eras=kills // _ERA + 1)
    (folder / _PROGRAM).touch()
    program = _Program(folder, random.Random(f"{seed} workers"))  # noqa: S311 -- the order of a test
    async with _running(program, count=2):
        world = _world(folder, seed, program)
        await _while_they_come(world, _kill_often(program, world, kills, era=_ERA))
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
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await clients
        for transport in world.servers.values():
            await transport.aclose()
    if not killing.cancelled():
        killing.result()


async def _kill_often(
    servers: "_Servers | _Program", world: World, kills: int, *, era: int = 0
) -> None:
    chance = random.Random(f"{world.seed} kills")  # noqa: S311 -- the order of a test
    for number in range(kills):
        if era:
            world.era = number // era
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        victim = chance.choice(servers.addresses)
        # In the middle of something, if that comes soon.
        for _ in range(_LOOKS):
            if world.under_way[victim] >= _BUSY:
                break
            await asyncio.sleep(0)
        await asyncio.sleep(chance.uniform(0, 0.02))
        await servers.kill(victim)
    await asyncio.sleep(_AFTERWARDS)


class _Servers:
    """Servers with short suspensions, one process each."""

    def __init__(self, folder: Path, fault: str | None) -> None:
        self._folder = folder
        self._fault = fault
        self._log = Log(folder / "logs", "kills")
        self._processes: dict[str, ForkServerProcess] = {}

    @property
    def addresses(self) -> list[str]:
        return list(self._processes)

    def start(self, address: str) -> None:
        process = _FORK.Process(
            target=server.run, args=(self._folder, _port(address), self._fault), daemon=True
        )
        process.start()
        self._processes[address] = process

    async def kill(self, address: str) -> None:
        """Kill −9, write down when it was gone, and start it again."""
        process = self._processes[address]
        process.kill()
        await asyncio.to_thread(process.join)
        self._log.killed(address)
        self.start(address)
        await _until_it_listens(address)

    async def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            await asyncio.to_thread(process.join, _UP)
            process.kill()
            process.join()
        self._log.close()


class _Program:
    """`sesame serve` with two workers each, as it is installed."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder = folder
        self._chance = chance
        self._log = Log(folder / "logs", "kills")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def addresses(self) -> list[str]:
        return list(self._processes)

    def start(self, address: str) -> None:
        path = town.settings(self._folder, _port(address))
        command = [*SESAME, "serve", "--settings", str(path), "--workers", "2"]
        output = subprocess.DEVNULL
        self._processes[address] = subprocess.Popen(
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
            self._log.killed(address)
            return
        os.killpg(process.pid, signal.SIGKILL)
        await _until_they_are_gone([process.pid, *workers])
        process.wait()
        self._log.killed(address)
        self.start(address)
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
            servers.start(f"127.0.0.1:{free_port()}")
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
    while any(map(_lives, pids)):  # noqa: ASYNC110 -- nobody else tells us
        await asyncio.sleep(0.005)


def _lives(pid: int) -> bool:
    """Whether a process can still do something: what only waits for its parent cannot."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


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
