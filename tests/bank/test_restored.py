"""An older state of the database is put back: no code passes a second time, and owners get in.

Shown from both sides: the attacker has kept what was accepted between the backup and the loss.
"""

import asyncio
import base64
import errno
import fcntl
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from sesame.bank.bank import Bank
from sesame.bank.challenges import ChallengeResponse, make_challenge, read_challenge
from sesame.bank.customers import CardKind, enrol
from sesame.bank.errors import ChallengeOver, HeartbeatHeld, HeartbeatUnusable
from sesame.bank.heartbeat import Heartbeat
from sesame.bank.matching import TwoCodes
from sesame.bank.recovery import Asked, asked
from sesame.bank.replay import replay
from sesame.bank.restored import Seen, is_marked, is_older
from sesame.bank.sessions import read_session
from sesame.bank.settling import Change, settle
from sesame.bank.stream import StreamedLine
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Outcome, Refused, verify_login
from sesame.cap.profiles import SESAME_CARD
from sesame.custody.custodian import Custodian
from sesame.monitoring.readiness import Readiness
from sesame.store.access import Access
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from sesame.store.engine import open_store
from sesame.store.errors import StatementFailed, StoreUnavailable
from sesame.store.incarnation import Incarnation, Known, mark_as_backup, read_incarnation
from sesame.store.steps import Fate
from tests.bank.branch import (
    DORA,
    NINE,
    OLD_CODE,
    OMAR,
    VERA,
    Branch,
    Card,
    Person,
    attempt,
    new_customer,
    open_bank,
)
from tests.bank.vaults import Vault
from tests.places import url_of

_FORM = b"a form"
_ANOTHERS = Seen(b"another's name!!", 1, at=0)
ADA = Person(UserCode("ADAA2345"), "Ada", (Card(CardKind.SESAME, SESAME_CARD, "925000123450001"),))
IDA = Person(UserCode("IDAA2345"), "Ida", (Card(CardKind.SESAME, SESAME_CARD, "925000123450002"),))


@asynccontextmanager
async def opened(
    vault: Vault, heartbeat: Heartbeat, name: str = "bank", *, custodian: Custodian | None = None
) -> AsyncIterator[Branch]:
    """A server's bank on it, as it starts: it looks before it answers anybody."""
    bank = open_bank(vault.where, name=name)
    branch = Branch(vault.where, replace(bank, custodian=custodian or bank.custodian))
    try:
        await heartbeat.take(branch.bank)
        yield branch
    finally:
        await branch.close()


async def answer(branch: Branch, person: Person, atc: int, *, after: int = 1) -> Outcome:
    """The owner answers a challenge with transaction *atc*, and makes a code after it."""
    challenge = await make_challenge(branch.bank, _FORM)
    came_back = await read_challenge(branch.bank, challenge.token, _FORM)
    codes = TwoCodes(person.card.code(atc, challenge.inputs), person.card.code(atc + after))
    return await branch.login(person, ChallengeResponse(came_back, codes))


async def streamed(branch: Branch, *people: Person) -> list[StreamedLine]:
    """The lines of *people* as they were shipped off the host."""
    lines = []
    for person in people:
        key = (bucket_of(person.user_code), person.user_code)
        found = await branch.bank.store.read(lambda c, key=key: read_lines(c, *key))  # type: ignore[misc]  # of this turn
        lines += [StreamedLine(person.user_code, version, line) for version, line, _ in found]
    return lines


async def both_sides(branch: Branch, used: int) -> None:
    """The attacker has the code of transaction *used*, which was accepted; the owner a card."""
    assert await branch.login(VERA, VERA.card.code(used)) == Refused()
    # Nor does a code that nobody has used yet, or two: they may have been made before.
    assert await branch.login(VERA, VERA.card.code(used + 1)) == Refused()
    two = TwoCodes(VERA.card.code(used), VERA.card.code(used + 1))
    assert await branch.login(VERA, two) == Refused()
    branch.clock.forward(minutes=16)
    assert isinstance(await answer(branch, VERA, used + 2), Accepted)
    assert branch.last_atcs(VERA) == [used + 3]
    assert isinstance(await branch.login(VERA, VERA.card.code(used + 4)), Accepted)
    assert await branch.login(VERA, VERA.card.code(used)) == Refused()
    assert await branch.login(VERA, VERA.card.code(used + 3)) == Refused()


