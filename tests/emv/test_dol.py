"""Data Object Lists: read, filled, and cut back into values."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.dol import DolEntry, decode_dol, dol_length, fill, split
from sesame.emv.errors import MalformedDol
from sesame.emv.tags import Tag
from sesame.emv.tlv import is_constructed
from tests.emv.strategies import dols, tags

UNKNOWN = 0x9F7E


def encode_dol(dol: Sequence[DolEntry]) -> bytes:
    """As a card writes its list."""
    return b"".join(
        entry.tag.to_bytes((entry.tag.bit_length() + 7) // 8) + bytes([entry.length])
        for entry in dol
    )


def test_a_list_is_read() -> None:
    """Tags of one and two bytes, in order."""
    assert decode_dol(bytes.fromhex("9F0206 9505 9A03")) == (
        DolEntry(Tag.AMOUNT_AUTHORISED, 6),
        DolEntry(Tag.TVR, 5),
        DolEntry(Tag.TRANSACTION_DATE, 3),
    )
    assert decode_dol(b"") == ()


@pytest.mark.parametrize(
    ("raw", "offset", "message"),
    [
        ("9505 9F", 2, "the tag is cut"),
        ("9F818283 01", 0, "the tag has over four bytes"),
        ("9505 9F37", 2, "no length follows 9F37"),
    ],
)
def test_what_is_no_list_is_told_where(raw: str, offset: int, message: str) -> None:
    """The offset is that of the entry."""
    with pytest.raises(MalformedDol, match=f"DOL at byte {offset}: {message}") as caught:
        decode_dol(bytes.fromhex(raw))
    assert caught.value.offset == offset
    assert "no values" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "value", "filled"),
    [
        (DolEntry(Tag.UN, 4), "00001234", "00001234"),
        (DolEntry(Tag.UN, 4), None, "00000000"),
        (DolEntry(UNKNOWN, 3), None, "000000"),
        (DolEntry(UNKNOWN, 3), "01", "010000"),
        (DolEntry(Tag.RECORD_TEMPLATE, 2), "5A00", "0000"),
        (DolEntry(Tag.AMOUNT_AUTHORISED, 6), "1500", "000000001500"),
        (DolEntry(Tag.AMOUNT_AUTHORISED, 6), "1234567890", "001234567890"),
        (DolEntry(Tag.AMOUNT_AUTHORISED, 2), "000000123456", "3456"),
        (DolEntry(Tag.AMOUNT_AUTHORISED, 0), "1500", ""),
        (DolEntry(Tag.PAN, 4), "4761", "4761FFFF"),
        (DolEntry(Tag.PAN, 1), "4761", "47"),
        (DolEntry(Tag.ARC, 3), "5A33", "5A3300"),
        (DolEntry(Tag.ARC, 1), "5A33", "5A"),
        (DolEntry(Tag.TVR, 0), "8000000000", ""),
    ],
)
def test_values_are_cut_and_padded(entry: DolEntry, value: str | None, filled: str) -> None:
    """EMV 4.4 Book 3, 5.4: numbers keep their right end, all else its left.

    Unknown objects, templates and values that we do not have are zeros; compressed numbers
    are filled with F.
    """
    values: dict[int, bytes] = {} if value is None else {entry.tag: bytes.fromhex(value)}
    assert fill([entry], values) == bytes.fromhex(filled)


def test_values_stand_in_the_order_of_the_list() -> None:
    """Not in the order of the values."""
    dol = decode_dol(bytes.fromhex("9C01 9505"))
    values: dict[int, bytes] = {Tag.TVR: b"\x80\x00\x00\x00\x00", Tag.TRANSACTION_TYPE: b"\x01"}
    assert fill(dol, values).hex() == "018000000000"


def test_values_of_another_length_are_refused() -> None:
    """The card's own list says how many bytes it wants."""
    dol = decode_dol(bytes.fromhex("9C01 9505"))
    with pytest.raises(MalformedDol, match="5 bytes of values came, 6 were asked"):
        split(dol, bytes(5))


@given(dols)
def test_what_was_written_is_read(dol: list[DolEntry]) -> None:
    """Any tags, any lengths."""
    assert decode_dol(encode_dol(dol)) == tuple(dol)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing but our error comes out, and what was read is what was written."""
    try:
        dol = decode_dol(raw)
    except MalformedDol as error:
        offset = error.offset
    else:
        # A tag that begins with 00 would be written here without it.
        assert encode_dol(dol) == raw or not all(entry.tag for entry in dol)
        return
    assert 0 <= offset < len(raw)


@given(dols, st.dictionaries(tags(), st.binary(max_size=20)))
def test_the_data_are_as_long_as_was_asked(dol: list[DolEntry], values: dict[int, bytes]) -> None:
    """Whatever values there are."""
    assert len(fill(dol, values)) == dol_length(dol)


@given(st.lists(tags(), unique=True, max_size=10), st.data())
def test_the_card_gets_back_what_the_reader_filled_in(
    wanted: list[int], data: st.DataObject
) -> None:
    """Values of the length that was asked arrive whole; templates arrive as zeros."""
    values = {tag: data.draw(st.binary(max_size=255)) for tag in wanted}
    dol = [DolEntry(tag, len(value)) for tag, value in values.items()]
    expected = {
        tag: bytes(len(value)) if is_constructed(tag) else value for tag, value in values.items()
    }
    assert split(dol, fill(dol, values)) == expected


@given(dols, st.integers(1, 9))
def test_a_byte_more_or_less_is_refused(dol: list[DolEntry], surplus: int) -> None:
    """`split` reads nothing out of data that is not the list's."""
    with pytest.raises(MalformedDol):
        split(dol, bytes(dol_length(dol) + surplus))
