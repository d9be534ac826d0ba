"""`sesame.bank.replay`: what the stream says is taken once, in order, and from this bank only."""

import json

import pytest

from sesame.bank.audit import line_hash
from sesame.bank.errors import StreamAltered
from sesame.bank.old_code import OldCode
from sesame.bank.person import erase
from sesame.bank.replay import replay
from sesame.bank.sessions import end_all_sessions, forget_known_devices
from sesame.bank.stream import StreamedLine
from sesame.bank.verification import Accepted, Refused
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from tests.bank.branch import ADDRESS, OLD_CODE, OMAR, VERA, Branch, Person


async def _lines(branch: Branch, person: Person) -> list[StreamedLine]:
    key = (bucket_of(person.user_code), person.user_code)
    found = await branch.bank.store.read(lambda connection: read_lines(connection, *key))
    return [StreamedLine(person.user_code, version, line) for version, line, _ in found]


def _go_back(branch: Branch, person: Person, line: StreamedLine) -> None:
    """Have the row of *person* stand where it stood after *line*; PostgreSQL forbids it to all."""
    user_code = person.user_code
    for table in ("access", "cards"):
        if branch.place.kind == "postgresql":
            branch.change(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    branch.change(
        "UPDATE access SET version = ?, head = ?, old_code = 'old', session_epoch = 0 "
        "WHERE user_code = ?",
        line.version,
        line_hash(line.line),
        user_code,
    )
    branch.change("UPDATE cards SET last_atc = 0 WHERE user_code = ?", user_code)
    for table in ("access", "cards"):
        if branch.place.kind == "postgresql":
            branch.change(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    for table in ("audit_lines", "audit_personal"):
        lost = f"DELETE FROM {table} WHERE user_code = ? AND version > ?"  # noqa: S608 -- two names
        branch.change(lost, user_code, line.version)


async def test_each_event_does_again_what_it_did(branch: Branch) -> None:
    """Logins, refusals, ended sessions, forgotten devices: row and chain are as they were."""
    seed = b"this browser's own"
    for atc in (1, 2):
        code = VERA.card.code(atc)
        assert isinstance(await branch.login(VERA, code, device_seed=seed), Accepted)
        assert await branch.login(VERA, code) == Refused()
    await end_all_sessions(branch.bank, VERA.user_code, ADDRESS)
    await forget_known_devices(branch.bank, VERA.user_code, ADDRESS)
    assert isinstance(await branch.login(OMAR, OLD_CODE), Accepted)
    kept = ("version", "head", "old_code", "session_epoch", "signed_in_at", "stepped_at")
    before = {name: branch.row(VERA.user_code)[name] for name in kept}
    lines = await _lines(branch, VERA)
    others = await _lines(branch, OMAR)
    _go_back(branch, VERA, lines[0])
    branch.change(
        "INSERT INTO devices (bucket, user_code, device_hash, known_since, expires_at) "
        "VALUES (?, ?, ?, 1, 2)",
        bucket_of(VERA.user_code),
        VERA.user_code,
        bytes(32),
    )
    _go_back(branch, OMAR, others[0])
    done = await replay(branch.bank, [*lines, *others])
    assert (done.known, done.taken, done.raised) == (2, 7, 2)
    assert not done.forked | done.missing
    assert {name: branch.row(VERA.user_code)[name] for name in kept} == before
    assert await _lines(branch, VERA) == lines
    assert branch.last_atcs(VERA) == [2]
    assert branch.rows("SELECT * FROM devices") == []
    assert branch.row(OMAR.user_code)["old_code"] == "old"  # by itself it retires nothing


async def test_the_old_code_of_who_was_erased_is_gone_again(branch: Branch) -> None:
    """By the stream: no card is there to be unsure, and the old code would open by itself."""
    stored = branch.row(OMAR.user_code)["old_code"]
    (first,) = await _lines(branch, OMAR)
    await erase(branch.bank.store, OMAR.user_code, by="x", now=branch.clock(), random_bytes=bytes)
    lines = await _lines(branch, OMAR)
    _go_back(branch, OMAR, first)
    branch.change("UPDATE access SET old_code = ? WHERE user_code = ?", stored, OMAR.user_code)
    assert (await replay(branch.bank, lines)).taken == 1
    assert await branch.login(OMAR, OLD_CODE) == Refused()
    assert branch.row(OMAR.user_code)["old_code"] is None
    assert branch.row(OMAR.user_code)["session_epoch"] == 1


async def test_who_went_on_otherwise_has_last_atcs_raised_and_no_more(branch: Branch) -> None:
    """Their chain is their own; so is one with a line missing in the middle."""
    await branch.login(VERA, VERA.card.code(1))
    await branch.login(VERA, VERA.card.code(2))
    lines = await _lines(branch, VERA)
    _go_back(branch, VERA, lines[0])
    gap = await replay(branch.bank, [lines[0], lines[2]])
    assert (gap.taken, gap.raised, gap.forked) == (0, 1, frozenset({VERA.user_code}))
    assert branch.last_atcs(VERA) == [2]
    _go_back(branch, VERA, lines[0])
    await branch.login(VERA, OldCode("wrong"))
    done = await replay(branch.bank, lines)
    assert (done.known, done.taken, done.raised, done.forked) == (
        1,
        0,
        2,
        frozenset({VERA.user_code}),
    )
    assert branch.last_atcs(VERA) == [2]
    assert branch.row(VERA.user_code)["version"] == 2


async def test_who_was_enrolled_later_is_named(branch: Branch) -> None:
    """Nobody knows their card any more."""
    lines = await _lines(branch, VERA)
    stranger = StreamedLine("NEWC2345", 1, lines[0].line)
    done = await replay(branch.bank, [stranger])
    assert (done.taken, done.missing) == (0, frozenset({"NEWC2345"}))


@pytest.mark.parametrize(
    "how",
    [
        *("its ATC", "its MAC", "no MAC", "a MAC of other letters", "its version"),
        *("its hour", "no UTF-8", "no number", "depths", "no line"),
    ],
)
async def test_a_line_that_this_bank_did_not_write_is_refused(branch: Branch, how: str) -> None:
    """Who it is said of, and nothing that comes with it is taken."""
    await branch.login(VERA, VERA.card.code(1))
    lines = await _lines(branch, VERA)
    _go_back(branch, VERA, lines[0])
    said = json.loads(lines[1].line)
    match how:
        case "its ATC":
            said["cards"][0][2] = 65535
        case "its MAC":
            said["mac"] = "00" * 32
        case "no MAC":
            del said["mac"]
        case "a MAC of other letters":
            said["mac"] = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 64
        case "its version":
            said["version"] = 7
        case "its hour":  # of no zone
            said |= {"at": "2026-03-02T09:00:00", "outcome": "refused"}
    line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    others = {
        "no UTF-8": line.replace(b'"address":"', b'"address":"\xff'),
        "no number": line.replace(b'"address":"', b'"x":4e999,"address":"'),
        "depths": line[:-1] + b',"x":' + b"[" * 100_000,
        "no line": b"no line",
    }
    altered = StreamedLine(VERA.user_code, 2, others.get(how, line))
    with pytest.raises(StreamAltered, match=f"line 2 of {VERA.user_code}"):
        await replay(branch.bank, [lines[0], altered])
    assert branch.last_atcs(VERA) == [0]
    assert branch.row(VERA.user_code)["version"] == 1
