"""`sesame.bank.customer_file`: bytes become named values by lines; or problems, or one error."""

import io
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.customer_file import (
    CUSTOMERS,
    LONGEST_LINE,
    FileFormat,
    Problem,
    Trouble,
    read_fields,
)
from sesame.bank.errors import UnreadableCustomers

_HEADER = b"name,city,old_code_hash,card_kind\n"
_ROW = b"Ann,PARIS,none,sesame\n"
_ANN = {"name": "Ann", "city": "PARIS", "old_code_hash": "none", "card_kind": "sesame"}

Read = list[tuple[int, Mapping[str, str] | Problem]]


def _csv(content: bytes, delimiter: str = ",") -> Read:
    return list(read_fields(io.BytesIO(content), FileFormat.CSV, delimiter=delimiter))


def _json(content: bytes) -> Read:
    return list(read_fields(io.BytesIO(content), FileFormat.JSON_LINES))


def test_rows_by_name() -> None:
    """Whatever the order of columns, with a byte order mark, with either line end or none."""
    assert _csv(_HEADER + _ROW) == [(2, _ANN)]
    assert _csv(b"\xef\xbb\xbf" + (_HEADER + _ROW).replace(b"\n", b"\r\n")) == [(2, _ANN)]
    assert _csv(_HEADER + _ROW.strip()) == [(2, _ANN)]
    turned = b" City ,NAME,card_kind,old_code_hash\nPARIS,Ann,sesame,none\n"
    assert _csv(turned) == [(2, _ANN)]
    assert _csv((_HEADER + _ROW).replace(b",", b";"), ";") == [(2, _ANN)]


def test_quotation_marks() -> None:
    """A comma and a quotation mark in a value."""
    (line,) = _csv(_HEADER + b'"Dupont, ""Zo\xc3\xa9""",PARIS,none,sesame\n')
    assert line == (2, _ANN | {"name": 'Dupont, "Zoé"'})


def test_lines_on_which_nothing_stands() -> None:
    """They are counted, and passed over."""
    assert _csv(_HEADER + b"\n  \n,,,\n" + _ROW) == [(5, _ANN)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"Zo\xe9,PARIS,none,sesame", Problem(3, "", Trouble.NOT_UTF_8, 3)),
        (b'"Ann,PARIS,none,sesame', Problem(3, "", Trouble.NOT_CSV)),
        (b'"An"n,PARIS,none,sesame', Problem(3, "", Trouble.NOT_CSV)),
        (b"Ann, Bob,PARIS,none,sesame", Problem(3, "", Trouble.COLUMNS, 5)),
        (b"Ann", Problem(3, "", Trouble.COLUMNS, 1)),
        (b"x" * LONGEST_LINE * 3, Problem(3, "", Trouble.LONG_LINE, LONGEST_LINE)),
    ],
)
def test_a_broken_line_in_the_middle(line: bytes, problem: Problem) -> None:
    """It is told by its number, and those around it are read."""
    read = _csv(_HEADER + _ROW + line + b"\n" + _ROW)
    assert read == [(2, _ANN), (3, problem), (4, _ANN)]


def test_the_longest_line() -> None:
    """Is a line still, with its end."""
    name = b"x" * (LONGEST_LINE - len(_ROW) + len(b"Ann"))
    ((_, fields),) = _csv(_HEADER + _ROW.replace(b"Ann", name))
    assert fields == _ANN | {"name": name.decode()}


@pytest.mark.parametrize(
    ("content", "trouble", "column"),
    [
        (b"", Trouble.EMPTY, ""),
        (b"\n\n", Trouble.EMPTY, ""),
        ((_HEADER + _ROW).decode().encode("utf-16"), Trouble.UTF_16, ""),
        (_HEADER.replace(b"city", b"cit\xe9"), Trouble.NOT_UTF_8, ""),
        (b"x" * LONGEST_LINE * 2, Trouble.LONG_LINE, ""),
        (b'"name,city\n', Trouble.NOT_CSV, ""),
        (_HEADER.replace(b",", b";"), Trouble.SEMICOLONS, ""),
        (_ROW, Trouble.UNKNOWN_COLUMN, "1"),
        (_HEADER.replace(b"city", b"name"), Trouble.DOUBLE_COLUMN, "name"),
        (_HEADER.replace(b"city", b"email"), Trouble.MISSING_COLUMN, "city"),
    ],
)
def test_what_is_no_such_file(content: bytes, trouble: Trouble, column: str) -> None:
    """Excel's habits among others; nothing of it is repeated."""
    with pytest.raises(UnreadableCustomers) as refusal:
        _csv(content)
    assert (refusal.value.trouble, refusal.value.column) == (trouble, column)
    assert "Ann" not in str(refusal.value)


def test_json_lines() -> None:
    """An object a line; null is nothing."""
    row = json.dumps(_ANN | {"email": None}).encode()
    assert _json(row + b"\n\n" + row) == [(1, _ANN | {"email": ""}), (3, _ANN | {"email": ""})]
    with pytest.raises(UnreadableCustomers):
        _json(b"\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", Problem(2, "", Trouble.NOT_JSON)),
        (b"[]", Problem(2, "", Trouble.NOT_JSON)),
        (b'{"name":' + b"[" * 9_000 + b"]" * 7_000, Problem(2, "", Trouble.NOT_JSON)),
        (b'{"4970101234567890": "x"}', Problem(2, "", Trouble.UNKNOWN_FIELD)),
        (b'{"pan": 4970101234567890}', Problem(2, "pan", Trouble.NOT_TEXT)),
        (b'{"name": "\xff"}', Problem(2, "", Trouble.NOT_UTF_8, 11)),
    ],
)
def test_a_broken_object_in_the_middle(line: bytes, problem: Problem) -> None:
    """It is told by its number, and those around it are read."""
    row = json.dumps(_ANN).encode()
    assert _json(row + b"\n" + line + b"\n" + row) == [(1, _ANN), (2, problem), (3, _ANN)]


_PIECES = [_HEADER, _ROW, b",", b'"', b"\n", b"\r", b"\x00", b"\xff", b"{", b'{"name":"x"}', b";"]


@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from(_PIECES), max_size=20).map(b"".join),
        st.lists(st.sampled_from(_PIECES), max_size=20).map(lambda all_: _HEADER + b"".join(all_)),
    ),
    kind=st.sampled_from(FileFormat),
)
def test_any_bytes(content: bytes, kind: FileFormat) -> None:
    """Rows, problems by rising lines, or our one error; and nothing else."""
    try:
        read = list(read_fields(io.BytesIO(content), kind))
    except UnreadableCustomers:
        return
    lines = [line for line, _ in read]
    assert lines == sorted(set(lines))
    assert all(1 <= line <= content.count(b"\n") + 1 for line in lines)
    for line, fields in read:
        if isinstance(fields, Problem):
            assert fields.line == line
        else:
            assert set(fields) <= set(CUSTOMERS.fields)
