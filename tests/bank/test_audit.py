"""`sesame.bank.audit`: the chain as a stranger checks it, and what no line and no table holds."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.audit import Record, audit_row, commitment, line_hash, unsealed_line
from sesame.bank.verification import Accepted, Refused
from sesame.custody.custodian import KeyUsage
from tests.bank.branch import (
    ADDRESS,
    DORA,
    NOBODY,
    OMAR,
    PEOPLE,
    SEED,
    VERA,
    Branch,
    attempt,
    custodian,
)
from tests.bank.stranger import Lines, chain_is_whole, opens


async def _live_a_little(branch: Branch) -> None:
    """A chain of six lines: enrolment, two wrong, two accepted, one used."""
    await branch.fail(VERA.user_code, 2)
    for atc in (2, 5, 5):
        branch.clock.forward(minutes=1)
        await branch.login(VERA, VERA.card.code(atc))


# ── The chain ────────────────────────────────────────────────────────────────────────────────────


async def test_a_stranger_can_check_a_chain(branch: Branch) -> None:
    """With any language's JSON and SHA-256: every line, its place, and the end."""
    await _live_a_little(branch)
    lines, head = await branch.chain(VERA)
    assert len(lines) == 6
    assert chain_is_whole(lines, head)


async def test_every_flipped_byte_breaks_the_chain(branch: Branch) -> None:
    """In any line and in any head, one after the other."""
    await _live_a_little(branch)
    lines, head = await branch.chain(VERA)
    for place, (version, line, written_head) in enumerate(lines):
        for at in range(len(line)):
            flipped = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            assert not chain_is_whole(
                [*lines[:place], (version, flipped, written_head), *lines[place + 1 :]], head
            )
        for at in range(32):
            other = written_head[:at] + bytes([written_head[at] ^ 0x80]) + written_head[at + 1 :]
            assert not chain_is_whole(
                [*lines[:place], (version, line, other), *lines[place + 1 :]], head
            )


async def test_a_line_taken_away_moved_or_added_shows(branch: Branch) -> None:
    """The hashes fit no more, or the end does not fit the access row."""
    await _live_a_little(branch)
    lines, head = await branch.chain(VERA)
    for place in range(len(lines)):
        assert not chain_is_whole([*lines[:place], *lines[place + 1 :]], head)
        assert not chain_is_whole([*lines[:place], lines[place], *lines[place:]], head)
    swapped = [lines[0], lines[2], lines[1], *lines[3:]]
    assert not chain_is_whole(swapped, head)


async def test_chains_are_separate(branch: Branch) -> None:
    """What happens to one customer moves nobody else's chain."""
    before = await branch.chain(OMAR)
    await _live_a_little(branch)
    assert await branch.chain(OMAR) == before


async def test_a_rewritten_line_under_a_mac_shows(branch: Branch) -> None:
    """Who rewrites a chain to its end, heads and all, lacks custody's key for accepted lines."""
    await _live_a_little(branch)
    lines, _ = await branch.chain(VERA)
    forged: list[tuple[int, bytes, bytes]] = []
    prev = bytes(32)
    for version, line, _ in lines:
        said = json.loads(line) | {"prev": prev.hex()}
        if version == 2:
            said["cause"] = "overtaken"
        line_ = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        prev = line_hash(line_)
        forged.append((version, line_, prev))
    assert chain_is_whole(forged, prev)
    assert [mac async for mac in _macs_hold(lines)] == [True, True]
    assert [mac async for mac in _macs_hold(forged)] == [False, False]


async def _macs_hold(lines: Lines) -> AsyncIterator[bool]:
    for _, line, _ in lines:
        said = json.loads(line)
        if mac := said.pop("mac", None):
            covered = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
            yield (await custodian().mac(KeyUsage.AUDIT, covered)).hex() == mac


# ── What a line says ─────────────────────────────────────────────────────────────────────────────


async def test_an_enrolment(branch: Branch) -> None:
    """The first line: which cards, of which profile, at which ATC."""
    lines, _ = await branch.chain(DORA)
    (salt,) = branch.rows("SELECT salt FROM audit_personal WHERE user_code = ?", DORA.user_code)[0]
    said = json.loads(lines[0][1])
    assert isinstance(salt, bytes)
    assert opens("subject", said.pop("subject"), DORA.user_code, salt)
    assert opens("address", said.pop("address"), "", salt)
    assert said == {
        "v": 1,
        "event": "enrolment",
        "version": 1,
        "at": "2026-03-02T09:00:00.000000+00:00",
        "attempt": "00" * 16,
        "prev": "00" * 32,
        "cards": [[1, "sesame-card-2", 0], [2, "bank-card-1", 0]],
    }


