"""How often a login goes to PostgreSQL: one read, one statement that settles it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from sesame.bank.sessions import end_session, end_session_of
from sesame.bank.verification import Accepted, Attempt, Outcome, Refused, verify_login
from sesame.store.postgresql_login import READ_GROUP, SWAP_GROUP, SWAP_GROUP_TELLING
from tests.bank.branch import VERA, Branch, attempt, open_bank

pytestmark = pytest.mark.needs("postgresql")

_HOT = [READ_GROUP, SWAP_GROUP]


@pytest.fixture
async def branch(server: str) -> AsyncIterator[Branch]:
    """A bank on PostgreSQL."""
    branch = Branch(server, open_bank(server))
    yield branch
    await branch.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent, by whatever way; it fills."""
    sent: list[str] = []
    execute = asyncpg.Connection.execute
    fetch, prepare = asyncpg.Connection.fetch, asyncpg.Connection.prepare

    async def executed(self: asyncpg.Connection, query: str, **how: object) -> object:
        sent.append(query)
        return await execute(self, query, **how)

    async def fetched(self: asyncpg.Connection, query: str, *values: object) -> object:
        sent.append(query)
        return await fetch(self, query, *values)

    async def prepared(self: asyncpg.Connection, query: str, **how: object) -> object:
        sent.append(query)
        return await prepare(self, query, **how)

    monkeypatch.setattr(asyncpg.Connection, "execute", executed)
    monkeypatch.setattr(asyncpg.Connection, "fetch", fetched)
    monkeypatch.setattr(asyncpg.Connection, "prepare", prepared)  # SQLAlchemy's way
    return sent


async def test_a_login_is_two_round_trips(branch: Branch, sent: list[str]) -> None:
    """From a browser that is known or not, right or wrong; the one that ends an old code too.

    That one says so by a statement of its own, with which it is told: no other login pays for it.
    """
    bank = branch.bank
    await bank.pressure.is_on(bank.store, bank.limits, bank.now())  # asked once in a while
    assert sent
    first = replace(attempt(VERA.user_code, VERA.card.code(1)), device_seed=bytes(32))

    async def login(mine: Attempt, statements: list[str] = _HOT) -> Outcome:
        sent.clear()
        outcome = await verify_login(bank, mine)
        assert sent == statements
        return outcome

    wrong = attempt(VERA.user_code, VERA.card.wrong_code(1), origin=first.origin)
    assert await login(wrong) == Refused()
    accepted = await login(first, [READ_GROUP, SWAP_GROUP_TELLING])
    assert isinstance(accepted, Accepted)
    assert accepted.device is not None
    assert branch.rows("SELECT event FROM notices") == [("old-code",)]
    known = replace(first.origin, devices=(accepted.device,))
    mine = attempt(VERA.user_code, VERA.card.code(2), origin=known)
    assert isinstance(await login(mine), Accepted)
    for origin in (known, first.origin):
        wrong = attempt(VERA.user_code, VERA.card.wrong_code(3), origin=origin)
        assert await login(wrong) == Refused()
    assert len(branch.rows("SELECT event FROM notices")) == 1


async def test_the_end_of_a_session_is_three_round_trips(branch: Branch, sent: list[str]) -> None:
    """What its commit waits for the standby with goes along with its beginning."""
    accepted = await verify_login(branch.bank, attempt(VERA.user_code, VERA.card.code(1)))
    assert isinstance(accepted, Accepted)
    await end_session_of(branch.bank, VERA.user_code, bytes(32))  # so that it is connected
    sent.clear()
    await end_session(branch.bank, accepted.session_token or "")
    begin, change, commit = sent
    assert begin.startswith("BEGIN")
    assert "pg_logical_emit_message" in begin
    assert change.startswith("DELETE FROM sessions")
    assert commit == "COMMIT;"
