"""A login whose commit nobody told us of: found by its line, and answered as it was.

On PostgreSQL, by a wire that breaks and a standby that never answers. What a decision does with
it on any database stands in test_verification.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from sesame.bank.sessions import end_all_sessions, read_session, token_hash
from sesame.bank.settling import Change, settle
from sesame.bank.turnstile import Turnstile
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.store.access import State
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.postgresql_login import SWAP_FIRST, SWAP_GROUP
from sesame.store.steps import Fate
from tests.bank.branch import ADDRESS, NINE, NOBODY, VERA, Branch, attempt, open_bank
from tests.bank.stranger import chain_is_whole
from tests.postgresql import Cluster
from tests.wire import Break, Wire, wired

pytestmark = pytest.mark.needs("postgresql")

_SHORT = StoreOptions(connect_timeout=3, statement_timeout=1, lock_timeout=0.5)


@pytest.fixture
async def branch(server: str) -> AsyncIterator[Branch]:
    """A bank that nothing cuts off."""
    branch = Branch(server, open_bank(server))
    yield branch
    await branch.close()


@pytest.fixture
async def wire(cluster: Cluster) -> AsyncIterator[Wire]:
    """The way of another server to the same database."""
    async with wired(cluster.folder / "wire", cluster.folder) as wire:
        yield wire


@pytest.fixture
async def other(branch: Branch, wire: Wire, server: str) -> AsyncIterator[Branch]:
    """That server."""
    store = open_store(wire.url(server), _SHORT)
    yield Branch(server, replace(branch.bank, store=store, turnstile=Turnstile()))
    await store.close()


async def test_an_acceptance_whose_answer_was_lost(
    branch: Branch, other: Branch, wire: Wire
) -> None:
    """It reads « accepted », its session is the one that stands, and its code is used up."""
    wire.breaks.append(Break.AFTER)
    outcome = await other.login(VERA, VERA.card.code(1))
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    assert wire.broken == 1
    assert branch.rows("SELECT token_hash FROM sessions") == [(token_hash(outcome.session_token),)]
    assert await read_session(branch.bank, outcome.session_token) is not None
    assert chain_is_whole(*await branch.chain(VERA))
    assert branch.last_atcs(VERA) == [1]
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
async def test_a_refusal_whose_answer_was_lost_counts_once(
    branch: Branch,
    other: Branch,
    wire: Wire,
    user_code: UserCode,
) -> None:
    """Of a customer and of nobody alike."""
    await branch.fail(user_code, 1)  # so that nobody's row is there
    wire.breaks.append(Break.AFTER)
    assert await other.fail(user_code, 1) == [Refused()]
    assert branch.row(user_code)["open_failures"] == 2


async def test_a_login_that_did_not_arrive_costs_nothing(
    branch: Branch, other: Branch, wire: Wire
) -> None:
    """It is said not to have been taken, and the same form signs in later."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    before = branch.place.everything()
    wire.breaks.append(Break.BEFORE)
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await verify_login(other.bank, form)
    assert branch.place.everything() == before
    assert isinstance(await verify_login(other.bank, form), Accepted)


@pytest.mark.parametrize("written", [True, False], ids=["after its commit", "before it arrives"])
@pytest.mark.parametrize("lost", [SWAP_GROUP, SWAP_FIRST], ids=["customer", "nobody"])
async def test_one_of_two_statements_of_a_group_that_is_lost(
    branch: Branch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    lost: str,
    written: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """The other's answer stands; the lost one's is found by its line, or said to be unknown."""
    fetch, sent = asyncpg.Connection.fetch, []

    async def broken(connection: asyncpg.Connection, query: str, *values: object) -> object:
        sent.append(query)
        rows = await fetch(connection, query, *values) if written or query != lost else []
        if query == lost:
            raise asyncpg.ConnectionDoesNotExistError
        return rows

    accesses = [await branch.bank.store.read_access(code) for code in (VERA.user_code, NOBODY)]
    monkeypatch.setattr(asyncpg.Connection, "fetch", broken)
    with caplog.at_level(logging.WARNING, "sesame"):
        became = await asyncio.gather(
            *(settle(branch.bank, access, _refused(access.state), NINE) for access in accesses),
            return_exceptions=True,
        )
    assert sorted(sent) == sorted([SWAP_GROUP, SWAP_FIRST])
    assert caplog.text.count("found by its line") == written
    versions = [branch.row(code).get("version", 0) for code in (VERA.user_code, NOBODY)]
    for access, version, fate, statement in zip(
        accesses, versions, became, (SWAP_GROUP, SWAP_FIRST), strict=True
    ):
        if written or statement != lost:
            assert (fate, version) == (Fate.WON, access.version + 1)
        else:
            assert isinstance(fate, StoreUnavailable)
            assert version == access.version


def _refused(state: State) -> Change:
    return Change(event="login", state=state, facts={}, address=ADDRESS, attempt=bytes(15) + b"1")


async def test_the_end_of_all_sessions_whose_answer_was_lost(
    branch: Branch, other: Branch, wire: Wire
) -> None:
    """Every event of a customer's row is found the same way: it happens once."""
    wire.breaks.append(Break.AFTER)
    await end_all_sessions(other.bank, VERA.user_code, ADDRESS)
    assert (branch.row(VERA.user_code)["session_epoch"], wire.broken) == (1, 1)


async def test_a_standby_that_never_answers(
    branch: Branch, other: Branch, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Our own clock cancels the wait: nobody may know that the login stands, till it lasts."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    with (
        cluster.missing_its_standby(),
        caplog.at_level(logging.WARNING, "sesame"),
        pytest.raises(StoreUnavailable),
    ):
        await verify_login(other.bank, form)
    assert "found by its line" not in caplog.text
    assert isinstance(await verify_login(branch.bank, form), Accepted)
    assert len(branch.rows("SELECT 1 FROM audit_lines WHERE user_code = ?", VERA.user_code)) == 2
