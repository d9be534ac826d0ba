"""The card doctor's dialogue and diagnosis: docs/how-to/inspect-a-card.md."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.errors import ProfileError
from sesame.cap.mode import Iaf, Mode
from sesame.cap.profiles import PROFILES
from sesame.card.memory import Counters
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.cryptogram_version import IadLayout
from sesame.emv.tlv import encode_one
from sesame.reader.bitmap import cvr_bits, explain_bitmap
from sesame.reader.diagnosis import diagnose
from sesame.reader.errors import CardIsMute, PartMalformed
from sesame.reader.inspection import Inspection
from sesame.reader.recording import ANY_PIN, Session
from sesame.reader.report import (
    AipBit,
    AtrReport,
    BitmapSource,
    Function,
    Kind,
    OfflinePin,
    Part,
    Report,
    Role,
    Severity,
    Verdict,
)
from sesame.reader.virtual_slot import VirtualSlot
from tests.reader.cards import PIN, WRONG, card_file
from tests.reader.inspected import (
    ANSWER,
    BITMAP,
    CAP,
    DPA,
    ELEMENTS,
    MASTERCARD,
    PPSE,
    PSE,
    VISA,
    Card,
    finding,
    instead,
    kinds,
    look,
    only,
    transact,
)
from tests.reader.recordings import NAMES, objects, vector

HARMLESS = {Ins.SELECT, Ins.READ_RECORD, Ins.GET_DATA}


# ── Our own cards ────────────────────────────────────────────────────────────────────────────────


def of_file(path: Path) -> Report:
    """The report of a card file."""
    with VirtualSlot(path) as slot:
        inspection = Inspection(slot)
        inspection.look()
        return diagnose(inspection.seen)


@pytest.mark.parametrize(
    ("kind", "profile", "signs"),
    [("sesame", "sesame-card-2", Mode.M1), ("bank", "bank-card-1", Mode.TDS)],
)
def test_a_card_of_ours(tmp_path: Path, kind: str, profile: str, signs: Mode) -> None:
    """It makes codes, and nothing is to be said against it."""
    report = of_file(card_file(tmp_path, kind, counters=Counters(atc=41, pin_tries_left=3)))
    assert report.verdict is Verdict.CODES
    assert report.findings == ()
    codes = report.applications[0]
    assert (codes.aid, codes.label, codes.role) == (DPA, "SESAME", Role.CODES)
    assert (codes.atc, codes.tries_left, codes.last_online_atc) == (41, 3, 0)
    assert (codes.effective, codes.expiry, codes.languages) == ("2020-01", "2049-12", ("fr", "en"))
    assert [one.profile for one in codes.resembles] == [profile]
    assert codes.resembles[0].differs == ()
    modes = {one.function: one.mode for one in codes.abilities}
    assert modes == {Function.CODE: Mode.M2, Function.RESPOND: Mode.M3, Function.SIGN: signs}


def test_what_else_is_on_it(tmp_path: Path) -> None:
    """A bank card pays too; no reader makes a code with that application."""
    report = of_file(card_file(tmp_path, "bank"))
    payment = report.applications[1]
    assert (payment.aid, payment.label, payment.role) == (VISA, "CARTE BANCAIRE", Role.PAYMENT)
    assert payment.bitmap is None
    assert payment.abilities == ()
    assert report.directory is not None
    assert [(one.label, one.priority) for one in report.directory] == [
        ("CARTE BANCAIRE", 1),
        ("SESAME", 2),
    ]


def test_a_card_that_only_pays(tmp_path: Path) -> None:
    """The reader's own bitmap, with the bits of the CVR by name."""
    report = of_file(card_file(tmp_path, "payment"))
    assert report.verdict is Verdict.CAP_STYLE
    assert kinds(report) == {Kind.NO_CODE_APPLICATION, Kind.BITMAP_OF_VISA, Kind.MANY_BITS}
    bitmap = only(report).bitmap
    assert bitmap is not None
    assert (bitmap.source, bitmap.bits, bitmap.digits) == (BitmapSource.VISA, 33, 10)
    assert bitmap.iad_presumed
    names = [name for run in bitmap.runs for name in run.names]
    assert names[:3] == ["FIRST_AC_ARQC", "LAST_ONLINE_NOT_COMPLETED", "VELOCITY_EXCEEDED"]
    assert names[-2:] == ["SCRIPT_COUNTER", "SCRIPT_FAILED"]
    assert len(names) == 9


@pytest.mark.parametrize("kind", ["sesame", "bank", "payment"])
def test_looking_changes_nothing(tmp_path: Path, kind: str) -> None:
    """Not a byte of the card's file."""
    path = card_file(tmp_path, kind)
    before = path.read_bytes()
    of_file(path)
    assert path.read_bytes() == before


def test_a_transaction_counts_once(tmp_path: Path) -> None:
    """It makes one code, and gives the tries back."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=41, pin_tries_left=2))
    with VirtualSlot(path) as slot:
        inspection = Inspection(slot)
        inspection.look()
        inspection.make_code(PIN, tries_agreed=2)
        made = only(diagnose(inspection.seen)).cryptogram
    assert made is not None
    assert (made.kind, made.atc, made.dki, made.cvn) == ("ARQC", 42, "01", "12")
    assert (made.recipes, made.cvr, made.pin_verified) == (("visa-18",), "A48000", True)
    assert (made.first_ac, made.second_ac) == ("ARQC", "not-requested")
    after = only(of_file(path))
    assert (after.atc, after.tries_left) == (42, 3)


def test_a_wrong_pin_costs_one_try(tmp_path: Path) -> None:
    """And one number of the counter; nothing else is tried."""
    path = card_file(tmp_path, "sesame")
    with VirtualSlot(path) as slot:
        inspection = Inspection(slot)
        inspection.look()
        inspection.make_code(WRONG, tries_agreed=3)
        report = diagnose(inspection.seen)
    assert finding(report, Kind.WRONG_PIN).facts == {"tries": 2}
    after = only(of_file(path))
    assert (after.atc, after.tries_left) == (1, 2)


def test_a_blocked_pin(tmp_path: Path) -> None:
    """No PIN is sent to it."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=3, pin_tries_left=0))
    report = of_file(path)
    assert report.verdict is Verdict.NONE
    assert kinds(report) == {Kind.PIN_BLOCKED}


def test_upside_down(tmp_path: Path) -> None:
    """No answer at all."""
    with VirtualSlot(card_file(tmp_path, "sesame"), upside_down=True) as slot:
        inspection = Inspection(slot)
        inspection.look()
        inspection.make_code(PIN, tries_agreed=None)
    assert inspection.tries_left is None
    assert kinds(diagnose(inspection.seen)) == {Kind.MUTE}


# ── Recorded cards ───────────────────────────────────────────────────────────────────────────────

