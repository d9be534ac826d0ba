"""The store on PostgreSQL: connections, how long each wait may last, and what went wrong.

The statements of a login go through asyncpg, by hand; everything else goes through SQLAlchemy
Core on connections of the same driver (docs/decisions/0005 and 0020). Imported only where a URL
names PostgreSQL.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from ssl import SSLError
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from sesame import logs
from sesame.store import postgresql_login
from sesame.store.access import Access, AccessQuestion
from sesame.store.errors import (
    RowHeld,
    StandbyBehind,
    StatementFailed,
    StoreUnavailable,
    UrlUnusable,
)
from sesame.store.options import StoreOptions
from sesame.store.postgresql_url import dsn_of
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")

# What asyncpg raises; the last where a connection was told of its end and has not ended yet.
_DRIVERS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)
_LATE = 1.0  # seconds that an answer may come after the server's own bound
_WAITS_FOR_STANDBY = "syncrep.c"  # the part of PostgreSQL that does
# A record for the standby, which a commit then waits for whatever else it has. A server that is
# a standby itself cannot write one: there the first change says what is wrong.
_RECORD = "SELECT pg_logical_emit_message(true, 'sesame', '') WHERE NOT pg_is_in_recovery()"
# What an error of the connection itself quotes: server, port, role. The server's own may be in
# any language.
_QUOTED = re.compile(r"""['"(«“„].*['")»”“]""", re.DOTALL)

# A login looks rows up by their keys and does nothing else. Said to the planner, so that no
# plan that was made while a table was small stays when it has grown: of all that is left
# here only a bitmap scan cannot go without a key to look for.
_BY_KEY = {
    "enable_seqscan": "off",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",  # to plan it anew costs a third of running it
    "jit": "off",
}

# SQLSTATE classes and codes of a database that cannot answer now: connection, rights and names
# of the connection, transaction lost to others, resources, operator, system, damage; read-only,
# idle for too long, lock not had in time; no such table or right, as before a migration.
_UNAVAILABLE_CLASSES = frozenset({"08", "28", "3D", "40", "53", "57", "58", "F0", "XX"})
_UNMIGRATED = frozenset({"42P01", "42703", "42501"})
_UNAVAILABLE = frozenset({"25006", "25P03", "25P04", "55P03"}) | _UNMIGRATED


_Take = Callable[[asyncpg.Connection, Sequence[Step]], Awaitable[list[Fate]]]


class _Stale(Exception):
    """The connection was lost before the commit was asked for: nothing was written."""


