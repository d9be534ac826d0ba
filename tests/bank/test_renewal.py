"""`sesame.bank.renewal`: the day's look at all cards, on a real database of either kind."""

import json
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from sesame.bank.card_life import Act, Due, Why
from sesame.bank.limits import Limits
from sesame.bank.renewal import Renewal
from sesame.bank.verification import Accepted, Refused
from sesame.store.access import Access
from sesame.store.buckets import bucket_of
from tests.bank.branch import DORA, VERA, Branch, Person
from tests.bank.stranger import chain_is_whole
from tests.bank.waiting import activation, have_wait, states

_TODAY = date(2026, 3, 2)
_RENEWED, _EXPIRED = Due(Act.RENEW, Why.EXPIRY), Due(Act.RETIRE, Why.EXPIRY)


def _renewal(branch: Branch, *, days: int = 0, dry_run: bool = False) -> Renewal:
    bank = branch.bank
    return Renewal(
        store=bank.store,
        now=bank.now() + timedelta(days=days),
        today=_TODAY + timedelta(days=days),
        random_bytes=bank.random_bytes,
        limits=Limits(),
        dry_run=dry_run,
    )


def _made(branch: Branch, person: Person, expires_on: str, card_number: int = 1) -> None:
    """Say that the card was made here, and is good through a day."""
    branch.change(
        "INSERT INTO card_orders (bucket, user_code, order_number, kind, reason, ordered_at, "
        "ordered_by, card_number, expires_on, activated_at) "
        "VALUES (?, ?, 1, 'sesame', 'first', 0, 'STAFF222', ?, ?, 1)",
        bucket_of(person.user_code),
        person.user_code,
        card_number,
        expires_on,
    )


def _orders(branch: Branch) -> list[tuple[object, ...]]:
    asked = "SELECT user_code, reason, replaces, ordered_by FROM card_orders WHERE replaces > 0"
    return branch.rows(asked)


async def test_a_card_is_renewed_once_and_works_until_the_new_one_does(branch: Branch) -> None:
    """Ordered thirty days before; both live; the new one's activation retires the old."""
    _made(branch, DORA, "2026-04-01")
    counted = await _renewal(branch, dry_run=True).run()
    assert (dict(counted.done), _orders(branch)) == ({_RENEWED: 1}, [])
    assert dict((await _renewal(branch).run()).done) == {_RENEWED: 1}
    assert dict((await _renewal(branch, days=1).run()).done) == {}
    assert _orders(branch) == [(DORA.user_code, "renewal", 1, "_0000000")]
    lines, head = await branch.chain(DORA)
    assert chain_is_whole(lines, head)
    said = json.loads(lines[-1][1])
    assert (said["event"], said["card"], said["why"]) == ("renewal", 1, "expiry")
    ((event, facts),) = branch.rows("SELECT event, facts FROM notices")
    assert event == "renewal"
    assert json.loads(bytes(facts))["why"] == "expiry"
    assert isinstance(await branch.login(DORA, DORA.card.code(1)), Accepted)


async def test_a_counter_near_its_end_orders_a_card(branch: Branch) -> None:
    """Of a Sésame card; a bank card's is the card system's matter."""
    branch.change("UPDATE cards SET last_atc = 60001")
    assert dict((await _renewal(branch).run()).done) == {Due(Act.RENEW, Why.COUNTER): 2}
    assert {row[0] for row in _orders(branch)} == {DORA.user_code, VERA.user_code}
    assert dict((await _renewal(branch).run()).done) == {}


@pytest.mark.parametrize("state", ["held", "retired", "waiting"])
async def test_what_signs_in_nowhere_is_not_renewed(branch: Branch, state: str) -> None:
    """Neither by its date nor by its counter."""
    _made(branch, VERA, "2026-03-20")
    branch.change("UPDATE cards SET state = ?, last_atc = 60001 WHERE kind = 'sesame'", state)
    assert dict((await _renewal(branch).run()).done) == {}
    assert _orders(branch) == []