# Label or preferred name, role, what the bitmap takes (constant, ATC, AC, IAD), profile, DKI, CVN.
RECORDED = {
    "cap_be-m1": (None, "codes", (0, 8, 18, 0), "cap-mchip-14", "01", "56"),
    "cap_be-m1-1234": (None, "codes", (0, 8, 18, 0), "cap-mchip-14", "01", "56"),
    "cap_be-m2-1234": (None, "codes", (0, 8, 18, 0), "cap-mchip-14", "01", "56"),
    "visa_dpa_fr": ("VISA Auth", "codes", (1, 9, 16, 0), "dpa-fr", "78", "0A"),
    "visa_cleo_fr": ("VISA CLEO", "cap-style", (0, 8, 16, 9), "visa-payment", "55", "0A"),
    "cap_fc09_uk": (None, "codes", (0, 5, 20, 1), "cap-natwest", "77", "0A"),
    "maestro_be": ("MAESTRO", "cap-style", (0, 8, 18, 0), None, None, None),
    "barclays_rmtf1": (None, "codes", (1, 8, 17, 0), "dpa-barclays", "0A", "0A"),
    "barclays_rmtf2": (None, "codes", (1, 8, 17, 0), "dpa-barclays", "0B", "0A"),
    "barclays_record": (None, "codes", (1, 8, 17, 0), "dpa-barclays", None, None),
}


def of_recording(found: object) -> Report:
    """The report of a recorded session."""
    session = Session.to_inspect(found)
    inspection = Inspection(
        session.card, applications=session.applications, recorded=True, made_up=session.made_up
    )
    inspection.look()
    inspection.make_code(ANY_PIN, session.inputs, tries_agreed=inspection.tries_left)
    return diagnose(inspection.seen)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_card(name: str) -> None:
    """Its names, its bitmap, its profile, its key and recipe."""
    label, role, bits, profile, dki, cvn = RECORDED[name]
    report = of_recording(vector(name))
    one = only(report)
    assert report.verdict is not Verdict.NONE
    assert (one.preferred_name or one.label, one.role) == (label, role)
    bitmap = one.bitmap
    assert bitmap is not None
    assert (bitmap.constant_bits, bitmap.atc_bits, bitmap.ac_bits, bitmap.iad_bits) == bits
    assert [like.profile for like in one.resembles] == ([profile] if profile else [])
    made = one.cryptogram
    assert ((made.dki, made.cvn) if made else (None, None)) == (dki, cvn)
    assert (made is None) == (name == "barclays_record")


def test_a_belgian_recipe() -> None:
    """Not public, and said so; the payments' IAD has not even a public layout."""
    assert finding(of_recording(vector("cap_be-m1")), Kind.CVN_UNKNOWN).facts == {"cvn": "56"}
    maestro = of_recording(vector("maestro_be"))
    assert only(maestro).belgian
    assert {Kind.IAD_UNKNOWN, Kind.BELGIAN_FUNCTION} <= kinds(maestro)


def test_a_recording_with_other_inputs() -> None:
    """What the cards says of itself is explained all the same."""
    other = vector("cap_be-m1-1234") | {"inputs": {"challenge": "1299"}}
    report = of_recording(other)
    assert Kind.NOT_REPLAYED in kinds(report)
    assert only(report).cryptogram is None
    assert only(report).bitmap is not None


def test_a_recording_of_commands_alone() -> None:
    """Its record, under an application that it has, or that its scheme has."""
    found = vector("barclays_record")
    select = {"command": f"00A4040007{DPA}", "response": "6F 0C 8407A0000000038002 A501 00 9000"}
    assert only(of_recording(found | {"aid": DPA})).aid == DPA
    with_select = found | {"exchanges": [select, *found["exchanges"]]}
    assert only(of_recording(with_select)).bitmap is not None
    with pytest.raises(PartMalformed, match="no object"):
        Session.to_inspect([])


# ── Findings, each with a card of its own ────────────────────────────────────────────────────────


def record_of(command: Command, records: Mapping[tuple[int, int], bytes]) -> Response | None:
    """One of *records* beside what the card has, by file and number."""
    place = (command.p2 >> 3, command.p1)
    if command.ins != Ins.READ_RECORD or place not in records:
        return None
    return Response(0x9000, records[place])


