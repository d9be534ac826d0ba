"""`sesame.bank.sessions`."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from sesame.bank.devices import known_devices
from sesame.bank.errors import TooBusy
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import (
    Means,
    Session,
    end_all_sessions,
    end_other_sessions,
    end_session,
    end_session_of,
    make_token,
    open_sessions,
    read_session,
    token_hash,
)
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused
from sesame.store.buckets import bucket_of
from sesame.store.errors import StoreUnavailable
from sesame.store.steps import Fate
from tests.bank.branch import (
    ADDRESS,
    NINE,
    OLD_CODE,
    OMAR,
    SEED,
    VERA,
    Branch,
    Person,
    open_bank,
)
from tests.bank.stranger import chain_is_whole
from tests.bank.test_verification import Interrupted
from tests.places import Where

_MINUTE = timedelta(minutes=1)


async def sign_in(branch: Branch, person: Person, atc: int = 1, seed: bytes = SEED) -> str:
    """Sign *person* in; the token."""
    outcome = await branch.login(person, person.card.code(atc), session_seed=seed)
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    return outcome.session_token


async def test_a_session_says_who_is_signed_in(branch: Branch) -> None:
    """Name, since when, until when, and the login before this one."""
    token = await sign_in(branch, VERA)
    first = await read_session(branch.bank, token)
    assert first == Session(
        user_code=VERA.user_code,
        name="Véra Tissot",
        id=token_hash(token),
        means=Means.CODE,
        erased_old_code=True,
        opened_at=NINE,
        last_login=None,
        idle_until=NINE + 5 * _MINUTE,
        ends_at=NINE + timedelta(hours=8),
        replayed_at=None,
    )
    branch.clock.forward(days=2)
    second = await read_session(branch.bank, await sign_in(branch, VERA, 2))
    assert second is not None
    assert (second.last_login, second.opened_at) == (NINE, NINE + timedelta(days=2))


async def test_the_shape_of_a_token(branch: Branch) -> None:
    """Two digits of its bucket, then 32 bytes in base64url: what a cookie may hold."""
    for person in (VERA, OMAR):
        token = await sign_in(branch, person)
        assert len(token) == 45
        assert int(token[:2]) == bucket_of(person.user_code)
        assert len(base64.urlsafe_b64decode(token[2:] + "=")) == 32


async def test_a_token_depends_on_everything_it_is_made_of(branch: Branch) -> None:
    """User code, step and seed: change one, and it is another token."""

    async def made(
        user_code: UserCode = VERA.user_code, version: int = 2, seed: bytes = SEED
    ) -> str:
        return await make_token(branch.bank, user_code, version, seed)

    tokens = {
        await made(),
        await made(OMAR.user_code),
        await made(version=3),
        await made(seed=SEED[::-1]),
    }
    assert len(tokens) == 4
    assert await made() in tokens
    # No two inputs run into each other: a version's digits are not the seed's.
    assert await made(version=2, seed=b"1|" + SEED) != await made(version=21, seed=SEED)


async def test_the_store_never_has_the_token(branch: Branch) -> None:
    """Whoever reads the table cannot sign in with it."""
    token = await sign_in(branch, VERA)
    ((kept,),) = branch.rows("SELECT token_hash FROM sessions")
    assert kept == token_hash(token)
    assert isinstance(kept, bytes)
    for forged in (
        f"{token[:2]}{base64.urlsafe_b64encode(kept).decode().rstrip('=')}",
        kept.hex(),
        "",
    ):
        assert await read_session(branch.bank, forged) is None
    if branch.place.kind == "sqlite":
        content = b"".join(file.read_bytes() for file in branch.path.parent.iterdir())
        assert token[2:].encode() not in content
        assert base64.urlsafe_b64decode(token[2:] + "=") not in content


async def test_tokens_that_are_none_of_ours(branch: Branch) -> None:
    """Cut, lengthened, in another bucket, or one character off: nobody."""
    token = await sign_in(branch, VERA)
    other_bucket = f"{(int(token[:2]) + 1) % 64:02d}{token[2:]}"
    other_end = token[:-2] + ("AA" if token[-2:] != "AA" else "BA")
    for forged in (
        token[:-1],
        token + "A",
        token + "\n",
        other_bucket,
        other_end,
        "99" + token[2:],
    ):
        assert await read_session(branch.bank, forged) is None
        await end_session(branch.bank, forged)
    assert await read_session(branch.bank, token) is not None


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "00",
        "é" * 45,
        "\N{ARABIC-INDIC DIGIT ZERO}" * 2 + "A" * 43,
        "0A" + "A" * 43,
        "70" + "A" * 43,
        "00" + "A" * 42 + "=",
        "00" + "A" * 43 + "\n",
        "00" + "A" * 4_000,
        "\ud800" * 45,
    ],
)
async def test_what_has_no_tokens_shape_does_not_reach_the_database(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """Whatever a cookie holds: nobody is signed in, and no error is raised."""

    async def asked(_: object) -> None:
        pytest.fail("the database was asked")

    monkeypatch.setattr(branch.bank.store, "read", asked)
    monkeypatch.setattr(branch.bank.store, "write", asked)
    assert await read_session(branch.bank, typed) is None
    await end_session(branch.bank, typed)


async def test_a_crowd_with_made_up_tokens_shares_commits(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask, one connection that writes is theirs at a time; each hears the truth."""
    token = await sign_in(branch, VERA)
    write, at_once = branch.bank.store.write, [0]

    async def counted(change: Callable[[Connection], object]) -> object:
        at_once.append(at_once[-1] + 1)
        answer = await write(change)
        at_once.append(at_once[-1] - 1)
        return answer

    monkeypatch.setattr(branch.bank.store, "write", counted)
    forged = [f"{n % 64:02d}{'A' * 40}{n:03d}" for n in range(200)]
    found = await asyncio.gather(*(read_session(branch.bank, one) for one in (*forged, token)))
    assert [session is not None for session in found] == [False] * 200 + [True]
    assert max(at_once) == 1
    at_once[:] = [0]
    await asyncio.gather(*(branch.bank.store.seen_lasts() for _ in range(200)))
    assert len(at_once) // 2 <= 2  # commits


