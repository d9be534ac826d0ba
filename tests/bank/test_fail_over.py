"""A primary that is cut off from its standby, and lost: what was answered is there afterwards.

No operator waits for anything here, and none has to.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sesame.bank.bank import Bank
from sesame.bank.old_code import OldCode
from sesame.bank.sessions import (
    Session,
    end_other_sessions,
    end_session,
    end_session_of,
    open_sessions,
    read_session,
    token_hash,
)
from sesame.bank.verification import Accepted, Attempt, Outcome, Refused, verify_login
from sesame.cap.token import Code
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.schema import migrate
from tests.bank.branch import OLD_CODE, VERA, attempt, enrol_everybody, open_bank
from tests.postgresql import Cluster, new_folder, remove
from tests.wire import Wire

pytestmark = pytest.mark.needs("postgresql")

_IMPATIENT = StoreOptions(statement_timeout=0.5, lock_timeout=0.5)
_PATIENT = StoreOptions(statement_timeout=30.0, lock_timeout=30.0)
_NEXT_TO_IT = """
synchronous_standby_names = '*'
hot_standby = on
"""


@dataclass
class _Pair:
    """A primary, its standby, and the wire between them."""

    primary: Cluster
    standby: Cluster
    link: Wire
    name: str

    def bank(self, cluster: Cluster, name: str = "one", options: StoreOptions = _IMPATIENT) -> Bank:
        """A bank on one of the two, which waits for half a second unless *options* say more."""
        bank = open_bank(cluster.url(self.name), name=name)
        return replace(bank, store=open_store(cluster.url(self.name), options))

    async def fail_over(self) -> None:
        """The primary is lost with all that it has, and the standby takes its place."""
        await asyncio.to_thread(self.primary.stop, "immediate")
        await self.link.close()
        await self._meanwhile()
        await asyncio.to_thread(self.standby.promote)
        await asyncio.to_thread(
            self.standby.psql, "ALTER SYSTEM SET synchronous_standby_names = ''"
        )
        self.standby.reload()

    async def _meanwhile(self) -> None:
        """While only the standby is there, each is told that the service is unavailable."""
        url = self.primary.url(self.name)
        both = f"{url},{self.standby.folder}&target_session_attrs=primary"
        store = open_store(both, _IMPATIENT)
        for asked in (
            lambda: store.read_access(VERA.user_code),
            lambda: store.read(lambda _connection: 1),
            lambda: store.write(lambda _connection: 1),
        ):
            with pytest.raises(StoreUnavailable):
                await asked()
        await store.close()

    async def say(self, cluster: Cluster, mine: Attempt, name: str = "one") -> Outcome | None:
        """What a server on *cluster* answers to the form; None where it cannot tell."""
        bank = self.bank(cluster, name)
        try:
            return await verify_login(bank, mine)
        except StoreUnavailable:
            return None
        finally:
            await bank.store.close()

    async def end_waits(self, how: str, *asked: asyncio.Task[Any]) -> None:
        """End each wait for the standby, as an operator may, until all is done that was *asked*."""
        waiting = "pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not all(one.done() for one in asked):
            await asyncio.to_thread(self.primary.psql, f"SELECT {how}(pid) FROM {waiting}")  # noqa: S608 -- two names

    async def wait_until(self, count: int, waiting: str) -> None:
        """Wait until *count* of the primary's sessions are *waiting*, which is a condition."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}"  # noqa: S608 -- ours
        while int(await asyncio.to_thread(self.primary.psql, query)) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def wait_until_synchronous(self) -> None:
        """Wait until the standby is one that commits wait for."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        while (await asyncio.to_thread(self.primary.psql, query)).strip() != "1":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair() -> AsyncIterator[_Pair]:
    """The two with everybody enrolled, in step."""
    async with AsyncExitStack() as stack:
        primary = await asyncio.to_thread(Cluster, new_folder())
        stack.push_async_callback(asyncio.to_thread, remove, primary)
        await asyncio.to_thread(primary.start)
        name = primary.new_database()
        await asyncio.to_thread(migrate, primary.url(name))
        bank = open_bank(primary.url(name), name="enrolment")
        await enrol_everybody(bank)
        await bank.store.close()
        link = Wire(primary.folder / "link", primary.folder)
        await link.open()
        stack.push_async_callback(link.close)
        standby = await asyncio.to_thread(Cluster, new_folder(), copied_from=link.folder)
        stack.push_async_callback(asyncio.to_thread, remove, standby)
        await asyncio.to_thread(standby.start)
        primary.set(_NEXT_TO_IT)
        await asyncio.to_thread(primary.reload)
        pair = _Pair(primary, standby, link, name)
        await pair.wait_until_synchronous()
        yield pair


_FORMS: dict[str, tuple[Code | OldCode, type[Outcome]]] = {
    "a right code": (VERA.card.code(1), Accepted),
    "the old code": (OLD_CODE, Accepted),
    "a wrong code": (VERA.card.wrong_code(1), Refused),
}


@pytest.mark.parametrize("typed", _FORMS)
async def test_what_the_standby_never_got_was_never_answered(pair: _Pair, typed: str) -> None:
    """Neither at once, nor when the form is sent again; after the fail-over it is judged once."""
    code, right = _FORMS[typed]
    mine = attempt(VERA.user_code, code)
    pair.link.stall()
    assert await pair.say(pair.primary, mine) is None
    # Seen, and by whoever looks: it stands on the primary alone.
    lines = "SELECT count(*) FROM audit_lines WHERE version = 2"
    assert int(pair.primary.psql(lines, database=pair.name)) == 1
    assert await pair.say(pair.primary, mine, "another") is None
    await pair.fail_over()
    assert isinstance(await pair.say(pair.standby, mine, "third"), right)


async def test_what_was_answered_is_there_after_a_fail_over(pair: _Pair) -> None:
    """Also what was answered only when the form came again, the standby being back."""
    mine = attempt(VERA.user_code, VERA.card.code(1))
    pair.link.stall()
    assert await pair.say(pair.primary, mine) is None
    pair.link.move()
    await pair.wait_until_synchronous()
    first = await pair.say(pair.primary, mine, "another")
    assert isinstance(first, Accepted)
    await pair.fail_over()
    assert await pair.say(pair.standby, mine, "third") == first
    assert await pair.say(pair.standby, replace(mine, id=bytes(16)), "third") == Refused()


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_wait_that_an_operator_ends(pair: _Pair, how: str, *, quiet: bool) -> None:
    """The database calls it a success; we do not, for the standby has it not.

    Also where its warning is not to be said to clients, by what stands in file and role.
    """
    if quiet:
        pair.primary.set("client_min_messages = error\n")
        await asyncio.to_thread(pair.primary.reload)
        await asyncio.to_thread(
            pair.primary.psql, "ALTER ROLE postgres SET client_min_messages = error"
        )
    mine = attempt(VERA.user_code, VERA.card.code(1))
    patient = pair.bank(pair.primary, options=_PATIENT)
    pair.link.stall()
    asked = asyncio.create_task(verify_login(patient, mine))
    await pair.end_waits(how, asked)
    with pytest.raises(StoreUnavailable):
        await asked
    await patient.store.close()
    await pair.fail_over()
    assert isinstance(await pair.say(pair.standby, mine, "third"), Accepted)


_End = Callable[[Bank, str, Session], Awaitable[None]]
_ENDS: dict[str, _End] = {
    "by who has it": lambda bank, token, _other: end_session(bank, token),
    "from another": lambda bank, token, other: end_session_of(
        bank, other.user_code, token_hash(token)
    ),
    "from another, with all": lambda bank, _token, other: end_other_sessions(bank, other),
}


async def _sign_in(bank: Bank, atc: int) -> str:
    accepted = await verify_login(bank, attempt(VERA.user_code, VERA.card.code(atc)))
    assert isinstance(accepted, Accepted)
    assert accepted.session_token is not None
    return accepted.session_token


async def _two_sessions(pair: _Pair) -> tuple[str, Session]:
    """The token of one, and another one of the same customer."""
    bank = pair.bank(pair.primary)
    token = await _sign_in(bank, 1)
    other = await read_session(bank, await _sign_in(bank, 2))
    assert other is not None
    await bank.store.close()
    return token, other


@pytest.mark.parametrize("how", _ENDS)
async def test_the_end_of_a_session_that_the_standby_never_got(pair: _Pair, how: str) -> None:
    """It is said not to be done, also when it is asked again and there is nothing left to do."""
    token, other = await _two_sessions(pair)
    bank = pair.bank(pair.primary)
    pair.link.stall()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await _ENDS[how](bank, token, other)
        # It is to be seen on the primary, and nobody is told of it.
        ended = "SELECT count(*) FROM sessions"
        assert int(pair.primary.psql(ended, database=pair.name)) == 1
        with pytest.raises(StoreUnavailable):
            await read_session(bank, token)
        with pytest.raises(StoreUnavailable):
            await open_sessions(bank, other.user_code)
    await bank.store.close()
    bank = pair.bank(pair.standby)
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        await _ENDS[how](bank, token, other)
    await bank.store.close()
    await pair.fail_over()
    bank = pair.bank(pair.standby)
    assert await read_session(bank, token) is not None
    for _ in range(2):
        await _ENDS[how](bank, token, other)
        assert await read_session(bank, token) is None
    await bank.store.close()


async def test_two_who_end_the_same_session(pair: _Pair) -> None:
    """The second one waits for the first one's row, finds it gone, and waits for the standby."""
    token, _ = await _two_sessions(pair)
    bank = pair.bank(pair.primary, options=_PATIENT)
    pair.link.stall()
    first = asyncio.create_task(end_session(bank, token))
    await pair.wait_until(1, "wait_event = 'SyncRep'")
    second = asyncio.create_task(end_session(bank, token))
    await pair.wait_until(1, "wait_event_type = 'Lock'")
    await pair.end_waits("pg_cancel_backend", first, second)
    for asked in (first, second):
        with pytest.raises(StoreUnavailable, match="did not wait for its standby"):
            await asked
    await bank.store.close()
