"""`sesame.store.memory` answers as every store does: the contract's own tests, on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sesame.store.access import AccessQuestion
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from sesame.store.cards import insert_cards
from sesame.store.customers import insert_customers
from sesame.store.engine import Database, Store
from sesame.store.memory import MemoryDatabase
from sesame.store.options import StoreOptions
from sesame.store.steps import Fate
from tests.places import Place
from tests.store.databases import USER_CODE, accepted, card, customer, step

# Each runs here once more, on the fixture below.
from tests.store.test_access import *  # noqa: F403
from tests.store.test_cards import *  # noqa: F403
from tests.store.test_devices import *  # noqa: F403
from tests.store.test_failures import *  # noqa: F403
from tests.store.test_sessions import *  # noqa: F403

KEY = (bucket_of(USER_CODE), USER_CODE)


class _MemoryPlace(Place):
    """A file that the database in question holds, looked at from outside as the others are."""

    @property
    def database(self) -> Database:
        return self._under_test

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._under_test = MemoryDatabase(self.path)

    def open_store(self, options: StoreOptions | None = None) -> Store:
        return Store(MemoryDatabase(self.path), options or StoreOptions())

    def close(self) -> None:
        self.run(self._under_test.close())
        super().close()


@pytest.fixture
def place(path: Path) -> Iterator[Place]:
    """A database without rows, in the place of those of the other kinds."""
    found = _MemoryPlace(f"sqlite:///{path}")
    yield found
    found.close()


@pytest.fixture
async def memory() -> AsyncIterator[MemoryDatabase]:
    """A bank without a file, with one customer."""
    database = MemoryDatabase()
    await database.write(lambda connection: insert_customers(connection, [customer()]))
    yield database
    await database.close()


async def test_what_reads_writes_nothing(memory: MemoryDatabase) -> None:
    """And what comes after may write again."""
    with pytest.raises(Exception, match="readonly"):
        await memory.read(lambda connection: insert_cards(connection, [(KEY, card(3))], 1))
    assert await memory.swap_alone(step()) is Fate.WON


async def test_a_backup_is_put_back_whole(memory: MemoryDatabase) -> None:
    """What came since is gone, and what was there is there."""
    (before,) = await memory.read_group([AccessQuestion(USER_CODE)])
    backup = memory.backup()
    assert await memory.swap_group([accepted()]) == [Fate.WON]
    (after,) = await memory.read_group([AccessQuestion(USER_CODE)])
    assert after.cards[0].last_atc == 11
    memory.restore(backup)
    backup.close()
    assert await memory.read_group([AccessQuestion(USER_CODE)]) == [before]
    assert await memory.swap_group([accepted()]) == [Fate.WON]


async def test_old_lines_are_forgotten(memory: MemoryDatabase) -> None:
    """Those from before a moment, and no others."""
    await memory.swap_group([step(at=5_000)])
    memory.forget_lines(before=5_000)
    lines = await memory.read(lambda connection: read_lines(connection, *KEY))
    assert len(lines) == 1
