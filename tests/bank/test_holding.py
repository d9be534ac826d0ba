"""`sesame.bank.holding`: a customer's own hold, and its release by code and number."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from sesame.bank import verification
from sesame.bank.bank import Bank
from sesame.bank.errors import NothingToHold, TooBusy
from sesame.bank.holding import Held, hold_own, may_hold
from sesame.bank.matching import Matches, TwoCodes, find_matches
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import Session, end_all_sessions, read_session
from sesame.bank.turnstile import Turnstile
from sesame.bank.verification import Accepted, Refused, Suspended, verify_login
from sesame.cap.token import Code
from sesame.store.access import Access
from sesame.store.cards import CardState, set_card_state
from sesame.store.errors import StoreUnavailable
from tests.bank.branch import (
    ADDRESS,
    DORA,
    OLD_CODE,
    OMAR,
    VERA,
    Branch,
    Person,
    attempt,
    open_bank,
)
from tests.bank.stranger import chain_is_whole
from tests.bank.waiting import WRONG_NUMBER, activation, have_wait, release, states

_ORIGIN = Origin(Door.PORTAL, ADDRESS)
_FORM = b"a form's 16 bytes"[:16]


async def _session(branch: Branch, person: Person, code: object, seed: bytes = b"s" * 32) -> str:
    outcome = await branch.login(person, code, session_seed=seed)  # type: ignore[arg-type]  # a code
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    return outcome.session_token


async def _read(bank: Bank, token: str) -> Session:
    session = await read_session(bank, token)
    assert session is not None
    return session


@pytest.fixture
async def other(branch: Branch) -> AsyncIterator[Bank]:
    """Another server on the same database."""
    bank = open_bank(branch.where, name="another server")
    yield replace(bank, turnstile=Turnstile(), now=branch.clock)
    await bank.store.close()


async def _hold(branch: Branch, token: str, form: bytes = _FORM) -> Held:
    return await hold_own(branch.bank, await _read(branch.bank, token), _ORIGIN, form)


async def test_all_cards_are_held_and_the_other_sessions_end(branch: Branch, other: Bank) -> None:
    """On every server, for every request that begins after it; the one that asked goes on."""
    there = await _session(branch, DORA, DORA.card.code(1), b"t" * 32)
    here = await _session(branch, DORA, DORA.card.code(2))
    assert await may_hold(branch.bank, await _read(branch.bank, here))
    held = await _hold(branch, here)
    assert states(branch, DORA) == ["held", "held"]
    for bank in (branch.bank, other):
        assert await read_session(bank, there) is None
        assert await read_session(bank, here) is not None
        refused = await verify_login(bank, attempt(DORA.user_code, DORA.card.code(3)))
        assert refused == Refused()
    assert not await may_hold(branch.bank, await _read(branch.bank, here))
    lines, head = await branch.chain(DORA)
    assert chain_is_whole(lines, head)
    said = [json.loads(line) for _, line, _ in lines]
    (line,) = [line for line in said if line["event"] == "hold"]
    assert (line["held"], line["means"], line["door"]) == ([[1], [2]], "code", "portal")
    assert held.number not in json.dumps(said)
    assert held.number not in repr(held)
    assert branch.rows('SELECT card_number, "by", by_code FROM holds ORDER BY card_number') == [
        (number, "owner", DORA.user_code) for number in (1, 2)
    ]
    ((facts,),) = branch.rows("SELECT facts FROM notices WHERE event = 'hold'")
    assert json.loads(bytes(facts)) == {"cards": 2}


async def test_a_login_on_its_way_meets_the_hold(
    branch: Branch, other: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged before the hold is judged again after it: the row has moved."""
    here = await _session(branch, VERA, VERA.card.code(1))
    right = find_matches
    held: list[Held] = []

    async def find(bank: Bank, access: Access, code: Code, *, known: bool) -> Matches:
        found = await right(bank, access, code, known=known)
        if not held:
            held.append(await _hold(branch, here))
        return found

    monkeypatch.setattr(verification, "find_matches", find)
    outcome = await verify_login(other, attempt(VERA.user_code, VERA.card.code(2)))
    assert outcome == Refused()
    assert held
    assert branch.last_atcs(VERA) == [1]


