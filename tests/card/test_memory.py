"""What a chip may keep: every contradiction of docs/reference/emv-cap.md, 14.1, is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from sesame.card.errors import PersonalisationError
from sesame.card.memory import Application, CardData, CardImage, Counters, Record
from sesame.emv.errors import MalformedPan
from sesame.emv.iad import Cvr
from sesame.emv.pan import Pan
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, encode, encode_one
from tests.card.cards import DATA, PAN, PIN, bank_image, payment_image, sesame_image

CDOL1 = bytes.fromhex("9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704")
CDOL2 = bytes.fromhex("8A02") + CDOL1
CVM_LIST = bytes.fromhex("0000000000000000 0100")


def record(objects: list[Tlv], number: int = 1) -> Record:
    """Record *number* of SFI 1."""
    return Record(1, number, encode_one(Tag.RECORD_TEMPLATE, encode(objects)))


def lists(cdol1: bytes = CDOL1, cdol2: bytes = CDOL2, cvm_list: bytes = CVM_LIST) -> list[Tlv]:
    """The three objects that no application goes without."""
    return [Tlv(Tag.CDOL1, cdol1), Tlv(Tag.CDOL2, cdol2), Tlv(Tag.CVM_LIST, cvm_list)]


def application(**changes: object) -> Application:
    """The Sésame card's application with *changes*."""
    return replace(sesame_image().applications[0], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Record(0, 1, b"\x70\x00"), "SFI is 1 to 30"),
        (lambda: Record(31, 1, b"\x70\x00"), "SFI is 1 to 30"),
        (lambda: Record(1, 0, b"\x70\x00"), "number 1 to 255"),
        (lambda: Record(1, 256, b"\x70\x00"), "number 1 to 255"),
        (lambda: Record(1, 1, encode_one(0x70, encode_one(0x5A, bytes(250)))), "256 bytes"),
        (lambda: Record(1, 1, b"\x70\x01"), "not TLV"),
        (lambda: Record(1, 1, b"\x77\x00"), "not one template 70"),
        (lambda: Record(1, 1, b"\x70\x00\x70\x00"), "not one template 70"),
        (lambda: Record(1, 1, b""), "not one template 70"),
        (lambda: application(aid=bytes(4)), "5 to 16 bytes"),
        (lambda: application(aid=bytes(17)), "5 to 16 bytes"),
        (lambda: application(label=""), "label"),
        (lambda: application(label="Sésame"), "label"),
        (lambda: application(label="S" * 17), "label"),
        (lambda: application(priority=0), "priority"),
        (lambda: application(priority=16), "priority"),
        (lambda: application(aip=b"\x10"), "AIP"),
        (lambda: application(cvn=0x0A), "CVN 12"),
        (lambda: application(dki=256), "one byte"),
        (lambda: application(dki=-1), "one byte"),
        (lambda: application(cvr=Cvr.PIN_PERFORMED), "observes"),
        (lambda: application(cvr=Cvr.PIN_FAILED), "observes"),
        (lambda: application(cvr=Cvr.PIN_TRY_LIMIT_EXCEEDED), "observes"),
        (lambda: application(cvr=Cvr(0x1000000)), "observes"),
        (lambda: application(pdol=b"\x9f"), "DOL at byte 0"),
        (lambda: application(pdol=bytes.fromhex("9F3780")), "9F38 for 127 bytes"),
        (lambda: application(records=()), "has no 8C"),
        (lambda: application(records=(record(lists()[1:]),)), "has no 8C"),
        (lambda: application(records=(record(lists()[:1]),)), "has no 8D"),
        (lambda: application(records=(record(lists()[:2]),)), "has no 8E"),
        (lambda: application(records=(record(lists()), record([]))), "in one place"),
        (
            lambda: application(records=(record(lists(cdol1=CDOL1[3:] + CDOL1[:3])),)),
            "eight standard",
        ),
        (lambda: application(records=(record(lists(cdol1=CDOL1[:-3])),)), "eight standard"),
        (lambda: application(records=(record(lists(cdol1=CDOL1 + b"\x9f")),)), "DOL at byte 21"),
        (
            lambda: application(records=(record(lists(cdol1=CDOL1 + b"\x9f\x34\xe3")),)),
            "8C and 8D for 255",
        ),
        (
            lambda: application(records=(record(lists(cdol2=CDOL2 + b"\x9f\x34\xe1")),)),
            "8C and 8D for 255",
        ),
        (lambda: application(records=(record(lists(cvm_list=CVM_LIST[:8])),)), "plaintext PIN"),
        (
            lambda: application(
                records=(record(lists(cvm_list=bytes(8) + bytes.fromhex("1E00 1F01"))),)
            ),
            "plaintext PIN",
        ),
        (lambda: replace(DATA, name="M"), "2 to 26"),
        (lambda: replace(DATA, name="M" * 27), "2 to 26"),
        (lambda: replace(DATA, name="MARTIN/ÉLODIE"), "without accents"),
        (lambda: replace(DATA, psn="0"), "two digits"),
        (lambda: replace(DATA, psn="0A"), "two digits"),
        (lambda: replace(DATA, languages=()), "one to four"),
        (lambda: replace(DATA, languages=("fr",) * 5), "one to four"),
        (lambda: replace(DATA, languages=("fra",)), "two small letters"),
        (lambda: replace(DATA, effective=date(2030, 1, 1)), "to a later one"),
        (lambda: replace(DATA, effective=date(1999, 12, 31)), "2000 to 2049"),
        (lambda: replace(DATA, expiry=date(2050, 1, 1)), "2000 to 2049"),
        (lambda: replace(sesame_image(), pin_try_limit=0), "1 to 15"),
        (lambda: replace(sesame_image(), pin_try_limit=16), "1 to 15"),
        (lambda: replace(sesame_image(), atr=b"\x3b"), "2 to 33"),
        (lambda: replace(sesame_image(), atr=bytes(34)), "2 to 33"),
        (lambda: replace(sesame_image(), atr=sesame_image().atr[:-1]), "promise"),
        (lambda: replace(sesame_image(), applications=()), "one at least"),
        (
            lambda: replace(
                sesame_image(), applications=(application(pdol=bytes.fromhex("9F3701") * 80),)
            ),
            "shorter PDOL",
        ),
        (
            lambda: replace(
                sesame_image(),
                applications=(
                    application(
                        records=(record(lists()), *(record([], n) for n in range(3, 255, 2)))
                    ),
                ),
            ),
            "fewer gaps",
        ),
        (lambda: Counters(atc=-1, pin_tries_left=3), "0 to 65535"),
        (lambda: Counters(atc=65536, pin_tries_left=3), "0 to 65535"),
        (lambda: Counters(atc=0, pin_tries_left=3, last_online_atc=65536), "0 to 65535"),
        (lambda: Counters(atc=0, pin_tries_left=16), "0 to 15"),
        (lambda: Counters(atc=0, pin_tries_left=-1), "0 to 15"),
    ],
)
def test_a_contradiction_is_refused_with_what_to_do(make: Callable[[], object], says: str) -> None:
    """Nothing that breaks a rule can be built, and the message says which rule."""
    with pytest.raises(PersonalisationError, match=says):
        make()


