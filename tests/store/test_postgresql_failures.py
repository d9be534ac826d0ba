"""What the store does when PostgreSQL is slow, full, restarting, read-only or gone.

Every wait has an end, nothing is written by halves, and all is well again without a new store.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from sesame.store.audit import has_line
from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.schema import erase, migrate
from sesame.store.steps import Fate, Step
from tests.places import Place
from tests.postgresql import Cluster, running_cluster
from tests.store.databases import USER_CODE, accepted, enrol, step
from tests.wire import Break, wired

pytestmark = pytest.mark.needs("postgresql")

_SHORT = StoreOptions(
    connect_timeout=2.0, statement_timeout=1.0, lock_timeout=0.3, idle_timeout=60.0
)
_LONGEST = 20.0  # seconds; every wait above ends long before, and none would end by itself


@pytest.fixture(scope="module")
def fragile() -> Iterator[Cluster]:
    """A server for this file alone, for it is stopped and killed."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def migrated(fragile: Cluster) -> str:
    """The name of a database with tables."""
    name = fragile.new_database()
    migrate(fragile.url(name))
    return name


@pytest.fixture
def place(fragile: Cluster, migrated: str) -> Iterator[Place]:
    """That database with one customer in it."""
    place = Place(fragile.url(migrated))
    place.write(erase)
    enrol(place)
    yield place
    place.close()


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """A store that does not wait long, and has been used."""
    store = place.open_store(_SHORT)
    await asyncio.gather(store.read_access(USER_CODE), store.read(_count))
    assert await store.swap_access(step()) is Fate.WON
    yield store
    await store.close()


def _count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM customers")).scalar_one())


def _touch(connection: Connection) -> None:
    connection.execute(text("UPDATE customers SET language = 'en'"))


async def _ask(store: Store, how: str) -> object:
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "read_access": lambda: store.read_access(USER_CODE),
        "swap_access": lambda: store.swap_access(accepted(read_version=2)),
        "read": lambda: store.read(_count),
        "write": lambda: store.write(_touch),
    }
    async with asyncio.timeout(_LONGEST):
        return await asked[how]()


_ALL = ("read_access", "swap_access", "read", "write")


async def _works(store: Store, place: Place) -> None:
    """All is as it should be, by the same store."""
    version = (await store.read_access(USER_CODE)).version
    assert version == place.row_of(USER_CODE)["version"]
    assert await store.swap_access(step(read_version=version)) is Fate.WON
    assert await store.read(_count) == 1
    await store.write(_touch)
    lines = [row[2] for row in place.everything()["audit_lines"]]
    assert lines == list(range(1, version + 2))


# ── Gone and back ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["immediate", "fast"])
async def test_a_restart_needs_none_of_ours(
    store: Store, place: Place, fragile: Cluster, how: str
) -> None:
    """While it is down each is told so; afterwards the same store goes on where it was."""
    fragile.stop(how)
    try:
        for asked in _ALL:
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await _ask(store, asked)
    finally:
        fragile.start()
    await _works(store, place)


@pytest.mark.parametrize("asked", ["read_access", "read", "write"])
async def test_lost_connections_are_replaced_unseen(
    store: Store, place: Place, fragile: Cluster, asked: str
) -> None:
    """What can be asked again without harm is asked again, on a new connection."""
    await store.write(_touch)
    _terminate_all(fragile)
    await _ask(store, asked)
    await _works(store, place)


async def test_a_lost_connection_of_a_step(store: Store, place: Place, fragile: Cluster) -> None:
    """It is taken on a new connection, or said not to be; never twice."""
    _terminate_all(fragile)
    try:
        fate = await _ask(store, "swap_access")
    except StoreUnavailable:
        assert place.row_of(USER_CODE)["version"] == 2
    else:
        assert fate is Fate.WON
    await _works(store, place)


def _terminate_all(fragile: Cluster) -> None:
    fragile.psql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'sesame'"
    )


# ── There, and of no use ─────────────────────────────────────────────────────────────────────────


