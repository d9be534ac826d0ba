"""A login whose commit nobody told us of: found by its line, and answered as it was.

On PostgreSQL, by a wire that is cut and a standby that never answers. What a decision does with
it on any database stands in test_verification.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sesame.bank.sessions import end_all_sessions, read_session, token_hash
from sesame.bank.turnstile import Turnstile
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.options import StoreOptions
from tests.bank.branch import ADDRESS, NOBODY, VERA, Branch, attempt, open_bank
from tests.bank.stranger import chain_is_whole
from tests.cut import Cut, Wire, wired
from tests.postgresql import Cluster

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
    async with wired(cluster.folder, cluster.folder / "wire") as wire:
        yield wire


@pytest.fixture
async def other(branch: Branch, wire: Wire, server: str) -> AsyncIterator[Branch]:
    """That server. Its statements are prepared: what is cut is the step itself."""
    store = open_store(wire.url(server), _SHORT)
    bank = replace(branch.bank, store=store, turnstile=Turnstile())
    await verify_login(bank, attempt(UserCode("ANNA2345"), VERA.card.wrong_code(1)))
    yield Branch(server, bank)
    await store.close()
    (wire.folder / ".s.PGSQL.5432").unlink()
    wire.folder.rmdir()


class _CutAtTheStep:
    """Cuts the wire when the bank swaps, and not when it reads."""

    def __init__(self, other: Branch, wire: Wire, cut: Cut) -> None:
        self._swap, self._wire, self._cut = other.bank.store.swap_access, wire, cut
        self._left = 1

    async def __call__(self, step: object) -> object:
        if self._left:
            self._left -= 1
            self._wire.cut = self._cut
        return await self._swap(step)  # type: ignore[arg-type]  # a step


async def test_an_acceptance_whose_answer_was_lost(
    branch: Branch, other: Branch, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads « accepted », its session is the one that stands, and its code is used up."""
    monkeypatch.setattr(other.bank.store, "swap_access", _CutAtTheStep(other, wire, Cut.AFTER))
    outcome = await other.login(VERA, VERA.card.code(1))
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    assert wire.cut is Cut.NOT
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
    monkeypatch: pytest.MonkeyPatch,
    user_code: UserCode,
) -> None:
    """Of a customer and of nobody alike."""
    await branch.fail(user_code, 1)  # so that nobody's row is there
    monkeypatch.setattr(other.bank.store, "swap_access", _CutAtTheStep(other, wire, Cut.AFTER))
    assert await other.fail(user_code, 1) == [Refused()]
    assert branch.row(user_code)["open_failures"] == 2


async def test_a_login_that_did_not_arrive_costs_nothing(
    branch: Branch, other: Branch, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said not to have been taken, and the same form signs in later."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    before = branch.place.everything()
    monkeypatch.setattr(other.bank.store, "swap_access", _CutAtTheStep(other, wire, Cut.BEFORE))
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await verify_login(other.bank, form)
    assert branch.place.everything() == before
    assert isinstance(await verify_login(other.bank, form), Accepted)


async def test_the_end_of_all_sessions_whose_answer_was_lost(
    branch: Branch, other: Branch, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event of a customer's row is found the same way: it happens once."""
    monkeypatch.setattr(other.bank.store, "swap_access", _CutAtTheStep(other, wire, Cut.AFTER))
    await end_all_sessions(other.bank, VERA.user_code, ADDRESS)
    assert (branch.row(VERA.user_code)["session_epoch"], wire.cut) == (1, Cut.NOT)


async def test_a_standby_that_never_answers(
    branch: Branch, other: Branch, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Our own clock cancels the wait: nobody may know that the login stands, till it lasts."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    cluster.psql("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'")
    cluster.reload()
    try:
        with caplog.at_level(logging.WARNING, "sesame"), pytest.raises(StoreUnavailable):
            await verify_login(other.bank, form)
    finally:
        cluster.psql("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.reload()
    assert "found by its line" not in caplog.text
    assert isinstance(await verify_login(branch.bank, form), Accepted)
    assert len(branch.rows("SELECT 1 FROM audit_lines WHERE user_code = ?", VERA.user_code)) == 2