@dataclass(frozen=True)
class Lost:
    """What was taken along from the bank that is no more."""

    lines: list[StreamedLine]
    token: str


async def live(vault: Vault, heartbeat: Heartbeat, backup: Path | None) -> Lost:
    """A bank's last hours: a login, a backup (raw, where *backup* is None), and two logins more."""
    async with opened(vault, heartbeat) as branch:
        accepted = await branch.login(VERA, VERA.card.code(1))
        assert isinstance(accepted, Accepted)
        token = accepted.session_token or ""
        assert await read_session(branch.bank, token)
        if backup is not None:
            await asyncio.to_thread(vault.back_up, backup)
    if backup is None:
        await asyncio.to_thread(vault.copy_raw)
    async with opened(vault, heartbeat, "later") as branch:
        # A backup changes nothing in what was copied.
        assert isinstance(await branch.login(VERA, VERA.card.code(2)), Accepted)
        assert isinstance(await branch.login(OMAR, OMAR.card.code(30)), Accepted)
        await heartbeat.take(branch.bank)
        return Lost(await streamed(branch, VERA, OMAR), token)


@pytest.mark.parametrize("watched", [True, False], ids=["heartbeat", "none"])
async def test_what_our_own_backup_brings_back_is_known_as_restored(
    vault: Vault,
    tmp_path: Path,
    watched: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """With a heartbeat or without: the backup says so itself."""
    heartbeat = Heartbeat(tmp_path / "beat" if watched else None)
    lost = await live(vault, heartbeat, tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, heartbeat, "restored") as branch:
        assert branch.last_atcs(VERA) == [1]
        assert await read_session(branch.bank, lost.token) is None
        await both_sides(branch, 2)


async def test_no_plain_code_passes_before_any_server_has_noticed(
    vault: Vault, tmp_path: Path
) -> None:
    """What was restored beneath a running server is guarded by its own rows."""
    await live(vault, Heartbeat(None), tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    branch = Branch(vault.where, open_bank(vault.where, name="unaware"))  # it never looked
    await both_sides(branch, 2)
    await branch.close()


async def test_a_raw_copy_is_caught_by_the_heartbeat(vault: Vault, tmp_path: Path) -> None:
    """Once, and not again at the next beat."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await live(vault, heartbeat, None)
    await asyncio.to_thread(vault.put_back)
    async with opened(vault, heartbeat, "restored") as branch:
        told = branch.bank.meters
        assert told.restored.values == told.beat.values == {(): NINE.timestamp()}
        await both_sides(branch, 2)
        generation = branch.rows("SELECT generation FROM incarnation")
        await heartbeat.take(branch.bank)
        assert branch.rows("SELECT generation FROM incarnation") == generation


async def test_without_a_heartbeat_a_raw_copy_is_not(vault: Vault, tmp_path: Path) -> None:
    """The test above can fail: it is the heartbeat that catches it."""
    await live(vault, Heartbeat(tmp_path / "beat"), None)
    await asyncio.to_thread(vault.put_back)
    async with opened(vault, Heartbeat(None), "restored") as branch:
        assert branch.bank.meters.restored.values == {(): 0}
        assert isinstance(await branch.login(VERA, VERA.card.code(2)), Accepted)


async def test_the_stream_brings_the_rows_back_and_no_card_is_sure_by_it(
    vault: Vault, tmp_path: Path
) -> None:
    """Chain, last ATCs and retired old codes; a second replay finds all there."""
    heartbeat = Heartbeat(tmp_path / "beat")
    lost = await live(vault, heartbeat, tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, heartbeat, "restored") as branch:
        assert branch.row(OMAR.user_code)["old_code"] is not None
        done = await replay(branch.bank, lost.lines)
        assert (done.taken, done.raised) == (2, 2)
        assert not done.forked | done.missing
        assert branch.last_atcs(VERA) == [2]
        assert branch.last_atcs(OMAR) == [30]
        assert branch.row(OMAR.user_code)["old_code"] is None
        assert await streamed(branch, VERA, OMAR) == lost.lines
        again = await replay(branch.bank, lost.lines)
        assert (again.known, again.taken, again.raised) == (len(lost.lines), 0, 0)
        # Its one code passed within the window before; now it is behind.
        assert await branch.login(OMAR, OMAR.card.code(30)) == Refused()
        await both_sides(branch, 2)


async def test_whom_the_backup_forgot_is_enrolled_again_with_a_card_that_is_unsure(
    vault: Vault, tmp_path: Path
) -> None:
    """What the card signed in with before passes no second time, nor does the old code."""
    heartbeat = Heartbeat(None)
    await asyncio.to_thread(vault.back_up, tmp_path / "backup")
    async with opened(vault, heartbeat) as branch:
        await enrol(branch.bank, new_customer(ADA))
        assert isinstance(await branch.login(ADA, ADA.card.code(1)), Accepted)
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, heartbeat, "restored") as branch:
        await enrol(branch.bank, new_customer(ADA))
        assert await branch.login(ADA, ADA.card.code(1)) == Refused()
        assert await branch.login(ADA, OLD_CODE) == Refused()
        assert isinstance(await answer(branch, ADA, 2), Accepted)
        assert isinstance(await branch.login(ADA, ADA.card.code(4)), Accepted)
        # Once nobody is led to the challenge any more, a card is new when it is enrolled.
        branch.clock.forward(days=30)
        await enrol(branch.bank, new_customer(IDA))
        assert isinstance(await branch.login(IDA, IDA.card.code(1)), Accepted)


async def test_an_old_code_that_may_be_retired_opens_nothing(vault: Vault, tmp_path: Path) -> None:
    """The backup has it still; its owner comes with the card."""
    heartbeat = Heartbeat(None)
    await live(vault, heartbeat, tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, heartbeat, "restored") as branch:
        assert await branch.login(OMAR, OLD_CODE) == Refused()
        assert isinstance(await answer(branch, OMAR, 31), Accepted)


async def test_an_old_code_that_was_judged_before_a_restore_opens_nothing_after_it(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No card says so: the step itself is lost, and judged anew."""
    heartbeat = Heartbeat(None)

    async def late(bank: Bank, access: Access, change: Change, now: datetime) -> Fate:
        if change.event == "login" and change.session is not None:
            await bank.store.write(mark_as_backup)
            await heartbeat.take(bank)  # by another server
        return await settle(bank, access, change, now)

    monkeypatch.setattr("sesame.bank.verification.settle", late)
    assert await branch.login(OMAR, OLD_CODE) == Refused()
    assert branch.rows("SELECT count(*) FROM sessions") == [(0,)]


async def test_a_card_that_ran_ahead_is_found_as_far_as_two_codes_reach(
    vault: Vault, tmp_path: Path
) -> None:
    """The answer sets its ATC exactly, and passes once."""
    await live(vault, Heartbeat(None), tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, Heartbeat(None), "restored") as branch:
        assert isinstance(await answer(branch, VERA, 2000, after=8), Accepted)
        assert branch.last_atcs(VERA) == [2008]
        assert await answer(branch, VERA, 2000, after=8) == Refused()


async def test_a_challenge_of_the_life_before_is_over(vault: Vault, tmp_path: Path) -> None:
    """The same backup restored twice forgets the answer, and voids its challenge."""
    await live(vault, Heartbeat(None), tmp_path / "backup")
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, Heartbeat(None), "restored") as branch:
        challenge = await make_challenge(branch.bank, _FORM)
        answered = ChallengeResponse(
            challenge, TwoCodes(VERA.card.code(5, challenge.inputs), VERA.card.code(6))
        )
        assert isinstance(await branch.login(VERA, answered), Accepted)
    # The same backup once more, while the attacker still has that answer.
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, Heartbeat(None), "restored again") as branch:
        with pytest.raises(ChallengeOver):
            await read_challenge(branch.bank, challenge.token, _FORM)
        with pytest.raises(ChallengeOver):
            await branch.login(VERA, answered)
        assert branch.last_atcs(VERA) == [1]