async def test_a_database_that_is_read_only(
    store: Store, place: Place, fragile: Cluster, migrated: str
) -> None:
    """It can be read; steps are refused, until it is not read-only any more."""
    fragile.psql(f"ALTER DATABASE {migrated} SET default_transaction_read_only = on")
    try:
        _terminate_all(fragile)
        assert await _ask(store, "read") == 1
        for asked in ("swap_access", "write"):
            with pytest.raises(StoreUnavailable, match="read-only transaction"):
                await _ask(store, asked)
        assert (await store.read_access(USER_CODE)).version == 2
    finally:
        fragile.psql(f"ALTER DATABASE {migrated} RESET default_transaction_read_only")
    # As after a change of primaries: nobody has to end the connections of a store.
    await _works(store, place)


async def test_a_full_disk(store: Store, place: Place) -> None:
    """The error comes after the row was written, and takes the row with it."""
    place.execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    )
    place.execute(
        "CREATE TRIGGER no_room BEFORE INSERT ON audit_personal EXECUTE FUNCTION no_room()"
    )
    before = place.everything()
    try:
        with pytest.raises(StoreUnavailable, match="could not extend file"):
            await _ask(store, "swap_access")
        assert place.everything() == before
    finally:
        place.execute("DROP FUNCTION no_room CASCADE")
    await _works(store, place)


async def test_no_connection_is_left(place: Place, fragile: Cluster, migrated: str) -> None:
    """The server takes no more: said so, and found again later."""
    fragile.psql(f"ALTER DATABASE {migrated} CONNECTION LIMIT 0", "CREATE ROLE plain LOGIN")
    store = _store_on(fragile.url(migrated, user="plain"))
    try:
        for asked in _ALL:
            with pytest.raises(StoreUnavailable, match="too many connections"):
                await _ask(store, asked)
    finally:
        fragile.psql(f"ALTER DATABASE {migrated} CONNECTION LIMIT -1")
        await store.close()
    assert place.row_of(USER_CODE)["version"] == 1
    fragile.psql("DROP ROLE plain")


def _store_on(url: str) -> Store:
    place = Place(url)
    return place.open_store(_SHORT)


async def test_a_database_without_tables(fragile: Cluster) -> None:
    """Not migrated yet: that is said, and no error of ours."""
    name = fragile.new_database()
    store = _store_on(fragile.url(name))
    for asked in ("read_access", "swap_access", "read"):
        with pytest.raises(StoreUnavailable, match="does not exist"):
            await _ask(store, asked)
    await store.close()


# ── Slow ─────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _backends_stopped(fragile: Cluster) -> AsyncIterator[None]:
    """The server's processes stand still, as on a machine that has no time for them."""
    pids = [
        int(pid)
        for pid in fragile.psql(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'sesame'"
        ).split()
    ]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(os.geteuid() != 0, reason="the server's processes are another user's")
@pytest.mark.parametrize("asked", _ALL)
async def test_a_server_that_stands_still(place: Place, fragile: Cluster, asked: str) -> None:
    """The wait ends by our own clock; what was on its way is looked for afterwards."""
    store = place.open_store(_SHORT)
    await store.swap_access(step())
    await store.read(_count)
    await store.write(_touch)
    async with _backends_stopped(fragile):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await _ask(store, asked)
    version = (await store.read_access(USER_CODE)).version
    assert version in {2, 3}  # it may still have arrived: its line tells
    assert await store.read(lambda c: _there(c, accepted(read_version=2))) is (version == 3)
    await _works(store, place)
    await store.close()


async def test_a_statement_that_takes_too_long(store: Store, place: Place) -> None:
    """The server itself ends it."""
    for work in (store.read, store.write):
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await work(lambda connection: connection.execute(text("SELECT pg_sleep(60)")).all())
    await _works(store, place)


async def test_a_statement_that_somebody_cancels(
    store: Store, place: Place, fragile: Cluster
) -> None:
    """While it waits for a row: nothing was written."""
    before = place.everything()
    held = Place(place.url)

    def hold(connection: Connection) -> None:
        connection.execute(text("SELECT 1 FROM access FOR UPDATE"))
        fragile.psql(
            "SELECT pg_sleep(0.1)",
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        )

    asked = asyncio.create_task(_ask(store, "swap_access"))
    await asyncio.to_thread(held.write, hold)
    try:
        assert await asked is Fate.WON  # nobody was waiting yet
    except StoreUnavailable:
        assert place.everything() == before
    held.close()
    await _works(store, place)


