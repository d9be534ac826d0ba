"""Where letters go: changed by one person, and a PIN sent there by two."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from sesame.bank.addresses import ask_to_confirm, change, find_standing, waiting_for_second
from sesame.bank.approvals import Asked, Barred, Kind, Verdict
from sesame.bank.approving import decide, recent_requests
from sesame.bank.auditing import audit
from sesame.bank.details import PostalAddress
from sesame.bank.errors import (
    AskedAlready,
    BankError,
    NoSuchCustomer,
    NotAllowed,
    NothingToRelease,
    SameAddress,
    Undecided,
    UnsuitableReason,
)
from sesame.bank.moments import to_row
from sesame.bank.staff import Role
from sesame.bank.user_code import UserCode
from sesame.store.addresses import address_at, address_is_confirmed
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.store.notices import NOTICES
from tests.desk.office import ADDRESS, Office, open_office, person

_NEW = PostalAddress(line_4="3 quai Rambaud", postcode="69002", city="Lyon")
_OTHER = PostalAddress(line_4="8 rue Neuve", postcode="1000", city="Bruxelles", country="BE")
_WHY = "Déménagement, pièce d’identité vue"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff, where Véra has an address."""
    office = await open_office(tmp_path)
    await office.live_somewhere(office.town.vera.user_code)
    yield office
    await office.bank.store.close()


async def _change(office: Office, new: PostalAddress = _NEW, **more: str) -> Asked | None:
    said = {"reason": _WHY, "address": ADDRESS} | more
    vera = office.town.vera.user_code
    return await change(office.bank, office.staff(office.ada), vera, new, **said)


async def _ask(office: Office) -> Asked:
    vera, ada = office.town.vera.user_code, office.staff(office.ada)
    return await ask_to_confirm(office.bank, ada, vera, reason=_WHY, address=ADDRESS)


async def _confirmed(office: Office) -> bool:
    vera = office.town.vera.user_code
    said = await office.bank.store.read(
        lambda connection: address_is_confirmed(connection, (bucket_of(vera), vera))
    )
    assert (await find_standing(office.bank, vera)).pin_may_go == said
    return said


async def test_one_person_changes_it(office: Office) -> None:
    """Two chains say so and not where to; the customer is told where they lived before."""
    vera = office.town.vera.user_code
    key = (bucket_of(vera), vera)
    assert await _change(office) is None
    standing = await find_standing(office.bank, vera)
    assert standing.address == _NEW
    for code in (vera, office.ada.user_code):
        line = (await office.lines(code))[-1]
        assert '"event":"address-changed"' in line
        assert f'"by":"{office.ada.typed}"' in line
        assert "Rambaud" not in line
        assert "Lyon" not in line
    (notice,) = await office.bank.store.read(lambda c: list(c.execute(select(NOTICES))))
    assert (notice.user_code, notice.event, notice.facts) == (vera, "address-changed", b"{}")
    to = await office.bank.store.read(lambda c: address_at(c, key, notice.at))
    assert to is not None
    assert to.line_4 == "12 rue des Tilleuls"
    later = await office.bank.store.read(lambda c: address_at(c, key, notice.at + 1))
    assert later == _NEW.row()
    assert (await audit(office.bank.store, None)).findings == []


async def test_a_pin_on_its_way_waits_for_a_second_person(office: Office) -> None:
    """However long; and goes once another than who changed it has agreed."""
    await office.order(office.town.vera.user_code)
    assert await _confirmed(office)
    asked = await _change(office)
    assert asked is not None
    assert asked.kind is Kind.ADDRESS
    assert "Rambaud" not in repr(dict(asked.payload))
    for code in (office.town.vera.user_code, office.ada.user_code):
        assert f'"request":"{asked.id.hex()}"' in (await office.lines(code))[-1]
    office.town.clock.advance(days=3)
    assert not await _confirmed(office)
    with pytest.raises(Undecided) as found:
        await office.agree(office.ada, asked)
    assert found.value.why is Barred.NO_RIGHT
    as_officer = office.staff(office.ada, [Role.OFFICER])
    with pytest.raises(Undecided) as found:
        await decide(office.bank, as_officer, asked.id, Verdict.APPROVED, address=ADDRESS)
    assert found.value.why is Barred.SAME_PERSON
    office.town.clock.advance(hours=23)
    await office.agree(office.paul, asked)
    assert await _confirmed(office)


async def test_never_confirmed_it_waits_for_ever(office: Office) -> None:
    """Whether the card was ordered before the change or after; no time makes one person two."""
    vera = office.town.vera.user_code
    await _change(office)
    for days in (10, 30, 400):
        office.town.clock.advance(days=days)
        assert not await _confirmed(office)
    await office.order(vera)
    assert not await _confirmed(office)
    await _change(office, _OTHER)
    office.town.clock.advance(days=400)
    assert not await _confirmed(office)
    await office.agree(office.paul, await _ask(office))
    assert await _confirmed(office)


