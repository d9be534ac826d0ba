"""A slot of the computer, against a service that can do everything that real ones do wrong."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sesame.cap.token import Code
from sesame.card.card_file import open_card, read_summary
from sesame.card.memory import Counters
from sesame.catalogue import Language
from sesame.emv.apdu import Command, Ins, Response, read_record, select, verify
from sesame.emv.pin import EMPTY_PIN_BLOCK, Pin
from sesame.reader import pcsc_slot
from sesame.reader.code import Asking, NoCode, Where, WrongPin, make_code
from sesame.reader.errors import (
    AnswerMalformed,
    CardIsMute,
    CardPulled,
    NoCard,
    NoCommonProtocol,
    NoReader,
    PadUnfit,
    PcscError,
    PcscLibraryMissing,
    ReaderBusy,
    ReaderError,
    ReaderUnknown,
    ReaderUnplugged,
    ServiceAbsent,
    ServiceFails,
    ServiceForbids,
    ServiceHangs,
    SeveralCards,
)
from sesame.reader.machine import State
from sesame.reader.pcsc_slot import PcscSlot, meant_by
from sesame.reader.pin_pad import pin_verify
from tests.reader import pcsc
from tests.reader.cards import PIN, WRONG, card_file
from tests.reader.pcsc import FakeLibrary, FakeReader, pad, t0

SELECT = select(bytes.fromhex("A0000000038002"))
OK = bytes.fromhex("9000")


@pytest.fixture(params=["T=0", "T=1"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeReader]:
    """A reader with a card file in it, whose card speaks either protocol."""
    with open_card(card_file(tmp_path, "sesame")) as chip:
        chip.reset()
        reader = FakeReader(chip.respond, pcsc.T1, reset=chip.reset)
        if request.param == "T=0":
            reader.protocol, reader.answer = pcsc.T0, t0(chip.respond)
        yield reader


class Hours:
    """A clock that goes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: Callable[[], None] = lambda: None

    def seconds(self) -> float:
        """Since it began."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let them pass; meanwhile something may happen."""
        self.now += seconds
        self.then()


def slot_with(
    library: FakeLibrary, name: str = "", *, wait: float = 0.0, hours: Hours | None = None
) -> PcscSlot:
    """A slot on *library*, whose waiting takes no time."""
    hours = hours or Hours()
    return PcscSlot(name, wait=wait, library=library, seconds=hours.seconds, pause=hours.pause)


def use(slot: PcscSlot) -> None:
    """Give the card power and send it a command."""
    slot.power_on()
    slot.transmit(SELECT)


def answering(*answers: str) -> Callable[[bytes], bytes]:
    """A card that gives these, one after the other, whatever it is asked."""
    left = [bytes.fromhex(answer) for answer in answers]
    return lambda _: left.pop(0)


# ── A code ───────────────────────────────────────────────────────────────────────────────────────


def test_a_code_over_either_protocol(real: FakeReader, tmp_path: Path) -> None:
    """The same dialogue as with a file, the card let go afterwards, and its power with it."""
    library = FakeLibrary(ACS_00_00=real)
    slot = slot_with(library)
    assert isinstance(make_code(slot, PIN), Code)
    assert make_code(slot, WRONG) == WrongPin(2)
    assert library.connected is None
    assert library.called.count("SCardReleaseContext") == 2
    assert library.called[-2:] == ["SCardDisconnect", "SCardReleaseContext"]
    assert read_summary(tmp_path / "sesame.card").counters == Counters(atc=2, pin_tries_left=2)


def test_the_card_is_reset_cold_first(real: FakeReader) -> None:
    """Whatever another program has left in it."""
    with slot_with(FakeLibrary(ACS=real)) as slot:
        assert slot.power_on() == pcsc.DIRECT_ATR
        assert real.resets == [pcsc.COLD]
        assert slot.reader == "ACS"
        assert slot.transport == {pcsc.T0: "T=0", pcsc.T1: "T=1"}[real.protocol]
        assert slot.transmit(SELECT).ok


def test_a_card_of_the_inverse_convention_is_reset_warm() -> None:
    """Its second ATR counts."""
    reader = FakeReader(lambda _: OK)
    reader.atrs[pcsc.COLD] = pcsc.INVERSE_ATR
    with slot_with(FakeLibrary(ACS=reader)) as slot:
        assert slot.power_on() == pcsc.DIRECT_ATR
        assert reader.resets == [pcsc.COLD, pcsc.WARM]
    reader.atrs[pcsc.WARM] = pcsc.INVERSE_ATR
    with slot_with(FakeLibrary(ACS=reader)) as slot:
        assert slot.power_on() == pcsc.INVERSE_ATR


