"""The store: one interface on whichever database a URL names.

Reads and swaps leave in groups (`sesame.store.groups`); what a group does stands in a file a
database: `sesame.store.sqlite` and `sesame.store.postgresql` (docs/decisions/0020).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, select

from sesame.meters import Meters
from sesame.store.access import Access, AccessQuestion, hold_row
from sesame.store.errors import RowHeld, StoreError, StoreUnavailable
from sesame.store.groups import Groups
from sesame.store.options import StoreOptions
from sesame.store.sqlite import SqliteDatabase
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Result = TypeVar("Result")
_Work: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]

_SQLITE = "sqlite:///"
_SEEN = 1024  # who want to know at once that what they saw lasts; more than a process serves
_POSTGRESQL = "postgresql+asyncpg://"


class Database(Protocol):
    """What the store asks of a database. Every method raises StoreUnavailable, and soon."""

    at_once: int  # how many groups of reads, and how many of steps, it takes at the same time
    at_once_alone: int  # how many steps that were left over it takes at the same time

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """Read the access rows that are *asked* for, in that order."""
        ...

    async def swap_group(self, steps: Sequence[Step]) -> Sequence[Fate | Exception]:
        """Take *steps*, of different rows and in key order, and answer them together.

        An error in the place of a fate is that step's, as if it had been raised for it alone.
        """
        ...

    async def swap_alone(self, step: Step) -> Fate:
        """Take one step that a group left over; this one waits for whoever holds its row.

        Raises:
            RowHeld: it waited for long enough, and nothing was written.
        """
        ...

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* where nothing can be written.

        On SQLite its statements see one moment; on PostgreSQL each sees what was committed.
        """
        ...

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own."""
        ...

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """How many connections of each pool are in use, and how many there may be."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


DEFAULTS = StoreOptions()


