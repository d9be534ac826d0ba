"""Two persons: asked by one, decided by another, written down in every chain that it concerns."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from sesame.bank.approvals import Asked, Barred, Kind, Verdict, Wish
from sesame.bank.approving import ask, decide, find_request, recent_requests
from sesame.bank.auditing import audit
from sesame.bank.errors import (
    AskedAlready,
    BankError,
    NoSuchCustomer,
    NotAllowed,
    NothingToRelease,
    Undecided,
    UnsuitableReason,
)
from sesame.bank.help_line import oppose
from sesame.bank.helping import Loss
from sesame.bank.moments import to_row
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.bank.user_code import UserCode
from sesame.store.approvals import APPROVALS, decide_approval
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, set_card_state
from sesame.store.holds import HOLDS
from sesame.store.notices import NOTICES
from sesame.store.staff import STAFF
from tests.desk.caller import call
from tests.desk.office import ADDRESS, Office, Person, open_office, person


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


async def _state(office: Office, user_code: UserCode) -> str:
    return (await office.bank.store.read_access(user_code)).cards[0].state


async def test_asked_by_one_and_granted_by_another(office: Office) -> None:
    """The card signs in again, and three chains say so by the same request."""
    vera = office.town.vera.user_code
    asked = await ask(
        office.bank, office.staff(office.ada), await office.hold(vera), address=ADDRESS
    )
    assert await _state(office, vera) == "held"
    await office.agree(office.paul, asked)
    assert await _state(office, vera) == "active"
    chains = [await office.lines(code) for code in (office.ada.user_code, vera)]
    for lines in chains:
        assert ['"event":"approval-requested"' in line for line in lines[-2:]] == [True, False]
    for lines in [*chains, await office.lines(office.paul.user_code)]:
        assert '"verdict":"approved"' in lines[-1]
        assert f'"request":"{asked.id.hex()}"' in lines[-1]
        assert f'"decided_by":"{office.paul.typed}"' in lines[-1]
        assert "retrouvée" not in "".join(lines)
    found = await find_request(office.bank, asked.id)
    assert found is not None
    assert (found.verdict, found.decided_by) == (Verdict.APPROVED, office.paul.user_code)


async def test_whoever_decides_reads_whose_card_it_is(office: Office) -> None:
    """As the bank has it, not as it was asked; of a new member of staff too."""
    vera = office.town.vera
    wish = await office.hold(vera.user_code)
    wish = replace(wish, payload={**wish.payload, "last4": "0000", "name": "Somebody"})
    lifted = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    new = person("Inès Vidal", Role.ISSUER)
    hired = await office.hire(new)
    for asked, one in ((lifted, vera), (hired, new)):
        found = await find_request(office.bank, asked.id)
        assert found is not None
        assert found.payload["name"] == one.name
        assert found.payload["last4"] == one.record.pan.last4


async def _list_hold(office: Office, user_code: UserCode, at: int) -> None:
    """Have the desk's list say that the first card of *user_code* is held since *at*."""
    values = {
        "bucket": bucket_of(user_code),
        "user_code": user_code,
        "card_number": 1,
        "by": "desk",
        "by_code": office.ada.user_code,
        "reason": "Carte perdue",
        "at": at,
    }

    def write(connection: Connection) -> None:
        connection.execute(delete(HOLDS))
        connection.execute(insert(HOLDS).values(values))

    await office.bank.store.write(write)


async def test_a_lift_takes_the_hold_off_the_list(office: Office) -> None:
    """In the same commit, and the customer is told; a refusal leaves it, and tells nobody."""
    vera = office.town.vera.user_code
    await _list_hold(office, vera, 7)
    for verdict, left in ((Verdict.REFUSED, (1, 0)), (Verdict.APPROVED, (0, 1))):
        asked = await ask(
            office.bank, office.staff(office.ada), await office.hold(vera), address=ADDRESS
        )
        await decide(office.bank, office.staff(office.paul), asked.id, verdict, address=ADDRESS)
        holds, notices = await office.bank.store.read(
            lambda connection: [
                list(connection.execute(select(table))) for table in (HOLDS, NOTICES)
            ]
        )
        assert (len(holds), len(notices)) == left
        assert [(one.user_code, one.event) for one in notices] == [(vera, "release")] * left[1]


