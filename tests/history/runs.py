"""Runs: clients at banks in this process, or at servers of their own that are killed."""

import asyncio
import multiprocessing
import random
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from sesame.app import build_asgi
from tests.contract.running import free_port
from tests.history import server, town
from tests.history.checker import History
from tests.history.clients import World, everybody
from tests.history.faults import planted
from tests.history.records import Log

_UP = 60.0  # seconds for a server to come up
_BUSY = 3  # requests that a server has when it is best killed
_LOOKS = 500  # before any other moment will do

# Forked from a process that has everything loaded: a server is back within a blink.
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["tests.history.server", "uvloop", "httptools"])


async def in_process(
    folder: Path, seed: int, *, steps: int, fault: str | None = None, banks: int = 3
) -> History:
    """Clients at *banks* on one file, without a network between them."""
    database = folder / "bank.db"
    await town.populate(database)
    with planted(fault):
        opened = [town.open_bank(database) for _ in range(banks)]
        servers: dict[str, httpx.AsyncBaseTransport] = {
            f"bank-{n}": httpx.ASGITransport(
                build_asgi(town.settings(database, 8000), bank), raise_app_exceptions=False
            )
            for n, bank in enumerate(opened)
        }
        await everybody(World(seed, servers, folder / "logs", pace=0.02), steps)
        for bank in opened:
            await bank.store.close()
    return town.read_history(folder)


async def with_kills(
    folder: Path, seed: int, *, kills: int, fault: str | None = None, servers: int = 3
) -> History:
    """Clients at *servers*, one of which is killed every moment, until *kills* are done."""
    await town.populate(folder / "bank.db")
    chance = random.Random(f"{seed} kills")  # noqa: S311 -- the order of a test
    async with _servers(folder, servers, fault) as running:
        transports: Mapping[str, httpx.AsyncHTTPTransport] = {
            address: httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits())
            for address in running.processes
        }
        world = World(seed, transports, folder / "logs")
        clients = asyncio.create_task(everybody(world, None))
        try:
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                victim = chance.choice(list(running.processes))
                # In the middle of something, if that comes soon.
                for _ in range(_LOOKS):
                    if world.under_way[victim] >= _BUSY:
                        break
                    await asyncio.sleep(0)
                await asyncio.sleep(chance.uniform(0, 0.02))
                if clients.done():
                    break  # one of them failed
                await running.kill(victim)
            await asyncio.sleep(0.5)
        finally:
            world.over = True
            await clients
            for transport in transports.values():
                await transport.aclose()
    return town.read_history(folder)


@dataclass
class _Servers:
    folder: Path
    fault: str | None
    log: Log
    processes: dict[str, ForkServerProcess] = field(default_factory=dict)

    def start(self, address: str) -> None:
        port = int(address.rpartition(":")[2])
        process = _FORK.Process(
            target=server.run, args=(self.folder, port, self.fault), daemon=True
        )
        process.start()
        self.processes[address] = process

    async def kill(self, address: str) -> None:
        """Kill −9, write down when it was gone, and start it again."""
        process = self.processes[address]
        process.kill()
        await asyncio.to_thread(process.join)
        self.log.killed(address)
        self.start(address)
        await _until_it_listens(address)

    async def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            await asyncio.to_thread(process.join, _UP)
            process.kill()
            process.join()


@asynccontextmanager
async def _servers(folder: Path, count: int, fault: str | None) -> AsyncIterator[_Servers]:
    running = _Servers(folder, fault, Log(folder / "logs", "kills"))
    try:
        for _ in range(count):
            running.start(f"127.0.0.1:{free_port()}")
        for address in running.processes:
            await _until_it_listens(address)
        yield running
    finally:
        await running.stop()
        running.log.close()


async def _until_it_listens(address: str) -> None:
    host, _, port = address.partition(":")

    async def listening() -> None:
        while True:
            with socket.socket() as one:
                one.setblocking(False)  # noqa: FBT003 -- the library's own
                try:
                    await asyncio.get_running_loop().sock_connect(one, (host, int(port)))
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    return

    await asyncio.wait_for(listening(), _UP)