def test_without_power_nothing_is_asked() -> None:
    """Of nobody."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    slot = slot_with(library)
    for attempt in (slot.transmit, slot.verify_on_pad):
        with pytest.raises(CardIsMute):
            attempt(SELECT)
    slot.power_off()
    assert library.called == []
    assert not slot.pin_pad


def test_one_thread_of_its_own_asks() -> None:
    """Never the one that shows and listens."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    with slot_with(library) as slot:
        use(slot)
        assert len(library.threads) == 1
        assert threading.get_ident() not in library.threads


# ── Which reader ─────────────────────────────────────────────────────────────────────────────────

READERS = (
    "ACS ACR38U 00 00",
    "Gemalto PC Twin Reader 01 00",
    "Virtual PCD 00 00",
    "Virtual PCD 00 01",
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("", READERS),
        ("  ", READERS),
        ("gemalto", READERS[1:2]),
        ("VIRTUAL", READERS[2:]),
        ("virtual pcd 00 01", READERS[3:]),
        ("0", READERS[:1]),
        ("3", READERS[3:]),
        ("38", READERS[:1]),
    ],
)
def test_a_name_a_part_of_it_or_a_number(name: str, meant: Sequence[str]) -> None:
    """As the service lists them."""
    assert list(meant_by(name, READERS)) == list(meant)


def test_the_whole_name_before_a_part() -> None:
    """A reader whose name another one's begins with can be meant."""
    assert list(meant_by("Reader 1", ["Reader 1", "Reader 10"])) == ["Reader 1"]


def test_a_name_that_no_reader_has() -> None:
    """Those that there are stand in the error."""
    with pytest.raises(ReaderUnknown) as caught:
        meant_by("4", READERS[:2])
    assert caught.value.readers == "0 (ACS ACR38U 00 00), 1 (Gemalto PC Twin Reader 01 00)"
    with pytest.raises(NoReader):
        meant_by("", [])


def test_the_reader_with_a_card_in_it() -> None:
    """Where no name tells, the card does."""
    library = FakeLibrary(A=FakeReader(), B=FakeReader(lambda _: OK), C=FakeReader())
    with slot_with(library) as slot:
        slot.power_on()
        assert slot.reader == "B"
    library.readers["C"].answer = lambda _: OK
    with pytest.raises(SeveralCards) as caught:
        slot_with(library).power_on()
    assert caught.value.readers == "1 (B), 2 (C)"
    with slot_with(library, "c") as slot:
        slot.power_on()
        assert slot.reader == "C"


# ── A card that is not there yet ─────────────────────────────────────────────────────────────────


def test_waiting_for_a_card() -> None:
    """Somebody is told once, and then there is one."""
    hours, library = Hours(), FakeLibrary(A=FakeReader(), B=FakeReader())
    told: list[Sequence[str]] = []

    def put_in() -> None:
        if hours.now >= 7:
            library.readers["B"].answer = lambda _: OK

    hours.then = put_in
    slot = PcscSlot(
        wait=10, library=library, tell=told.append, seconds=hours.seconds, pause=hours.pause
    )
    with slot:
        slot.power_on()
    assert slot.reader == "B"
    assert told == [["A", "B"]]
    assert 7 <= hours.now < 8


def test_nobody_puts_a_card_in() -> None:
    """Not for longer than was said."""
    hours, library = Hours(), FakeLibrary(A=FakeReader(), B=FakeReader())
    with pytest.raises(NoCard) as caught:
        slot_with(library, wait=10, hours=hours).power_on()
    assert hours.now == 10
    assert (caught.value.seconds, caught.value.readers) == (10, "A, B")
    assert library.called[-1] == "SCardReleaseContext"


def test_the_reader_goes_while_a_card_is_awaited() -> None:
    """It is missed at the next look; one that comes is seen."""
    hours, library = Hours(), FakeLibrary(A=FakeReader())
    hours.then = library.readers.clear
    with pytest.raises(NoReader):
        slot_with(library, wait=10, hours=hours).power_on()

    def come() -> None:
        library.readers = {"A": FakeReader(lambda _: OK)}

    library.readers = {"B": FakeReader()}
    hours.then = come
    with slot_with(library, wait=10, hours=hours) as slot:
        slot.power_on()
        assert slot.reader == "A"


