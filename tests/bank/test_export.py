"""`sesame.bank.export`: what was done to an export is told by its name, without a database."""

import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.auditing import Report
from sesame.bank.errors import ExportUnusable, FalseSeal, NoSuchCustomer
from sesame.bank.export import audit_export, write_export
from sesame.bank.seal import fingerprint
from sesame.store.chains import ChainHead, Key, read_chain, read_heads
from sesame.store.errors import SegmentLost
from tests.bank.branch import DORA, OMAR, VERA, Branch, open_bank
from tests.bank.chains import KEY, OTHER_KEY, Sealing, begin_anew, live, sealing


@pytest.fixture
async def sealed(branch_on_file: Branch, tmp_path: Path) -> Sealing:
    """A bank on SQLite with seven lines under two seals."""
    return await _sealed(branch_on_file, tmp_path)


async def _sealed(branch: Branch, folder: Path) -> Sealing:
    sealed = sealing(branch, folder)
    with sealed.sealer() as sealer:
        await sealer.seal()
        await live(branch)
        await sealer.seal()
    return sealed


@pytest.fixture
async def export(sealed: Sealing) -> Path:
    """All of it, exported."""
    target = sealed.folder / "export"
    assert await write_export(sealed.store, target, stream=(sealed.stream, KEY.public)) == 7
    return target


def _rows(export: Path, name: str = "lines.jsonl") -> list[bytes]:
    return (export / name).read_bytes().splitlines(keepends=True)


def _write(export: Path, rows: list[bytes], name: str = "lines.jsonl") -> None:
    (export / name).write_bytes(b"".join(rows))


def _of_vera(export: Path) -> list[int]:
    """At which places Vera's four lines are."""
    return [at for at, row in enumerate(_rows(export)) if b'"VERA2345"' in row]


async def test_a_whole_export(branch: Branch, tmp_path: Path) -> None:
    """With the seals and without; of either database."""
    sealed = await _sealed(branch, tmp_path)
    export = tmp_path / "export"
    assert await write_export(sealed.store, export, stream=(sealed.stream, KEY.public)) == 7
    assert audit_export(export, KEY.public) == Report(customers=3, lines=7, sealed=3)
    assert audit_export(export, None) == Report(customers=3, lines=7)


