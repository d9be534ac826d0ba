"""The structure that a PIN pad gets, byte for byte, and what it tells of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.apdu import verify
from sesame.emv.pin import EMPTY_PIN_BLOCK, Pin, pin_block
from sesame.reader.pin_pad import FEATURE_VERIFY_PIN_DIRECT, features, pin_verify

STRUCTURE = (
    ("bTimeOut", "1E"),
    ("bTimeOut2", "1E"),
    ("bmFormatString", "89"),  # bytes; behind one; from the left; BCD
    ("bmPINBlockString", "47"),  # length in 4 bits; 7 bytes of digits
    ("bmPINLengthFormat", "04"),  # bits; behind four
    ("wPINMaxExtraDigit", "0C04"),  # 12 at most, 4 at least
    ("bEntryValidationCondition", "02"),  # OK
    ("bNumberMessage", "01"),
    ("wLangId", "0C04"),  # 040C, French
    ("bMsgIndex", "00"),
    ("bTeoPrologue", "000000"),
    ("ulDataLength", "0D000000"),
    ("abData", "00200080 08 20FFFFFFFFFFFFFF"),
)


def test_every_byte_of_the_structure() -> None:
    """As part 10 names them."""
    expected = bytes.fromhex("".join(value for _, value in STRUCTURE))
    assert pin_verify(verify(EMPTY_PIN_BLOCK), "fr") == expected


def test_the_language_of_the_display() -> None:
    """English is 0409."""
    french, english = (pin_verify(verify(EMPTY_PIN_BLOCK), word) for word in ("fr", "en"))
    assert [at for at, (a, b) in enumerate(zip(french, english, strict=True)) if a != b] == [9]
    assert english[9:11] == bytes.fromhex("0904")


def fill_in(structure: bytes, digits: str) -> bytes:
    """What a pad makes of the structure, written from part 10's own words."""
    form, block, length_format = structure[2], structure[3], structure[4]
    assert not form & 0x04, "justified left"
    assert form & 0x03 == 1, "BCD"
    unit = 8 if form & 0x80 else 1
    length_unit = 8 if length_format & 0x10 else 1
    body = int.from_bytes(structure[24:])  # behind CLA INS P1 P2 Lc
    size = 8 * (len(structure) - 24)

    def put(value: int, at: int, width: int) -> None:
        nonlocal body
        shift = size - at - width
        mask = ((1 << width) - 1) << shift
        body = body & ~mask | value << shift

    put(len(digits), (length_format & 0x0F) * length_unit, block >> 4)
    width = 8 * (block & 0x0F)
    put(int(digits.ljust(width // 4, "F"), 16), (form >> 3 & 0x0F) * unit, width)
    return structure[19:24] + body.to_bytes(size // 8)


@given(st.text("0123456789", min_size=4, max_size=12))
def test_a_pad_makes_the_same_command_as_our_own_keys(digits: str) -> None:
    """Whatever is typed."""
    structure = pin_verify(verify(EMPTY_PIN_BLOCK), "fr")
    assert fill_in(structure, digits) == verify(pin_block(Pin(digits))).encode()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", {}),
        ("06044233000A", {0x06: 0x4233000A}),
        (
            "0604423300061204423300120A0442330013",
            {0x06: 0x42330006, 0x12: 0x42330012, 0x0A: 0x42330013},
        ),
        ("06044233000A0704", {0x06: 0x4233000A}),
        ("06024233000A", {}),
    ],
)
def test_features(answer: str, found: dict[int, int]) -> None:
    """Six bytes each; what is cut or of another length is left out."""
    assert features(bytes.fromhex(answer)) == found
    assert FEATURE_VERIFY_PIN_DIRECT == 0x06


@given(st.binary(max_size=64))
def test_any_answer_is_read(answer: bytes) -> None:
    """A driver may answer anything."""
    assert all(0 <= code < 2**32 for code in features(answer).values())
