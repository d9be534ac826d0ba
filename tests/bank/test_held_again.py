"""Cards that were held or retired after a backup are so again once the stream is replayed.

Shown with the worst that there is: a thief with the card and its PIN, who answers every challenge.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from sesame.bank.approvals import Kind
from sesame.bank.card_life import Act
from sesame.bank.heartbeat import Heartbeat
from sesame.bank.helping import Loss
from sesame.bank.holding import hold_own
from sesame.bank.moments import to_row
from sesame.bank.origin import Door, Origin
from sesame.bank.renewal import Renewal
from sesame.bank.replay import replay
from sesame.bank.returned_mail import record_returned
from sesame.bank.sessions import read_session
from sesame.bank.staff import BANK_ITSELF
from sesame.bank.staffing import close_member
from sesame.bank.stream import StreamedLine
from sesame.bank.verification import Accepted, Refused
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import READER, DispatchRow, insert_dispatch
from tests.bank.advisers import Desk, open_desk
from tests.bank.branch import ADDRESS, DORA, VERA, Branch, Person
from tests.bank.test_restored import answer, opened, streamed
from tests.bank.vaults import Vault
from tests.bank.waiting import activation, have_wait, release, states

Deed = Callable[[Branch, Desk], Awaitable[None]]
_HOLDS = 'SELECT card_number, "by", by_code, reason FROM holds ORDER BY card_number'


async def nothing(branch: Branch, desk: Desk) -> None:
    """Nobody does anything."""


async def opposed(branch: Branch, desk: Desk) -> None:
    """Véra's card was stolen, and Dora's first one."""
    await desk.oppose(branch.bank, VERA, [1])
    await desk.oppose(branch.bank, DORA, [1])


async def held_by_its_owner(branch: Branch, desk: Desk) -> None:
    """Véra and Dora hold their own cards."""
    del desk
    for person in (VERA, DORA):
        await _hold(branch, person, 3)


async def _hold(branch: Branch, person: Person, atc: int) -> str:
    """Have *person* hold their cards after a login by *atc*; the number that lifts it."""
    accepted = await branch.login(person, person.card.code(atc))
    assert isinstance(accepted, Accepted)
    session = await read_session(branch.bank, accepted.session_token or "")
    assert session is not None
    form = f"form {person.user_code} {atc}".encode().ljust(16)[:16]
    return (await hold_own(branch.bank, session, Origin(Door.PORTAL, ADDRESS), form)).number


async def held_and_let_go(branch: Branch, desk: Desk) -> None:
    """They lift their holds, by number and code."""
    del desk
    for person in (VERA, DORA):
        number = await _hold(branch, person, 3)
        lifts = release(person.card.code(4), number)
        assert isinstance(await branch.login(person, lifts), Accepted)


async def held_let_go_and_opposed(branch: Branch, desk: Desk) -> None:
    """The desk has the last word."""
    await held_and_let_go(branch, desk)
    await opposed(branch, desk)


async def let_go_by_the_desk(branch: Branch, desk: Desk) -> None:
    """Two persons say so."""
    await opposed(branch, desk)
    for person in (VERA, DORA):
        await desk.agree(branch.bank, Kind.LIFT_HOLD, person, 1)


async def with_another_pin(branch: Branch, desk: Desk) -> None:
    """A card whose PIN was forgotten is retired."""
    for person in (VERA, DORA):
        await desk.agree(branch.bank, Kind.REPRINT_PIN, person, 1)


async def activated(branch: Branch, desk: Desk) -> None:
    """Dora's second card stands in for her first one; Véra's only one was waiting."""
    del desk
    assert isinstance(await branch.login(VERA, activation(VERA.card.code(3))), Accepted)
    assert isinstance(await branch.login(DORA, activation(DORA.cards[1].code(3))), Accepted)


async def waiting(branch: Branch, desk: Desk) -> None:
    """One that is to replace Dora's first, and Véra's only one."""
    del desk
    await have_wait(branch, VERA)
    await have_wait(branch, DORA, 2, replaces=1)


async def expiring(branch: Branch, desk: Desk) -> None:
    """Véra's card, and Dora's first."""
    await waiting(branch, desk)
    branch.change("UPDATE card_orders SET card_number = 1, replaces = NULL")
    branch.change("UPDATE card_orders SET expires_on = '2026-03-01', activated_at = 1")
    branch.change("UPDATE cards SET state = 'active', kind = 'sesame'")


async def retired_by_age(branch: Branch, desk: Desk) -> None:
    """By the day's run."""
    del desk
    bank, now = branch.bank, branch.clock()
    run = Renewal(
        store=bank.store,
        now=now,
        today=now.date(),
        random_bytes=bank.random_bytes,
        limits=bank.limits,
    )
    assert (await run.run()).count(Act.RETIRE) == 2