async def test_a_second_click_reads_the_same_number(branch: Branch) -> None:
    """One hold, one line; another form finds nothing to hold."""
    here = await _session(branch, VERA, VERA.card.code(1))
    first, second = await asyncio.gather(_hold(branch, here), _hold(branch, here))
    assert first == second
    told = branch.rows("SELECT * FROM notices WHERE event = 'hold'")
    assert len(branch.rows("SELECT * FROM holds")) == len(told) == 1
    with pytest.raises(NothingToHold):
        await _hold(branch, here, bytes(16))


async def test_a_session_that_was_ended_meanwhile_stays_so(branch: Branch) -> None:
    """Its hold holds, for it began before; it opens nothing again (invariant 11)."""
    here = await _session(branch, DORA, DORA.card.code(1))
    there = await _session(branch, DORA, DORA.card.code(2), b"t" * 32)
    mine = await _read(branch.bank, here)
    await end_all_sessions(branch.bank, DORA.user_code, ADDRESS)
    assert await read_session(branch.bank, here) is None
    await hold_own(branch.bank, mine, _ORIGIN, _FORM)
    assert states(branch, DORA) == ["held", "held"]
    assert await read_session(branch.bank, here) is None
    assert await read_session(branch.bank, there) is None


async def test_each_form_has_its_own_number(branch: Branch) -> None:
    """And so has each session: nobody works one out from another."""
    here = await _session(branch, VERA, VERA.card.code(1))
    first = await _hold(branch, here)
    token = await _session(branch, VERA, release(VERA.card.code(2), first.number), b"u" * 32)
    again = await _hold(branch, token)
    assert again.number != first.number
    assert len(again.number) == 8


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_hold_that_nobody_told_us_of(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, *, arrives: bool
) -> None:
    """Its line tells; else the form is sent again, and holds then."""
    here = await _session(branch, VERA, VERA.card.code(1))
    right = branch.bank.store.write
    session = await _read(branch.bank, here)
    lost = [StoreUnavailable("the wire was cut")]

    async def write(change: Callable[[Connection], object]) -> object:
        if not lost:
            return await right(change)
        error = lost.pop()
        if arrives:
            await right(change)
        raise error

    monkeypatch.setattr(branch.bank.store, "write", write)
    if not arrives:
        with pytest.raises(StoreUnavailable):
            await hold_own(branch.bank, session, _ORIGIN, _FORM)
        assert states(branch, VERA) == ["active"]
    held = await hold_own(branch.bank, session, _ORIGIN, _FORM)
    assert states(branch, VERA) == ["held"]
    assert isinstance(await branch.login(VERA, release(VERA.card.code(2), held.number)), Accepted)


async def test_a_code_and_the_number_lift_it(branch: Branch) -> None:
    """All that was held together; they sign in, once, and the cards make logins again."""
    here = await _session(branch, DORA, DORA.card.code(1))
    held = await _hold(branch, here)
    outcome = await branch.login(DORA, release(DORA.cards[1].code(1), held.number))
    assert isinstance(outcome, Accepted)
    session = await _read(branch.bank, outcome.session_token or "")
    assert session.means == "release"
    assert states(branch, DORA) == ["active", "active"]
    assert branch.rows("SELECT * FROM holds") == []
    events = [event for (event,) in branch.rows("SELECT event FROM notices ORDER BY at, event")]
    assert sorted(events) == ["hold", "old-code", "release"]
    lines, _ = await branch.chain(DORA)
    said = json.loads(lines[-1][1])
    assert (said["event"], said["opened"]) == ("release", [[1, 0], [2, 0]])
    assert said["mac"]
    assert isinstance(await branch.login(DORA, DORA.card.code(2)), Accepted)
    assert await branch.login(DORA, release(DORA.card.code(3), held.number)) == Refused()


