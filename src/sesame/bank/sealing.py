"""Sealing: each minute, what changed is signed and shipped off the host.

It reads the bank's database and writes nothing there; what it has sealed stands in a ledger of
its own, which can be made anew from the stream. docs/decisions/0026 has the reasons.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.anchor import is_signed
from sesame.bank.audit_chain import Finding, Head, Kind, Row, continuation
from sesame.bank.errors import FalseSeal
from sesame.bank.merkle import tree_root
from sesame.bank.moments import from_row, to_row
from sesame.bank.seal import NO_SEAL, SignedSeal, check_seal, fingerprint, new_seal, to_sign
from sesame.bank.stream import (
    Leaf,
    Segment,
    StreamedLine,
    check_segment,
    decode_segment,
    encode_segment,
    leaves_of,
    read_sealed,
)
from sesame.custody.seal_key import SealKey
from sesame.store.buckets import bucket_of
from sesame.store.chains import (
    BEFORE_ALL,
    ChainHead,
    Key,
    changed_since,
    lines_beyond,
    read_heads,
)
from sesame.store.engine import Store
from sesame.store.errors import SegmentLost, SegmentTaken, StreamUnreadable
from sesame.store.ledger import Ledger, Looked, SealedHead
from sesame.store.retention import find_anchors
from sesame.store.segments import read_segment, segment_numbers, write_segment

# Lines are found by the moment that they carry. A commit may come later than that, and another
# server's clock may be behind ours: so each round looks back for this long before the last one.
OVERLAP = timedelta(minutes=5)
# What comes later still is found by a look at every customer: often where that is quick, seldom
# where it is not, so that it takes a sixtieth of the time.
SWEEP_SOONEST, SWEEP_LATEST = timedelta(minutes=10), timedelta(days=1)
_SWEEP_SHARE = 60
_CUSTOMERS = 500  # whose lines are in memory at a time
_LINES = 20_000  # of one segment, or a few more
_CHANGED = 200_000  # lines of one round; beyond, it looks at every customer


class Shipping(Protocol):
    """Where the stream goes."""

    def ship(self, number: int, content: bytes) -> None:
        """Deliver a segment; it has arrived when this returns.

        Raises:
            SegmentTaken: another sealer delivered one of this number.
            StreamUnreadable: it could not be delivered.
        """
        ...

    def beyond(self, number: int, key: Ed25519PublicKey) -> Iterator[Segment]:
        """The segments that arrived after *number*, as far as one can look."""
        ...


@dataclass(frozen=True, slots=True)
class FolderShipping:
    """Into a folder, which may be another machine's."""

    folder: Path

    def ship(self, number: int, content: bytes) -> None:
        """Write the file of *number*."""
        write_segment(self.folder, number, content)

    def beyond(self, number: int, key: Ed25519PublicKey) -> Iterator[Segment]:
        """The files after *number*: what arrived and was not recorded, or is another sealer's."""
        if number and (last := read_segment(self.folder, number)) is not None:
            check_seal(decode_segment(last).seal, key)  # or ours could not be behind it
        if number and read_segment(self.folder, number + 1) is None:
            return  # without a look at all names
        yield from read_sealed(self.folder, key, first=number + 1)


@dataclass(frozen=True, slots=True)
class PipeShipping:
    """Into a pipe. After a crash the last segment may come twice, the same both times."""

    pipe: BinaryIO

    def ship(self, number: int, content: bytes) -> None:  # noqa: ARG002 -- it says its number
        """Write it, and hand it on."""
        try:
            self.pipe.write(content)
            self.pipe.flush()
        except OSError as refusal:
            raise StreamUnreadable(Path("-"), str(refusal.strerror)) from None

    def beyond(self, number: int, key: Ed25519PublicKey) -> Iterator[Segment]:  # noqa: ARG002
        """Nobody can look into a pipe."""
        yield from ()