async def posted(branch: Branch, desk: Desk) -> None:
    """A reader's parcel to each, with the card that they sign in with."""
    del desk
    for person in (VERA, DORA):
        await have_wait(branch, person)
        key = (bucket_of(person.user_code), person.user_code)
        row = DispatchRow(f"REF-{person.user_code}", *key, READER, 1, 0)
        await branch.bank.store.write(partial(insert_dispatch, row=row))
    branch.change("UPDATE cards SET state = 'active'")
    branch.change("UPDATE dispatches SET printed_at = 1, posted_at = 2")


async def returned(branch: Branch, desk: Desk) -> None:
    """Both came back: whoever lives there may have the cards."""
    by = desk.adviser.signer
    for person in (VERA, DORA):
        await record_returned(branch.bank, f"REF-{person.user_code}", by, address=ADDRESS)


async def put_back(
    vault: Vault, folder: Path, before: Deed, after: Deed
) -> tuple[Heartbeat, list[StreamedLine], Desk]:
    """A bank that does *before*, is backed up, does *after*, and is put back."""
    heartbeat = Heartbeat(folder / "beat")
    async with opened(vault, heartbeat) as branch:
        desk = await open_desk(branch.bank)
        await before(branch, desk)
        await asyncio.to_thread(vault.back_up, folder / "backup")
        branch.clock.forward(minutes=5)
        await after(branch, desk)
        lines = await streamed(branch, VERA, DORA)
    await asyncio.to_thread(vault.restore, folder / "backup")
    return heartbeat, lines, desk


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (nothing, opposed, ["held", "held", "active"]),
        (nothing, held_by_its_owner, ["held", "held", "held"]),
        (nothing, held_and_let_go, ["active", "active", "active"]),
        (nothing, held_let_go_and_opposed, ["held", "held", "active"]),
        (nothing, let_go_by_the_desk, ["held", "held", "active"]),
        (nothing, with_another_pin, ["retired", "retired", "active"]),
        (waiting, activated, ["active", "retired", "active"]),
        (waiting, opposed, ["retired", "held", "waiting"]),
        (held_by_its_owner, opposed, ["held", "held", "held"]),
        (opposed, nothing, ["held", "held", "active"]),
        (expiring, retired_by_age, ["retired", "retired", "active"]),
        (posted, returned, ["held", "held", "active"]),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
async def test_cards_are_as_their_lines_say(
    vault: Vault, tmp_path: Path, before: Deed, after: Deed, found: list[str]
) -> None:
    """Down with every line; up with those alone that custody vouches for, in their order."""
    heartbeat, lines, _ = await put_back(vault, tmp_path, before, after)
    async with opened(vault, heartbeat, "restored") as branch:
        done = await replay(branch.bank, lines)
        assert not done.forked | done.missing
        assert states(branch, VERA) + states(branch, DORA) == found
        holds = branch.rows(_HOLDS)
        again = await replay(branch.bank, lines)
        assert (again.closed, again.opened, again.known) == (0, 0, len(lines))
        assert branch.rows(_HOLDS) == holds
        branch.clock.forward(hours=1)
        opens = isinstance(await answer(branch, VERA, 6), Accepted)
        assert opens is (found[0] == "active")


async def test_without_the_replay_the_thief_is_in(vault: Vault, tmp_path: Path) -> None:
    """The tests here can fail: it is the line that stops them."""
    heartbeat, _, _ = await put_back(vault, tmp_path, nothing, opposed)
    async with opened(vault, heartbeat, "restored") as branch:
        assert isinstance(await answer(branch, VERA, 6), Accepted)


async def test_the_desk_lets_go_what_was_held_again(vault: Vault, tmp_path: Path) -> None:
    """It finds the hold and its reason, and two persons lift it; then a response lets in."""
    heartbeat, lines, desk = await put_back(vault, tmp_path, nothing, opposed)
    async with opened(vault, heartbeat, "restored") as branch:
        done = await replay(branch.bank, lines)
        assert (done.closed, done.opened) == (2, 0)
        assert branch.rows(_HOLDS) == [(1, "desk", BANK_ITSELF, "stolen")] * 2
        assert await answer(branch, VERA, 6) == Refused()
        branch.clock.forward(hours=1)
        await desk.agree(branch.bank, Kind.LIFT_HOLD, VERA, 1)
        assert isinstance(await answer(branch, VERA, 8), Accepted)


async def test_why_a_card_is_held_whose_mail_came_back(vault: Vault, tmp_path: Path) -> None:
    """The line gives no reason, for the event is one: the key that the desk has words for."""
    heartbeat, lines, _ = await put_back(vault, tmp_path, posted, returned)
    async with opened(vault, heartbeat, "restored") as branch:
        await replay(branch.bank, lines)
        assert branch.rows(_HOLDS) == [(1, "desk", BANK_ITSELF, "returned")] * 2