class Store:
    """Reads access rows, swaps them, and runs whatever else is asked in a transaction."""

    def __init__(
        self,
        database: Database,
        options: StoreOptions = DEFAULTS,
        meters: Meters | None = None,
    ) -> None:
        self._database = database
        self._meters = Meters() if meters is None else meters
        one_bucket = options.groups_of_one_bucket
        self._reads: Groups[AccessQuestion, Access] = Groups(
            self._metered("read", database.read_group),
            key=lambda asked: (asked.bucket, asked.user_code),
            apart=(lambda asked: asked.bucket) if one_bucket else None,
            largest=options.largest_group,
            at_once=database.at_once,
            for_all=StoreUnavailable,
        )
        # One queue for all: whoever could leave sooner would be known by their time.
        self._swaps: Groups[Step, Fate] = Groups(
            self._metered("swap", database.swap_group),
            key=_key,
            apart=(lambda step: step.bucket) if one_bucket else None,
            largest=options.largest_group,
            at_once=database.at_once,
            for_all=StoreUnavailable,
        )
        self._left_over: Groups[tuple[Step, float], Fate] = Groups(
            self._metered("left-over", self._swap_alone),
            key=lambda left: _key(left[0]),
            largest=1,
            at_once=database.at_once_alone,
        )
        self._seen: Groups[int, None] = Groups(
            self._go_all_the_way,
            key=lambda number: number,
            largest=_SEEN,
            for_all=StoreUnavailable,
        )
        self._numbers = count()
        self._patience = options.lock_timeout

    async def read_access(self, user_code: str, devices: tuple[bytes, ...] = ()) -> Access:
        """Read the access row of *user_code* with its cards; alike for one that nobody has.

        *devices* are the hashes (32 bytes) of those that the browser claims, at most four.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        return await self._reads.submit(AccessQuestion(user_code, devices))

    async def swap_access(self, step: Step) -> Fate:
        """Take *step*, together with those that wait beside it.

        Raises:
            RowHeld: another program holds the row, or so many that its turn did not come.
            StoreUnavailable: the database did not take it. Whether the commit reached the
                disk is then unknown; if it did, the step's audit line is there.
        """
        fate = await self._swaps.submit(step)
        if fate is Fate.HELD_UP:
            # Whoever holds the row keeps nobody waiting but those who want it.
            until = asyncio.get_running_loop().time() + self._patience
            fate = await self._left_over.submit((step, until))
        return fate

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* where nothing can be written: one statement, if it must see one moment."""
        return await self._database.read(query)

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own."""
        return await self._database.write(change)

    async def lasts(self, bucket: int, user_code: str, look: Callable[[Connection], bool]) -> bool:
        """Whether *look* finds what it looks for, and that survives the loss of a server.

        To be seen is not enough: a commit whose wait for a standby was cut short is seen, and
        gone once the standby takes over. *look* runs while the access row is held, so a commit
        of it that is on its way is waited for; then one of our own goes all the way after it.

        Raises:
            StoreUnavailable: it cannot be told now.
        """

        def look_closely(connection: Connection) -> bool:
            return hold_row(connection, bucket, user_code) and look(connection)

        return await self._database.write(look_closely)

    def measure(self) -> None:
        """Put down what waits and what is in use just now."""
        meters = self._meters
        meters.store_waiting.put(self._reads.waiting, "read")
        meters.store_waiting.put(self._swaps.waiting, "swap")
        meters.store_waiting.put(self._left_over.waiting, "left-over")
        for pool, (used, most) in self._database.connections().items():
            meters.connections_used.put(used, pool)
            meters.connections_most.put(most, pool)

    async def seen_lasts(self) -> None:
        """Make sure that what was seen before survives the loss of a server; see `lasts`.

        One commit does for all who wait at this moment, so that however many ask, they have
        one connection at a time between them.

        Raises:
            StoreUnavailable: it cannot be told now.
        """
        await self._seen.submit(next(self._numbers))

    async def close(self) -> None:
        """Let the groups on their way arrive, then let go of the database."""
        await self._reads.drain()
        await self._swaps.drain()
        await self._left_over.drain()
        await self._seen.drain()
        await self._database.close()

    def _metered(self, group: str, work: _Work[Item, Result]) -> _Work[Item, Result]:
        """*work* on a group, counted and timed."""
        seconds, sizes = self._meters.store_seconds, self._meters.store_group_size
        errors = self._meters.store_errors

        async def metered(items: Sequence[Item]) -> Sequence[Result | Exception]:
            began = perf_counter()
            try:
                results = await work(items)
            except Exception as error:
                errors.add(type(error).__name__)
                raise
            else:
                for failed in {type(one) for one in results if isinstance(one, Exception)}:
                    errors.add(failed.__name__)
                return results
            finally:
                seconds.observe(perf_counter() - began, group)
                sizes.observe(len(items), group)

        return metered

    async def _go_all_the_way(self, numbers: Sequence[int]) -> list[None]:
        """Commit nothing: what was committed before is on the standby when that is answered.

        A statement there must be, or no transaction begins.
        """
        await self.write(lambda connection: connection.execute(select(1)).scalar())
        return [None] * len(numbers)

    async def _swap_alone(self, left: Sequence[tuple[Step, float]]) -> list[Fate]:
        """Take the one step in *left*, unless it waited for others beyond its own time."""
        ((step, until),) = left
        if asyncio.get_running_loop().time() > until:
            raise RowHeld
        return [await self._database.swap_alone(step)]


def open_store(url: str, options: StoreOptions = DEFAULTS, meters: Meters | None = None) -> Store:
    """Open the database of *url*: `sqlite:///some/folder/sesame.db` or `postgresql+asyncpg://…`.

    Raises:
        StoreError: the URL names another database, or none; or its driver is missing.
    """
    return Store(open_database(url, options), options, meters)


def open_database(url: str, options: StoreOptions = DEFAULTS) -> Database:
    """The same, without groups."""
    if is_postgresql(url):
        database: Database = postgresql().PostgresqlDatabase(url, options)
        return database
    return SqliteDatabase(database_path(url))


def is_postgresql(url: str) -> bool:
    """Whether a database URL names PostgreSQL."""
    return url.startswith(_POSTGRESQL)


def postgresql() -> ModuleType:
    """`sesame.store.postgresql`, which wants libraries that SQLite does without.

    Raises:
        StoreError: they are missing; says what to install.
    """
    try:
        return import_module("sesame.store.postgresql")
    except ModuleNotFoundError as error:
        raise StoreError(
            f"PostgreSQL needs {error.name}, which is not installed: "
            "run  pip install 'sesame[postgresql]'"
        ) from None


def database_path(url: str) -> Path:
    """The file that a database URL names.

    Raises:
        StoreError: the URL names another database, or none.
    """
    kind, _, path = url.partition(_SQLITE)
    if kind or path in {"", ":memory:"}:
        raise StoreError(
            "the database URL is none that is known: "
            "write sqlite:/// and the path of a file, or postgresql+asyncpg://user@server/database"
        )
    return Path(path)


def _key(step: Step) -> tuple[int, str]:
    return step.bucket, step.user_code
