"""What a card says of itself: values, or an error of ours, and never anything else."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.terminal_data import Scheme
from sesame.emv.apdu import AcType
from sesame.emv.tags import Tag
from sesame.emv.tlv import encode_one
from sesame.errors import SesameError
from sesame.reader.application import (
    Application,
    Cryptogram,
    Validity,
    decode_options,
    decode_tries,
    languages,
    pdol_values,
    primitives,
)
from sesame.reader.errors import CardUnfit
from tests.reader.dialogue import CODE, EXCHANGES, OBJECTS

FCI, OPTIONS, RECORD, TRIES, _, ARQC, _ = (exchange.response.data for exchange in EXCHANGES)


def application(**changes: bytes) -> Application:
    """The recorded card's application with some objects changed."""
    objects = OBJECTS | {Tag[name]: value for name, value in changes.items()}
    return Application.of(objects, Scheme.DPA)


def test_objects_are_found_in_all_templates() -> None:
    """A record's template, and templates in it."""
    inner = encode_one(0xBF0C, bytes.fromhex("9F5501A0"))
    assert primitives(encode_one(0x70, bytes.fromhex("5F340101") + inner)) == {
        Tag.PSN: b"\x01",
        Tag.IAF: b"\xa0",
    }


def test_the_later_of_two_values_holds() -> None:
    """As a later record overrides an earlier one."""
    assert primitives(bytes.fromhex("5F340101 5F340102")) == {Tag.PSN: b"\x02"}


def test_the_recorded_fci() -> None:
    """No PDOL, French before English."""
    fci = primitives(FCI)
    assert pdol_values(fci, Scheme.DPA) == b""
    assert languages(fci) == ["fr", "en"]


@pytest.mark.parametrize("scheme", [Scheme.VISA, Scheme.BELGIAN])
def test_a_visa_payment_has_another_object_for_an_ipb(scheme: Scheme) -> None:
    """One byte under 9F56: as if there were none, in Belgium too."""
    objects = {tag: value for tag, value in OBJECTS.items() if tag != Tag.IPB}
    without = Application.of(objects, scheme)
    assert Application.of(objects | {Tag.IPB: b"\x80"}, scheme) == without
    assert without.belgian is (scheme is Scheme.BELGIAN)


def test_a_pdol_of_128_bytes_does_not_fit_its_template() -> None:
    """127 do."""
    assert len(pdol_values({Tag.PDOL: bytes.fromhex("DF017F")}, Scheme.DPA)) == 127
    with pytest.raises(CardUnfit, match="128 bytes"):
        pdol_values({Tag.PDOL: bytes.fromhex("DF0180")}, Scheme.DPA)


@pytest.mark.parametrize(
    "answer",
    ["800A 1000 08010200 10050501", "770E 8202 1000 9408 08010200 10050501"],
    ids=["format 1", "format 2"],
)
def test_the_afl_names_records(answer: str) -> None:
    """SFI, first and last of each entry; the fourth byte is for offline authentication."""
    assert decode_options(bytes.fromhex(answer)) == [(1, 1), (1, 2), (2, 5)]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "8002 1000",
        "8000",
        "8005 1000 080101",
        "7704 8202 1000",
        "7706 8202 1000 9400",
        "8006 1000 00010100",
        "8006 1000 F8010100",
        "8006 1000 08000100",
        "8006 1000 08020100",
    ],
)
def test_an_afl_that_names_none(answer: str) -> None:
    """Missing, cut, or of no SFI or record that there is."""
    with pytest.raises(CardUnfit, match="AFL"):
        decode_options(bytes.fromhex(answer))


@pytest.mark.parametrize(
    ("value", "day"),
    [("261123", 20261123), ("491231", 20491231), ("500101", 19500101), ("991231", 19991231)],
)
def test_years_of_two_digits(value: str, day: int) -> None:
    """From 50 on they belong to the last century."""
    assert Validity.of({Tag.EXPIRY_DATE: bytes.fromhex(value)}) == Validity(
        effective=None, expiry=day
    )


@pytest.mark.parametrize("value", ["", "2611", "2A1123", "20261123"])
def test_a_date_that_is_none(value: str) -> None:
    """Three bytes of decimal digits."""
    with pytest.raises(CardUnfit, match="YYMMDD"):
        Validity.of({Tag.EFFECTIVE_DATE: bytes.fromhex(value)})


@pytest.mark.parametrize("missing", [Tag.CDOL1, Tag.CDOL2, Tag.IPB])
def test_what_no_application_can_do_without(missing: Tag) -> None:
    """Named by its tag; an empty value is none."""
    with pytest.raises(CardUnfit, match=f"{missing:X}"):
        Application.of({k: v for k, v in OBJECTS.items() if k != missing}, Scheme.DPA)
    with pytest.raises(CardUnfit, match=f"{missing:X}"):
        application(**{missing.name: b""})


@pytest.mark.parametrize("ipb", ["0000", "07FFFFFF", "FFFFFFFFFFFF"])
def test_an_ipb_that_does_not_make_eight_digits(ipb: str) -> None:
    """No bit at all, or more than 26."""
    with pytest.raises(CardUnfit, match="eight digits"):
        application(IPB=bytes.fromhex(ipb))