# ── When the outcome is not known ────────────────────────────────────────────────────────────────


def _there(connection: Connection, taken: Step) -> bool:
    return has_line(connection, taken.bucket, taken.user_code, taken.line, enrolled=taken.enrolled)


@pytest.mark.parametrize("where", [Break.BEFORE, Break.AFTER])
async def test_a_wire_that_breaks(place: Place, fragile: Cluster, where: Break) -> None:
    """Before the statement arrives, or after its commit: the line tells which it was."""
    taken = accepted()
    async with wired(fragile.folder / "wire", fragile.folder) as wire:
        store = Place(wire.url(place.url)).open_store(_SHORT)
        wire.breaks.append(where)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await store.swap_access(taken)
        assert wire.broken == 1
        arrived = where is Break.AFTER
        assert await store.read(lambda connection: _there(connection, taken)) is arrived
        assert await store.swap_access(taken) is (Fate.LOST if arrived else Fate.WON)
        await store.close()
    assert place.row_of(USER_CODE)["version"] == 2


async def _cut_short(fragile: Cluster, asked: "asyncio.Task[object]") -> None:
    """Cancel whatever waits for the standby, as an operator would, until *asked* is answered."""
    while not asked.done():
        await asyncio.to_thread(
            fragile.psql,
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
        )
    with pytest.raises(StoreUnavailable, match="did not wait for its standby"):
        await asked


async def test_a_wait_for_a_standby_that_is_cancelled(
    place: Place, fragile: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes as a success with a warning: nobody takes it for one, and the log has it."""
    store = place.open_store(replace(_SHORT, statement_timeout=60))
    with fragile.missing_its_standby(), caplog.at_level(logging.WARNING, "sesame.store"):
        asked = asyncio.create_task(store.swap_access(step()))
        await _cut_short(fragile, asked)
    assert "canceling wait for synchronous replication" in caplog.text
    assert place.row_of(USER_CODE)["version"] == 2
    await store.close()


async def test_a_change_that_its_standby_may_not_have(place: Place, fragile: Cluster) -> None:
    """So with whatever else is written: who is told of the end of a session relies on it."""
    store = place.open_store(replace(_SHORT, statement_timeout=60))
    with fragile.missing_its_standby():
        asked = asyncio.create_task(store.write(_touch))
        await _cut_short(fragile, asked)
    await store.close()


async def test_a_wait_for_a_standby_that_is_too_long(
    store: Store, place: Place, fragile: Cluster
) -> None:
    """Our own clock ends it; the commit is seen here, and lasts once nothing is waited for."""
    taken = accepted(read_version=2)
    key = (taken.bucket, taken.user_code)
    with fragile.missing_its_standby():
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await _ask(store, "swap_access")
        assert await store.read(lambda c: _there(c, taken))
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await store.lasts(*key, lambda c: _there(c, taken))
    assert await store.lasts(*key, lambda c: _there(c, taken))
    assert not await store.lasts(*key, lambda c: _there(c, accepted(read_version=3)))
    await _works(store, place)


@pytest.mark.skipif(os.geteuid() != 0, reason="the server's processes are another user's")
async def test_a_commit_that_ends_late(place: Place, fragile: Cluster) -> None:
    """Whoever looks for its line waits for it, or says that it does not know; never: not there."""
    taken = accepted(read_version=2)
    key = (taken.bucket, taken.user_code)
    store = place.open_store(_SHORT)
    patient = place.open_store(replace(_SHORT, lock_timeout=_LONGEST, statement_timeout=_LONGEST))
    await store.swap_access(step())
    with fragile.missing_its_standby():
        asked = asyncio.create_task(store.swap_access(taken))
        pid = ""
        while not pid:
            pid = fragile.psql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            await asyncio.sleep(0)
        os.kill(int(pid), signal.SIGSTOP)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await asked
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await store.lasts(*key, lambda c: _there(c, taken))
    looking = asyncio.create_task(patient.lasts(*key, lambda c: _there(c, taken)))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while int(fragile.psql(waiting)) == 0:  # noqa: ASYNC110 -- nobody but the server knows
        await asyncio.sleep(0)
    os.kill(int(pid), signal.SIGCONT)
    assert await looking
    await _works(store, place)
    for one in (store, patient):
        await one.close()