async def test_a_yes_lets_no_later_hold_go(office: Office) -> None:
    """Nor one that was not listed when it was asked for."""
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    for before, after in ((0, 7), (7, 8)):
        asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
        assert asked.payload["hold"] == before
        await _list_hold(office, vera, after)
        with pytest.raises(NothingToRelease):
            await office.agree(office.paul, asked)
        assert await _state(office, vera) == "held"
        await decide(
            office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, address=ADDRESS
        )
        await _list_hold(office, vera, 7)


async def test_what_was_asked_before_a_theft(office: Office) -> None:
    """Lets nothing go that was held since: it was asked for another hold."""
    vera = office.town.vera
    wish = await office.hold(vera.user_code)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await oppose(office.bank, call(office, vera), Loss.STOLEN, [1])
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, asked)
    assert await _state(office, vera.user_code) == "held"
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, address=ADDRESS)
    again = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await office.agree(office.paul, again)
    assert await _state(office, vera.user_code) == "active"


async def test_a_card_of_staff_is_lifted_by_no_request(office: Office) -> None:
    """Or a closed account would open its card again."""
    wish = await office.hold(office.aude.user_code)
    with pytest.raises(NoSuchCustomer):
        await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)


async def test_refused_nothing_happens(office: Office) -> None:
    """But that it is written down, and over."""
    vera = office.town.vera.user_code
    asked = await ask(
        office.bank, office.staff(office.ada), await office.hold(vera), address=ADDRESS
    )
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, address=ADDRESS)
    assert await _state(office, vera) == "held"
    assert '"verdict":"refused"' in (await office.lines(vera))[-1]
    await _barred(office, office.odile, asked.id, Barred.DECIDED)


async def _barred(office: Office, by: Person, approval: bytes, why: Barred) -> None:
    with pytest.raises(Undecided) as found:
        await decide(office.bank, office.staff(by), approval, Verdict.APPROVED, address=ADDRESS)
    assert found.value.why == why


async def test_nobody_agrees_with_themselves(office: Office) -> None:
    """Not by the page's rule, nor by the statement that writes, nor past it."""
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    asked = await ask(office.bank, office.staff(office.odile), wish, address=ADDRESS)
    await _barred(office, office.odile, asked.id, Barred.SAME_PERSON)
    for by, done in ((office.odile, False), (office.paul, True)):
        assert done == await office.bank.store.write(
            lambda connection, by=by: decide_approval(  # type: ignore[misc]  # of this turn
                connection, asked.id, verdict="approved", by=by.user_code, at=1
            )
        )


async def test_a_right_that_is_gone(office: Office) -> None:
    """Is found by the commit, whatever the session still says."""
    wish = await office.hold(office.town.vera.user_code)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    as_officer = office.staff(office.aude, [Role.OFFICER])
    with pytest.raises(NotAllowed):
        await decide(office.bank, as_officer, asked.id, Verdict.APPROVED, address=ADDRESS)
    await close_member(
        office.bank, office.staff(office.odile), office.paul.user_code, ADDRESS, reason="Départ"
    )
    with pytest.raises(NotAllowed):
        await office.agree(office.paul, asked)
    await close_member(
        office.bank, office.staff(office.odile), office.ada.user_code, ADDRESS, reason="Départ"
    )
    with pytest.raises(NotAllowed):
        await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    assert await _state(office, office.town.vera.user_code) == "held"


async def test_who_asked_is_gone(office: Office) -> None:
    """What they asked for can be refused and no more: by the roles of now, and by the commit."""
    vera = office.town.vera.user_code
    asked = await ask(
        office.bank, office.staff(office.ada), await office.hold(vera), address=ADDRESS
    )
    of_ada = update(STAFF).where(STAFF.c.user_code == office.ada.user_code)
    for change in ({"roles": "auditor"}, {"roles": "adviser", "closed_at": 1}):
        await office.bank.store.write(
            lambda connection, change=change: connection.execute(of_ada.values(change))  # type: ignore[misc]
        )
        await _barred(office, office.paul, asked.id, Barred.ASKER_GONE)
    assert await _state(office, vera) == "held"
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, address=ADDRESS)


