"""Staff sign in like customers and are none; the first officers come in by a printed secret."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from sesame.bank.approvals import Asked
from sesame.bank.approving import ask_for_staff
from sesame.bank.errors import (
    CardTaken,
    NoSuchCustomer,
    NotAllowed,
    NothingToRelease,
    OfficersEnough,
    SecretRefused,
    UnsuitableReason,
)
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import read_session
from sesame.bank.staff import BANK_ITSELF, Role
from sesame.bank.staffing import (
    all_members,
    close_member,
    enrol_officer,
    find_member,
    read_staff_session,
)
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Attempt, Outcome, Refused, verify_login
from sesame.cap.token import Code
from sesame.store.staff import STAFF
from tests.desk.office import ADDRESS, Office, Person, empty_office, open_office, person

_SEED = bytes(range(32))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


async def _sign_in(office: Office, who: Person) -> Outcome:
    attempt = Attempt(
        id=office.bank.random_bytes(16),
        user_code=who.user_code,
        code=Code(await office.code_of(who)),
        origin=Origin(Door.DESK, ADDRESS),
        session_seed=_SEED,
    )
    return await verify_login(office.bank, attempt)


async def token_of(office: Office, who: Person) -> str:
    """Sign *who* in; the token of the session."""
    outcome = await _sign_in(office, who)
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    return outcome.session_token


async def test_staff_sign_in_with_a_card(office: Office) -> None:
    """By the same function as customers; their chain says by which door."""
    staff = await read_staff_session(office.bank, await token_of(office, office.ada))
    assert staff is not None
    assert (staff.user_code, staff.roles) == (office.ada.user_code, frozenset({Role.ADVISER}))
    assert '"door":"desk"' in (await office.lines(office.ada.user_code))[-1]


async def test_a_session_opens_one_side_only(office: Office) -> None:
    """Staff have no customer's space; customers nothing at the desk; nor whoever makes one up."""
    token = await token_of(office, office.ada)
    assert await read_session(office.bank, token) is None
    vera = office.town.vera
    attempt = Attempt(
        id=bytes(16),
        user_code=vera.user_code,
        code=Code(await office.town.code_of(vera)),
        origin=Origin(Door.PORTAL, ADDRESS),
        session_seed=_SEED,
    )
    outcome = await verify_login(office.bank, attempt)
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    assert await read_session(office.bank, outcome.session_token) is not None
    for foreign in (outcome.session_token, "", "00", "05" + "A" * 43):
        assert await read_staff_session(office.bank, foreign) is None


async def test_a_desk_session_is_short(office: Office) -> None:
    """Five minutes without activity, four hours in all."""
    clock = office.town.clock
    idle = await token_of(office, office.ada)
    clock.advance(minutes=5)
    assert await read_staff_session(office.bank, idle) is None
    token = await token_of(office, office.ada)
    for _ in range(59):
        clock.advance(minutes=4)
        assert await read_staff_session(office.bank, token) is not None
    clock.advance(minutes=4)
    assert await read_staff_session(office.bank, token) is None


async def test_not_before_somebody_has_agreed(office: Office) -> None:
    """The card of somebody who was asked for is held; it is refused like a wrong code."""
    new = person("Inès Vidal", Role.ISSUER)
    asked = await office.hire(new)
    assert await _sign_in(office, new) == Refused()
    await office.agree(office.paul, asked)
    assert await read_staff_session(office.bank, await token_of(office, new)) is not None
    member = await find_member(office.bank, new.user_code)
    assert member is not None
    assert member.begun_at is not None


async def test_a_closed_account(office: Office) -> None:
    """Is out at once, and its card is refused; it stands in the list, and both chains say so."""
    token = await token_of(office, office.ada)
    odile = office.staff(office.odile)
    await close_member(office.bank, odile, office.ada.user_code, address=ADDRESS, reason="Départ")
    assert await read_staff_session(office.bank, token) is None
    assert await _sign_in(office, office.ada) == Refused()
    closed = {one.user_code: one.closed_at is not None for one in await all_members(office.bank)}
    assert closed.pop(office.ada.user_code)
    assert not any(closed.values())
    chains = [await office.lines(code) for code in (office.ada.user_code, odile.user_code)]
    assert all('"event":"staff-closed"' in "".join(lines) for lines in chains)
    with pytest.raises(NoSuchCustomer):
        await close_member(
            office.bank, odile, office.ada.user_code, address=ADDRESS, reason="Départ"
        )


async def test_who_may_close(office: Office) -> None:
    """A security officer, and not their own."""
    for by, whose in ((office.ada, office.aude), (office.odile, office.odile)):
        with pytest.raises(NotAllowed):
            await close_member(
                office.bank, office.staff(by), whose.user_code, address=ADDRESS, reason="Départ"
            )
    assert all(one.closed_at is None for one in await all_members(office.bank))