class PostgresqlDatabase:
    """A database, by three pools: what a login runs, what else reads, what else writes."""

    def __init__(self, url: str, options: StoreOptions) -> None:
        self.name = database_name(url)
        self.at_once, self.at_once_alone = _at_once(options)
        self._dsn = dsn_of(url)
        self._options = options
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        rest = options.pool_size - _share(options)
        writers = (rest + 1) // 3
        self._reader = self._engine(rest - writers, reads=True, isolation_level="AUTOCOMMIT")
        self._writer = self._engine(writers, reads=False)

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """Read the rows of a group in one round trip."""

        async def ask() -> list[Access]:
            async with self._connection() as connection:
                return await postgresql_login.read_group(connection, asked)

        # Where a connection had died unseen, to read again does no harm.
        return await self._ask(ask, lost=_LOST)

    async def swap_group(self, steps: Sequence[Step]) -> Sequence[Fate | Exception]:
        """Take the steps of a group in one statement, which is its own commit.

        First steps wait for rows that others make, so they are a second statement: no other row
        is held meanwhile. All are answered when both are back, or the time would tell who is a
        customer. Where one of the two fails, that is an error of its own steps.
        """
        first = [step for step in steps if not step.read_version]
        later = [step for step in steps if step.read_version]
        if not first:
            return await self._swap(postgresql_login.swap_group, later)
        if not later:
            return await self._swap(postgresql_login.swap_first, first)
        of_first, of_later = await asyncio.gather(
            _for_each(first, self._swap(postgresql_login.swap_first, first)),
            _for_each(later, self._swap(postgresql_login.swap_group, later)),
        )
        return [(of_later if step.read_version else of_first).pop(0) for step in steps]

    async def swap_alone(self, step: Step) -> Fate:
        """Take one step, once whoever holds its row has let go of it."""

        async def ask() -> Fate:
            try:
                async with self._connection() as connection:
                    return await postgresql_login.swap_alone(connection, step)
            except (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError):
                raise RowHeld from None

        return await self._ask(ask)

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* where nothing can be written; each statement sees what was committed."""
        return await self._core(self._reader, query)

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction of its own; see `_Writing`."""
        return await self._core(self._writer, change)

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """How many of each pool are in use, and how many there may be."""
        login = self._pool
        used = 0 if login is None else login.get_size() - login.get_idle_size()
        found = {"login": (used, _share(self._options))}
        for name, engine in (("read", self._reader), ("write", self._writer)):
            pool = engine.pool
            if isinstance(pool, QueuePool):
                found[name] = (pool.checkedout(), pool.size())
        return found

    async def close(self) -> None:
        """Let go of every connection."""
        if self._pool is not None:
            try:
                async with asyncio.timeout(self._options.connect_timeout):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()
        await self._reader.dispose()
        await self._writer.dispose()

    async def _swap(self, take: _Take, steps: Sequence[Step]) -> list[Fate]:
        async def ask() -> list[Fate]:
            try:
                async with self._connection() as connection:
                    return await take(connection, steps)
            except (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError):
                # Nothing was written: a row that others make was waited for, as first steps do.
                # Each by itself waits for nobody else's row.
                return [Fate.HELD_UP] * len(steps)

        return await self._ask(ask)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for a login. Whatever it was doing has ended when it is given back."""
        pool = await self._opened()
        async with pool.acquire(timeout=self._options.connect_timeout) as connection:
            ear = _Ear()
            connection.add_log_listener(ear)
            try:
                yield connection
                ear.check(self.name)
            except asyncpg.InternalClientError:
                connection.terminate()  # or the next one gets it
                raise
            finally:
                with suppress(asyncpg.InterfaceError):  # it was lost, and its listeners with it
                    connection.remove_log_listener(ear)

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=connect_to_one,
                    min_size=0,
                    max_size=_share(self._options),
                    max_inactive_connection_lifetime=self._options.idle_timeout,
                    reset=_left_as_it_is,
                    **self._arguments(_BY_KEY),
                )
            return self._pool

    def _engine(self, size: int, *, reads: bool, **how: str) -> AsyncEngine:
        async def connect() -> asyncpg.Connection:
            kind = asyncpg.Connection if reads else _Writing
            connection = await connect_to_one(**self._arguments({}), connection_class=kind)
            if reads:
                # Not among its arguments: the driver takes such a session's server for a standby.
                await connection.execute("SET default_transaction_read_only = on")
            return connection

        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._options.connect_timeout,
            pool_recycle=self._options.idle_timeout,
            pool_use_lifo=True,
            hide_parameters=True,  # they hold names and hashes, which no error may tell
            **how,
        )

    def _arguments(self, settings: Mapping[str, str]) -> dict[str, Any]:
        return connection_arguments(self._dsn, self._options, settings)

    async def _core(self, engine: AsyncEngine, work: Callable[[Connection], Answer]) -> Answer:
        async def ask() -> Answer:
            return await _transaction(engine, work, self.name)

        return await self._ask(ask, lost=(_Stale,))

    async def _ask(
        self, work: Callable[[], Awaitable[Answer]], *, lost: tuple[type[Exception], ...] = ()
    ) -> Answer:
        """Do *work*; once more after an error of *lost*, or where nothing can be written.

        Then another server may be the one that writes by now, and a new connection finds it.
        """
        with answered(self.name):
            try:
                return await work()
            except lost:
                pass
            except (asyncpg.ReadOnlySQLTransactionError, DBAPIError) as error:
                if not isinstance(_cause(error), asyncpg.ReadOnlySQLTransactionError):
                    raise
                if self._pool is not None:
                    await self._pool.expire_connections()
                await self._writer.dispose()
            return await work()


_MIGRATION = StoreOptions(statement_timeout=60.0, lock_timeout=5.0)


async def in_one_transaction(url: str, work: Callable[[Connection, str], None]) -> None:
    """Run *work*, which is told the database's name.

    Raises:
        StoreUnavailable: the database does not answer, or a lock was not to be had in time.
    """
    name, dsn = database_name(url), dsn_of(url)

    async def connect() -> asyncpg.Connection:
        return await connect_to_one(**connection_arguments(dsn, _MIGRATION, {}))

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        with answered(name):
            async with engine.begin() as connection:
                await connection.run_sync(work, name)
    finally:
        await engine.dispose()


def database_name(url: str) -> str:
    """What errors may call the database of *url*: without server, user or password."""
    return url.partition("?")[0].rpartition("@")[2].rpartition("/")[2] or "postgresql"


async def connect_to_one(dsn: str, *, timeout: float, **how: object) -> asyncpg.Connection:  # noqa: ASYNC109 -- shared out
    """Connect to the first server of *dsn* that will do; *timeout* is for all of them together.

    The driver by itself looks no further than a server that is silent, or that answers and is
    not ready: what a machine without power does, and one that is being started.
    """
    *others, last = one_by_one(dsn)
    timeout /= 1 + len(others)
    for server in others:
        with suppress(*_DRIVERS):
            return await _connect(server, timeout=timeout, **how)
    return await _connect(last, timeout=timeout, **how)


async def _connect(dsn: str, **how: object) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn, **how)
    except SSLError:  # a certificate that does not verify is a ValueError too
        raise
    except ValueError:
        # Its own words may hold pieces of the URL.
        raise UrlUnusable from None


def one_by_one(dsn: str) -> list[str]:
    """*dsn* for each of its servers."""
    scheme, _, rest = dsn.partition("://")
    place, mark, query = rest.partition("?")
    authority, slash, database = place.partition("/")
    who, at, servers = authority.rpartition("@")
    if servers:
        behind = f"{slash}{database}{mark}{query}"
        return [f"{scheme}://{who}{at}{server}{behind}" for server in servers.split(",")]
    # Each `host=…` stands for itself, with the `port=…` in the same place or the only one.
    said = dict(parse_qsl(query, keep_blank_values=True))
    hosts, ports = said.get("host", "").split(","), said.get("port", "").split(",")
    if len(hosts) == 1:
        return [dsn]
    if len(ports) == 1:
        ports *= len(hosts)
    queries = [
        urlencode({**said, "host": host, **({"port": port} if port else {})}, safe="/")
        for host, port in zip(hosts, ports, strict=False)
    ]
    return [f"{scheme}://{place}?{query}" for query in queries]


def connection_arguments(
    dsn: str, options: StoreOptions, settings: Mapping[str, str]
) -> dict[str, Any]:
    """How asyncpg is to connect. *settings* are the session's, beside those that bound waits."""
    return {
        "dsn": dsn,
        "timeout": options.connect_timeout,
        # The server's own bound comes first; this one is for a server that is silent.
        "command_timeout": options.statement_timeout + _LATE,
        "server_settings": {
            "application_name": "sesame",
            "statement_timeout": _milliseconds(options.statement_timeout),
            "lock_timeout": _milliseconds(options.lock_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(options.statement_timeout),
            "default_transaction_isolation": "read committed",
            "synchronous_commit": "on",  # a commit that was answered is on disk
            "client_min_messages": "warning",  # that a wait for the standby was cut short
            **settings,
        },
    }


async def _for_each(steps: Sequence[Step], fates: Awaitable[list[Fate]]) -> list[Fate | Exception]:
    """The *fates* of *steps*, or the error that came in their place, for each of them."""
    try:
        return [*await fates]
    except Exception as error:  # noqa: BLE001 -- handed to each caller
        return [error] * len(steps)


@contextmanager
def answered(name: str) -> Iterator[None]:
    """Make our errors of the driver's, without the values that its own would show.

    Raises:
        StoreUnavailable: the database *name* is slow, full, read-only, restarting or gone.
        StatementFailed: a statement is wrong, not the database.
    """
    try:
        yield
    except (*_DRIVERS, _Stale, DBAPIError, PoolTimeout) as error:
        cause = _cause(error)
        sqlstate = getattr(cause, "sqlstate", None)
        if isinstance(cause, asyncpg.PostgresError):
            said = str(cause.args[0]) if cause.args else type(cause).__name__
            if isinstance(cause, asyncpg.InvalidAuthorizationSpecificationError):
                said = _QUOTED.sub("…", said)
            if not (sqlstate in _UNAVAILABLE or str(sqlstate)[:2] in _UNAVAILABLE_CLASSES):
                constraint = getattr(cause, "constraint_name", None) or "none named"
                raise StatementFailed(type(cause).__name__, str(sqlstate), constraint) from None
        elif isinstance(cause, asyncpg.DataError):
            raise StatementFailed(type(cause).__name__, "before it was sent", "none") from None
        else:
            said = _QUOTED.sub("…", str(cause)) or "no answer in time"
        if sqlstate in _UNMIGRATED:
            raise StoreUnavailable(
                f"the database {name} refuses ({said}): is this the role that may? After an update "
                "of Sésame run sesame database migrate, which makes tables and gives rights",
                reason=said,
            ) from None
        raise StoreUnavailable(
            f"the database {name} did not answer ({said}): "
            "is the server up, its disk full, is it read-only, another program holding the row?",
            reason=said,
        ) from None


async def _transaction(
    engine: AsyncEngine, work: Callable[[Connection], Answer], name: str
) -> Answer:
    async with engine.connect() as connection, _listening(connection, name):
        try:
            answer = await connection.run_sync(work)
        except DBAPIError as error:
            if isinstance(_cause(error), asyncpg.InternalClientError):
                await connection.invalidate()
                raise _Stale from error
            if error.connection_invalidated:
                raise _Stale from error
            raise
        await connection.commit()
        return answer


def _cause(error: BaseException) -> BaseException:
    """The driver's own error, which SQLAlchemy wraps twice."""
    while not isinstance(error, _DRIVERS):
        below = error.__cause__ or getattr(error, "orig", None)
        if below is None:
            break
        error = below
    return error


class _Writing(asyncpg.Connection):  # type: ignore[misc]  # it has no types
    """A connection whose every commit waits for the standby, also where it changed nothing.

    PostgreSQL lets a commit without a record go at once. What it found done already, and
    answers, may be on the primary alone: the end of a session whose first commit nobody
    confirmed. Whether a transaction will write is not known before its end, and not by its
    number either: a row that another one deletes meanwhile gives it a number and no record.
    """

    async def execute(self, query: str, *values: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 -- the driver's own
        """Run *query*; a transaction begins with a record, in the same round trip."""
        begins = query.startswith("BEGIN")
        try:
            said: str = await super().execute(
                f"{query} {_RECORD}" if begins else query, *values, timeout=timeout
            )
        except BaseException:
            if begins:
                self.terminate()  # it may stand in a transaction that nobody knows of
            raise
        return said


class _Ear:
    """Hears what a server says beside its answer, and writes warnings down.

    A commit whose wait for a standby is cut short succeeds, and comes with one.
    """

    def __init__(self) -> None:
        self._cut_short = False

    def __call__(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Take a message, whatever language it is in."""
        if message.severity_en == "WARNING":
            logs.database_warned(message.message)
        self._cut_short |= message.server_source_filename == _WAITS_FOR_STANDBY

    def check(self, name: str) -> None:
        """Take no commit for done that the standby of the database *name* may not have.

        Raises:
            StandbyBehind: there was one.
        """
        if self._cut_short:
            raise StandbyBehind(name)


@asynccontextmanager
async def _listening(connection: AsyncConnection, name: str) -> AsyncIterator[None]:
    """Hear what is said on *connection*; see `_Ear.check`."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    ear = _Ear()
    try:
        driver.add_log_listener(ear)
    except asyncpg.InterfaceError as error:  # it was lost while nobody used it
        await connection.invalidate()
        raise _Stale from error
    try:
        yield
        ear.check(name)
    finally:
        with suppress(asyncpg.InterfaceError):
            driver.remove_log_listener(ear)


async def _left_as_it_is(_connection: object) -> None:
    """A login leaves nothing behind in its session, so that resetting it needs no round trip."""


def _share(options: StoreOptions) -> int:
    """How many of the connections are for what a login runs."""
    return 2 * options.pool_size // 5 + 1


def _at_once(options: StoreOptions) -> tuple[int, int]:
    """How many groups, of reads and of steps each, and how many steps alone: a connection each.

    Who wants no groups has as many on their way as there are connections for.
    """
    share = _share(options)
    if options.largest_group == 1:
        groups = max(1, (share - 1) // 2)
        return groups, max(1, share - 2 * groups)
    return 1, max(1, share - 3)  # a group of steps is two statements at most


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
