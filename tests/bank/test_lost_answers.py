"""A commit of which nobody heard: found by the attempt's id, and answered as it was.

The connection to the database breaks, a wait for a standby ends early, a server dies before it
could answer. Whoever sends the same form again, to whatever server, reads one and the same answer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from sesame.bank.bank import Bank
from sesame.bank.old_code import OldCode
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Attempt, Outcome, Refused, verify_login
from sesame.cap.token import Code
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.options import StoreOptions
from tests.bank.branch import NOBODY, OLD_CODE, VERA, Branch, attempt, open_bank
from tests.bank.test_races import Racer, judged
from tests.custody.keystores import chance
from tests.postgresql import Cluster
from tests.wire import Break, Wire, wired

postgresql = pytest.mark.needs("postgresql")

_TYPED: dict[str, tuple[UserCode, Code | OldCode, type[Outcome]]] = {
    "a right code": (VERA.user_code, VERA.card.code(1), Accepted),
    "a wrong code": (VERA.user_code, VERA.card.wrong_code(1), Refused),
    "the old code": (VERA.user_code, OLD_CODE, Accepted),
    "a stranger’s": (NOBODY, VERA.card.code(1), Refused),
}


async def _again_elsewhere(branch: Branch, mine: Attempt) -> Outcome:
    """What another server says to the same form."""
    other = open_bank(branch.where, name="another")
    try:
        return await verify_login(other, mine)
    finally:
        await other.store.close()


# ── A broken wire ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def wire(cluster: Cluster) -> AsyncIterator[Wire]:
    """A wire to the tests' PostgreSQL."""
    async with wired(cluster.folder / "wire", cluster.folder) as wire:
        yield wire


@pytest.fixture
async def branch_on_server(server: str) -> AsyncIterator[Branch]:
    """A bank on PostgreSQL."""
    branch = Branch(server, open_bank(server))
    yield branch
    await branch.close()


@postgresql
@pytest.mark.parametrize("typed", _TYPED)
@pytest.mark.parametrize("where", [Break.BEFORE, Break.ON_ITS_WAY, Break.AFTER])
async def test_a_broken_wire(
    branch_on_server: Branch, wire: Wire, typed: str, where: Break
) -> None:
    """One line, one session, and the same answer twice."""
    branch = branch_on_server
    bank = open_bank(wire.url(str(branch.where)), name="far")
    user_code, code, right = _TYPED[typed]
    mine = attempt(user_code, code)
    wire.breaks.append(where)
    first: Outcome | None = None
    with suppress(StoreUnavailable):
        first = await verify_login(bank, mine)
    assert wire.broken == 1
    if where is not Break.ON_ITS_WAY:  # there it is found only if it was quick
        assert (first is None) is (where is Break.BEFORE)
    await bank.store.close()
    await wire.quiet()
    if where is not Break.BEFORE:
        assert len(judged(branch, user_code)) == 1
    again = await _again_elsewhere(branch, mine)
    assert isinstance(again, right)
    assert first in {None, again}
    assert len(judged(branch, user_code)) == 1
    sessions = 1 if right is Accepted else 0
    assert branch.rows("SELECT count(*) FROM sessions") == [(sessions,)]


@postgresql
async def test_a_group_whose_answer_is_lost(branch_on_server: Branch, wire: Wire) -> None:
    """Everybody in it finds their own line."""
    branch = branch_on_server
    bank = open_bank(wire.url(str(branch.where)), name="far")
    forms = [attempt(user_code, code) for user_code, code, _ in _TYPED.values()]
    forms = [one for one in forms if one.code != VERA.card.wrong_code(1) and one.code != OLD_CODE]
    wire.breaks.append(Break.AFTER)
    outcomes = await asyncio.gather(*(verify_login(bank, one) for one in forms))
    assert wire.broken == 1
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused]
    await bank.store.close()


# ── A server that dies ───────────────────────────────────────────────────────────────────────────


async def test_a_server_killed_between_commit_and_answer(branch: Branch) -> None:
    """The browser sends its form again, to another server, and is signed in by what was."""
    with closing(Racer(branch.where, "dies", "mute", 1)) as racer:
        assert racer.said.readline() == "ready\n"
        racer.start()
        assert racer.said.readline() == "committed\n"
        racer.process.kill()
    mine = attempt(VERA.user_code, VERA.card.code(1), id=chance("dies")(16))
    assert len(judged(branch, VERA.user_code)) == 1
    again = await _again_elsewhere(branch, mine)
    assert isinstance(again, Accepted)
    assert again == await _again_elsewhere(branch, mine)
    assert len(judged(branch, VERA.user_code)) == 1
    other = replace(mine, id=bytes(15) + b"x")
    assert await _again_elsewhere(branch, other) == Refused()


@postgresql
async def test_a_server_killed_while_the_database_answers(
    branch_on_server: Branch, wire: Wire
) -> None:
    """The answer was between the database and its server, which never read it."""
    branch = branch_on_server
    wire.breaks.append(Break.HELD)
    with closing(Racer(wire.url(str(branch.where)), "dies", "mute", 1)) as racer:
        assert await asyncio.to_thread(racer.said.readline) == "ready\n"
        racer.start()
        await wire.held.wait()
        racer.process.kill()
        await wire.quiet()
    mine = attempt(VERA.user_code, VERA.card.code(1), id=chance("dies")(16))
    assert isinstance(await _again_elsewhere(branch, mine), Accepted)
    assert len(judged(branch, VERA.user_code)) == 1


# ── A standby that is waited for ─────────────────────────────────────────────────────────────────


@pytest.fixture
async def impatient(server: str) -> AsyncIterator[Bank]:
    """A bank that waits two seconds for its database at most."""
    bank = open_bank(server, name="impatient")
    await bank.store.close()
    bank = replace(bank, store=open_store(server, StoreOptions(statement_timeout=1.0)))
    yield bank
    await bank.store.close()


@postgresql
@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend", "our own clock"])
async def test_a_wait_for_a_standby_that_ends_early(
    branch_on_server: Branch,
    impatient: Bank,
    cluster: Cluster,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """The commit stands here alone: no success yet; whoever runs the database reads a warning."""
    branch = branch_on_server
    await branch.bank.store.read_access(VERA.user_code)
    mine = attempt(VERA.user_code, VERA.card.code(1))
    with cluster.missing_its_standby(), caplog.at_level(logging.WARNING):
        asked = asyncio.create_task(verify_login(impatient, mine))
        while how != "our own clock" and not asked.done():
            ended = await asyncio.to_thread(
                cluster.psql,
                f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",  # noqa: S608 -- two names
            )
            if "t" in ended:
                break
        with pytest.raises(StoreUnavailable):
            await asked
    assert isinstance(await _again_elsewhere(branch, mine), Accepted)
    assert len(judged(branch, VERA.user_code)) == 1
    assert "WARNING" in {record.levelname for record in caplog.records}, caplog.text
    assert VERA.user_code not in caplog.text