# ── How long it holds ────────────────────────────────────────────────────────────────────────────


async def test_five_minutes_without_activity_end_it(branch: Branch) -> None:
    """To the microsecond; the row is gone then, so that no later clock brings it back."""
    token = await sign_in(branch, VERA)
    branch.clock.at = NINE + 5 * _MINUTE
    assert await read_session(branch.bank, token) is None
    assert branch.rows("SELECT * FROM sessions") == []
    branch.clock.at = NINE
    assert await read_session(branch.bank, token) is None


async def test_activity_keeps_it_open(branch: Branch) -> None:
    """A page every four minutes and fifty-nine seconds."""
    token = await sign_in(branch, VERA)
    for _ in range(10):
        branch.clock.forward(minutes=4, seconds=59)
        session = await read_session(branch.bank, token)
        assert session is not None
        assert session.idle_until == branch.clock.at + 5 * _MINUTE
    branch.clock.forward(minutes=5)
    assert await read_session(branch.bank, token) is None


async def test_a_page_every_few_seconds_is_not_written_each_time(branch: Branch) -> None:
    """It costs the customer seconds of idle time at most, and never gives any."""
    token = await sign_in(branch, VERA)
    for seconds, seen_after in ((15, 0), (16, 16), (30, 16), (32, 32)):
        branch.clock.at = NINE + timedelta(seconds=seconds)
        session = await read_session(branch.bank, token)
        assert session is not None
        assert session.idle_until == NINE + timedelta(seconds=seen_after, minutes=5)
    branch.clock.at = NINE + timedelta(seconds=32, minutes=5)
    assert await read_session(branch.bank, token) is None


