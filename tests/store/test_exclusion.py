"""`sesame.store.exclusion`: migrations while servers run, which end in no deadlock."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

from sesame.store import exclusion
from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.store.metadata import METADATA
from sesame.store.schema import make_ready, migrate
from sesame.store.sessions import find_session
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import enrol, step

pytestmark = pytest.mark.needs("postgresql")

_CUSTOMERS = [f"BUSY{n:04d}" for n in range(20)]


def test_every_table_is_held() -> None:
    """In an order, so each has its place."""
    assert set(exclusion._IN_ORDER) == set(METADATA.tables)  # noqa: SLF001 -- its order


@pytest.fixture
def busy(cluster: Cluster) -> Iterator[Place]:
    """A database of this test's own with a few customers."""
    name = cluster.new_database()
    place = Place(cluster.url(name))
    migrate(place.url)
    for user_code in _CUSTOMERS:
        enrol(place, user_code)
    yield place
    place.close()


class _Traffic:
    """Logins and pages of several servers, until told to stop."""

    def __init__(self, stores: list[Store]) -> None:
        self.stores = stores
        self.over = False
        self.seen: Counter[str] = Counter()

    async def client(self, number: int) -> None:
        """One customer after another login."""
        store, user_code = self.stores[number % len(self.stores)], _CUSTOMERS[number]
        while not self.over:
            try:
                version = (await store.read_access(user_code)).version
                change = step(user_code, version, failed_hour=7, forgets_devices=True)
                fate = await store.swap_access(change)
                await store.read(lambda connection: find_session(connection, 1, bytes(32)))
                self.seen[fate] += 1
            except StoreUnavailable:  # on tables of another version
                self.seen["unavailable"] += 1
                await asyncio.sleep(0.05)


async def test_a_migration_between_two_logins(busy: Place) -> None:
    """There and back while four servers are at it: each gets its turn, in no circle."""
    traffic = _Traffic([busy.open_store() for _ in range(4)])
    clients = [asyncio.create_task(traffic.client(n)) for n in range(len(_CUSTOMERS))]
    try:
        for to in ("0002", "head") * 4:
            before = traffic.seen[Fate.WON]
            while to == "0002" and traffic.seen[Fate.WON] < before + 50:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.to_thread(migrate, busy.url, to=to)
    finally:
        traffic.over = True
        await asyncio.gather(*clients)
    for store in traffic.stores:
        await store.close()
    busy.execute("SELECT pg_stat_force_next_flush()")
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert busy.execute(query) == [(0,)]
    versions = busy.execute("SELECT sum(version) FROM access")
    assert versions == [(len(_CUSTOMERS) + traffic.seen[Fate.WON],)]


async def test_a_server_starts_while_tables_change(busy: Place) -> None:
    """It looks at the schema as it is, and waits for nobody."""
    connection = await asyncpg.connect(busy.url.replace("+asyncpg", ""))
    async with connection.transaction():
        await connection.execute("LOCK TABLE alembic_version IN SHARE ROW EXCLUSIVE MODE")
        tables = ", ".join(METADATA.tables)
        await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        await asyncio.to_thread(make_ready, busy.url)
    await connection.close()


async def test_one_migration_at_a_time(cluster: Cluster) -> None:
    """Where there is no table yet, too: the second one finds its work done."""
    name = cluster.new_database()
    url = cluster.url(name)
    await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(3)))
    await asyncio.to_thread(make_ready, url)
