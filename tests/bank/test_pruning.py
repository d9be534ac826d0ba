"""`sesame.bank.pruning`: what goes by the rule is told from what is missing, on either database."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sesame.bank.anchor import is_signed, new_anchor
from sesame.bank.audit_chain import Finding, Head, Kind
from sesame.bank.auditing import Report, _closely, audit, audit_one
from sesame.bank.errors import NoSuchLogin
from sesame.bank.evidence import evidence_of
from sesame.bank.export import audit_export, write_export
from sesame.bank.moments import to_row
from sesame.bank.pruning import Pruned, Pruner, old_segments, remove_segments
from sesame.bank.retention import Rules
from sesame.bank.sealing import follow
from sesame.bank.stream import read_sealed
from sesame.store.audit import attempt_of
from sesame.store.buckets import bucket_of
from sesame.store.chains import Key
from sesame.store.errors import StoreUnavailable
from sesame.store.ledger import Ledger
from sesame.store.retention import HoldRow, add_hold, cut_chains, find_anchors, lift_hold
from tests.bank.branch import OMAR, VERA, Branch
from tests.bank.chains import KEY, OTHER_KEY, Sealing, live, sealing

# A year and more ago Vera's chain had four lines, Omar's two, Dora's one; three more of Vera's
# and one of Omar's came since.
_GONE = Pruned(lines=6, personal=7)


@pytest.fixture
async def aged(branch: Branch, tmp_path: Path) -> Sealing:
    """A bank of which most lines are older than the rule."""
    return await _aged(branch, tmp_path)


async def _aged(branch: Branch, folder: Path) -> Sealing:
    await live(branch)
    sealed = sealing(branch, folder)
    with sealed.sealer() as sealer:
        await sealer.seal()
        branch.clock.forward(days=400)
        await live(branch, first_atc=5)
        await sealer.seal()
    return sealed


async def _prune(sealed: Sealing, *, dry_run: bool = False, ledger: str = "pruner") -> Pruned:
    with Ledger.open(sealed.folder / ledger) as opened:
        follow(opened, sealed.stream, KEY.public)
        pruner = Pruner(
            store=sealed.store,
            ledger=opened,
            key=sealed.key,
            rules=Rules(),
            now=sealed.now(),
            dry_run=dry_run,
        )
        return await pruner.prune()


async def _audit(sealed: Sealing) -> Report:
    with Ledger.open(sealed.folder / "auditor") as ledger:
        follow(ledger, sealed.stream, KEY.public)
        return await audit(sealed.store, ledger, KEY.public)


async def _hold(
    sealed: Sealing, user_code: str = "", *, from_at: int | None = None, until_at: int | None = None
) -> int:
    hold = HoldRow(
        user_code=user_code,
        from_at=from_at,
        until_at=until_at,
        set_at=0,
        set_by="Maître Aubry",
        reason="litige",
    )
    return await sealed.store.write(partial(add_hold, hold=hold))


async def test_what_is_old_goes(branch: Branch, aged: Sealing) -> None:
    """The chains are whole afterwards, and say that they were pruned; nothing goes twice."""
    before = branch.place.everything()
    assert await _prune(aged, dry_run=True) == _GONE
    assert branch.place.everything() == before
    assert await _prune(aged) == _GONE
    after = branch.place.everything()
    assert {
        name: (len(rows), len(after[name])) for name, rows in before.items() if rows != after[name]
    } == {"audit_lines": (11, 5), "audit_personal": (11, 4), "audit_anchors": (0, 2)}
    assert await _audit(aged) == Report(customers=3, lines=5, sealed=3, pruned=2)
    assert await _prune(aged) == Pruned()
    assert await audit(aged.store, None) == Report(customers=3, lines=5, pruned=2)
    with Ledger.open(aged.folder / "auditor") as ledger:
        alone = await audit_one(aged.store, ledger, VERA.user_code, KEY.public)
    assert alone == Report(customers=1, lines=3, sealed=1, pruned=1)


async def test_life_goes_on_behind_an_anchor(branch: Branch, aged: Sealing) -> None:
    """Logins, seals, evidence and another pruning; what a server asks of the last line is there."""
    await _prune(aged)
    key = (bucket_of(VERA.user_code), VERA.user_code)
    version = branch.row(VERA.user_code)["accepted_version"]
    assert isinstance(version, int)
    found = await aged.store.read(lambda c: attempt_of(c, *key, version))
    assert found == branch.row(VERA.user_code)["accepted"]
    branch.clock.forward(days=1)
    await live(branch, first_atc=9)
    with aged.sealer() as sealer:
        assert (await sealer.seal()).findings == []
    evidence = partial(evidence_of, aged.store, stream=aged.stream, key=KEY.public)
    said = json.loads(await evidence(VERA.user_code, 6))
    assert "salt" in said["login"]
    with pytest.raises(NoSuchLogin, match="took it away"):
        await evidence(VERA.user_code, 3)
    branch.clock.forward(days=398)
    assert await _prune(aged) == Pruned(lines=6, personal=8)
    assert (await _audit(aged)).findings == []


async def test_a_ledger_that_was_lost(aged: Sealing) -> None:
    """With the first files gone too, the sealer goes on from the anchors."""
    await _prune(aged)
    (aged.stream / f"{1:012d}.jsonl").unlink()
    with aged.sealer(ledger="another") as sealer:
        sealer.catch_up()
    aged.now.forward(minutes=1)
    (aged.stream / f"{2:012d}.jsonl").unlink()
    with aged.sealer(ledger="a third one") as sealer:
        done = await sealer.seal()
    assert (done.lines, done.findings) == (5, [])


async def test_what_no_seal_covers_stays(branch: Branch, tmp_path: Path) -> None:
    """However old it is; nor does the sealed line itself go."""
    sealed = sealing(branch, tmp_path)
    with sealed.sealer() as sealer:
        await sealer.seal()  # of the enrolments alone
    await live(branch)
    branch.clock.forward(days=400)
    await live(branch, first_atc=5)
    done = await _prune(sealed)
    assert (done.lines, done.unsealed) == (0, 0)
    (sealed.stream / f"{1:012d}.jsonl").unlink()
    done = await _prune(sealed, ledger="that knows nothing")
    assert (done.lines, done.unsealed) == (0, 3)


async def test_an_older_copy_of_the_stream(aged: Sealing) -> None:
    """What it knows was pruned already: nothing goes, and nothing is found wrong."""
    await _prune(aged)
    aged.now.forward(days=400)
    (aged.stream / f"{2:012d}.jsonl").unlink()
    done = await _prune(aged, ledger="of an older copy")
    assert (done.lines, done.unsealed, done.findings) == (0, 2, [])


async def test_a_chain_that_is_not_whole_stays(branch: Branch, aged: Sealing) -> None:
    """Nobody rubs out what was done to a chain by having it pruned; the others are pruned."""
    branch.change("UPDATE audit_lines SET at = 7 WHERE user_code = 'OMAR6789'")
    branch.change("DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 2")
    done = await _prune(aged)
    assert (done.lines, done.findings) == (2, [Finding(Kind.DELETED, "VERA2345", 2)])
    assert (await _audit(aged)).findings == done.findings


async def test_legal_holds(branch: Branch, aged: Sealing) -> None:
    """Of a customer, and of a period: neither lines nor addresses go until they are lifted."""
    enrolled = to_row(branch.clock() - timedelta(days=400, minutes=2))
    of_vera = await _hold(aged, VERA.user_code)
    of_all = await _hold(aged, from_at=enrolled, until_at=enrolled + 60_000_000)
    done = await _prune(aged)
    assert done == Pruned(personal=1)  # Omar's login came a little later
    lift = partial(lift_hold, at=1, by="Maître Aubry", reason="jugé")
    assert await aged.store.write(partial(lift, number=of_all))
    assert await _prune(aged) == Pruned(lines=2, personal=2)
    assert await aged.store.write(partial(lift, number=of_vera))
    assert not await aged.store.write(partial(lift, number=of_vera))
    assert await _prune(aged) == Pruned(lines=4, personal=4)


async def test_a_hold_that_is_set_meanwhile(
    branch: Branch, aged: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was read and before anything is taken away: it holds."""

    def late(name: str, user_code: str) -> None:
        real = getattr(__import__("sesame.bank.pruning", fromlist=[name]), name)

        def first_hold(connection: Connection, *args: object, **kwargs: object) -> object:
            if user_code not in set_for:
                set_for.append(user_code)
                hold = HoldRow(user_code=user_code, set_at=0, set_by="x", reason="y")
                branch.place.write(partial(add_hold, hold=hold))
            return real(connection, *args, **kwargs)

        monkeypatch.setattr(f"sesame.bank.pruning.{name}", first_hold)

    # The hold comes from another connection, so before the transaction that takes away.
    set_for = list[str]()
    late("old_personal", VERA.user_code)
    late("find_anchors", OMAR.user_code)
    done = await _prune(aged)
    assert done == Pruned(personal=3)
    assert len(branch.rows("SELECT * FROM audit_anchors")) == 0


