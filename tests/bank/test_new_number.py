"""`sesame.bank.new_number`: another activation number, by post, asked for by an adviser."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from sesame.bank.errors import NoSuchCustomer, NotAllowed, NothingToSend
from sesame.bank.new_number import send_new_number, waiting_cards
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.bank.user_code import UserCode
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DISPATCHES, list_dispatches
from sesame.store.notices import NOTICES
from sesame.store.orders import ORDERS
from tests.bank.branch import NOBODY
from tests.desk.office import ADDRESS, Office, open_office
from tests.portal.test_opening import have_wait


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff, where Véra's card waits."""
    office = await open_office(tmp_path)
    await have_wait(office.town, office.town.vera)
    yield office
    await office.bank.store.close()


async def _send(office: Office, user_code: UserCode | None = None, order: int = 1) -> str:
    adviser = office.staff(office.ada)
    code = user_code or office.town.vera.user_code
    return await send_new_number(office.bank, adviser, code, order, address=ADDRESS)


async def test_a_letter_is_planned_once(office: Office) -> None:
    """With a line in the chains of both, and a notice; a second one once that was printed."""
    vera = office.town.vera.user_code
    office.town.clock.advance(days=40)
    (card,) = await waiting_cards(office.bank, vera)
    assert card.until < office.bank.now()
    assert not card.planned
    reference = await _send(office)
    key = (bucket_of(vera), vera)
    (row,) = await office.bank.store.read(lambda c: list_dispatches(c, key))
    assert (row.reference, row.kind, row.order_number) == (reference, "reader", 1)
    assert row.printed_at is None
    for code in (vera, office.ada.user_code):
        said = json.loads((await office.lines(code))[-1])
        assert (said["event"], said["order"], said["letter"]) == ("number-reissued", 1, reference)
        assert (said["by"], said["about"]) == (office.ada.typed, vera)
    events = await office.bank.store.read(lambda c: list(c.execute(select(NOTICES.c.event))))
    assert [event for (event,) in events] == ["number-reissued"]
    with pytest.raises(NothingToSend):
        await _send(office)

    def printed(connection: Connection) -> None:
        connection.execute(update(DISPATCHES).values(printed_at=1))

    await office.bank.store.write(printed)
    assert await _send(office) != reference


async def test_only_an_adviser_asks(office: Office) -> None:
    """Nor one whose account was closed since."""
    vera = office.town.vera.user_code
    for who in (office.odile, office.aude):
        with pytest.raises(NotAllowed):
            await send_new_number(office.bank, office.staff(who), vera, 1, address=ADDRESS)
    await close_member(
        office.bank,
        office.staff(office.odile),
        office.ada.user_code,
        address=ADDRESS,
        reason="Départ",
    )
    with pytest.raises(NotAllowed):
        await _send(office)
    forged = office.staff(office.odile, [Role.ADVISER])  # the statement looks for itself
    with pytest.raises(NotAllowed):
        await send_new_number(office.bank, forged, vera, 1, address=ADDRESS)


async def test_there_is_nothing_to_send(office: Office) -> None:
    """For who has no card that waits, an order that there is not, nobody, or one cancelled."""
    with pytest.raises(NothingToSend):
        await _send(office, office.town.omar.user_code)
    with pytest.raises(NothingToSend):
        await _send(office, order=2)
    with pytest.raises(NoSuchCustomer):
        await _send(office, NOBODY)

    def cancel(connection: Connection) -> None:
        connection.execute(update(ORDERS).values(cancelled_at=1))

    await office.bank.store.write(cancel)
    assert await waiting_cards(office.bank, office.town.vera.user_code) == []


async def test_what_was_done_meanwhile_is_seen(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the commit, without a step even."""
    right = office.bank.store.write
    cancelled: list[bool] = []

    async def write(change: Callable[[Connection], object]) -> object:
        if not cancelled:
            cancelled.append(True)
            await right(lambda c: c.execute(update(ORDERS).values(cancelled_at=1)))
        return await right(change)

    monkeypatch.setattr(office.bank.store, "write", write)
    with pytest.raises(NothingToSend):
        await _send(office)