async def test_no_number_lifts_an_owners_hold_that_was_held_again(
    vault: Vault, tmp_path: Path
) -> None:
    """The one that they were shown went with the database; two at the desk lift it."""
    heartbeat, lines, desk = await put_back(vault, tmp_path, nothing, held_by_its_owner)
    async with opened(vault, heartbeat, "restored") as branch:
        await replay(branch.bank, lines)
        assert sorted(branch.rows(_HOLDS)) == [
            (1, "owner", DORA.user_code, ""),
            (1, "owner", VERA.user_code, ""),
            (2, "owner", DORA.user_code, ""),
        ]
        branch.clock.forward(hours=1)
        await desk.agree(branch.bank, Kind.LIFT_HOLD, VERA, 1)
        assert isinstance(await answer(branch, VERA, 8), Accepted)


async def test_a_chain_that_went_on_is_held_as_well(vault: Vault, tmp_path: Path) -> None:
    """The thief was faster than the replay: they are in once, and no more."""
    heartbeat, lines, _ = await put_back(vault, tmp_path, nothing, held_let_go_and_opposed)
    async with opened(vault, heartbeat, "restored") as branch:
        branch.clock.forward(hours=1)
        assert isinstance(await answer(branch, VERA, 6), Accepted)
        done = await replay(branch.bank, lines)
        assert done.forked == {VERA.user_code}
        assert states(branch, VERA) == ["held"]
        assert await branch.login(VERA, VERA.card.code(9)) == Refused()


async def test_what_an_owner_let_go_signs_in_where_the_chain_went_on_too(
    vault: Vault, tmp_path: Path
) -> None:
    """A hold and its release cancel out; a hold of after the restore stands."""
    heartbeat, lines, _ = await put_back(vault, tmp_path, nothing, held_and_let_go)
    async with opened(vault, heartbeat, "restored") as branch:
        branch.clock.forward(hours=1)
        assert isinstance(await answer(branch, VERA, 6), Accepted)
        assert (await replay(branch.bank, lines)).forked == {VERA.user_code}
        assert states(branch, VERA) == ["active"]
        await _hold(branch, VERA, 9)
        await replay(branch.bank, lines)
        assert states(branch, VERA) == ["held"]


async def test_a_card_that_was_made_since_is_another_one(vault: Vault, tmp_path: Path) -> None:
    """Its number was another card's before; one that came with who was enrolled again is meant."""
    heartbeat, lines, _ = await put_back(vault, tmp_path, nothing, opposed)
    async with opened(vault, heartbeat, "restored") as branch:
        branch.clock.forward(hours=1)
        later = to_row(branch.clock() - timedelta(minutes=1))
        assert isinstance(await answer(branch, VERA, 6), Accepted)
        assert isinstance(await answer(branch, DORA, 6), Accepted)
        branch.change("UPDATE cards SET created_at = ? WHERE card_number = 1", later)
        branch.change(
            "UPDATE access SET enrolled_at = ? WHERE user_code = ?", later, DORA.user_code
        )
        await replay(branch.bank, lines)
        assert states(branch, VERA) == ["active"]
        assert states(branch, DORA) == ["held", "active"]


async def test_staff_whose_account_was_closed_sign_in_nowhere(vault: Vault, tmp_path: Path) -> None:
    """Their card is held, and nobody's else: the line stands in two chains."""
    closed: list[StreamedLine] = []

    async def close(branch: Branch, desk: Desk) -> None:
        officer, gone = desk.officers[0], desk.adviser
        await close_member(branch.bank, officer, gone.user_code, ADDRESS, reason="Elle est partie")
        for staff in (officer, gone):
            closed.extend(await streamed(branch, Person(staff.user_code, staff.name, ())))

    heartbeat, lines, desk = await put_back(vault, tmp_path, nothing, close)
    async with opened(vault, heartbeat, "restored") as branch:
        assert (await replay(branch.bank, [*lines, *closed])).closed == 1
        held = branch.rows("SELECT user_code FROM cards WHERE state = 'held'")
        assert held == [(desk.adviser.user_code,)]


async def test_a_damaged_card_works_on(vault: Vault, tmp_path: Path) -> None:
    """Until its replacement does: its opposition holds nothing."""

    async def damaged(branch: Branch, desk: Desk) -> None:
        await desk.oppose(branch.bank, VERA, [1], Loss.DAMAGED)

    heartbeat, lines, _ = await put_back(vault, tmp_path, nothing, damaged)
    async with opened(vault, heartbeat, "restored") as branch:
        assert (await replay(branch.bank, lines)).closed == 0
        assert isinstance(await answer(branch, VERA, 6), Accepted)
