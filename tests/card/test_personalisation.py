"""The three cards that we issue: docs/reference/emv-cap.md, section 14.1."""

from dataclasses import replace
from datetime import date

import pytest

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.terminal_data import AIDS, STANDARD_ELEMENTS
from sesame.card.errors import PersonalisationError
from sesame.card.memory import Application, CardImage, CardKind, Counters
from sesame.card.personalisation import atr, bank_card, payment_card, sesame_card
from sesame.emv.atr import Protocol, decode_atr
from sesame.emv.dol import DolEntry, dol_length
from sesame.emv.iad import PIN_VERIFIED_ARQC
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, find
from tests.card.cards import (
    DATA,
    DKI,
    DPA,
    DPA_KEY,
    PAN,
    PAYMENT,
    PAYMENT_KEY,
    bank_image,
    payment_image,
    sesame_image,
)


def objects(application: Application) -> dict[int, bytes]:
    """Everything in the records of an application."""
    return {
        o.tag: o.value for record in application.records for o in decode(record.value)[0].children()
    }


@pytest.mark.parametrize(
    ("image", "kind", "aids", "keys"),
    [
        (sesame_image(), CardKind.SESAME, [DPA], [DPA_KEY]),
        (bank_image(), CardKind.BANK, [PAYMENT, DPA], [PAYMENT_KEY, DPA_KEY]),
        (payment_image(), CardKind.PAYMENT, [PAYMENT], [PAYMENT_KEY]),
    ],
)
def test_each_kind_has_its_applications(
    image: CardImage, kind: CardKind, aids: list[bytes], keys: list[object]
) -> None:
    """Codes only, payments and codes (listed last), payments only; each with its own key."""
    assert image.kind == kind
    assert [application.aid for application in image.applications] == aids
    assert [application.mk_ac for application in image.applications] == keys
    assert [application.priority for application in image.applications] == [1, 2][: len(aids)]


@pytest.mark.parametrize(
    ("application", "profile"),
    [(sesame_image().applications[0], SESAME_CARD), (bank_image().applications[1], BANK_CARD)],
)
def test_the_code_application_is_what_the_bank_predicts(
    application: Application, profile: Profile
) -> None:
    """AID, AIP, CVN, CVR, IPB and IAF are the profile's own."""
    assert application.aid in AIDS
    assert (application.aid, application.aip) == (profile.aid, profile.aip)
    assert (application.cvn, application.dki) == (profile.version.cvn, DKI)
    assert application.cvr | PIN_VERIFIED_ARQC == profile.cvr
    assert application.strict
    assert not application.pays
    assert objects(application)[Tag.IPB] == profile.ipb
    assert objects(application)[Tag.IAF] == bytes([profile.iaf])


def test_the_code_record_is_the_recorded_one() -> None:
    """The objects of the recorded French card in its order, then the dates and the version."""
    (record,) = sesame_image().applications[0].records
    assert (record.sfi, record.number) == (1, 1)
    assert [o.tag for o in decode(record.value)[0].children()] == [
        Tag.CDOL1,
        Tag.CDOL2,
        Tag.PAN,
        Tag.PSN,
        Tag.CVM_LIST,
        Tag.IPB,
        Tag.IAF,
        Tag.EXPIRY_DATE,
        Tag.EFFECTIVE_DATE,
        Tag.APPLICATION_VERSION,
    ]
    values = objects(sesame_image().applications[0])
    assert values[Tag.PAN] == bytes.fromhex(PAN.digits)
    assert values[Tag.PSN] == b"\x00"
    assert values[Tag.CVM_LIST] == bytes.fromhex("0000000000000000 0100")
    assert values[Tag.EXPIRY_DATE] == bytes.fromhex("291231")
    assert values[Tag.EFFECTIVE_DATE] == bytes.fromhex("250101")


@pytest.mark.parametrize("image", [sesame_image(), bank_image(), payment_image()])
def test_both_lists_ask_for_the_eight_elements(image: CardImage) -> None:
    """29 bytes for the first cryptogram; the ARC and the same for the second."""
    for application in image.applications:
        assert application.cdol1 == STANDARD_ELEMENTS
        assert application.cdol2 == (DolEntry(Tag.ARC, 2), *STANDARD_ELEMENTS)


def test_the_payment_application_carries_no_bitmap() -> None:
    """9F55 and 9F56 mean other things there; the holder's name stands in a record of its own."""
    application = payment_image().applications[0]
    values = objects(application)
    assert Tag.IPB not in values
    assert Tag.IAF not in values
    assert values[Tag.CARDHOLDER_NAME] == b"MARTIN/ELODIE"
    assert values[Tag.PAN] == bytes.fromhex(PAN.digits)
    assert not application.strict
    assert application.pays


