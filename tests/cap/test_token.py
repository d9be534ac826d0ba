"""Bits, numbers and digits: what the reader shows and what people type."""

import sys
import unicodedata
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sesame.cap.errors import IpbEmpty, IpbTooLong, MalformedCode
from sesame.cap.token import (
    BELGIAN_IPB,
    Code,
    compress,
    expand,
    from_belgian,
    parse_code,
    show,
    to_belgian,
)
from tests.vectors.reading import says, vectors

EVERY_CHARACTER = range(sys.maxunicode + 1)
# What stands between digits, or around them, without a meaning: every space, line and
# paragraph end, control and invisible character, and every dash of Unicode.
SEPARATORS = {
    chr(point)
    for point in EVERY_CHARACTER
    if unicodedata.category(chr(point)) in {"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"}
} | {"\N{MINUS SIGN}"}
WIDE = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")

bitmaps = st.binary(min_size=1, max_size=20).filter(any)
eight_digits = st.text("0123456789", min_size=8, max_size=8)


def bits(data: bytes) -> str:
    """Byte by byte, b8 first."""
    return "".join(f"{byte:08b}" for byte in data)


@pytest.mark.parametrize("vector", vectors("token", "token"), ids=says)
def test_tokens_of_real_cards(vector: dict[str, Any]) -> None:
    """Recorded ones, most of them shown by a reader, and composed ones."""
    data, ipb = bytes.fromhex(vector["data"]), bytes.fromhex(vector["ipb"])
    assert compress(data, ipb) == vector["token"]
    kept = bytes(a & b for a, b in zip(data.ljust(len(ipb), b"\x00"), ipb, strict=False))
    assert expand(vector["token"], ipb) == kept


@given(st.binary(min_size=20, max_size=44), bitmaps)
def test_the_token_is_the_selected_bits_in_their_order(data: bytes, ipb: bytes) -> None:
    """Against a string of 0 and 1, taken bit by bit."""
    selected = "".join(
        bit for bit, wanted in zip(bits(data), bits(ipb), strict=False) if wanted == "1"
    )
    assert compress(data, ipb) == int(selected, 2)


@given(bitmaps, st.integers(min_value=0))
def test_expand_undoes_compress(ipb: bytes, number: int) -> None:
    """Every token that the bitmap can make comes back; higher bits are lost."""
    token = number % (1 << int.from_bytes(ipb).bit_count())
    expanded = expand(token, ipb)
    assert len(expanded) == len(ipb)
    assert compress(expanded, ipb) == token
    assert expand(number, ipb) == expanded


@given(st.binary(min_size=20, max_size=20), bitmaps)
def test_expand_puts_the_bits_back_to_their_places(data: bytes, ipb: bytes) -> None:
    """And leaves zeros everywhere else."""
    kept = bytes(a & b for a, b in zip(data, ipb, strict=False))
    assert expand(compress(data, ipb), ipb) == kept


def test_a_bitmap_longer_than_the_answer_does_no_harm_while_it_is_empty_there() -> None:
    """Real cards have such bitmaps; one that selects what was not sent is refused."""
    assert compress(b"\xff\xff", bytes.fromhex("80010000")) == 3
    with pytest.raises(IpbTooLong, match="a bit of byte 3, the card sent 2 bytes"):
        compress(b"\xff\xff", bytes.fromhex("80010100"))


@pytest.mark.parametrize("ipb", [b"", bytes(11)])
def test_a_bitmap_without_a_bit_is_refused(ipb: bytes) -> None:
    """Or every code would be zero."""
    with pytest.raises(IpbEmpty, match="selects nothing"):
        compress(bytes(18), ipb)
    assert expand(7, ipb) == bytes(len(ipb))


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (34656023, "3465 6023"),
        (4822527, "0482 2527"),
        (0, "0000 0000"),
        (67108863, "6710 8863"),
        (102823328, "1028 2332 8"),
    ],
)
def test_what_the_display_shows(token: int, shown: str) -> None:
    """Eight digits at least; a bitmap of more than 26 bits shows them all."""
    assert show(token) == shown


@given(st.integers(0, 99_999_999))
def test_what_is_shown_can_be_typed(token: int) -> None:
    """With the space that the display puts in."""
    assert parse_code(show(token)).token == token


def test_every_separator_is_dropped() -> None:
    """Before, between and behind the digits, once and twice."""
    for s in SEPARATORS:
        assert parse_code(f"{s}3465{s}6023{s}{s}") == Code("34656023"), f"U+{ord(s):04X}"
        assert parse_code(s.join("34656023")) == Code("34656023"), f"U+{ord(s):04X}"


