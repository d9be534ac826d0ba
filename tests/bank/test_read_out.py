"""`sesame.bank.read_out`: what a code was, said to staff; and that it is good for nothing else."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from sesame.bank.audit_chain import Kind
from sesame.bank.auditing import audit
from sesame.bank.errors import NotAllowed
from sesame.bank.help_line import oppose
from sesame.bank.helping import Loss
from sesame.bank.matching import Cause, TwoCodes
from sesame.bank.read_out import (
    EnoughRehearsals,
    Moved,
    Taken,
    Weighed,
    bring_into_step,
    explain_code,
    first_taken,
    rehearse_together,
)
from sesame.bank.replay import replay
from sesame.bank.stream import StreamedLine
from sesame.bank.verification import Accepted, Refused, Suspended, TwoCodesWanted
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.custody.custodian import KeyUsage
from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState, set_card_state
from sesame.store.notices import NOTICES
from sesame.store.sessions import SESSIONS
from tests.custody.codes import make_code
from tests.desk.caller import call, last_atc, session_of, sign_in, suspend
from tests.desk.office import Office, open_office
from tests.portal.town import Customer, wrong_code


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


async def _code(office: Office, who: Customer, atc: int) -> Code:
    """The code that the card of *who* makes at *atc*."""
    key = await office.town.custodian.card_key(who.record)
    return make_code(key, who.profile, atc=atc, dki=1)


async def _wrong(office: Office, who: Customer, atc: int = 1) -> Code:
    return Code(wrong_code((await _code(office, who, atc)).digits))


async def _explain(office: Office, who: Customer, code: Code) -> Weighed:
    answer = await explain_code(office.bank, call(office, who), code)
    assert isinstance(answer, Weighed)
    return answer


async def _step(office: Office, who: Customer, *atcs: int) -> Weighed:
    codes = TwoCodes(*[await _code(office, who, atc) for atc in atcs])
    answer = await bring_into_step(office.bank, call(office, who), codes)
    assert isinstance(answer, Weighed)
    return answer


async def _sessions(office: Office) -> int:
    return len(
        await office.bank.store.read(
            lambda connection: connection.execute(select(SESSIONS.c.token_hash)).all()
        )
    )


async def test_a_fresh_code_is_used_up(office: Office) -> None:
    """Said so, with its card; no session; and it can never sign in."""
    vera = office.town.vera
    found = await _explain(office, vera, await _code(office, vera, 3))
    assert found == Weighed(cause=None, cards=((vera.record.pan.last4, 3),))
    assert await last_atc(office, vera) == 3
    before = await _sessions(office)
    assert await sign_in(office, vera.user_code, (await _code(office, vera, 3)).digits) == Refused()
    assert await _sessions(office) == before
    fresh = await _code(office, vera, 4)
    assert isinstance(await sign_in(office, vera.user_code, fresh.digits), Accepted)


async def test_when_and_by_what_a_code_was_used(office: Office) -> None:
    """Or overtaken, by what went beyond it; neither counts as a failure."""
    vera = office.town.vera
    signed_in_at = office.town.clock()
    code = await _code(office, vera, 5)
    assert isinstance(await sign_in(office, vera.user_code, code.digits), Accepted)
    office.town.clock.advance(hours=2)
    used = await _explain(office, vera, code)
    assert used.cause is Cause.USED
    assert used.cards == ((vera.record.pan.last4, 5),)
    assert used.taken is not None
    assert (used.taken.event, used.taken.door, used.taken.same) == ("login", "portal", True)
    assert abs(used.taken.at - signed_in_at) < timedelta(seconds=1)
    overtaken = await _explain(office, vera, await _code(office, vera, 4))
    assert overtaken.cause is Cause.OVERTAKEN
    assert overtaken.taken == replace(used.taken, same=False)
    await _explain(office, vera, await _code(office, vera, 8))
    again = await _explain(office, vera, code)
    assert again.cause is Cause.OVERTAKEN
    assert again.taken == used.taken
    last = json.loads((await office.lines(vera.user_code))[-1])
    assert last["behind"] == [[1, 5, 8]]
    assert "failures" not in last
    state = (await office.bank.store.read_access(vera.user_code)).state
    assert state.open.failures == 0
    assert state.replayed_at is None  # whoever is signed in is not warned of their own call


async def test_who_guesses_is_suspended(office: Office) -> None:
    """A wrong code counts as at any door; then nothing is judged until that is lifted."""
    vera = office.town.vera
    tries = [await _explain(office, vera, await _wrong(office, vera, atc)) for atc in (1, 2)]
    assert [one.cause for one in tries] == [Cause.WRONG, Cause.WRONG]
    assert [one.suspended_until for one in tries] == [None, None]
    codes = TwoCodes(await _wrong(office, vera, 3), await _wrong(office, vera, 5))
    third = await bring_into_step(office.bank, call(office, vera), codes)
    assert isinstance(third, Weighed)
    assert third.cause is Cause.WRONG
    assert third.suspended_until is not None
    before = await office.lines(vera.user_code)
    said = [json.loads(line) for line in before[-3:]]
    assert [(one["side"], one["failures"]) for one in said] == [
        ("open", 1),
        ("open", 2),
        ("open", 0),
    ]
    assert [bool(one["suspended_until"]) for one in said] == [False, False, True]
    right = await _code(office, vera, 6)
    answer = await explain_code(office.bank, call(office, vera), right)
    assert answer == Suspended(third.suspended_until)
    codes = TwoCodes(right, await _code(office, vera, 7))
    assert isinstance(await bring_into_step(office.bank, call(office, vera), codes), Suspended)
    assert await office.lines(vera.user_code) == before
    assert isinstance(await sign_in(office, vera.user_code, right.digits), Suspended)


async def test_two_codes_from_anywhere(office: Office) -> None:
    """They bring the card into step, open nothing, and neither signs in afterwards."""
    vera = office.town.vera
    found = await _step(office, vera, 1500, 1502)
    assert found == Weighed(cause=None, cards=((vera.record.pan.last4, 1502),))
    assert await last_atc(office, vera) == 1502
    assert await _sessions(office) == 0
    for atc in (1500, 1502):
        code = (await _code(office, vera, atc)).digits
        assert await sign_in(office, vera.user_code, code) == Refused()
    fresh = (await _code(office, vera, 1503)).digits
    assert isinstance(await sign_in(office, vera.user_code, fresh), Accepted)
    told = await office.bank.store.read(
        lambda connection: connection.execute(select(NOTICES.c.event)).scalars().all()
    )
    assert [event for event in told if event != "old-code"] == ["resync"]  # that was the login's


async def test_one_that_was_misheard(office: Office) -> None:
    """The other one is used up all the same, whichever it was: the adviser knows it."""
    for first_is_right in (True, False):
        vera = office.town.vera
        atc = await last_atc(office, vera) + 3
        right, wrong = await _code(office, vera, atc), await _wrong(office, vera, atc + 1)
        codes = TwoCodes(right, wrong) if first_is_right else TwoCodes(wrong, right)
        found = await bring_into_step(office.bank, call(office, vera), codes)
        assert found == Weighed(cause=None, cards=((vera.record.pan.last4, atc),))
        assert await sign_in(office, vera.user_code, right.digits) == Refused()
        assert isinstance(
            await sign_in(office, vera.user_code, (await _code(office, vera, atc + 1)).digits),
            Accepted,
        )


async def test_two_in_the_wrong_order(office: Office) -> None:
    """Both are used up."""
    vera = office.town.vera
    found = await _step(office, vera, 6, 5)
    assert found.cause is None
    assert await last_atc(office, vera) == 6


@pytest.mark.parametrize("state", [CardState.HELD, CardState.WAITING])
async def test_codes_of_a_card_that_may_not_sign_in(office: Office, state: CardState) -> None:
    """Said to staff, no failure; and used up, for the card may be let go later."""
    vera = office.town.vera
    key = (bucket_of(vera.user_code), vera.user_code)
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, state))
    found = await _explain(office, vera, await _code(office, vera, 2))
    assert found.cause is Cause.CARD_NOT_ACTIVE
    stepped = await _step(office, vera, 900, 901)
    assert stepped.cause is Cause.CARD_NOT_ACTIVE
    assert await last_atc(office, vera) == 901
    state_of = (await office.bank.store.read_access(vera.user_code)).state
    assert state_of.open.failures == 0
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.ACTIVE))
    code = (await _code(office, vera, 901)).digits
    assert await sign_in(office, vera.user_code, code) == Refused()


async def test_a_card_that_is_unsure(office: Office) -> None:
    """After a restore nothing read out moves it: a challenge will, beyond all of it."""
    vera = office.town.vera
    await office.bank.store.write(
        lambda connection: connection.execute(update(CARDS).values(generation=-1))
    )
    found = await _explain(office, vera, await _code(office, vera, 2))
    assert found.cause is Cause.CARD_UNSURE
    assert await last_atc(office, vera) == 0


async def test_a_second_click(office: Office) -> None:
    """Hears the same, and nothing is counted or moved again."""
    vera = office.town.vera
    for code in (await _code(office, vera, 2), await _wrong(office, vera)):
        its_call = call(office, vera)
        first = await explain_code(office.bank, its_call, code)
        lines = await office.lines(vera.user_code)
        assert await explain_code(office.bank, its_call, code) == first
        assert await office.lines(vera.user_code) == lines


async def test_a_rehearsal_together(office: Office) -> None:
    """By its own counter, also where the access is suspended; five wrong ones a day."""
    vera = office.town.vera
    await suspend(office, vera)
    before = (await office.bank.store.read_access(vera.user_code)).state.open
    right = await _code(office, vera, 9)
    its_call = call(office, vera)
    for _ in range(2):
        found = await rehearse_together(office.bank, its_call, right)
        assert found == Weighed(cause=None, cards=((vera.record.pan.last4, 9),))
    for atc in range(10, 15):
        wrong = await _wrong(office, vera, atc)
        found = await rehearse_together(office.bank, call(office, vera), wrong)
        assert isinstance(found, Weighed)
        assert found.cause is Cause.WRONG
    fresh = await _code(office, vera, 16)
    answer = await rehearse_together(office.bank, call(office, vera), fresh)
    assert isinstance(answer, EnoughRehearsals)
    assert (await office.bank.store.read_access(vera.user_code)).state.open == before


async def test_only_an_adviser(office: Office) -> None:
    """And nothing is judged for anybody else."""
    vera = office.town.vera
    code, before = await _code(office, vera, 1), await office.lines(vera.user_code)
    for other in (office.odile, office.aude):
        its_call = call(office, vera, other)
        with pytest.raises(NotAllowed):
            await explain_code(office.bank, its_call, code)
        with pytest.raises(NotAllowed):
            await rehearse_together(office.bank, its_call, code)
        with pytest.raises(NotAllowed):
            await bring_into_step(
                office.bank, its_call, TwoCodes(code, await _code(office, vera, 2))
            )
    assert await office.lines(vera.user_code) == before


async def test_under_pressure_it_opens_nothing_either(office: Office) -> None:
    """Where a login wants two codes, one is still explained; the login goes on wanting two."""
    vera = office.town.vera
    for _ in range(3):
        await suspend(office, vera)
        office.town.clock.advance(hours=5)
    found = await _explain(office, vera, await _code(office, vera, 30))
    assert found.cause is None
    code = (await _code(office, vera, 31)).digits
    assert isinstance(await sign_in(office, vera.user_code, code), TwoCodesWanted)


async def test_every_chain_is_whole_and_vouched_for(office: Office) -> None:
    """Lines that took an ATC bear custody's MAC; whoever lowers a card is found out."""
    vera = office.town.vera
    await _explain(office, vera, await _code(office, vera, 2))
    await _step(office, vera, 40, 41)
    await rehearse_together(office.bank, call(office, vera), await _code(office, vera, 42))

    async def vouch(line: bytes) -> bytes:
        return await office.town.custodian.mac(KeyUsage.AUDIT, line)

    report = await audit(office.bank.store, None, vouch=vouch)
    assert report.findings == []
    for name in ("code-explained", "resync", "rehearsed-together"):
        theirs, own = [
            [one for one in map(json.loads, await office.lines(code)) if one["event"] == name]
            for code in (vera.user_code, office.ada.user_code)
        ]
        assert theirs[0]["mac"]
        assert theirs[0]["by"] == own[0]["by"] == office.ada.typed
        assert "cards" not in own[0]
        assert "outcome" not in own[0]
    # Past the guard of the store, as the owner of the file can.
    await office.bank.store.write(
        lambda connection: connection.execute(
            update(CARDS).where(CARDS.c.user_code == vera.user_code).values(last_atc=41)
        )
    )
    report = await audit(office.bank.store, None)
    assert [one.kind for one in report.findings] == [Kind.ATC_LOWERED]