@dataclass(slots=True)
class Round:
    """What one round came to."""

    seals: int = 0
    lines: int = 0
    heads: int = 0
    at: datetime | None = None  # when the last of the seals was made
    findings: list[Finding] = field(default_factory=list)  # whose chain does not go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Who seals: a reader of the database, with key and ledger."""

    store: Store
    ledger: Ledger
    key: SealKey
    shipping: Shipping
    now: Callable[[], datetime]

    async def seal(self) -> Round:
        """Seal what changed since the last round; where nothing did, that.

        Raises:
            StoreUnavailable: the database did not answer.
            StreamUnreadable: the stream could not be delivered. The next round delivers it.
            FalseSeal: what arrived there is not what this key sealed.
            SegmentTaken: another sealer is always faster.
        """
        try:
            return await self._round()
        except SegmentTaken:
            return await self._round()  # behind what the other one wrote

    async def _round(self) -> Round:
        self.catch_up()
        began = self.now()
        looked = self.ledger.looked
        done, batch = Round(), list[StreamedLine]()
        recent = None
        if not sweep_is_due(looked, began):
            recent = await self._recent(from_row(looked.at) - OVERLAP)
        pages = self._everybody(done) if recent is None else _pages(recent)
        async for keys in pages:
            batch += await self._new_lines(keys, done)
            if len(batch) >= _LINES:
                self._write(batch, done)
                batch.clear()
        if batch or not done.seals:
            self._write(batch, done)
        at = to_row(began)
        if recent is None:
            looked = Looked(at, swept_at=at, sweep_took=max(0, to_row(self.now()) - at))
        self.ledger.look(looked._replace(at=at))
        return done

    def catch_up(self) -> None:
        """Record what arrived without being recorded; deliver what did not arrive."""
        if pending := self.ledger.pending:
            number, content = pending
            segment = decode_segment(content)
            try:
                self.shipping.ship(number, content)
            except SegmentTaken:
                pass  # this very one, or another sealer's
            else:
                self._record(segment)
        number = self._last[0]
        for segment in self.shipping.beyond(number, self.key.public):
            follows = segment.seal.seal.prev == self._last[1].hex()
            if number and not follows:
                raise FalseSeal(f"number {segment.number} does not follow what was sealed here")
            check_segment(segment, self.key.public)
            self._record(segment)
            number = segment.number

    async def _recent(self, since: datetime) -> list[Key] | None:
        ask = partial(changed_since, at=to_row(since), most=_CHANGED)
        return await self.store.read(ask)

    async def _everybody(self, done: Round) -> AsyncIterator[Sequence[Key]]:
        """The customers whose row is ahead of the ledger; who is behind it, is found wrong."""
        after = BEFORE_ALL
        while page := await self.store.read(partial(read_heads, after=after, most=_CUSTOMERS)):
            after = (page[-1].bucket, page[-1].user_code)
            sealed = self.ledger.heads([row[:2] for row in page])
            done.findings += [
                finding for row in page if (finding := _contradiction(row, sealed)) is not None
            ]
            yield [
                (row.bucket, row.user_code)
                for row in page
                if row.version > sealed.get(row.user_code, (0, b""))[0]
            ]

    async def _new_lines(self, keys: Sequence[Key], done: Round) -> list[StreamedLine]:
        """The lines of *keys* that go on from what was sealed of them."""
        if not keys:
            return []
        sealed = {code: Head(*head) for code, head in self.ledger.heads(keys).items()}
        if unknown := [key for key in keys if key[1] not in sealed]:
            sealed |= await self._anchored(unknown)
        since = [
            (bucket, code, sealed[code].version if code in sealed else 0) for bucket, code in keys
        ]
        found = await self.store.read(partial(lines_beyond, since=since))
        new = []
        for code, lines in groupby(found, key=lambda line: line.user_code):
            rows = [Row(line.version, line.line, line.head) for line in lines]
            head, finding = continuation(code, rows, sealed.get(code))
            if finding is not None:
                done.findings.append(finding)
            upto = 0 if head is None else head.version
            new += [StreamedLine(code, r.version, r.line) for r in rows if r.version <= upto]
        return new

    async def _anchored(self, keys: Sequence[Key]) -> dict[str, Head]:
        """Where pruned chains begin that a ledger made anew knows nothing of."""
        anchors = await self.store.read(partial(find_anchors, keys=keys))
        return {
            code: Head(anchor.version, anchor.head)
            for code, anchor in anchors.items()
            if is_signed(anchor, self.key.public)
        }

    def _write(self, lines: Sequence[StreamedLine], done: Round) -> None:
        """Seal *lines*, deliver them, and record that; in this order, so that none is lost."""
        lines = sorted(lines, key=lambda line: (line.user_code, line.version))
        number, before = self._last
        leaves = leaves_of(lines)
        at = self.now()
        text = new_seal(
            number=number + 1,
            prev=before,
            at=at,
            count=len(leaves),
            lines=len(lines),
            root=tree_root([leaf.hash for leaf in leaves]),
            key=fingerprint(self.key.public),
        )
        seal = SignedSeal(text, self.key.sign(to_sign(text)))
        segment = Segment(number + 1, lines, seal)
        content = encode_segment(segment)
        self.ledger.pend(segment.number, content)
        self.shipping.ship(segment.number, content)
        self._record(segment)
        done.at = at
        done.seals += 1
        done.lines += len(lines)
        done.heads += len(leaves)

    def _record(self, segment: Segment) -> None:
        record(self.ledger, segment)

    @property
    def _last(self) -> tuple[int, bytes]:
        return self.ledger.last_seal or (0, NO_SEAL)


