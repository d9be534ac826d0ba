"""Issuer Application Data of Visa's layout, and the bits of the CVR."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedIad
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, VisaIad
from tests.emv.strategies import iads


@pytest.mark.parametrize(
    ("iad", "dki", "cvn", "cvr"),
    [
        ("06780A03A48000", 0x78, 0x0A, PIN_VERIFIED_ARQC | Cvr.LAST_ONLINE_NOT_COMPLETED),
        (
            "060A0A03A49000",
            0x0A,
            0x0A,
            PIN_VERIFIED_ARQC | Cvr.LAST_ONLINE_NOT_COMPLETED | Cvr.NEW_CARD,
        ),
        ("06015603A400000700030000010002", 0x01, 0x56, PIN_VERIFIED_ARQC),
    ],
    ids=["French card", "British card", "Belgian card"],
)
def test_recorded_cards_say_that_the_pin_was_right(iad: str, dki: int, cvn: int, cvr: Cvr) -> None:
    """First answers of real cards behind a right PIN."""
    decoded = VisaIad.decode(bytes.fromhex(iad))
    assert (decoded.dki, decoded.cvn, decoded.cvr) == (dki, cvn, cvr)
    assert decoded.discretionary == bytes.fromhex(iad[14:])


def test_the_second_answer_says_how_the_transaction_ended() -> None:
    """A recorded 25 80 00: second AC an AAC, first an ARQC, PIN done, unable to go online."""
    assert VisaIad.decode(bytes.fromhex("06780A03258000")).cvr == (
        Cvr.FIRST_AC_ARQC
        | Cvr.PIN_PERFORMED
        | Cvr.UNABLE_TO_GO_ONLINE
        | Cvr.LAST_ONLINE_NOT_COMPLETED
    )


def test_every_bit_of_the_cvr_has_one_name() -> None:
    """24 bits, no two names share one (the script counter is four of them)."""
    assert sum(cvr.value.bit_count() for cvr in Cvr.__members__.values()) == 24
    assert sum(Cvr.__members__.values()) == 0xFFFFFF


@given(iads)
def test_what_was_written_is_read(iad: VisaIad) -> None:
    """Any index, any version, any results, any discretionary data."""
    assert VisaIad.decode(iad.encode()) == iad


@given(
    st.binary(max_size=40)
    | st.binary(min_size=3, max_size=28).map(lambda b: b"\x06" + b[:2] + b"\x03" + b[2:])
)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing but our error comes out, and what was read is what was written."""
    try:
        iad = VisaIad.decode(raw)
    except MalformedIad:
        return
    assert iad.encode() == raw


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("06780A03A480", "an IAD of 6 bytes"),
        ("06780A03A48000" + "00" * 26, "an IAD of 33 bytes"),
        ("07780A03A48000", "begins 07 78 0A 03"),
        ("06780A04A48000", "begins 06 78 0A 04"),
        ("0110A50003040000000000000000000000FF", "begins 01 10 A5 00"),
    ],
)
def test_another_layout_is_told(raw: str, message: str) -> None:
    """M/Chip's, for example."""
    with pytest.raises(MalformedIad, match=message):
        VisaIad.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("dki", "cvn", "cvr", "discretionary", "message"),
    [
        (256, 0x12, 0, b"", "DKI 100, CVN 12"),
        (-1, 0x12, 0, b"", "one byte each"),
        (1, 256, 0, b"", "DKI 1, CVN 100"),
        (1, 0x12, 0x1000000, b"", "CVR 1000000"),
        (1, 0x12, 0, bytes(26), "26 bytes of discretionary data"),
    ],
)
def test_what_does_not_fit_is_refused_when_made(
    dki: int, cvn: int, cvr: int, discretionary: bytes, message: str
) -> None:
    """Not when it is encoded, which may be in a card."""
    with pytest.raises(MalformedIad, match=message):
        VisaIad(dki=dki, cvn=cvn, cvr=Cvr(cvr), discretionary=discretionary)
