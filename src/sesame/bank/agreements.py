"""What two persons agreed to, by the lines of all whom it is about: does the table say the same?

A request and its verdict stand in `approvals`, and in lines of several chains, with a hash of the
request's content. An owner of the tables could write a verdict that nobody gave, change what was
asked for, or make somebody staff; whole chains do not show that, and this does.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import msgspec

from sesame.bank.approvals import Kind as Asks
from sesame.bank.approvals import Verdict, content_hash, lowering_of
from sesame.bank.approving import asked_of
from sesame.bank.audit import BANK_CARD_GIVEN
from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.bank_cards import ENDED
from sesame.bank.orders import ORDERED
from sesame.bank.revealing import EVENT as SHOWN
from sesame.bank.staff import BANK_ITSELF, shown
from sesame.store.approvals import ApprovalRow
from sesame.store.limit_changes import LimitChangeRow
from sesame.store.retention import AnchorRow
from sesame.store.staff import StaffRights

_MARKS = (b'"request":"', b'"event":"staff-enrolment"')  # as the one spelling of a line has them
_KEPT = timedelta(days=397) // timedelta(microseconds=1)  # a younger line is not pruned
_ID = re.compile(r"[0-9a-f]{32}")
# What is done by a grant that was for many, whose content the line does not bear.
_GRANTED = {ORDERED: Asks.ISSUE, BANK_CARD_GIVEN: Asks.BANK_CARDS, ENDED: Asks.BANK_CARDS}
_NO_LINE = 0  # the version of a finding that no line shows


class _Said(msgspec.Struct, frozen=True):
    """What a line says of a request, or of somebody who is to become staff."""

    event: str
    request: str = ""
    content: str = ""
    verdict: str = ""
    decided_by: str = ""
    roles: str = ""
    by: str = ""
    kind: str = ""
    about: str = ""
    asked_by: str = ""
    lowered: tuple[tuple[int, int, int], ...] = ()

    def begins(self, staff_code: str) -> bool:
        """Whether it says that two agreed to this person becoming staff."""
        said = (self.kind, self.about, self.verdict)
        return said == (Asks.NEW_STAFF, shown(staff_code), Verdict.APPROVED)


class _Line(NamedTuple):
    """A line, and whose."""

    user_code: str
    version: int
    said: _Said


@dataclass(slots=True)
class Agreements:
    """What lines say of requests and of members of staff, as they come by; all of it is kept."""

    _requests: dict[str, list[_Line]] = field(default_factory=dict)  # by the request's id, hex
    _staff: dict[str, _Said] = field(default_factory=dict)  # first lines, by staff code

    def look(self, user_code: str, version: int, line: bytes) -> None:
        """Look at the next line of a chain. One that cannot be read is the chain's trouble."""
        if not any(mark in line for mark in _MARKS):
            return
        try:
            said = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if said.request:
            self._requests.setdefault(said.request, []).append(_Line(user_code, version, said))
        elif said.event == "staff-enrolment":
            self._staff[user_code] = said

    @property
    def requests(self) -> list[bytes]:
        """The ids of the requests that lines name, as far as they are ids."""
        return [bytes.fromhex(one) for one in self._requests if _is_id(one)]

    def findings(
        self,
        earlier: Sequence[ApprovalRow],
        later: Mapping[bytes, ApprovalRow],
        staff: Sequence[StaffRights],
        anchors: Mapping[str, AnchorRow],
    ) -> Iterator[Finding]:
        """What the tables say otherwise, of each request the first.

        Args:
            earlier: all requests, read before the lines: all their lines have come by.
            later: those of `requests`, read after them: they know of all that lines say.
            staff: who is staff, read before the lines.
            anchors: of the chains whose first lines were pruned, by code.
        """
        for row in earlier:
            problem = self._missing(row, anchors)
            if problem is not None:
                yield problem
        for request, lines in self._requests.items():
            now = later.get(bytes.fromhex(request)) if _is_id(request) else None
            found = next((line for line in lines if now is None or not _agrees(line, now)), None)
            if found is not None:
                yield Finding(Kind.DISAGREES, found.user_code, found.version)
        for member in staff:
            if not self._has_begun(member, anchors):
                yield Finding(Kind.DISAGREES, member.user_code, _NO_LINE)

    def _missing(self, row: ApprovalRow, anchors: Mapping[str, AnchorRow]) -> Finding | None:
        """The chain that has no line of the request, or of its verdict."""
        wanted = [(row.requested_by, "", row.requested_at)]
        if row.verdict is not None and row.decided_at is not None:
            signers = (row.requested_by, row.decided_by or "", row.subject)
            wanted += [(code, row.verdict, row.decided_at) for code in signers]
        lines = {
            (line.user_code, line.said.verdict) for line in self._requests.get(row.id.hex(), ())
        }
        for code, verdict, at in wanted:
            if (code, verdict) not in lines and not _may_be_pruned(at, anchors.get(code)):
                return Finding(Kind.DISAGREES, code, _NO_LINE)
        return None

    def _has_begun(self, member: StaffRights, anchors: Mapping[str, AnchorRow]) -> bool:
        """Whether their first line gives them their roles, by the bank's own word or by two."""
        if member.begun_at is None or _may_be_pruned(
            member.added_at, anchors.get(member.user_code)
        ):
            return True
        first = self._staff.get(member.user_code)
        if first is None or first.roles != member.roles:
            return False
        if first.by == shown(BANK_ITSELF):
            return True
        return any(
            line.user_code == member.user_code and line.said.begins(member.user_code)
            for lines in self._requests.values()
            for line in lines
        )


