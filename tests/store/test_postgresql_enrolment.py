"""Enrolment on PostgreSQL, beside steps of strangers on the same user codes: no circle."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg
import pytest

from sesame.store.buckets import bucket_of
from sesame.store.customers import NewCustomerRow, Refusal, insert_customers
from sesame.store.engine import Database, open_database
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.options import StoreOptions
from sesame.store.schema import migrate
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import customer, step

pytestmark = pytest.mark.needs("postgresql")

# In key order; strangers tried all but the first.
_NEW, _TRIED, _LAST = sorted(("NEMO3333", "NEMO4444", "NEMO5555"), key=lambda c: (bucket_of(c), c))
_HOLD = "SELECT 1 FROM access WHERE user_code = $1 FOR UPDATE"


@pytest.fixture
async def database(server: Place) -> AsyncIterator[Database]:
    """A database on which strangers tried two user codes."""
    for user_code in (_TRIED, _LAST):
        server.swap_group([step(user_code, 0, enrolled=False)])
    database = open_database(server.url, StoreOptions(lock_timeout=4.0))
    yield database
    await database.close()


@pytest.fixture
async def other(server: Place) -> AsyncIterator[asyncpg.Connection]:
    """Another program's connection."""
    connection = await asyncpg.connect("postgresql://" + server.url.partition("://")[2])
    yield connection
    await connection.close()


def _deadlocks(server: Place) -> int:
    server.execute("SELECT pg_stat_force_next_flush()")
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    return int(server.execute(query)[0][0])


async def _until_waiting(server: Place, tasks: Sequence[asyncio.Task[object]]) -> None:
    """Each of *tasks* waits for a lock, or has come to its end."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while sum(not task.done() for task in tasks) > server.execute(query)[0][0]:  # noqa: ASYNC110 -- nobody else tells us
        await asyncio.sleep(0.01)


def _enrolment(
    database: Database, rows: Sequence[NewCustomerRow]
) -> asyncio.Task[dict[int, Refusal]]:
    return asyncio.create_task(database.write(lambda c: insert_customers(c, rows)))


async def test_enrolment_makes_no_row_before_it_holds_what_is_there(
    server: Place, database: Database, other: asyncpg.Connection
) -> None:
    """A group locks what is there and then begins rows: in that order the two make no circle."""
    before = _deadlocks(server)
    rows = [customer(_NEW), customer(_TRIED, version=2), customer(_LAST, version=2)]
    transaction = other.transaction()
    await transaction.start()
    await other.execute(_HOLD, _TRIED)
    enrolment = _enrolment(database, rows)
    await _until_waiting(server, [enrolment])
    steps = [step(_NEW, 0, enrolled=False), step(_LAST, 1, enrolled=False)]
    group = asyncio.create_task(database.swap_group(steps))
    await _until_waiting(server, [enrolment, group])
    await transaction.rollback()
    assert await enrolment == {2: Refusal.MOVED_ON}  # the first is not seen before it is made
    assert await group == [Fate.WON, Fate.WON]
    assert _deadlocks(server) == before
    again = [customer(_NEW, version=2), customer(_TRIED, version=2), customer(_LAST, version=3)]
    assert await _enrolment(database, again) == {}


@pytest.fixture
def danish(cluster: Cluster) -> Iterator[Place]:
    """A database that sorts as the Danish do: AA is Å, the last letter of all."""
    name = f"bank_{secrets.token_hex(6)}"
    cluster.psql(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'da'")
    migrate(cluster.url(name))
    place = Place(cluster.url(name))
    yield place
    place.close()


async def test_enrolment_in_a_database_of_another_language(danish: Place) -> None:
    """It locks by bytes, as it and the groups sort: the others wait for it in the same order."""
    first, last = _of_one_bucket("AA", "ZZ")
    assert danish.execute("SELECT ? < ?", last, first) == [(True,)]
    danish.swap_group([step(code, 0, enrolled=False) for code in (first, last)])
    database = open_database(danish.url, StoreOptions(lock_timeout=4.0))
    dsn = "postgresql://" + danish.url.partition("://")[2]
    other, third = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(_HOLD, first)
    rows = [customer(code, version=2) for code in (first, last)]
    enrolment = _enrolment(database, rows)
    await _until_waiting(danish, [enrolment])
    await third.execute(f"{_HOLD} NOWAIT", last)
    await transaction.rollback()
    assert await enrolment == {}
    for one in (other, third, database):
        await one.close()


def _of_one_bucket(*beginnings: str) -> list[str]:
    """A user code with each of *beginnings*, all of the same bucket."""
    return [
        next(
            code
            for code in map(f"{beginning}NEMO{{:02d}}".format, range(2, 100))
            if bucket_of(code) == bucket_of("AANEMO22")
        )
        for beginning in beginnings
    ]


async def test_enrolment_that_a_circle_ends(
    server: Place, database: Database, other: asyncpg.Connection
) -> None:
    """Another program locks in an order of its own; who was ended may ask again."""
    transaction = other.transaction()
    await transaction.start()
    await other.execute(_HOLD, _LAST)
    rows = [customer(_TRIED, version=2), customer(_LAST, version=2)]
    enrolment = _enrolment(database, rows)
    await _until_waiting(server, [enrolment])
    await other.execute("SET LOCAL deadlock_timeout = '60s'")  # not the other one
    await other.execute(_HOLD, _TRIED)
    with pytest.raises(EnrolledMeanwhile) as ended:
        await enrolment
    assert ended.value.__cause__ is None
    await transaction.rollback()
    assert await _enrolment(database, rows) == {}


async def test_enrolment_that_waited_for_long_enough(
    server: Place, other: asyncpg.Connection
) -> None:
    """A row that somebody holds for too long: nothing was written, ask again."""
    server.swap_group([step(_TRIED, 0, enrolled=False)])
    database = open_database(server.url, StoreOptions(lock_timeout=0.1))
    rows = [customer(_NEW), customer(_TRIED, version=2)]
    before = server.everything()
    async with other.transaction():
        await other.execute(_HOLD, _TRIED)
        with pytest.raises(EnrolledMeanwhile):
            await _enrolment(database, rows)
    assert server.everything() == before
    assert await _enrolment(database, rows) == {}
    await database.close()


async def test_enrolment_whose_copy_waited_for_long_enough(
    server: Place, other: asyncpg.Connection
) -> None:
    """What COPY meets comes from the driver itself: it is a loss to others all the same."""
    database = open_database(server.url, StoreOptions(lock_timeout=0.1))
    before = server.everything()
    transaction = other.transaction()
    await transaction.start()
    await other.execute(
        "INSERT INTO customers (bucket, user_code, name, language, created_at) "
        "VALUES ($1, $2, 'Véra Dupont', 'fr', 0)",
        bucket_of(_NEW),
        _NEW,
    )
    with pytest.raises(EnrolledMeanwhile) as ended:
        await _enrolment(database, [customer(_NEW)])
    assert ended.value.__cause__ is None
    await transaction.rollback()
    assert server.everything() == before
    assert await _enrolment(database, [customer(_NEW)]) == {}
    await database.close()
