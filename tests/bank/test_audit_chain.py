"""`sesame.bank.audit_chain`: each thing that can be done to a chain is told by its name."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sesame.bank.audit_chain import (
    Chain,
    Finding,
    Head,
    Kind,
    Row,
    continuation,
    diagnose,
    read_place,
)
from tests.bank.chains import chain, head_of, rewritten

_length = st.integers(3, 12)
_CODE = "VERA2345"


def _found(
    rows: list[Row],
    head: Head | None,
    sealed: Head | None = None,
    later: Head | None = None,
    *,
    start: Head | None = None,
) -> tuple[Kind, int] | None:
    """What is wrong; both who only says whether, and who says what, are asked."""
    quick = Chain(sealed, start)
    for row in rows:
        quick.feed(row)
    found = diagnose(_CODE, rows, head, sealed, later_head=later, start=start)
    assert quick.rows == len(rows)
    if later is None:
        assert quick.is_whole(head) is (found is None)
    return None if found is None else (found.kind, found.version)


@given(length=_length, first=st.integers(1, 5), data=st.data())
def test_a_whole_chain_is_whole(length: int, first: int, data: st.DataObject) -> None:
    """From whatever version on it begins, and wherever it was sealed."""
    rows = chain(length, first=first)
    sealed = data.draw(st.none() | st.sampled_from(rows).map(lambda r: Head(r.version, r.head)))
    assert _found(rows, head_of(rows), sealed) is None
    assert _found([], None) is None


@given(length=_length, data=st.data())
def test_one_flipped_byte(length: int, data: st.DataObject) -> None:
    """Of any line, of its hash, or of its version."""
    rows = chain(length)
    at = data.draw(st.integers(0, length - 1))
    row, head = rows[at], head_of(rows)
    bit = 1 << data.draw(st.integers(0, 7))
    where = data.draw(st.sampled_from(["line", "head"]))
    value = bytearray(getattr(row, where))
    value[data.draw(st.integers(0, len(value) - 1))] ^= bit
    rows[at] = replace(row, **{where: bytes(value)})
    assert _found(rows, head) == (Kind.ALTERED, row.version)


@given(length=_length, data=st.data())
def test_a_version_that_was_changed(length: int, data: st.DataObject) -> None:
    """The line still says its own."""
    rows = chain(length)
    rows[-1] = replace(rows[-1], version=data.draw(st.integers(length + 1, 99)))
    assert _found(rows, head_of(chain(length))) == (Kind.ALTERED, rows[-1].version)


@given(length=_length, data=st.data())
def test_a_line_changed_with_its_hash(length: int, data: st.DataObject) -> None:
    """The next line, or the access row, has the hash that it had."""
    rows = chain(length)
    at = data.draw(st.integers(0, length - 1))
    instead = chain(length, "OMAR6789")[at] if at == 0 else _resaid(rows[at])
    whole = head_of(rows)
    rows[at] = instead
    assert _found(rows, whole) == (Kind.ALTERED, instead.version)


def _resaid(row: Row) -> Row:
    line = row.line.replace(b"refused", b"rEfused")
    return rewritten([Row(row.version, line, b"")], prev=read_prev(row))[0]


def read_prev(row: Row) -> str:
    """What a line says of the one before."""
    said = read_place(row.line)
    assert said is not None
    return said.prev


@given(length=_length, data=st.data())
def test_a_deleted_line(length: int, data: st.DataObject) -> None:
    """The first, or one in the middle."""
    rows = chain(length)
    at = data.draw(st.integers(0, length - 2))
    gone = rows.pop(at)
    assert _found(rows, head_of(rows)) == (Kind.DELETED, gone.version)


@given(length=_length, data=st.data())
def test_a_swapped_order(length: int, data: st.DataObject) -> None:
    """Rows that changed places in a file; or lines that did, with or without hash, in a table."""
    whole = chain(length)
    one = data.draw(st.integers(0, length - 2))
    other = data.draw(st.integers(one + 1, length - 1))
    rows = list(whole)
    a, b = whole[one], whole[other]
    how = data.draw(st.sampled_from(["rows", "lines", "lines and hashes"]))
    if how == "rows":
        rows[one], rows[other] = b, a
    else:
        heads = (b.head, a.head) if how == "lines and hashes" else (a.head, b.head)
        rows[one] = Row(a.version, b.line, heads[0])
        rows[other] = Row(b.version, a.line, heads[1])
    assert _found(rows, head_of(whole)) == (Kind.SWAPPED, a.version)


@given(length=_length, data=st.data())
def test_a_truncated_tail(length: int, data: st.DataObject) -> None:
    """By a line, by several, by all."""
    rows = chain(length)
    left = data.draw(st.integers(0, length - 1))
    assert _found(rows[:left], head_of(rows)) == (Kind.TRUNCATED, left + 1)


@given(length=_length, data=st.data())
def test_an_old_backup(length: int, data: st.DataObject) -> None:
    """Whole by itself; only the seals know that there was more."""
    rows = chain(length)
    left = data.draw(st.integers(1, length - 1))
    old = rows[:left]
    assert _found(old, head_of(old)) is None
    assert _found(old, head_of(old), head_of(rows)) == (Kind.ROLLED_BACK, left)
    assert _found([], None, head_of(rows)) == (Kind.ROLLED_BACK, 0)


@given(length=_length, data=st.data())
def test_another_history(length: int, data: st.DataObject) -> None:
    """All hashes fit, and only the seal knows better."""
    rows = chain(length)
    sealed = data.draw(st.sampled_from(rows))
    forged = rewritten(rows, outcome="accepted")
    assert _found(forged, head_of(forged)) is None
    seal = Head(sealed.version, sealed.head)
    assert _found(forged, head_of(forged), seal) == (Kind.REWRITTEN, sealed.version)


def test_a_line_too_many() -> None:
    """Behind the head, twice, or of nobody."""
    rows = chain(4)
    assert _found(rows, head_of(rows[:3])) == (Kind.ADDED, 4)
    assert _found([*rows, rows[-1]], head_of(rows)) == (Kind.ADDED, 4)
    assert _found(rows, None) == (Kind.ADDED, 4)


def test_a_database_that_goes_on() -> None:
    """Lines that came after the head was read are no finding, if a later head has them."""
    rows = chain(6)
    assert _found(rows, head_of(rows[:3]), later=head_of(rows)) is None
    assert _found(rows[:5], head_of(rows[:3]), later=head_of(rows)) is None
    assert _found(rows, None, later=head_of(rows)) is None
    wrong = Head(3, bytes(32))
    assert _found(rows, wrong, later=head_of(rows)) == (Kind.ALTERED, 3)


def test_what_is_no_line() -> None:
    """Bytes of any kind are no finding but this one."""
    for line in (b"", b"\xff", b"[]", b'{"v":1}', b'{"prev": "","version":1}', b"[" * 100_000):
        assert read_place(line) is None
    assert _found([Row(1, b"\xff", bytes(32))], Head(1, bytes(32))) == (Kind.ALTERED, 1)


@given(length=_length, data=st.data())
def test_what_goes_on_from_a_seal(length: int, data: st.DataObject) -> None:
    """From the first line, or behind a sealed one, up to the end."""
    rows = chain(length)
    at = data.draw(st.integers(0, length))
    sealed = None if at == 0 else head_of(rows[:at])
    head, finding = continuation(_CODE, rows[at:], sealed)
    assert (head, finding) == (head_of(rows), None)


def test_what_does_not_go_on() -> None:
    """How far it goes, and what stops it."""
    rows, sealed = chain(6), head_of(chain(2))

    def stopped(new: list[Row], at: Head | None = sealed) -> tuple[Head | None, Finding | None]:
        return continuation(_CODE, new, at)

    def found(kind: Kind, version: int) -> Finding:
        return Finding(kind, _CODE, version)

    flipped = replace(rows[3], head=bytes(32))
    assert stopped([rows[2], flipped]) == (head_of(rows[:3]), found(Kind.ALTERED, 4))
    assert stopped([rows[2], rows[4]]) == (head_of(rows[:3]), found(Kind.DELETED, 4))
    assert stopped(rows[1:], None) == (None, found(Kind.DELETED, 1))
    forged = rewritten(rows, outcome="accepted")
    assert stopped(forged[2:]) == (sealed, found(Kind.REWRITTEN, 2))


@given(length=_length, data=st.data())
def test_a_pruned_chain(length: int, data: st.DataObject) -> None:
    """It is whole behind its anchor, wherever it was sealed; each manipulation is told still."""
    rows = chain(length + 3)
    cut = data.draw(st.integers(1, length - 1))
    start, rest, head = head_of(rows[:cut]), rows[cut:], head_of(rows)
    sealed = data.draw(st.none() | st.sampled_from(rows).map(lambda r: Head(r.version, r.head)))
    assert _found(rest, head, sealed, start=start) is None
    first = cut + 1
    assert _found(rest, head) == (Kind.DELETED, cut)
    assert _found(rest[1:], head, start=start) == (Kind.DELETED, first)
    assert _found([rest[0], *rest[2:]], head, start=start) == (Kind.DELETED, first + 1)
    assert _found(rest[:-1], head, start=start) == (Kind.TRUNCATED, length + 3)
    assert _found([], head, start=start) == (Kind.TRUNCATED, first)
    assert _found(rows, head, start=start) == (Kind.ADDED, 1)
    swapped = [
        replace(rest[0], version=first + 1),
        replace(rest[1], version=first),
        *rest[2:],
    ]
    by_version = sorted(swapped, key=lambda row: row.version)
    assert _found(by_version, head, start=start) == (Kind.SWAPPED, first)
    flipped = [replace(rest[0], line=rest[0].line[:-2] + b"x}"), *rest[1:]]
    assert _found(flipped, head, start=start) == (Kind.ALTERED, first)
    earlier = rest[:-1]
    assert _found(earlier, head_of(earlier), head, start=start) == (
        Kind.ROLLED_BACK,
        length + 2,
    )
    assert _found(rest, head, start=Head(cut, bytes(32))) == (Kind.REWRITTEN, first)


def test_a_seal_over_the_last_line_that_was_pruned() -> None:
    """It must be the anchor's; of a seal before it nothing can be told."""
    rows = chain(5)
    start, rest, head = head_of(rows[:3]), rows[3:], head_of(rows)
    assert _found(rest, head, Head(3, rows[2].head), start=start) is None
    assert _found(rest, head, Head(3, bytes(32)), start=start) == (Kind.REWRITTEN, 3)
    assert _found(rest, head, Head(2, bytes(32)), start=start) is None


def test_of_a_customer_who_is_gone_an_anchor_says_nothing() -> None:
    """What was sealed does."""
    rows = chain(5)
    assert diagnose(_CODE, [], None, head_of(rows), start=head_of(rows[:3])) == Finding(
        Kind.ROLLED_BACK, _CODE, 0
    )
