"""`sesame.bank.auditing`: what was done to a live database is told by its name, on either."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.auditing import Report, _closely, audit, audit_one
from sesame.bank.sealing import follow
from sesame.bank.stream import read_ends
from sesame.store.chains import ChainHead, Key, find_heads
from sesame.store.errors import StoreUnavailable
from sesame.store.ledger import Ledger
from tests.bank.branch import DORA, OMAR, VERA, Branch
from tests.bank.chains import KEY, Sealing, begin_anew, live, sealing

# Vera's chain has four lines, Omar's two, Dora's one.
_DONE = {
    "one flipped byte": (
        ["UPDATE audit_lines SET line = {line} WHERE user_code = 'VERA2345' AND version = 3"],
        [Finding(Kind.ALTERED, "VERA2345", 3)],
    ),
    "a deleted line": (
        ["DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 2"],
        [Finding(Kind.DELETED, "VERA2345", 2)],
    ),
    "a swapped order": (
        [
            "UPDATE audit_lines SET version = 99 WHERE user_code = 'VERA2345' AND version = 2",
            "UPDATE audit_lines SET version = 2 WHERE user_code = 'VERA2345' AND version = 3",
            "UPDATE audit_lines SET version = 3 WHERE user_code = 'VERA2345' AND version = 99",
        ],
        [Finding(Kind.SWAPPED, "VERA2345", 2)],
    ),
    "a truncated tail": (
        ["DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version > 2"],
        [Finding(Kind.TRUNCATED, "VERA2345", 3)],
    ),
    "all of a customer's lines": (
        ["DELETE FROM audit_lines WHERE user_code = 'DORA4567'"],
        [Finding(Kind.TRUNCATED, "DORA4567", 1)],
    ),
    "a head that was changed": (
        ["UPDATE access SET head = {zeros} WHERE user_code = 'VERA2345'"],
        [Finding(Kind.ALTERED, "VERA2345", 4)],
    ),
    "a line of nobody": (
        ["DELETE FROM access WHERE user_code = 'OMAR6789'"],
        [Finding(Kind.ADDED, "OMAR6789", 2)],
    ),
    "a line that nobody looks at": (
        [
            "INSERT INTO audit_lines SELECT bucket + 1, user_code, 9, attempt, at, line, head "  # noqa: ISC004
            "FROM audit_lines WHERE user_code = 'VERA2345' AND version = 4"
        ],
        [Finding(Kind.ADDED, "VERA2345", 9)],
    ),
    "a head that nobody looks at": (
        ["UPDATE access SET bucket = bucket + 1 WHERE user_code = 'VERA2345'"],
        [Finding(Kind.ALTERED, "VERA2345", 4), Finding(Kind.ADDED, "VERA2345", 4)],
    ),
    "a customer who is gone": (
        [
            "DELETE FROM audit_lines WHERE user_code = 'OMAR6789'",
            "DELETE FROM access WHERE user_code = 'OMAR6789'",
        ],
        [Finding(Kind.ROLLED_BACK, "OMAR6789", 0)],
    ),
}


async def _sealed(branch: Branch, folder: Path) -> Sealing:
    await live(branch)
    sealed = sealing(branch, folder)
    with sealed.sealer() as sealer:
        await sealer.seal()
    return sealed


async def _audit(branch: Branch, sealed: Sealing, user_code: str = "") -> Report:
    with Ledger.open(sealed.folder / "auditor") as ledger:
        follow(ledger, sealed.stream, KEY.public)
        if user_code:
            return await audit_one(branch.bank.store, ledger, user_code)
        return await audit(branch.bank.store, ledger)


def _do(branch: Branch, statement: str) -> None:
    """Run *statement* past all guards, as the owner of the tables could."""
    if "{line}" in statement:
        query = "SELECT line FROM audit_lines WHERE user_code = 'VERA2345' AND version = 3"
        (line,) = branch.rows(query)[0]
        assert isinstance(line, bytes)
        flipped = line[:40] + bytes([line[40] ^ 1]) + line[41:]
        branch.change(statement.replace("{line}", "?"), flipped)
    elif "{zeros}" in statement:
        branch.change(statement.replace("{zeros}", "?"), bytes(32))
    else:
        branch.change(statement)


async def test_a_whole_bank(branch: Branch, tmp_path: Path) -> None:
    """Everybody, with and without seals; and one customer; and nobody."""
    sealed = await _sealed(branch, tmp_path)
    assert await _audit(branch, sealed) == Report(customers=3, lines=7, sealed=3)
    assert await audit(branch.bank.store, None) == Report(customers=3, lines=7)
    assert await _audit(branch, sealed, VERA.user_code) == Report(customers=1, lines=4, sealed=1)
    assert await _audit(branch, sealed, "NEMO3333") == Report()


@pytest.mark.parametrize("what", _DONE)
async def test_what_was_done_is_told(branch: Branch, tmp_path: Path, what: str) -> None:
    """Of the whole bank and of that customer alone; of the others nothing is."""
    sealed = await _sealed(branch, tmp_path)
    statements, expected = _DONE[what]
    for statement in statements:
        _do(branch, statement)
    report = await _audit(branch, sealed)
    assert report.findings == expected
    assert report.found == {finding.kind: 1 for finding in expected}
    if "nobody looks at" in what:
        return  # of one customer, only their own bucket is looked at
    for person in (VERA, OMAR, DORA):
        alone = await _audit(branch, sealed, person.user_code)
        assert alone.findings == [one for one in expected if one.user_code == person.user_code]


async def test_values_of_another_type(branch_on_file: Branch, tmp_path: Path) -> None:
    """SQLite lets anything stand anywhere: it is judged by its bytes."""
    sealed = await _sealed(branch_on_file, tmp_path)
    branch_on_file.change("UPDATE audit_lines SET line = CAST(line AS TEXT)")
    assert (await _audit(branch_on_file, sealed)).findings == []
    branch_on_file.change("UPDATE audit_lines SET line = 7.5 WHERE user_code = 'DORA4567'")
    branch_on_file.change("UPDATE access SET head = 'text' WHERE user_code = 'OMAR6789'")
    assert sorted((await _audit(branch_on_file, sealed)).findings, key=str) == [
        Finding(Kind.ALTERED, "DORA4567", 1),
        Finding(Kind.ALTERED, "OMAR6789", 2),
    ]


@pytest.mark.parametrize(
    "change",
    ["version = 'text'", "version = 1.5", "user_code = x'ff'", "user_code = CAST(x'ff' AS TEXT)"],
)
async def test_a_key_that_is_none(branch_on_file: Branch, tmp_path: Path, change: str) -> None:
    """It cannot be looked for, which is said; nothing passes as whole."""
    sealed = await _sealed(branch_on_file, tmp_path)
    for table in ("audit_lines", "access"):
        branch_on_file.change(
            f"UPDATE {table} SET {change} WHERE user_code = 'OMAR6789' AND version = 2"  # noqa: S608
        )
        with pytest.raises(StoreUnavailable):
            await _audit(branch_on_file, sealed)


async def test_a_restored_backup(branch_on_file: Branch, tmp_path: Path) -> None:
    """The file of an hour ago is whole; the seals know later heads, and life goes on."""
    await live(branch_on_file)
    before = branch_on_file.place.everything()
    sealed = sealing(branch_on_file, tmp_path)
    await live(branch_on_file, first_atc=5)
    with sealed.sealer() as sealer:
        await sealer.seal()
    _put_back(branch_on_file, before)
    assert (await audit(branch_on_file.bank.store, None)).findings == []
    report = await _audit(branch_on_file, sealed)
    assert sorted(report.findings, key=lambda one: one.user_code) == [
        Finding(Kind.ROLLED_BACK, "OMAR6789", 2),
        Finding(Kind.ROLLED_BACK, "VERA2345", 4),
    ]
    await live(branch_on_file, first_atc=5)
    report = await _audit(branch_on_file, sealed)
    assert report.found == {Kind.REWRITTEN: 2}


def _put_back(branch: Branch, before: dict[str, list[tuple[object, ...]]]) -> None:
    for table in ("audit_lines", "audit_personal", "cards", "sessions", "access"):
        branch.change(f"DELETE FROM {table}")  # noqa: S608 -- the schema's own names
        for row in before[table]:
            marks = ", ".join("?" * len(row))
            branch.change(f"INSERT INTO {table} VALUES ({marks})", *row)  # noqa: S608


@pytest.mark.parametrize("restored", [None, "before", "after"])
async def test_an_end_that_was_cut_with_its_head(
    branch_on_file: Branch, tmp_path: Path, restored: str | None
) -> None:
    """Others go on: no backup is like that. Of life after a restore nothing is concluded."""
    branch = branch_on_file  # PostgreSQL’s triggers let nobody set a head back
    sealed = await _sealed(branch, tmp_path)
    if restored == "before":
        branch.clock.forward(minutes=-30)
        await begin_anew(branch)
        branch.clock.forward(minutes=30)  # and then all that was sealed
    (_, prev), (_, cut) = [
        (row[0], row[1])
        for row in branch.rows(
            "SELECT version, head FROM audit_lines WHERE user_code = 'VERA2345' AND version > 2 "
            "ORDER BY version"
        )
    ]
    assert cut != prev
    branch.change("DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version > 3")
    branch.change("UPDATE access SET version = 3, head = ? WHERE user_code = 'VERA2345'", prev)
    alone = await _audit(branch, sealed)
    alone.tell_cut_off(read_ends(sealed.stream, KEY.public))
    assert alone.found == {Kind.ROLLED_BACK: 1}  # under the last seal of all
    branch.clock.forward(minutes=15)
    if restored == "after":
        await begin_anew(branch)
        branch.clock.forward(minutes=15)
    await branch.fail(OMAR.user_code, 1)
    with sealed.sealer() as sealer:
        await sealer.seal()
    report = await _audit(branch, sealed)
    report.tell_cut_off(read_ends(sealed.stream, KEY.public))
    if restored == "after":
        assert report.findings == [Finding(Kind.ROLLED_BACK, "VERA2345", 3)]
    else:  # also where it was restored before what is missing was written
        assert report.findings == [Finding(Kind.TRUNCATED, "VERA2345", 4)]
        assert report.found == {Kind.TRUNCATED: 1}
    one = await _audit(branch, sealed, VERA.user_code)
    one.tell_cut_off(read_ends(sealed.stream, KEY.public))
    assert one.found == {Kind.ROLLED_BACK: 1}  # nobody else was looked at


async def test_pages_do_not_matter(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few customers and lines are read at a time."""
    monkeypatch.setattr("sesame.bank.auditing._CUSTOMERS", 1)
    monkeypatch.setattr("sesame.bank.auditing._LINES", 2)
    sealed = await _sealed(branch, tmp_path)
    assert await _audit(branch, sealed) == Report(customers=3, lines=7, sealed=3)
    _do(branch, _DONE["a deleted line"][0][0])
    assert (await _audit(branch, sealed)).findings == _DONE["a deleted line"][1]


