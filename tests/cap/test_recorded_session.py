"""A recorded session of a French card, read with nothing but `emv` and `cap`."""

import tomllib
from pathlib import Path

import pytest

from sesame.cap.profiles import SESAME_CARD
from sesame.cap.terminal_data import AIDS, terminal_data
from sesame.cap.token import compress, expand, parse_code, show
from sesame.emv.apdu import (
    AcType,
    Command,
    Response,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
    verify,
)
from sesame.emv.dol import decode_dol, fill, split
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, VisaIad
from sesame.emv.pin import Pin, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, find

SESSION = tomllib.loads(
    (Path(__file__).parent.parent / "vectors" / "visa_dpa_fr.toml").read_text(encoding="utf-8")
)
COMMANDS = {one["step"]: bytes.fromhex(one["command"]) for one in SESSION["exchange"]}
ANSWERS = {
    one["step"]: Response.decode(bytes.fromhex(one["response"])) for one in SESSION["exchange"]
}
AID = bytes.fromhex("A0000000038002")


def value(step: str, tag: Tag) -> bytes:
    """What the card's answer to *step* holds under *tag*."""
    found = find(decode(ANSWERS[step].data), tag)
    assert found is not None
    return found


def test_the_application_is_selected() -> None:
    """The name comes back, with a label, two languages and no PDOL."""
    assert select(AID).encode() == COMMANDS["SELECT"]
    assert value("SELECT", Tag.DF_NAME) == AID
    assert value("SELECT", Tag.APPLICATION_LABEL) == b"VISA Auth"
    assert value("SELECT", Tag.LANGUAGE_PREFERENCE) == b"fren"
    assert find(decode(ANSWERS["SELECT"].data), Tag.PDOL) is None


def test_the_options_are_of_format_1() -> None:
    """Tag 80: AIP, then AFL; no PDOL makes `83 00`."""
    assert get_processing_options().encode() == COMMANDS["GET PROCESSING OPTIONS"]
    (answer,) = decode(ANSWERS["GET PROCESSING OPTIONS"].data)
    assert answer == Tlv(Tag.RESPONSE_FORMAT_1, bytes.fromhex("1000 08010100"))


def test_the_record_holds_the_lists_the_number_and_the_bitmap() -> None:
    """SFI 1, record 1."""
    assert read_record(sfi=1, record=1).encode() == COMMANDS["READ RECORD"]
    (record,) = decode(ANSWERS["READ RECORD"].data)
    assert [o.tag for o in record.children()] == [
        Tag.CDOL1,
        Tag.CDOL2,
        Tag.PAN,
        Tag.PSN,
        Tag.CVM_LIST,
        Tag.IPB,
        Tag.IAF,
    ]
    assert value("READ RECORD", Tag.PSN) == b"\x00"
    assert value("READ RECORD", Tag.CVM_LIST) == bytes.fromhex("0000000000000000 0100")
    assert value("READ RECORD", Tag.IPB) == bytes.fromhex("8001FFFFFF") + bytes(12)
    assert value("READ RECORD", Tag.IAF) == b"\x00"


def test_the_pin_is_verified() -> None:
    """The try counter before, the block of the PIN after."""
    assert get_data(Tag.PIN_TRY_COUNTER).encode() == COMMANDS["GET DATA"]
    assert value("GET DATA", Tag.PIN_TRY_COUNTER) == b"\x03"
    assert verify(pin_block(Pin(SESSION["pin"]))).encode() == COMMANDS["VERIFY"]


@pytest.mark.parametrize(
    ("step", "kind", "cdol"),
    [
        ("first GENERATE AC", AcType.ARQC, Tag.CDOL1),
        ("second GENERATE AC", AcType.AAC, Tag.CDOL2),
    ],
)
def test_the_card_gets_the_data_that_it_asked_for(step: str, kind: AcType, cdol: Tag) -> None:
    """Byte for byte what the recorded reader sent; the card can cut it back into values."""
    dol = decode_dol(value("READ RECORD", cdol))
    data = fill(dol, terminal_data(AIDS[AID]))
    assert generate_ac(kind, data).encode() == COMMANDS[step]
    values = split(dol, Command.decode(COMMANDS[step]).data)
    assert values[Tag.TVR] == bytes.fromhex("8000000000")
    assert values[Tag.TRANSACTION_DATE] == bytes.fromhex("010101")
    assert values.get(Tag.ARC) == (b"Z3" if kind is AcType.AAC else None)


def test_the_answers_say_what_became_of_the_transaction() -> None:
    """First an ARQC behind a right PIN, then an AAC: declined, so no money can move."""
    first, second = "first GENERATE AC", "second GENERATE AC"
    assert AcType.of(value(first, Tag.CID)[0]) is AcType.ARQC
    assert AcType.of(value(second, Tag.CID)[0]) is AcType.AAC
    assert value(first, Tag.ATC) == value(second, Tag.ATC) == bytes.fromhex("0010")
    iad = VisaIad.decode(value(first, Tag.IAD))
    assert (iad.dki, iad.cvn) == (0x78, 0x0A)
    assert iad.cvr == PIN_VERIFIED_ARQC | Cvr.LAST_ONLINE_NOT_COMPLETED
    assert iad.cvr == SESAME_CARD.cvr  # our cards say no more and no less
    assert Cvr.UNABLE_TO_GO_ONLINE in VisaIad.decode(value(second, Tag.IAD)).cvr


def test_the_code_is_what_the_reader_displayed() -> None:
    """1 bit of the CID, 9 of the ATC, the first 16 of the AC."""
    step, ipb = "first GENERATE AC", value("READ RECORD", Tag.IPB)
    answer = b"".join(value(step, tag) for tag in (Tag.CID, Tag.ATC, Tag.AC, Tag.IAD))
    token = compress(answer, ipb)
    assert token == 34656023
    assert show(token) == SESSION["code"] == "3465 6023"
    assert parse_code(SESSION["code"]).token == token
    assert expand(token, ipb) == bytes.fromhex("80 0010 CF17") + bytes(12)
