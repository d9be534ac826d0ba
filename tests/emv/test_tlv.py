"""BER-TLV: what goes in comes out, and what is none is told where it is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedTlv
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, encode, encode_one, find, is_constructed, leaves
from tests.emv.strategies import tlvs

# The FCI of a French card, and of a Belgian one with a template inside a template.
FRENCH_FCI = bytes.fromhex("6F1D 8407A0000000038002 A512 5009564953412041757468 5F2D046672656E")
BELGIAN_FCI = bytes.fromhex(
    "6F2E 8407A0000000048002 A523 9F38039F3501 5F2D026672"
    "BF0C15 9F550100 5F2C020056 DF0709424B53303536303038"
)


def test_a_card_s_answer_is_read() -> None:
    """One template; in it the name and another template."""
    (fci,) = decode(FRENCH_FCI)
    assert fci.tag == Tag.FCI_TEMPLATE
    assert fci.constructed
    name, proprietary = fci.children()
    assert (name.tag, name.value) == (Tag.DF_NAME, bytes.fromhex("A0000000038002"))
    assert [o.value for o in proprietary.children()] == [b"VISA Auth", b"fren"]


def test_an_object_is_found_at_any_depth() -> None:
    """The IAF stands three templates deep; what is not there is None."""
    objects = decode(BELGIAN_FCI)
    assert find(objects, Tag.FCI_TEMPLATE) == BELGIAN_FCI[2:]
    assert find(objects, Tag.IAF) == b"\x00"
    assert find(objects, Tag.PDOL) == bytes.fromhex("9F3501")
    assert find(objects, Tag.IPB) is None


def test_leaves_are_what_templates_hold_at_any_depth_in_their_order() -> None:
    """Three deep, and in the order of the bytes; a template itself is none."""
    found = leaves(BELGIAN_FCI + FRENCH_FCI)
    assert [o.tag for o in found] == [
        Tag.DF_NAME,
        Tag.PDOL,
        Tag.LANGUAGE_PREFERENCE,
        Tag.IAF,
        Tag.CARDHOLDER_NATIONALITY,
        Tag.BELGIAN_ISSUER,
        Tag.DF_NAME,
        Tag.APPLICATION_LABEL,
        Tag.LANGUAGE_PREFERENCE,
    ]
    assert [o.value for o in found[2:4]] == [b"fr", b"\x00"]


def test_the_first_of_two_is_found_depth_first() -> None:
    """An object inside an earlier template comes before one behind the template."""
    inside, behind = Tlv(Tag.IAF, b"\x01"), Tlv(Tag.IAF, b"\x02")
    template = Tlv(Tag.RECORD_TEMPLATE, encode([inside]))
    assert find([template, behind], Tag.IAF) == b"\x01"
    assert find([behind, template], Tag.IAF) == b"\x02"


def test_zeros_between_objects_are_padding() -> None:
    """EMV 4.4 Book 3, Annex B: before, between and behind."""
    assert decode(bytes.fromhex("0000 5F340100 00 820210000000")) == [
        Tlv(Tag.PSN, b"\x00"),
        Tlv(Tag.AIP, b"\x10\x00"),
    ]
    assert decode(bytes(5)) == decode(b"") == []


@pytest.mark.parametrize(
    ("length", "written"),
    [(0, "00"), (0x7F, "7F"), (0x80, "8180"), (0xFF, "81FF"), (256, "820100")],
)
def test_lengths_are_written_in_their_shortest_form(length: int, written: str) -> None:
    """Up to 7F one byte, then 81 and one, 82 and two."""
    encoded = encode_one(Tag.IAD, bytes(length))
    assert encoded == bytes.fromhex("9F10" + written) + bytes(length)
    assert decode(encoded) == [Tlv(Tag.IAD, bytes(length))]


def test_longer_lengths_than_needed_are_read() -> None:
    """A card may write 84 00 00 00 02."""
    assert decode(bytes.fromhex("82 8400000002 1000")) == [Tlv(Tag.AIP, b"\x10\x00")]


@pytest.mark.parametrize(
    ("tag", "constructed"),
    [(0x70, True), (0xBF0C, True), (0x5A, False), (0x9F36, False), (0x1F8101, False)],
)
def test_b6_of_the_first_byte_makes_a_template(tag: int, constructed: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Whatever bytes of the tag follow."""
    assert is_constructed(tag) is constructed


@pytest.mark.parametrize(
    ("raw", "offset", "message"),
    [
        ("9F", 0, "the tag is cut"),
        ("5F3401009F", 4, "the tag is cut"),
        ("9F818283 01 00", 0, "the tag has over four bytes"),
        ("5A", 1, "no length follows the tag"),
        ("5A 80 0000", 1, "the length begins with 80"),
        ("5A 85 0000000000", 1, "the length begins with 85"),
        ("5A 82 01", 1, "the length is cut"),
        ("9F56 12 0102", 0, "9F56 says 18 bytes, 2 are left"),
        ("70 03 5A 02 01", 2, "5A says 2 bytes, 1 are left"),
        ("00 6F 06 00 A5 03 84 02 01", 6, "84 says 2 bytes, 1 are left"),
        ("70 01 9F", 2, "the tag is cut"),
    ],
)
def test_what_is_no_tlv_is_told_where(raw: str, offset: int, message: str) -> None:
    """The offset counts from the first byte that was handed in, inside templates too."""
    with pytest.raises(MalformedTlv, match=message) as caught:
        decode(bytes.fromhex(raw))
    assert caught.value.offset == offset
    assert f"TLV at byte {offset}: {message}" in str(caught.value)
    assert str(caught.value).endswith(caught.value.remedy)


def test_templates_nest_sixteen_deep_and_no_deeper() -> None:
    """A hostile card does not exhaust our stack."""
    value = b""
    for _ in range(16):
        value = encode_one(Tag.RECORD_TEMPLATE, value)
    decode(value)
    with pytest.raises(MalformedTlv, match="templates nest over 16 deep"):
        decode(encode_one(Tag.RECORD_TEMPLATE, value))


@given(st.lists(tlvs, max_size=5))
def test_what_was_written_is_read(objects: list[Tlv]) -> None:
    """At every depth."""
    assert decode(encode(objects)) == objects


@given(st.binary(max_size=80) | st.lists(tlvs).map(encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing but our error comes out, and what was read, written and read again is the same."""
    try:
        objects = decode(raw)
    except MalformedTlv as error:
        offset = error.offset
    else:
        assert decode(encode(objects)) == objects
        for o in objects:
            assert find(objects, o.tag) is not None
            assert not o.constructed or o.children() == decode(o.value)
        return
    assert 0 <= offset <= len(raw)
