"""The PIN and its block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedPin
from sesame.emv.pin import Pin, decode_pin_block, pin_block
from tests.emv.strategies import pins


@pytest.mark.parametrize(
    ("digits", "block"),
    [
        ("1234", "241234FFFFFFFFFF"),
        ("00000", "2500000FFFFFFFFF"),
        ("123456789012", "2C123456789012FF"),
    ],
)
def test_blocks_of_all_lengths(digits: str, block: str) -> None:
    """2, the number of digits, the digits, F to the end."""
    assert pin_block(Pin(digits)) == bytes.fromhex(block)
    assert decode_pin_block(bytes.fromhex(block)) == Pin(digits)


@given(pins)
def test_what_was_written_is_read(pin: Pin) -> None:
    """4 to 12 digits in 8 bytes."""
    assert len(pin_block(pin)) == 8
    assert decode_pin_block(pin_block(pin)) == pin


@given(
    st.binary(max_size=10)
    | st.binary(min_size=7, max_size=7).map(lambda tail: b"\x24" + tail)
    | st.binary(min_size=2, max_size=2).map(lambda head: b"\x24" + head + b"\xff" * 5)
)
def test_any_bytes_are_read_or_refused(block: bytes) -> None:
    """Nothing but our error comes out, and what was read is what was written."""
    try:
        pin = decode_pin_block(block)
    except MalformedPin:
        return
    assert pin_block(pin) == block


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("241234FFFFFFFF", "of 7 bytes"),
        ("241234FFFFFFFFFFFF", "of 9 bytes"),
        ("141234FFFFFFFFFF", "format 2"),
        ("23123FFFFFFFFFFF", "4 to 12 digits"),
        ("2D1234567890123F", "4 to 12 digits"),
        ("241234FFFFFFFFF0", "filled with F"),
        ("2412345FFFFFFFFF", "filled with F"),
        ("24123AFFFFFFFFFF", "4 to 12 digits and nothing else"),
    ],
)
def test_what_is_no_block_is_told(block: str, message: str) -> None:
    """Which part is wrong, and never the digits."""
    with pytest.raises(MalformedPin, match=message) as caught:
        decode_pin_block(bytes.fromhex(block))
    assert "123" not in str(caught.value)


@pytest.mark.parametrize("digits", ["", "123", "1234567890123", "12 34", "1234\n", "١٢٣٤", "12a4"])
def test_other_texts_are_no_pin(digits: str) -> None:
    """4 to 12 ASCII digits and nothing else."""
    with pytest.raises(MalformedPin, match="4 to 12 digits"):
        Pin(digits)