async def test_an_accepted_login(branch: Branch) -> None:
    """Card, profile and ATC, and custody's MAC; from where, as a commitment."""
    form = attempt(VERA.user_code, VERA.card.code(3))
    await branch.login(VERA, form.code, id=form.id)
    (_, first, _), (_, second, _) = (await branch.chain(VERA))[0]
    said = json.loads(second)
    assert len(said.pop("mac")) == len(said.pop("subject")) == len(said.pop("address")) == 64
    assert said == {
        "v": 1,
        "event": "login",
        "version": 2,
        "at": "2026-03-02T09:00:00.000000+00:00",
        "attempt": form.id.hex(),
        "prev": line_hash(first).hex(),
        "door": "portal",
        "means": "code",
        "outcome": "accepted",
        "cause": "",
        "side": "open",
        "device": "unknown",
        "failures": 0,
        "suspended_until": "",
        "cards": [[1, "sesame-card-2", 3]],
    }


async def test_a_refused_login_that_suspends(branch: Branch) -> None:
    """The cause, the count that it left, and until when; no MAC, no card."""
    await branch.fail(VERA.user_code, 3)
    lines, _ = await branch.chain(VERA)
    second, third = (json.loads(line) for _, line, _ in lines[-2:])
    assert "mac" not in third
    assert (second["failures"], second["suspended_until"]) == (2, "")
    assert (third["outcome"], third["cause"], third["cards"]) == ("refused", "wrong", [])
    assert (third["failures"], third["suspended_until"]) == (
        0,
        "2026-03-02T09:15:00.000000+00:00",
    )


async def test_what_was_turned_away(branch: Branch) -> None:
    """One line for many, by cause, from no address in particular."""
    await branch.fail(VERA.user_code, 3)
    branch.clock.forward(minutes=1)
    await branch.fail(VERA.user_code, 1)
    lines, head = await branch.chain(VERA)
    (salt,) = branch.rows(
        "SELECT salt FROM audit_personal WHERE user_code = ? ORDER BY version DESC", VERA.user_code
    )[0]
    said = json.loads(lines[-1][1])
    assert isinstance(salt, bytes)
    assert opens("address", said.pop("address"), "", salt)
    assert said.keys() == {"v", "event", "version", "prev", "at", "attempt", "subject", "causes"}
    assert (said["event"], said["causes"]) == ("turned-away", [["suspended", 1]])
    assert chain_is_whole(lines, head)


async def test_commitments_open_until_they_are_erased(branch: Branch) -> None:
    """The chain still holds without the values, and tells nothing more of who and where."""
    await branch.login(VERA, VERA.card.code(1))
    lines, _ = await branch.chain(VERA)
    ((salt, address),) = branch.rows(
        "SELECT salt, address FROM audit_personal WHERE user_code = ? AND version = 2",
        VERA.user_code,
    )
    said = json.loads(lines[1][1])
    assert isinstance(salt, bytes)
    assert isinstance(address, str)
    assert opens("address", said["address"], address, salt)
    assert address == ADDRESS
    assert opens("subject", said["subject"], VERA.user_code, salt)
    branch.change("DELETE FROM audit_personal WHERE user_code = ?", VERA.user_code)
    assert chain_is_whole(*await branch.chain(VERA))
    # Without the salt even the right value cannot be told from any other.
    assert not opens("address", said["address"], ADDRESS, b"")
    assert not opens("address", said["address"], ADDRESS, bytes(16))
    assert ADDRESS not in lines[1][1].decode()
    assert VERA.user_code not in lines[1][1].decode()


async def test_two_lines_of_one_address_do_not_show_it(branch: Branch) -> None:
    """Each line has a salt of its own, so equal values look different."""
    await branch.fail(VERA.user_code, 3)
    lines, _ = await branch.chain(VERA)
    for field in ("subject", "address"):
        assert len({json.loads(line)[field] for _, line, _ in lines}) == len(lines)


async def test_nobodys_attempts_stand_outside_the_chains(branch: Branch) -> None:
    """With lines of the same shape, and a cause that only staff read."""
    await branch.fail(NOBODY, 2)
    assert branch.rows("SELECT * FROM audit_lines WHERE user_code = ?", NOBODY) == []
    said = [
        json.loads(str(line, "utf-8"))
        for (line,) in branch.rows("SELECT line FROM stranger_lines")
        if isinstance(line, bytes)
    ]
    assert [line["cause"] for line in said] == ["unknown-user-code"] * 2
    await branch.fail(VERA.user_code, 1)
    lines, _ = await branch.chain(VERA)
    assert said[0].keys() == json.loads(lines[1][1]).keys()


