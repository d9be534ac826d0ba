"""Whether a customer's chain is whole, and where it is not, what was done to it. Pure.

What is judged: the rows of the chain, in the order in which they were found; the head in the
access row; the latest head of that customer that a seal vouches for; and, where the rule took
the first lines away, the last of them.
"""

from collections.abc import Sequence
from enum import IntEnum, unique
from itertools import pairwise

import msgspec

from sesame.bank.audit import line_hash, read_moment
from sesame.store.access import NO_HEAD


@unique
class Kind(IntEnum):
    """What was done. Its number is an exit status; where there is more, the lowest."""

    ALTERED = 10  # a byte of a line, of its hash or its place is not as it was written
    DELETED = 11  # a line in the middle, or the first one, is not there
    SWAPPED = 12  # every line is there, in another order
    TRUNCATED = 13  # the last lines are not there; the access row still knows of them
    ROLLED_BACK = 14  # whole, but earlier than what was sealed: an old backup (`bank.endings`)
    REWRITTEN = 15  # whole, but not what was sealed
    ADDED = 16  # a line that the access row does not know of
    FALSE_ANCHOR = 19  # its beginning is not there, and what says that it was pruned is forged
    FALSE_MAC = 20  # an accepted line that custody does not vouch for
    ATC_LOWERED = 21  # a card's last ATC is lower than one that was accepted
    DISAGREES = 22  # what two persons agreed to, or who is staff, is not what lines say


class Finding(msgspec.Struct, frozen=True):
    """What is wrong with the chain of a customer, and at which version it shows first."""

    kind: Kind
    user_code: str
    version: int


class Row(msgspec.Struct, frozen=True):
    """A line as a database or an export has it."""

    version: int
    line: bytes
    head: bytes  # 32 bytes, the line's hash

    def __repr__(self) -> str:
        return f"Row({self.version})"


class Head(msgspec.Struct, frozen=True):
    """Where a chain stands: a version, and the hash (32 bytes) of its line."""

    version: int
    head: bytes


class _Said(msgspec.Struct, frozen=True):
    """What a line says of its own place, and when it was written."""

    version: int
    prev: str
    at: str = ""


class Chain:
    """A chain that is fed row by row, in the order of versions, and holds no more than one.

    It says whether all is well; `diagnose` says what is not.
    """

    def __init__(self, sealed: Head | None, start: Head | None = None) -> None:
        """*sealed*: the latest head of this customer under a seal, if there is one.

        *start*: where the chain begins, if lines before were pruned: the last of them.
        """
        self._sealed = sealed
        self._last = start
        self._fits = True
        self._sealed_seen = sealed is None or sealed == start or _is_before(sealed, start)
        self.rows = 0
        self.sealed_at: int | None = None  # the moment of the sealed line, once it came by

    def feed(self, row: Row) -> None:
        """Look at the next row."""
        self.rows += 1
        said = read_place(row.line)
        version, prev = (row.version, NO_HEAD) if self._last is None else _after(self._last)
        right = (version, prev.hex(), line_hash(row.line))
        self._fits &= said is not None and (said.version, said.prev, row.head) == right
        self._fits &= row.version == version
        self._last = Head(row.version, row.head)
        if self._last == self._sealed:
            self._sealed_seen = True
            self.sealed_at = None if said is None else read_moment(said.at)

    def is_whole(self, head: Head | None) -> bool:
        """Whether it is, with *head* in the access row; None where there is none."""
        return self._fits and self._sealed_seen and head == self._last


def diagnose(  # noqa: PLR0913 -- what is compared
    user_code: str,
    rows: Sequence[Row],
    head: Head | None,
    sealed: Head | None,
    *,
    later_head: Head | None = None,
    start: Head | None = None,
) -> Finding | None:
    """What is wrong with a chain; None where it is whole.

    *rows* in the order in which they were found. *head* is the access row's, read before the
    rows; *later_head* the same, read after them where the database goes on meanwhile. *start* is
    the last line that was pruned, if any was.
    """

    def found(kind: Kind, version: int) -> Finding:
        return Finding(kind, user_code, version)

    said = [read_place(row.line) for row in rows]
    if place := _out_of_order(rows, said, start):
        return found(Kind.SWAPPED, place)
    rows = sorted(rows, key=lambda row: row.version)
    altered = [place for row in rows if (place := _altered(row)) is not None]
    if altered:
        return found(Kind.ALTERED, altered[0])
    if (broken := _broken(rows, start)) is not None:
        return found(*broken)
    if (ended := _ended(rows, head, later_head or head, start)) is not None:
        return found(*ended)
    against = _against_seal(rows, head, sealed, start)
    return None if against is None else found(*against)