@pytest.mark.parametrize("beats", [1, 2, 7])
async def test_what_is_restored_while_a_server_runs_is_noticed_by_its_next_beat(
    branch: Branch, tmp_path: Path, beats: int
) -> None:
    """No restart is needed, and one beat that was lost is enough."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    await heartbeat.take(branch.bank)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    # As if the row came from an older copy: on PostgreSQL nobody may lower it.
    seen = msgspec.json.decode((tmp_path / "beat").read_bytes())
    seen["beat"] += beats
    (tmp_path / "beat").write_bytes(msgspec.json.encode(seen))
    await heartbeat.take(branch.bank)
    assert await branch.login(VERA, VERA.card.code(2)) == Refused()
    assert isinstance(await answer(branch, VERA, 3), Accepted)


# ── Challenges ───────────────────────────────────────────────────────────────────────────────────


async def test_a_challenge_is_answered_once(branch: Branch) -> None:
    """Its ATC is used up by it."""
    challenge = await make_challenge(branch.bank, _FORM)
    codes = TwoCodes(VERA.card.code(1, challenge.inputs), VERA.card.code(2))
    assert isinstance(await branch.login(VERA, ChallengeResponse(challenge, codes)), Accepted)
    assert await branch.login(VERA, ChallengeResponse(challenge, codes)) == Refused()


async def test_a_second_click_hears_the_same(branch: Branch) -> None:
    """As with every form."""
    challenge = await make_challenge(branch.bank, _FORM)
    codes = TwoCodes(VERA.card.code(1, challenge.inputs), VERA.card.code(2))
    mine = attempt(VERA.user_code, ChallengeResponse(challenge, codes))
    first = await verify_login(branch.bank, mine)
    assert isinstance(first, Accepted)
    assert await verify_login(branch.bank, mine) == first


async def test_login_codes_answer_no_challenge_and_answers_do_not_log_in(branch: Branch) -> None:
    """Nor does the answer to another challenge; each counts as a failed try."""
    challenge = await make_challenge(branch.bank, _FORM)
    other = await make_challenge(branch.bank, _FORM)
    plain = TwoCodes(VERA.card.code(1), VERA.card.code(2))
    assert await branch.login(VERA, ChallengeResponse(challenge, plain)) == Refused()
    fits = VERA.card.code(1, challenge.inputs)
    assert await branch.login(VERA, fits) == Refused()
    assert await branch.login(VERA, TwoCodes(fits, VERA.card.code(2))) == Refused()
    branch.clock.forward(minutes=16)
    for_another = ChallengeResponse(
        await make_challenge(branch.bank, _FORM), TwoCodes(fits, VERA.card.code(2))
    )
    assert other.digits != challenge.digits
    assert await branch.login(VERA, for_another) == Refused()
    assert branch.row(VERA.user_code)["open_failures"] == 1  # it counts like any other


async def test_the_second_code_follows_the_answer(branch: Branch) -> None:
    """Within eight transactions, and after it."""
    challenge = await make_challenge(branch.bank, _FORM)
    fits = VERA.card.code(5, challenge.inputs)
    for atc in (4, 5, 14):
        codes = TwoCodes(fits, VERA.card.code(atc))
        assert await branch.login(VERA, ChallengeResponse(challenge, codes)) == Refused()


async def test_a_challenge_is_short_lived_and_bound_to_its_form(branch: Branch) -> None:
    """Ten minutes, one form, no other spelling; what is over costs no try."""
    challenge = await make_challenge(branch.bank, _FORM)
    assert await read_challenge(branch.bank, challenge.token, _FORM) == challenge
    wrong = ["", "zz", challenge.token[:-1] + "0", challenge.token[:-1] + "1", challenge.token * 2]
    for token in wrong:
        if token != challenge.token:
            with pytest.raises(ChallengeOver):
                await read_challenge(branch.bank, token, _FORM)
    with pytest.raises(ChallengeOver):
        await read_challenge(branch.bank, challenge.token, b"another form")
    branch.clock.forward(minutes=9, seconds=59)
    assert await read_challenge(branch.bank, challenge.token, _FORM) == challenge
    branch.clock.forward(seconds=1)
    with pytest.raises(ChallengeOver):
        await read_challenge(branch.bank, challenge.token, _FORM)
    codes = TwoCodes(VERA.card.code(1, challenge.inputs), VERA.card.code(2))
    before = branch.row(VERA.user_code)
    with pytest.raises(ChallengeOver):
        await branch.login(VERA, ChallengeResponse(challenge, codes))
    assert branch.row(VERA.user_code) == before  # nothing was counted
    branch.clock.forward(minutes=-30)
    with pytest.raises(ChallengeOver):
        await read_challenge(branch.bank, challenge.token, _FORM)


async def test_a_challenge_has_eight_digits_and_says_nothing_in_a_trace(branch: Branch) -> None:
    """The digits are drawn anew each time."""
    challenges = [await make_challenge(branch.bank, _FORM) for _ in range(50)]
    assert len({challenge.digits for challenge in challenges}) == 50
    for challenge in challenges:
        assert len(challenge.digits) == 8
        assert challenge.digits[0] != "0"
        assert challenge.digits not in repr(challenge)
    assert "0" not in repr(ChallengeResponse(challenges[0], TwoCodes(*[VERA.card.code(1)] * 2)))


async def test_one_card_of_two_becomes_sure_by_its_own_answer(branch: Branch) -> None:
    """The other one stays unsure."""
    branch.place.write(mark_as_backup)
    second = DORA.cards[1]
    challenge = await make_challenge(branch.bank, _FORM)
    codes = TwoCodes(second.code(1, challenge.inputs), second.code(2))
    assert isinstance(await branch.login(DORA, ChallengeResponse(challenge, codes)), Accepted)
    assert isinstance(await branch.login(DORA, second.code(3)), Accepted)
    assert await branch.login(DORA, DORA.cards[0].code(1)) == Refused()
    assert branch.last_atcs(DORA) == [0, 3]


async def test_a_restore_that_broke_off_leaves_every_card_unsure(branch: Branch) -> None:
    """Without its row the database lets in who answers a challenge, and nobody else."""
    branch.change("DELETE FROM incarnation")
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    assert isinstance(await answer(branch, VERA, 2), Accepted)
    assert isinstance(await branch.login(VERA, VERA.card.code(4)), Accepted)
    assert await branch.login(OMAR, OMAR.card.code(1)) == Refused()


# ── Heartbeats ───────────────────────────────────────────────────────────────────────────────────


async def test_beats_go_on_over_restarts_and_servers_and_raise_no_alarm(
    branch: Branch, tmp_path: Path
) -> None:
    """One file of a machine by several processes, and one of another machine."""
    mine, same = Heartbeat(tmp_path / "beat"), Heartbeat(tmp_path / "beat")
    await asyncio.gather(*[one.take(branch.bank) for one in (mine, same) * 3])
    shutil.copy(tmp_path / "beat", tmp_path / "elsewhere")  # as a further server gets its own
    other = Heartbeat(tmp_path / "elsewhere")
    for one in (mine, other, mine, mine, other):
        await one.take(branch.bank)
    assert branch.rows("SELECT generation, restored_at FROM incarnation") == [(0, None)]
    assert branch.rows("SELECT beat FROM beats ORDER BY beat") == [(2,), (3,), (6,)]


@pytest.mark.parametrize("gone", [True, False], ids=["lost", "of another bank"])
async def test_a_file_that_cannot_vouch_counts_as_a_restore(
    branch: Branch,
    tmp_path: Path,
    gone: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """To be asked once too often does less harm than a code that passes twice."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    if gone:
        (tmp_path / "beat").unlink()
    else:
        (tmp_path / "beat").write_bytes(msgspec.json.encode(_ANOTHERS))
    await heartbeat.take(branch.bank)
    await heartbeat.take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(1,)]
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()