async def test_killed_at_any_point(
    branch: Branch, aged: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is whole or was not: each time the chains are, and the next time it goes on."""
    monkeypatch.setattr("sesame.bank.pruning._ROWS", 1)
    writes = 0
    real = aged.store.write

    async def dies(change: object) -> object:
        nonlocal writes
        writes += 1
        if writes % 2 == 0:
            raise StoreUnavailable("killed")
        return await real(change)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(aged.store, "write", dies)
    lost, done = 0, None
    while done is None:
        try:
            done = await _prune(aged)
        except StoreUnavailable:
            lost += 1
            assert (await _audit(aged)).findings == []
    assert lost > 6
    assert done.lines <= 1
    assert len(branch.rows("SELECT * FROM audit_lines")) == 5


async def test_a_kill_inside_the_transaction(
    branch: Branch, aged: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the anchor and the lines: neither was."""

    class Killed(Exception):
        pass

    def half(connection: Connection, anchors: object, *, holds: object) -> bool:
        monkeypatch.setattr("sesame.store.retention.delete", _raise)
        return cut_chains(connection, anchors, holds=holds)  # type: ignore[arg-type]  # handed on

    def _raise(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("sesame.bank.pruning.cut_chains", half)
        with pytest.raises(Killed):
            await _prune(aged)
    monkeypatch.undo()
    assert branch.rows("SELECT * FROM audit_anchors") == []
    assert (await _audit(aged)).findings == []


async def test_logins_go_on_meanwhile(branch: Branch, aged: Sealing) -> None:
    """And audits and exports, none of which finds anything."""
    ended = asyncio.Event()

    async def log_in() -> None:
        atc = 20
        while not ended.is_set():
            await branch.login(VERA, VERA.card.code(atc))
            atc += 1

    logins = asyncio.create_task(log_in())
    pruning = asyncio.create_task(_prune(aged))
    stream = (aged.stream, KEY.public)
    for number in range(5):
        assert (await _audit(aged)).findings == []
        target = aged.folder / f"export {number}"
        await write_export(aged.store, target, stream=stream)
        assert audit_export(target, KEY.public).findings == []
    assert await pruning == _GONE
    ended.set()
    await logins


# ── Told apart ───────────────────────────────────────────────────────────────────────────────────

# Vera's chain begins at line 5 by now, behind an anchor at 4.
_DONE = {
    "one flipped byte": (
        "UPDATE audit_lines SET line = {line} WHERE user_code = 'VERA2345' AND version = 6",
        Finding(Kind.ALTERED, "VERA2345", 6),
    ),
    "a deleted first line": (
        "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 5",
        Finding(Kind.DELETED, "VERA2345", 5),
    ),
    "a swapped order": (
        (
            "UPDATE audit_lines SET version = CASE version WHEN 5 THEN 96 WHEN 6 THEN 95 END "
            "WHERE user_code = 'VERA2345' AND version IN (5, 6);"
            "UPDATE audit_lines SET version = version - 90 WHERE version > 90"
        ),
        Finding(Kind.SWAPPED, "VERA2345", 5),
    ),
    "a truncated tail": (
        "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 7",
        Finding(Kind.TRUNCATED, "VERA2345", 7),
    ),
    "an anchor that is gone": (
        "DELETE FROM audit_anchors WHERE user_code = 'VERA2345'",
        Finding(Kind.DELETED, "VERA2345", 4),
    ),
    "an anchor that was moved on": (
        (
            "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 5;"
            "UPDATE audit_anchors SET version = 5, head = {head} WHERE user_code = 'VERA2345'"
        ),
        Finding(Kind.FALSE_ANCHOR, "VERA2345", 5),
    ),
    "an anchor that is another's": (
        (
            "UPDATE audit_anchors SET signature = (SELECT o.signature FROM audit_anchors AS o "
            "WHERE o.user_code = 'OMAR6789') WHERE user_code = 'VERA2345'"
        ),
        Finding(Kind.FALSE_ANCHOR, "VERA2345", 4),
    ),
}


def _do(branch: Branch, statements: str) -> None:
    query = "SELECT line, head FROM audit_lines WHERE user_code = 'VERA2345' AND version = {}"
    heads, lines = branch.rows(query.format(5)), branch.rows(query.format(6))
    for statement in statements.split(";"):
        if "{line}" in statement:
            line = lines[0][0]
            flipped = line[:40] + bytes([line[40] ^ 1]) + line[41:]
            branch.change(statement.replace("{line}", "?"), flipped)
        elif "{head}" in statement:
            branch.change(statement.replace("{head}", "?"), heads[0][1])
        else:
            branch.change(statement)


@pytest.mark.parametrize("what", _DONE)
async def test_what_was_done_is_told(branch: Branch, aged: Sealing, what: str) -> None:
    """Live and on an export: by its name, and never as something that the rule did."""
    await _prune(aged)
    statements, expected = _DONE[what]
    _do(branch, statements)
    assert (await _audit(aged)).findings == [expected]
    target = aged.folder / "export"
    await write_export(aged.store, target, stream=(aged.stream, KEY.public))
    report = audit_export(target, KEY.public)
    assert (report.findings, report.damaged) == ([expected], [])


async def test_a_restored_backup(branch_on_file: Branch, tmp_path: Path) -> None:
    """Of before the pruning and after: each is told as what it is."""
    aged = await _aged(branch_on_file, tmp_path)
    before = branch_on_file.place.everything()
    await _prune(aged)
    branch_on_file.clock.forward(minutes=1)
    after = branch_on_file.place.everything()
    await live(branch_on_file, first_atc=9)
    with aged.sealer() as sealer:
        await sealer.seal()
    for backup in (before, after):
        for table in ("audit_lines", "audit_anchors", "access"):
            branch_on_file.change(f"DELETE FROM {table}")  # noqa: S608 -- the schema's own names
            for row in backup[table]:
                marks = ", ".join("?" * len(row))
                branch_on_file.change(f"INSERT INTO {table} VALUES ({marks})", *row)  # noqa: S608
        assert sorted((await _audit(aged)).findings, key=str) == [
            Finding(Kind.ROLLED_BACK, "OMAR6789", 3),
            Finding(Kind.ROLLED_BACK, "VERA2345", 7),
        ]


async def test_an_export_of_a_pruned_chain(branch_on_file: Branch, tmp_path: Path) -> None:
    """It is whole; a damaged row of its anchors is told."""
    aged = await _aged(branch_on_file, tmp_path)
    await _prune(aged)
    target = aged.folder / "export"
    await write_export(aged.store, target, stream=(aged.stream, KEY.public))
    whole = Report(customers=3, lines=5, sealed=3, pruned=2)
    assert audit_export(target, KEY.public) == whole
    anchors = target / "anchors.jsonl"
    text = anchors.read_text()
    anchors.write_text(text.replace('"at":"2027', '"at":"2O27'))
    assert {one.kind for one in audit_export(target, KEY.public).findings} == {Kind.FALSE_ANCHOR}
    anchors.write_text(text.replace('"at"', '"At"', 1))
    assert audit_export(target, KEY.public).damaged == [("anchors.jsonl", 1)]


async def test_a_pruning_while_an_export_is_written(
    branch_on_file: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between anchors and lines: what is written is of one moment."""
    aged = await _aged(branch_on_file, tmp_path)
    from sesame.bank import export  # noqa: PLC0415 -- to stand in its way

    real, pruned = export._write_rows, list[Pruned]()  # noqa: SLF001

    async def late(*arguments: object) -> int:
        if not pruned:
            pruned.append(await _prune(aged))
        return await real(*arguments)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(export, "_write_rows", late)
    target = aged.folder / "export"
    assert await write_export(aged.store, target, stream=(aged.stream, KEY.public)) == 5
    assert pruned == [_GONE]
    assert audit_export(target, KEY.public) == Report(customers=3, lines=5, sealed=3, pruned=2)


async def test_a_pruning_while_a_chain_is_looked_at(
    branch_on_file: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its anchor and its lines: it is looked at again."""
    aged = await _aged(branch_on_file, tmp_path)
    from sesame.bank import auditing  # noqa: PLC0415 -- to stand in its way

    asked = list[object]()

    def late(connection: Connection, keys: Sequence[Key]) -> object:
        asked.append(keys)
        return {} if len(asked) == 1 else find_anchors(connection, keys)

    await _prune(aged)
    monkeypatch.setattr(auditing, "find_anchors", late)
    assert await _closely(aged.store, None, VERA.user_code, KEY.public) is None
    assert len(asked) == 3


def test_an_anchor_is_signed_as_a_whole() -> None:
    """By that key, over each of its fields."""
    anchor = new_anchor("VERA2345", Head(4, bytes(32)), at=5, key=KEY)
    assert is_signed(anchor, KEY.public)
    assert not is_signed(anchor, OTHER_KEY.public)
    for change in (
        {"user_code": "OMAR6789"},
        {"version": 5},
        {"head": bytes(31) + b"\x01"},
        {"at": 6},
        {"at": 2**62},
        {"signature": bytes(64)},
    ):
        assert not is_signed(anchor._replace(**change), KEY.public)


# ── The stream ───────────────────────────────────────────────────────────────────────────────────


async def test_old_files_of_the_stream(branch_on_file: Branch, tmp_path: Path) -> None:
    """The first ones go, as far as none is young, held or the last; the rest is whole."""
    aged = await _aged(branch_on_file, tmp_path)
    old = partial(old_segments, aged.stream, KEY.public)
    now = branch_on_file.clock()
    assert old(before=now - timedelta(days=401), holds=[]).numbers == range(1, 1)
    assert old(before=now + timedelta(days=1), holds=[]).numbers == range(1, 2)  # the last stays
    of_omar = HoldRow(user_code=OMAR.user_code, set_at=0, set_by="x", reason="y")
    held = old(before=now - timedelta(days=396), holds=[of_omar])
    assert (held.numbers, held.held) == (range(1, 1), True)
    alone = old(before=now - timedelta(days=396), holds=[])
    assert alone.numbers == range(1, 1)  # the last of the old ones stays
    branch_on_file.clock.forward(days=1)
    with aged.sealer() as sealer:
        await sealer.seal()
    found = old(before=now + timedelta(hours=1), holds=[])
    assert (found.numbers, found.held) == (range(1, 2), False)
    remove_segments(aged.stream, found)
    remove_segments(aged.stream, found)  # as after a kill
    assert [one.number for one in read_sealed(aged.stream, KEY.public)] == [2, 3]
    with aged.sealer() as sealer:
        assert (await sealer.seal()).findings == []
    empty = tmp_path / "empty"
    empty.mkdir()
    assert old_segments(empty, KEY.public, before=now, holds=[]).numbers == range(1, 1)