async def test_asked_for_and_closed_before_anybody_agreed(office: Office) -> None:
    """There is nobody left to begin."""
    new = person("Inès Vidal", Role.ISSUER)
    asked = await office.hire(new)
    odile = office.staff(office.odile)
    await close_member(office.bank, odile, new.user_code, address=ADDRESS, reason="Départ")
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, asked)
    assert await _sign_in(office, new) == Refused()


async def test_a_secret_enrols_one_officer(tmp_path: Path) -> None:
    """Once, in time, however its groups are typed, and only the newest; the bank's chain tells."""
    office = await empty_office(tmp_path)
    void = await office.secret()
    secret = await office.secret()
    with pytest.raises(SecretRefused):
        await enrol_officer(office.bank, void, office.odile.new, ADDRESS)
    typed = f" {secret.lower().replace('-', ' ')} "
    office.odile.user_code = await enrol_officer(office.bank, typed, office.odile.new, ADDRESS)
    with pytest.raises(SecretRefused):
        await enrol_officer(office.bank, secret, office.paul.new, ADDRESS)
    assert await read_staff_session(office.bank, await token_of(office, office.odile)) is not None
    late = await office.secret()
    office.town.clock.advance(hours=24)
    with pytest.raises(SecretRefused):
        await enrol_officer(office.bank, late, office.paul.new, ADDRESS)
    events = [line.partition('"event":"')[2][:14] for line in await office.lines(BANK_ITSELF)]
    assert events == ["bootstrap-made", "bootstrap-made", "bootstrap-used", "bootstrap-made"]
    await office.bank.store.close()


async def test_a_secret_ends_with_enough_officers(office: Office) -> None:
    """One that was printed before the second officer proved their card; it is not used up."""
    await token_of(office, office.odile)
    secret = await office.secret()
    await token_of(office, office.paul)
    third = person("Nadia Blanc", Role.OFFICER)
    with pytest.raises(SecretRefused):
        await enrol_officer(office.bank, secret, third.new, ADDRESS)
    odile = office.staff(office.odile)
    await close_member(office.bank, odile, office.paul.user_code, address=ADDRESS, reason="Départ")
    assert await enrol_officer(office.bank, secret, third.new, ADDRESS)


async def test_one_person_has_one_account(office: Office) -> None:
    """Two at a time too; a closed account is in nobody's way."""
    second = replace(person("Ada Lemoine", Role.AUDITOR).new, personnel_number="A-1")
    two = [
        ask_for_staff(
            office.bank,
            office.staff(by),
            replace(person(f"Ada {number}").new, personnel_number="A-1"),
            frozenset({Role.AUDITOR}),
            reason="Embauche",
            address=ADDRESS,
        )
        for number, by in enumerate((office.odile, office.paul))
    ]
    done = await asyncio.gather(*two, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Asked", "PersonTaken"]
    (asked,) = (one for one in done if isinstance(one, Asked))
    odile = office.staff(office.odile)
    with pytest.raises(UnsuitableReason):
        await close_member(office.bank, odile, UserCode(asked.subject), ADDRESS, reason="")
    await close_member(office.bank, odile, UserCode(asked.subject), ADDRESS, reason="Deux fois")
    again = await ask_for_staff(
        office.bank, odile, second, frozenset({Role.AUDITOR}), reason="Embauche", address=ADDRESS
    )
    assert again.payload["personnel_number"] == "A-1"


async def test_a_card_that_is_taken(tmp_path: Path) -> None:
    """Is said, and the secret is as good as before."""
    office = await empty_office(tmp_path)
    secret = await office.secret()
    office.odile.record = office.town.vera.record
    with pytest.raises(CardTaken):
        await enrol_officer(office.bank, secret, office.odile.new, ADDRESS)
    assert await enrol_officer(office.bank, secret, office.paul.new, ADDRESS)
    assert [one.name for one in await all_members(office.bank)] == [office.paul.name]
    await office.bank.store.close()


async def test_no_secret_once_there_are_two_officers(office: Office) -> None:
    """Who have signed in, and so have cards that work; one of them closed, there is one more."""
    await token_of(office, office.odile)
    await office.secret()
    await token_of(office, office.paul)
    with pytest.raises(OfficersEnough):
        await office.secret()
    odile = office.staff(office.odile)
    await close_member(office.bank, odile, office.paul.user_code, address=ADDRESS, reason="Départ")
    assert await office.secret()


@pytest.mark.parametrize("change", [{"closed_at": 1}, {"begun_at": None}])
async def test_the_account_is_looked_at_anew(office: Office, change: dict[str, int | None]) -> None:
    """By every page, whoever closed it and however."""
    token = await token_of(office, office.ada)
    await office.bank.store.write(
        lambda connection: connection.execute(
            update(STAFF).where(STAFF.c.user_code == office.ada.user_code).values(change)
        )
    )
    assert await read_staff_session(office.bank, token) is None