async def test_too_late(office: Office) -> None:
    """After four days nobody knows what was meant."""
    wish = await office.hold(office.town.vera.user_code)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    office.town.clock.advance(days=4)
    await _barred(office, office.paul, asked.id, Barred.EXPIRED)


async def test_what_cannot_be_asked(office: Office) -> None:
    """Nothing is written then."""
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    ada = office.staff(office.ada)
    refused: list[tuple[Wish, type[BankError]]] = [
        (replace(wish, subject=UserCode("NOBODY23")), NoSuchCustomer),
        (replace(wish, payload={"card": 2}), NothingToRelease),
        (replace(wish, kind=Kind.NEW_STAFF), NotAllowed),
        *[
            (replace(wish, reason=reason), UnsuitableReason)
            for reason in ("", "  ok  ", "x" * 201, "bon\u202e pour")
        ],
    ]
    before = await office.lines(vera)
    for one, error in refused:
        with pytest.raises(error):
            await ask(office.bank, ada, one, address=ADDRESS)
    for by in (office.aude, office.odile):
        no_adviser = office.staff(by, [Role.AUDITOR])
        with pytest.raises(NotAllowed):
            await ask(office.bank, no_adviser, wish, address=ADDRESS)
    assert await office.lines(vera) == before
    assert {asked.kind for asked in await recent_requests(office.bank)} == {Kind.NEW_STAFF}


async def test_what_waits_is_listed_however_much_was_decided(office: Office) -> None:
    """The oldest open one too; an adviser's own are found among everybody's."""
    wish = await office.hold(office.town.vera.user_code)
    waits = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    office.town.clock.advance(minutes=1)

    def decided(connection: Connection) -> None:
        row = dict(connection.execute(select(APPROVALS).limit(1)).mappings().one())
        later: dict[str, object] = {
            "verdict": "refused",
            "open_card": None,
            "requested_by": office.odile.user_code,
        }
        later |= {"requested_at": to_row(office.town.clock()), "decided_by": None}
        rows = [row | later | {"id": number.to_bytes(16)} for number in range(1, 151)]
        connection.execute(insert(APPROVALS), rows)

    await office.bank.store.write(decided)
    found = await recent_requests(office.bank)
    assert [one.id for one in found if one.verdict is None] == [waits.id]
    assert found[0].id == waits.id
    assert len(found) == 1 + 100
    own = await recent_requests(office.bank, office.ada.user_code)
    assert [one.id for one in own] == [waits.id]
    office.town.clock.advance(days=4)
    lapsed = await recent_requests(office.bank, office.ada.user_code)
    assert [one.id for one in lapsed] == [waits.id]


async def test_one_open_request_a_card(office: Office) -> None:
    """Or a second one would let go a later hold; once it is decided, or lapsed, one may be."""
    wish = await office.hold(office.town.vera.user_code)
    ada = office.staff(office.ada)
    two = [ask(office.bank, ada, wish, address=ADDRESS) for _ in range(2)]
    first, second = sorted(
        await asyncio.gather(*two, return_exceptions=True), key=lambda one: isinstance(one, Asked)
    )
    assert isinstance(first, AskedAlready)
    assert isinstance(second, Asked)
    office.town.clock.advance(days=4)
    third = await ask(office.bank, ada, wish, address=ADDRESS)
    await decide(office.bank, office.staff(office.paul), third.id, Verdict.REFUSED, address=ADDRESS)
    fourth = await ask(office.bank, ada, wish, address=ADDRESS)
    key = (bucket_of(wish.subject), wish.subject)
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.ACTIVE))
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, fourth)
    await _barred(office, office.paul, bytes(16), Barred.NOBODY)


async def test_a_crowd_decides_once(office: Office) -> None:
    """However many press at once, while the customer's row moves."""
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    crowd = [office.agree(by, asked) for by in (office.odile, office.paul) * 4]
    done = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert all(isinstance(one, BankError) for one in done if isinstance(one, BaseException))
    assert sum('"verdict":"approved"' in line for line in await office.lines(vera)) == 1


async def test_the_chains_hold(office: Office) -> None:
    """Of customers, staff and the bank itself, as the auditor's program finds them."""
    wish = await office.hold(office.town.vera.user_code)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await office.agree(office.paul, asked)
    report = await audit(office.bank.store, None)
    assert report.findings == []
    assert report.customers == 2 + 4 + 1
