"""Ours beside PostgreSQL's floor and the servers that people would install instead.

All share one PostgreSQL and the load generator; rounds are interleaved, and each figure is
the median of its rounds' ratios.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench import floor, login
from bench.load import Measured
from bench.login import ASIDE, CUSTOMERS, GROUP, Supply
from bench.peers import django_otp, privacyidea
from bench.peers.peer import Peer, program, python_path
from bench.population import Holder, Premises, populate
from bench.postgres import Cluster, cluster

ROUNDS = 3
CLIENTS = (1, 8, 32, 128)
PEERS_CLIENTS = (1, 8, 32)
_OF_TWO = (32, 128)  # clients, for which a second process of ours may pay
_ATTEMPTS: Mapping[int, int] = {1: 1000, 8: 4000, 32: 10_000, 128: 10_000}
_PRIVACYIDEA: Mapping[int, int] = {1: 100, 8: 300, 32: 1000}  # requests by clients
_DJANGO_OTP: Mapping[int, int] = {1: 400, 8: 1500, 32: 2000}
_BATCHES = 4  # seconds
_BY_TWO = "_of_two_processes"


@dataclass(slots=True)
class Notes:
    """What the rounds gave, by figure."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, name: str, value: float) -> float:
        """Note *value*, and give it back."""
        self.rounds.setdefault(name, []).append(value)
        return value

    def of(self, name: str, measured: Measured) -> None:
        """Note the rate of a run and how long its answers took."""
        self(f"{name}_per_second", measured.rate)
        self(f"{name}_p50_ms", measured.percentile(0.50))
        self(f"{name}_p99_ms", measured.percentile(0.99))
        if measured.own_seconds:
            self(f"{name}_generator_share", measured.own_seconds / measured.seconds)

    def medians(self) -> dict[str, float]:
        """One value a figure; of one process of ours and of two, the better one's."""
        figures = {name: statistics.median(values) for name, values in self.rounds.items()}
        for name, value in list(figures.items()):
            figure, by_two, _ = name.partition(_BY_TWO)
            if by_two and "_over_" in figure:
                figures[figure] = max(figures[figure], value)
        return figures


@dataclass(slots=True)
class Bank:
    """One of ours: where it is, its fresh codes, the port of its server."""

    premises: Premises
    supply: Supply
    port: int = 0

    async def by_json(self, clients: int) -> Measured:
        """As many verifications as are usual with so many clients."""
        codes = self.supply.take(_ATTEMPTS[clients])
        return await login.accept_by_json(self.port, codes, clients)

    async def inside(self) -> Measured:
        """Verifications without a server."""
        return await login.in_process(
            self.premises, self.supply, largest_group=GROUP, attempts=_ATTEMPTS[32]
        )


@dataclass(slots=True)
class Rivals:
    """Everything that one round measures."""

    simple: floor.Floor
    whole: floor.Floor
    bank: Bank
    aside: Bank  # so many refusals would have a bank ask for two codes
    on_sqlite: Bank
    privacyidea: Peer
    django_otp: Peer
    single: int = 0  # ports
    two: int = 0  # of two processes of ours; none on SQLite
    bare: int = 0
    peers: dict[str, int] = field(default_factory=dict)


def measure(store: str) -> dict[str, float]:
    """Run all rounds with our bank on *store*, `postgresql` or `sqlite`."""
    folder = Path(tempfile.mkdtemp(prefix="sesame bench "))
    try:
        with cluster(folder) as server:
            return uvloop.run(_measure(server, folder, store))
    finally:
        shutil.rmtree(folder)


async def _measure(server: Cluster, folder: Path, store: str) -> dict[str, float]:
    rivals = await _prepare(server, folder, store)
    notes = Notes()
    async with AsyncExitStack() as stack:
        for bank in (rivals.bank, rivals.on_sqlite):
            bank.port = stack.enter_context(login.serving(bank.premises))
        rivals.single = stack.enter_context(login.serving(rivals.bank.premises, largest_group=1))
        if store == "postgresql":
            rivals.two = stack.enter_context(login.serving(rivals.bank.premises, processes=2))
        rivals.bare = stack.enter_context(login.serving_bare())
        for peer in (rivals.privacyidea, rivals.django_otp):
            port = stack.enter_context(peer.serving())
            rivals.peers[peer.name] = port
            await peer.warm(port)
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", flush=True)
            await _round(rivals, notes)
    return notes.medians()