LONG = "".join(f"9F{tag:02X}FF" for tag in range(2))
LOOKS: dict[str, tuple[Kind, Card]] = {
    "mute at once": (Kind.MUTE, Card(instead=instead(Ins.SELECT, None))),
    "mute later": (Kind.GONE, Card(instead=instead(Ins.GET_DATA, None))),
    "card blocked": (Kind.CARD_BLOCKED, Card(instead=instead(Ins.SELECT, "6A81"))),
    "blocked at an application": (
        Kind.CARD_BLOCKED,
        Card(instead=instead(Ins.SELECT, "6A81", of=CAP)),
    ),
    "nothing on it": (Kind.NO_APPLICATION, Card(aid="D27600012401")),
    "payments": (Kind.NO_CODE_APPLICATION, Card(aid=MASTERCARD)),
    "no directory": (Kind.NO_DIRECTORY, Card()),
    "codes are not listed last": (Kind.DIRECTORY_ORDER, Card(directory=[CAP, VISA])),
    "codes are not listed": (Kind.DIRECTORY_ORDER, Card(directory=[VISA])),
    "contactless reader": (
        Kind.CONTACTLESS_DIRECTORY,
        Card(instead=instead(Ins.SELECT, f"6F10 A50E BF0C0B 6109 4F07{CAP} 9000", of=PPSE)),
    ),
    "contactless directory of garbage": (
        Kind.DIRECTORY_MALFORMED,
        Card(instead=instead(Ins.SELECT, "6F05 9000", of=PPSE)),
    ),
    "ATR cut": (Kind.ATR_MALFORMED, Card(atr="3B61")),
    "directory without a file": (
        Kind.DIRECTORY_MALFORMED,
        Card(instead=instead(Ins.SELECT, "6F00 9000", of=PSE)),
    ),
    "directory of garbage": (
        Kind.DIRECTORY_MALFORMED,
        Card(instead=instead(Ins.SELECT, "6F05 9000", of=PSE)),
    ),
    "listed and absent": (Kind.LISTED_AND_ABSENT, Card(directory=[CAP, DPA])),
    "application blocked": (
        Kind.APPLICATION_BLOCKED,
        Card(instead=instead(Ins.SELECT, "6283", of=CAP)),
    ),
    "select refused": (
        Kind.SELECT_REFUSED,
        Card(directory=[CAP], instead=instead(Ins.SELECT, "6F00", of=CAP)),
    ),
    "FCI of garbage": (Kind.FCI_MALFORMED, Card(instead=instead(Ins.SELECT, "6F05 9000", of=CAP))),
    "another name": (Kind.NAME_DIFFERS, Card(name="A0000000049999")),
    "unknown to us": (
        Kind.UNKNOWN_APPLICATION,
        Card(aid="A0000001118001", directory=["A0000001118001"], record={"9F56": None}),
    ),
    "unknown, for codes": (
        Kind.UNKNOWN_WITH_BITMAP,
        Card(aid="A0000001118002", directory=["A0000001118002"]),
    ),
    "closed": (Kind.RECORDS_CLOSED, Card(closed=True)),
    "record of garbage": (
        Kind.RECORD_MALFORMED,
        Card(instead=lambda one: record_of(one, {(1, 2): b"\x70\x05"})),
    ),
    "no CDOL1": (Kind.CDOL_MISSING, Card(record={"8C": None})),
    "no CDOL2": (Kind.CDOL_MISSING, Card(record={"8D": None})),
    "CDOL1 cut": (Kind.CDOL_MALFORMED, Card(record={"8C": "9F"})),
    "CDOL2 too long": (Kind.CDOL_TOO_LONG, Card(record={"8D": "9F0180 9F0280"})),
    "CDOL1 in another order": (Kind.CDOL1_ODD, Card(record={"8C": f"9F3501 {ELEMENTS}"})),
    "CDOL1 with more": (Kind.CDOL1_MORE, Card(record={"8C": f"{ELEMENTS} 9F3501"})),
    "CDOL2 without ARC": (Kind.CDOL2_WITHOUT_ARC, Card(record={"8D": ELEMENTS})),
    "CDOL1 without UN": (Kind.NO_CHALLENGE, Card(record={"8C": ELEMENTS[:-7]})),
    "amount not asked": (
        Kind.NO_AMOUNT,
        Card(record={"8C": ELEMENTS.replace("9F0206 ", ""), "9F55": "A0"}),
    ),
    "currency not asked": (
        Kind.NO_AMOUNT,
        Card(record={"8C": ELEMENTS.replace("5F2A02 ", ""), "9F55": "80"}),
    ),
    "no CVM list": (Kind.CVM_LIST_MISSING, Card(record={"8E": None})),
    "CVM list cut": (Kind.CVM_LIST_MALFORMED, Card(record={"8E": "0000000000000000 01"})),
    "PIN at cash machines alone": (
        Kind.NO_PIN_RULE,
        Card(record={"8E": "0000000000000000 0101"}),
    ),
    "signature alone": (Kind.NO_PIN_RULE, Card(record={"8E": "0000000000000000 1E03"})),
    "no number": (Kind.PAN_MISSING, Card(record={"5A": None})),
    "date of garbage": (Kind.DATE_MALFORMED, Card(record={"5F24": "AB1231"})),
    "expired": (Kind.EXPIRED, Card(record={"5F24": "261122"})),
    "not yet valid": (Kind.NOT_YET_VALID, Card(record={"5F25": "261124"})),
    "no bitmap": (Kind.BITMAP_MISSING, Card(record={"9F56": None})),
    "Visa's bitmap": (Kind.BITMAP_OF_VISA, Card(aid=VISA, record={"9F56": None})),
    "Visa's other object": (Kind.BITMAP_OF_VISA, Card(aid=VISA, record={"9F56": "80"})),
    "Bancontact": (Kind.BELGIAN_FUNCTION, Card(aid="D056000666111010")),
    "Belgian payments": (
        Kind.BELGIAN_FUNCTION,
        Card(
            aid="A0000000043060",
            record={"9F56": None},
            fci={"5F2C": "0056", "DF07": "424B53303536303038"},
        ),
    ),
    "empty bitmap": (Kind.BITMAP_EMPTY, Card(record={"9F56": "00" * 11})),
    "bitmap past all data": (
        Kind.BITMAP_PAST_THE_DATA,
        Card(record={"9F56": BITMAP + "00" * 32 + "01"}),
    ),
    "few bits": (Kind.FEW_BITS, Card(record={"9F56": "0000FF0000000000000001"})),
    "many bits": (Kind.MANY_BITS, Card(record={"9F56": "0000FF000000000007FFFF"})),
    "no ATC": (Kind.NO_ATC_BITS, Card(record={"9F56": "0000000000000000FFFFFF"})),
    "other ATC bits": (Kind.ATC_BITS_NOT_LOWEST, Card(record={"9F56": "0000FE000000000003FFFF"})),
    "ATC with a gap": (Kind.ATC_BITS_NOT_LOWEST, Card(record={"9F56": "0000F7000000000003FFFF"})),
    "few AC bits": (Kind.FEW_AC_BITS, Card(record={"9F56": "00FFFF0000000000007FFF"})),
    "IAD bits": (Kind.IAD_BITS, Card(record={"9F56": BITMAP + "0000000001"})),
    "PSN and no bit of it": (Kind.PSN_BITS_MISSING, Card(record={"9F55": "40"})),
    "PSN missing": (
        Kind.PSN_MISSING,
        Card(record={"9F55": "40", "5F34": None, "9F56": f"03{BITMAP}"}),
    ),
    "no IAF": (Kind.IAF_MISSING, Card(record={"9F55": None})),
    "long IAF": (Kind.IAF_LONG, Card(record={"9F55": "00000000000000"})),
    "reserved IAF": (Kind.IAF_RESERVED, Card(record={"9F55": "01"})),
    "IAF of no amount": (Kind.IAF_NO_AMOUNT, Card(record={"9F55": "20"})),
    "PIN blocked": (Kind.PIN_BLOCKED, Card(tries=0)),
    "last try": (Kind.LAST_TRY, Card(tries=1)),
    "tries not said": (Kind.TRIES_UNKNOWN, Card(tries=None)),
    "counter near its end": (Kind.ATC_NEAR_ITS_END, Card(atc=60000)),
    "counter at its end": (Kind.ATC_AT_ITS_END, Card(atc=65535)),
}
TRANSACTIONS: dict[str, tuple[Kind, Card]] = {
    "options refused": (Kind.OPTIONS_REFUSED, Card(options="6985")),
    "options of garbage": (Kind.OPTIONS_MALFORMED, Card(options="8005 9000")),
    "options without records": (Kind.OPTIONS_MALFORMED, Card(options="80021000 9000")),
    "PDOL cut": (Kind.PDOL_MALFORMED, Card(fci={"9F38": "9F"})),
    "PDOL too long": (Kind.PDOL_MALFORMED, Card(fci={"9F38": "9F0280"})),
    "record missing": (Kind.RECORD_MISSING, Card(options="80 06 1000 08010200 9000")),
    "record not named": (
        Kind.RECORD_NOT_NAMED,
        Card(instead=lambda one: record_of(one, {(1, 2): b"\x70\x00"})),
    ),
    "AIP without verification": (
        Kind.NO_VERIFICATION,
        Card(options="80 06 6080 08010100 9000"),
    ),
    "fewer tries than told": (Kind.PIN_NOT_ASKED, Card(tries=2)),
    "a last try that nobody told": (Kind.PIN_NOT_ASKED, Card(tries=1)),
    "wrong PIN": (Kind.WRONG_PIN, Card(right=False)),
    "blocked by this PIN": (Kind.PIN_BLOCKED, Card(instead=instead(Ins.VERIFY, "63C0"))),
    "blocked all along": (Kind.PIN_BLOCKED, Card(tries=None, instead=instead(Ins.VERIFY, "6983"))),
    "PIN refused": (Kind.VERIFY_REFUSED, Card(instead=instead(Ins.VERIFY, "6A80"))),
    "declined": (Kind.DECLINED, Card(answer="00" + ANSWER[2:])),
    "approved": (Kind.APPROVED, Card(answer="40" + ANSWER[2:])),
    "no kind of cryptogram": (Kind.AC_MALFORMED, Card(answer="C0" + ANSWER[2:])),
    "cryptogram refused": (Kind.AC_REFUSED, Card(instead=instead(Ins.GENERATE_AC, "6985"))),
    "cryptogram of garbage": (Kind.AC_MALFORMED, Card(answer="80")),
    "unknown layout": (Kind.IAD_UNKNOWN, Card(answer=ANSWER[:25] + "0E0158")),
    "unknown recipe": (Kind.CVN_UNKNOWN, Card(answer=ANSWER.replace("0110", "0117"))),
    "PIN not in the CVR": (Kind.PIN_NOT_IN_CVR, Card(answer=ANSWER.replace("A5", "A0"))),
}


