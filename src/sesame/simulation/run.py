"""A whole run: the servers of a plan, in as many processes as there are cores for them.

Servers share nothing but the counts of strangers' failures, all over the bank and by address. They
go forward in steps: an hour where nothing is going on, five seconds where the bank may have to ask
everybody for two codes. How many processes there are changes nothing in the result.
"""

import asyncio
import gc
import logging
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

from sesame.simulation.book import Book
from sesame.simulation.errors import ServerGone
from sesame.simulation.lives import campaigns, life, restores, strangers
from sesame.simulation.plan import HOUR, SECOND, START, Plan
from sesame.simulation.refusals import together
from sesame.simulation.world import NOTHING, Report, Violation, World

_STEP = HOUR
_FINE = 5 * SECOND  # as late as a server may notice what others count
# From so many on, of an hour or a day, the steps are fine: half, and nine tenths, of the floors.
_HOUR_BUSY, _DAY_BUSY = 100, 450
_HOURS = 24


class Server(Protocol):
    """One server of the bank, here or in another process."""

    def send(self, until: int, heard: Report) -> None:
        """Let it hear what others counted, then live until then; `receive` follows."""
        ...

    def receive(self) -> Report:
        """What it counted meanwhile. Raises Violation."""
        ...

    def finish(self) -> Book:
        """What it counted in all, once it is over."""
        ...

    def stop(self) -> None:
        """Let go of it, over or not."""
        ...


def simulate(
    plan: Plan, *, processes: int = 1, progress: Callable[[float], None] = lambda _: None
) -> Book:
    """Live the whole *plan*; *progress* is told the share that is done.

    Raises:
        Violation: the bank did what it must not; the first one of all servers.
        ServerGone: a process ended before its time.
    """
    hosts: Sequence[Server]
    if processes > 1 and plan.servers > 1:
        hosts = [_Process(plan, server) for server in range(plan.servers)]
    else:
        hosts = [_Here(plan, server) for server in range(plan.servers)]
    try:
        with crashes_expected():
            _live(plan, hosts, progress)
        book = Book()
        for host in hosts:
            book.add(host.finish())
        return book
    finally:
        for host in hosts:
            host.stop()


@contextmanager
def crashes_expected() -> Iterator[None]:
    """Have the bank not warn of each: they are simulated by the hundred."""
    log = logging.getLogger("sesame")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _live(plan: Plan, hosts: Sequence[Server], progress: Callable[[float], None]) -> None:
    at, counted = START, Counter[int]()
    heard = [NOTHING for _ in hosts]
    while at < plan.ends:
        at = min(plan.ends, at + _step(plan, at, counted))
        for host, report in zip(hosts, heard, strict=True):
            host.send(at, report)
        said, violations = [], []
        for host in hosts:
            try:
                said.append(host.receive())
            except Violation as violation:
                violations.append(violation)
        if violations:
            raise min(violations, key=lambda one: (one.at, one.who))
        for report in said:
            counted.update(report.failures)
        heard = [_sum(said[:own] + said[own + 1 :]) for own in range(len(hosts))]
        progress((at - START) / (plan.ends - START))


def _step(plan: Plan, at: int, counted: Counter[int]) -> int:
    if plan.servers == 1:
        return _STEP * _HOURS
    hour = at // HOUR
    day = sum(counted[one] for one in range(hour - _HOURS, hour + 1))
    attacked = any(one.is_on(at) for one in campaigns(plan) if one.lasts <= HOUR)
    if attacked or counted[hour] > _HOUR_BUSY or day > _DAY_BUSY:
        return _FINE
    return _STEP


def _sum(parts: Sequence[Report]) -> Report:
    failures: Counter[int] = Counter()
    for part in parts:
        failures.update(part.failures)
    return Report(failures, together(part.refusals for part in parts))


class _Here:
    """A server in this process."""

    def __init__(self, plan: Plan, server: int) -> None:
        self._loop = asyncio.Runner()
        self._world = World(plan, server)
        self._loop.run(self._world.populate())
        gc.freeze()  # people and cards stay: the collector need not go through them each time
        lives = [life(plan, number) for number in self._world.people if number >= 0]
        others = [iter(strangers(plan, number)) for number in self._world.people]
        self._world.begin([*lives, *others], restores(plan))
        self._until, self._heard = START, NOTHING

    def send(self, until: int, heard: Report) -> None:
        """See `Server`."""
        self._until, self._heard = until, heard

    def receive(self) -> Report:
        """See `Server`."""
        if self._heard.is_empty() and self._world.is_quiet(self._until):
            return NOTHING
        return self._loop.run(self._on())

    async def _on(self) -> Report:
        if not self._heard.is_empty():
            await self._world.hear(self._heard)
        return await self._world.advance(self._until)

    def finish(self) -> Book:
        """See `Server`."""
        return self._world.book

    def stop(self) -> None:
        """See `Server`."""
        gc.unfreeze()
        self._loop.run(self._world.close())
        self._loop.close()


class _Process:
    """A server in a process of its own, which the system gives a core when there is one."""

    def __init__(self, plan: Plan, server: int) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, plan, server), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, until: int, heard: Report) -> None:
        """See `Server`."""
        with _there():
            self._pipe.send((until, heard))

    def receive(self) -> Report:
        """See `Server`."""
        with _there():
            said = self._pipe.recv()
        if isinstance(said, Violation):
            raise said
        report: Report = said
        return report

    def finish(self) -> Book:
        """See `Server`."""
        with _there():
            self._pipe.send(None)
            book: Book = self._pipe.recv()
        return book

    def stop(self) -> None:
        """See `Server`."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()


@contextmanager
def _there() -> Iterator[None]:
    """Make our error of another end that is not there any more."""
    try:
        yield
    except (EOFError, OSError):
        raise ServerGone from None


def _serve(pipe: Connection, plan: Plan, server: int) -> None:
    """The other end of a `_Process`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it stops it
    here = _Here(plan, server)
    with crashes_expected(), suppress(EOFError, OSError):  # whoever started it has gone
        while (asked := pipe.recv()) is not None:
            here.send(*asked)
            try:
                pipe.send(here.receive())
            except Violation as violation:
                pipe.send(violation)
        pipe.send(here.finish())
    here.stop()