def test_separators_are_many() -> None:
    """The set above is not empty by mistake: it has what people type and paste."""
    assert set(" \t\n\r\u0085\u00a0\u00ad\u200b\u2028\u202f\u2007\u3000\ufeff") < SEPARATORS
    assert set("-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d") < SEPARATORS
    assert {chr(point) for point in EVERY_CHARACTER if chr(point).isspace()} < SEPARATORS


@given(eight_digits)
def test_wide_digits_are_digits(digits: str) -> None:
    """As Japanese keyboards type them."""
    assert parse_code(digits.translate(WIDE)).digits == digits


@given(eight_digits, st.integers(0, 8), st.characters(exclude_categories=["Z", "Cc", "Cf", "Pd"]))
def test_anything_else_is_refused(digits: str, at: int, character: str) -> None:
    """A letter, a sign, a ninth digit, wherever it stands."""
    assume(character != "\N{MINUS SIGN}")
    assume(unicodedata.normalize("NFKC", character) != "\N{MINUS SIGN}")
    with pytest.raises(MalformedCode):
        parse_code(digits[:at] + character + digits[at:])


@given(st.text())
def test_any_text_is_a_code_or_refused(typed: str) -> None:
    """Nothing but our error comes out, and it does not repeat what was typed."""
    try:
        code = parse_code(typed)
    except MalformedCode as error:
        message = str(error)
    else:
        assert code.digits.isascii()
        assert code.digits.isdecimal()
        assert len(code.digits) == 8
        return
    assert message == "a code has eight digits, written with or without spaces"


def test_a_book_is_not_read() -> None:
    """A hundred characters will do for eight digits."""
    assert parse_code("34656023" + " " * 92) == Code("34656023")
    with pytest.raises(MalformedCode):
        parse_code("34656023" + " " * 93)


@pytest.mark.parametrize("digits", ["", "1234567", "1234 5678", "12345678\n", "١٢٣٤٥٦٧٨"])
def test_a_code_is_eight_digits(digits: str) -> None:
    """ASCII ones; spaces are taken off before."""
    with pytest.raises(MalformedCode):
        Code(digits)
    with pytest.raises(MalformedCode):
        parse_code("123456789")


@pytest.mark.parametrize(
    ("token", "digits"),
    [(0, "00000000"), (4822527, "04822527"), (102823328, "102823328"), (2**33 - 1, "8589934591")],
)
def test_a_token_has_eight_digits_at_least(token: int, digits: str) -> None:
    """A card that nobody personalised for codes may have more bits; all are shown."""
    assert Code.of(token) == Code(digits)
    assert Code.of(token).token == token
    assert show(token).replace(" ", "") == digits


@pytest.mark.parametrize("vector", vectors("belgian", "belgian"), ids=says)
def test_belgian_numbers(vector: dict[str, Any]) -> None:
    """The bits of the ATC and the AC in another order, and the unit digit added in front."""
    data = bytes.fromhex("80" + vector["atc"] + vector["ac"])
    token = compress(data, BELGIAN_IPB)
    assert to_belgian(token) == vector["token"]
    assert Code.of(to_belgian(token)).digits == vector["code"]
    assert from_belgian(vector["token"]) == token


@given(st.integers(0, 2**26 - 1))
def test_a_belgian_number_leads_back(token: int) -> None:
    """And to no other token."""
    assert to_belgian(token) <= 99_999_999
    assert from_belgian(to_belgian(token)) == token


@given(st.integers(0, 2 * 10**8))
def test_what_no_belgian_card_shows(shown: int) -> None:
    """A third of all eight-digit numbers; none has a second token."""
    token = from_belgian(shown)
    assert token is None or to_belgian(token) == shown


def test_leading_zeros_count_for_the_digits_and_not_for_the_token() -> None:
    """A code stays text; its token is a number."""
    assert Code("04822527").token == 4822527
    assert Code("00000000").token == 0


def test_a_code_does_not_print() -> None:
    """Alone, in a text, in another value, in an error."""

    @dataclass(frozen=True)
    class Holder:
        code: Code

    code = Code("34656023")
    assert repr(code) == str(code) == f"{code}" == "Code(********)"
    for text in (f"{Holder(code)}", f"{[code]}", f"{ValueError(code)!r}", f"{ValueError(code)}"):
        assert "Code(********)" in text
        assert "3465" not in text
