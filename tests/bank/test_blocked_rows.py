"""A row that another program holds keeps its own customer waiting, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.store.engine import open_store
from sesame.store.errors import RowHeld
from sesame.store.options import StoreOptions
from tests.bank.branch import DORA, NOBODY, OMAR, VERA, Branch, attempt, open_bank

pytestmark = pytest.mark.needs("postgresql")

_HELD = {
    "access row": "SELECT FROM access WHERE user_code = $1 FOR UPDATE",
    "card": "SELECT FROM cards WHERE user_code = $1 FOR UPDATE",
}


@pytest.fixture
async def branch(server: str) -> AsyncIterator[Branch]:
    """A bank on PostgreSQL, with groups as large as they are by default, that waits long."""
    branch = _branch(server, lock_timeout=60.0)
    yield branch
    await branch.close()


def _branch(server: str, *, lock_timeout: float) -> Branch:
    store = open_store(server, StoreOptions(lock_timeout=lock_timeout, statement_timeout=60.0))
    return Branch(server, replace(open_bank(server), store=store))


@asynccontextmanager
async def _held(branch: Branch, what: str) -> AsyncIterator[None]:
    """Another program holds Véra's row, until the block is over."""
    dsn = str(branch.where).replace("+asyncpg", "")
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.fetch(_HELD[what], VERA.user_code)
            yield
    finally:
        await connection.close()


async def _everybody_else(branch: Branch, atc: int) -> None:
    """Those who come together with Véra, and after her."""
    outcomes = await asyncio.gather(
        branch.login(OMAR, OMAR.card.code(atc)),
        branch.login(DORA, DORA.card.code(atc)),
        verify_login(branch.bank, attempt(NOBODY, VERA.card.code(atc))),
    )
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Refused]


@pytest.mark.parametrize("what", _HELD)
async def test_a_row_that_is_let_go(branch: Branch, what: str) -> None:
    """Others come in, in her group and later; she does once it is free."""
    async with _held(branch, what):
        vera = asyncio.create_task(branch.login(VERA, VERA.card.code(1)))
        for atc in range(1, 4):
            await _everybody_else(branch, atc)
        assert not vera.done()
    assert isinstance(await vera, Accepted)


async def test_a_row_that_is_not_let_go(server: str) -> None:
    """She is told so in the end, and nothing was counted."""
    branch = _branch(server, lock_timeout=0.3)
    async with _held(branch, "access row"):
        vera = asyncio.create_task(branch.login(VERA, VERA.card.code(1)))
        await _everybody_else(branch, 1)
        with pytest.raises(RowHeld):
            await vera
    assert branch.row(VERA.user_code)["version"] == 1
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    await branch.close()


async def test_a_hot_row_that_is_held(branch: Branch) -> None:
    """However many come for her: they wait in a line of their own."""
    async with _held(branch, "access row"):
        crowd = [
            asyncio.create_task(branch.login(VERA, VERA.card.wrong_code(1, guess)))
            for guess in range(1, 5)
        ]
        for atc in range(1, 4):
            await _everybody_else(branch, atc)
        assert not any(one.done() for one in crowd)
    outcomes = await asyncio.gather(*crowd)
    assert outcomes[:3] == [Refused()] * 3
