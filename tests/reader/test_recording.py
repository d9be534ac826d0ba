"""Recorded sessions, played against our reader: docs/reference/recordings.md."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.mode import Inputs, Mode
from sesame.emv.apdu import Ins, Response, read_record
from sesame.reader.errors import (
    CardBlocked,
    CardDeclines,
    CardUnfit,
    CommandDiffers,
    ModeUnknown,
    ModeWithoutCode,
    NotRecordings,
    PartMalformed,
    PartMissing,
    SchemeUnknown,
)
from sesame.reader.recording import Exchange, RecordedCard, Result, Session, name_of, play, read
from tests.reader.recordings import (
    BITMAP,
    CRYPTOGRAM,
    ELEMENTS,
    FILE,
    LOGIN,
    NAMES,
    NUMBER,
    VECTORS,
    Vector,
    bare,
    made_up,
    objects,
    step,
    template,
    vector,
)

WHOLE = [name for name in NAMES if not name.startswith("barclays")]
CODES = [name for name in NAMES if name != "barclays_record"]


def sent(found: Vector) -> list[str]:
    """The commands of our reader, from the application that it finds on."""
    session = Session.of(found)
    session.play()
    commands = session.card.sent
    selects = [at for at, command in enumerate(commands) if command.ins == Ins.SELECT]
    return [command.encode().hex().upper() for command in commands[selects[-1] :]]


def refusal(found: object) -> str:
    """Why *found* makes no code."""
    played = play(found)
    assert played.result is Result.REFUSED
    assert played.shown is None
    return str(played.refusal)


# ── The published sessions ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CODES)
def test_the_code_is_the_recorded_one(name: str) -> None:
    """As the display showed it, or another program worked it out."""
    played = play(vector(name))
    assert played.refusal is None
    assert played.shown == vector(name)["expect"]["otp_value"] == played.expected
    assert played.result is Result.OK
    assert not played.failed


@pytest.mark.parametrize("name", WHOLE)
def test_the_commands_are_the_recorded_ones(name: str) -> None:
    """Byte for byte and in order, behind the reader's own search for an application."""
    assert sent(vector(name)) == [one["command"] for one in vector(name)["exchanges"]]


@pytest.mark.parametrize("name", WHOLE)
def test_what_a_vector_says_of_itself_is_not_needed(name: str) -> None:
    """Nor believed: the exchanges alone make the number."""
    played = play(bare(vector(name)))
    assert (played.result, played.shown) == (Result.SHOWN, play(vector(name)).shown)
    assert not played.failed
    lying = vector(name) | {"fields": {"ipb": "FF", "iaf": "40", "psn": "09"}}
    assert play(lying).result is Result.OK


@pytest.mark.parametrize("name", WHOLE)
def test_a_card_of_t_1(name: str) -> None:
    """Its commands end with Le where an answer is due."""
    found = vector(name)
    for one in found["exchanges"]:
        if one["step"] in ("SELECT", "GET PROCESSING OPTIONS", "GENERATE AC 1", "GENERATE AC 2"):
            one["command"] += "00"
    assert play(found).result is Result.OK


@pytest.mark.parametrize("name", WHOLE)
def test_the_aid_is_read_off_the_select(name: str) -> None:
    """Where it is not said, or is said longer than it was selected."""
    assert play(vector(name) | {"aid": None}).result is Result.OK
    assert play(vector(name) | {"aid": vector(name)["aid"] + "0101"}).result is Result.OK


@pytest.mark.parametrize("name", WHOLE)
def test_what_does_not_decide_the_code_need_not_be_recorded(name: str) -> None:
    """GET DATA, VERIFY, whose PIN somebody has blackened, and the second GENERATE AC."""
    found = vector(name)
    step(found, "VERIFY")["command"] = "0020008008****************"
    skipped = ("GET DATA", "GENERATE AC 2")
    found["exchanges"] = [one for one in found["exchanges"] if one["step"] not in skipped]
    assert play(found).result is Result.OK