async def test_logins_go_on_meanwhile(branch: Branch, tmp_path: Path) -> None:
    """And are no finding, however often it is asked."""
    sealed = await _sealed(branch, tmp_path)
    ended = asyncio.Event()

    async def log_in() -> None:
        atc = 3
        while not ended.is_set():
            await branch.login(VERA, VERA.card.code(atc))
            await branch.login(OMAR, OMAR.card.code(atc))
            atc += 1

    logins = asyncio.create_task(log_in())
    with sealed.sealer() as sealer:
        for _ in range(15):
            done = await sealer.seal()
            assert done.findings == []
            report = await audit(branch.bank.store, sealer.ledger)
            assert (report.customers, report.findings) == (3, [])
    ended.set()
    await logins


async def test_a_login_between_two_reads(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines have it and the head that was read has not: the head is read again."""
    sealed = await _sealed(branch, tmp_path)
    lines, _ = await branch.chain(VERA)
    asked = 0

    def as_it_was(connection: Connection, keys: Sequence[Key]) -> dict[str, ChainHead]:
        nonlocal asked
        asked += 1
        heads = find_heads(connection, keys)
        if asked % 2:
            version, _, head = lines[2]
            code = VERA.user_code
            heads[code] = heads[code]._replace(version=version, head=head)
        return heads

    monkeypatch.setattr("sesame.bank.auditing.find_heads", as_it_was)
    store = branch.bank.store
    with Ledger.open(sealed.folder / "empty") as ledger:
        report = Report()
        report.add(await _closely(store, ledger, VERA.user_code))
    assert (asked, report.findings) == (2, [])


async def test_findings_are_counted_beyond_those_that_are_kept(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bank that is broken all over does not fill the memory."""
    monkeypatch.setattr("sesame.bank.auditing._TOLD", 1)
    sealed = await _sealed(branch, tmp_path)
    branch.change("DELETE FROM audit_lines")
    report = await _audit(branch, sealed)
    assert (len(report.findings), report.found) == (1, {Kind.TRUNCATED: 3})
