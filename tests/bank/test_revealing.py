"""The number of a card: to whoever asked, once, soon after another has agreed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sesame.bank.approvals import Asked, Kind, Unseen, Verdict, Wish
from sesame.bank.approving import ask, decide
from sesame.bank.auditing import audit
from sesame.bank.errors import BankError, NotAllowed, NotShown, Undecided
from sesame.bank.moments import to_row
from sesame.bank.revealing import reveal_number
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.custody.custodian import RevealingCustodian
from sesame.custody.errors import SealBroken
from sesame.custody.keystore_custodian import KeystoreRevealingCustodian
from sesame.emv.pan import Pan
from sesame.store.approvals import Written, use_approval
from tests.custody.keystores import quick_keystore
from tests.desk.office import ADDRESS, Office, Person, open_office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


@pytest.fixture
def revealing(office: Office) -> RevealingCustodian:
    """Custody as the desk's process has it, with the keys of that bank."""
    return office.revealing


async def _ask(office: Office, by: Person | None = None) -> Asked:
    wish = Wish(Kind.SHOW_NUMBER, office.town.vera.user_code, {"card": 1}, "Litige du 2 mars")
    return await ask(office.bank, office.staff(by or office.ada), wish, address=ADDRESS)


async def _see(
    office: Office, revealing: RevealingCustodian, by: Person, approval: bytes
) -> Pan | str:
    try:
        return await reveal_number(
            office.bank, revealing, office.staff(by), approval, address=ADDRESS
        )
    except NotShown as not_shown:
        return not_shown.why


async def test_seen_once_by_who_asked(
    office: Office, revealing: RevealingCustodian, caplog: pytest.LogCaptureFixture
) -> None:
    """And two chains say when, by the request; nothing else ever has the number."""
    caplog.set_level(logging.DEBUG)
    vera, ada = office.town.vera, office.ada
    asked = await _ask(office)
    assert await _see(office, revealing, ada, asked.id) == Unseen.NOT_GRANTED
    await office.agree(office.paul, asked)
    for other in (office.paul, office.odile, office.aude):
        assert await _see(office, revealing, other, asked.id) == Unseen.NOT_YOURS
    assert await _see(office, revealing, ada, asked.id) == vera.record.pan
    assert await _see(office, revealing, ada, asked.id) == Unseen.SEEN
    for code in (vera.user_code, ada.user_code):
        lines = await office.lines(code)
        assert ['"event":"number-shown"' in line for line in lines].count(True) == 1
        assert f'"request":"{asked.id.hex()}"' in lines[-1]
        assert vera.record.pan.digits not in "".join(lines)
    assert vera.record.pan.digits not in caplog.text
    assert (await audit(office.bank.store, None)).findings == []


async def test_a_crowd_sees_it_once(office: Office, revealing: RevealingCustodian) -> None:
    """However often the button is pressed at once, one page has the number."""
    asked = await office.agree(office.paul, await _ask(office))
    crowd = [_see(office, revealing, office.ada, asked.id) for _ in range(8)]
    done = await asyncio.gather(*crowd)
    assert [isinstance(one, Pan) for one in done].count(True) == 1


async def test_a_quarter_of_an_hour(office: Office, revealing: RevealingCustodian) -> None:
    """After the yes, not after the request; to the microsecond it is the rule's."""
    asked = await _ask(office)
    office.town.clock.advance(days=3)
    await office.agree(office.paul, asked)
    office.town.clock.advance(minutes=15)
    assert await _see(office, revealing, office.ada, asked.id) == Unseen.LATE
    office.town.clock.advance(seconds=-1)
    assert isinstance(await _see(office, revealing, office.ada, asked.id), Pan)


async def test_what_shows_nothing(office: Office, revealing: RevealingCustodian) -> None:
    """A no, another kind of request, none; nobody agrees with themselves."""
    asked = await _ask(office)
    as_officer = office.staff(office.ada, [Role.OFFICER])
    with pytest.raises(Undecided):
        await decide(office.bank, as_officer, asked.id, Verdict.APPROVED, address=ADDRESS)
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, address=ADDRESS)
    assert await _see(office, revealing, office.ada, asked.id) == Unseen.NOT_GRANTED
    assert await _see(office, revealing, office.ada, bytes(16)) == Unseen.NOBODY
    wish = await office.hold(office.town.vera.user_code)
    lifted = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await office.agree(office.paul, lifted)
    assert await _see(office, revealing, office.ada, lifted.id) == Unseen.NOBODY
    for by in (office.odile, office.aude):
        with pytest.raises(NotAllowed):
            await _ask(office, by)


async def test_past_the_rule(office: Office) -> None:
    """The statement itself: nobody else's yes, no old one, none twice, none that is a no."""
    asked = await office.agree(office.paul, await _ask(office))
    decided = to_row(asked.decided_at) if asked.decided_at else 0
    refused = await _ask(office)
    await decide(
        office.bank, office.staff(office.paul), refused.id, Verdict.REFUSED, address=ADDRESS
    )

    async def use(by: Person, approval: bytes, since: int) -> Written:
        signer = office.staff(by).signer
        return await office.bank.store.write(
            lambda connection: use_approval(connection, approval, signer, [], since=since, at=1)
        )

    assert await use(office.odile, asked.id, 0) is Written.NOTHING
    assert await use(office.ada, asked.id, decided) is Written.NOTHING
    assert await use(office.ada, refused.id, 0) is Written.NOTHING
    assert await use(office.ada, asked.id, decided - 1) is Written.WRITTEN
    assert await use(office.ada, asked.id, decided - 1) is Written.NOTHING


async def test_custody_that_says_nothing_uses_nothing_up(
    office: Office, revealing: RevealingCustodian, tmp_path: Path
) -> None:
    """The yes is still good, and no line says that something was shown."""
    asked = await office.agree(office.paul, await _ask(office))
    before = await office.lines(office.ada.user_code)
    foreign = KeystoreRevealingCustodian(quick_keystore(tmp_path / "foreign", "of another bank"))
    with pytest.raises(SealBroken):
        await _see(office, foreign, office.ada, asked.id)
    assert await office.lines(office.ada.user_code) == before
    assert isinstance(await _see(office, revealing, office.ada, asked.id), Pan)


async def test_a_closed_account_sees_nothing(office: Office, revealing: RevealingCustodian) -> None:
    """Whatever its session says: the commit finds it."""
    asked = await office.agree(office.paul, await _ask(office))
    await close_member(
        office.bank, office.staff(office.odile), office.ada.user_code, ADDRESS, reason="Départ"
    )
    with pytest.raises(BankError) as found:
        await reveal_number(
            office.bank, revealing, office.staff(office.ada), asked.id, address=ADDRESS
        )
    assert isinstance(found.value, NotAllowed)