@pytest.mark.parametrize("name", ["barclays_rmtf1", "barclays_rmtf2"])
def test_a_session_that_begins_with_the_cryptogram(name: str) -> None:
    """Its `fields` say what the record would have said; without them a part is missing."""
    assert play(vector(name)).result is Result.OK
    assert play(vector(name) | {"aid": "A0000000038002"}).result is Result.OK
    alone = play(bare(vector(name)))
    assert str(alone.refusal) == "missing: exchanges: SELECT"
    assert not alone.failed
    promised = bare(vector(name)) | {"expect": vector(name)["expect"]}
    assert play(promised).failed
    nowhere = vector(name) | {"scheme": "BE"}
    assert refusal(nowhere) == "missing: aid"


def test_a_session_that_was_begun_is_not_made_up() -> None:
    """Who recorded a SELECT has recorded what followed, or a part is missing."""
    found = vector("cap_be-m1")
    found["exchanges"] = [one for one in found["exchanges"] if one["step"] != "READ RECORD"]
    assert found["fields"]["ipb"]
    assert "not recorded: 00B2010C00, 00B2040C00" in refusal(found)


def test_commands_without_a_code() -> None:
    """Mode DOL is refused, and its commands compared: none is expected otherwise."""
    played = play(vector("barclays_record"))
    assert isinstance(played.refusal, ModeWithoutCode)
    assert not played.failed
    assert not play(bare(vector("barclays_record"))).failed


def _record_with(change: Callable[[Vector], None]) -> Vector:
    found = vector("barclays_record")
    change(found)
    return found


def test_commands_that_differ() -> None:
    """The reason says which, where, and what ours is."""
    found = vector("barclays_record")
    found["expect"]["generate_ac"][3]["amount"] = "15.01"
    played = play(found)
    assert played.failed
    assert isinstance(played.refusal, CommandDiffers)
    assert played.refusal.name == "expect.generate_ac[3]"
    assert (played.refusal.at, played.refusal.ours, played.refusal.theirs) == (11, "01", "00")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v["exchanges"].clear(), "no CDOL1"),
        (lambda v: v["expect"]["generate_ac"][1].update(command="80"), r"generate_ac\[1\].command"),
        (
            lambda v: v["expect"]["generate_ac"][1].update(challenge="x"),
            r"generate_ac\[1\]: a chal",
        ),
        (lambda v: v["expect"]["generate_ac"][1].update(amount="1;5"), r"generate_ac\[1\]: an am"),
        (lambda v: v["expect"].update(generate_ac=7), r"expect.generate_ac: Expected"),
        (lambda v: v["expect"].update(otp_value=7), "makes no code"),
    ],
)
def test_commands_that_cannot_be_compared(change: Callable[[Vector], None], reason: str) -> None:
    """Something was promised, and cannot be kept."""
    played = play(_record_with(change))
    assert played.failed
    assert re.search(reason, str(played.refusal))


@pytest.mark.parametrize("currency", ["978", "0978", "EUR"])
def test_a_currency_by_any_name(currency: str) -> None:
    """By its letters, by three digits, or by four as the card gets them."""
    assert Session.of(vector("cap_be-m1") | {"inputs": {"currency": currency}}).inputs == Inputs(
        mode=Mode.M1, currency="978"
    )


def test_commands_of_a_card_without_a_bitmap() -> None:
    """It makes no code; its commands are the same."""
    found = vector("barclays_record")
    record = found["exchanges"][0]
    ipb = "9F56128000FF000000000001FFFF00000000000000"
    assert ipb in record["response"]
    record["response"] = record["response"].replace(ipb, "").replace("7068", "7053", 1)
    assert not play(found).failed


def test_the_scheme_tells_two_applications_apart() -> None:
    """Both were asked for a code, and no AID says which one the vector means."""
    dpa, cap = vector("visa_dpa_fr"), vector("cap_be-m1")
    found = cap | {"aid": None, "exchanges": [*dpa["exchanges"], *cap["exchanges"]]}
    assert play(found).result is Result.OK


@pytest.mark.parametrize("sw", ["6112", "6C12"])
def test_a_session_with_t_0_in_it(sw: str) -> None:
    """It is refused, and says what to write instead."""
    found = vector("cap_be-m1")
    found["exchanges"][0]["response"] = sw
    assert "are to be folded" in str(play(found).refusal)


# ── Where a session and our reader part ──────────────────────────────────────────────────────────


