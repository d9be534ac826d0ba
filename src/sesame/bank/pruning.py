"""Pruning: what the rule lets go of is taken away, a little at a time, while servers run.

Only first lines of a chain that is whole up to what was sealed; an anchor stays in their place,
signed by the key that seals, in the same commit. docs/decisions/0029 has the reasons.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.anchor import false_anchor, new_anchor, start_of
from sesame.bank.audit_chain import Chain, Finding, Head, Row, diagnose, read_place
from sesame.bank.errors import ExportUnusable
from sesame.bank.export import is_export, lines_of_export
from sesame.bank.moments import to_row
from sesame.bank.retention import Rules, Written, is_held, prunable
from sesame.bank.stream import StreamedLine, read_sealed
from sesame.custody.seal_key import SealKey
from sesame.store.chains import BEFORE_ALL, Key, lines_beyond
from sesame.store.engine import Store
from sesame.store.ledger import Ledger
from sesame.store.retention import (
    AnchorRow,
    HoldRow,
    OldestLine,
    PersonalKey,
    active_holds,
    cut_chains,
    erase_personal,
    find_anchors,
    old_personal,
    read_oldest,
)
from sesame.store.segments import remove_segment, segment_numbers

_CUSTOMERS = 500  # of a page
_CHAINS = 50  # in memory at a time
_ROWS = 500  # of one commit: others wait for it on SQLite


@dataclass(slots=True)
class Pruned:
    """What was taken away, or would be."""

    lines: int = 0
    personal: int = 0  # lines whose values were erased
    unsealed: int = 0  # customers with old lines that no seal is known to cover
    findings: list[Finding] = field(default_factory=list)  # whose chain is left as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Who prunes: with the key that seals, and what the stream says was sealed."""

    store: Store
    ledger: Ledger
    key: SealKey
    rules: Rules
    now: datetime
    dry_run: bool = False

    async def prune(self) -> Pruned:
        """Take away what the rule lets go of; where *dry_run*, only count it.

        Killed at any point it leaves whole chains, and goes on where it was.

        Raises:
            StoreUnavailable: the database did not answer, or the role may not prune.
        """
        done, after = Pruned(), BEFORE_ALL
        while page := await self.store.read(partial(read_oldest, after=after, most=_CUSTOMERS)):
            last = (page[-1].bucket, page[-1].user_code)
            await self._erase_personal(after, last, done)
            await self._prune_page(page, done)
            after = last
        return done

    async def _erase_personal(self, after: Key, last: Key, done: Pruned) -> None:
        """Erase old values of the customers behind *after*, up to *last*."""
        before = to_row(self.now - self.rules.personal)
        beyond = (*after, _HIGHEST)
        while True:
            holds = await self.store.read(active_holds)
            found = await self.store.read(
                partial(old_personal, after=beyond, last=last, before=before, most=_ROWS)
            )
            if not found:
                return
            free = [one for one in found if not is_held(holds, one.user_code, one.at)]
            if self.dry_run or await self._erased(free, holds):
                done.personal += len(free)
                beyond = found[-1][:3]

    async def _erased(self, keys: Sequence[PersonalKey], holds: Sequence[HoldRow]) -> bool:
        if not keys:
            return True
        return await self.store.write(partial(erase_personal, keys=keys, holds=holds))

    async def _prune_page(self, page: Sequence[OldestLine], done: Pruned) -> None:
        before = to_row(self.now - self.rules.lines)
        old = [row for row in page if row.first_at is not None and row.first_at < before]
        for at in range(0, len(old), _CHAINS):
            while not await self._prune_some(old[at : at + _CHAINS], before, done):
                pass  # a legal hold was set or lifted meanwhile

    async def _prune_some(self, some: Sequence[OldestLine], before: int, done: Pruned) -> bool:
        """Prune the chains of *some*; False where holds changed, so that it is to be done again."""
        holds = await self.store.read(active_holds)
        found = Pruned()
        async for anchors, lines in self._cuts(some, before, holds, found):
            cut = partial(cut_chains, anchors=anchors, holds=holds)
            if not (self.dry_run or await self.store.write(cut)):
                return False
            done.lines += lines
        done.unsealed += found.unsealed
        done.findings += found.findings
        return True

    async def _cuts(
        self, some: Sequence[OldestLine], before: int, holds: Sequence[HoldRow], found: Pruned
    ) -> AsyncIterator[tuple[list[AnchorRow], int]]:
        """What is to be cut, a commit at a time: anchors, and how many lines go with them."""
        keys = [(row.bucket, row.user_code) for row in some]
        accepted = {row.user_code: row.accepted_version for row in some}
        sealed = {code: Head(*head) for code, head in self.ledger.heads(keys).items()}
        anchors = await self.store.read(partial(find_anchors, keys=keys))
        lines = await self.store.read(partial(lines_beyond, since=[(*key, 0) for key in keys]))
        commit, count = list[AnchorRow](), 0
        for code, of_code in groupby(lines, key=lambda line: line.user_code):
            rows = [Row(line.version, line.line, line.head) for line in of_code]
            whole = self._whole(code, rows, sealed.get(code), anchors.get(code), found)
            written = [Written(row.version, _at(row)) for row in whole]
            many = prunable(
                written,
                user_code=code,
                before=before,
                holds=holds,
                sealed=whole[-1].version if whole else 0,
                accepted=accepted[code],
            )
            for upto in [*range(_ROWS, many, _ROWS), *([many] if many else [])]:
                row = whole[upto - 1]
                pruned = Head(row.version, row.head)
                commit.append(new_anchor(code, pruned, at=to_row(self.now), key=self.key))
                count += (upto - 1) % _ROWS + 1
                if count >= _ROWS:
                    yield commit, count
                    commit, count = [], 0
        if commit:
            yield commit, count

    def _whole(
        self,
        user_code: str,
        rows: Sequence[Row],
        sealed: Head | None,
        anchor: AnchorRow | None,
        found: Pruned,
    ) -> Sequence[Row]:
        """Those of *rows* that a seal covers; none where they are not what was sealed."""
        start = start_of(anchor)
        if sealed is None or (start is not None and sealed.version <= start.version):
            found.unsealed += 1
            return []
        covered = [row for row in rows if row.version <= sealed.version]
        finding = false_anchor(anchor, self.key.public)
        chain = Chain(sealed, start)
        for row in covered:
            chain.feed(row)
        if finding is None and not chain.is_whole(sealed):
            finding = diagnose(user_code, covered, sealed, sealed, start=start)
        if finding is not None:
            found.findings.append(finding)
            return []
        return covered