def test_whether_a_card_is_there() -> None:
    """In the readers that are meant, or in the one with ours; without them nobody can tell."""
    library = FakeLibrary(A=FakeReader(), B=FakeReader(lambda _: OK))
    slot = slot_with(library)
    assert slot.card_there()
    assert not slot_with(library, "A").card_there()
    assert library.called.count("SCardReleaseContext") == 2
    slot.power_on()
    library.readers["A"].answer, library.readers["B"].answer = lambda _: OK, None
    assert not slot.card_there()
    slot.power_off()
    assert slot.card_there()
    library.readers.clear()
    with pytest.raises(NoReader):
        slot.card_there()
    library.codes["SCardEstablishContext"] = pcsc.NO_SERVICE
    with pytest.raises(ServiceAbsent):
        slot.card_there()


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────


def test_without_pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for such a reader needs it."""
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(PcscLibraryMissing) as caught:
        PcscSlot().power_on()
    assert "smartcard" in caught.value.reason


def test_pyscard_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lowest layer."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))

    class Package:
        scard = library

    monkeypatch.setitem(sys.modules, "smartcard", Package)
    with PcscSlot() as slot:
        assert slot.power_on() == pcsc.DIRECT_ATR


BEFORE_CARD = ("SCardEstablishContext", "SCardListReaders", "SCardGetStatusChange")
WITH_CARD = ("SCardConnect", "SCardReconnect", "SCardStatus")


@pytest.mark.parametrize("call", [*BEFORE_CARD, *WITH_CARD, "SCardTransmit"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (pcsc.NO_SERVICE, ServiceAbsent),
        (pcsc.STOPPED, ServiceAbsent),
        (pcsc.INVALID_HANDLE, ServiceAbsent),
        (pcsc.FORBIDDEN, ServiceForbids),
        (0x80100001, ServiceFails),
    ],
)
def test_the_service(call: str, code: int, error: type[PcscError]) -> None:
    """Absent, gone in the middle, not for us, or at its wits' end: whichever function says so."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    library.codes[call] = code
    with slot_with(library) as slot, pytest.raises(error):
        use(slot)
    assert library.connected is None


def test_numbers_of_other_systems() -> None:
    """Windows and macOS give the same 32 bits as a negative number."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    library.codes["SCardEstablishContext"] = pcsc.NO_SERVICE - 2**32
    with pytest.raises(ServiceAbsent):
        slot_with(library).power_on()


def test_a_failure_without_a_name_is_told_by_its_number() -> None:
    """And by the function."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    library.codes["SCardReconnect"] = 0x80100001
    with pytest.raises(ServiceFails) as caught:
        slot_with(library).power_on()
    assert (caught.value.call, caught.value.code) == ("SCardReconnect", "80100001")


@pytest.mark.parametrize("call", [*WITH_CARD, "SCardTransmit"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (pcsc.BUSY, ReaderBusy),
        (pcsc.NO_CARD, CardPulled),
        (pcsc.REMOVED, CardPulled),
        (pcsc.UNAVAILABLE, ReaderUnplugged),
        (pcsc.UNKNOWN_READER, ReaderUnplugged),
        (pcsc.UNRESPONSIVE, CardIsMute),
        (pcsc.UNPOWERED, CardIsMute),
        (pcsc.MISMATCH, NoCommonProtocol),
    ],
)
def test_card_and_reader(call: str, code: int, error: type[ReaderError]) -> None:
    """What the service says of them, each with the reader's name."""
    library = FakeLibrary(ACS_ACR38U_00_00=FakeReader(lambda _: OK))
    library.codes[call] = code
    with slot_with(library) as slot, pytest.raises(error) as caught:
        use(slot)
    if not isinstance(caught.value, CardIsMute):
        assert vars(caught.value)["reader"] == "ACS ACR38U 00 00"
    assert library.connected is None


def test_a_protocol_that_is_neither() -> None:
    """RAW, or none at all."""
    with pytest.raises(NoCommonProtocol):
        slot_with(FakeLibrary(ACS=FakeReader(lambda _: OK, protocol=4))).power_on()