def copied(card: Card) -> Card:
    """A card that nobody has used yet."""
    return replace(card, sent=[], begun=False, selected="")


@pytest.mark.parametrize("name", LOOKS)
def test_what_a_look_finds(name: str) -> None:
    """Each on a card of its own; no transaction begins."""
    kind, card = LOOKS[name]
    card = copied(card)
    report = look(card)
    assert kind in kinds(report)
    assert {command.ins for command in card.sent} <= HARMLESS
    assert not card.powered
    if kind in {Kind.MUTE, Kind.GONE}:
        assert report.verdict is Verdict.UNKNOWN
        return
    faulty = kind.severity is Severity.FAULT
    if kind is not Kind.LISTED_AND_ABSENT:
        assert (
            (report.verdict is Verdict.NONE) == faulty
            or report.applications == ()
            or (report.applications[0].role is Role.UNKNOWN)
        )


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_what_a_transaction_finds(name: str) -> None:
    """Each on a card of its own."""
    kind, card = TRANSACTIONS[name]
    card = copied(card)
    assert kind in kinds(transact(card))
    assert not card.powered


def test_every_kind_is_found_somewhere() -> None:
    """Those of recordings are tested above."""
    found = {kind for kind, _ in [*LOOKS.values(), *TRANSACTIONS.values()]}
    of_recordings = {Kind.RECORDING, Kind.RECORDING_MADE_UP, Kind.NOT_REPLAYED}
    assert found | of_recordings == set(Kind)


def test_a_good_card_has_nothing_against_it() -> None:
    """But for what it lacks and nobody needs."""
    assert kinds(look(Card())) == {Kind.NO_DIRECTORY}
    report = transact(Card(directory=[CAP]))
    assert report.findings == ()
    assert report.verdict is Verdict.CODES
    made = only(report).cryptogram
    assert made is not None
    assert (made.layout, made.dki, made.cvn, made.recipes) == ("mchip", "01", "10", ("mchip-10",))
    assert [(bit.name, bit.byte, bit.bit, bit.number) for bit in made.cvr_bits] == [
        ("PIN_PERFORMED", 1, 3, 1),
        ("PIN_SUCCESSFUL", 1, 1, 1),
        ("PIN_TRY_COUNTER", 3, 4, 3),
        ("INTERNATIONAL", 4, 3, 1),
    ]


# ── The dialogue ─────────────────────────────────────────────────────────────────────────────────


def test_the_pin_is_asked_only_where_a_code_can_be_made() -> None:
    """Not of a card without a bitmap, whose records had to be opened first."""
    card = Card(closed=True, record={"9F56": None})
    report = transact(card)
    assert Ins.VERIFY not in {command.ins for command in card.sent}
    assert Kind.BITMAP_MISSING in kinds(report)
    assert not only(report).closed


@pytest.mark.parametrize(("tries", "agreed"), [(2, 3), (1, 2), (0, 1), (0, None)])
def test_no_pin_without_consent(tries: int, agreed: int | None) -> None:
    """Another card was put in, or it was tried elsewhere meanwhile."""
    card = Card(tries=tries)
    transact(card, agreed)
    assert Ins.VERIFY not in {command.ins for command in card.sent}


def test_tries_that_the_card_does_not_repeat() -> None:
    """What it said before the PIN was agreed to says nothing of the tries that are left now."""
    told = iter(["9F170103 9000", "9000"])

    def once(command: Command) -> Response | None:
        if command.ins == Ins.GET_DATA and (command.p1, command.p2) == (0x9F, 0x17):
            return Response.decode(bytes.fromhex(next(told)))
        return None

    card = Card(instead=once)
    assert Kind.PIN_NOT_ASKED in kinds(transact(card))
    assert Ins.VERIFY not in {command.ins for command in card.sent}


@pytest.mark.parametrize(
    ("tries", "agreed"), [(1, 1), (3, 3), (3, 2), (None, None), (2, None), (1, None)]
)
def test_a_pin_with_consent(tries: int | None, agreed: int | None) -> None:
    """The transaction is closed behind the code."""
    card = Card(tries=tries)
    assert only(transact(card, agreed)).cryptogram is not None
    asked = [command.p1 for command in card.sent if command.ins == Ins.GENERATE_AC]
    assert asked == [0x80, 0x00]


def test_records_that_open_with_a_transaction() -> None:
    """Before: that they are closed; behind: everything."""
    card = Card(closed=True)
    before = look(card)
    assert before.verdict is Verdict.CLOSED
    assert only(before).bitmap is None
    assert finding(before, Kind.RECORDS_CLOSED).facts == {"sw": "6985"}
    behind = transact(card)
    assert behind.verdict is Verdict.CODES
    assert only(behind).bitmap is not None


def test_a_card_that_goes_mute_in_the_transaction() -> None:
    """What it has said until then is reported."""
    report = transact(Card(instead=instead(Ins.GENERATE_AC, None)))
    assert Kind.GONE in kinds(report)
    assert only(report).bitmap is not None


def test_an_application_that_opens_no_second_time() -> None:
    """No transaction begins."""
    answers = iter([None, Response(0x6A82)])

    def once(command: Command) -> Response | None:
        return next(answers) if command.data.hex().upper() == CAP else None

    card = Card(instead=once)
    transact(card)
    assert not card.begun


def test_a_name_longer_than_the_readers() -> None:
    """Found by its beginning, it is the one that the directory lists: no second application."""
    long = f"{CAP}01"
    report = look(Card(aid=long, directory=[long]))
    assert only(report).aid == long
    assert only(report).label is None
    assert kinds(report) == set()