async def test_a_replay_takes_it_again(office: Office) -> None:
    """After a restore: the codes that were read out stay used, the sessions ended."""
    vera, bank = office.town.vera, office.bank
    token_before = await session_of(office, vera)
    assert token_before
    atc = await last_atc(office, vera)
    backup = await bank.store.read(
        lambda connection: (
            connection.execute(select(ACCESS).where(ACCESS.c.user_code == vera.user_code))
            .mappings()
            .one()
        )
    )
    await _explain(office, vera, await _code(office, vera, atc + 2))
    await _step(office, vera, 300, 301)
    await oppose(bank, call(office, vera), Loss.STOLEN, [1])
    lines = [
        StreamedLine(vera.user_code, json.loads(line)["version"], line.encode())
        for line in await office.lines(vera.user_code)
    ]

    def restore(connection: Connection) -> None:
        of_vera = ACCESS.c.user_code == vera.user_code
        connection.execute(update(ACCESS).where(of_vera).values(**backup))
        connection.execute(
            update(CARDS).where(CARDS.c.user_code == vera.user_code).values(last_atc=atc)
        )
        connection.execute(
            AUDIT_LINES.delete().where(
                AUDIT_LINES.c.user_code == vera.user_code,
                AUDIT_LINES.c.version > backup["version"],
            )
        )

    await bank.store.write(restore)
    done = await replay(bank, lines)
    assert done.taken == 3
    assert await last_atc(office, vera) == 301
    state = (await bank.store.read_access(vera.user_code)).state
    assert state.session_epoch == backup["session_epoch"] + 1