@dataclass(frozen=True, slots=True)
class OldSegments:
    """Files of the stream that the rule lets go of, and what keeps those behind them."""

    numbers: range
    held: bool  # by a legal hold; else the next one is too young


def old_segments(
    folder: Path,
    key: Ed25519PublicKey,
    *,
    before: datetime,
    holds: Sequence[HoldRow],
) -> OldSegments:
    """The first files of the stream in *folder*, as far as they may go; the last one stays.

    So does the last of those that are old: whoever finds a first file that is young knows by that
    that it was not the rule that took the others.

    Raises:
        FalseSeal: a seal, or a line under it, is not as *key* sealed it.
        SegmentLost: a file is not there, in the middle.
        StreamUnreadable: the folder cannot be read.
    """
    numbers = segment_numbers(folder)
    for segment in read_sealed(folder, key):
        at = datetime.fromisoformat(segment.seal.seal.at)
        held = any(is_held(holds, line.user_code, _moment(line.line)) for line in segment.lines)
        if held or at >= before or segment.number == numbers[-1]:
            first = segment.number if at < before else segment.number - 1
            return OldSegments(range(numbers.start, max(first, numbers.start)), held)
    return OldSegments(range(numbers.start, numbers.start), held=False)


def remove_segments(folder: Path, old: OldSegments) -> None:
    """Remove them, the oldest first: whenever it ends, none is missing in between.

    Raises:
        StreamUnreadable: the system refuses.
    """
    for number in old.numbers:
        remove_segment(folder, number)


def old_exports(folder: Path, *, before: datetime, holds: Sequence[HoldRow]) -> Iterator[Path]:
    """The exports in *folder* that may go: all their lines are older than *before*, none is held.

    Raises:
        ExportUnusable: the folder, or an export in it, cannot be read.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as refusal:
        raise ExportUnusable(folder, str(refusal.strerror)) from None
    for source in filter(is_export, found):
        if all(_may_go(source, line, to_row(before), holds) for line in lines_of_export(source)):
            yield source


def _may_go(source: Path, line: StreamedLine, before: int, holds: Sequence[HoldRow]) -> bool:
    if read_place(line.line) is None:
        raise ExportUnusable(source, f"line {line.version} of {line.user_code} is damaged")
    at = _moment(line.line)
    return at < before and not is_held(holds, line.user_code, at)


_HIGHEST = 2**63 - 1  # no version is higher


def _at(row: Row) -> int:
    return _moment(row.line)


def _moment(line: bytes) -> int:
    """When *line* was written, as it says itself: the column beside it vouches for nothing."""
    said = read_place(line)
    assert said is not None  # noqa: S101 -- what is under a seal was read already
    return to_row(datetime.fromisoformat(said.at))
