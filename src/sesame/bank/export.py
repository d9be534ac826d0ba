"""An export: chains with what was sealed of them, to be audited where there is no database.

A folder of files of JSON rows; docs/reference/audit.md has them. It names user codes, and holds
neither addresses nor the salts that would open a line's commitments.
"""

import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.anchor import false_anchor, start_of
from sesame.bank.audit import moment, read_moment
from sesame.bank.audit_chain import Chain, Finding, Head, Kind, Row, diagnose
from sesame.bank.auditing import Report
from sesame.bank.endings import Ends, Reach
from sesame.bank.errors import ExportUnusable, FalseSeal, NoSuchCustomer
from sesame.bank.merkle import Side, leaf_hash, path_of, root_above, tree_root
from sesame.bank.moments import from_row
from sesame.bank.seal import Seal, SignedSeal, check_seal, fingerprint
from sesame.bank.stream import Leaf, Segment, StreamedLine, ends_of, read_ends, read_sealed
from sesame.custody.seal_key import encode_public
from sesame.store.buckets import bucket_of
from sesame.store.chains import (
    BEFORE_ALL,
    ChainHead,
    ChainLine,
    Key,
    find_heads,
    read_chain_lines,
    read_heads,
)
from sesame.store.engine import Store
from sesame.store.errors import SegmentLost
from sesame.store.incarnation import read_restored_at
from sesame.store.loaded_export import LoadedExport, loading
from sesame.store.retention import AnchorRow, find_anchors

_ABOUT, _LINES, _HEADS, _ANCHORS, _SEALS, _KEY = (
    "export.json",
    "lines.jsonl",
    "heads.jsonl",
    "anchors.jsonl",
    "seals.jsonl",
    "public-key.pem",
)
_CUSTOMERS = 500  # of a page
_PAGE = 2_000  # lines
_HIGHEST = 2**63 - 1  # no version is higher