def test_another_challenge_has_no_answer() -> None:
    """A real card would have made another cryptogram of it: no number is shown."""
    found = vector("cap_be-m1-1234")
    found["inputs"]["challenge"] = "1299"
    played = play(found)
    assert played.failed
    assert isinstance(played.refusal, CommandDiffers)
    assert str(played.refusal) == (
        "GENERATE AC is not as recorded: from byte 34 on it is 99, recorded is 34"
    )
    assert played.refusal.recorded == step(found, "GENERATE AC 1")["command"]
    assert not play(bare(found)).failed


def test_a_command_of_another_length() -> None:
    """All that follows the first difference is told."""
    error = CommandDiffers("GENERATE AC", bytes.fromhex("80AE0102"), bytes.fromhex("80AE0102FF"))
    assert (error.at, error.ours, error.theirs) == (5, "", "FF")


def test_other_options_have_no_answer() -> None:
    """The card was told of another terminal."""
    found = vector("cap_be-m1")
    step(found, "GET PROCESSING OPTIONS")["command"] = "80A8000003830137"
    assert refusal(found).startswith("GET PROCESSING OPTIONS is not as recorded: from byte 8")


def test_another_cryptogram_differs() -> None:
    """The number is what the exchanges make, not what was expected."""
    found = vector("cap_be-m1")
    answer = step(found, "GENERATE AC 1")
    answer["response"] = answer["response"].replace("B7DB02A0", "B7DB02A1")
    played = play(found)
    assert (played.result, played.shown, played.expected) == (Result.DIFFERS, NUMBER + 1, NUMBER)
    assert played.failed


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("SELECT", "missing: exchanges: SELECT"),
        ("GET PROCESSING OPTIONS", "missing: exchanges: GET PROCESSING OPTIONS"),
        (
            "READ RECORD",
            "the card has no CDOL1 (8C): it cannot make codes; not recorded: 00B2010C00",
        ),
        ("GENERATE AC 1", "missing: exchanges: GENERATE AC"),
    ],
)
def test_a_step_that_is_missing(name: str, missing: str) -> None:
    """The reader says which when it comes to it."""
    found = vector("visa_dpa_fr")
    found["exchanges"].remove(step(found, name))
    assert refusal(found) == missing
    assert play(found).failed
    assert not play(bare(found)).failed


def test_a_card_that_declines() -> None:
    """Whatever it answers in place of an ARQC; a careful reader shows no number."""
    for answer, name in [
        (CRYPTOGRAM.replace("80", "00", 1), "AAC"),
        (CRYPTOGRAM.replace("80", "40", 1), "TC"),
        ("77 14 9F270100 9F3602005A 9F2608513C1201B7DB02A0", "AAC"),
    ]:
        played = play(made_up(answer=answer))
        assert isinstance(played.refusal, CardDeclines)
        assert played.refusal.answer == name
    found = made_up()
    found["exchanges"][-1]["response"] = "6985"
    assert refusal(found).endswith("6985")


def test_a_cryptogram_of_no_kind() -> None:
    """b8 and b7 of the CID are both set."""
    assert "no kind of cryptogram" in refusal(made_up(answer=CRYPTOGRAM.replace("80", "C0", 1)))


@pytest.mark.parametrize(
    "change",
    [
        {"command": "80CA9F1700", "response": "9F1701009000"},
        {"command": "80A80000028300", "response": "6985"},
    ],
    ids=["no try left", "application closed"],
)
def test_a_card_that_is_blocked(change: dict[str, str]) -> None:
    """By its PIN, or by its application."""
    found = made_up()
    found["exchanges"].insert(1, change)
    assert isinstance(play(found).refusal, CardBlocked)


def test_the_last_try_is_no_hindrance() -> None:
    """The PIN is right."""
    found = made_up()
    found["exchanges"].append({"command": "80CA9F1700", "response": "9F1701019000"})
    assert play(found).shown == NUMBER


# ── Every layout of docs/reference/emv-cap.md ────────────────────────────────────────────────────