async def test_a_page_that_cannot_be_noted_is_shown_all_the_same(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that takes no writes costs idle time, not the page."""
    token = await sign_in(branch, VERA)

    async def full(_: object) -> None:
        raise StoreUnavailable("the disk is full")

    branch.clock.forward(minutes=4)
    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "write", full)
        session = await read_session(branch.bank, token)
    assert session is not None
    assert session.idle_until == NINE + 5 * _MINUTE


async def test_eight_hours_end_it_whatever_happens(branch: Branch) -> None:
    """The absolute limit does not move, and the idle time does not reach beyond it."""
    token = await sign_in(branch, VERA)
    end = NINE + timedelta(hours=8)
    while branch.clock.at < end - 4 * _MINUTE:
        branch.clock.forward(minutes=4)
        session = await read_session(branch.bank, token)
        assert session is not None
        assert session.ends_at == end
        assert session.idle_until <= end
    branch.clock.at = end
    assert await read_session(branch.bank, token) is None


# ── How it ends ──────────────────────────────────────────────────────────────────────────────────


async def test_signing_out_ends_one_session(branch: Branch) -> None:
    """For every request that begins after it; other sessions stay."""
    token = await sign_in(branch, VERA)
    other = await sign_in(branch, VERA, 2, seed=SEED[::-1])
    for _ in range(2):
        await end_session(branch.bank, token)
        assert await read_session(branch.bank, token) is None
    assert await read_session(branch.bank, other) is not None


async def test_the_same_form_after_signing_out_opens_nothing(branch: Branch) -> None:
    """« Back » on a shared computer repeats the answer, not the session."""
    id_ = bytes(range(16))
    first = await branch.login(VERA, VERA.card.code(1), id=id_)
    assert isinstance(first, Accepted)
    assert first.session_token is not None
    await end_session(branch.bank, first.session_token)
    again = await branch.login(VERA, VERA.card.code(1), id=id_)
    assert isinstance(again, Accepted)
    assert again.session_token == first.session_token
    assert await read_session(branch.bank, first.session_token) is None


async def test_a_token_never_comes_again(branch: Branch) -> None:
    """The same form with the next code, after signing out: the old token stays dead."""
    old = await sign_in(branch, VERA)
    await end_session(branch.bank, old)
    new = await sign_in(branch, VERA, 2)
    assert new != old
    assert await read_session(branch.bank, old) is None


async def test_a_raised_epoch_ends_all_sessions(branch: Branch) -> None:
    """All of one customer, none of the others; a new login opens one again."""
    tokens = [await sign_in(branch, VERA), await sign_in(branch, VERA, 2)]
    omars = await sign_in(branch, OMAR)
    branch.change(
        "UPDATE access SET session_epoch = session_epoch + 1 WHERE user_code = ?", VERA.user_code
    )
    for token in tokens:
        assert await read_session(branch.bank, token) is None
    assert await read_session(branch.bank, omars) is not None
    assert await read_session(branch.bank, await sign_in(branch, VERA, 3)) is not None


@pytest.mark.parametrize("suspended", [True, False])
async def test_failures_of_strangers_end_no_session(branch: Branch, *, suspended: bool) -> None:
    """Whoever is signed in stays so while somebody else guesses."""
    token = await sign_in(branch, VERA)
    await branch.fail(VERA.user_code, 5 if suspended else 2)
    assert await read_session(branch.bank, token) is not None


# ── Several of them ──────────────────────────────────────────────────────────────────────────────


async def test_a_customer_sees_their_open_sessions(branch: Branch) -> None:
    """Newest first, with the means, and nobody else's; a session that ended is not among them."""
    old = await branch.login(VERA, OLD_CODE)
    assert isinstance(old, Accepted)
    branch.clock.forward(minutes=1)
    await sign_in(branch, VERA, 1)  # which ends the one before
    branch.clock.forward(minutes=1)
    codes = TwoCodes(VERA.card.code(2), VERA.card.code(3))
    new = await branch.login(VERA, codes, session_seed=SEED[::-1])
    assert isinstance(new, Accepted)
    await sign_in(branch, OMAR)
    assert [
        (one.means, one.opened_at, one.seen_at)
        for one in await open_sessions(branch.bank, VERA.user_code)
    ] == [
        (Means.TWO_CODES, NINE + 2 * _MINUTE, NINE + 2 * _MINUTE),
        (Means.CODE, NINE + _MINUTE, NINE + _MINUTE),
    ]
    assert new.session_token is not None
    (first, _) = await open_sessions(branch.bank, VERA.user_code)
    assert first.id == token_hash(new.session_token)


async def test_with_the_old_code_go_its_sessions_and_its_devices(branch: Branch) -> None:
    """Whoever else had it is out with the owner's first code Sésame, and known no more."""
    thief = await branch.login(VERA, OLD_CODE, device_seed=b"T" * 32)
    mine = await branch.login(VERA, OLD_CODE, device_seed=b"M" * 32, session_seed=SEED[::-1])
    assert isinstance(thief, Accepted)
    assert isinstance(mine, Accepted)
    assert thief.device is not None
    assert mine.device is not None
    home = Origin(Door.PORTAL, ADDRESS, (mine.device,))
    first = await branch.login(VERA, VERA.card.code(1), origin=home, device_seed=b"N" * 32)
    assert isinstance(first, Accepted)
    assert first.device not in {None, mine.device}  # known anew
    for token in (thief.session_token, mine.session_token):
        assert await read_session(branch.bank, token or "") is None
    session = await read_session(branch.bank, first.session_token or "")
    assert session is not None
    assert session.erased_old_code
    assert await known_devices(branch.bank, VERA.user_code) == 1
    elsewhere = Origin(Door.PORTAL, ADDRESS, (thief.device,))
    for guess in range(1, 4):
        wrong = VERA.card.wrong_code(2, guess)
        assert await branch.login(VERA, wrong, origin=elsewhere) == Refused()
    again = Origin(Door.PORTAL, ADDRESS, (first.device or b"",))
    assert isinstance(await branch.login(VERA, VERA.card.code(2), origin=again), Accepted)
    # The second code ends nothing more.
    assert await read_session(branch.bank, first.session_token or "") is not None


async def test_the_list_knows_when_a_session_was_seen_and_that_it_ended(branch: Branch) -> None:
    """What is idle too long is open no more, whether or not somebody asked for it since."""
    token = await sign_in(branch, VERA)
    branch.clock.forward(minutes=4)
    await read_session(branch.bank, token)
    (one,) = await open_sessions(branch.bank, VERA.user_code)
    assert (one.opened_at, one.seen_at) == (NINE, NINE + 4 * _MINUTE)
    branch.clock.forward(minutes=5)
    assert await open_sessions(branch.bank, VERA.user_code) == []


async def test_looking_how_long_is_left_is_no_activity(branch: Branch) -> None:
    """The idle time runs on, however often somebody looks."""
    token = await sign_in(branch, VERA)
    for _ in range(4):
        branch.clock.forward(minutes=1)
        session = await read_session(branch.bank, token, touch=False)
        assert session is not None
        assert session.idle_until == NINE + 5 * _MINUTE
    branch.clock.forward(minutes=1)
    assert await read_session(branch.bank, token, touch=False) is None


async def test_one_session_is_ended_from_another(branch: Branch) -> None:
    """For every request that begins after it; the others stay."""
    tokens = [await sign_in(branch, VERA, atc) for atc in (1, 2, 3)]
    for _ in range(2):
        await end_session_of(branch.bank, VERA.user_code, token_hash(tokens[1]))
        open_ = [await read_session(branch.bank, token) is not None for token in tokens]
        assert open_ == [True, False, True]


async def test_somebody_elses_session_is_not_ended(branch: Branch) -> None:
    """Whoever knows its id, of the same bucket or another: it is theirs, and it stays."""
    await sign_in(branch, VERA)
    token = await sign_in(branch, OMAR)
    await end_session_of(branch.bank, VERA.user_code, token_hash(token))
    assert await read_session(branch.bank, token) is not None
    branch.change("UPDATE customers SET bucket = ?", bucket_of(VERA.user_code))
    branch.change("UPDATE access SET bucket = ?", bucket_of(VERA.user_code))
    branch.change("UPDATE sessions SET bucket = ?", bucket_of(VERA.user_code))
    await end_session_of(branch.bank, VERA.user_code, token_hash(token))
    assert len(branch.rows("SELECT * FROM sessions WHERE user_code = ?", OMAR.user_code)) == 1


async def test_all_other_sessions_are_ended(branch: Branch) -> None:
    """This one stays, and so do other customers'."""
    tokens = [await sign_in(branch, VERA, atc) for atc in (1, 2, 3)]
    omars = await sign_in(branch, OMAR)
    here = await read_session(branch.bank, tokens[1])
    assert here is not None
    await end_other_sessions(branch.bank, here)
    open_ = [await read_session(branch.bank, token) is not None for token in tokens]
    assert open_ == [False, True, False]
    assert await read_session(branch.bank, omars) is not None
    assert [one.id for one in await open_sessions(branch.bank, VERA.user_code)] == [here.id]


async def test_all_sessions_are_ended_at_once(branch: Branch, where: Where) -> None:
    """Also in another process, for every request that begins after it; a login opens one again."""
    elsewhere = open_bank(where, name="elsewhere")
    tokens = [await sign_in(branch, VERA), await sign_in(branch, VERA, 2)]
    omars = await sign_in(branch, OMAR)
    await end_all_sessions(elsewhere, VERA.user_code, ADDRESS)
    for token in tokens:
        assert await read_session(branch.bank, token) is None
        assert await read_session(elsewhere, token) is None
    assert await open_sessions(branch.bank, VERA.user_code) == []
    assert await read_session(branch.bank, omars) is not None
    assert await read_session(branch.bank, await sign_in(branch, VERA, 3)) is not None
    await elsewhere.store.close()


async def test_ending_all_sessions_is_a_step_with_a_line(branch: Branch) -> None:
    """In the chain, with the address and no fact of its own; nothing else of the row moves."""
    await sign_in(branch, VERA)
    before = branch.row(VERA.user_code)
    branch.clock.forward(minutes=1)
    await end_all_sessions(branch.bank, VERA.user_code, ADDRESS)
    after = branch.row(VERA.user_code)
    assert {name for name in after if after[name] != before[name]} == {
        "version",
        "head",
        "session_epoch",
        "stepped_at",
    }
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    said = json.loads(lines[-1][1])
    assert set(said) == {"v", "event", "version", "prev", "at", "attempt", "subject", "address"}
    assert (said["event"], said["attempt"]) == ("sessions-ended", "00" * 16)


async def test_a_login_in_flight_while_all_sessions_end(branch: Branch, where: Where) -> None:
    """It read the row before: it plans anew, and its session opens after the end, whole."""
    elsewhere = open_bank(where, name="elsewhere")
    before = await sign_in(branch, VERA)

    async def meanwhile() -> None:
        await end_all_sessions(elsewhere, VERA.user_code, ADDRESS)

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    after = await sign_in(branch, VERA, 2)
    assert await read_session(branch.bank, before) is None
    assert await read_session(branch.bank, after) is not None
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    assert [json.loads(line)["event"] for _, line, _ in lines[2:]] == ["sessions-ended", "login"]
    await elsewhere.store.close()


async def test_a_form_sent_again_after_all_sessions_ended_opens_nothing(branch: Branch) -> None:
    """It is the attempt of before, and its session ended with the others."""
    form = bytes(range(16))
    first = await branch.login(VERA, VERA.card.code(1), id=form)
    assert isinstance(first, Accepted)
    await end_all_sessions(branch.bank, VERA.user_code, ADDRESS)
    again = await branch.login(VERA, VERA.card.code(1), id=form)
    assert isinstance(again, Accepted)
    assert again.session_token == first.session_token
    assert again.session_token is not None
    assert await read_session(branch.bank, again.session_token) is None


async def test_the_end_is_not_acknowledged_while_others_are_faster(branch: Branch) -> None:
    """Then nothing has ended, and whoever asked is told so."""
    token = await sign_in(branch, VERA)

    async def lose(_step: object) -> Fate:
        return Fate.LOST

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(branch.bank.store, "swap_access", lose)
        with pytest.raises(TooBusy):
            await end_all_sessions(branch.bank, VERA.user_code, ADDRESS)
    assert await read_session(branch.bank, token) is not None


async def test_strangers_who_guess_do_not_delay_the_end(branch: Branch) -> None:
    """Whoever is signed in goes before those who wait, however many they are."""
    token = await sign_in(branch, VERA)
    reached, gate = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await gate.wait()

    branch.bank = replace(branch.bank, custodian=Interrupted(hold))
    guesses = [
        asyncio.create_task(branch.login(VERA, VERA.card.wrong_code(2, guess)))
        for guess in range(1, 7)
    ]
    await reached.wait()
    end = asyncio.create_task(end_all_sessions(branch.bank, VERA.user_code, ADDRESS))
    await asyncio.sleep(0)
    gate.set()
    await end
    await asyncio.gather(*guesses)
    assert await read_session(branch.bank, token) is None
    lines, _ = await branch.chain(VERA)
    events = [json.loads(line)["event"] for _, line, _ in lines]
    assert events[:4] == ["enrolment", "login", "login", "sessions-ended"]


# ── A used code, presented while a session is open ───────────────────────────────────────────────


async def test_an_open_session_hears_of_a_replay(branch: Branch) -> None:
    """With the moment; a session that opens afterwards does not hear of it any more."""
    token = await sign_in(branch, VERA)
    branch.clock.forward(minutes=1)
    await branch.login(VERA, VERA.card.code(1))
    session = await read_session(branch.bank, token)
    assert session is not None
    assert session.replayed_at == NINE + _MINUTE
    branch.clock.forward(minutes=1)
    after = await read_session(branch.bank, await sign_in(branch, VERA, 2))
    assert after is not None
    assert after.replayed_at is None


async def test_a_double_click_is_no_replay(branch: Branch) -> None:
    """The same form twice, one after the other or at once, and a code that is only wrong."""
    form = bytes(range(16))
    clicks = [branch.login(VERA, VERA.card.code(1), id=form) for _ in range(3)]
    outcomes = await asyncio.gather(*clicks)
    branch.clock.forward(seconds=1)
    outcomes.append(await branch.login(VERA, VERA.card.code(1), id=form))
    await branch.login(VERA, VERA.card.wrong_code(2))
    for outcome in outcomes:
        assert isinstance(outcome, Accepted)
        assert outcome.session_token is not None
        session = await read_session(branch.bank, outcome.session_token)
        assert session is not None
        assert session.replayed_at is None