_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Version = Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST)]
_Entry = TypeVar("_Entry")


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an export is."""

    format: Literal["sesame-audit-export"] = "sesame-audit-export"
    v: Literal[1] = 1
    user_code: str  # of whom; empty: of everybody
    key: str  # fingerprint of the key behind the seals; empty: there are none with it
    # When the database was last seen to be restored, as lines write a moment; none: never.
    restored_at: str | msgspec.UnsetType = msgspec.UNSET


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_code: str
    version: _Version
    line: str

    def __repr__(self) -> str:
        return "_Line()"

    head: _Hash
    leaf: _Hash  # of user code, version and head, so that damage to any of them shows


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_code: str
    version: _Version
    head: _Hash
    leaf: _Hash


class _Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_code: str
    version: _Version
    head: _Hash
    at: str  # when it was pruned, as lines write a moment
    signature: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{128}\Z")]


class _Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    seal: str
    signature: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{128}\Z")]
    leaves: list[tuple[str, _Version, _Hash]]
    path: list[tuple[Side, _Hash]] | None = None  # from the one leaf there is; else all are there


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────


async def write_export(
    store: Store,
    target: Path,
    *,
    user_code: str = "",
    stream: tuple[Path, Ed25519PublicKey] | None = None,
) -> int:
    """Export everybody's chains, or those of *user_code*, and return how many lines that were.

    *target* is a new folder, or a new file of `tar` if it is called so. *stream*: the folder
    with the seals and the key behind them.

    Raises:
        ExportUnusable: there is something at *target*, or it cannot be written.
        NoSuchCustomer: nobody has *user_code*.
        FalseSeal: the stream is not as the key sealed it; nor SegmentLost: whole.
        StoreUnavailable: the database did not answer.
    """
    _check_free(target)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
            folder = Path(name) / target.stem
            folder.mkdir(mode=0o700)
            # Seals first: what is read of the database afterwards cannot be earlier.
            restored_at = await store.read(read_restored_at)
            _write_seals(folder, user_code, stream, restored_at)
            lines = await _write_chains(store, folder, user_code)
            _finish(folder, target)
    except OSError as refusal:
        raise ExportUnusable(target, str(refusal.strerror)) from None
    return lines


def _check_free(target: Path) -> None:
    if os.path.lexists(target):
        raise ExportUnusable(target, "it exists already, and nothing is written over")


def _finish(folder: Path, target: Path) -> None:
    if target.suffix != ".tar":
        folder.rename(target)
        return
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, f"{target.stem}/{file.name}")
    archive.chmod(0o600)
    archive.rename(target)


def _write_seals(
    folder: Path,
    user_code: str,
    stream: tuple[Path, Ed25519PublicKey] | None,
    restored_at: int | None,
) -> None:
    key = "" if stream is None else fingerprint(stream[1]).hex()
    restored = msgspec.UNSET if restored_at is None else moment(from_row(restored_at))
    about = _About(user_code=user_code, key=key, restored_at=restored)
    (folder / _ABOUT).write_bytes(_encode(about) + b"\n")
    if stream is None:
        return
    (folder / _KEY).write_bytes(encode_public(stream[1]))
    with (folder / _SEALS).open("wb") as file:
        for segment in read_sealed(*stream):
            if (row := _seal_row(segment, user_code)) is not None:
                file.write(_encode(row) + b"\n")


def _seal_row(segment: Segment, user_code: str) -> _Seal | None:
    """The seal with all its leaves; or with the one of *user_code* and the way from it."""
    leaves, path = segment.leaves, None
    if user_code:
        place = next((at for at, leaf in enumerate(leaves) if leaf.user_code == user_code), None)
        if place is None:
            return None
        way = path_of([leaf.hash for leaf in leaves], place)
        path = [(side, neighbour.hex()) for side, neighbour in way]
        leaves = [leaves[place]]
    return _Seal(
        segment.seal.text.decode(),
        segment.seal.signature.hex(),
        [(leaf.user_code, leaf.version, leaf.head.hex()) for leaf in leaves],
        path,
    )


async def _write_chains(store: Store, folder: Path, user_code: str) -> int:
    with (
        (folder / _HEADS).open("wb") as heads_file,
        (folder / _LINES).open("wb") as lines_file,
        (folder / _ANCHORS).open("wb") as anchors_file,
    ):
        files = (heads_file, lines_file, anchors_file)
        if user_code:
            key = (bucket_of(user_code), user_code)
            heads = await _one(store, key)
            return await _write_page(store, files, heads, (*key, 0), key)
        count, after = 0, BEFORE_ALL
        while True:
            heads = await store.read(partial(read_heads, after=after, most=_CUSTOMERS))
            full = len(heads) == _CUSTOMERS
            until = (heads[-1].bucket, heads[-1].user_code) if full else None
            count += await _write_page(store, files, heads, (*after, _HIGHEST), until)
            if until is None:
                return count
            after = until


async def _write_page(
    store: Store,
    files: tuple[BinaryIO, BinaryIO, BinaryIO],
    heads: Sequence[ChainHead],
    beyond: tuple[int, str, int],
    until: Key | None,
) -> int:
    """Write *heads*, and the lines from *beyond* to those of *until*; how many lines."""
    keys = [(head.bucket, head.user_code) for head in heads]
    places = [file.tell() for file in files]
    while True:
        anchors = await store.read(partial(find_anchors, keys=keys))
        count = await _write_rows(store, files, heads, (beyond, until))
        for anchor in anchors.values():
            files[2].write(_encode(_anchor_row(anchor)) + b"\n")
        if anchors == await store.read(partial(find_anchors, keys=keys)):
            return count
        for file, place in zip(files, places, strict=True):  # somebody pruned meanwhile
            file.seek(place)
            file.truncate()


async def _write_rows(
    store: Store,
    files: tuple[BinaryIO, BinaryIO, BinaryIO],
    heads: Sequence[ChainHead],
    between: tuple[tuple[int, str, int], Key | None],
) -> int:
    heads_file, lines_file, _ = files
    beyond, until = between
    heads = [head for head in heads if head.bucket == bucket_of(head.user_code)]
    for head in heads:
        heads_file.write(_encode(_head_row(head)) + b"\n")
    standing = {head.user_code: head.version for head in heads}
    count = 0
    while page := await store.read(partial(read_chain_lines, after=beyond, last=until, most=_PAGE)):
        beyond = page[-1][:3]
        for line in page:
            # What came after the head was read is not of this export; what stands in the wrong
            # bucket is.
            misplaced = line.bucket != bucket_of(line.user_code)
            if misplaced or line.version <= standing.get(line.user_code, _HIGHEST):
                lines_file.write(_encode(_line_row(line)) + b"\n")
                count += 1
    return count


async def _one(store: Store, key: Key) -> Sequence[ChainHead]:
    heads = await store.read(partial(find_heads, keys=[key]))
    if not heads:
        raise NoSuchCustomer
    return list(heads.values())


def _head_row(head: ChainHead) -> _Head:
    leaf = _leaf(head.user_code, head.version, head.head)
    return _Head(head.user_code, head.version, head.head.hex(), leaf)


def _anchor_row(anchor: AnchorRow) -> _Anchor:
    at = moment(from_row(anchor.at))
    return _Anchor(anchor.user_code, anchor.version, anchor.head.hex(), at, anchor.signature.hex())


def _line_row(line: ChainLine) -> _Line:
    leaf = _leaf(line.user_code, line.version, line.head)
    # A line that is no text is told of by whoever audits the database, not hidden here.
    text = line.line.decode(errors="replace")
    return _Line(line.user_code, line.version, text, line.head.hex(), leaf)


def _leaf(user_code: str, version: int, head: bytes) -> str:
    """The leaf beside a row; none that fits where the version is none that a line can have."""
    return leaf_hash(user_code, version, head).hex() if version >= 1 else ""


def is_export(source: Path) -> bool:
    """Whether there is an export at *source*: a folder, or a file of `tar`."""
    if source.is_dir():
        return (source / _ABOUT).is_file()
    try:
        with tarfile.open(source, "r:") as tar:
            return any(Path(name).name == _ABOUT for name in tar.getnames())
    except (OSError, tarfile.TarError):
        return False


def lines_of_export(source: Path) -> Iterator[StreamedLine]:
    """The lines of the export at *source*; nothing vouches for them.

    Raises:
        ExportUnusable: one is damaged, or it cannot be read.
    """
    with _opened(source) as folder:
        for text in _texts(folder, _LINES):
            try:
                row = _decode_line(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise ExportUnusable(source, f"{_LINES} is damaged") from None
            yield StreamedLine(row.user_code, row.version, row.line.encode())


def remove_export(source: Path) -> None:
    """Remove the export at *source*; what is left of it after a kill is an export still.

    Raises:
        ExportUnusable: the system refuses.
    """
    try:
        if source.is_dir():
            for file in source.iterdir():
                if file.name != _ABOUT:
                    file.unlink()
            (source / _ABOUT).unlink()
            source.rmdir()
        else:
            source.unlink()
    except OSError as refusal:
        raise ExportUnusable(source, str(refusal.strerror)) from None


# ── Auditing ─────────────────────────────────────────────────────────────────────────────────────


def audit_export(source: Path, key: Ed25519PublicKey | None, stream: Path | None = None) -> Report:
    """Look at every chain of the export at *source*, and with the public *key* at the seals.

    *stream*: seals that know more than those in the export, of the same key.

    Raises:
        ExportUnusable: it is no export, or cannot be read.
        FalseSeal: a seal is not what *key* sealed; SegmentLost: one is not there.
    """
    with _opened(source) as folder, loading() as loaded:
        about = _about(folder, source)
        if key is not None and about.key != fingerprint(key).hex():
            raise ExportUnusable(source, "it has no seals, or those of another key")
        _check_files(folder, source, with_seals=key is not None)
        report = Report(reach=Reach(_restored_at(about, source)))
        _load_lines(folder, loaded, report)
        _load_heads(folder, loaded, report)
        _load_anchors(folder, loaded, report)
        if key is not None:
            seals = [*_load_seals(folder, about, key, loaded)]
            if stream is not None:
                seals += _load_stream(stream, about, key, loaded)
            report.latest = max(seals, key=_number, default=None)
            if not about.user_code:  # of whom only those seals are there that know of them
                report.earliest = min(seals, key=_number, default=None)
        loaded.ready()
        if about.user_code and list(loaded.customers()) != [about.user_code]:
            raise ExportUnusable(source, f"it is not of {about.user_code} alone")
        for code in loaded.customers():
            _look_at(code, loaded, report, key)
        if key is not None:
            report.tell_cut_off(_ends(folder))
            if stream is not None:
                report.tell_cut_off(read_ends(stream, key))
    return report


def _look_at(code: str, loaded: LoadedExport, report: Report, key: Ed25519PublicKey | None) -> None:
    head, sealed = loaded.head_of(code), loaded.sealed_of(code)
    standing, under_seal = head and Head(*head), sealed and Head(*sealed)
    anchor = loaded.anchor_of(code)
    start = start_of(anchor)
    chain = Chain(under_seal, start)
    for line in loaded.lines_of(code):
        chain.feed(Row(*line))
    report.customers += 1
    report.lines += chain.rows
    report.sealed += sealed is not None
    report.pruned += anchor is not None
    if finding := false_anchor(anchor, key):
        report.add(finding)
    elif not chain.is_whole(standing):
        rows = [Row(*line) for line in loaded.lines_of(code)]
        report.add(diagnose(code, rows, standing, under_seal, start=start))
    else:
        report.reach.take(chain.sealed_at)


def _load_lines(folder: Path, loaded: LoadedExport, report: Report) -> None:
    def whole() -> Iterator[tuple[str, int, bytes, bytes]]:
        for row in _rows(folder, _LINES, _Line, report):
            yield row.user_code, row.version, row.line.encode(), bytes.fromhex(row.head)

    loaded.add_lines(whole())


def _load_heads(folder: Path, loaded: LoadedExport, report: Report) -> None:
    for row in _rows(folder, _HEADS, _Head, report):
        if not loaded.add_head(row.user_code, row.version, bytes.fromhex(row.head)):
            report.add(Finding(Kind.ADDED, row.user_code, row.version))


def _load_anchors(folder: Path, loaded: LoadedExport, report: Report) -> None:
    def whole() -> Iterator[AnchorRow]:
        for row in _rows(folder, _ANCHORS, _Anchor, report):
            at = read_moment(row.at)
            at = -1 if at is None else at  # which nobody signed
            head, signature = bytes.fromhex(row.head), bytes.fromhex(row.signature)
            yield AnchorRow(
                bucket_of(row.user_code), row.user_code, row.version, head, at, signature
            )

    loaded.add_anchors(whole())


def _rows(folder: Path, name: str, kind: type[_Entry], report: Report) -> Iterator[_Entry]:
    """The rows of a file that are as they were written; the others are reported."""
    decode = msgspec.json.Decoder(kind).decode
    for number, text in enumerate(_texts(folder, name), 1):
        try:
            row = decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            report.add_damage(name, number)
            continue
        if _encode(row) + b"\n" == text and _leaf_fits(row):
            yield row
        else:
            report.add_damage(name, number)


def _leaf_fits(row: object) -> bool:
    if isinstance(row, _Anchor):
        return True  # it is signed instead
    assert isinstance(row, _Line | _Head)  # noqa: S101 -- we call it with no other
    return leaf_hash(row.user_code, row.version, bytes.fromhex(row.head)).hex() == row.leaf


def _load_seals(
    folder: Path, about: _About, key: Ed25519PublicKey, loaded: LoadedExport
) -> list[Seal]:
    """Check every seal of the export, and remember what is under it; the first and the last."""
    before: SignedSeal | None = None
    ends: list[Seal] = []
    for text in _texts(folder, _SEALS):
        try:
            row = _decode_seal(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise FalseSeal(f"a row of {_SEALS} is damaged") from None
        signed = SignedSeal(row.seal.encode(), bytes.fromhex(row.signature))
        seal = check_seal(signed, key)
        if _encode(row) + b"\n" != text or _root(row) != seal.root:
            raise FalseSeal(f"what stands under number {seal.number} is not what was sealed")
        # An export of one customer has only the seals that know of them.
        if not about.user_code and before is not None:
            if seal.number != before.seal.number + 1:
                raise SegmentLost(folder, before.seal.number + 1)
            if seal.prev != before.hash.hex():
                raise FalseSeal(f"number {seal.number} does not follow the seal before it")
        before = signed
        ends = [*ends[:1], seal]
        loaded.add_sealed(
            (code, version, bytes.fromhex(head)) for code, version, head in row.leaves
        )
    return ends


def _number(seal: Seal) -> int:
    return seal.number


def _ends(folder: Path) -> Iterator[Ends]:
    """Of each seal of the export, which was checked: when it was made, and how far it goes."""
    for text in _texts(folder, _SEALS):
        row = _decode_seal(text)
        seal = SignedSeal(row.seal.encode(), bytes.fromhex(row.signature)).seal
        yield ends_of(seal, (Leaf(code, version, b"") for code, version, _ in row.leaves))


def _root(row: _Seal) -> str:
    leaves = [leaf_hash(code, version, bytes.fromhex(head)) for code, version, head in row.leaves]
    if row.path is None:
        return tree_root(leaves).hex()
    if len(leaves) != 1:
        return ""
    path = [(side, bytes.fromhex(neighbour)) for side, neighbour in row.path]
    return root_above(leaves[0], path).hex()


def _load_stream(
    stream: Path, about: _About, key: Ed25519PublicKey, loaded: LoadedExport
) -> list[Seal]:
    """Check every seal of *stream*, and remember what is under it; the first and the last."""

    def known(leaves: Sequence[Leaf]) -> Iterator[tuple[str, int, bytes]]:
        for leaf in leaves:
            if about.user_code in {"", leaf.user_code}:
                yield leaf.user_code, leaf.version, leaf.head

    ends: list[Seal] = []
    for segment in read_sealed(stream, key):
        loaded.add_sealed(known(segment.leaves))
        ends = [*ends[:1], segment.seal.seal]
    return ends


def _about(folder: Path, source: Path) -> _About:
    try:
        text = (folder / _ABOUT).read_bytes()
        about = msgspec.json.decode(text, type=_About)
    except OSError as refusal:
        raise ExportUnusable(source, str(refusal.strerror)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ExportUnusable(source, f"{_ABOUT} is damaged, or this is no export") from None
    if _encode(about) + b"\n" != text:
        raise ExportUnusable(source, f"{_ABOUT} is not as it was written")
    return about


def _restored_at(about: _About, source: Path) -> int | None:
    if about.restored_at is msgspec.UNSET:
        return None
    at = read_moment(about.restored_at)
    if at is None:
        raise ExportUnusable(source, f"{_ABOUT} is damaged, or this is no export")
    return at


def _check_files(folder: Path, source: Path, *, with_seals: bool) -> None:
    """See that what was written is there: a copy may end between two files."""
    for name in (_LINES, _HEADS, _SEALS) if with_seals else (_LINES, _HEADS):
        if not (folder / name).is_file():
            raise ExportUnusable(source, f"{name} is not there")


def _texts(folder: Path, name: str) -> Iterator[bytes]:
    try:
        with (folder / name).open("rb") as file:
            yield from file
    except FileNotFoundError:
        return  # it may be absent, or `_check_files` misses it
    except OSError as refusal:
        raise ExportUnusable(folder, f"{name}: {refusal.strerror}") from None


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """The folder of the export at *source*, which may be a file of `tar`."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="sesame-audit-") as name:
        folder = Path(name)
        try:
            with tarfile.open(source, "r:") as tar:
                for member in tar:
                    if member.isfile():
                        member.name = Path(member.name).name
                        tar.extract(member, folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise ExportUnusable(source, f"no folder and no tar file ({error})") from None
        yield folder


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_seal = msgspec.json.Decoder(_Seal).decode
