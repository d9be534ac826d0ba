"""The audit stream: lines with the seal over them, in numbered files off the host.

One file a seal: a first row that says which, a row for each line, a last row with the seal. It
names user codes in clear, so it is as secret as the database. docs/reference/audit.md has the
rows, docs/decisions/0026 the reasons.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.audit import line_hash
from sesame.bank.endings import Ends
from sesame.bank.errors import FalseSeal
from sesame.bank.merkle import leaf_hash, tree_root
from sesame.bank.moments import to_row
from sesame.bank.seal import Seal, SignedSeal, check_seal
from sesame.store.segments import read_segments, segment_numbers


class StreamedLine(msgspec.Struct, frozen=True):
    """An audit line, and whose it is."""

    user_code: str
    version: int
    line: bytes

    def __repr__(self) -> str:
        return f"StreamedLine({self.user_code}, {self.version})"


class Leaf(msgspec.Struct, frozen=True):
    """Where a customer's chain stood: a leaf of a seal's tree."""

    user_code: str
    version: int
    head: bytes  # 32 bytes

    @property
    def hash(self) -> bytes:
        """The leaf as the tree has it."""
        return leaf_hash(self.user_code, self.version, self.head)


class Segment(msgspec.Struct, frozen=True):
    """What one file of the stream holds."""

    number: int
    lines: Sequence[StreamedLine]  # by user code and version
    seal: SignedSeal

    @property
    def leaves(self) -> list[Leaf]:
        """The last line of each customer, by user code: what the seal's tree is made of."""
        return leaves_of(self.lines)


def leaves_of(lines: Sequence[StreamedLine]) -> list[Leaf]:
    """The heads to which *lines*, in order, lead."""
    last = {line.user_code: line for line in lines}
    return [Leaf(code, line.version, line_hash(line.line)) for code, line in last.items()]


def read_stream(folder: Path, key: Ed25519PublicKey | None = None) -> Iterator[StreamedLine]:
    """Every line of the stream in *folder*, in the order in which they were sealed.

    Of one customer they come by version. With the sealer's public *key* each seal is checked
    before its lines are given out; without it nothing vouches for them.

    Raises:
        FalseSeal: a seal, or a line under it, is not as it was sealed.
        SegmentLost: a file is not there.
        StreamUnreadable: the system refuses.
    """
    for segment in read_sealed(folder, key):
        yield from segment.lines


def read_sealed(folder: Path, key: Ed25519PublicKey | None, *, first: int = 0) -> Iterator[Segment]:
    """The segments in *folder* from number *first* on, each behind the one before.

    Raises:
        FalseSeal: as `read_stream`; also a seal that does not follow the one before.
        SegmentLost: a file is not there.
        StreamUnreadable: the system refuses.
    """
    before: SignedSeal | None = None
    for number, content in read_segments(folder, first):
        segment = decode_segment(content)
        if segment.number != number:
            raise FalseSeal(f"file {number} says that it is number {segment.number}")
        if key is not None:
            check_segment(segment, key)
        if before is not None and segment.seal.seal.prev != before.hash.hex():
            raise FalseSeal(f"number {number} does not follow the seal before it")
        before = segment.seal
        yield segment


def latest_seal(folder: Path, key: Ed25519PublicKey) -> Seal | None:
    """The last seal that arrived in *folder*; None where none did.

    Raises:
        FalseSeal: it is not what *key* sealed.
        SegmentLost: a file is not there.
        StreamUnreadable: the system refuses.
    """
    numbers = segment_numbers(folder)
    latest = list(read_sealed(folder, key, first=numbers.stop - 1)) if numbers else []
    return latest[-1].seal.seal if latest else None


def earliest_seal(folder: Path, key: Ed25519PublicKey) -> Seal | None:
    """The first seal that is left in *folder*; None where there is none.

    Raises:
        FalseSeal, SegmentLost, StreamUnreadable: as `latest_seal`.
    """
    earliest = next(read_sealed(folder, key), None)
    return None if earliest is None else earliest.seal.seal


def read_ends(folder: Path, key: Ed25519PublicKey) -> Iterator[Ends]:
    """When each seal in *folder* was made, and how far the customers under it went, in order.

    Raises:
        FalseSeal, SegmentLost, StreamUnreadable: as `read_sealed`.
    """
    for segment in read_sealed(folder, key):
        yield ends_of(segment.seal.seal, segment.leaves)


def ends_of(seal: Seal, leaves: Iterable[Leaf]) -> Ends:
    """When *seal* was made, and how far the customers of its *leaves* went."""
    at = to_row(datetime.fromisoformat(seal.at))
    return at, [(leaf.user_code, leaf.version) for leaf in leaves]


def check_segment(segment: Segment, key: Ed25519PublicKey) -> None:
    """Make sure that *key* has sealed just these lines.

    Raises:
        FalseSeal: another one did, or these are others.
    """
    seal = check_seal(segment.seal, key)
    leaves = segment.leaves
    linked = all(
        after.user_code > line.user_code or follows(line, after)
        for line, after in pairwise(segment.lines)
    )
    root = tree_root([leaf.hash for leaf in leaves]).hex()
    said = (seal.number, seal.count, seal.lines, seal.root)
    if not linked or said != (segment.number, len(leaves), len(segment.lines), root):
        raise FalseSeal(f"the lines of number {segment.number} are not those that were sealed")


def follows(line: StreamedLine, after: StreamedLine) -> bool:
    """Whether *after* is the next line of the same chain."""
    if (after.user_code, after.version) != (line.user_code, line.version + 1):
        return False
    try:
        return _prev(after.line).prev == line_hash(line.line).hex()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


# ── Between segments and bytes ───────────────────────────────────────────────────────────────────


class _Prev(msgspec.Struct):
    """What a line says of the one before."""

    prev: str


class _First(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal["sesame-audit-stream"] = "sesame-audit-stream"
    v: Literal[1] = 1
    number: Annotated[int, msgspec.Meta(ge=1)]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_code: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    line: str

    def __repr__(self) -> str:
        return "_Row()"


class _Last(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seal: str
    signature: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{128}\Z")]


def encode_segment(segment: Segment) -> bytes:
    """A segment as its file holds it: a JSON object a row."""
    signed = segment.seal
    rows = [
        _encode(_First(number=segment.number)),
        *(
            _encode(_Row(line.user_code, line.version, line.line.decode()))
            for line in segment.lines
        ),
        _encode(_Last(signed.text.decode(), signed.signature.hex())),
    ]
    return b"\n".join(rows) + b"\n"


def decode_segment(content: bytes) -> Segment:
    """The segment in *content*, which only looks right so far.

    Raises:
        FalseSeal: it is cut short, damaged, or none at all.
    """
    try:
        head, *body, tail, end = content.split(b"\n")
        first, last = _first(head), _last(tail)
        rows = [_row(row) for row in body]
    except (ValueError, msgspec.DecodeError):  # UnicodeDecodeError is a ValueError
        raise FalseSeal("a file of the stream is damaged, cut short, or none of it") from None
    segment = Segment(
        first.number,
        [StreamedLine(row.user_code, row.version, row.line.encode()) for row in rows],
        SignedSeal(last.seal.encode(), bytes.fromhex(last.signature)),
    )
    if end or encode_segment(segment) != content:
        raise FalseSeal(f"file {first.number} of the stream is not in its one spelling")
    return segment


_encode = msgspec.json.Encoder(order="sorted").encode
_prev = msgspec.json.Decoder(_Prev).decode
_first = msgspec.json.Decoder(_First).decode
_row = msgspec.json.Decoder(_Row).decode
_last = msgspec.json.Decoder(_Last).decode