def test_a_card_number_that_fails_luhn_is_no_card_number() -> None:
    """The type of the PAN checks it: there is no card without."""
    digits = PAN.digits[:-1] + str((int(PAN.digits[-1]) + 1) % 10)
    with pytest.raises(MalformedPan):
        Pan(digits)


@pytest.mark.parametrize("code", ["0100", "4100", "0300", "1E00 0103"])
def test_any_rule_for_a_plaintext_pin_will_do(code: str) -> None:
    """01 and 03, with or without "go on if it fails", first or later."""
    cvm_list = bytes(8) + bytes.fromhex(code)
    made = application(records=(record(lists(cvm_list=cvm_list)),))
    assert cvm_list in made.records[0].value


@pytest.mark.parametrize(
    ("numbers", "afl"),
    [
        ([(1, 1)], "08010100"),
        ([(1, 1), (1, 2), (1, 3)], "08010300"),
        ([(1, 1), (1, 3)], "08010100 08030300"),
        ([(2, 1), (1, 1), (1, 2)], "08010200 10010100"),
        ([(1, 1), (2, 2)], "08010100 10020200"),
        ([(1, 1), (30, 255)], "08010100 F0FFFF00"),
    ],
)
def test_the_afl_is_the_shortest_list_of_the_records(
    numbers: list[tuple[int, int]], afl: str
) -> None:
    """One entry for each run of neighbours, in order of SFI and number."""
    value = record(lists()).value
    records = tuple(Record(sfi, number, value) for sfi, number in numbers)
    assert application(records=records).afl == bytes.fromhex(afl)


@pytest.mark.parametrize("image", [sesame_image(), bank_image(), payment_image()])
def test_no_repr_tells_a_secret(image: CardImage) -> None:
    """Neither PIN nor key nor card number nor record, however the image is printed."""
    texts = [
        repr(value)
        for value in (
            image,
            image.data,
            *image.applications,
            *(record for application in image.applications for record in application.records),
            image.directory,
        )
    ]
    secrets = [
        PIN.digits,
        PAN.digits,
        *(application.mk_ac.value.hex() for application in image.applications),
        *(repr(application.mk_ac.value) for application in image.applications),
        *(repr(r.value) for application in image.applications for r in application.records),
    ]
    for text in texts:
        assert not any(secret.lower() in text.lower() for secret in secrets)


def test_the_last_four_digits_may_be_shown() -> None:
    """They tell one card from another in a list."""
    assert repr(sesame_image()) == f"CardImage(sesame, Pan(…{PAN.last4}))"
    assert repr(CardData(**{name: getattr(DATA, name) for name in CardData.__slots__})) == (
        f"CardData(Pan(…{PAN.last4}))"
    )
