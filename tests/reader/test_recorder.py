"""A session that is written down is one that can be played, and makes the same code."""

import json
from pathlib import Path
from typing import Any

import pytest

from sesame.cap.mode import LOGIN, Inputs, Mode, signature
from sesame.cap.token import Code
from sesame.emv.apdu import AcType, Command, Ins, Response, generate_ac, read_record, select
from sesame.emv.atr import Protocol, encode_atr
from sesame.emv.tags import Tag
from sesame.emv.tlv import encode_one
from sesame.reader.code import NoCode, Where, WrongPin, make_code
from sesame.reader.errors import CardIsMute, CardPulled
from sesame.reader.machine import Asked, State
from sesame.reader.recorder import Recorder, recorder_of, recording
from sesame.reader.recording import Result, play, read
from sesame.reader.slot import WatchedSlot
from sesame.reader.virtual_slot import VirtualSlot
from tests.reader.cards import DATA, PIN, PROFILES, WRONG, card_file
from tests.reader.dialogue import CODE, CardStub

INPUTS = {
    "code": LOGIN,
    "respond": Inputs(mode=Mode.M3, challenge="20451"),
    "tds": Inputs(mode=Mode.TDS, fields=("1", "0023")),
}


def vector_of(raw: bytes) -> dict[str, Any]:
    """The one session of a file."""
    (vector,) = read(raw)
    assert isinstance(vector, dict)
    return vector


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("mode", INPUTS)
@pytest.mark.parametrize("private", [True, False])
def test_what_was_recorded_makes_the_same_code(
    tmp_path: Path, kind: str, mode: str, *, private: bool
) -> None:
    """Of every mode and both cards, with what is private or without."""
    recorder = Recorder(VirtualSlot(card_file(tmp_path, kind)), lambda: INPUTS[mode])
    made = make_code(recorder, PIN, inputs=INPUTS[mode])
    assert isinstance(made, Code)
    raw = recording(recorder.sessions, private=private)
    played = play(vector_of(raw))
    assert (played.result, played.shown) == (Result.SHOWN, made.token)
    checked = play(vector_of(recording(recorder.sessions, code=made.digits, private=private)))
    assert checked.result is Result.OK
    assert (DATA.pan.digits in raw.decode()) is private
    assert PIN.digits not in json.dumps(json.loads(raw)["vectors"][0]["exchanges"])


@pytest.mark.parametrize("kind", PROFILES)
def test_a_signature(tmp_path: Path, kind: str) -> None:
    """What was typed is written as it was."""
    signed = signature(PROFILES[kind].iaf, amount=125005, payee="34567890", currency="978")
    recorder = Recorder(VirtualSlot(card_file(tmp_path, kind)), lambda: signed)
    made = make_code(recorder, PIN, inputs=signed)
    assert isinstance(made, Code)
    vector = vector_of(recording(recorder.sessions))
    assert play(vector).shown == made.token
    assert vector["inputs"] == (
        {"challenge": "34567890", "amount": "1250.05"}
        if signed.mode is Mode.M1 and not signed.currency
        else {"challenge": "34567890", "amount": "1250.05", "currency": "978"}
        if signed.mode is Mode.M1
        else {"tds": ["125005", "34567890"]}
    )


def test_the_members_of_a_session() -> None:
    """As the reference has them; the code stands nowhere."""

    class Spoken(CardStub):
        transport = "T=1"

    recorder = Recorder(Spoken())
    make_code(recorder, PIN)
    vector = vector_of(recording(recorder.sessions))
    exchanges = vector.pop("exchanges")
    assert vector == {
        "id": "session",
        "scheme": "DPA",
        "mode": "M2",
        "inputs": {},
        "aid": "A0000000038002",
        "atr": "3B650000" + "00" * 5,
        "transport": "T=1",
        "note": "card number, track data, cardholder's name and PIN are blackened",
    }
    assert [one["step"] for one in exchanges] == [
        *("SELECT", "GET PROCESSING OPTIONS", "READ RECORD", "GET DATA", "VERIFY"),
        *("GENERATE AC", "GENERATE AC"),
    ]
    assert exchanges[4]["command"] == "0020008008" + "00" * 8
    assert CODE.replace(" ", "") not in json.dumps(vector)


@pytest.mark.parametrize(
    ("atr", "shown"),
    [
        (encode_atr(Protocol.T0, b"SN123"), encode_atr(Protocol.T0, bytes(5))),
        (encode_atr(Protocol.T1, b"SN123"), encode_atr(Protocol.T1, bytes(5))),
        (b"\x3b\x05SN", bytes(4)),
    ],
)
def test_the_historical_bytes_of_an_atr(
    monkeypatch: pytest.MonkeyPatch, atr: bytes, shown: bytes
) -> None:
    """A bank writes there what it likes, a serial number too; what is no ATR shows nothing."""
    card = CardStub()
    reset = card.power_on
    monkeypatch.setattr(card, "power_on", lambda: reset() and atr)
    recorder = Recorder(card)
    make_code(recorder, PIN)
    for private, expected in ((False, shown), (True, atr)):
        vector = vector_of(recording(recorder.sessions, private=private))
        assert vector["atr"] == expected.hex().upper()


def test_no_pin_is_kept_once_the_card_has_no_power() -> None:
    """Nobody who looks into the memory finds it."""
    recorder = Recorder(CardStub())
    make_code(recorder, PIN)
    (session,) = recorder.sessions
    (block,) = (one.command.data for one in session.exchanges if one.command.ins == Ins.VERIFY)
    assert block == bytes(8)