@pytest.mark.parametrize("digits", [13, 16, 19])
def test_the_payment_application_has_a_track_2(digits: int) -> None:
    """Number, expiry, service code, zeros; it says what 5A and 5F24 say, and no more."""
    payload = "9" * (digits - 1)
    pan = Pan(payload + luhn_digit(payload))
    image, _ = payment_card(replace(DATA, pan=pan), dki=DKI, payment_key=PAYMENT_KEY)
    values = objects(image.applications[0])
    track = values[Tag.TRACK_2].hex()
    assert len(track) == 38
    assert track.startswith(f"{pan.digits}d2912201")
    assert set(track.removeprefix(f"{pan.digits}d2912201")[:-1]) == {"0"}
    assert track[-1] == "f"
    assert values[Tag.PAN].hex().startswith(pan.digits)
    assert values[Tag.EXPIRY_DATE].hex().startswith("2912")


def test_an_application_for_codes_has_nothing_of_a_magnetic_stripe() -> None:
    """It pays nowhere."""
    for application in (sesame_image().applications[0], bank_image().applications[1]):
        assert not objects(application).keys() & {Tag.TRACK_2, Tag.TRACK_1_DISCRETIONARY}


@pytest.mark.parametrize("protocol", Protocol)
def test_each_kind_has_an_atr_of_its_own(protocol: Protocol) -> None:
    """Well formed, for one protocol alone; the last historical byte tells the kind."""
    atrs = {kind: decode_atr(atr(kind, protocol)) for kind in CardKind}
    assert {kind: read.historical[-1:] for kind, read in atrs.items()} == {
        CardKind.BANK: b"B",
        CardKind.SESAME: b"S",
        CardKind.PAYMENT: b"P",
    }
    assert {read.protocol for read in atrs.values()} == {protocol}
    images = [
        bank_card(DATA, dki=DKI, dpa_key=DPA_KEY, payment_key=PAYMENT_KEY, protocol=protocol)[0],
        sesame_card(DATA, dki=DKI, dpa_key=DPA_KEY, protocol=protocol)[0],
        payment_card(DATA, dki=DKI, payment_key=PAYMENT_KEY, protocol=protocol)[0],
    ]
    assert [image.atr for image in images] == [atr(image.kind, protocol) for image in images]


def test_a_card_speaks_t0_unless_it_is_said_otherwise() -> None:
    """As most bank cards do; no ATR is taken for a contactless card's, which is 3B8n8001."""
    for image in (sesame_image(), bank_image(), payment_image()):
        assert decode_atr(image.atr).protocol == Protocol.T0
    assert not any(atr(kind, Protocol.T1)[1] >> 4 == 8 for kind in CardKind)


@pytest.mark.parametrize("image", [sesame_image(), bank_image(), payment_image()])
def test_the_records_have_what_emv_calls_mandatory(image: CardImage) -> None:
    """Book 3, 7.2: 5F24, 5A, 8C and 8D; and the AFL names each record there is."""
    for application in image.applications:
        values = objects(application)
        assert {Tag.EXPIRY_DATE, Tag.PAN, Tag.CDOL1, Tag.CDOL2} <= values.keys()
        assert dol_length(application.cdol1) == 29
        assert b"F" not in values[Tag.PAN].hex().upper().encode()  # an even number of digits
        runs = [application.afl[at : at + 4] for at in range(0, len(application.afl), 4)]
        named = [(r[0] >> 3, n) for r in runs for n in range(r[1], r[2] + 1)]
        assert named == [(record.sfi, record.number) for record in application.records]


def test_a_new_card_has_made_no_transaction() -> None:
    """ATC 0, three tries, never online."""
    _, counters = sesame_card(DATA, dki=DKI, dpa_key=DPA_KEY)
    assert counters == Counters(atc=0, pin_tries_left=3, last_online_atc=0)


def test_the_languages_are_offered_in_order() -> None:
    """5F2D names the preferred one first."""
    data = replace(DATA, languages=("en", "fr", "de"))
    image, _ = sesame_card(data, dki=DKI, dpa_key=DPA_KEY)
    fci = image.applications[0].fci(image.data.languages)
    assert find(decode(fci), Tag.LANGUAGE_PREFERENCE) == b"enfrde"


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"psn": "1"}, "two digits"), ({"expiry": date(2024, 1, 1)}, "later one")],
)
def test_data_that_contradict_themselves_make_no_card(
    changes: dict[str, object], says: str
) -> None:
    """They are refused before anything is personalised."""
    with pytest.raises(PersonalisationError, match=says):
        replace(DATA, **changes)  # type: ignore[arg-type]


def test_an_index_of_two_bytes_makes_no_card() -> None:
    """The IAD has one byte for it."""
    with pytest.raises(PersonalisationError, match="one byte"):
        sesame_card(DATA, dki=0x100, dpa_key=DPA_KEY)
