"""A connection that PostgreSQL has announced the end of, and not ended yet."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import USER_CODE, enrol, step
from tests.wire import Wire, wired

pytestmark = pytest.mark.needs("postgresql")

# As the server says it: severity twice, SQLSTATE, message.
_SAID = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
_FAREWELL = b"E" + (4 + len(_SAID)).to_bytes(4) + _SAID


@pytest.fixture
async def wire(cluster: Cluster) -> AsyncIterator[Wire]:
    """A wire to the tests' PostgreSQL."""
    async with wired(cluster.folder / "wire", cluster.folder) as wire:
        yield wire


@pytest.fixture
async def store(server: Place, wire: Wire) -> AsyncIterator[Store]:
    """A store at the other end, whose every connection was told that it ends."""
    enrol(server)
    store = Place(wire.url(server.url)).open_store()
    await asyncio.gather(store.read_access(USER_CODE), store.read(_count), store.write(_count))
    wire.announce(_FAREWELL)
    await asyncio.sleep(0.05)  # until it is heard
    yield store
    await store.close()


def _count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM customers")).scalar_one())


async def test_what_reads_asks_again(store: Store) -> None:
    """On a new connection, unseen."""
    assert (await store.read_access(USER_CODE)).version == 1
    assert await store.read(_count) == 1
    assert await store.write(_count) == 1


async def test_a_step_is_taken_or_said_not_to_be(store: Store, server: Place) -> None:
    """No error of the driver's own; the next one finds a connection."""
    try:
        fate = await store.swap_access(step())
    except StoreUnavailable:
        assert server.row_of(USER_CODE)["version"] == 1
        fate = await store.swap_access(step())
    assert fate is Fate.WON