def test_a_card_that_opens_no_application_by_half_its_name() -> None:
    """The whole name is tried where the directory tells it."""
    long = f"{CAP}01"
    report = look(Card(aid=long, directory=[long], instead=instead(Ins.SELECT, "6A82", of=CAP)))
    assert kinds(report) >= {Kind.LISTED_AND_ABSENT}

    def exact(command: Command) -> Response | None:
        return Response(0x6A82) if command.data.hex().upper() == CAP else None

    report = look(Card(aid=long, directory=[long], instead=exact))
    assert only(report).aid == long
    assert only(report).scheme == "CAP"
    assert report.verdict is Verdict.CODES


def test_a_blocked_application_for_codes_is_not_replaced_by_payments() -> None:
    """A code through the payment application would be another code."""

    def two(command: Command) -> Response | None:
        return Response(0x6283) if command.data.hex().upper() == CAP else None

    report = look(Card(aid=VISA, record={"9F56": None}, instead=two))
    assert report.verdict is Verdict.NONE
    assert Kind.APPLICATION_BLOCKED in kinds(report)
    assert {one.role for one in report.applications} == {Role.CODES, Role.PAYMENT}


def test_records_in_places_of_their_own() -> None:
    """A gap of two, as a recorded card has; a log of payments is not read."""
    places = {(1, 4): {"9F56": BITMAP}, (7, 1): {"50": "58"}, (11, 1): {"50": "59"}}
    asked = []

    def sparse(command: Command) -> Response | None:
        if command.ins != Ins.READ_RECORD:
            return None
        place = (command.p2 >> 3, command.p1)
        asked.append(place)
        if place not in places:
            return Response(0x6A83)
        return Response(0x9000, encode_one(0x70, objects(places[place])))

    report = look(Card(instead=sparse))
    assert only(report).records == 2
    assert max(asked)[0] == 10
    assert len(asked) < 60


def in_directory(*records: str) -> Card:
    """A card whose directory has these records, and says 6A83 behind them."""

    def say(command: Command) -> Response | None:
        if card.selected != PSE or command.ins != Ins.READ_RECORD:
            return None
        if command.p1 > len(records):
            return Response(0x6A83)
        return Response(0x9000, bytes.fromhex(records[command.p1 - 1]))

    card = Card(directory=[], instead=say)
    return card


def test_a_directory_with_something_else_in_it() -> None:
    """What is no entry is passed over, what is no TLV is noted."""
    entry = f"7011 610F 4F07{CAP} 5004434F4445"
    report = look(in_directory("7005", "5000", "7003 500158", "7005 61034F01A0", entry))
    assert report.directory is not None
    assert [(one.aid, one.label, one.priority) for one in report.directory] == [(CAP, "CODE", None)]
    assert kinds(report) == {Kind.DIRECTORY_MALFORMED}
    assert report.verdict is Verdict.CODES


def test_a_directory_without_end() -> None:
    """Sixteen entries are enough."""
    entry = f"7011 610F 4F07{CAP} 5004434F4445"
    report = look(in_directory(*[entry] * 40))
    assert report.directory is not None
    assert len(report.directory) == 16


@pytest.mark.parametrize("answer", ["9F17 9000", "9F1700 9000", "9F17020003 9000"])
def test_counters_of_garbage_are_not_read(answer: str) -> None:
    """They are unknown then."""
    one = only(look(Card(instead=instead(Ins.GET_DATA, answer))))
    assert (one.tries_left, one.atc) == (None, None)


def test_a_record_of_garbage_is_noted_once() -> None:
    """Though a transaction reads it again."""
    report = transact(Card(instead=instead(Ins.READ_RECORD, "7005 9000", of="")))
    noted = [one.facts for one in report.findings if one.kind is Kind.RECORD_MALFORMED]
    assert noted == [{"records": "1.1"}]
    before = look(Card(instead=instead(Ins.READ_RECORD, "7005 9000", of="")))
    assert finding(before, Kind.RECORD_MALFORMED).facts == {
        "records": "1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8 …"
    }
    for seen in (before, report):
        assert seen.verdict is Verdict.NONE
        assert Kind.CDOL_MISSING in kinds(seen)


def test_files_that_open_one_by_one() -> None:
    """A file that is closed hides no other one; what is missing may stand in it."""

    def second_closed(command: Command) -> Response | None:
        return Response(0x6982) if command.p2 >> 3 == 2 and command.ins == Ins.READ_RECORD else None

    moved = {(3, 1): encode_one(0x70, objects({"9F56": BITMAP}))}
    both = Card(
        record={"9F56": None}, instead=lambda one: second_closed(one) or record_of(one, moved)
    )
    assert look(both).verdict is Verdict.CODES
    report = look(Card(record={"9F56": None}, instead=second_closed))
    assert report.verdict is Verdict.CLOSED
    assert only(report).closed
    assert kinds(report) == {Kind.NO_DIRECTORY, Kind.RECORDS_CLOSED}
    assert finding(report, Kind.RECORDS_CLOSED).facts == {"sw": "6982"}


def test_what_no_reader_reads_does_not_count() -> None:
    """A bitmap outside the AFL is none: before a transaction nobody can know."""
    elsewhere = {(2, 1): encode_one(0x70, objects({"9F56": BITMAP}))}
    card = Card(record={"9F56": None}, instead=lambda one: record_of(one, elsewhere))
    assert look(card).verdict is Verdict.CODES
    report = transact(card)
    assert report.verdict is Verdict.NONE
    assert finding(report, Kind.RECORD_NOT_NAMED).facts == {"records": "2.1"}
    assert finding(report, Kind.BITMAP_MISSING).facts == {
        "profiles": "cap-natwest, cap-mchip-10, cap-mchip-14, cap-dutch"
    }
    assert only(report).records == 1


def test_a_number_in_a_record_that_no_reader_reads_stays_private() -> None:
    """Nothing that a card has said once is forgotten here."""
    pan = "5413339987654328"
    elsewhere = {(2, 1): encode_one(0x70, objects({"5A": "5413339987654324"}) * 2)}
    elsewhere[(2, 2)] = encode_one(0x70, objects({"5A": pan}) + objects({"5A": "5413"}))
    card = Card(record={"9F56": f"00{pan}{pan}"}, instead=lambda one: record_of(one, elsewhere))
    bitmap = only(transact(card)).bitmap
    assert bitmap is not None
    assert bitmap.value == "…"


def test_a_transaction_that_finds_no_record() -> None:
    """All that the AFL names are missing: that is no card that makes codes."""
    report = transact(Card(options="80 06 1000 10010200 9000"))
    assert report.verdict is Verdict.NONE
    assert finding(report, Kind.RECORD_MISSING).facts == {"records": "2.1, 2.2"}
    assert {Kind.CDOL_MISSING, Kind.BITMAP_MISSING} <= kinds(report)