FORMAT_2 = "77 1E 9F1007 06015603A40000 9F2608 513C1201B7DB02A0 9F3602 005A 9F2701 80"
OPTIONS_2 = "77 0A 9404 08010100 8202 1000 9000"
WITH_PSN = f"03{BITMAP}"  # and two bits of the PSN
PSN_2 = 2 << 26 | NUMBER
AMOUNT = LOGIN.replace("000000000000", "000000123456", 1)
EURO = "000000123456 000000000000 0000 8000000000 0978 000000 00 00000000"
VISA = LOGIN.replace("000000 00 0", "010101 00 0")
BELGIAN = LOGIN.replace("8000000000", "8000000800")
BELGIAN_FCI = {"5F2C": "0056", "DF07": "424B53303536303038"}
BELGIAN_ANSWER = "80 1234 1234567890ABCDEF 06015603A40000"
BELGIAN_NUMBER = 53780079
VISA_ANSWER = "80 0003 107A6B38B2EDBE30 06550A03A49000"
VISA_NUMBER = 102823328
VISA_AID, MAESTRO_AID = "A0000000031010", "A0000000043060"
BANCONTACT_AID = "D056000666111010"
TYPED: dict[str, Any] = {"amount": "1234.56", "currency": "978"}


@pytest.mark.parametrize(
    ("found", "number"),
    [
        pytest.param(made_up(), NUMBER, id="formats 1 and 1"),
        pytest.param(made_up(answer=FORMAT_2), NUMBER, id="formats 1 and 2, in another order"),
        pytest.param(made_up(options=OPTIONS_2), NUMBER, id="formats 2 and 1"),
        pytest.param(made_up(options=OPTIONS_2, answer=FORMAT_2), NUMBER, id="formats 2 and 2"),
        pytest.param(
            made_up(answer=CRYPTOGRAM[: -len("06015603A40000")]), NUMBER, id="without IAD"
        ),
        pytest.param(
            made_up(fci={"9F55": "40"}, record={"5F34": "02", "9F56": WITH_PSN}),
            PSN_2,
            id="IAF in the FCI: PSN in front, 28 bits",
        ),
        pytest.param(
            made_up(fci={"9F55": "40"}, record={"5F34": "02", "9F55": "00"}),
            NUMBER,
            id="IAF in both: the record's",
        ),
        pytest.param(
            made_up(record={"9F55": "40FFFFFFFFFFFF", "5F34": "02", "9F56": WITH_PSN}),
            PSN_2,
            id="IAF of 7 bytes: the first",
        ),
        pytest.param(made_up(record={"9F56": BITMAP + "00" * 40}), NUMBER, id="long IPB of zeros"),
        pytest.param(
            made_up(fci={"9F38": "9F3501 DF7F02 9F3303"}, pdol_values="34 0000 208000"),
            NUMBER,
            id="PDOL with an unknown object",
        ),
        pytest.param(
            made_up(cdol1=f"{ELEMENTS} DF7F03 9F3403", data=f"{LOGIN} 000000 010002"),
            NUMBER,
            id="CDOL with an unknown object",
        ),
        pytest.param(
            made_up(options="80 0A 1000 08010200 18010100 9000"), NUMBER, id="records missing"
        ),
        pytest.param(
            made_up(scheme="VISA", aid=VISA_AID, data=VISA, answer=VISA_ANSWER, without="9F56"),
            VISA_NUMBER,
            id="Visa's bitmap, 33 bits",
        ),
        pytest.param(
            made_up(
                scheme="VISA",
                aid=VISA_AID,
                data=VISA,
                answer=VISA_ANSWER,
                record={"9F56": "80", "9F55": "C0"},
            ),
            VISA_NUMBER,
            id="Visa's bitmap: 9F55 and 9F56 are other objects",
        ),
        pytest.param(
            made_up(scheme="VISA", aid=VISA_AID, data=VISA), NUMBER, id="Visa with an IPB"
        ),
        pytest.param(made_up(scheme="MC", aid="A0000000041010"), NUMBER, id="MasterCard"),
        *(
            pytest.param(
                made_up(
                    scheme=scheme,
                    aid=aid,
                    fci=BELGIAN_FCI,
                    data=BELGIAN,
                    answer=BELGIAN_ANSWER,
                    record={"9F56": ipb or ""},
                    without="" if ipb else "9F56",
                ),
                BELGIAN_NUMBER,
                id=f"Belgian function: {name}",
            )
            for name, scheme, aid, ipb in [
                ("Maestro", "MAESTRO", MAESTRO_AID, None),
                ("Visa", "VISA", VISA_AID, None),
                ("Visa, 9F56 another object", "VISA", VISA_AID, "80"),
                ("Bancontact", "BANCONTACT", BANCONTACT_AID, None),
                ("Bancontact, IPB ignored", "BANCONTACT", BANCONTACT_AID, BITMAP),
                ("Bancontact by its AID", "MAESTRO", BANCONTACT_AID, BITMAP),
            ]
        ),
        pytest.param(
            made_up(scheme="MAESTRO", aid=MAESTRO_AID, fci=BELGIAN_FCI, data=BELGIAN),
            NUMBER,
            id="Belgian Maestro with an IPB",
        ),
        pytest.param(made_up(fci=BELGIAN_FCI), NUMBER, id="Belgian CAP: as any other"),
        pytest.param(
            made_up(scheme="DPA", aid="A0000001118002", data=VISA),
            NUMBER,
            id="an AID that our reader does not know",
        ),
        pytest.param(
            made_up(mode="M1", inputs=TYPED, record={"9F55": "80"}, data=EURO),
            NUMBER,
            id="amount and currency",
        ),
        pytest.param(
            made_up(mode="M1", inputs=TYPED, record={"9F55": "A0"}, data=AMOUNT),
            NUMBER,
            id="amount without currency",
        ),
        pytest.param(made_up(mode="M1", inputs=TYPED), NUMBER, id="no IAF: no amount"),
        *(
            pytest.param(
                made_up(
                    mode="M1",
                    inputs={"amount": typed},
                    record={"9F55": "A0"},
                    data=LOGIN.replace("000000000000", f"{minor:012d}", 1),
                ),
                NUMBER,
                id=f"amount {typed}",
            )
            for typed, minor in [("12", 1200), ("15.5", 1550), ("15.00", 1500), ("0.07", 7)]
        ),
        *(
            pytest.param(
                made_up(mode=mode, inputs={"challenge": "0012"}, data=LOGIN[:-2] + "12"),
                NUMBER,
                id=f"challenge in mode {mode}",
            )
            for mode in ("M1", "M3")
        ),
        pytest.param(
            made_up(mode="M2+TDS", inputs={"tds": ["1234"]}), 23719593, id="mode 2 with TDS"
        ),
    ],
)
def test_a_layout(found: Vector, number: int) -> None:
    """The command is the recorded one, and the number what the answer makes."""
    played = play(found)
    assert played.refusal is None
    assert played.shown == number


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(made_up(record={"9F56": "00" * 11}), "IPB selects nothing", id="no bit"),
        pytest.param(made_up(record={"9F56": ""}), "no IPB", id="an empty bitmap"),
        pytest.param(
            made_up(record={"9F56": BITMAP + "00" * 7 + "01"}), "byte 19", id="bits past the data"
        ),
        pytest.param(made_up(without="9F56"), "no IPB", id="CAP without IPB"),
        pytest.param(made_up(without="8C"), "no CDOL1", id="no CDOL1"),
        pytest.param(made_up(without="8D"), "no CDOL2", id="no CDOL2"),
        pytest.param(made_up(record={"9F55": "40"}), "asks for the PSN", id="no PSN"),
        pytest.param(made_up(answer="80 005A 513C"), "11", id="a short answer"),
        pytest.param(made_up(options="9000"), "AFL", id="no AFL"),
        pytest.param(made_up(options="80 06 1000 08010101"), "answered", id="no status word"),
    ],
)
def test_a_card_without_a_code(found: Vector, reason: str) -> None:
    """The reason is the reader's own, in English for engineers."""
    played = play(found)
    assert isinstance(played.refusal, CardUnfit)
    assert reason in str(played.refusal)