def continuation(
    user_code: str, rows: Sequence[Row], sealed: Head | None
) -> tuple[Head | None, Finding | None]:
    """How far *rows*, those after *sealed*, go on from it, and what stops them.

    The head that they lead to, None where they lead nowhere; what is wrong, None if nothing.
    """
    at = sealed
    for row in rows:
        version, prev = (row.version, NO_HEAD) if at is None else _after(at)
        if (place := _altered(row)) is not None:
            return at, Finding(Kind.ALTERED, user_code, place)
        if row.version != version or (at is None and _prev(row) != prev.hex()):
            return at, Finding(Kind.DELETED, user_code, version if at else row.version - 1)
        if _prev(row) != prev.hex():
            return at, Finding(Kind.REWRITTEN, user_code, version - 1)
        at = Head(row.version, row.head)
    return at, None


def read_place(line: bytes) -> _Said | None:
    """What *line* says of its place; None where it is no line in its one spelling."""
    try:
        if _encode(_plain(line)) != line:
            return None
        return _said(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _after(head: Head) -> tuple[int, bytes]:
    return head.version + 1, head.head


def _prev(row: Row) -> str:
    said = read_place(row.line)
    return "" if said is None else said.prev


def _is_before(sealed: Head, start: Head | None) -> bool:
    """Whether what was *sealed* is among what was pruned up to *start*."""
    return start is not None and sealed.version < start.version


def _out_of_order(
    rows: Sequence[Row], said: Sequence[_Said | None], start: Head | None
) -> int | None:
    """The first version that another line stands in, where all lines are there otherwise."""
    own = [place.version for place in said if place is not None]
    there = [row.version for row in rows]
    if len(own) != len(rows) or own == there == sorted(there):
        return None
    in_order = sorted(zip(own, rows, strict=True), key=lambda pair: pair[0])
    chained = [Row(version, row.line, line_hash(row.line)) for version, row in in_order]
    if sorted(own) != sorted(there) or _broken(chained, start) is not None:
        return None
    found = zip(own, there, sorted(own), strict=True)
    return next(right for one, place, right in found if {one, place} != {right})


def _altered(row: Row) -> int | None:
    """The version of *row* where it is not as it was written."""
    said = read_place(row.line)
    whole = said is not None and said.version == row.version and line_hash(row.line) == row.head
    return None if whole else row.version


def _broken(rows: Sequence[Row], start: Head | None) -> tuple[Kind, int] | None:
    """Where *rows*, in order, are not linked one to the next from the beginning."""
    if rows and (begun := _begun(rows[0], start)) is not None:
        return begun
    for row, after in pairwise(rows):
        if after.version == row.version:
            return Kind.ADDED, row.version
        if after.version != row.version + 1:
            return Kind.DELETED, row.version + 1
        if _prev(after) != line_hash(row.line).hex():
            return Kind.ALTERED, row.version  # with its hash beside it
    return None


def _begun(first: Row, start: Head | None) -> tuple[Kind, int] | None:
    """Where *first* is not the first line, or not the one behind those that were pruned."""
    if start is None:
        return None if _prev(first) == NO_HEAD.hex() else (Kind.DELETED, first.version - 1)
    if first.version <= start.version:
        return Kind.ADDED, first.version
    if first.version != start.version + 1:
        return Kind.DELETED, start.version + 1
    return None if _prev(first) == start.head.hex() else (Kind.REWRITTEN, first.version)


def _ended(
    rows: Sequence[Row], head: Head | None, later: Head | None, start: Head | None
) -> tuple[Kind, int] | None:
    """Where *rows* do not end as the access row says."""
    end = rows[-1].version if rows else 0
    if later is None or end > later.version:
        return (Kind.ADDED, end) if end else None
    end = end or (0 if start is None else start.version)
    if head is not None and end < head.version:
        return Kind.TRUNCATED, end + 1
    # In a database that goes on, it is the row of the head that was read.
    known = {row.version: row.head for row in rows}
    for stands in (head, later):
        if stands is not None and known.get(stands.version, stands.head) != stands.head:
            return Kind.ALTERED, stands.version
    return None


def _against_seal(
    rows: Sequence[Row], head: Head | None, sealed: Head | None, start: Head | None
) -> tuple[Kind, int] | None:
    """Where a whole chain is not the one that was sealed."""
    if sealed is None:
        return None
    standing = 0 if head is None else head.version
    if sealed.version > standing:
        return Kind.ROLLED_BACK, standing
    if sealed == start or _is_before(sealed, start):
        return None
    if sealed.head not in (row.head for row in rows if row.version == sealed.version):
        return Kind.REWRITTEN, sealed.version
    return None


_plain = msgspec.json.Decoder().decode
_said = msgspec.json.Decoder(_Said).decode
_encode = msgspec.json.Encoder(order="sorted").encode