async def test_pages_do_not_matter(
    branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few customers and lines are read at a time."""
    sealed = await _sealed(branch, tmp_path)
    stream = (sealed.stream, KEY.public)
    await write_export(sealed.store, sealed.folder / "one", stream=stream)
    monkeypatch.setattr("sesame.bank.export._CUSTOMERS", 1)
    monkeypatch.setattr("sesame.bank.export._PAGE", 2)
    await write_export(sealed.store, sealed.folder / "other", stream=stream)
    for file in (sealed.folder / "one").iterdir():
        assert (sealed.folder / "other" / file.name).read_bytes() == file.read_bytes()


async def test_a_login_between_two_reads(sealed: Sealing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came after the heads were read is not of this export."""

    def as_it_was(connection: Connection, *, after: Key, most: int) -> list[ChainHead]:
        heads = read_heads(connection, after=after, most=most)
        (place,) = [at for at, head in enumerate(heads) if head.user_code == VERA.user_code]
        third = read_chain(connection, heads[place][:2])[2]
        heads[place] = heads[place]._replace(version=3, head=third.head)
        return heads

    monkeypatch.setattr("sesame.bank.export.read_heads", as_it_was)
    target = sealed.folder / "earlier"
    assert await write_export(sealed.store, target) == 6
    assert audit_export(target, None) == Report(customers=3, lines=6)


async def test_one_customer_in_a_tar_file(sealed: Sealing) -> None:
    """Nobody else is in it; the way to each seal is."""
    target = sealed.folder / "vera.tar"
    stream = (sealed.stream, KEY.public)
    await write_export(sealed.store, target, user_code=VERA.user_code, stream=stream)
    assert audit_export(target, KEY.public) == Report(customers=1, lines=4, sealed=1)
    with tarfile.open(target) as tar:
        names = sorted(tar.getnames())
        assert names == [
            f"vera/{name}"
            for name in (
                "anchors.jsonl",
                "export.json",
                "heads.jsonl",
                "lines.jsonl",
                "public-key.pem",
                "seals.jsonl",
            )
        ]
        tar.extractall(sealed.folder / "out", filter="data")
    for file in (sealed.folder / "out" / "vera").iterdir():
        assert OMAR.user_code.encode() not in file.read_bytes()
    later = sealed.stream
    assert audit_export(target, KEY.public, later) == Report(customers=1, lines=4, sealed=1)


# ── The five manipulations ───────────────────────────────────────────────────────────────────────


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_one_flipped_byte(export: Path, data: st.DataObject) -> None:
    """Anywhere: in a line, a head or the file that says what it is; or in a seal."""
    folder = export.parent / "flipped"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(export, folder)
    name = data.draw(st.sampled_from(["lines.jsonl", "heads.jsonl", "seals.jsonl", "export.json"]))
    content = bytearray((folder / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(content)
    if name == "seals.jsonl":
        with pytest.raises(FalseSeal):
            audit_export(folder, KEY.public)
    elif name == "export.json":
        with pytest.raises(ExportUnusable):
            audit_export(folder, KEY.public)
    else:
        report = audit_export(folder, KEY.public)
        assert min(report.found) is Kind.ALTERED
        assert report.damaged or report.findings[0].kind is Kind.ALTERED


async def test_a_deleted_line(export: Path) -> None:
    """Between two others."""
    rows = _rows(export)
    del rows[_of_vera(export)[1]]
    _write(export, rows)
    assert audit_export(export, None).findings == [Finding(Kind.DELETED, "VERA2345", 2)]


async def test_a_swapped_order(export: Path) -> None:
    """Two whole rows that changed places."""
    rows = _rows(export)
    one, other = _of_vera(export)[1:3]
    rows[one], rows[other] = rows[other], rows[one]
    _write(export, rows)
    assert audit_export(export, None).findings == [Finding(Kind.SWAPPED, "VERA2345", 2)]


async def test_a_truncated_tail(export: Path) -> None:
    """A customer's last line; then the last row of the file, whoever's it is."""
    rows = _rows(export)
    del rows[_of_vera(export)[3]]
    _write(export, rows)
    assert audit_export(export, None).findings == [Finding(Kind.TRUNCATED, "VERA2345", 4)]
    _write(export, [])
    assert audit_export(export, None).found == {Kind.TRUNCATED: 3}


async def test_a_tail_cut_with_its_head(export: Path) -> None:
    """As if it had never been: only the seals know it."""
    rows = _rows(export)
    cut = rows.pop(_of_vera(export)[3])
    earlier = next(row for row in rows if b'"VERA2345"' in row and b'"version":3}' in row[-20:])
    heads = _rows(export, "heads.jsonl")
    at = next(at for at, row in enumerate(heads) if b'"VERA2345"' in row)
    heads[at] = _as_head(earlier)
    _write(export, rows)
    _write(export, heads, "heads.jsonl")
    assert cut
    assert audit_export(export, None).findings == []
    # Under the last seal of all: nobody goes on behind it, so it may have been a backup's.
    assert audit_export(export, KEY.public).findings == [Finding(Kind.ROLLED_BACK, "VERA2345", 3)]


async def test_a_tail_cut_with_its_head_while_others_go_on(sealed: Sealing) -> None:
    """No backup has another customer's line of a quarter of an hour later."""
    await _omar_goes_on(sealed)
    target = sealed.folder / "export"
    await write_export(sealed.store, target, stream=(sealed.stream, KEY.public))
    _cut_vera(target, left=2)
    assert audit_export(target, None).findings == []
    cut = audit_export(target, KEY.public)
    assert cut.findings == [Finding(Kind.TRUNCATED, "VERA2345", 3)]
    assert cut.found == {Kind.TRUNCATED: 1}
    # The same where only the stream knows of what is missing.
    _write(target, _rows(target, "seals.jsonl")[:1], "seals.jsonl")
    assert audit_export(target, KEY.public).findings == []
    assert audit_export(target, KEY.public, sealed.stream) == cut


async def _omar_goes_on(sealed: Sealing) -> None:
    """A quarter of an hour later, and it is sealed."""
    sealed.now.forward(minutes=15)
    bank = open_bank(sealed.folder / "the bank" / "sesame.db", name="later")
    branch = Branch(sealed.folder / "the bank" / "sesame.db", bank)
    branch.clock.at = sealed.now()
    await branch.login(OMAR, OMAR.card.code(5))
    await branch.close()
    sealed.now.forward(minutes=1)
    with sealed.sealer() as sealer:
        assert (await sealer.seal()).lines == 1


def _cut_vera(export: Path, *, left: int) -> None:
    """Cut her lines behind the first *left*, and set her head back to the last of these."""
    ours = [_rows(export)[at] for at in _of_vera(export)]
    _write(export, [row for row in _rows(export) if row not in ours[left:]])
    heads = _rows(export, "heads.jsonl")
    at = next(at for at, row in enumerate(heads) if b'"VERA2345"' in row)
    heads[at] = _as_head(ours[left - 1])
    _write(export, heads, "heads.jsonl")


def _as_head(line: bytes) -> bytes:
    begin, end = line.index(b'"line":'), line.index(b'"user_code":')
    return line[:begin] + line[end:]


async def test_a_restored_old_backup(
    branch_on_file: Branch, tmp_path: Path, enrolled: Path
) -> None:
    """An export of what was restored is whole by itself; the stream off the host knows more."""
    await live(branch_on_file)
    sealed = sealing(branch_on_file, tmp_path)
    with sealed.sealer() as sealer:
        await sealer.seal()
    old = sealing(branch_on_file, tmp_path)
    restored = tmp_path / "restored.db"
    shutil.copy(enrolled, restored)
    bank = open_bank(restored)
    await write_export(bank.store, tmp_path / "old", stream=(old.stream, KEY.public))
    await bank.store.close()
    report = audit_export(tmp_path / "old", KEY.public)
    assert report.found == {Kind.ROLLED_BACK: 2}
    assert audit_export(tmp_path / "old", None).findings == []


async def test_an_export_of_a_bank_that_was_restored(
    branch_on_file: Branch, tmp_path: Path, enrolled: Path
) -> None:
    """Life goes on after it: who has not come since is not taken for cut."""
    await live(branch_on_file)
    sealed = sealing(branch_on_file, tmp_path)
    with sealed.sealer() as sealer:
        await sealer.seal()
    restored = tmp_path / "restored.db"
    shutil.copy(enrolled, restored)
    branch = Branch(restored, open_bank(restored))
    branch.clock.at = branch_on_file.clock()
    branch.clock.forward(hours=1)
    await begin_anew(branch)
    branch.clock.forward(hours=1)
    await branch.fail(DORA.user_code, 1)
    with sealing(branch, tmp_path).sealer() as sealer:
        assert len((await sealer.seal()).findings) == 2
    await write_export(branch.bank.store, tmp_path / "on", stream=(sealed.stream, KEY.public))
    await branch.close()
    found = {Kind.ROLLED_BACK: 2}
    assert audit_export(tmp_path / "on", KEY.public).found == found
    about = tmp_path / "on" / "export.json"
    text = about.read_bytes()
    assert b'"restored_at":"2026-03-02T10:01' in text
    about.write_bytes(text.replace(b'"2026-03-02T10:01', b'"2026-13-02T10:01'))
    with pytest.raises(ExportUnusable, match="damaged"):
        audit_export(tmp_path / "on", KEY.public)


# ── Seals ────────────────────────────────────────────────────────────────────────────────────────


async def test_another_key(sealed: Sealing, export: Path) -> None:
    """What it says is its key, and what its seals say."""
    with pytest.raises(ExportUnusable, match="another key"):
        audit_export(export, OTHER_KEY.public)
    about = (export / "export.json").read_bytes()
    ours, other = (fingerprint(key.public).hex().encode() for key in (KEY, OTHER_KEY))
    (export / "export.json").write_bytes(about.replace(ours, other))
    with pytest.raises(FalseSeal, match="another key"):
        audit_export(export, OTHER_KEY.public)
    await write_export(sealed.store, sealed.folder / "plain")
    with pytest.raises(ExportUnusable, match="no seals"):
        audit_export(sealed.folder / "plain", KEY.public)


async def test_the_oldest_seals_may_be_gone(export: Path) -> None:
    """As the stream's oldest files may."""
    _write(export, _rows(export, "seals.jsonl")[1:], "seals.jsonl")
    assert audit_export(export, KEY.public) == Report(customers=3, lines=7, sealed=2)


@pytest.mark.parametrize("name", ["lines.jsonl", "heads.jsonl", "seals.jsonl"])
async def test_a_file_that_is_not_there(export: Path, name: str) -> None:
    """Nothing is whole without it, the seals the least."""
    (export / name).unlink()
    with pytest.raises(ExportUnusable, match=name):
        audit_export(export, KEY.public)


async def test_a_tar_file_that_was_cut_between_two_files(sealed: Sealing) -> None:
    """As a download may end: what is left is read without a complaint."""
    target = sealed.folder / "all.tar"
    await write_export(sealed.store, target, stream=(sealed.stream, KEY.public))
    with tarfile.open(target) as tar:
        last = tar.getmembers()[-1]
    assert last.name == "all/seals.jsonl"
    target.write_bytes(target.read_bytes()[: last.offset])
    with pytest.raises(ExportUnusable, match=r"seals\.jsonl"):
        audit_export(target, KEY.public)


async def test_how_far_the_seals_go(sealed: Sealing, export: Path) -> None:
    """The last one is told: whoever takes it away is seen by that; a stream may know more."""

    def latest(stream: Path | None = None) -> int:
        seal = audit_export(export, KEY.public, stream).latest
        return 0 if seal is None else seal.number

    assert latest() == 2
    _write(export, _rows(export, "seals.jsonl")[:1], "seals.jsonl")
    assert latest() == 1
    assert latest(sealed.stream) == 2
    _write(export, [], "seals.jsonl")
    assert latest() == 0
    assert audit_export(export, None).latest is None


async def test_a_head_too_many(export: Path) -> None:
    """Of two of one customer another reader might take the other."""
    heads = _rows(export, "heads.jsonl")
    _write(export, [*heads, heads[0]], "heads.jsonl")
    (finding,) = audit_export(export, KEY.public).findings
    assert finding.kind is Kind.ADDED


async def test_rows_that_no_bank_writes(branch: Branch, tmp_path: Path) -> None:
    """A version below 1; a line and a head in a bucket that is not theirs."""
    sealed = await _sealed(branch, tmp_path)
    branch.change("UPDATE audit_lines SET version = -1 WHERE user_code = 'DORA4567'")
    branch.change(
        "UPDATE audit_lines SET bucket = bucket + 1 WHERE user_code = 'VERA2345' AND version = 4"
    )
    branch.change("UPDATE access SET bucket = bucket + 1 WHERE user_code = 'OMAR6789'")
    await write_export(sealed.store, tmp_path / "export")
    report = audit_export(tmp_path / "export", None)
    assert [name for name, _ in report.damaged] == ["lines.jsonl"]
    assert {(one.kind, one.user_code) for one in report.findings} >= {
        (Kind.TRUNCATED, "DORA4567"),
        (Kind.ADDED, "OMAR6789"),
    }


async def test_an_export_that_is_of_somebody_else(sealed: Sealing) -> None:
    """Than it says."""
    await write_export(sealed.store, sealed.folder / "vera", user_code=VERA.user_code)
    about = sealed.folder / "vera" / "export.json"
    about.write_bytes(about.read_bytes().replace(b"VERA2345", b"VERA2344"))
    with pytest.raises(ExportUnusable, match="not of VERA2344 alone"):
        audit_export(about.parent, None)


def _first(rows: list[bytes]) -> list[bytes]:
    return [rows[0], rows[0]]


def _turned(rows: list[bytes]) -> list[bytes]:
    return rows[::-1]


@pytest.mark.parametrize("change", [_first, _turned])
async def test_a_seal_that_is_not_there(
    export: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Its number is missing."""
    _write(export, change(_rows(export, "seals.jsonl")), "seals.jsonl")
    with pytest.raises(SegmentLost):
        audit_export(export, KEY.public)


async def test_a_seal_of_another_stream(sealed: Sealing) -> None:
    """Of the same key and number, over the same lines: it does not follow the one before."""
    other = Sealing(sealed.folder / "other", sealed.store, sealed.now)
    other.folder.mkdir()
    with other.sealer() as sealer:
        await sealer.seal()
        await sealer.seal()
    seals = []
    for one in (sealed, other):
        target = one.folder / "export"
        await write_export(one.store, target, stream=(one.stream, KEY.public))
        seals.append(_rows(target, "seals.jsonl"))
    _write(sealed.folder / "export", [seals[0][0], seals[1][1]], "seals.jsonl")
    with pytest.raises(FalseSeal, match="does not follow"):
        audit_export(sealed.folder / "export", KEY.public)


async def test_leaves_of_another_seal(export: Path) -> None:
    """What stands beside a seal is not what is under it."""
    one, two = _rows(export, "seals.jsonl")
    leaves = one[one.index(b'"leaves"') : one.index(b',"seal"')]
    moved = two[: two.index(b'"leaves"')] + leaves + two[two.index(b',"seal"') :]
    _write(export, [one, moved], "seals.jsonl")
    with pytest.raises(FalseSeal, match="not what was sealed"):
        audit_export(export, KEY.public)


async def test_a_path_from_no_leaf(sealed: Sealing) -> None:
    """A seal that names nobody, with a way to its root."""
    target = sealed.folder / "vera"
    stream = (sealed.stream, KEY.public)
    await write_export(sealed.store, target, user_code=VERA.user_code, stream=stream)
    rows = _rows(target, "seals.jsonl")
    begin, end = rows[0].index(b'"leaves":[') + 10, rows[0].index(b',"path"') - 1
    rows[0] = rows[0][:begin] + rows[0][end:]
    _write(target, rows, "seals.jsonl")
    with pytest.raises(FalseSeal, match="not what was sealed"):
        audit_export(target, KEY.public)


# ── What cannot be read or written ───────────────────────────────────────────────────────────────


async def test_nothing_is_written_over(sealed: Sealing, export: Path) -> None:
    """Nor beside a folder that is not there; and nobody is not exported."""
    with pytest.raises(ExportUnusable, match="exists already"):
        await write_export(sealed.store, export)
    with pytest.raises(ExportUnusable, match="No such file"):
        await write_export(sealed.store, sealed.folder / "nowhere" / "export")
    with pytest.raises(NoSuchCustomer):
        await write_export(sealed.store, sealed.folder / "nobody", user_code="NEMO3333")
    assert not (sealed.folder / "nobody").exists()


def test_what_is_no_export(tmp_path: Path) -> None:
    """An empty folder, a file, nothing."""
    chance = random.Random(7)  # noqa: S311 -- any bytes
    (tmp_path / "file").write_bytes(chance.randbytes(2000))
    (tmp_path / "empty").mkdir()
    for name in ("file", "empty", "nothing"):
        with pytest.raises(ExportUnusable):
            audit_export(tmp_path / name, KEY.public)