@pytest.mark.parametrize("code", [pcsc.OK, pcsc.COMM_ERROR, pcsc.NOT_TRANSACTED])
@pytest.mark.parametrize("after", [0.0, 0.4])
def test_a_card_that_goes_in_the_middle(code: int, after: float) -> None:
    """An empty answer, called a success; it takes the service a moment to know better."""
    hours, library = Hours(), FakeLibrary(ACS=FakeReader(lambda _: b""))
    library.codes["SCardTransmit"] = code

    def gone() -> None:
        if hours.now >= after:
            library.readers["ACS"].answer = None

    hours.then = gone
    with slot_with(library, hours=hours) as slot:
        slot.power_on()
        if not after:
            library.before = lambda call: gone() if call == "SCardTransmit" else None
        with pytest.raises(CardPulled):
            slot.transmit(SELECT)


@pytest.mark.parametrize("code", [pcsc.OK, pcsc.COMM_ERROR])
def test_a_reader_that_goes_in_the_middle(code: int) -> None:
    """Likewise, with all that is in it."""
    library = FakeLibrary(ACS=FakeReader(lambda _: b""))
    library.codes["SCardTransmit"] = code
    library.before = lambda call: library.readers.clear() if call == "SCardTransmit" else None
    with slot_with(library) as slot, pytest.raises(ReaderUnplugged):
        use(slot)


def test_a_service_that_ends_in_the_middle() -> None:
    """The card's answer is broken off, and so is everything else."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    with slot_with(library) as slot:
        slot.power_on()
        library.codes = {"SCardTransmit": pcsc.COMM_ERROR, "SCardGetStatusChange": pcsc.COMM_ERROR}
        with pytest.raises(ServiceAbsent):
            slot.transmit(SELECT)


@pytest.mark.parametrize("answer", ["", "90"])
def test_no_answer_and_the_card_is_still_there(answer: str) -> None:
    """Of no byte or of one: it is mute, and nobody waits for more than a second or two."""
    hours = Hours()
    library = FakeLibrary(ACS=FakeReader(lambda _: bytes.fromhex(answer)))
    with slot_with(library, hours=hours) as slot, pytest.raises(CardIsMute):
        use(slot)
    assert hours.now < 2


@pytest.mark.parametrize(
    "answers",
    [
        ["AA" * 257 + "9000"],
        ["61FF", "AA" * 255 + "61FF", "AA" * 255 + "9000"],
    ],
)
def test_more_than_a_card_may_answer(answers: list[str]) -> None:
    """At once or in pieces: the reader stops, and says why."""
    library = FakeLibrary(ACS=FakeReader(answering(*answers)))
    with slot_with(library) as slot, pytest.raises(AnswerMalformed) as caught:
        use(slot)
    assert "256" in caught.value.problem


# ── What does not answer ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", [*BEFORE_CARD, *WITH_CARD, "SCardTransmit"])
def test_what_hangs_is_left_behind(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, not even to let the card go; when the card moves, it is let go."""
    monkeypatch.setattr(pcsc_slot, "_PATIENCE", 0.1)
    monkeypatch.setattr(pcsc_slot, "_CARD_PATIENCE", 0.1)
    free, ended = threading.Event(), threading.Event()

    def before(name: str) -> None:
        if name == call:
            free.wait(20)
        if name == "SCardReleaseContext":
            ended.set()

    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    library.before = before
    slot = slot_with(library)
    with pytest.raises(ServiceHangs) as caught:
        use(slot)
    assert caught.value.call == call
    if call == "SCardTransmit":
        with pytest.raises(ServiceHangs):
            slot.transmit(SELECT)
    slot.power_off()
    assert not ended.is_set()
    free.set()
    if call != "SCardEstablishContext":  # there is nothing to be given back
        assert ended.wait(20)


def test_ctrl_c_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a card is thinking, too: nothing is waited for any more."""
    free = threading.Event()
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))

    def before(name: str) -> None:
        if name == "SCardTransmit":
            free.wait(20)

    library.before = before
    slot = slot_with(library)
    slot.power_on()

    def interrupt(_: object, timeout: float | None = None) -> None:
        assert timeout is not None
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("concurrent.futures.Future.result", interrupt)
        with pytest.raises(KeyboardInterrupt):
            slot.transmit(SELECT)
        slot.power_off()
    free.set()


def test_a_function_that_raises() -> None:
    """Comes through, and the thread goes on."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK))
    raised = ValueError("not a list")

    def before(name: str) -> None:
        if name == "SCardTransmit":
            raise raised

    library.before = before
    with slot_with(library) as slot:
        slot.power_on()
        with pytest.raises(ValueError, match="not a list"):
            slot.transmit(SELECT)
        library.before = lambda _: None
        assert slot.transmit(SELECT).ok