async def _prepare(server: Cluster, folder: Path, store: str) -> Rivals:
    """Databases, customers, tokens; and what each rival does most with."""
    await floor.prepare(server)
    rivals = Rivals(
        simple=floor.find(server, "simple", folder),
        whole=floor.find(server, "whole", folder),
        bank=await _bank(_premises(server, folder / "sesame", store)),
        aside=await _bank(_premises(server, folder / "refusals", store), ASIDE),
        on_sqlite=await _bank(_premises(server, folder / "sqlite", "sqlite")),
        privacyidea=privacyidea.prepare(server, folder / "privacyidea"),
        django_otp=django_otp.prepare(server, folder / "django-otp"),
    )
    for name, found in (("floor", rivals.simple), ("floor with all our rows", rivals.whole)):
        print(f"{name}: {found.clients} clients", flush=True)
    for peer in (rivals.privacyidea, rivals.django_otp):
        await peer.tune()
    return rivals


async def _bank(premises: Premises, customers: int = CUSTOMERS) -> Bank:
    return Bank(premises, Supply(await populate(premises, customers)))


def _premises(server: Cluster, folder: Path, store: str) -> Premises:
    """A place for one of ours on *store*; but for the URL of its database all are alike."""
    folder.mkdir()
    if store == "sqlite":
        return Premises.on_sqlite(folder)
    database = f"sesame_{folder.name}"
    server.create(database)
    return Premises(folder, server.url(database, "postgresql+asyncpg"))


async def _round(rivals: Rivals, notes: Notes) -> None:
    for clients in CLIENTS:
        await _ours_over_floor(rivals, notes, clients)
    await _ours_otherwise(rivals, notes)
    limit = notes("batch_limit_per_second", _batches(rivals.simple.cluster))
    inside = await rivals.bank.inside()
    notes.of("in_process", inside)
    notes("in_process_over_batch_limit", inside.rate / limit)
    refused = await login.refuse(rivals.aside.premises, rivals.aside.supply)
    again = await rivals.aside.inside()
    notes("refusals_over_acceptances", refused.rate / again.rate)
    await _peer(rivals.privacyidea, "privacyidea", _PRIVACYIDEA, rivals, notes)
    await _peer(rivals.django_otp, "django_otp", _DJANGO_OTP, rivals, notes)


async def _ours_over_floor(rivals: Rivals, notes: Notes, clients: int) -> None:
    """Our server, or two processes of it, right after both floors of the store."""
    least = notes("floor_per_second", rivals.simple.rate())
    whole = notes("floor_whole_per_second", rivals.whole.rate())
    for port, suffix in ((rivals.bank.port, ""), (rivals.two, _BY_TWO)):
        if suffix and not (port and clients in _OF_TWO):
            continue
        codes = rivals.bank.supply.take(_ATTEMPTS[clients])
        ours = await login.accept_by_json(port, codes, clients)
        notes.of(f"http_{clients}{suffix}", ours)
        notes(f"http_over_floor_{clients}{suffix}", ours.rate / least)
        notes(f"http_over_floor_whole_{clients}{suffix}", ours.rate / whole)
        if not suffix:
            bare = await login.accept_by_json(rivals.bare, codes, clients)
            notes.of(f"bare_framework_{clients}", bare)
            notes(f"http_over_bare_framework_{clients}", ours.rate / bare.rate)


async def _ours_otherwise(rivals: Rivals, notes: Notes) -> None:
    """What is asked of 32 clients only: each beside our server as it is."""
    ours = await rivals.bank.by_json(32)
    codes = rivals.bank.supply.take(_ATTEMPTS[32] // 2)
    each = await login.accept_by_json(rivals.single, codes, 32)
    notes("grouped_over_single_32", ours.rate / each.rate)
    codes = rivals.bank.supply.take(_ATTEMPTS[32] // 3)
    notes("form_over_json", await _forms(rivals, codes) / ours.rate)
    least = rivals.simple.rate()
    sqlite = await rivals.on_sqlite.by_json(32)
    notes.of("sqlite_32", sqlite)
    notes("sqlite_over_floor_32", sqlite.rate / least)


async def _forms(rivals: Rivals, codes: list[tuple[Holder, str]]) -> float:
    return await login.accept_by_form(rivals.bank.port, codes, 32)


async def _peer(
    peer: Peer, name: str, requests: Mapping[int, int], rivals: Rivals, notes: Notes
) -> None:
    """A peer at each number of clients, ours right before it."""
    for clients in PEERS_CLIENTS:
        ours = await rivals.bank.by_json(clients)
        theirs = await peer.measure(rivals.peers[peer.name], requests[clients], clients=clients)
        notes.of(f"{name}_{clients}", theirs)
        notes(f"over_{name}_{clients}", ours.rate / theirs.rate)
        notes(f"p99_over_{name}_{clients}", ours.percentile(0.99) / theirs.percentile(0.99))


def _batches(server: Cluster) -> float:
    command = [str(program("python")), "-m", "bench.batches", server.url(floor.DATABASE)]
    sizes = [str(_BATCHES), str(floor.CUSTOMERS), str(floor.LINE)]
    return float(
        subprocess.run(
            [*command, *sizes],
            env=os.environ | python_path(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
