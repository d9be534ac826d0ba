"""What a card says when it gets power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.atr import INVERSE, Atr, Protocol, decode_atr, encode_atr
from sesame.emv.errors import MalformedAtr


@pytest.mark.parametrize(
    ("protocol", "historical", "raw"),
    [
        # Book 1, 8.2 (table 12 and 13): the basic ATR for T=0 alone, and for T=1 alone.
        (Protocol.T0, "", "3B60 0000"),
        (Protocol.T0, "00000000009000", "3B67 0000 00000000009000"),
        # As recorded from a payment card of the field.
        (Protocol.T1, "46494F4D4B5F3030312030313041 00", "3BEF 0000 81 31 FE 45"),
    ],
)
def test_an_atr_is_the_basic_one_of_emv(protocol: Protocol, historical: str, raw: str) -> None:
    """TB1 and TC1 zero, no baud rate to negotiate, one protocol; TCK with T=1 only."""
    encoded = encode_atr(protocol, bytes.fromhex(historical))
    assert encoded.startswith(bytes.fromhex(raw))
    interface = 4 if protocol is Protocol.T0 else 8
    assert decode_atr(encoded) == Atr(
        0x3B, protocol, bytes.fromhex(historical), (protocol,), interface
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("3B00", Atr(0x3B, 0, b"", (0,), 2)),
        ("3F 65 25 00 52 09 6A 90 00", Atr(INVERSE, 0, bytes.fromhex("52096A9000"), (0,), 4)),
        ("3B 84 81 31 FE 45 43 41 50 21 FC", Atr(0x3B, 1, b"CAP!", (1,), 6)),
        ("3B 8F 80 01" + "00" * 15 + "0E", Atr(0x3B, 0, bytes(15), (0, 1), 4)),
    ],
)
def test_an_atr_is_read(raw: str, expected: Atr) -> None:
    """Also those that are not EMV's basic ones."""
    assert decode_atr(bytes.fromhex(raw)) == expected


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("3B", "2 to 33 bytes"),
        ("3B" * 34, "2 to 33 bytes"),
        ("3C00", "3B or 3F"),
        ("3B80", "ends before"),
        ("3B61", "promise"),
        ("3B000000", "promise"),
        ("3B84 81 31 FE 45 43415021", "promise"),  # TCK is missing
        ("3B84 81 31 FE 45 43415021 FD", "TCK"),
    ],
)
def test_an_atr_that_is_none(raw: str, says: str) -> None:
    """It says why."""
    with pytest.raises(MalformedAtr, match=says):
        decode_atr(bytes.fromhex(raw))


def test_historical_bytes_are_at_most_fifteen() -> None:
    """T0 has four bits for them."""
    with pytest.raises(MalformedAtr, match="at most 15"):
        encode_atr(Protocol.T1, bytes(16))


@given(st.sampled_from(Protocol), st.binary(max_size=15))
def test_what_was_encoded_is_read_back(protocol: Protocol, historical: bytes) -> None:
    """Whatever the issuer's bytes are."""
    read = decode_atr(encode_atr(protocol, historical))
    assert (read.convention, read.protocol, read.historical) == (0x3B, protocol, historical)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: b"\x3b" + tail))
def test_any_bytes_are_an_atr_or_malformed(raw: bytes) -> None:
    """Nothing else comes out."""
    try:
        read = decode_atr(raw)
    except MalformedAtr:
        return
    assert 0 <= read.protocol <= 15
    assert len(read.historical) == raw[1] & 0x0F
