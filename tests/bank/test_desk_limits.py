"""The limits that two security officers change: who may, how far, and when they hold."""

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sesame.bank.approvals import Asked, Barred, Kind, Unseen, Verdict, Wish
from sesame.bank.approving import ask, decide
from sesame.bank.audit_chain import Finding
from sesame.bank.audit_chain import Kind as Found
from sesame.bank.auditing import audit
from sesame.bank.desk_limits import LimitToday, ask_for_limit, desk_limits, limits_today
from sesame.bank.errors import (
    AskedAlready,
    LiftedEnough,
    NotAllowed,
    NothingToRelease,
    NotShown,
    Undecided,
    UnsuitableReason,
)
from sesame.bank.help_line import lift_suspension
from sesame.bank.helping import LiftReason, Question
from sesame.bank.limits import BOUNDS, Changeable, Limits, changed_limits, in_units, stands_for
from sesame.bank.revealing import reveal_number
from sesame.bank.staff import BANK_ITSELF, Role
from sesame.bank.staffing import close_member
from tests.desk.caller import call, suspend
from tests.desk.office import ADDRESS, Office, Person, open_office
from tests.places import Place

_WHY = "Trop d’abonnés suspendus deux fois"
_CUSTOMER = Changeable.LIFTS_OF_CUSTOMER
_FOUND = [Finding(Found.DISAGREES, BANK_ITSELF, 0)]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


@pytest.fixture
def place(office: Office, tmp_path: Path) -> Iterator[Place]:  # noqa: ARG001 -- which makes it
    """Whoever owns the tables of that bank."""
    place = Place(f"sqlite:///{tmp_path}/bank.db")
    yield place
    place.close()


async def _ask(
    office: Office, limit: Changeable, value: int, by: Person | None = None, why: str = _WHY
) -> Asked:
    return await ask_for_limit(
        office.bank, office.staff(by or office.odile), limit, value, reason=why, address=ADDRESS
    )


async def _change(office: Office, limit: Changeable, value: int) -> Asked:
    return await office.agree(office.paul, await _ask(office, limit, value))


def test_the_program_keeps_within_its_own_bounds() -> None:
    """Every limit that can be changed has some, and begins within them."""
    assert set(BOUNDS) == set(Changeable)
    for limit, bounds in BOUNDS.items():
        assert bounds.least < in_units(Limits(), limit) < bounds.most
        assert [bounds.hold(at) for at in (bounds.least, bounds.most)] == [True, True]
        beyond = (bounds.least - 1, bounds.most + 1, "3", None)
        assert [bounds.hold(at) for at in beyond] == [False] * 4
        assert stands_for(limit.value) is limit
        assert in_units(changed_limits(Limits(), {limit: bounds.least}), limit) == bounds.least
    assert stands_for("tries") is None
    assert changed_limits(Limits(), {}) == Limits()
    minutes = changed_limits(Limits(), {Changeable.NUMBER_SHOWN_WITHIN: 7})
    assert minutes == replace(Limits(), number_shown_within=timedelta(minutes=7))


async def test_two_officers_change_one(office: Office) -> None:
    """It holds from the yes on, the last one; three chains say so, and who looks sees whose."""
    asked = await _ask(office, _CUSTOMER, 3)
    assert await desk_limits(office.bank) == Limits()
    await office.agree(office.paul, asked)
    assert await desk_limits(office.bank) == replace(Limits(), lifts_of_customer=3)
    for code in (office.odile.user_code, office.paul.user_code, BANK_ITSELF):
        line = (await office.lines(code))[-1]
        assert f'"request":"{asked.id.hex()}"' in line
        assert '"verdict":"approved"' in line
    last = await _change(office, _CUSTOMER, 1)
    await decide(
        office.bank,
        office.staff(office.odile),
        (await _ask(office, _CUSTOMER, 5, office.paul)).id,
        Verdict.REFUSED,
        ADDRESS,
    )
    today = {one.limit: one for one in await limits_today(office.bank)}
    assert list(today) == list(Changeable)
    assert today[_CUSTOMER] == LimitToday(
        limit=_CUSTOMER,
        value=1,
        since=last.decided_at,
        asked_by=office.odile.user_code,
        agreed_by=office.paul.user_code,
    )
    adviser = Changeable.LIFTS_OF_ADVISER
    assert today[adviser] == LimitToday(limit=adviser, value=20)
    assert (await audit(office.bank.store, None)).findings == []


async def test_who_may(office: Office) -> None:
    """Officers only, as their rows say it; and never one person alone."""
    for other in (office.ada, office.aude):
        with pytest.raises(NotAllowed):
            await _ask(office, _CUSTOMER, 3, other)
    false = office.staff(office.ada, [Role.OFFICER])  # her row says adviser
    payload = {"limit": _CUSTOMER.value, "before": 2, "value": 3}
    with pytest.raises(NotAllowed):
        await ask(
            office.bank, false, Wish(Kind.LIMITS, BANK_ITSELF, payload, _WHY), address=ADDRESS
        )
    asked = await _ask(office, _CUSTOMER, 3)
    for by, why in (
        (office.staff(office.odile), Barred.SAME_PERSON),
        (office.staff(office.ada), Barred.NO_RIGHT),
        (office.staff(office.aude), Barred.NO_RIGHT),
    ):
        with pytest.raises(Undecided) as found:
            await decide(office.bank, by, asked.id, Verdict.APPROVED, ADDRESS)
        assert found.value.why is why
    with pytest.raises(NotAllowed):
        await decide(office.bank, false, asked.id, Verdict.APPROVED, ADDRESS)
    paul, odile = office.staff(office.paul), office.odile.user_code
    await close_member(office.bank, paul, odile, address=ADDRESS, reason="Départ")
    with pytest.raises(Undecided) as found:
        await decide(office.bank, paul, asked.id, Verdict.APPROVED, ADDRESS)
    assert found.value.why is Barred.ASKER_GONE
    assert await desk_limits(office.bank) == Limits()


