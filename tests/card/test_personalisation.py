"""The three cards that we issue: docs/reference/emv-cap.md, section 14.1."""

from dataclasses import replace
from datetime import date

import pytest

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.terminal_data import AIDS, STANDARD_ELEMENTS
from sesame.card.errors import PersonalisationError
from sesame.card.memory import Application, CardImage, CardKind, Counters
from sesame.card.personalisation import sesame_card
from sesame.emv.dol import DolEntry
from sesame.emv.iad import PIN_VERIFIED_ARQC
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