def test_of_several_applications_the_one_that_was_used() -> None:
    """Their commands may be alike: the answers are those behind the SELECT of each."""
    cap, visa = (
        made_up(),
        made_up(scheme="VISA", aid=VISA_AID, data=VISA, answer=VISA_ANSWER, without="9F56"),
    )
    both = [*cap["exchanges"], *visa["exchanges"]]
    directory = [
        {"command": "00A404000E315041592E5359532E4444463031", "response": "6F009000"},
        {"command": "00B2010C00", "response": "70009000"},
        {"command": "00A4040007A0000000038002", "response": "6A81"},
    ]
    for exchanges in (both, [*directory, *both], [*visa["exchanges"], *cap["exchanges"]]):
        assert play({**cap, "aid": "A0000000048002", "exchanges": exchanges}).shown == NUMBER
        assert play({**visa, "aid": VISA_AID, "exchanges": exchanges}).shown == VISA_NUMBER
    # Without an `aid` the one that was asked for a code.
    looked_at = [*visa["exchanges"], *cap["exchanges"][:-1]]
    assert play({**visa, "exchanges": looked_at}).shown == VISA_NUMBER
    assert play({**visa, "exchanges": looked_at[4:] + looked_at[:4]}).shown == VISA_NUMBER


# ── What is no session ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("part", ["id", "scheme", "mode", "inputs", "exchanges"])
def test_a_part_that_is_missing(part: str) -> None:
    """Or null: that vector alone is refused, and names it."""
    for found in (vector("cap_be-m1") | {part: None}, bare(vector("cap_be-m1"))):
        found.pop(part) if "expect" not in found else None
        played = play(found)
        assert isinstance(played.refusal, PartMissing)
        assert played.refusal.part == part
        assert played.failed is ("expect" in found)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"id": 7}, "id"),
        ({"scheme": ["CAP"]}, "scheme"),
        ({"mode": 1}, "mode"),
        ({"inputs": []}, "inputs"),
        ({"inputs": {"challenge": 1234}}, "inputs.challenge"),
        ({"inputs": {"tds": "1234"}}, "inputs.tds"),
        ({"inputs": {"tds": [1]}}, "inputs.tds[0]"),
        ({"inputs": {"amount": "1 000"}}, "inputs"),
        ({"inputs": {"amount": "12345678901"}}, "inputs"),
        ({"inputs": {"challenge": "123456789"}}, "inputs"),
        ({"inputs": {"currency": "EURO"}}, "inputs"),
        ({"mode": "M2", "inputs": {"challenge": "1"}}, "inputs"),
        ({"mode": "M2+TDS"}, "inputs"),
        ({"aid": "A0"}, "aid"),
        ({"aid": "A000000004800X"}, "aid"),
        ({"aid": 7}, "aid"),
        ({"exchanges": {}}, "exchanges"),
        ({"exchanges": [7]}, "exchanges[0]"),
        ({"exchanges": [{"command": "00A40400"}]}, "exchanges[0]"),
        ({"exchanges": [{"command": "00A4", "response": "6A82"}]}, "exchanges[0].command"),
        ({"exchanges": [{"command": "zz", "response": "6A82"}]}, "exchanges[0].command"),
        ({"exchanges": [{"command": "00A40400", "response": ""}]}, "exchanges[0].response"),
        ({"exchanges": [{"command": "00A40400", "response": None}]}, "exchanges[0].response"),
        ({"expect": 7}, "expect"),
        ({"expect": {"otp_value": "x"}}, "expect.otp_value"),
        ({"expect": {"otp": "9" * 5000}}, "expect.otp"),
        ({"expect": {"otp_value": True}}, "expect.otp_value"),
    ],
)
def test_a_part_that_is_malformed(changes: dict[str, Any], part: str) -> None:
    """The reason names it, and does not repeat what stands there."""
    played = play(vector("cap_be-m1") | changes)
    assert isinstance(played.refusal, PartMalformed)
    assert played.refusal.part == part
    assert played.failed


