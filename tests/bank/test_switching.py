"""`sesame.bank.switching`: how far everybody is, by what is true of them, on either database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sesame.bank.challenges import ChallengeResponse, make_challenge
from sesame.bank.errors import NotAllowed
from sesame.bank.holding import hold_own
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import read_session
from sesame.bank.staff import Role
from sesame.bank.switching import (
    Board,
    Reason,
    Standing,
    Way,
    read_board,
    remind,
    standing_of,
    who_stands,
)
from sesame.bank.turnstile import Turnstile
from sesame.bank.verification import Accepted, Outcome, Refused, verify_login
from sesame.store.buckets import bucket_of
from sesame.store.switching import Facts
from tests.bank.branch import DORA, OLD_CODE, OMAR, VERA, Branch, Person, attempt, open_bank
from tests.bank.waiting import activation, have_wait, release
from tests.desk.office import ADDRESS, Office, open_office, person

_NEVER = Standing(Way.BOTH, Reason.NEVER_TRIED)
_FAILED = Standing(Way.BOTH, Reason.TRIED_AND_FAILED)
_READY = Standing(Way.SESAME_ONLY)
_NOTHING = Facts(*[False] * len(Facts._fields))


async def _counts(branch: Branch) -> dict[Standing, int]:
    return dict((await read_board(branch.bank)).counts)


async def test_the_old_code_dies_at_its_owners_own_success(branch: Branch) -> None:
    """Who signs in with a code Sésame is ready; all others keep what they have."""
    assert await _counts(branch) == {_NEVER: 3}
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    assert await _counts(branch) == {_NEVER: 2, _READY: 1}
    assert isinstance(await branch.login(OMAR, OLD_CODE), Accepted)
    assert await _counts(branch) == {_NEVER: 2, _READY: 1}


async def _by_a_code(branch: Branch) -> Outcome:
    return await branch.login(VERA, VERA.card.code(1))


async def _by_two_codes(branch: Branch) -> Outcome:
    return await branch.login(VERA, TwoCodes(VERA.card.code(1), VERA.card.code(2)))


async def _by_a_challenge(branch: Branch) -> Outcome:
    challenge = await make_challenge(branch.bank, b"a form")
    codes = TwoCodes(VERA.card.code(1, challenge.inputs), VERA.card.code(2))
    return await branch.login(VERA, ChallengeResponse(challenge, codes))


async def _by_another_program(branch: Branch) -> Outcome:
    """Which opens no session of ours."""
    origin = Origin(Door.REST, ADDRESS)
    return await branch.login(VERA, VERA.card.code(1), session_seed=None, origin=origin)


async def _by_an_activation(branch: Branch) -> Outcome:
    await have_wait(branch, VERA)
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    return await branch.login(VERA, activation(VERA.card.code(1)))


async def _by_a_release(branch: Branch) -> Outcome:
    """Of a hold that a session of the old code began."""
    looking = await branch.login(VERA, OLD_CODE)
    assert isinstance(looking, Accepted)
    session = await read_session(branch.bank, looking.session_token or "")
    assert session is not None
    held = await hold_own(branch.bank, session, Origin(Door.PORTAL, ADDRESS), b"f" * 16)
    return await branch.login(VERA, release(VERA.card.code(1), held.number))


@pytest.mark.parametrize(
    ("way", "beside"),
    [
        (_by_a_code, []),
        (_by_two_codes, []),
        (_by_a_challenge, []),
        (_by_another_program, []),
        (_by_an_activation, ["activation"]),
        (_by_a_release, ["hold", "release"]),
    ],
)
async def test_its_end_is_told_elsewhere_whichever_way_it_came_by(
    branch: Branch, way: Callable[[Branch], Awaitable[Outcome]], beside: list[str]
) -> None:
    """Once, with the moment of the step that ended it; by no attempt before it, nor after."""
    found = "SELECT event, user_code, at, email_state FROM notices ORDER BY event"
    await branch.fail(VERA.user_code, 1)
    assert isinstance(await branch.login(VERA, OLD_CODE), Accepted)
    assert branch.rows(found) == []
    assert isinstance(await way(branch), Accepted)
    row = branch.row(VERA.user_code)
    assert row["old_code"] is None
    told = branch.rows(found)
    assert [event for event, *_ in told] == sorted([*beside, "old-code"])
    (own,) = [rest for event, *rest in told if event == "old-code"]
    assert own == [VERA.user_code, row["stepped_at"], "new"]
    assert isinstance(await branch.login(VERA, VERA.card.code(9)), Accepted)
    assert branch.rows(found) == told


async def test_of_two_first_successes_at_a_time_one_is_told(branch: Branch) -> None:
    """By two servers, with codes of two ATCs: the second retires nothing any more."""
    other = open_bank(branch.where, name="another server")
    other = replace(other, turnstile=Turnstile(), now=branch.clock)
    forms = [attempt(VERA.user_code, VERA.card.code(atc)) for atc in (1, 2)]
    outcomes = await asyncio.gather(
        *(verify_login(bank, form) for bank, form in zip((branch.bank, other), forms, strict=True))
    )
    await other.store.close()
    assert any(isinstance(outcome, Accepted) for outcome in outcomes)
    assert branch.rows("SELECT event FROM notices") == [("old-code",)]


async def test_who_tried_in_vain_is_told_from_who_never_tried(branch: Branch) -> None:
    """By the lines of codes Sésame; a wrong old code is no try of one."""
    await branch.fail(OMAR.user_code, 1)
    assert await _counts(branch) == {_NEVER: 2, _FAILED: 1}
    (found,) = await who_stands(branch.bank, _FAILED)
    assert (found.user_code, found.name, found.reminded_at) == (OMAR.user_code, OMAR.name, None)
    keys = [(bucket_of(one.user_code), one.user_code) for one in (DORA, VERA)]
    first, second = [code for _, code in sorted(keys)]
    assert [one.user_code for one in await who_stands(branch.bank, _NEVER, most=1)] == [first]
    further = await who_stands(branch.bank, _NEVER, after=first)
    assert [one.user_code for one in further] == [second]


def _dispatch(
    branch: Branch, whose: Person, kind: str, posted: int | None, back: int | None
) -> None:
    branch.change(
        "INSERT INTO dispatches (reference, bucket, user_code, kind, due_at, posted_at, "
        "returned_at) VALUES (?, ?, ?, ?, 1, ?, ?)",
        f"{whose.user_code}-{kind}-{posted}",
        bucket_of(whose.user_code),
        whose.user_code,
        kind,
        posted,
        back,
    )


async def test_a_reader_on_its_way(branch: Branch) -> None:
    """Nobody is asked why they never tried while the reader is not posted."""
    _dispatch(branch, OMAR, "reader", None, None)
    assert await _counts(branch) == {_NEVER: 2, Standing(Way.BOTH, Reason.READER_NOT_POSTED): 1}
    await branch.fail(OMAR.user_code, 1)
    assert await _counts(branch) == {_NEVER: 2, _FAILED: 1}


async def test_a_card_on_its_way(branch: Branch) -> None:
    """Ordered, made, posted; returned, and posted again; each has its own reason."""

    def old_only(reason: Reason) -> dict[Standing, int]:
        return {_NEVER: 2, Standing(Way.OLD_ONLY, reason): 1}

    key = (bucket_of(VERA.user_code), VERA.user_code)
    branch.change("DELETE FROM cards WHERE user_code = ?", VERA.user_code)
    assert await _counts(branch) == old_only(Reason.NOT_ORDERED)
    branch.change(
        "INSERT INTO card_orders (bucket, user_code, order_number, kind, reason, ordered_at, "
        "ordered_by) VALUES (?, ?, 1, 'sesame', 'first', 1, '_K7P2M4X')",
        *key,
    )
    assert await _counts(branch) == old_only(Reason.NOT_POSTED)
    branch.change("UPDATE card_orders SET cancelled_at = 2")
    assert await _counts(branch) == old_only(Reason.NOT_ORDERED)
    branch.change(
        "INSERT INTO cards SELECT bucket, ?, 1, kind, 'waiting', profile, sealed, last4, 0, 1, 0 "
        "FROM cards WHERE user_code = ?",
        VERA.user_code,
        OMAR.user_code,
    )
    branch.change("UPDATE cards SET bucket = ? WHERE user_code = ?", *key)
    assert await _counts(branch) == old_only(Reason.NOT_POSTED)
    _dispatch(branch, VERA, "card", 5, None)
    assert await _counts(branch) == old_only(Reason.NOT_ACTIVATED)
    _dispatch(branch, VERA, "reader", None, None)
    assert await _counts(branch) == old_only(Reason.READER_NOT_POSTED)
    branch.change("UPDATE dispatches SET voided_at = 6 WHERE kind = 'reader'")
    _dispatch(branch, VERA, "reader", 6, 8)
    assert await _counts(branch) == old_only(Reason.RETURNED)
    _dispatch(branch, VERA, "reader", 9, None)
    assert await _counts(branch) == old_only(Reason.NOT_ACTIVATED)
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", VERA.user_code)
    assert await _counts(branch) == old_only(Reason.HELD)
    # The first one was posted, and stolen; another one is made and not posted yet.
    branch.change(
        "INSERT INTO cards SELECT bucket, user_code, 2, kind, 'waiting', profile, sealed, last4, "
        "0, 20, 0 FROM cards WHERE user_code = ?",
        VERA.user_code,
    )
    branch.change(
        "INSERT INTO dispatches (reference, bucket, user_code, kind, due_at) "
        "VALUES ('second', ?, ?, 'reader', 20)",
        *key,
    )
    assert await _counts(branch) == old_only(Reason.NOT_POSTED)
    _dispatch(branch, VERA, "card", 21, None)
    assert await _counts(branch) == old_only(Reason.READER_NOT_POSTED)


def test_everybody_stands_somewhere() -> None:
    """Whatever is true of them; nobody whose old code and card both are there is called ready."""
    for bits in range(1 << len(_NOTHING)):
        facts = Facts(*[bool(bits >> place & 1) for place in range(len(_NOTHING))])
        standing = standing_of(facts)
        ways = {
            (True, True): Way.BOTH,
            (True, False): Way.OLD_ONLY,
            (False, True): Way.SESAME_ONLY,
            (False, False): Way.NONE,
        }
        assert standing.way is ways[facts.old_code, facts.active]
        assert (standing.reason is None) == (standing.way is Way.SESAME_ONLY)


def test_who_has_neither_code_is_told_why() -> None:
    """An old code that is set elsewhere, later; or a card that nobody has ordered."""
    to_come = _NOTHING._replace(old_code_to_come=True)
    assert standing_of(to_come) == Standing(Way.NONE, Reason.OLD_CODE_TO_COME)
    assert standing_of(_NOTHING) == Standing(Way.NONE, Reason.NOT_ORDERED)
    both = Board({_NEVER: 2, _FAILED: 1, _READY: 4})
    assert (both.of_way(Way.BOTH), both.of_way(Way.NONE), both.customers) == (3, 0, 7)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


async def test_reminders_are_written_once_a_month(office: Office) -> None:
    """To whoever has both codes; by an issuer, with a line; never to who has switched over."""
    with pytest.raises(NotAllowed):
        await remind(office.bank, office.staff(office.ada), address=ADDRESS)
    # Whoever was an issuer when the page was opened, and is none any more.
    with pytest.raises(NotAllowed):
        await remind(office.bank, office.staff(office.ada, {Role.ISSUER}), address=ADDRESS)
    issuer = person("Iris Manet", Role.ISSUER)
    await office.agree(office.paul, await office.hire(issuer))
    by = office.staff(issuer)
    assert await remind(office.bank, by, address=ADDRESS) == 2
    assert await remind(office.bank, by, address=ADDRESS) == 0
    found = await who_stands(office.bank, _NEVER)
    assert all(one.reminded_at for one in found)
    office.town.clock.advance(days=30)
    assert await remind(office.bank, by, address=ADDRESS) == 2
    assert sum('"event":"reminders"' in line for line in await office.lines(issuer.user_code)) == 3
    office.town.clock.advance(seconds=timedelta(days=30).total_seconds())
    await office.town.forget_old_code(office.town.vera)
    assert await remind(office.bank, by, address=ADDRESS) == 1
