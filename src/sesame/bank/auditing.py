"""Auditing a database: is each customer's chain whole, and is it the one that was sealed?

And do the cards beside it, and custody, say what it says?

It only reads, a page at a time, while servers go on. Whatever looks wrong is read once more by
itself: a login that came in between is no finding.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.agreements import Agreements, limits_found
from sesame.bank.anchor import false_anchor, start_of
from sesame.bank.audit_chain import Chain, Finding, Head, Kind, Row, diagnose
from sesame.bank.beside import Beside, Vouch
from sesame.bank.endings import Ends, Reach, cut_off
from sesame.bank.seal import Seal
from sesame.bank.stream import StreamedLine
from sesame.store.approvals import ApprovalRow, read_approval, read_approvals
from sesame.store.buckets import bucket_of
from sesame.store.chains import (
    BEFORE_ALL,
    ChainHead,
    ChainLine,
    Key,
    find_heads,
    find_last_atcs,
    read_chain,
    read_chain_lines,
    read_heads,
)
from sesame.store.engine import Store
from sesame.store.incarnation import read_restored_at
from sesame.store.ledger import Ledger
from sesame.store.limit_changes import read_limit_changes
from sesame.store.retention import find_anchors
from sesame.store.staff import StaffRights, read_rights

_CUSTOMERS = 500  # of a page
_LINES = 2_000  # of a page
_TOLD = 1_000  # findings that are kept; all are counted


@dataclass(slots=True)
class Report:
    """What an audit came to."""

    customers: int = 0
    lines: int = 0
    sealed: int = 0  # customers of whom a seal knows
    pruned: int = 0  # customers whose first lines were taken away by the rule
    vouched: int = 0  # lines that custody vouches for
    requests: int = 0  # of two persons, held against the lines
    findings: list[Finding] = field(default_factory=list)  # the first of them
    damaged: list[tuple[str, int]] = field(default_factory=list)  # file and row of an export
    found: Counter[Kind] = field(default_factory=Counter)
    earliest: Seal | None = field(default=None, compare=False)  # where the seals of all begin
    latest: Seal | None = field(default=None, compare=False)  # how far the seals go
    reach: Reach = field(default_factory=Reach, compare=False)  # of chains that are whole

    def add(self, finding: Finding | None) -> None:
        """Take a finding in."""
        if finding is not None:
            self.found[finding.kind] += 1
            if len(self.findings) < _TOLD:
                self.findings.append(finding)

    def tell_cut_off(self, seals: Iterable[Ends]) -> None:
        """Tell cut ends from what a backup leaves, among the findings that are kept.

        *seals* are all that there are, in their order.

        Raises:
            FalseSeal, SegmentLost, StreamUnreadable: what reading *seals* raises.
        """
        cut = cut_off(self.findings, self.reach, seals)
        for finding in cut:
            place = self.findings.index(finding)
            first = finding.version + 1  # that is not there
            self.findings[place] = Finding(Kind.TRUNCATED, finding.user_code, first)
        self.found += Counter({Kind.TRUNCATED: len(cut)})
        self.found -= Counter({Kind.ROLLED_BACK: len(cut)})  # none at all where none is left

    def add_damage(self, file: str, row: int) -> None:
        """Take in that a row of an export, counted from 1, is not as it was written."""
        self.found[Kind.ALTERED] += 1
        if len(self.damaged) < _TOLD:
            self.damaged.append((file, row))


async def audit(
    store: Store,
    ledger: Ledger | None,
    key: Ed25519PublicKey | None = None,
    vouch: Vouch | None = None,
) -> Report:
    """Look at every customer's chain and cards; with a *ledger*, at what was sealed of it too.

    With the *key* that seals, at what says that a beginning was pruned; where custody can *vouch*,
    at the MACs of accepted lines. Whose end was cut off together with their head is told from a
    backup by `Report.tell_cut_off`.

    Raises:
        CustodyError: custody does not answer.
        StoreUnavailable: the database did not answer.
    """
    report = Report(reach=Reach(await store.read(read_restored_at)))
    rights = await store.read(read_rights)
    requests = await _requests(store)
    agreements = Agreements()
    after: Key | None = BEFORE_ALL
    while after is not None:
        heads = await store.read(partial(read_heads, after=after, most=_CUSTOMERS))
        last = heads[-1] if len(heads) == _CUSTOMERS else None
        until = None if last is None else (last.bucket, last.user_code)
        beside = Beside(vouch)
        page = (after, until)
        await _look_at_page(
            store,
            ledger,
            key,
            heads,
            between=page,
            beside=beside,
            agreements=agreements,
            report=report,
        )
        after = until
    await _report_agreements(store, agreements, requests, rights, report)
    if ledger is not None:
        async for code in _gone(store, ledger):
            finding = await _closely(store, ledger, code, key)
            if finding is not None and finding.kind is not Kind.ADDED:  # whose lines came by
                report.add(finding)
    return report


async def audit_one(
    store: Store,
    ledger: Ledger | None,
    user_code: str,
    key: Ed25519PublicKey | None = None,
    vouch: Vouch | None = None,
) -> Report:
    """The same for one customer; a report on nobody where there is none.

    Raises:
        CustodyError: custody does not answer.
        StoreUnavailable: the database did not answer.
    """
    where = (bucket_of(user_code), user_code)
    heads = await store.read(partial(find_heads, keys=[where]))
    lines = await store.read(partial(read_chain, key=where))
    anchors = await store.read(partial(find_anchors, keys=[where]))
    sealed = {} if ledger is None else _sealed(ledger, [where])
    known = bool(heads or lines or sealed)
    report = Report(customers=int(known), lines=len(lines), sealed=len(sealed), pruned=len(anchors))
    report.add(await _closely(store, ledger, user_code, key))
    beside = Beside(vouch)
    for line in lines:
        await beside.look(user_code, line.version, line.line)
    await _report_beside(store, [where], beside, report)
    return report


async def vouch_for(lines: Iterable[StreamedLine], vouch: Vouch, report: Report) -> None:
    """Look at the MACs of *lines*, those of each customer by version, where no cards are.

    Raises:
        CustodyError: custody does not answer.
    """
    beside = Beside(vouch, with_cards=False)
    for line in lines:
        await beside.look(line.user_code, line.version, line.line)
    for finding in await beside.findings([]):
        report.add(finding)
    report.vouched += beside.vouched


async def _look_at_page(  # noqa: PLR0913 -- what is looked at, and with what
    store: Store,
    ledger: Ledger | None,
    key: Ed25519PublicKey | None,
    heads: Sequence[ChainHead],
    *,
    between: tuple[Key, Key | None],
    beside: Beside,
    agreements: Agreements,
    report: Report,
) -> None:
    """Look at the customers of one page, and at lines of nobody that stand among theirs."""
    strays = [head for head in heads if head.bucket != bucket_of(head.user_code)]
    for head in strays:
        report.add(Finding(Kind.ALTERED, head.user_code, head.version))
    heads = [head for head in heads if head not in strays]
    keys = [(head.bucket, head.user_code) for head in heads]
    sealed = {} if ledger is None else _sealed(ledger, keys)
    anchors = await store.read(partial(find_anchors, keys=keys))
    chains = {
        head.user_code: Chain(sealed.get(head.user_code), start_of(anchors.get(head.user_code)))
        for head in heads
    }
    async for line in _lines(store, *between):
        if line.bucket != bucket_of(line.user_code):
            report.add(Finding(Kind.ADDED, line.user_code, line.version))
            continue
        chain = chains.get(line.user_code)
        if chain is None:
            chain = chains[line.user_code] = Chain(None)
        chain.feed(Row(line.version, line.line, line.head))
        await beside.look(line.user_code, line.version, line.line)
        agreements.look(line.user_code, line.version, line.line)
    standing = {head.user_code: Head(head.version, head.head) for head in heads}
    for code, chain in chains.items():
        forged = false_anchor(anchors.get(code), key) is not None
        if forged or not chain.is_whole(standing.get(code)):
            report.add(await _closely(store, ledger, code, key))
        else:
            report.reach.take(chain.sealed_at)
    await _report_beside(store, keys, beside, report)
    report.customers += len(heads)
    report.pruned += len(anchors)
    report.sealed += len(sealed)
    report.lines += sum(chain.rows for chain in chains.values())


async def _report_beside(store: Store, keys: Sequence[Key], beside: Beside, report: Report) -> None:
    # Behind the lines: a login that came in between raised a last ATC, and lowered none.
    cards = await store.read(partial(find_last_atcs, keys=keys))
    for finding in await beside.findings(cards):
        # Two persons may have lowered one in between: custody does not look again, and we do.
        if finding.kind is Kind.FALSE_MAC:
            report.add(finding)
        else:
            again = await _beside_closely(store, finding.user_code)
            report.add(next((one for one in again if one.kind is finding.kind), None))
    report.vouched += beside.vouched


async def _beside_closely(store: Store, user_code: str) -> list[Finding]:
    """What is wrong beside a chain, without custody, at a moment when nobody took a step of it."""
    where = (bucket_of(user_code), user_code)
    while True:
        before = await store.read(partial(find_heads, keys=[where]))
        lines = await store.read(partial(read_chain, key=where))
        cards = await store.read(partial(find_last_atcs, keys=[where]))
        if await store.read(partial(find_heads, keys=[where])) == before:
            break
    beside = Beside(None)
    for line in lines:
        await beside.look(user_code, line.version, line.line)
    return await beside.findings(cards)


async def _requests(store: Store) -> list[ApprovalRow]:
    """All requests."""
    rows: list[ApprovalRow] = []
    while page := await store.read(
        partial(read_approvals, after=rows[-1].id if rows else b"", most=_CUSTOMERS)
    ):
        rows += page
    return rows


async def _report_agreements(
    store: Store,
    agreements: Agreements,
    requests: Sequence[ApprovalRow],
    rights: Sequence[StaffRights],
    report: Report,
) -> None:
    """Hold what was read before the lines, and what stands now, against what the lines said."""
    later = {
        row.id: row
        for request in agreements.requests
        if (row := await store.read(partial(read_approval, approval=request))) is not None
    }
    codes = {member.user_code for member in rights}
    codes |= {code for row in requests for code in (row.subject, row.requested_by)}
    keys = [(bucket_of(code), code) for code in sorted(codes)]
    anchors = await store.read(partial(find_anchors, keys=keys))
    for finding in agreements.findings(requests, later, rights, anchors):
        report.add(finding)
    changes = await store.read(read_limit_changes)
    # Behind the changes: what was agreed to after the requests were read is here too.
    agreed = {
        row.id: row
        for change in changes
        if (row := await store.read(partial(read_approval, approval=change.request))) is not None
    }
    for finding in limits_found(changes, {row.id: row for row in requests} | agreed):
        report.add(finding)
    report.requests += len(requests)


async def _lines(store: Store, after: Key, until: Key | None) -> AsyncIterator[ChainLine]:
    """The lines behind the customer *after*, with those of *until*; to the end if that is None."""
    beyond = (*after, _HIGHEST)
    while page := await store.read(
        partial(read_chain_lines, after=beyond, last=until, most=_LINES)
    ):
        for line in page:
            yield line
        beyond = page[-1][:3]


_HIGHEST = 2**63 - 1  # no version is higher


async def _closely(
    store: Store, ledger: Ledger | None, user_code: str, key: Ed25519PublicKey | None = None
) -> Finding | None:
    """What is wrong with a chain that looked wrong, read by itself; None if nothing is."""
    where = (bucket_of(user_code), user_code)
    sealed = {} if ledger is None else _sealed(ledger, [where])
    later_anchors = await store.read(partial(find_anchors, keys=[where]))
    while True:
        anchors = later_anchors
        before = await store.read(partial(find_heads, keys=[where]))
        lines = await store.read(partial(read_chain, key=where))
        later = await store.read(partial(find_heads, keys=[where]))
        later_anchors = await store.read(partial(find_anchors, keys=[where]))
        if later_anchors == anchors:
            break  # nobody pruned meanwhile
    anchor = anchors.get(user_code)
    return false_anchor(anchor, key) or diagnose(
        user_code,
        [Row(line.version, line.line, line.head) for line in lines],
        _head(before.get(user_code)),
        sealed.get(user_code),
        later_head=_head(later.get(user_code)),
        start=start_of(anchor),
    )


async def _gone(store: Store, ledger: Ledger) -> AsyncIterator[str]:
    """Who was sealed once and is no customer any more."""
    after: Key = BEFORE_ALL
    while page := ledger.heads_behind(after, most=_CUSTOMERS):
        after = page[-1][:2]
        there = await store.read(partial(find_heads, keys=[head[:2] for head in page]))
        for head in page:
            if head.user_code not in there:
                yield head.user_code


def _sealed(ledger: Ledger, keys: Sequence[Key]) -> dict[str, Head]:
    return {code: Head(*head) for code, head in ledger.heads(keys).items()}


def _head(row: ChainHead | None) -> Head | None:
    return None if row is None else Head(row.version, row.head)