def limits_found(
    changes: Sequence[LimitChangeRow], requests: Mapping[bytes, ApprovalRow]
) -> Iterator[Finding]:
    """Each change of a limit that is not as two agreed to it, and each that is missing; pure.

    A finding is the bank's own, of no line: what lines say of a request is held against it by
    `Agreements`.

    Args:
        changes: all of them, by name and in their order.
        requests: by id: those by which the changes were made as they stand now, and all others of
            before the changes were read.
    """
    finding = Finding(Kind.DISAGREES, BANK_ITSELF, _NO_LINE)
    last: dict[str, tuple[int, int]] = {}  # number and moment of the change before, by name
    for change in changes:
        number, at = last.get(change.name, (0, 0))
        request = requests.get(change.request)
        agreed = request is not None and _is_agreed_to(change, request)
        if not agreed or change.number != number + 1 or change.at < at:
            yield finding
        last[change.name] = (number + 1, change.at if agreed else at)
    made = {change.request for change in changes}
    for request in requests.values():
        approved = (request.kind, request.verdict) == (Asks.LIMITS, Verdict.APPROVED)
        if approved and request.id not in made:
            yield finding


def _is_agreed_to(change: LimitChangeRow, request: ApprovalRow) -> bool:
    try:
        payload = asked_of(request).payload
    except (msgspec.DecodeError, ValueError, TypeError):  # somebody was at the row
        return False
    return (request.kind, request.verdict, request.decided_at) == (
        Asks.LIMITS,
        Verdict.APPROVED,
        change.at,
    ) and (payload.get("limit"), payload.get("value")) == (change.name, change.value)


def _agrees(line: _Line, row: ApprovalRow) -> bool:
    """Whether *row* is as *line* says."""
    said = line.said
    if (kind := _GRANTED.get(said.event)) is not None:
        granted = (row.kind, row.verdict) == (kind, Verdict.APPROVED)
        return granted and said.asked_by in {"", shown(row.requested_by)}
    try:
        asked = asked_of(row)
        content, fell = content_hash(asked), lowering_of(asked.payload)
    except (msgspec.DecodeError, ValueError, TypeError):  # somebody was at the row
        return False
    by_two = (asked.kind, said.verdict) == (Asks.COUNTER, Verdict.APPROVED)
    if (said.content, said.lowered) != (content, (fell,) if by_two else ()):
        return False
    if said.event == SHOWN and row.used_at is None:
        return False
    if not said.verdict:
        return True
    return (said.verdict, said.decided_by) == (row.verdict, shown(row.decided_by or ""))


def _may_be_pruned(at: int, anchor: AnchorRow | None) -> bool:
    return anchor is not None and at <= anchor.at - _KEPT


def _is_id(request: str) -> bool:
    return _ID.fullmatch(request) is not None


_decode = msgspec.json.Decoder(_Said).decode