# ── Keys on the reader ───────────────────────────────────────────────────────────────────────────


def on_pad(asking: Asking) -> Where | None:
    """Somebody who types on the reader, once."""
    assert asking.pin_pad
    return None if asking.wrong else Where.ON_PAD


def test_a_pin_that_is_typed_on_the_reader(real: FakeReader) -> None:
    """It goes from there into the card: what we send has no PIN in it."""
    assert real.answer is not None
    real.typed = pad(real.answer, PIN.digits)
    library = FakeLibrary(ACS=real)
    slot = PcscSlot(library=library, language=Language.ENGLISH)
    assert isinstance(make_code(slot, on_pad), Code)
    assert library.controlled == [pin_verify(verify(EMPTY_PIN_BLOCK), Language.ENGLISH)]
    assert not any(command[1] == Ins.VERIFY for command in library.sent)
    assert slot.pin_pad  # as it was when the card had power, which it has no more
    with pytest.raises(CardIsMute):
        slot.verify_on_pad(verify(EMPTY_PIN_BLOCK))


def test_a_wrong_one(real: FakeReader, tmp_path: Path) -> None:
    """The card counts it."""
    assert real.answer is not None
    real.typed = pad(real.answer, WRONG.digits)
    assert make_code(PcscSlot(library=FakeLibrary(ACS=real)), on_pad) == WrongPin(2)
    assert read_summary(tmp_path / "sesame.card").counters.pin_tries_left == 2


@pytest.mark.parametrize("sw", ["6400", "6401", "6403"])
def test_nobody_types(real: FakeReader, sw: str) -> None:
    """The reader says so in the card's place."""
    real.typed = lambda _: bytes.fromhex(sw)
    assert make_code(PcscSlot(library=FakeLibrary(ACS=real)), on_pad) == NoCode(State.MENU)


def test_a_pad_that_cannot_ask_so(real: FakeReader) -> None:
    """Its reader is of no use, and the card has not been asked."""
    real.typed = lambda _: b"\x6b\x80"
    with slot_with(FakeLibrary(A=real)) as slot:
        slot.power_on()
        with pytest.raises(PadUnfit, match="A: its keys"):
            slot.verify_on_pad(verify(EMPTY_PIN_BLOCK))
        real.typed = lambda _: bytes(259)
        with pytest.raises(AnswerMalformed):
            slot.verify_on_pad(verify(EMPTY_PIN_BLOCK))


def test_a_card_that_goes_while_the_pin_is_typed(real: FakeReader) -> None:
    """As in every other command."""
    library = FakeLibrary(ACS=real)

    def typed(_: bytes) -> bytes:
        real.answer = None
        return b""

    real.typed = typed
    with pytest.raises(CardPulled):
        make_code(slot_with(library), on_pad)


def test_a_reader_whose_features_are_not_known() -> None:
    """Asked and refused: it has no keys."""
    library = FakeLibrary(ACS=FakeReader(lambda _: OK, typed=lambda _: OK))
    library.codes["features"] = pcsc.UNSUPPORTED
    with slot_with(library) as slot:
        slot.power_on()
        assert not slot.pin_pad
        with pytest.raises(CardIsMute):
            slot.verify_on_pad(verify(EMPTY_PIN_BLOCK))


def test_a_pin_that_is_given_is_not_used(real: FakeReader) -> None:
    """Where the reader has keys, it goes nowhere."""
    real.typed = lambda _: OK
    library = FakeLibrary(ACS=real)
    assert make_code(PcscSlot(library=library), Pin("7391")) == NoCode(State.PIN_ON_PAD)
    assert not any(command[1] == Ins.VERIFY for command in library.sent)


def test_a_command_and_its_answer_pass_unchanged() -> None:
    """Byte for byte."""
    library = FakeLibrary(ACS=FakeReader(answering("70009000"), protocol=pcsc.T1))
    with slot_with(library) as slot:
        slot.power_on()
        assert slot.transmit(read_record(1, 2)) == Response(0x9000, b"\x70\x00")
    assert library.sent == [Command(0x00, 0xB2, 0x02, 0x0C, le=256).encode()]