async def test_it_is_judged_as_a_login(branch: Branch) -> None:
    """Either half wrong is refused and counts; the third suspends; nothing is lifted."""
    here = await _session(branch, VERA, VERA.card.code(1))
    held = await _hold(branch, here)
    causes = []
    for typed in (
        release(VERA.card.code(2), WRONG_NUMBER),
        release(VERA.card.wrong_code(2), held.number),
        activation(VERA.card.code(2), held.number),
    ):
        assert await branch.login(VERA, typed) == Refused()
        lines, _ = await branch.chain(VERA)
        causes.append(json.loads(lines[-1][1])["cause"])
    assert causes == ["number-wrong", "wrong", "number-wrong"]
    suspended = await branch.login(VERA, release(VERA.card.code(2), held.number))
    assert isinstance(suspended, Suspended)
    assert states(branch, VERA) == ["held"]
    branch.clock.forward(hours=1)
    both = TwoCodes(VERA.card.code(40), VERA.card.code(41))
    assert isinstance(await branch.login(VERA, release(both, held.number)), Accepted)


async def test_the_number_of_one_customer_is_nobody_elses(branch: Branch) -> None:
    """Nor of a hold of the desk."""
    here = await _session(branch, VERA, VERA.card.code(1))
    held = await _hold(branch, here)
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", OMAR.user_code)
    assert await branch.login(OMAR, release(OMAR.card.code(1), held.number)) == Refused()


async def test_the_desks_hold_outlasts_the_owners(branch: Branch) -> None:
    """Held by the desk meanwhile, the number lifts nothing; let go by it, nothing is left."""
    here = await _session(branch, VERA, VERA.card.code(1))
    held = await _hold(branch, here)
    access = await branch.bank.store.read_access(VERA.user_code)
    where = (access.bucket, VERA.user_code)
    branch.place.write(lambda c: set_card_state(c, where, 1, CardState.HELD))
    assert await branch.login(VERA, release(VERA.card.code(2), held.number)) == Refused()
    assert states(branch, VERA) == ["held"]
    branch.place.write(lambda c: set_card_state(c, where, 1, CardState.ACTIVE))
    assert branch.rows("SELECT * FROM holds") == []
    again = await _hold(branch, await _session(branch, VERA, VERA.card.code(3)), bytes(16))
    assert isinstance(await branch.login(VERA, release(VERA.card.code(4), again.number)), Accepted)


async def test_a_session_of_the_old_code_may_hold(branch: Branch) -> None:
    """It harms little, and whoever lost the reader has nothing else in the night."""
    here = await _session(branch, VERA, OLD_CODE)
    held = await _hold(branch, here)
    assert states(branch, VERA) == ["held"]
    assert isinstance(await branch.login(VERA, release(VERA.card.code(1), held.number)), Accepted)


async def test_a_card_that_waits_is_not_held(branch: Branch) -> None:
    """It signs in nowhere: activated afterwards, it does, and what it replaces is retired."""
    await have_wait(branch, DORA, 1, replaces=2)
    here = await _session(branch, DORA, DORA.cards[1].code(1))
    await _hold(branch, here)
    assert states(branch, DORA) == ["waiting", "held"]
    assert isinstance(await branch.login(DORA, activation(DORA.card.code(1))), Accepted)
    assert states(branch, DORA) == ["active", "retired"]


async def test_others_who_are_always_faster_leave_it_busy(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held, and that is said."""
    branch = branch_on_file
    here = await _session(branch, VERA, VERA.card.code(1))
    session = await _read(branch.bank, here)
    right = branch.bank.store.read_access

    async def stale(user_code: str, devices: tuple[bytes, ...] = ()) -> Access:
        access = await right(user_code, devices)
        branch.change("UPDATE access SET version = version + 1 WHERE user_code = ?", user_code)
        return access

    monkeypatch.setattr(branch.bank.store, "read_access", stale)
    with pytest.raises(TooBusy):
        await hold_own(branch.bank, session, _ORIGIN, _FORM)
    assert states(branch, VERA) == ["active"]
