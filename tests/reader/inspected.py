"""Cards for the doctor: made of one application that says what the test lets it say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.tlv import encode_one
from sesame.reader.diagnosis import diagnose
from sesame.reader.errors import CardIsMute
from sesame.reader.inspection import Inspection
from sesame.reader.report import ApplicationReport, Finding, Kind, Report
from tests.reader.cards import PIN
from tests.reader.recordings import objects

CAP = "A0000000048002"
DPA = "A0000000038002"
VISA = "A0000000031010"
MASTERCARD = "A0000000041010"
PSE = b"1PAY.SYS.DDF01".hex().upper()
PPSE = b"2PAY.SYS.DDF01".hex().upper()
ELEMENTS = "9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704"
# 8 bits of the ATC, 18 of the AC.
BITMAP = "0000FF000000000003FFFF"
# ARQC behind a PIN that was right, M/Chip 4's CVN 10: CID, ATC, AC, IAD.
ANSWER = "80 0007 0102030405060708 0110A50003040000000000000000000000FF"
RECORD: Mapping[str, str | None] = {
    "8C": ELEMENTS,
    "8D": f"8A02 {ELEMENTS}",
    "5A": "5413330089600010",
    "5F34": "00",
    "5F24": "491231",
    "8E": "0000000000000000 0100",
    "9F55": "00",
    "9F56": BITMAP,
}
TODAY = 20261123


@dataclass
class Card:
    """A slot with a made-up card in it. Values are hexadecimal; None leaves an object out."""

    aid: str = CAP
    fci: Mapping[str, str] = field(default_factory=dict)  # in A5
    record: Mapping[str, str | None] = field(default_factory=dict)  # changes of RECORD
    name: str | None = None  # what 84 says; None: the AID
    directory: list[str] | None = None  # AIDs; None: no directory
    tries: int | None = 3
    atc: int = 6
    options: str = "80 06 1000 08010100 9000"
    answer: str = ANSWER
    atr: str = "3B00"
    right: bool = True  # the PIN will be
    closed: bool = False  # no records before a transaction
    # The last word: what it answers to a command in place of all this; CardIsMute goes through.
    instead: Callable[[Command], Response | None] = lambda _: None
    sent: list[Command] = field(default_factory=list)
    begun: bool = False
    selected: str = ""
    powered: bool = False

    def power_on(self) -> bytes:
        """Nothing is selected."""
        self.powered, self.begun, self.selected = True, False, ""
        return bytes.fromhex(self.atr)

    def power_off(self) -> None:
        """Nothing is left to do."""
        self.powered = False

    def transmit(self, command: Command) -> Response:
        """What the card is told to say."""
        assert self.powered
        self.sent.append(command)
        return self.instead(command) or self._answer(command)

    def _answer(self, command: Command) -> Response:
        match command.ins:
            case Ins.SELECT:
                return self._select(command.data.hex().upper())
            case Ins.READ_RECORD:
                return self._read(command.p2 >> 3, command.p1)
            case Ins.GET_DATA:
                return self._get_data(command.p1 << 8 | command.p2)
            case Ins.GET_PROCESSING_OPTIONS:
                self.begun, self.atc = True, self.atc + 1
                return _raw(self.options)
            case Ins.VERIFY:
                return self._verify()
        answer = bytes.fromhex(self.answer)
        return _ok(answer if answer[:1] == b"\x77" else encode_one(0x80, answer))

    def _read(self, sfi: int, number: int) -> Response:
        if self.selected == PSE:
            return self._entry(number)
        if self.closed and not self.begun:
            return Response(0x6985)
        there = (sfi, number) == (1, 1)
        return _ok(encode_one(0x70, self._objects())) if there else Response(0x6A82)

    def _verify(self) -> Response:
        assert self.tries != 0, "a PIN was sent where no try was left"
        self.tries = 3 if self.right else (self.tries or 3) - 1
        return Response(0x9000 if self.right else 0x63C0 | self.tries)

    def _select(self, name: str) -> Response:
        if name == PSE and self.directory is not None:
            self.selected = PSE
            return _ok(
                encode_one(0x6F, objects({"84": PSE}) + encode_one(0xA5, objects({"88": "01"})))
            )
        if not self.aid.startswith(name):
            return Response(0x6A82)
        self.selected = self.aid
        named = objects({"84": self.aid if self.name is None else self.name})
        return _ok(encode_one(0x6F, named + encode_one(0xA5, objects(dict(self.fci)))))

    def _entry(self, number: int) -> Response:
        listed = self.directory or []
        if number > len(listed):
            return Response(0x6A83)
        entry = encode_one(0x61, objects({"4F": listed[number - 1], "50": "434F444553"}))
        return _ok(encode_one(0x70, entry))

    def _objects(self) -> bytes:
        changed = {**RECORD, **self.record}
        return objects({tag: value for tag, value in changed.items() if value is not None})

    def _get_data(self, tag: int) -> Response:
        values = {0x9F36: self.atc.to_bytes(2)}
        if self.tries is not None:
            values[0x9F17] = self.tries.to_bytes(1)
        if tag not in values:
            return Response(0x6A88)
        return _ok(encode_one(tag, values[tag]))


def _ok(data: bytes) -> Response:
    return Response(0x9000, data)


def _raw(answer: str) -> Response:
    return Response.decode(bytes.fromhex(answer))


def instead(ins: Ins, answer: str | None, *, of: str = "") -> Callable[[Command], Response | None]:
    """Answer *answer* to every *ins* whose data begins with *of*; None: no answer at all."""

    def say(command: Command) -> Response | None:
        if command.ins != ins or not command.data.hex().upper().startswith(of):
            return None
        if answer is None:
            raise CardIsMute
        return _raw(answer)

    return say


def look(card: Card, today: int | None = TODAY) -> Report:
    """The report without a transaction."""
    inspection = Inspection(card)
    inspection.look()
    return diagnose(inspection.seen, today)


def transact(card: Card, agreed: int | None = 3) -> Report:
    """The report with one; of *agreed* tries, where the card says how many there are."""
    inspection = Inspection(card)
    inspection.look()
    told = inspection.tries_left is not None
    inspection.make_code(PIN, tries_agreed=agreed if told else None)
    return diagnose(inspection.seen, TODAY)


def kinds(report: Report) -> set[Kind]:
    """What was found."""
    return {finding.kind for finding in report.findings}


def finding(report: Report, kind: Kind) -> Finding:
    """The one finding of *kind*."""
    (found,) = [one for one in report.findings if one.kind is kind]
    return found


def only(report: Report) -> ApplicationReport:
    """The one application."""
    (application,) = report.applications
    return application
