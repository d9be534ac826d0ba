"""`sesame.bank.beside`: what an owner of the tables does beside whole chains is seen, on either."""

import asyncio
import json
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from sesame.bank.audit import line_hash
from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.auditing import Report, audit, audit_one, vouch_for
from sesame.bank.beside import Beside, Vouch
from sesame.bank.stream import StreamedLine
from sesame.custody.custodian import KeyUsage
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from tests.bank.branch import VERA, Branch
from tests.bank.chains import live

_WHOLE = Report(customers=3, lines=7)


@pytest.fixture
async def lived(branch: Branch) -> Branch:
    """A branch where Vera's lines 3 and 4 took the ATCs 1 and 2, and Omar's line 2 one."""
    await live(branch)
    return branch


def _custody(branch: Branch) -> Vouch:
    return partial(branch.bank.custodian.mac, KeyUsage.AUDIT)


async def _findings(branch: Branch, vouch: Vouch | None = None) -> list[Finding]:
    """What is found, in everybody and in Vera alone."""
    report = await audit(branch.bank.store, None, None, vouch)
    alone = await audit_one(branch.bank.store, None, VERA.user_code, None, vouch)
    assert report.findings == alone.findings
    return report.findings


def _past_all_guards(branch: Branch, statement: str, *values: object) -> None:
    """As the owner of the tables can, who drops a trigger first."""
    tables = ("access", "cards")
    if branch.place.kind == "postgresql":
        for table in tables:
            branch.change(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    branch.change(statement, *values)
    if branch.place.kind == "postgresql":
        for table in tables:
            branch.change(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def _rewrite(branch: Branch, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what Vera's last line says, and make every hash fit."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    *_, (version, line, _) = await branch.bank.store.read(lambda c: read_lines(c, *key))
    said = json.loads(line)
    change(said)
    line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    branch.change(
        "UPDATE audit_lines SET line = ?, head = ? WHERE user_code = ? AND version = ?",
        *(line, line_hash(line), VERA.user_code, version),
    )
    branch.change("UPDATE access SET head = ? WHERE user_code = ?", line_hash(line), VERA.user_code)


async def test_what_is_whole(lived: Branch) -> None:
    """With custody and without; it vouches for what was accepted, of everybody or of one."""
    store, vouch = lived.bank.store, _custody(lived)
    assert await audit(store, None) == _WHOLE
    assert (await audit(store, None, None, vouch)).vouched == 3
    assert await _findings(lived, vouch) == []
    assert (await audit_one(store, None, VERA.user_code, None, vouch)).vouched == 2


async def test_a_lowered_atc(lived: Branch) -> None:
    """It is told by the line that took a higher one, with custody or without."""
    _past_all_guards(lived, "UPDATE cards SET last_atc = 1 WHERE user_code = ?", VERA.user_code)
    lowered = [Finding(Kind.ATC_LOWERED, VERA.user_code, 4)]
    assert await _findings(lived) == await _findings(lived, _custody(lived)) == lowered


async def test_a_lowered_atc_that_was_raised_again(lived: Branch) -> None:
    """A code that passed again hides nothing: the line before it knows."""
    _past_all_guards(lived, "UPDATE cards SET last_atc = 0 WHERE user_code = ?", VERA.user_code)
    lived.clock.forward(minutes=1)
    await lived.login(VERA, VERA.card.code(1))
    assert lived.last_atcs(VERA) == [1]
    assert await _findings(lived) == [Finding(Kind.ATC_LOWERED, VERA.user_code, 4)]


async def test_a_card_that_came_later(lived: Branch) -> None:
    """Its number was another card's before, whose ATCs say nothing of it."""
    later = "UPDATE cards SET last_atc = 0, created_at = created_at + ? WHERE user_code = ?"
    _past_all_guards(lived, later, 3_600_000_000, VERA.user_code)
    assert await _findings(lived) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(address="00" * 32),
        lambda said: said.update(mac="00" * 32),
        lambda said: said.update(mac="\N{LATIN SMALL LETTER E WITH ACUTE}"),
        lambda said: said.pop("mac"),
        lambda said: said.update(at="2026-03-02T09:00:00"),
        lambda said: said.update(cards="none"),
    ],
    ids=["another line", "another MAC", "no MAC at all", "without it", "no moment", "no cards"],
)
async def test_a_line_that_custody_does_not_vouch_for(
    lived: Branch, change: Callable[[dict[str, Any]], object]
) -> None:
    """Every hash fits, and without custody nothing is seen."""
    await _rewrite(lived, change)
    assert await _findings(lived) == []
    assert await _findings(lived, _custody(lived)) == [Finding(Kind.FALSE_MAC, VERA.user_code, 4)]


async def test_what_was_refused_has_no_mac(lived: Branch) -> None:
    """Nor has an event of another name, whatever it says came of it."""
    await _rewrite(lived, lambda said: (said.pop("mac"), said.update(event="else")))
    assert await _findings(lived, _custody(lived)) == []


async def test_lines_without_their_cards(lived: Branch) -> None:
    """As an export has them: custody vouches, and more than it is asked about at once."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    found = await lived.bank.store.read(lambda connection: read_lines(connection, *key))
    lines = [StreamedLine(VERA.user_code, version, line) for version, line, _ in found]
    report = Report()
    await vouch_for(lines * 200, _custody(lived), report)
    assert (report.vouched, report.findings) == (400, [])

    async def other(line: bytes) -> bytes:
        return line[:32]

    await vouch_for(lines, other, report)
    assert report.findings == [Finding(Kind.FALSE_MAC, VERA.user_code, 3)]


async def test_custody_has_time_for_others(lived: Branch) -> None:
    """A few lines at once, however many there are: who signs in meanwhile waits for no more."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    found = await lived.bank.store.read(lambda connection: read_lines(connection, *key))
    at_once = most = 0

    async def vouch(line: bytes) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return line[:32]

    lines = [StreamedLine(VERA.user_code, version, line) for version, line, _ in found]
    await vouch_for(lines * 50, vouch, Report())
    assert most == 8


async def test_an_export_as_large_as_one_likes() -> None:
    """Of a customer whose lines custody vouches for, nothing is kept."""

    async def vouch(_: bytes) -> bytes:
        return bytes(32)

    def lines(count: int) -> Iterator[StreamedLine]:
        fields = {"at": "2026-03-02T09:00:00+00:00", "event": "login", "outcome": "accepted"}
        line = json.dumps({**fields, "mac": "00" * 32, "cards": [[1, "code", 7]]}, sort_keys=True)
        for number in range(count):
            yield StreamedLine(f"C{number:07}", 2, line.replace(": ", ":").encode())

    tracemalloc.start()
    try:
        report = Report()
        await vouch_for(lines(2_000), vouch, report)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (report.vouched, report.findings) == (2_000, [])
    assert most < 200_000  # bytes; each customer had some 400


_BEGUN = b'{"at":"2026-03-02T09:00:00+00:00","event":"login","mac":"00","outcome":"accepted",'


@pytest.mark.parametrize(
    "line",
    [
        b'{"outcome":"accepted","x":' + b"[" * 100_000,
        _BEGUN + b'"x":' + b"[" * 100_000,
        _BEGUN + b'"address":"\xff"}',
        _BEGUN + b'"version":4e999}',
    ],
    ids=["deep", "deep behind what is read", "no UTF-8", "no number"],
)
async def test_a_line_that_is_none(lived: Branch, line: bytes) -> None:
    """It is told, not fallen over, and those that come with it are looked at."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    beside = Beside(_custody(lived))
    await beside.look("DEEP2345", 7, line)
    for version, whole, _ in await lived.bank.store.read(lambda c: read_lines(c, *key)):
        await beside.look(VERA.user_code, version, whole)
    assert await beside.findings([]) == [Finding(Kind.FALSE_MAC, "DEEP2345", 7)]
    assert beside.vouched == 2


async def test_a_line_that_is_none_in_a_database(lived: Branch) -> None:
    """One byte of one customer keeps nobody from seeing the others, and them from being seen."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    found = await lived.bank.store.read(lambda connection: read_lines(connection, *key))
    version, line, _ = found[-1]
    start = line.index(b'"address":"') + len(b'"address":"')
    lived.change(
        "UPDATE audit_lines SET line = ? WHERE user_code = ? AND version = ?",
        *(line[:start] + b"\xff" + line[start + 1 :], VERA.user_code, version),
    )
    store, vouch = lived.bank.store, _custody(lived)
    altered, false = Kind.ALTERED, Kind.FALSE_MAC
    for report in (
        await audit(store, None, None, vouch),
        await audit_one(store, None, VERA.user_code, None, vouch),
    ):
        assert report.findings == [Finding(kind, VERA.user_code, 4) for kind in (altered, false)]
    assert (await audit(store, None, None, vouch)).vouched == 2