def test_fields_that_are_malformed() -> None:
    """They count only where they are needed."""
    assert play(vector("cap_be-m1") | {"fields": 7}).result is Result.OK
    assert "fields: Expected" in refusal(vector("barclays_rmtf1") | {"fields": 7})
    assert "fields.iaf" in refusal(
        vector("barclays_rmtf1") | {"fields": {"ipb": BITMAP, "iaf": "x"}}
    )


def test_names_that_nobody_knows() -> None:
    """A mode, a scheme: on one line, however strange."""
    played = play(vector("cap_be-m1") | {"mode": "M9"})
    assert isinstance(played.refusal, ModeUnknown)
    assert str(played.refusal) == "unknown mode: 'M9'"
    played = play(vector("cap_be-m1") | {"scheme": "réseau\n" * 1000})
    assert isinstance(played.refusal, SchemeUnknown)
    assert len(str(played.refusal)) < 100
    assert str(played.refusal).isprintable()


@pytest.mark.parametrize("otp", [{"otp_value": "23790240"}, {"otp": "0023790240"}])
def test_the_number_that_is_expected(otp: dict[str, str]) -> None:
    """As a number or as digits, with zeros before it or not."""
    assert play(vector("cap_be-m1") | {"expect": otp}).result is Result.OK
    assert play(vector("cap_be-m1") | {"expect": {"otp_value": None}}).result is Result.SHOWN