def test_no_payment_bitmap_to_offer() -> None:
    """MasterCard's payments have no profile that is known."""
    report = look(Card(aid=MASTERCARD, record={"9F56": None}))
    assert finding(report, Kind.BITMAP_MISSING).facts == {"profiles": "–"}


@pytest.mark.parametrize("change", [{"8D": "9F0180 9F0280"}, {"9F55": "40", "5F34": None}])
def test_what_cannot_be_done_is_no_ability(change: dict[str, str | None]) -> None:
    """CDOL2 fits no command; the flags want a PSN that is not there."""
    assert [one.works for one in only(look(Card(record=change))).abilities] == [False] * 3


def atr_report(
    convention: str, protocols: tuple[str, ...], interface: str, historical: int
) -> AtrReport:
    """What is reported."""
    return AtrReport(
        convention=convention,
        protocols=protocols,
        interface=interface,
        historical_bytes=historical,
    )


# ── Power, capabilities, PIN ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("atr", "expected"),
    [
        ("3B65000065046C9000", atr_report("direct", ("T=0",), "3B650000", 5)),
        ("3F65250052096A9000", atr_report("inverse", ("T=0",), "3F652500", 5)),
        ("3B8F8001" + "00" * 15 + "0E", atr_report("direct", ("T=0", "T=1"), "3B8F8001", 15)),
        ("3B80 3F 00 BF", None),
        ("3B90 11 1F 00 9E", atr_report("direct", (), "3B90111F00", 0)),
        ("3B 80 80 1F 01 1E", atr_report("direct", ("T=0",), "3B80801F01", 0)),
    ],
)
def test_what_the_card_says_at_power_on(atr: str, expected: AtrReport | None) -> None:
    """All but the historical bytes, in which some banks write a serial number."""
    assert look(Card(atr=atr)).atr == expected


def test_a_recorded_card_says_what_was_recorded() -> None:
    """Its own ATR; where nobody wrote it down, nobody knows it."""
    assert of_recording(vector("cap_fc09_uk")).atr is None


def test_capabilities_bit_by_bit() -> None:
    """Those that EMV names, and one that it does not."""
    report = only(transact(Card(options="80 06 FF81 08010100 9000")))
    assert report.aip == "FF81"
    assert [(one.name, one.byte, one.bit) for one in report.aip_bits] == [
        ("XDA", 1, 8),
        ("SDA", 1, 7),
        ("DDA", 1, 6),
        ("CARDHOLDER_VERIFICATION", 1, 5),
        ("TERMINAL_RISK_MANAGEMENT", 1, 4),
        ("ISSUER_AUTHENTICATION", 1, 3),
        ("RESERVED", 1, 2),
        ("CDA", 1, 1),
        ("RESERVED", 2, 8),
        ("RESERVED", 2, 1),
    ]
    assert only(transact(Card())).aip_bits == (
        AipBit(name="CARDHOLDER_VERIFICATION", byte=1, bit=5),
    )
    assert only(look(Card())).aip_bits == ()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("0100", OfflinePin.PLAINTEXT),
        ("4303 1F03", OfflinePin.PLAINTEXT),
        ("4403 4103 0200", OfflinePin.BOTH),
        ("0503", OfflinePin.ENCIPHERED),
        ("0101 0405 0104", OfflinePin.NONE),
        ("0200", OfflinePin.NONE),
        ("01", None),
    ],
)
def test_a_pin_without_a_network(rules: str, expected: OfflinePin | None) -> None:
    """Rules for withdrawals say nothing about a reader at home."""
    report = look(Card(record={"8E": f"0000000000000000 {rules}"}))
    assert only(report).offline_pin is expected


def test_amounts_of_the_rules() -> None:
    """Where a rule looks at one."""
    amounts = "00001388 000186A0"
    assert only(look(Card(record={"8E": f"{amounts} 0106 0109"}))).cvm_amounts == (5000, 100000)
    assert only(look(Card(record={"8E": f"{amounts} 0100"}))).cvm_amounts is None


def test_both_forms_of_an_answer() -> None:
    """Packed and as TLV, of each answer that has two."""
    packed = only(transact(Card()))
    assert packed.cryptogram is not None
    assert (packed.options_format, packed.cryptogram.answer_format) == (1, 1)
    tlv = Card(
        options="77 0A 82021000 940408010100 9000",
        answer="7714 9F360200079F270180 9F2608 0102030405060708",
    )
    in_tlv = only(transact(tlv))
    assert in_tlv.cryptogram is not None
    assert (in_tlv.options_format, in_tlv.cryptogram.answer_format) == (2, 2)


@pytest.mark.parametrize(
    ("cvr", "pin"),
    [
        ("A50003040000", "right"),
        ("850003040000", "right"),  # an AAC behind a PIN that was right
        ("A40003040000", "wrong"),
        ("A50003140000", "wrong"),
        ("A00003240000", "not-checked"),
    ],
)
def test_the_pin_in_the_cvr(cvr: str, pin: str) -> None:
    """Whatever cryptogram came with it."""
    made = only(transact(Card(answer=ANSWER.replace("A50003040000", cvr)))).cryptogram
    assert made is not None
    assert made.pin == pin
    assert made.pin_verified == (cvr == "A50003040000")


@pytest.mark.parametrize(("cvr", "pin"), [("A48000", "right"), ("A68000", "wrong")])
def test_the_pin_in_visas_cvr(cvr: str, pin: str) -> None:
    """Which has no bit for a PIN that was right."""
    made = only(
        transact(Card(aid=DPA, answer=f"80 0007 0102030405060708 06010A03{cvr}"))
    ).cryptogram
    assert made is not None
    assert made.pin == pin


def test_a_date_of_garbage_where_no_code_is_made() -> None:
    """Nobody minds."""
    aid = "A0000001118001"
    report = look(Card(aid=aid, directory=[aid], record={"5F24": "AB1231"}))
    assert only(report).expiry is None
    assert Kind.DATE_MALFORMED not in kinds(report)


def test_a_label_with_a_name_in_it() -> None:
    """Neither the name nor a number is repeated; a brand is no name."""
    holder = {"5F20": b"VISA/MARTIN CLAIRE".hex()}
    for label, shown in [
        (b"CARTE DE MARTIN", "…"),
        (b"claire", "…"),
        (b"CODES 4970 1000", "CODES …"),
        (b"VISA", "VISA"),
        (b"\x80\x07CODES", "??CODES"),
        (b"   ", None),
    ]:
        card = Card(fci={"50": label.hex(), "9F12": label.hex()}, record=holder)
        assert (only(look(card)).label, only(look(card)).preferred_name) == (shown, shown)


def test_a_card_number_where_a_name_should_be() -> None:
    """In an AID or a bitmap it is hidden too."""
    pan = "5413330089600010"
    report = look(Card(aid=f"A000000004{pan}", directory=[f"A000000004{pan}"]))
    assert only(report).aid == "…"
    report = look(Card(record={"9F56": f"00{pan}{pan}"}))
    bitmap = only(report).bitmap
    assert bitmap is not None
    assert bitmap.value == "…"


