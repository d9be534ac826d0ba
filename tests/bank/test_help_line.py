"""`sesame.bank.help_line`: suspensions are lifted, cards opposed, one handed over a counter."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, update

from sesame.bank.auditing import audit
from sesame.bank.bank import Bank
from sesame.bank.calls import Call
from sesame.bank.errors import (
    LiftedEnough,
    NoSuchCustomer,
    NotAllowed,
    NothingToHandOver,
    NothingToLift,
    NothingToReplace,
    NotIdentified,
)
from sesame.bank.help_line import (
    hand_over,
    letter_to_hand_over,
    lift_suspension,
    oppose,
    order_for_counter,
)
from sesame.bank.helping import LiftReason, Loss, Question
from sesame.bank.moments import to_row
from sesame.bank.sessions import read_session
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.bank.tries import pressed
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, Suspended
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState, set_card_state
from sesame.store.devices import count_devices
from sesame.store.dispatches import DISPATCHES, DispatchRow, insert_dispatch
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.holds import HOLDS
from sesame.store.notices import NOTICES
from sesame.store.orders import ORDERS, insert_order, list_orders
from tests.desk.caller import call, is_open, session_of, sign_in, suspend
from tests.desk.office import Office, open_office
from tests.portal.town import Customer, wrong_code

TWO = (Question.ADDRESS, Question.LAST_LOGIN)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff, and nobody with an old code."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


async def _lift(office: Office, who: Customer, its_call: Call | None = None) -> None:
    await lift_suspension(office.bank, its_call or call(office, who), LiftReason.MISTYPED, TWO)


async def _events(office: Office, code: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in await office.lines(code)]


async def _notices(office: Office) -> list[tuple[str, str]]:
    rows = await office.bank.store.read(
        lambda connection: list(
            connection.execute(select(NOTICES.c.user_code, NOTICES.c.event).order_by(NOTICES.c.at))
        )
    )
    return [(code, event) for code, event in rows if event != "old-code"]  # of the first login


async def _state(office: Office, who: Customer) -> str:
    return (await office.bank.store.read_access(who.user_code)).cards[0].state


async def test_a_suspension_is_lifted(office: Office) -> None:
    """Three tries again, a line in both chains, and the customer is told."""
    vera = office.town.vera
    await suspend(office, vera)
    right = await office.town.code_of(vera)
    assert isinstance(await sign_in(office, vera.user_code, right), Suspended)
    its_call = call(office, vera)
    await _lift(office, vera, its_call)
    await _lift(office, vera, its_call)  # a second click
    for _ in range(2):
        wrong = wrong_code(await office.town.code_of(vera))
        assert await sign_in(office, vera.user_code, wrong) == Refused()
    assert isinstance(await sign_in(office, vera.user_code, right), Accepted)
    for code, lines in ((vera.user_code, 1), (office.ada.user_code, 1)):
        found = [one for one in await _events(office, code) if one["event"] == "suspension-lifted"]
        assert len(found) == lines
        assert found[0]["by"] == office.ada.typed
        assert found[0]["about"] == vera.user_code
        assert (found[0]["reason"], found[0]["identity"]) == ("mistyped", "address last-login")
    assert await _notices(office) == [(vera.user_code, "suspension-lifted")]


async def test_the_next_suspension_is_longer_and_pressure_stays(office: Office) -> None:
    """Whoever talked an adviser over guesses no more than before."""
    vera, bank = office.town.vera, office.bank
    await suspend(office, vera)
    await _lift(office, vera)
    await suspend(office, vera)
    state = (await bank.store.read_access(vera.user_code)).state
    until = state.open.suspended_until
    assert until is not None
    assert until > to_row(bank.now() + timedelta(minutes=59))
    await _lift(office, vera)
    await suspend(office, vera)
    state = (await bank.store.read_access(vera.user_code)).state
    assert pressed(state.open, bank.limits, bank.now())


async def test_so_often_and_no_more(office: Office) -> None:
    """Twice a day for a customer, whichever adviser does it; the day after again."""
    vera = office.town.vera
    for _ in range(2):
        await suspend(office, vera)
        await _lift(office, vera)
    await suspend(office, vera)
    before = await office.lines(vera.user_code)
    with pytest.raises(LiftedEnough):
        await _lift(office, vera)
    assert await office.lines(vera.user_code) == before
    office.town.clock.advance(hours=24)
    for _ in range(3):
        wrong = wrong_code(await office.town.code_of(vera))
        await sign_in(office, vera.user_code, wrong)
    await suspend(office, office.town.omar)
    await _lift(office, office.town.omar)


async def test_so_often_by_one_adviser(office: Office) -> None:
    """And no more, for however many customers."""
    office.town.bank = replace(office.bank, limits=replace(office.bank.limits, lifts_of_adviser=1))
    for who in (office.town.vera, office.town.omar):
        await suspend(office, who)
    await _lift(office, office.town.vera)
    with pytest.raises(LiftedEnough):
        await _lift(office, office.town.omar)
    grown = replace(call(office, office.town.omar), by=office.staff(office.odile, [Role.ADVISER]))
    with pytest.raises(NotAllowed):  # her row says officer
        await _lift(office, office.town.omar, grown)


async def test_what_is_not_lifted(office: Office) -> None:
    """What is not suspended, for who was not asked who they are, nobody, or by who has no right."""
    vera = office.town.vera
    with pytest.raises(NothingToLift):
        await _lift(office, vera)
    await suspend(office, vera)
    with pytest.raises(NotIdentified):
        await lift_suspension(
            office.bank, call(office, vera), LiftReason.READER, [Question.CARD, Question.CARD]
        )
    for other in (office.odile, office.aude):
        with pytest.raises(NotAllowed):
            await _lift(office, vera, call(office, vera, other))
    forged = replace(call(office, vera), by=office.staff(office.aude, [Role.ADVISER]))
    with pytest.raises(NotAllowed):
        await _lift(office, vera, forged)
    for code in ("NEMO3333", office.aude.user_code):
        with pytest.raises(NoSuchCustomer):
            await _lift(office, vera, replace(call(office, vera), user_code=UserCode(code)))
    odile, gone = office.staff(office.odile), office.ada.user_code
    await close_member(office.bank, odile, gone, address="", reason="Départ")
    with pytest.raises(NotAllowed):
        await _lift(office, vera)
    code = await office.town.code_of(vera)
    assert isinstance(await sign_in(office, vera.user_code, code), Suspended)


@pytest.mark.parametrize("loss", [Loss.LOST, Loss.STOLEN])
async def test_a_card_that_is_lost(office: Office, loss: Loss) -> None:
    """Held by the desk at once, sessions ended, devices forgotten, a card ordered: one step."""
    vera, bank = office.town.vera, office.bank
    token = await session_of(office, vera)
    key = (bucket_of(vera.user_code), vera.user_code)
    its_call = call(office, vera)
    for _ in range(2):  # and a second click
        done = await oppose(bank, its_call, loss, [1])
        assert (done.held, done.retired, done.ordered) == ((vera.record.pan.last4,), (), 1)
    assert not await is_open(office, token)
    code = await office.town.code_of(vera)
    assert await sign_in(office, vera.user_code, code) == Refused()
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    assert [(o.kind, o.reason, o.replaces, o.ordered_by) for o in orders] == [
        ("sesame", loss, 1, office.ada.user_code)
    ]
    held = await bank.store.read(
        lambda connection: connection.execute(
            select(HOLDS.c.by, HOLDS.c.by_code, HOLDS.c.reason, HOLDS.c.release_hash)
        ).all()
    )
    assert [tuple(row) for row in held] == [("desk", office.ada.user_code, loss, None)]
    now = to_row(bank.now())
    assert await bank.store.read(lambda connection: count_devices(connection, *key, now=now)) == 0
    lines = [one for one in await _events(office, vera.user_code) if one["event"] == "opposition"]
    assert len(lines) == 1
    assert lines[0]["held"] == [[1]]
    assert lines[0]["sessions"] == "ended"
    own = [
        one for one in await _events(office, office.ada.user_code) if one["event"] == "opposition"
    ]
    assert "held" not in own[0]
    assert own[0]["about"] == vera.user_code
    assert await _notices(office) == [(vera.user_code, "opposition")]
    again = await oppose(bank, call(office, vera), loss, [1])  # another adviser, a second report
    assert again.ordered == 0


async def test_a_thief_has_no_release_number(office: Office) -> None:
    """An owner's own hold becomes the desk's, which two persons lift."""
    vera, bank = office.town.vera, office.bank
    key = (bucket_of(vera.user_code), vera.user_code)

    def hold(connection: Connection) -> None:
        set_card_state(connection, key, 1, CardState.HELD)
        connection.execute(
            insert(HOLDS).values(
                bucket=key[0],
                user_code=key[1],
                card_number=1,
                by="owner",
                by_code=key[1],
                reason="",
                at=1,
                release_hash=bytes(32),
            )
        )

    await bank.store.write(hold)
    await oppose(bank, call(office, vera), Loss.STOLEN, [1])
    rows = await bank.store.read(
        lambda connection: connection.execute(select(HOLDS.c.by, HOLDS.c.release_hash)).all()
    )
    assert [tuple(row) for row in rows] == [("desk", None)]


async def test_a_card_that_is_damaged(office: Office) -> None:
    """It works, and its sessions go on, until its replacement does; ordered once."""
    vera, bank = office.town.vera, office.bank
    token = await session_of(office, vera)
    done = await oppose(bank, call(office, vera), Loss.DAMAGED, [1])
    assert (done.held, done.retired, done.ordered) == ((), (), 1)
    assert await is_open(office, token)
    assert await _state(office, vera) == "active"
    code = await office.town.code_of(vera)
    assert isinstance(await sign_in(office, vera.user_code, code), Accepted)
    with pytest.raises(NothingToReplace):
        await oppose(bank, call(office, vera), Loss.DAMAGED, [1])
    assert await _notices(office) == [(vera.user_code, "order")]


async def test_a_card_that_nobody_has_used(office: Office) -> None:
    """Retired, its order cancelled, its letters void, and ordered anew."""
    vera, bank = office.town.vera, office.bank
    key = (bucket_of(vera.user_code), vera.user_code)

    def wait(connection: Connection) -> None:
        set_card_state(connection, key, 1, CardState.WAITING)
        number = insert_order(
            connection,
            key,
            kind="sesame",
            reason="first",
            replaces=None,
            by="_K7P2M4X",
            at=1,
        )
        connection.execute(update(ORDERS).values(card_number=1, activation_until=99))
        for kind, posted in (("card", 5), ("pin", None)):
            row = DispatchRow(f"7QK4-{kind}", *key, kind, number, 1, posted_at=posted)
            insert_dispatch(connection, row)

    await bank.store.write(wait)
    done = await oppose(bank, call(office, vera), Loss.STOLEN, [1])
    assert (done.held, done.ordered) == ((), 1)
    assert done.retired == (vera.record.pan.last4,)
    assert await _state(office, vera) == "retired"
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    assert [(o.reason, o.cancelled_at is None) for o in orders] == [
        ("first", False),
        ("stolen", True),
    ]
    assert orders[0].activation_until is None
    void = await bank.store.read(
        lambda connection: connection.execute(
            select(DISPATCHES.c.kind).where(DISPATCHES.c.voided_at.is_not(None))
        ).all()
    )
    assert [tuple(row) for row in void] == [("pin",)]
    with pytest.raises(NothingToReplace):
        await oppose(bank, call(office, vera), Loss.STOLEN, [1])


async def test_a_bank_card(office: Office) -> None:
    """Its codes are held here; nothing is ordered here."""
    omar = office.town.omar
    done = await oppose(office.bank, call(office, omar), Loss.LOST, [1])
    assert done.held == (omar.record.pan.last4,)
    assert done.ordered == 0
    assert await _state(office, omar) == "held"


async def test_it_holds_for_every_request_that_begins_after_it(
    office: Office, tmp_path: Path
) -> None:
    """Invariant 11, across two servers, while the thief signs in and looks."""
    vera = office.town.vera
    other = replace(office.bank, store=open_store(f"sqlite:///{tmp_path}/bank.db"))
    token = await session_of(office, vera)
    codes = [await office.town.code_of(vera) for _ in range(6)]
    over = asyncio.Event()

    async def look(bank: Bank) -> None:
        while not over.is_set():
            began_after = done.is_set()
            found = await read_session(bank, token, touch=False)
            assert not (began_after and found)

    async def log_in(bank: Bank, code: str) -> None:
        began_after = done.is_set()
        town, office.town.bank = office.town, bank
        outcome = await sign_in(office, vera.user_code, code)
        town.bank = own
        if isinstance(outcome, Accepted) and outcome.session_token:
            assert not began_after
            tokens.append(outcome.session_token)

    own, done = office.bank, asyncio.Event()
    tokens: list[str] = [token]
    watching = [asyncio.create_task(look(bank)) for bank in (own, other)]
    guessing = [asyncio.create_task(log_in(other, code)) for code in codes[:3]]
    await oppose(own, call(office, vera), Loss.STOLEN, [1])
    done.set()
    for code in codes[3:]:
        await log_in(other, code)
    await asyncio.gather(*guessing)
    for one in tokens:
        assert await read_session(other, one, touch=False) is None
    over.set()
    await asyncio.gather(*watching)
    await other.store.close()


async def test_a_card_over_the_counter(office: Office) -> None:
    """Ordered for who has none that works; handed over in its envelope, once; told of both."""
    vera, bank = office.town.vera, office.bank
    key = (bucket_of(vera.user_code), vera.user_code)
    with pytest.raises(NothingToReplace):
        await order_for_counter(bank, call(office, vera))
    await oppose(bank, call(office, vera), Loss.LOST, [1])
    assert await letter_to_hand_over(bank, vera.user_code) is None
    its_call = call(office, vera)
    await order_for_counter(bank, its_call)
    await order_for_counter(bank, its_call)  # a second click
    with pytest.raises(NothingToReplace):
        await order_for_counter(bank, call(office, vera))
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    assert [(o.reason, o.replaces, o.cancelled_at is None) for o in orders] == [
        ("lost", 1, False),
        ("handed-over", 1, True),
    ]
    with pytest.raises(NothingToHandOver):
        await hand_over(bank, call(office, vera))
    letters = [
        DispatchRow("7QK4-CARD", *key, "card", 2, 1, printed_at=2),
        DispatchRow("7QK4-PIN2", *key, "pin", 2, 1, printed_at=2),
    ]
    for letter in letters:
        await bank.store.write(partial(insert_dispatch, row=letter))
    assert await letter_to_hand_over(bank, vera.user_code) == "7QK4-CARD"
    await hand_over(bank, call(office, vera))
    posted = await bank.store.read(
        lambda connection: connection.execute(
            select(DISPATCHES.c.reference).where(DISPATCHES.c.posted_at.is_not(None))
        ).all()
    )
    assert [tuple(row) for row in posted] == [("7QK4-CARD",)]
    with pytest.raises(NothingToHandOver):
        await hand_over(bank, call(office, vera))
    assert [event for _, event in await _notices(office)] == [
        "opposition",
        "counter-order",
        "card-handed-over",
    ]
    report = await audit(bank.store, None)
    assert report.findings == []


async def test_an_outcome_that_nobody_heard(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit arrived and its answer did not: the same form tells what was done, once."""
    vera, bank = office.town.vera, office.bank
    write = bank.store.write

    async def cut_off(change: Callable[[Connection], object]) -> object:
        await write(change)
        raise StoreUnavailable("the connection was cut")

    its_call = call(office, vera)
    monkeypatch.setattr(bank.store, "write", cut_off)
    with pytest.raises(StoreUnavailable):
        await oppose(bank, its_call, Loss.LOST, [1])
    monkeypatch.undo()
    before = await office.lines(vera.user_code)
    done = await oppose(bank, its_call, Loss.LOST, [1])
    assert (done.held, done.ordered) == ((vera.record.pan.last4,), 1)
    assert await office.lines(vera.user_code) == before


async def test_of_two_advisers_at_once_one_orders(office: Office) -> None:
    """The steps are taken one after the other, and the second sees what the first ordered."""
    vera = office.town.vera
    done = await asyncio.gather(
        *(oppose(office.bank, call(office, vera), Loss.LOST, [1]) for _ in range(2))
    )
    assert sorted(one.ordered for one in done) == [0, 1]
    count = await office.bank.store.read(
        lambda connection: connection.execute(
            select(CARDS.c.state).where(CARDS.c.user_code == vera.user_code)
        ).all()
    )
    assert [tuple(row) for row in count] == [("held",)]