async def test_two_servers_that_notice_one_restore_begin_one_life_and_not_many(
    branch: Branch, tmp_path: Path
) -> None:
    """They do not chase each other."""
    mine, other = Heartbeat(tmp_path / "beat"), Heartbeat(tmp_path / "other")
    await mine.take(branch.bank)
    shutil.copy(tmp_path / "beat", tmp_path / "other")
    await other.take(branch.bank)
    branch.place.write(mark_as_backup)
    for _ in range(3):
        await mine.take(branch.bank)
        await other.take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(2,)]


async def test_a_file_that_cannot_be_used_says_what_to_do(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the database is left alone."""
    short = base64.b64encode(b"a short name").decode()
    for garbage in (
        "no beat",
        f'{{"server":"{short}","beat":1,"at":1}}',
        "",
        '{"server":"AAAAAAAAAAAAAAAAAAAAAA==","beat":9223372036854775807,"at":1}',
        '{"mark":"AAAAAAAAAAAAAAAAAAAAAA==","beat":1}',
    ):
        (tmp_path / "beat").write_text(garbage)
        with pytest.raises(HeartbeatUnusable, match="the database then counts as restored"):
            await Heartbeat(tmp_path / "beat").take(branch.bank)
    with pytest.raises(HeartbeatUnusable, match="No such file"):
        await Heartbeat(tmp_path / "no folder" / "beat").take(branch.bank)
    # Nor is anything begun that the file could not be told of.
    monkeypatch.setattr("sesame.bank.heartbeat.os.fsync", _no_room)
    (tmp_path / "beat").write_bytes(msgspec.json.encode(_ANOTHERS))
    with pytest.raises(HeartbeatUnusable, match="No space left"):
        await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(0,)]
    assert not branch.rows("SELECT beat FROM beats")


async def test_a_lock_that_another_process_never_lets_go_of_is_not_waited_for_without_end(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been stopped; the next beat tries again."""
    monkeypatch.setattr("sesame.bank.heartbeat._PATIENCE", 0.05)
    heartbeat = Heartbeat(tmp_path / "beat")
    with (tmp_path / "beat.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HeartbeatHeld, match=r"for 0\.05 s"):
            async with asyncio.timeout(60):
                await heartbeat.take(branch.bank)
    await heartbeat.take(branch.bank)
    assert branch.rows("SELECT beat FROM beats") == [(1,)]


async def test_what_root_writes_stays_the_servers(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's owner, or its folder's; nothing is written through a link into somebody's file."""
    given: list[tuple[str, int, int]] = []

    def fchown(file: int, user: int, group: int) -> None:
        given.append((Path(f"/proc/self/fd/{file}").readlink().name, user, group))

    monkeypatch.setattr("sesame.bank.heartbeat.os.geteuid", lambda: 0)
    monkeypatch.setattr("sesame.bank.heartbeat.os.fchown", fchown)
    mine = (os.getuid(), os.getgid())
    (tmp_path / "letter").write_text("somebody's")
    (tmp_path / "beat.new").symlink_to(tmp_path / "letter")
    for _ in range(2):
        await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert given == [("beat.lock", *mine), *[("beat.new", *mine)] * 4]
    (tmp_path / "beat.lock").unlink()
    (tmp_path / "beat.lock").symlink_to(tmp_path / "letter")
    with pytest.raises(HeartbeatUnusable, match="symbolic links"):
        await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert (tmp_path / "letter").read_text() == "somebody's"


async def test_who_is_cancelled_keeps_the_lock_until_the_file_is_written(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be cancelled: it would write into the next one's file."""
    writes, go_on = threading.Event(), threading.Event()

    def slowly(file: int) -> None:
        writes.set()
        assert go_on.wait(60)
        os.fdatasync(file)

    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    with monkeypatch.context() as patched, (tmp_path / "beat.lock").open() as lock:
        patched.setattr("sesame.bank.heartbeat.os.fsync", slowly)
        taking = asyncio.ensure_future(heartbeat.take(branch.bank))
        assert await asyncio.to_thread(writes.wait, 60)
        for _ in range(2):
            taking.cancel()
            await asyncio.sleep(0.01)
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await taking
    await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(0,)]


def _no_room(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_is_known_as_restored_and_cannot_be_written_down_takes_no_code(
    branch: Branch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Said once, until a life has begun; not ready meanwhile."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    _lose_beats(tmp_path / "beat")
    with monkeypatch.context() as patched:
        patched.setattr("sesame.bank.restored.begin_incarnation", _held)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="held"):
                await heartbeat.take(branch.bank)
            await _nobody_comes_in(branch)
        assert _events(caplog) == ["in-doubt"]
    await heartbeat.take(branch.bank)
    assert _events(caplog) == ["in-doubt", "restored"]
    assert (await Readiness(branch.bank).look())["database"] == "ok"
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    assert isinstance(await answer(branch, VERA, 3), Accepted)


@pytest.mark.parametrize(
    "vault", [pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))], indirect=True
)
async def test_a_transaction_that_was_left_open_keeps_a_life_from_beginning_and_lets_nobody_in(
    vault: Vault, tmp_path: Path
) -> None:
    """The lock is waited for no longer than any; once it is free the next beat begins one."""
    heartbeat = Heartbeat(tmp_path / "beat")
    async with opened(vault, heartbeat) as branch:
        _lose_beats(tmp_path / "beat")
        left_open = await asyncpg.connect(url_of(vault.where).replace("+asyncpg", ""))
        try:
            await left_open.execute("BEGIN")
            await left_open.execute("LOCK TABLE access IN ROW EXCLUSIVE MODE")
            store = open_store(url_of(vault.where))
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                await heartbeat.take(replace(branch.bank, store=store))
            await store.close()
            await _nobody_comes_in(branch)
        finally:
            await left_open.close()
        await heartbeat.take(branch.bank)
        assert branch.rows("SELECT generation FROM incarnation") == [(1,)]
        assert isinstance(await answer(branch, VERA, 3), Accepted)


async def test_a_doubt_ends_with_a_look_that_finds_all_well(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the database that knows it all is put back again."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    good = (tmp_path / "beat").read_bytes()
    _lose_beats(tmp_path / "beat")
    with monkeypatch.context() as patched:
        patched.setattr("sesame.bank.restored.begin_incarnation", _held)
        with pytest.raises(StoreUnavailable):
            await heartbeat.take(branch.bank)
    await _nobody_comes_in(branch)
    (tmp_path / "beat").write_bytes(good)
    await heartbeat.take(branch.bank)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)


async def test_a_database_of_before_there_were_beats_takes_no_code(
    vault: Vault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An older copy may be of an older program too."""
    heartbeat = Heartbeat(tmp_path / "beat")
    async with opened(vault, heartbeat) as branch:
        branch.change("ALTER TABLE beats RENAME TO elsewhere")
        for _ in range(2):
            with pytest.raises((StoreUnavailable, StatementFailed)):
                await heartbeat.take(branch.bank)
        await _nobody_comes_in(branch)
        assert _events(caplog) == ["in-doubt"]
        branch.change("ALTER TABLE elsewhere RENAME TO beats")
        await heartbeat.take(branch.bank)
        assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)


async def test_an_attempt_that_is_on_its_way_when_a_doubt_arises_is_not_taken(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read from the older state, and would be written into it."""
    match = branch.bank.custodian.match

    async def late(*asked: object) -> object:
        branch.bank.recovery.in_doubt = True
        return await match(*asked)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(branch.bank.custodian, "match", late)
    with pytest.raises(StoreUnavailable, match="restored"):
        await branch.login(VERA, VERA.card.code(1))
    assert branch.last_atcs(VERA) == [0]


async def _nobody_comes_in(branch: Branch) -> None:
    with pytest.raises(StoreUnavailable, match="restored"):
        await branch.login(VERA, VERA.card.code(1))
    assert branch.last_atcs(VERA) == [0]
    assert (await Readiness(branch.bank).look())["database"] == "StoreUnavailable"


def _lose_answers(branch: Branch, patched: pytest.MonkeyPatch, *, taken: bool) -> None:
    async def write(change: Callable[[Connection], object]) -> object:
        if taken:
            branch.place.write(change)
        raise StoreUnavailable("the answer was lost")

    patched.setattr(branch.bank.store, "write", write)


def _lose_beats(file: Path) -> None:
    """As if the database came from an older copy: on PostgreSQL nobody may lower a beat."""
    seen = msgspec.json.decode(file.read_bytes())
    seen["beat"] += 1
    file.write_bytes(msgspec.json.encode(seen))


def _held(*_: object, **__: object) -> None:
    raise StoreUnavailable("somebody held its rows")


def _events(caplog: pytest.LogCaptureFixture) -> list[str]:
    events = [getattr(record, "sesame_event", "") for record in caplog.records]
    return [event for event in events if event in {"in-doubt", "restored"}]


async def test_a_first_beat_whose_answer_is_lost_bothers_nobody(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was there before, and names the life; so too where a second one is lost."""
    with monkeypatch.context() as patched:
        _lose_answers(branch, patched, taken=True)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT beat FROM beats") == [(1,), (1,)]
    await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(0,)]


async def test_a_file_that_was_lost_counts_as_a_restore_whatever_is_lost_with_it(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is written before a life begins does not vouch for the life before."""
    await Heartbeat(tmp_path / "lost").take(branch.bank)
    with monkeypatch.context() as patched:
        patched.setattr("sesame.bank.restored.begin_incarnation", _held)
        with pytest.raises(StoreUnavailable):
            await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert (tmp_path / "beat").exists()
    branch.clock.forward(days=1)
    await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(1,)]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("lost", [True, False], ids=["no file", "ahead"])
async def test_a_disk_that_takes_no_file_begins_no_life(
    branch: Branch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    lost: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Else each start would begin another one, of which no file tells; nor is a code taken."""
    await Heartbeat(tmp_path / "beat").take(branch.bank)
    if lost:
        (tmp_path / "beat").unlink()
    else:
        _lose_beats(tmp_path / "beat")
    with monkeypatch.context() as patched:
        if broken == "fsync":
            patched.setattr("sesame.bank.heartbeat.os.fsync", _no_room)
        else:
            patched.setattr(Path, "replace", lambda *_: _no_room(0))
        for _ in range(2):
            with pytest.raises(HeartbeatUnusable, match="No space left"):
                await Heartbeat(tmp_path / "beat").take(branch.bank)
        await _nobody_comes_in(branch)
    assert branch.rows("SELECT generation FROM incarnation") == [(0,)]
    for _ in range(2):
        await Heartbeat(tmp_path / "beat").take(branch.bank)
    assert branch.rows("SELECT generation FROM incarnation") == [(1,)]


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "by a state that is no more"])
async def test_an_answer_that_was_lost_has_the_process_count_anew(
    branch: Branch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Nobody knows whether that beat was taken, and none is tried twice."""
    heartbeat = Heartbeat(tmp_path / "beat")
    await heartbeat.take(branch.bank)
    with monkeypatch.context() as patched:
        _lose_answers(branch, patched, taken=taken)
        with pytest.raises(StoreUnavailable):
            await heartbeat.take(branch.bank)
    for _ in range(2):
        await heartbeat.take(branch.bank)
    assert branch.rows("SELECT beat FROM beats ORDER BY beat") == [(1 + taken,), (2,)]
    assert branch.rows("SELECT generation FROM incarnation") == [(0,)]


_NAMES = st.sampled_from([b"a" * 16, b"b" * 16])
_MOMENTS = st.integers(0, 2_000_000_000)
_FOUND = st.builds(Incarnation, st.just(0), _NAMES, st.none() | _MOMENTS)
_KNOWN = st.builds(Known, st.none() | st.integers(0, 9), beaten=st.booleans())
_SEEN = st.builds(Seen, _NAMES, st.integers(0, 9), at=_MOMENTS)


@given(_FOUND, _KNOWN, _SEEN)
def test_a_servers_own_beats_tell_whatever_others_did(
    found: Incarnation, known: Known, seen: Seen
) -> None:
    """Unless it is a file of before the first one, or another server has noticed long after."""
    there = known.beat is not None and known.beat >= seen.beat
    first = seen.beat == 0 and seen.server == found.mark
    noticed = found.restored_at is not None and found.restored_at - seen.at >= 600_000_000
    assert is_older(found, known, seen) is not (there or first or noticed)


def test_a_life_that_began_long_after_the_file_is_anothers_to_have_noticed() -> None:
    """Ten minutes, as far as clocks may be apart."""
    begun = Incarnation(1, b"m" * 16, 1_000_000_000)
    unknown = Known(None, beaten=True)
    seen = Seen(b"a" * 16, 3, at=400_000_000)
    assert not is_older(begun, unknown, seen)
    assert is_older(begun, unknown, msgspec.structs.replace(seen, at=400_000_001))
    assert is_older(msgspec.structs.replace(begun, restored_at=None), unknown, seen)


def test_what_is_asked_of_everybody() -> None:
    """By the history of the bank alone, for thirty days first and then under refusals."""
    limits = open_bank(Path("nowhere")).limits
    never = Incarnation(0, b"m" * 16, None)
    at = int(NINE.timestamp()) * 1_000_000
    once = Incarnation(1, b"m" * 16, at)
    assert asked(never, limits, NINE) is Asked.NEVER
    assert asked(once, limits, NINE) is Asked.FIRST
    assert asked(once, limits, NINE + limits.challenge_first) is Asked.OFFERED
    assert asked(None, limits, NINE) is Asked.FIRST
    assert asked(msgspec.structs.replace(never, mark=b""), limits, NINE) is Asked.FIRST
    assert is_marked(None)
    assert not is_marked(never)


async def test_the_row_as_read(branch: Branch) -> None:
    """A new database was never restored."""
    found = await branch.bank.store.read(read_incarnation)
    assert found is not None
    assert (found.generation, len(found.mark), found.restored_at) == (0, 16, None)