def test_a_card_that_gives_records_without_end() -> None:
    """Sixteen of each file are enough."""
    card = Card(instead=instead(Ins.READ_RECORD, "7000 9000"))
    assert only(look(card)).records == 160


def test_a_recorded_card_in_a_slot_of_its_own(tmp_path: Path) -> None:
    """An expired card has a finding; without a calendar it has none."""
    path = card_file(tmp_path, "sesame", ("expiry", date(2025, 6, 30)))
    with VirtualSlot(path) as slot:
        inspection = Inspection(slot)
        inspection.look()
    assert kinds(diagnose(inspection.seen)) == set()
    report = diagnose(inspection.seen, 20261123)
    assert finding(report, Kind.EXPIRED).facts == {"month": "2025-06"}


# ── Bits ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_bitmap_of_all_parts() -> None:
    """Each bit at its place, and what it counts in the number."""
    ipb = bytes.fromhex("03 80 01FF FFFF000000000000 000000000480 03")
    bitmap = explain_bitmap(ipb, "", BitmapSource.CARD, IadLayout.VISA, psn=True, presumed=False)
    assert [(run.part, run.byte, run.bit, run.bits, run.shift) for run in bitmap.runs] == [
        (Part.PSN, 1, 2, 2, 30),
        (Part.CID, 1, 8, 1, 29),
        (Part.ATC, 1, 1, 9, 20),
        (Part.AC, 1, 8, 16, 4),
        (Part.IAD, 5, 3, 1, 3),
        (Part.IAD, 6, 8, 1, 2),
        (Part.IAD, 7, 2, 2, 0),
    ]
    assert [run.names for run in bitmap.runs[4:]] == [
        ("PIN_PERFORMED",),
        ("LAST_ONLINE_NOT_COMPLETED",),
        ("DDA_PERFORMED", "PIN_NOT_RECEIVED"),
    ]
    assert not bitmap.leads_with_one  # the PSN does


def test_bits_outside_the_cvr() -> None:
    """The DKI and what follows the CVR are no bits of it."""
    ipb = bytes(11) + bytes.fromhex("00FF00000000000001") + bytes(30) + b"\x01"
    bitmap = explain_bitmap(ipb, "", BitmapSource.CARD, IadLayout.VISA, psn=False, presumed=True)
    assert [run.part for run in bitmap.runs] == [Part.IAD, Part.IAD, Part.BEYOND]
    assert {name for run in bitmap.runs for name in run.names} == {"OTHER"}
    assert bitmap.iad_presumed


def test_a_bitmap_that_is_a_bomb() -> None:
    """Every second bit of 255 bytes: what no card can give is one run, and not eight hundred."""
    bitmap = explain_bitmap(
        b"\xaa" * 255, "", BitmapSource.CARD, IadLayout.VISA, psn=False, presumed=True
    )
    assert [run.part for run in bitmap.runs].count(Part.BEYOND) == 1
    last = bitmap.runs[-1]
    assert (last.part, last.byte, last.bit, last.bits) == (Part.BEYOND, 1, 8, (255 - 43) * 4)
    assert bitmap.bits == sum(run.bits for run in bitmap.runs) == 255 * 4


def test_a_bitmap_without_bits() -> None:
    """Nothing leads."""
    bitmap = explain_bitmap(bytes(3), "", BitmapSource.CARD, None, psn=False, presumed=True)
    assert (bitmap.bits, bitmap.runs, bitmap.leads_with_one) == (0, (), False)


@pytest.mark.parametrize("layout", IadLayout)
def test_every_bit_of_every_layout_is_found(layout: IadLayout) -> None:
    """All bits set: each member once, but for the kinds of cryptogram."""
    everything = (1 << layout.cvr_length * 8) - 1
    names = [bit.name for bit in cvr_bits(layout, everything)]
    members = [name for name in layout.cvr.__members__ if not name.startswith(("FIRST", "SECOND"))]
    assert sorted(names) == sorted(members)


BITMAP_FAULTS = {
    Kind.BITMAP_EMPTY,
    Kind.FEW_BITS,
    Kind.MANY_BITS,
    Kind.NO_ATC_BITS,
    Kind.ATC_BITS_NOT_LOWEST,
    Kind.FEW_AC_BITS,
    Kind.PSN_BITS_MISSING,
    Kind.IAF_RESERVED,
    Kind.IAF_NO_AMOUNT,
}


@given(
    atc=st.integers(0, 16).map(lambda bits: (1 << bits) - 1) | st.integers(0, 0xFFFF),
    ac=st.integers(0, 64).map(lambda bits: (1 << bits) - 1) | st.integers(0, (1 << 64) - 1),
    cid=st.sampled_from([0, 0x80]),
    psn=st.sampled_from([0, 0x03]),
    iaf=st.sampled_from([0, 0x80, 0xA0, 0xC0, 0x40, 0x20, 0x01]),
)
def test_the_doctor_and_the_profile_agree(atc: int, ac: int, cid: int, psn: int, iaf: int) -> None:
    """What a profile refuses of bitmap and flags is found, and nothing else."""
    front = bytes([psn]) if iaf & Iaf.PSN else b""
    ipb = front + bytes([cid]) + atc.to_bytes(2) + ac.to_bytes(8)
    found = kinds(look(Card(record={"9F55": f"{iaf:02X}", "9F56": ipb.hex()}))) & BITMAP_FAULTS
    try:
        replace(PROFILES["cap-mchip-10"], ipb=ipb, iaf=Iaf(iaf))
    except ProfileError:
        assert found
    else:
        assert not found


# ── Anything at all ──────────────────────────────────────────────────────────────────────────────

PAN, NAME, TRACK = "5413339987654328", "DUPONT/CHRISTELLE", "99887766554433"
PRIVATE = {
    0x5A: bytes.fromhex(PAN),
    0x57: bytes.fromhex(f"{PAN}D2512201{TRACK}0F"),
    0x5F20: NAME.encode(),
    0x9F0B: f"{NAME} ELISABETH".encode(),
    0x9F1F: TRACK.encode(),
    0x9F20: bytes.fromhex(TRACK),
}
SECRETS = (PAN, PAN[4:12], PAN[8:], "DUPONT", "CHRISTELLE", "ELISABETH", TRACK, "87654328")
TAGS = [0x84, 0x50, 0x87, 0x5F2D, 0x88, 0x4F, 0x8C, 0x8D, 0x8E, 0x94, 0x82, 0x9F38, 0x9F55, 0x9F56]
TAGS += [0x5F24, 0x5F25, 0x5F28, 0x5F34, 0x9F12, 0x9F17, 0x9F36, 0x9F13, 0x9F26, 0x9F27, 0x9F10]
TAGS += [0x80, 0x5F2C, 0xDF07]
WORDS = [
    NAME.encode(),
    PAN.encode(),
    b"MME DUPONT",
    bytes.fromhex(PAN),
    TRACK.encode(),
    b"5413 3399",
]