def test_more_members_than_we_know() -> None:
    """Are nobody's business."""
    found = vector("cap_be-m1")
    found["inputs"]["weather"] = found["exchanges"][0]["weather"] = found["weather"] = "rain"
    assert play(found).result is Result.OK


# ── The file ─────────────────────────────────────────────────────────────────────────────────────


def test_the_file() -> None:
    """All its vectors, in their order; a byte order mark does no harm."""
    raw = json.dumps(FILE).encode()
    assert read(raw) == VECTORS
    assert read(b"\xef\xbb\xbf" + raw) == VECTORS


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"9" * 10_000,
        b"[]",
        b"7",
        b"{}",
        json.dumps(FILE | {"schema": "emv-cap-vectors/2"}).encode(),
        json.dumps(FILE | {"kind": "crypto"}).encode(),
        json.dumps(FILE | {"vectors": {}}).encode(),
    ],
)
def test_a_file_of_something_else(raw: bytes) -> None:
    """One error says what it takes."""
    with pytest.raises(NotRecordings):
        read(raw)


def test_names() -> None:
    """On one line each; a vector without one is numbered."""
    assert name_of({"id": "cap_be-m1"}, 3) == "cap_be-m1"
    assert name_of({"id": "carte é"}, 3) == "carte é"
    assert name_of({"id": "a\nb\ud800"}, 3) == "a\\nb\\ud800"
    for nameless in ({}, {"id": 7}, {"id": ""}, None, [7]):
        assert name_of(nameless, 3) == "#3"


# ── Anything ─────────────────────────────────────────────────────────────────────────────────────

HEX = st.binary(max_size=40).map(bytes.hex)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | HEX,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text()
            | st.sampled_from(["id", "scheme", "mode", "inputs", "exchanges", "expect", "command"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_anything_is_refused(found: object) -> None:
    """With one of our errors."""
    assert play(found).result is Result.REFUSED
    assert name_of(found, 1).isprintable()


@given(st.data())
def test_a_session_with_anything_in_it(data: st.DataObject) -> None:
    """In any place: a number, or one of our errors."""
    found = vector(data.draw(st.sampled_from(NAMES)))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = found
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
                place[key] = data.draw(ANYTHING)
                break
            place = place[key]
    play(found)


def test_a_command_that_was_recorded_twice() -> None:
    """Has its answers in turn, the last one from then on; a reset begins again."""
    command = read_record(1, 1)
    first, second = Response(0x6A83), Response(0x9000, b"\x70\x00")
    card = RecordedCard([Exchange(command, first), Exchange(command, second)])
    for _ in range(2):
        card.power_on()
        assert [card.transmit(command) for _ in range(3)] == [first, second, second]


@given(st.data())
def test_a_card_that_answers_anything(data: st.DataObject) -> None:
    """Bytes changed, cut or added in any recorded answer."""
    found = vector(data.draw(st.sampled_from(WHOLE)))
    exchange = data.draw(st.sampled_from(found["exchanges"]))
    answer = bytearray.fromhex(exchange["response"])
    at = data.draw(st.integers(0, len(answer)))
    answer[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    exchange["response"] = answer.hex()
    played = play(found)
    assert (played.shown is None) == (played.result is Result.REFUSED)


def test_templates() -> None:
    """What the made-up sessions are made with."""
    assert template(0x70, objects({"9F55": "A0"})) == "70049f5501a09000"