def test_a_wrong_pin_is_in_it_without_the_pin(tmp_path: Path) -> None:
    """The card's count is, and no cryptogram: there is nothing to play."""
    recorder = Recorder(VirtualSlot(card_file(tmp_path, "sesame")))
    assert make_code(recorder, WRONG) == WrongPin(2)
    vector = vector_of(recording(recorder.sessions, private=True))
    assert vector["exchanges"][-1]["response"] == "63C2"
    assert WRONG.digits not in json.dumps(vector["exchanges"])
    assert play(vector).result is Result.REFUSED


def test_a_pin_on_the_slots_keys() -> None:
    """Passes through; the recorder has keys where its slot has."""
    card = CardStub()
    card.pin_pad = True
    recorder = Recorder(card)
    assert recorder.pin_pad
    assert isinstance(make_code(recorder, lambda _: Where.ON_PAD), Code)
    vector = vector_of(recording(recorder.sessions))
    assert vector["exchanges"][4]["command"] == "0020008008" + "00" * 8
    assert play(vector).result is Result.SHOWN


def test_a_slot_without_keys(tmp_path: Path) -> None:
    """Is not asked for what it cannot do."""
    recorder = Recorder(VirtualSlot(card_file(tmp_path, "sesame")))
    assert not recorder.pin_pad
    with pytest.raises(TypeError):
        recorder.verify_on_pad(select(b"12345"))


def test_a_session_that_breaks_off() -> None:
    """Says at which command, and why; the next session begins anew."""

    class Pulled(CardStub):
        def transmit(self, command: Command) -> Response:
            """Until the PIN."""
            if command.name == "VERIFY":
                raise CardPulled("ACS")
            return super().transmit(command)

    recorder = Recorder(Pulled())
    with pytest.raises(CardPulled):
        make_code(recorder, PIN)
    vector = vector_of(recording(recorder.sessions))
    assert vector["note"].endswith("; no answer to VERIFY: CardPulled")
    assert vector["exchanges"][-1]["step"] == "GET DATA"
    with pytest.raises(CardPulled):
        make_code(recorder, PIN)
    said = [session.broken for session in recorder.sessions]
    assert said == ["no answer to VERIFY: CardPulled"] * 2


def test_a_mute_card() -> None:
    """Leaves nothing to be written down."""
    card = CardStub()
    card.mute = True
    recorder = Recorder(card)
    assert make_code(recorder, PIN) == NoCode(State.CARD_MUTE)
    assert recorder.sessions == []
    with pytest.raises(CardIsMute):
        recorder.power_on()
    card.mute = False
    recorder.power_on()  # and nobody asks it for anything
    assert isinstance(make_code(recorder, PIN), Code)
    assert len(recorder.sessions) == 1


def test_several_sessions() -> None:
    """Each with what was typed in it; what one tells to be private is private in all."""
    pan = DATA.pan.digits
    card = CardStub()
    label = encode_one(Tag.APPLICATION_LABEL, pan.encode()[:16])
    card.answers[Asked.APPLICATION] = Response(
        0x9000, encode_one(Tag.FCI_TEMPLATE, encode_one(Tag.FCI_PROPRIETARY, label))
    )
    chosen = [LOGIN]
    recorder = Recorder(card, lambda: chosen[-1])
    recorder.power_on()
    recorder.transmit(select(bytes.fromhex("A0000000038002")))
    chosen.append(Inputs(mode=Mode.M3, challenge="20451"))
    recorder.power_on()
    assert [session.made_cryptogram for session in recorder.sessions] == [False]
    record = encode_one(Tag.RECORD_TEMPLATE, encode_one(Tag.PAN, bytes.fromhex(pan)))
    card.answers[Asked.RECORD] = Response(0x9000, record)
    recorder.transmit(read_record(1, 1))
    recorder.transmit(generate_ac(AcType.ARQC, bytes(29)))
    assert [session.made_cryptogram for session in recorder.sessions] == [False, True]
    raw = recording(recorder.sessions)
    first, second = [vector for vector in read(raw) if isinstance(vector, dict)]
    assert (first["id"], first["mode"], first["inputs"]) == ("session-1", "M2", {})
    assert (second["id"], second["mode"]) == ("session-2", "M3")
    assert second["inputs"] == {"challenge": "20451"}
    for spelled in (pan, pan.encode().hex()):
        assert spelled in recording(recorder.sessions, private=True).decode()
        assert spelled not in raw.decode()


def test_it_can_do_what_its_slot_can() -> None:
    """A hand's slot is watched through it; another one is not."""

    class Watched(CardStub):
        def card_there(self) -> bool:
            """Always."""
            return True

    watching = recorder_of(Watched(), lambda: LOGIN)
    assert isinstance(watching, WatchedSlot)
    assert watching.card_there()
    assert not isinstance(recorder_of(CardStub(), lambda: LOGIN), WatchedSlot)


def test_an_application_whose_answer_is_no_tlv() -> None:
    """Is what its AID says."""
    card = CardStub()
    card.answers[Asked.APPLICATION] = Response(0x9000, b"\x6f\x05")
    recorder = Recorder(card)
    recorder.power_on()
    recorder.transmit(select(bytes.fromhex("A0000000048002")))
    vector = vector_of(recording(recorder.sessions))
    assert (vector["aid"], vector["scheme"]) == ("A0000000048002", "CAP")
    assert vector["exchanges"][0]["response"] == "00009000"