def some_objects() -> st.SearchStrategy[bytes]:
    """A template with objects of the tags that matter, among them what is private."""
    any_value = st.binary(max_size=20) | st.sampled_from(WORDS)
    public = st.tuples(st.sampled_from(TAGS), any_value)
    private = st.sampled_from(list(PRIVATE.items()))
    usual = st.sampled_from(
        [
            (0x8C, bytes.fromhex(ELEMENTS)),
            (0x8D, bytes.fromhex(f"8A02 {ELEMENTS}")),
            (0x9F56, bytes.fromhex(BITMAP)),
            (0x94, bytes.fromhex("08010100")),
            (0x4F, bytes.fromhex(CAP)),
            (0x88, b"\x01"),
            (0x9F27, b"\x80"),
            (0x9F36, b"\x00\x07"),
            (0x9F26, b"\x01" * 8),
        ]
    )
    content = st.lists(public | private | usual, max_size=8)
    return st.builds(
        lambda tag, pairs: encode_one(tag, b"".join(encode_one(*pair) for pair in pairs)),
        st.sampled_from([0x6F, 0x70, 0x77, 0x61, 0xA5]),
        content,
    )


def answers() -> st.SearchStrategy[Response | None]:
    """Any answer, or none."""
    sw = st.sampled_from([0x9000, 0x9000, 0x9000, 0x6A82, 0x6A83, 0x6985, 0x6283, 0x63C2, 0x6983])
    data = st.binary(max_size=30) | some_objects()
    return st.builds(Response, sw | st.integers(0, 0xFFFF), data) | st.none()


class Garbage:
    """A slot with a card that answers anything, the records with what is private first."""

    def __init__(self, answer: Callable[[Command], Response | None]) -> None:
        self._answer = answer
        self.sent: list[Command] = []

    def power_on(self) -> bytes:
        """Any ATR."""
        return b""

    def power_off(self) -> None:
        """Nothing is left to do."""

    def transmit(self, command: Command) -> Response:
        """Anything."""
        self.sent.append(command)
        answer = self._answer(command)
        if answer is None:
            raise CardIsMute
        return answer


def garbage(data: st.DataObject) -> Garbage:
    """A card that answers each command in one way, drawn when it is first asked."""
    known: dict[tuple[int, int, int, bytes], Response | None] = {}
    private = b"".join(encode_one(tag, value) for tag, value in PRIVATE.items())

    def answer(command: Command) -> Response | None:
        if (command.ins, command.p1, command.p2) == (Ins.READ_RECORD, 1, 0x0C):
            return Response(0x9000, encode_one(0x70, private))
        # Few ways to answer: of each instruction, and of records of each file.
        key = (command.ins, command.p1 if command.ins != Ins.READ_RECORD else 0, 0, command.data)
        if key not in known:
            known[key] = data.draw(answers())
        return known[key]

    return Garbage(answer)


def spellings(pan: str, draw: Callable[[st.SearchStrategy[bytes]], bytes]) -> bytes:
    """*pan* in some packing: BCD, shifted by half a byte, characters; with something around it."""
    packed = draw(
        st.sampled_from(
            [
                bytes.fromhex(pan + "F" * (len(pan) % 2)),
                bytes.fromhex("A" + pan + "F" * (1 - len(pan) % 2)),
                pan.encode(),
                b" ".join(pan[at : at + 4].encode() for at in range(0, len(pan), 4)),
            ]
        )
    )
    around = st.sampled_from([b"", b"\xa0", b"CB ", b"\x00\x01"])
    return draw(around) + packed + draw(around)


@given(
    data=st.data(),
    pan=st.text("0123456789", min_size=13, max_size=19).filter(
        lambda one: len(one.strip("0")) >= 13
    ),
    tag=st.sampled_from([0x5A, 0x57, 0x9F6B, 0x9F20]),
    ask=st.sampled_from([look, transact]),
)
def test_a_number_is_in_no_report_however_it_is_packed(
    data: st.DataObject, pan: str, tag: int, ask: Callable[[Card], Report]
) -> None:
    """Wherever a card repeats what one object says is its number, its digits stay inside."""
    hidden = encode_one(tag, bytes.fromhex(pan + "F" * (len(pan) % 2)))
    name = data.draw(st.sampled_from([CAP, DPA, VISA])) + data.draw(
        st.sampled_from(["", pan + "F" * (len(pan) % 2)])
    )
    places = [*range(0x9F10, 0x9F14), 0x50, 0x87, 0x5F2D, 0x5F28, 0x5F34, 0x8E, 0x9F55, 0x9F56]
    values = {
        f"{one:X}": spellings(pan, data.draw).hex()
        for one in data.draw(st.lists(st.sampled_from(places), max_size=5))
    }
    card = Card(
        aid=name[:32],
        fci=values,
        record=values,
        answer=f"80 0007 0102030405060708 {pan.encode().hex()[:40]}",
        directory=[name[:32]] if len(name) <= 32 else None,
        instead=lambda one: record_of(one, {(1, 2): encode_one(0x70, hidden)}),
    )
    assert pan.strip("0") not in re.sub("[ .-]", "", repr(ask(card)))
    assert len(card.sent) < 500


def test_a_card_without_end_gets_an_end() -> None:
    """Whatever is asked is there: the number of commands has a bound."""
    aids = [f"A0000000{number:06X}" for number in range(40)]
    everything = Card(directory=aids, instead=instead(Ins.READ_RECORD, "7000 9000"))
    entries = b"".join(encode_one(0x61, objects({"4F": aid})) for aid in aids[:20])

    def say(command: Command) -> Response | None:
        if command.ins == Ins.READ_RECORD and everything.selected != PSE:
            return Response(0x9000, encode_one(0x70, b""))
        if command.ins == Ins.READ_RECORD:
            return Response(0x9000, encode_one(0x70, entries[:240]))
        if command.ins == Ins.SELECT and command.data.hex().upper() != PSE:
            everything.selected = CAP
            return Response(0x9000, encode_one(0x6F, objects({"84": command.data.hex()})))
        return None

    everything.instead = say
    report = transact(everything)
    assert len(report.applications) == 23
    assert len(everything.sent) < 4000


@given(st.data())
def test_any_card_gets_a_report_without_anything_private(data: st.DataObject) -> None:
    """No traceback, whatever it answers; what is said in words is tested with the command."""
    card = garbage(data)
    inspection = Inspection(card)
    inspection.look()
    assert {command.ins for command in card.sent} <= HARMLESS
    assert "DUPONT" not in repr(diagnose(inspection.seen, 20261123))
    inspection.make_code(PIN, tries_agreed=inspection.tries_left)
    printed = repr(diagnose(inspection.seen, 20261123)).upper()
    for secret in SECRETS:
        assert secret not in printed
    assert len(card.sent) < 5000