@pytest.mark.parametrize("list_", ["CDOL1", "CDOL2"])
def test_a_cdol_that_no_command_can_carry(list_: str) -> None:
    """Told before the PIN, not after."""
    with pytest.raises(CardUnfit, match="256 bytes"):
        application(**{list_: bytes.fromhex("DF01FF DF0201")})
    application(**{list_: bytes.fromhex("DF01FF")})


@pytest.mark.parametrize("rules", ["0100", "0103", "4103", "0300", "1F03 0100", "5E03 4300"])
def test_a_pin_that_the_card_checks(rules: str) -> None:
    """Alone or with a signature, as first or later choice, with or without a successor."""
    application(CVM_LIST=bytes(8) + bytes.fromhex(rules))


@pytest.mark.parametrize("rules", ["", "1F03", "0200", "0001", "4203 0001", "0400"])
def test_a_pin_that_the_card_does_not_check(rules: str) -> None:
    """No rule, online, enciphered, or 01 in the second byte, where it is a condition."""
    with pytest.raises(CardUnfit, match="8E"):
        application(CVM_LIST=bytes(8) + bytes.fromhex(rules))


def test_amounts_of_a_cvm_list_are_no_rules() -> None:
    """Its first eight bytes."""
    with pytest.raises(CardUnfit, match="8E"):
        application(CVM_LIST=bytes.fromhex("01010101 01010101 1F03"))


@pytest.mark.parametrize(
    ("iaf", "psn", "prefix"),
    [("00", "01", ""), ("A0", "01", ""), ("", "01", ""), ("40", "01", "01"), ("C000", "07", "07")],
)
def test_the_psn_comes_first_where_the_iaf_asks(iaf: str, psn: str, prefix: str) -> None:
    """B7 of its first byte."""
    made = application(IAF=bytes.fromhex(iaf), PSN=bytes.fromhex(psn))
    assert made.prefix.hex() == prefix


@pytest.mark.parametrize("psn", ["", "0001"])
def test_a_psn_that_is_asked_for_and_is_not_there(psn: str) -> None:
    """No rule is known for it: refused."""
    with pytest.raises(CardUnfit, match="5F34"):
        application(IAF=b"\x40", PSN=bytes.fromhex(psn))


@pytest.mark.parametrize(
    ("pan", "last4"),
    [
        ("4533112233445566", "5566"),
        ("456FFF", "456"),
        ("45331122FFFF", "1122"),
        ("45A1", ""),
        ("", ""),
    ],
)
def test_the_last_four_digits(pan: str, last4: str) -> None:
    """Filled with F at the end; nothing of what is no number."""
    assert application(PAN=bytes.fromhex(pan)).last4 == last4


@pytest.mark.parametrize(
    ("answer", "left"), [("9F170103", 3), ("9F170100", 0), ("9F1700", None), ("9F17020003", None)]
)
def test_tries_left(answer: str, left: int | None) -> None:
    """In one byte, or not at all."""
    assert decode_tries(bytes.fromhex(answer)) == left


def test_the_recorded_code() -> None:
    """From records and cryptogram to digits, which do not print themselves."""
    made = Application.of(primitives(RECORD), Scheme.DPA)
    cryptogram = Cryptogram.decode(ARQC)
    assert cryptogram.kind is AcType.ARQC
    code = made.code(cryptogram)
    assert code.digits == CODE.replace(" ", "")
    assert "CF17" not in repr(cryptogram).upper()
    assert "5566" not in repr(made)


@pytest.mark.parametrize("missing", [Tag.CID, Tag.ATC, Tag.AC])
def test_a_cryptogram_needs_cid_atc_and_ac(missing: Tag) -> None:
    """The IAD may be missing."""
    parts = {Tag.CID: b"\x80", Tag.ATC: b"\x00\x10", Tag.AC: bytes(8)}
    whole = b"".join(encode_one(*part) for part in parts.items())
    assert len(Cryptogram.decode(encode_one(0x77, whole)).data) == 11
    del parts[missing]
    cut = b"".join(encode_one(*part) for part in parts.items())
    with pytest.raises(CardUnfit, match=missing.name):
        Cryptogram.decode(encode_one(0x77, cut))


def test_a_packed_cryptogram_of_ten_bytes() -> None:
    """CID, ATC and AC are eleven."""
    with pytest.raises(CardUnfit, match="10 bytes"):
        Cryptogram.decode(encode_one(0x80, bytes(10)))


READERS: tuple[Callable[[bytes], object], ...] = (
    primitives,
    decode_options,
    decode_tries,
    Cryptogram.decode,
    lambda data: pdol_values(primitives(data), Scheme.DPA),
    lambda data: languages(primitives(data)),
    lambda data: Validity.of(primitives(data)),
    lambda data: Application.of(OBJECTS | primitives(data), Scheme.DPA),
)


@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.tuples(st.sampled_from([*Tag]), st.binary(max_size=20)).map(
                lambda pair: encode_one(*pair)
            )
        ).map(b"".join),
    ),
    read=st.sampled_from(READERS),
)
def test_any_bytes_give_values_or_an_error_of_ours(
    data: bytes, read: Callable[[bytes], object]
) -> None:
    """Nothing else ever comes out."""
    with suppress(SesameError):
        assert read(data) is not Ellipsis
