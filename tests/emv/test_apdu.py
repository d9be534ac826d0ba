"""Commands and answers as they go over the contacts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.apdu import (
    PIN_WRONG,
    AcType,
    Cla,
    Command,
    Ins,
    Response,
    Sw,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
    tries_left,
    verify,
)
from sesame.emv.errors import MalformedApdu
from sesame.emv.pin import Pin, pin_block
from sesame.emv.tags import Tag

headers = st.tuples(*[st.integers(0, 0xFF)] * 4)


@pytest.mark.parametrize(
    ("command", "raw"),
    [
        (select(bytes.fromhex("A0000000038002")), "00A4040007A0000000038002"),
        (get_processing_options(), "80A80000028300"),
        (get_processing_options(b"\x34"), "80A8000003830134"),
        (read_record(sfi=1, record=1), "00B2010C00"),
        (read_record(sfi=30, record=255), "00B2FFF400"),
        (get_data(Tag.PIN_TRY_COUNTER), "80CA9F1700"),
        (verify(pin_block(Pin("1234"))), "0020008008241234FFFFFFFFFF"),
        (generate_ac(AcType.ARQC, b"\x01\x02"), "80AE8000020102"),
        (generate_ac(AcType.AAC, b""), "80AE0000"),
        (Command(Cla.ISO, Ins.GET_RESPONSE, 0, 0, le=0x1F), "00C000001F"),
    ],
)
def test_each_command_has_its_bytes(command: Command, raw: str) -> None:
    """EMV 4.4 Book 3, 6.5, and the commands of a recorded session."""
    assert command.encode() == bytes.fromhex(raw)
    assert Command.decode(bytes.fromhex(raw)) == command


def test_a_long_pdol_has_a_length_of_two_bytes() -> None:
    """Template 83 is BER-TLV: 128 bytes are written 81 80."""
    data = get_processing_options(bytes(128)).data
    assert data == bytes.fromhex("838180") + bytes(128)


def test_le_00_asks_for_256() -> None:
    """The longest short answer."""
    assert Command.decode(bytes.fromhex("00B2010C00")).le == 256
    assert Command.decode(bytes.fromhex("00A40400 01 FF 00")) == Command(
        0x00, 0xA4, 0x04, 0x00, b"\xff", 256
    )


@given(headers, st.binary(max_size=255), st.none() | st.integers(1, 256))
def test_what_was_sent_is_read(
    header: tuple[int, int, int, int], data: bytes, le: int | None
) -> None:
    """The four cases of ISO/IEC 7816-3, 12.1."""
    command = Command(*header, data, le)
    assert Command.decode(command.encode()) == command


@given(st.integers(0, 0xFFFF), st.binary(max_size=256))
def test_what_was_answered_is_read(sw: int, data: bytes) -> None:
    """Data and status word."""
    response = Response(sw, data)
    assert Response.decode(response.encode()) == response
    assert response.ok is (sw == 0x9000)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_refused(raw: bytes) -> None:
    """Nothing but our error comes out, and what was read is what was sent."""
    try:
        command = Command.decode(raw)
    except MalformedApdu:
        return
    assert command.encode() == raw


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_refused(raw: bytes) -> None:
    """From two bytes to 258."""
    try:
        response = Response.decode(raw)
    except MalformedApdu:
        assert not 2 <= len(raw) <= 258
        return
    assert response.encode() == raw


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "a command of 0 bytes"),
        ("00A404", "a command of 3 bytes"),
        ("00A40400 00 00", "Lc is 0 and 1 bytes follow it"),
        ("00A40400 02 01", "Lc is 2 and 1 bytes follow it"),
        ("00A40400 01 01 00 00", "Lc is 1 and 3 bytes follow it"),
    ],
)
def test_what_is_no_command_is_told(raw: str, message: str) -> None:
    """Extended lengths (Lc 00 and two more) are none of EMV's."""
    with pytest.raises(MalformedApdu, match=message):
        Command.decode(bytes.fromhex(raw))


def test_what_is_no_answer_is_told() -> None:
    """A status word has two bytes, data have 256 at most."""
    with pytest.raises(MalformedApdu, match="an answer of 1 bytes"):
        Response.decode(b"\x90")
    with pytest.raises(MalformedApdu, match="257 bytes of data"):
        Response.decode(bytes(257) + b"\x90\x00")
    with pytest.raises(MalformedApdu, match="status word 10000"):
        Response(0x10000)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [-1, 0x100])
def test_a_header_is_four_bytes(place: int, value: int) -> None:
    """A record of file 32 does not become one of file 0."""
    cla, ins, p1, p2 = (value if place == at else 0 for at in range(4))
    with pytest.raises(MalformedApdu, match="CLA, INS, P1 and P2 are a byte each"):
        Command(cla, ins, p1, p2)
    with pytest.raises(MalformedApdu):
        read_record(sfi=32, record=1)


def test_a_command_keeps_the_bounds_of_short_lengths() -> None:
    """255 bytes of data, Le from 1 to 256."""
    with pytest.raises(MalformedApdu, match="256 bytes of data"):
        Command(0, 0, 0, 0, bytes(256))
    for le in (0, 257):
        with pytest.raises(MalformedApdu, match=f"Le is {le}"):
            Command(0, 0, 0, 0, le=le)


@pytest.mark.parametrize(
    ("sw", "left"), [(0x63C0, 0), (0x63C2, 2), (0x63CF, 15), (0x6300, None), (0x9000, None)]
)
def test_a_wrong_pin_tells_the_tries_left(sw: int, left: int | None) -> None:
    """63Cx, and no other status word."""
    assert tries_left(sw) == left
    assert tries_left(PIN_WRONG | 3) == 3


@pytest.mark.parametrize(
    ("byte", "kind"),
    [
        (0x00, AcType.AAC),
        (0x0F, AcType.AAC),
        (0x40, AcType.TC),
        (0x80, AcType.ARQC),
        (0x90, AcType.ARQC),
        (0xC0, None),
    ],
)
def test_b8_and_b7_tell_the_cryptogram(byte: int, kind: AcType | None) -> None:
    """The other bits are reasons, or a wish for CDA."""
    assert AcType.of(byte) is kind


def test_a_command_has_the_name_that_emv_gives_it() -> None:
    """An instruction that we do not know has its byte."""
    assert generate_ac(AcType.AAC, b"").name == "GENERATE AC"
    assert Command(0x80, 0xE2, 0, 0).name == "INS E2"


def test_status_words_are_what_they_are_written_as() -> None:
    """`sw` of an answer compares with the names."""
    assert Response(0x6983).sw == Sw.PIN_BLOCKED