# ── What is kept nowhere ─────────────────────────────────────────────────────────────────────────


def _values(branch: Branch) -> Iterator[bytes]:
    """Every value of every table, as bytes."""
    for rows in branch.place.everything().values():
        for row in rows:
            for value in row:
                yield value if isinstance(value, bytes) else str(value).encode()


async def test_no_code_no_pan_and_no_token_in_any_table(branch: Branch) -> None:
    """Nor a plain hash of one: eight digits are found from their hash in a second."""
    codes = [VERA.card.code(4), VERA.card.code(2), VERA.card.wrong_code(5), OMAR.card.code(9)]
    outcomes = [await branch.login(VERA, code) for code in codes[:3]]
    outcomes.append(await branch.login(OMAR, codes[3]))
    await branch.login(VERA, codes[0], id=b"i" * 16, session_seed=None)
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, Refused, Accepted]
    secrets = [code.digits for code in codes] + [
        card.record.pan.digits for person in PEOPLE for card in person.cards
    ]
    secrets += [
        outcome.session_token
        for outcome in outcomes
        if isinstance(outcome, Accepted) and outcome.session_token
    ]
    forms = [form for secret in secrets for form in _forms(secret)] + [SEED]
    written = list(_values(branch))
    if branch.place.kind == "sqlite":
        written += [file.read_bytes() for file in branch.path.parent.iterdir()]
    for value in written:
        assert not any(form in value for form in forms)


def _forms(secret: str) -> Iterator[bytes]:
    """How *secret* might have been written: text, BCD, number, usual hashes and their hex."""
    plain = secret.encode()
    yield plain
    if secret.isdigit():
        yield bytes.fromhex(secret)
        yield int(secret).to_bytes(8)[-4:] if len(secret) == 8 else int(secret).to_bytes(8)
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, plain, usedforsecurity=False).digest()
        # A token's SHA-256 is what the sessions are found by.
        if not (name == "sha256" and len(secret) == 45):
            yield digest
            yield digest.hex().encode()


# ── The encoding ─────────────────────────────────────────────────────────────────────────────────


_facts = st.dictionaries(
    st.text("abcdefgh", min_size=3),
    st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.lists(st.lists(st.integers(0, 9) | st.text())),
)


@given(facts=_facts, prev=st.binary(min_size=32, max_size=32), mac=st.booleans())
def test_any_line_is_canonical(
    facts: dict[str, str | int | list[list[str | int]]], prev: bytes, *, mac: bool
) -> None:
    """Whatever a line says, two programs that encode it write the same bytes."""
    record = Record(
        event="login",
        version=2,
        at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        attempt=bytes(16),
        user_code="VERA2345",
        address="::1",
        facts=facts,
    )
    row = audit_row(record, prev=prev, salt=bytes(16), mac=b"\x01" * 32 if mac else None)
    said = json.loads(row.line)
    encoded = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encoded.encode() == row.line
    assert row.head == hashlib.sha256(b"sesame-audit-1\x00line\x00" + row.line).digest()
    assert said.pop("mac", None) == ("01" * 32 if mac else None)
    covered = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert covered.encode() == unsealed_line(record, prev=prev, salt=bytes(16))


def test_a_fact_does_not_take_another_fields_place() -> None:
    """What the chain stands on is written last."""
    record = Record(
        event="login",
        version=2,
        at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        attempt=bytes(16),
        user_code="VERA2345",
        address="::1",
        facts={"prev": "forged", "version": 99, "subject": "x"},
    )
    said = json.loads(audit_row(record, prev=b"\x07" * 32, salt=bytes(16), mac=None).line)
    assert (said["prev"], said["version"]) == ("07" * 32, 2)
    assert opens("subject", said["subject"], "VERA2345", bytes(16))


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_commitment_to_one_field_does_not_open_another(length: int) -> None:
    """The field's name enters, and the salt has one length."""
    value, salt = "a" * length, bytes(range(16))
    assert opens("address", commitment("address", value, salt), value, salt)
    assert commitment("address", value, salt) != commitment("subject", value, salt)
    assert commitment("address", value, salt) != commitment("address", value + "a", salt)
    assert commitment("address", value, salt) != commitment("address", value, salt[::-1])