_AT = datetime(2026, 3, 2, tzinfo=UTC)


def _moved(event: str, *cards: tuple[str | int, ...]) -> Moved:
    return Moved(event=event, at=_AT, door="portal", cards=cards)


def test_first_taken() -> None:
    """The ATC itself, or the first beyond it; of that card; and no line of another shape."""
    name = SESAME_CARD.name
    lines = [
        _moved("enrolment", (1, name, 4), (2, name, 0)),
        _moved("other", (1,)),
        _moved("other", (1, name, "9")),
        _moved("login", (2, name, 9)),
        _moved("login", (1, name, 7)),
        _moved("resync", (1, name, 9)),
    ]
    assert first_taken(lines, 1, 4) == Taken(at=_AT, event="", door="portal", same=False)
    assert first_taken(lines, 1, 7) == Taken(at=_AT, event="login", door="portal", same=True)
    assert first_taken(lines, 1, 8) == Taken(at=_AT, event="resync", door="portal", same=False)
    assert first_taken(lines, 1, 10) is None
    given = [_moved("bank-card-given", (3, name, 30)), _moved("login", (3, name, 31))]
    assert first_taken(given, 3, 30) == Taken(at=_AT, event="", door="portal", same=False)
    assert first_taken(given, 3, 31) == Taken(at=_AT, event="login", door="portal", same=True)


@given(st.lists(st.integers(1, 50), unique=True), st.integers(1, 50))
def test_first_taken_of_any_chain(atcs: list[int], asked: int) -> None:
    """ATCs rise: it is the lowest one that is not below what is asked for."""
    lines = [_moved("login", (1, "sesame", atc)) for atc in sorted(atcs)]
    found = first_taken(lines, 1, asked)
    beyond = [atc for atc in atcs if atc >= asked]
    assert (found is None) == (not beyond)
    assert found is None or found.same == (asked in atcs)
