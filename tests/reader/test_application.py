"""What a card says of itself: values, or an error of ours, and never anything else."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.errors import IpbEmpty, IpbTooLong
from sesame.cap.mode import NO_FLAGS, Iaf, Inputs, Mode
from sesame.cap.tds import mix
from sesame.cap.terminal_data import Scheme, scheme_of
from sesame.cap.token import BELGIAN_IPB, VISA_DEFAULT_IPB, to_belgian
from sesame.emv.apdu import AcType
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, encode_one
from sesame.errors import SesameError
from sesame.reader.application import (
    Application,
    Cryptogram,
    Validity,
    cdol1_values,
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


def test_an_afl_that_names_thousands() -> None:
    """Would keep the reader for minutes: 64 records are read, and no more."""
    assert len(decode_options(encode_one(0x80, bytes.fromhex("1000 08014000")))) == 64
    for afl in ("08014100", "0801FF00", "08012000 10012000 18010100", "0801FF00" * 63):
        with pytest.raises(CardUnfit, match="records"):
            decode_options(encode_one(0x80, bytes.fromhex(f"1000 {afl}")))


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
    with pytest.raises((CardUnfit, IpbEmpty), match=f"{missing:X}"):
        application(**{missing.name: b""})


@pytest.mark.parametrize("ipb", ["00", "0000", "00" * 18])
def test_an_ipb_without_a_bit(ipb: str) -> None:
    """It makes no number: told before the PIN."""
    with pytest.raises(IpbEmpty):
        application(IPB=bytes.fromhex(ipb))


@pytest.mark.parametrize(
    ("ipb", "shown"),
    [
        ("0003FFFFFF", 0x10CF17),  # 26 bits: eight digits
        ("00FFFFFFFF", 0x0010CF17),  # 32 bits, and yet eight digits here
        ("000000FFFFFFFF", 0xCF17CD2F),
        ("0000000000FFFFFFFFFF", 0xCD2F3F3690),
    ],
)
def test_a_bitmap_of_many_bits_shows_the_whole_number(ipb: str, shown: int) -> None:
    """Eight digits, or as many as it takes: nothing is cut, which the bank would have to guess."""
    made = application(IPB=bytes.fromhex(ipb))
    assert made.code(Cryptogram.decode(ARQC)).digits == f"{shown:08d}"


def test_bits_past_the_data_make_no_code() -> None:
    """The recorded card sends 18 bytes; a bitmap may be longer, if nothing is chosen there."""
    cryptogram = Cryptogram.decode(ARQC)
    longer = application(IPB=OBJECTS[Tag.IPB].ljust(40, b"\x00"))
    assert longer.code(cryptogram).digits == CODE.replace(" ", "")
    beyond = application(IPB=bytes(18) + b"\x80")
    with pytest.raises(IpbTooLong):
        beyond.code(cryptogram)


@pytest.mark.parametrize("list_", ["CDOL1", "CDOL2"])
def test_a_cdol_that_no_command_can_carry(list_: str) -> None:
    """Told before the PIN, not after."""
    with pytest.raises(CardUnfit, match="256 bytes"):
        application(**{list_: bytes.fromhex("DF01FF DF0201")})
    application(**{list_: bytes.fromhex("DF01FF")})


@pytest.mark.parametrize("rules", [None, b"", bytes(8), bytes.fromhex("0001020304050607 1F03")])
def test_the_cvm_list_does_not_decide(rules: bytes | None) -> None:
    """A card without one, or of other rules, is asked all the same: VERIFY says what it checks."""
    objects = {tag: value for tag, value in OBJECTS.items() if tag != Tag.CVM_LIST}
    if rules is not None:
        objects[Tag.CVM_LIST] = rules
    made = Application.of(objects, Scheme.DPA)
    assert made.code(Cryptogram.decode(ARQC)).digits == CODE.replace(" ", "")


@pytest.mark.parametrize(
    ("iaf", "psn", "prefix"),
    [("00", "01", ""), ("A0", "01", ""), ("", "01", ""), ("40", "01", "01"), ("C000", "07", "07")],
)
def test_the_psn_comes_first_where_the_iaf_asks(iaf: str, psn: str, prefix: str) -> None:
    """B7 of its first byte."""
    made = application(IAF=bytes.fromhex(iaf), PSN=bytes.fromhex(psn))
    assert made.prefix.hex() == prefix


def test_a_psn_that_comes_first_enters_the_number() -> None:
    """A bitmap of such a card begins with a byte for it."""
    made = application(IAF=b"\x40", PSN=b"\x07", IPB=bytes.fromhex("FF 00 00FF"))
    assert made.code(Cryptogram.decode(ARQC)).digits == f"{0x0710:08d}"


def test_an_iaf_of_seven_bytes() -> None:
    """As bank cards have it: the first byte counts."""
    made = application(IAF=bytes.fromhex("A0 000000000000"))
    assert made.iaf == Iaf.AMOUNT | Iaf.AMOUNT_ONLY


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


@pytest.mark.parametrize(
    "second",
    [
        "9F2701 00",
        "9F3602 0001",
        "9F2608 0000000000000000",
        "9F1000",
        "80 0B 8000010000000000000000",
        "70 04 9F2701 80",
    ],
)
def test_a_cryptogram_that_says_a_part_twice(second: str) -> None:
    """Declined and granted in one answer, or in both formats: nobody knows which holds."""
    whole = decode(ARQC)[0].value
    with pytest.raises(CardUnfit, match="twice"):
        Cryptogram.decode(encode_one(0x77, whole + bytes.fromhex(second)))


@pytest.mark.parametrize(("bits", "fits"), [(53, True), (54, False), (64, False)])
def test_a_code_fits_the_display(bits: int, fits: bool) -> None:  # noqa: FBT001
    """16 digits are four groups; whoever wants more of an answer gets nothing."""
    ones = ((1 << bits) - 1).to_bytes(8)
    made = application(IPB=bytes(3) + ones)
    cryptogram = Cryptogram.decode(encode_one(0x80, b"\x80\0\1" + b"\xff" * 8))
    if fits:
        assert len(made.code(cryptogram).digits) == 16
        return
    with pytest.raises(CardUnfit, match="digits"):
        made.code(cryptogram)


def test_a_packed_cryptogram_of_ten_bytes() -> None:
    """CID, ATC and AC are eleven."""
    with pytest.raises(CardUnfit, match="10 bytes"):
        Cryptogram.decode(encode_one(0x80, bytes(10)))


# ── Payment cards ────────────────────────────────────────────────────────────────────────────────

PAYMENT = {tag: value for tag, value in OBJECTS.items() if tag not in (Tag.IPB, Tag.IAF)}


def payment(scheme: Scheme, **changes: bytes) -> Application:
    """A card that nobody personalised for codes, some objects added."""
    return Application.of(PAYMENT | {Tag[name]: value for name, value in changes.items()}, scheme)


def test_a_visa_card_without_a_bitmap_has_the_readers_own() -> None:
    """33 bits of ATC, AC and IAD, as many digits as it takes."""
    assert payment(Scheme.VISA).ipb == VISA_DEFAULT_IPB
    # 10CF17 whole; of A48000, at the end, what 20B938 takes.
    number = 0x10CF17 << 9 | 0b1_10000_000
    assert payment(Scheme.VISA).code(Cryptogram.decode(ARQC)).digits == f"{number}"


@pytest.mark.parametrize("ipb", [b"", b"\x01"])
def test_on_a_visa_payment_card_the_tags_mean_something_else(ipb: bytes) -> None:
    """There 9F56 has one byte and is no bitmap, and 9F55 is no IAF."""
    made = payment(Scheme.VISA, IPB=ipb, IAF=b"\xc0", PSN=b"\x01")
    assert (made.ipb, made.iaf, made.prefix) == (VISA_DEFAULT_IPB, NO_FLAGS, b"")


def test_a_visa_card_with_a_bitmap_keeps_it() -> None:
    """Also one that is shorter than what a card answers."""
    for ipb in (bytes(10) + b"\xff", b"\x00\x00\xff"):
        made = payment(Scheme.VISA, IPB=ipb, IAF=b"\xc0", PSN=b"\x01")
        assert (made.ipb, made.iaf, made.prefix) == (ipb, 0xC0, b"\x01")


def test_on_a_belgian_payment_card_too() -> None:
    """Nobody says whether it is a Visa card: one byte is no bitmap, and 9F55 then no IAF."""
    made = payment(Scheme.BELGIAN, IPB=b"\x01", IAF=b"\xc0", PSN=b"\x01")
    assert (made.ipb, made.belgian, made.iaf) == (BELGIAN_IPB, True, NO_FLAGS)


def test_the_first_command_of_a_card_that_makes_no_codes() -> None:
    """Its CDOL1 is all that it takes."""
    objects: dict[int, bytes] = {Tag.CDOL1: bytes.fromhex("9F0206 9F3704"), Tag.IAF: b"\x80"}
    inputs = Inputs(mode=Mode.M1, challenge="12", amount=5)
    assert cdol1_values(objects, Scheme.CAP, inputs) == bytes.fromhex("000000000005 00000012")
    with pytest.raises(CardUnfit, match="no CDOL1"):
        cdol1_values({}, Scheme.CAP, inputs)


@pytest.mark.parametrize("scheme", [Scheme.MASTERCARD, Scheme.MAESTRO, Scheme.CAP, Scheme.DPA])
def test_others_need_a_bitmap_of_their_own(scheme: Scheme) -> None:
    """No reader is known to have one for them."""
    with pytest.raises(CardUnfit, match="9F56"):
        payment(scheme)


def test_a_belgian_card_without_a_bitmap_makes_belgian_numbers() -> None:
    """Maestro and Visa alike: fixed bits, in an order of their own."""
    made = payment(Scheme.BELGIAN, IAF=b"\x40", PSN=b"\x01")
    assert (made.ipb, made.belgian, made.prefix) == (BELGIAN_IPB, True, b"")
    token = 0x10 << 18 | 0x369044 & 0x3FFFF
    assert made.code(Cryptogram.decode(ARQC)).digits == f"{to_belgian(token):08d}"


def test_a_belgian_card_with_a_bitmap_uses_it() -> None:
    """Then it is as every other card."""
    made = payment(Scheme.BELGIAN, IPB=OBJECTS[Tag.IPB])
    assert not made.belgian
    assert made.code(Cryptogram.decode(ARQC)).digits == CODE.replace(" ", "")


def test_bancontact_ignores_the_cards_bitmap() -> None:
    """Its readers never look at it."""
    made = payment(Scheme.BANCONTACT, IPB=OBJECTS[Tag.IPB])
    assert (made.ipb, made.belgian) == (BELGIAN_IPB, True)


def test_a_belgian_card_with_an_application_for_codes_uses_that() -> None:
    """Nationality and bank only change what its payments make."""
    fci: dict[int, bytes] = {
        Tag.CARDHOLDER_NATIONALITY: b"\x00\x56",
        Tag.BELGIAN_ISSUER: b"BKS05600000",
    }
    assert scheme_of(Scheme.CAP, fci) is Scheme.CAP
    assert not Application.of(OBJECTS | fci, Scheme.CAP).belgian
    assert scheme_of(Scheme.MAESTRO, fci) is Scheme.BELGIAN


# ── What is typed ────────────────────────────────────────────────────────────────────────────────

TRANSFER = Inputs(mode=Mode.M1, challenge="34567890", amount=125050, currency="978")


@pytest.mark.parametrize(
    ("iaf", "amount", "currency"),
    [("00", "", ""), ("80", "125050", "0978"), ("A0", "125050", "")],
)
def test_the_iaf_says_what_enters_beside_the_payee(iaf: str, amount: str, currency: str) -> None:
    """Amount and currency, the amount alone, or neither; in both commands."""
    made = application(IAF=bytes.fromhex(iaf), CDOL1=ELEMENTS, CDOL2=ELEMENTS)
    for values in (made.cdol1_values(TRANSFER), made.cdol2_values(TRANSFER)):
        assert values[:6].hex() == amount.zfill(12)
        assert values[6:8].hex() == currency.zfill(4)
        assert values[8:].hex() == "34567890"
    assert not any(made.cdol1_values())


ELEMENTS = bytes.fromhex("9F0206 5F2A02 9F3704")


def test_fields_are_mixed_into_the_number() -> None:
    """Mode 2 with TDS: the card is asked as for a login, the reader does the rest."""
    made, cryptogram = application(), Cryptogram.decode(ARQC)
    fields = ("125050", "34567890")
    signed = Inputs(mode=Mode.TDS, fields=fields)
    assert made.cdol1_values(signed) == made.cdol1_values()
    data = bytes.fromhex("80 0010") + mix(bytes.fromhex("CF17CD2F3F369044"), fields)
    mixed = Cryptogram.decode(encode_one(0x80, data + bytes.fromhex("06780A03A48000")))
    assert made.code(cryptogram, signed) == made.code(mixed) != made.code(cryptogram)


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
