"""Issuer Application Data of the three layouts, and the bits of their CVR."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedIad
from sesame.emv.iad import (
    PIN_VERIFIED_ARQC,
    CcdCvr,
    CcdIad,
    Cvr,
    MChipCvr,
    MChipIad,
    VisaIad,
    decode_iad,
)
from tests.emv.strategies import ccd_iads, iads, mchip_iads
from tests.vectors.reading import vectors

VISA = "06780A03A48000"
MCHIP = "0110A50003040000000000000000000000FF"
CCD = "0FA526A8310000000000000150000000" + "0F240000000000000000000000000000"  # nothing of PINs
# What the results must be, and in which bits: docs/reference/emv-cap.md, section 12.4.
POLICY: list[tuple[type[Cvr | MChipCvr | CcdCvr], int, int]] = [
    (Cvr, 0xA40000, 0xF74201),
    (MChipCvr, 0xA50000000000, 0xF50000790000),
    (CcdCvr, 0xA008000000, 0xF00E000100),
]


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


@pytest.mark.parametrize(("results", "bits"), [(Cvr, 24), (MChipCvr, 48), (CcdCvr, 40)])
def test_every_bit_of_the_cvr_has_one_name(
    results: type[Cvr | MChipCvr | CcdCvr], bits: int
) -> None:
    """No two names share one (counters are four of them)."""
    assert sum(cvr.value.bit_count() for cvr in results.__members__.values()) == bits
    assert sum(results.__members__.values()) == (1 << bits) - 1


@given(st.sampled_from(POLICY), st.data())
def test_the_policy_is_that_of_the_reference(
    policy: tuple[type[Cvr | MChipCvr | CcdCvr], int, int], data: st.DataObject
) -> None:
    """Of results that differ in any one bit or in many, those with the fixed bits will do."""
    results, wanted, fixed = policy
    bits = sum(results.__members__.values()).bit_length()
    assert results(wanted).pin_verified_arqc
    for bit in range(bits):
        assert results(wanted ^ 1 << bit).pin_verified_arqc is not bool(fixed & 1 << bit)
    number = data.draw(st.integers(0, (1 << bits) - 1))
    assert results(number).pin_verified_arqc is (number & fixed == wanted)
    assert results(number & ~fixed | wanted).pin_verified_arqc


def test_the_smallest_results_that_will_do() -> None:
    """All other bits clear."""
    assert PIN_VERIFIED_ARQC.pin_verified_arqc
    mchip = MChipCvr.SECOND_AC_NOT_REQUESTED | MChipCvr.FIRST_AC_ARQC
    assert not mchip.pin_verified_arqc
    assert not (mchip | MChipCvr.PIN_PERFORMED).pin_verified_arqc
    assert (mchip | MChipCvr.PIN_PERFORMED | MChipCvr.PIN_SUCCESSFUL).pin_verified_arqc
    ccd = CcdCvr.SECOND_AC_NOT_REQUESTED | CcdCvr.FIRST_AC_ARQC
    assert not ccd.pin_verified_arqc
    assert (ccd | CcdCvr.PIN_PERFORMED).pin_verified_arqc


@pytest.mark.parametrize("vector", vectors("end_to_end", "end_to_end"), ids=lambda v: v["id"])
def test_cards_of_the_vectors_behind_a_right_pin(vector: dict[str, Any]) -> None:
    """All but the one whose code no bank may accept."""
    iad = decode_iad(bytes.fromhex(vector["iad"]))
    refused = vector.get("refused", False)
    assert iad.cvr.pin_verified_arqc is (not refused)


def test_the_results_of_a_recorded_hsm_request_are_refused() -> None:
    """80 00 01 24 00 00: the first AC was an AAC, the PIN not performed."""
    (vector,) = (v for v in vectors("cryptogram", "chain") if "cvr" in v)
    cvr = MChipCvr(int(vector["cvr"], 16))
    assert not cvr.pin_verified_arqc
    assert cvr == (
        MChipCvr.SECOND_AC_NOT_REQUESTED
        | MChipCvr(0x01000000)  # one try is left
        | MChipCvr.PIN_NOT_PERFORMED
        | MChipCvr.INTERNATIONAL
    )


def test_an_mchip_iad() -> None:
    """DKI 01, CVN 10, three tries left, an international transaction."""
    assert MChipIad.decode(bytes.fromhex(MCHIP)) == MChipIad(
        dki=0x01,
        cvn=0x10,
        cvr=MChipCvr.SECOND_AC_NOT_REQUESTED
        | MChipCvr.FIRST_AC_ARQC
        | MChipCvr.PIN_PERFORMED
        | MChipCvr.PIN_SUCCESSFUL
        | MChipCvr(0x03000000)
        | MChipCvr.INTERNATIONAL,
        counters=bytes(7) + b"\xff",
    )


def test_a_ccd_iad() -> None:
    """Counters and issuer discretionary data stand in a half of their own."""
    iad = CcdIad.decode(bytes.fromhex(CCD))
    assert (iad.cci, iad.cvn, iad.dki) == (0xA5, 0xA5, 0x26)
    assert iad.cvr == (
        CcdCvr.SECOND_AC_NOT_REQUESTED
        | CcdCvr.FIRST_AC_ARQC
        | CcdCvr.CDA_PERFORMED
        | CcdCvr(0x30000000)  # three tries are left
        | CcdCvr.LAST_ONLINE_NOT_COMPLETED
    )
    assert iad.counters == bytes.fromhex("0000000150000000")
    assert iad.discretionary == bytes.fromhex("24" + "00" * 14)


@given(iads | mchip_iads | ccd_iads)
def test_what_was_written_is_read(iad: VisaIad | MChipIad | CcdIad) -> None:
    """Any index, any version, any results, any counters and discretionary data."""
    raw = iad.encode()
    assert type(iad).decode(raw) == iad
    if not (isinstance(iad, MChipIad) and raw[0] == 0x06 and raw[3] == 0x03):
        assert decode_iad(raw) == iad


def test_what_could_be_either_is_visas() -> None:
    """An M/Chip card with DKI 06 whose issuer sets two bits of its own."""
    raw = bytes.fromhex("0610A50304040000000000000000000000FF")
    assert MChipIad.decode(raw).encode() == raw
    assert isinstance(decode_iad(raw), VisaIad)


@given(
    st.binary(max_size=40)
    | st.binary(min_size=3, max_size=28).map(lambda b: b"\x06" + b[:2] + b"\x03" + b[2:])
    | st.binary(min_size=18, max_size=18).map(lambda b: b[:1] + b"\x14" + b[2:])
    | st.binary(min_size=32, max_size=32).map(lambda b: b"\x0f\xa5" + b[2:16] + b"\x0f" + b[17:]),
    st.sampled_from([VisaIad.decode, MChipIad.decode, CcdIad.decode, decode_iad]),
)
def test_any_bytes_are_read_or_refused(
    raw: bytes, decode: Callable[[bytes], VisaIad | MChipIad | CcdIad]
) -> None:
    """Nothing but our error comes out, and what was read is what was written."""
    try:
        iad = decode(raw)
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
        (MCHIP, "begins 01 10 A5 00"),
    ],
)
def test_another_layout_is_told(raw: str, message: str) -> None:
    """M/Chip's, for example."""
    with pytest.raises(MalformedIad, match=message):
        VisaIad.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (VISA, "an IAD of 7 bytes, M/Chip's have 18"),
        ("0108" + "00" * 16, "CVN 08: M/Chip has 10 to 17"),
        ("0118" + "00" * 16, "CVN 18"),
        ("0120" + "00" * 16, "CVN 20"),
    ],
)
def test_what_is_not_mchips(raw: str, message: str) -> None:
    """Another length, or the CVN of somebody else."""
    with pytest.raises(MalformedIad, match=message):
        MChipIad.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (MCHIP, "an IAD of 18 bytes, CCD's have 32"),
        ("06" + CCD[2:], "begin 06 and 0F, CCD's with 0F"),
        (CCD[:32] + "0E" + CCD[34:], "begin 0F and 0E"),
        ("0FB5" + CCD[4:], "CCI B5: CCD has A0 to AF"),
    ],
)
def test_what_is_not_ccds(raw: str, message: str) -> None:
    """Another length, a half without its own, another format."""
    with pytest.raises(MalformedIad, match=message):
        CcdIad.decode(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", ["", "1F", "07780A03A48000", "0120" + "00" * 16])
def test_what_has_no_layout_is_told(raw: str) -> None:
    """With its length and how it begins."""
    begins = (
        f"an IAD of {len(raw) // 2} bytes that begins {bytes.fromhex(raw[:8]).hex(' ').upper()}"
    )
    with pytest.raises(MalformedIad, match=begins):
        decode_iad(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("dki", "cvn", "cvr", "discretionary", "message"),
    [
        (256, 0x12, 0, b"", "DKI 100, CVN 12"),
        (-1, 0x12, 0, b"", "one byte each"),
        (1, 256, 0, b"", "DKI 1, CVN 100"),
        (1, 0x12, 0x1000000, b"", "CVR 1000000: it has 3 bytes"),
        (1, 0x12, 0, bytes(26), "26 bytes of discretionary data"),
    ],
)
def test_what_does_not_fit_is_refused_when_made(
    dki: int, cvn: int, cvr: int, discretionary: bytes, message: str
) -> None:
    """Not when it is encoded, which may be in a card."""
    with pytest.raises(MalformedIad, match=message):
        VisaIad(dki=dki, cvn=cvn, cvr=Cvr(cvr), discretionary=discretionary)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dki": 256}, "DKI 100, CVN 10"),
        ({"cvn": 0x18}, "CVN 18: M/Chip has 10 to 17"),
        ({"cvr": MChipCvr(1 << 48)}, "CVR 1000000000000: it has 6 bytes"),
        ({"dac_or_idn": bytes(3)}, "DAC or IDN of 3 bytes: the layout has 2"),
        ({"counters": bytes(7)}, "counters of 7 bytes: the layout has 8"),
    ],
)
def test_what_does_not_fit_mchips_is_refused_when_made(
    changed: dict[str, Any], message: str
) -> None:
    """Each field has its own place."""
    fields = {"dki": 1, "cvn": 0x10, "cvr": MChipCvr(0)} | changed
    with pytest.raises(MalformedIad, match=message):
        MChipIad(**fields)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dki": -1}, "they are one byte each"),
        ({"cci": 0x5A}, "CCI 5A: CCD has A0 to AF"),
        ({"cvr": CcdCvr(1 << 40)}, "CVR 10000000000: it has 5 bytes"),
        ({"counters": bytes(9)}, "counters of 9 bytes: the layout has 8"),
        ({"discretionary": b""}, "issuer discretionary data of 0 bytes: the layout has 15"),
    ],
)
def test_what_does_not_fit_ccds_is_refused_when_made(changed: dict[str, Any], message: str) -> None:
    """Each field has its own place."""
    fields = {"dki": 1, "cvr": CcdCvr(0)} | changed
    with pytest.raises(MalformedIad, match=message):
        CcdIad(**fields)