async def test_what_is_not_asked_for(office: Office) -> None:
    """What holds already, what is out of bounds, no limit of these, and two at a time."""
    for value in (2, -1, 6):
        with pytest.raises(NothingToRelease):
            await _ask(office, _CUSTOMER, value)
    odile = office.staff(office.odile)
    payloads: list[dict[str, str | int]] = [
        {"limit": "lost_swaps", "value": 3},
        {"limit": "lifts_of_customer"},
        {"limit": "lifts_of_customer", "value": "3"},
    ]
    for payload in payloads:
        wish = Wish(Kind.LIMITS, BANK_ITSELF, payload, _WHY)
        with pytest.raises(NothingToRelease):
            await ask(office.bank, odile, wish, address=ADDRESS)
    with pytest.raises(UnsuitableReason):
        await _ask(office, _CUSTOMER, 3, why="")
    await _ask(office, _CUSTOMER, 3)
    with pytest.raises(AskedAlready):
        await _ask(office, Changeable.NUMBER_SHOWN_WITHIN, 40, office.paul)


async def test_it_holds_at_the_next_use(office: Office) -> None:
    """Of the help line, of a number that was granted."""
    vera, ada = office.town.vera, office.staff(office.ada)
    await suspend(office, vera)
    two = (Question.LETTER, Question.CARD)
    await _change(office, _CUSTOMER, 0)
    with pytest.raises(LiftedEnough):
        await lift_suspension(office.bank, call(office, vera), LiftReason.MISTYPED, two)
    await _change(office, _CUSTOMER, 1)
    await _change(office, Changeable.LIFTS_OF_ADVISER, 0)
    with pytest.raises(LiftedEnough):
        await lift_suspension(office.bank, call(office, vera), LiftReason.MISTYPED, two)
    await _change(office, Changeable.LIFTS_OF_ADVISER, 1)
    await lift_suspension(office.bank, call(office, vera), LiftReason.MISTYPED, two)

    wish = Wish(Kind.SHOW_NUMBER, vera.user_code, {"card": 1}, "Litige du 2 mars")
    asked = await office.agree(office.paul, await ask(office.bank, ada, wish, address=ADDRESS))
    office.town.clock.advance(minutes=15)

    async def see() -> str:
        pan = await reveal_number(office.bank, office.revealing, ada, asked.id, address=ADDRESS)
        return pan.digits

    with pytest.raises(NotShown) as found:
        await see()
    assert found.value.why is Unseen.LATE
    await _change(office, Changeable.NUMBER_SHOWN_WITHIN, 16)
    assert await see() == vera.record.pan.digits


async def test_a_value_that_nobody_could_ask_for(
    office: Office, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Is passed over for the last one that two agreed to, and told once; so is an unknown name."""
    await _change(office, _CUSTOMER, 3)
    insert = "INSERT INTO limit_changes VALUES (?, ?, ?, 1, ?)"
    place.execute(insert, _CUSTOMER, 2, 99, bytes(16))
    place.execute(insert, "tries", 1, 99, b"\x01" * 16)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await desk_limits(office.bank)).lifts_of_customer == 3
    told = [record.getMessage() for record in caplog.records]
    assert ["lifts_of_customer" in one for one in told] == [True, False]
    assert "99" not in "".join(told)
    assert (await audit(office.bank.store, None)).findings == _FOUND * 2


async def test_a_change_that_two_did_not_agree_to(office: Office, place: Place) -> None:
    """Whatever an owner of the tables does to one, an audit finds."""
    await _change(office, _CUSTOMER, 5)
    office.town.clock.advance(minutes=1)
    await _change(office, _CUSTOMER, 3)
    rows = place.everything()["limit_changes"]
    for statement in (
        "UPDATE limit_changes SET value = 4 WHERE number = 2",
        "UPDATE limit_changes SET value = 'x' WHERE number = 2",
        "UPDATE limit_changes SET at = at + 1 WHERE number = 2",
        "UPDATE limit_changes SET number = 3 WHERE number = 2",
        "UPDATE limit_changes SET name = 'lifts_of_adviser' WHERE number = 1",
        "UPDATE limit_changes SET request = 'x' WHERE number = 2",
        "UPDATE limit_changes SET number = 5 - number",
        "DELETE FROM limit_changes WHERE number = 2",
        "DELETE FROM limit_changes",
    ):
        place.execute(statement)
        found = (await audit(office.bank.store, None)).findings
        assert set(found) == set(_FOUND), statement
        place.execute("DELETE FROM limit_changes")
        for row in rows:
            place.execute("INSERT INTO limit_changes VALUES (?, ?, ?, ?, ?)", *row)
    assert (await audit(office.bank.store, None)).findings == []
    # Each is agreed to, and in another order than they were.
    for old, new in ((1, 9), (2, 1), (9, 2)):
        place.execute("UPDATE limit_changes SET number = ? WHERE number = ?", new, old)
    assert (await desk_limits(office.bank)).lifts_of_customer == 5
    assert (await audit(office.bank.store, None)).findings == _FOUND


async def test_a_request_that_was_altered_after_its_change(office: Office, place: Place) -> None:
    """Its lines say so, and so does the change: what they agreed to was something else."""
    await _change(office, _CUSTOMER, 5)
    for payload in ('{"before":2,"limit":"lifts_of_customer","value":4}', "{"):
        place.execute("UPDATE approvals SET payload = CAST(? AS BLOB)", payload)
        found = (await audit(office.bank.store, None)).findings
        assert _FOUND[0] in found