async def test_after_its_last_day_a_card_is_retired(branch: Branch) -> None:
    """Whether it is held or not, and the number of its owner's hold is void."""
    _made(branch, VERA, "2026-03-02")
    _made(branch, DORA, "2026-03-02")
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", DORA.user_code)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    assert dict((await _renewal(branch, days=1).run()).done) == {_EXPIRED: 2}
    assert states(branch, VERA) == ["retired"]
    assert states(branch, DORA) == ["retired", "held"]
    assert await branch.login(VERA, VERA.card.code(2)) == Refused()
    lines, _ = await branch.chain(DORA)
    said = json.loads(lines[-1][1])
    assert (said["event"], said["why"]) == ("card-retired", "expiry")
    assert dict((await _renewal(branch, days=2).run()).done) == {}


async def test_a_card_without_activation_retires_the_old_by_its_first_code(branch: Branch) -> None:
    """The next day; until then both sign in."""
    await have_wait(branch, DORA, 1, replaces=2)
    branch.change("UPDATE cards SET kind = 'sesame', state = 'active'")
    assert dict((await _renewal(branch).run()).done) == {}
    assert isinstance(await branch.login(DORA, DORA.card.code(1)), Accepted)
    assert isinstance(await branch.login(DORA, DORA.cards[1].code(1)), Accepted)
    assert dict((await _renewal(branch).run()).done) == {Due(Act.RETIRE, Why.SUCCEEDED): 1}
    assert states(branch, DORA) == ["active", "retired"]


async def test_an_order_that_was_cancelled_is_made_again(branch: Branch) -> None:
    """Else a card would run out without another."""
    _made(branch, VERA, "2026-03-20")
    await _renewal(branch).run()
    branch.change("UPDATE card_orders SET cancelled_at = 1 WHERE replaces = 1")
    assert dict((await _renewal(branch).run()).done) == {_RENEWED: 1}


async def test_what_is_done_meanwhile_is_not_done_twice(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An activation, a hold or another run between the look and the commit."""
    branch = branch_on_file
    await have_wait(branch, DORA, 1, replaces=2)
    branch.change("UPDATE cards SET kind = 'sesame', last_atc = 60001 WHERE card_number = 2")
    branch.change("UPDATE card_orders SET replaces = NULL")
    right = branch.bank.store.write
    meanwhile: list[Callable[[], object]] = [
        lambda: branch.change("UPDATE cards SET state = 'held' WHERE card_number = 2")
    ]

    async def write(change: Callable[[Connection], object]) -> object:
        if meanwhile:
            meanwhile.pop()()
        return await right(change)

    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "write", write)
        assert dict((await _renewal(branch).run()).done) == {}
    assert _orders(branch) == []
    assert isinstance(await branch.login(DORA, activation(DORA.card.code(1))), Accepted)


async def test_others_who_are_always_faster_leave_it_for_the_next_day(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said how many, and nothing is half done."""
    branch = branch_on_file
    _made(branch, VERA, "2026-03-20")
    right = branch.bank.store.read_access

    async def stale(user_code: str, devices: tuple[bytes, ...] = ()) -> Access:
        access = await right(user_code, devices)
        branch.change("UPDATE access SET version = version + 1 WHERE user_code = ?", user_code)
        return access

    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "read_access", stale)
        came_to = await _renewal(branch).run()
    assert (dict(came_to.done), came_to.left) == ({}, 1)
    assert _orders(branch) == branch.rows("SELECT * FROM notices") == []


async def test_many_cards_are_looked_at_a_few_at_a_time(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, whatever becomes of it."""
    branch = branch_on_file
    monkeypatch.setattr("sesame.bank.renewal._AT_ONCE", 1)
    for person in (VERA, DORA):
        _made(branch, person, "2026-03-20")
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", VERA.user_code)
    came_to = await _renewal(branch).run()
    assert dict(came_to.done) == {_RENEWED: 1}
    assert came_to.count(Act.RENEW) == 1
    assert came_to.count(Act.RENEW, Why.COUNTER) == came_to.count(Act.RETIRE) == 0
    assert [row[0] for row in _orders(branch)] == [DORA.user_code]