async def test_who_waits_is_seen(office: Office) -> None:
    """By kind, due or not; neither what is printed or void, nor a reader without a number."""
    vera = office.town.vera.user_code
    await office.order(vera)
    await _change(office)
    bank = [
        DispatchRow("7QK4-RDR0", bucket_of(vera), vera, "reader", None, 1),
        DispatchRow("7QK4-CARD", bucket_of(vera), vera, "card", 1, 1),
        DispatchRow("7QK4-PIN0", bucket_of(vera), vera, "pin", 1, 1, printed_at=1),
        DispatchRow("7QK4-PIN1", bucket_of(vera), vera, "pin", 1, 1, voided_at=1),
        DispatchRow("7QK4-PIN2", bucket_of(vera), vera, "pin", 1, to_row(office.town.clock()) * 2),
        DispatchRow("7QK4-RDR1", bucket_of(vera), vera, "reader", 1, 1),
    ]
    for row in bank:
        await office.bank.store.write(lambda connection, row=row: insert_dispatch(connection, row))  # type: ignore[misc]  # of this turn
    assert await waiting_for_second(office.bank) == (2, [(vera, "pin"), (vera, "reader")])
    (asked,) = [one for one in await recent_requests(office.bank) if one.kind is Kind.ADDRESS]
    await office.agree(office.paul, asked)
    assert await waiting_for_second(office.bank) == (0, [])


_PRINTED: dict[str, int] = {"printed_at": 1}


@pytest.mark.parametrize(
    ("letters", "free"),
    [
        ({"pin": {}, "reader": {}}, False),
        ({"pin": _PRINTED}, False),
        ({"pin": _PRINTED, "reader": {}}, False),  # its number is worth as much
        ({"pin": {}, "reader": _PRINTED}, False),
        ({"pin": _PRINTED, "reader": _PRINTED}, True),
        ({"pin": {"voided_at": 1}, "reader": {"voided_at": 1}}, True),
        ({"card": _PRINTED}, False),
    ],
)
async def test_what_is_printed_waits_for_nobody(
    office: Office, letters: dict[str, dict[str, int]], *, free: bool
) -> None:
    """But another letter than those with the PIN and the number says nothing of it."""
    vera = office.town.vera.user_code
    await office.order(vera)
    for kind, gone in letters.items():
        row = DispatchRow(f"7QK4-{kind}", bucket_of(vera), vera, kind, 1, 1)._replace(**gone)  # type: ignore[arg-type] # by name
        await office.bank.store.write(lambda connection, row=row: insert_dispatch(connection, row))  # type: ignore[misc]  # of this turn
    assert (await _change(office) is None) == free


async def test_a_yes_is_for_one_address(office: Office) -> None:
    """Changed again, the request before is over, and another is open at once."""
    await office.order(office.town.vera.user_code)
    first = await _change(office)
    assert first is not None
    with pytest.raises(AskedAlready):
        await _ask(office)
    second = await _change(office, _OTHER)
    assert second is not None
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, first)
    assert not await _confirmed(office)
    await office.agree(office.paul, second)
    assert await _confirmed(office)
    with pytest.raises(NothingToRelease):
        await _ask(office)
    assert await _change(office) is not None
    assert not await _confirmed(office)


async def test_asked_for_once_a_card_is_ordered(office: Office) -> None:
    """By whoever sees the letter wait; an issuer may ask and change nothing."""
    with pytest.raises(NothingToRelease):
        await _ask(office)
    ines = person("Inès Vidal", Role.ISSUER)
    await office.agree(office.paul, await office.hire(ines))
    await _change(office)
    vera = office.town.vera.user_code
    asked = await ask_to_confirm(
        office.bank, office.staff(ines), vera, reason=_WHY, address=ADDRESS
    )
    await office.agree(office.paul, asked)
    assert await _confirmed(office)
    with pytest.raises(NotAllowed):
        await change(office.bank, office.staff(ines), vera, _OTHER, reason=_WHY, address=ADDRESS)
    past_the_page = office.staff(ines, [Role.ADVISER])
    with pytest.raises(NotAllowed):
        await change(office.bank, past_the_page, vera, _OTHER, reason=_WHY, address=ADDRESS)
    assert (await find_standing(office.bank, vera)).address == _NEW


async def test_what_is_not_changed(office: Office) -> None:
    """Nothing is written then, and nobody told."""
    vera, ada = office.town.vera.user_code, office.staff(office.ada)
    same = (await find_standing(office.bank, vera)).address
    before = await office.lines(vera)
    for new, reason, code, error in (
        (same, _WHY, vera, SameAddress),
        (_NEW, "ok", vera, UnsuitableReason),
        (_NEW, _WHY, UserCode("NOBODY23"), NoSuchCustomer),
        (_NEW, _WHY, office.town.omar.user_code, NoSuchCustomer),
    ):
        with pytest.raises(error):
            await change(office.bank, ada, code, new, reason=reason, address=ADDRESS)
    assert await office.lines(vera) == before
    assert await office.bank.store.read(lambda c: list(c.execute(select(NOTICES)))) == []


async def test_an_order_that_comes_meanwhile_is_seen(office: Office) -> None:
    """Of many changes at a time each is taken after the other, and each knows what is ordered."""
    await office.order(office.town.vera.user_code)
    many = [
        _change(office, PostalAddress(line_4=f"{number} rue Neuve", postcode="69001", city="Lyon"))
        for number in range(6)
    ]
    done = await asyncio.gather(*many, return_exceptions=True)
    asked = [one for one in done if isinstance(one, Asked)]
    assert asked
    assert all(isinstance(one, Asked | BankError) for one in done)
    taken = 0
    for one in asked:
        try:
            await office.agree(office.paul, one)
            taken += 1
        except NothingToRelease:
            pass
    assert taken == 1
    assert await _confirmed(office)