def sweep_is_due(looked: Looked, now: datetime) -> bool:
    """Whether it is time to look at every customer again.

    Also where the clock went back behind the last look: lines are found by their moments.
    """
    if now < from_row(max(looked.at, looked.swept_at)):
        return True
    wait = from_row(looked.sweep_took * _SWEEP_SHARE) - from_row(0)
    return now >= from_row(looked.swept_at) + min(max(wait, SWEEP_SOONEST), SWEEP_LATEST)


def record(ledger: Ledger, segment: Segment) -> None:
    """Write into *ledger* that *segment* was sealed."""
    ledger.record(segment.number, segment.seal.hash, map(_sealed_head, segment.leaves))


def follow(ledger: Ledger, folder: Path, key: Ed25519PublicKey) -> None:
    """Bring *ledger* up to the stream in *folder*, whose seals are checked on the way.

    Raises:
        FalseSeal: something is not as *key* sealed it, or does not follow what the ledger has.
        SegmentLost: a file is not there, in the middle or at the end that the ledger knows.
        StreamUnreadable: the folder cannot be read.
    """
    number, last = ledger.last_seal or (0, None)
    arrived = segment_numbers(folder)
    if number >= arrived.stop:
        raise SegmentLost(folder, arrived.stop)
    for segment in read_sealed(folder, key, first=number + 1):
        if last is not None and segment.seal.seal.prev != last.hex():
            raise FalseSeal(f"number {segment.number} does not follow what was read before")
        record(ledger, segment)
        last = None  # from here on the reader compares


def _sealed_head(leaf: Leaf) -> SealedHead:
    return SealedHead(bucket_of(leaf.user_code), leaf.user_code, leaf.version, leaf.head)


def _contradiction(row: ChainHead, sealed: dict[str, tuple[int, bytes]]) -> Finding | None:
    """What is wrong with a row that is not ahead of what was sealed, nor there."""
    version, head = sealed.get(row.user_code, (0, b""))
    if row.version < version:
        return Finding(Kind.ROLLED_BACK, row.user_code, row.version)
    if row.version == version and row.head != head:
        return Finding(Kind.REWRITTEN, row.user_code, version)
    return None


async def _pages(keys: Sequence[Key]) -> AsyncIterator[Sequence[Key]]:
    for at in range(0, len(keys), _CUSTOMERS):
        yield keys[at : at + _CUSTOMERS]
