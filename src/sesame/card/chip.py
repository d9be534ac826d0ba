"""The chip: bytes of a command in, bytes of an answer out.

EMV 4.4 Book 1, 11 and 12; Book 3, 6, 9 and 10; the states and status words of
docs/reference/emv-cap.md, section 15. Pure but for `persist`: whoever makes a chip says
where its counters go, and the chip answers only when they are there.
"""

import hmac
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto, unique
from types import MappingProxyType
from typing import ClassVar

from sesame.cap.terminal_data import STANDARD_ELEMENTS
from sesame.cap.verification import HIGHEST_ATC
from sesame.card.memory import (
    DIRECTORY_NAME,
    LONGEST_AID,
    SHORTEST_AID,
    CardImage,
    Counters,
    Record,
)
from sesame.emv.apdu import PIN_WRONG, AcType, Cla, Command, Ins, Response, Sw
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.dol import decode_dol, dol_length, fill, split
from sesame.emv.errors import MalformedApdu, MalformedPin
from sesame.emv.iad import Cvr, VisaIad
from sesame.emv.keys import common_session_key
from sesame.emv.pin import decode_pin_block, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, encode, encode_one

_BY_NAME = 0x04  # P1 of SELECT
_FIRST = 0x00  # P2 of SELECT: the first file of that name, or
_NEXT = 0x02  # the next one behind the file that is selected
_PLAINTEXT_PIN = 0x80  # P2 of VERIFY
_RECORD_NUMBERS = range(0x04, 0x100, 0x08)  # P2 of READ RECORD: any SFI, then 100
_PIN_BLOCK = 8  # bytes
_ANY = range(256)
_NONE = (0,)
_NOTHING = -1  # is selected

# The terminal's words for "I could not ask the bank": it approves, it declines.
_UNABLE_TO_GO_ONLINE = frozenset({b"Y3", b"Z3"})
_APPROVED = b"00"  # and the bank's own, ISO 8583: it was asked, and it approves


@unique
class State(Enum):
    """Where the chip stands between two commands."""

    IDLE = auto()  # after the reset: nothing is selected
    DIRECTORY = auto()  # the list of applications is selected
    SELECTED = auto()  # an application is selected
    INITIATED = auto()  # a transaction has begun: it has an ATC
    AC1 = auto()  # the bank is asked: an ARQC has left
    CLOSED = auto()  # declined or approved; what follows is a new SELECT


@dataclass(frozen=True, slots=True)
class _Rule:
    """What must hold before a command does anything."""

    p1: Container[int]
    p2: Container[int]
    states: Container[State]
    lc: Container[int]


_RULES: Mapping[tuple[int, int], _Rule] = MappingProxyType(
    {
        (Cla.ISO, Ins.SELECT): _Rule(
            p1=(_BY_NAME,),
            p2=(_FIRST, _NEXT),
            states=frozenset(State),
            lc=range(SHORTEST_AID, LONGEST_AID + 1),
        ),
        (Cla.ISO, Ins.READ_RECORD): _Rule(
            p1=_ANY,
            p2=_RECORD_NUMBERS,
            states=frozenset(State) - {State.IDLE},
            lc=_NONE,
        ),
        (Cla.EMV, Ins.GET_DATA): _Rule(
            p1=_ANY,
            p2=_ANY,
            states=frozenset(State) - {State.IDLE, State.DIRECTORY},
            lc=_NONE,
        ),
        (Cla.EMV, Ins.GET_PROCESSING_OPTIONS): _Rule(
            p1=(0x00,),
            p2=(0x00,),
            states={State.SELECTED},
            lc=range(2, 256),
        ),
        (Cla.ISO, Ins.VERIFY): _Rule(
            p1=(0x00,),
            p2=(_PLAINTEXT_PIN,),
            states={State.INITIATED},
            lc=(_PIN_BLOCK,),
        ),
        (Cla.EMV, Ins.GENERATE_AC): _Rule(
            p1=frozenset(AcType),  # and no other bit: a combined signature (CDA) is not offered
            p2=(0x00,),
            states={State.INITIATED, State.AC1},
            lc=_ANY,
        ),
    }
)
_INSTRUCTIONS = frozenset(ins for _, ins in _RULES)

# What is asked where -> what the answer is, and where the chip stands then. What is
# missing is refused. A TC is in no answer: the one that there is, is `_approved`'s.
_CRYPTOGRAMS: Mapping[tuple[State, AcType], tuple[AcType, State]] = MappingProxyType(
    {
        (State.INITIATED, AcType.ARQC): (AcType.ARQC, State.AC1),
        (State.INITIATED, AcType.TC): (AcType.ARQC, State.AC1),
        (State.INITIATED, AcType.AAC): (AcType.AAC, State.CLOSED),
        (State.AC1, AcType.TC): (AcType.AAC, State.CLOSED),
        (State.AC1, AcType.AAC): (AcType.AAC, State.CLOSED),
    }
)


class Chip:
    """One chip under power.

    `respond` never raises for any bytes. What `persist` raises goes through, and no
    answer leaves.
    """

    def __init__(
        self, image: CardImage, counters: Counters, persist: Callable[[Counters], None]
    ) -> None:
        """A chip that is idle.

        Args:
            image: what personalisation fixed.
            counters: where it stands.
            persist: makes the counters durable, and returns only then.
        """
        self._image = image
        self._counters = counters
        self._persist = persist
        self._state = State.IDLE
        self._pin = Cvr(0)  # PIN performed, PIN failed, as the CVR says it
        self._records: tuple[Record, ...] = ()
        self._application = image.applications[0]  # nothing asks before a SELECT has set it
        self._names = (*(application.aid for application in image.applications), DIRECTORY_NAME)
        self._selected = _NOTHING  # which of the names

    def reset(self) -> bytes:
        """Forget all but the counters, and give the ATR (2 to 33 bytes)."""
        self._state = State.IDLE
        self._pin = Cvr(0)
        self._selected = _NOTHING
        return self._image.atr

    def respond(self, raw: bytes) -> bytes:
        """The answer to a command: 0 to 256 bytes of data and the status word."""
        return self._answer(raw).encode()

    def _answer(self, raw: bytes) -> Response:
        """Check in the order of ISO/IEC 7816-4: length, class, instruction, parameters, state."""
        try:
            command = Command.decode(raw)
        except MalformedApdu:
            return Response(Sw.WRONG_LENGTH)
        rule = _RULES.get((command.cla, command.ins))
        if rule is None:
            return Response(_why_unknown(command))
        if command.p1 not in rule.p1 or command.p2 not in rule.p2:
            return Response(Sw.WRONG_P1_P2)
        if self._state not in rule.states:
            return Response(Sw.CONDITIONS_NOT_SATISFIED)
        if len(command.data) not in rule.lc:
            return Response(Sw.WRONG_LENGTH)
        return self._ANSWERS[command.ins](self, command)

    def _select(self, command: Command) -> Response:
        """SELECT by name: a file whose name begins with the data, Book 1, 11.3 and 12.3.3.

        The next occurrence is the first such file behind the selected one, so that the
        same command repeated finds each once, and then none.
        """
        begin = self._selected + 1 if command.p2 == _NEXT else 0
        for place, name in enumerate(self._names[begin:], start=begin):
            if name.startswith(command.data):
                self._selected = place
                return Response(Sw.OK, self._open())
        return Response(Sw.NOT_FOUND)

    def _read_record(self, command: Command) -> Response:
        """READ RECORD, Book 3, 6.5.11."""
        sfi = command.p2 >> 3
        values = {record.number: record.value for record in self._records if record.sfi == sfi}
        if not values:
            return Response(Sw.NOT_FOUND)
        if command.p1 not in values:
            return Response(Sw.RECORD_NOT_FOUND)
        return Response(Sw.OK, values[command.p1])

    def _get_data(self, command: Command) -> Response:
        """GET DATA, Book 3, 6.5.7: the counters, the same in every application."""
        tag = command.p1 << 8 | command.p2
        values: dict[int, bytes] = {
            Tag.PIN_TRY_COUNTER: self._counters.pin_tries_left.to_bytes(1),
            Tag.ATC: self._counters.atc.to_bytes(2),
            Tag.LAST_ONLINE_ATC: self._counters.last_online_atc.to_bytes(2),
        }
        if tag not in values:
            return Response(Sw.DATA_OBJECT_NOT_FOUND)
        return Response(Sw.OK, encode_one(tag, values[tag]))

    def _get_processing_options(self, command: Command) -> Response:
        """GET PROCESSING OPTIONS, Book 3, 6.5.8: begins a transaction. Answers in format 1."""
        asked = dol_length(decode_dol(self._application.pdol))
        head, values = command.data[:2], command.data[2:]
        if len(values) != asked:
            return Response(Sw.WRONG_LENGTH)
        if head != bytes([Tag.COMMAND_TEMPLATE, asked]):
            return Response(Sw.WRONG_DATA)
        if self._counters.atc == HIGHEST_ATC:
            # It never wraps: the same session keys would come again.
            return Response(Sw.CONDITIONS_NOT_SATISFIED)
        self._keep(replace(self._counters, atc=self._counters.atc + 1))
        self._state = State.INITIATED
        options = self._application.aip + self._application.afl
        return Response(Sw.OK, encode_one(Tag.RESPONSE_FORMAT_1, options))

    def _verify(self, command: Command) -> Response:
        """VERIFY of a plaintext PIN, Book 3, 6.5.12.

        A block of another format names no PIN and costs no try.
        """
        try:
            pin = decode_pin_block(command.data)
        except MalformedPin:
            return Response(Sw.WRONG_DATA)
        if self._counters.pin_tries_left == 0:
            return Response(Sw.PIN_BLOCKED)
        # The try is spent before the comparison: who cuts the power has lost it.
        left = self._counters.pin_tries_left - 1
        self._keep(replace(self._counters, pin_tries_left=left))
        if not hmac.compare_digest(pin_block(pin), pin_block(self._image.data.pin)):
            self._pin = Cvr.PIN_PERFORMED | Cvr.PIN_FAILED
            return Response(PIN_WRONG | left)
        self._keep(replace(self._counters, pin_tries_left=self._image.pin_try_limit))
        self._pin = Cvr.PIN_PERFORMED
        return Response(Sw.OK)

    def _generate_ac(self, command: Command) -> Response:
        """GENERATE AC, Book 3, 6.5.5. Answers in format 2."""
        application = self._application
        step = _CRYPTOGRAMS.get((self._state, AcType(command.p1)))
        if step is None:
            return Response(Sw.CONDITIONS_NOT_SATISFIED)
        first = self._state is State.INITIATED
        dol = application.cdol1 if first else application.cdol2
        if len(command.data) != dol_length(dol):
            return Response(Sw.WRONG_LENGTH)
        values = split(dol, command.data)
        arc = values.get(Tag.ARC)
        if application.strict and self._pin != Cvr.PIN_PERFORMED:
            step = (AcType.AAC, State.CLOSED)
        elif self._approved(AcType(command.p1), arc):
            self._keep(replace(self._counters, last_online_atc=self._counters.atc))
            step = (AcType.TC, State.CLOSED)
        kind, self._state = step
        cvr = self._first_cvr(kind) if first else self._second_cvr(kind, arc)
        return Response(Sw.OK, self._cryptogram(kind, fill(STANDARD_ELEMENTS, values), cvr))

    _ANSWERS: ClassVar[Mapping[int, Callable[["Chip", Command], Response]]] = MappingProxyType(
        {
            Ins.SELECT: _select,
            Ins.READ_RECORD: _read_record,
            Ins.GET_DATA: _get_data,
            Ins.GET_PROCESSING_OPTIONS: _get_processing_options,
            Ins.VERIFY: _verify,
            Ins.GENERATE_AC: _generate_ac,
        }
    )

    def _open(self) -> bytes:
        """Enter the selected file, a new dialogue; what it says of itself (FCI)."""
        self._pin = Cvr(0)
        if self._names[self._selected] == DIRECTORY_NAME:
            self._state, self._records = State.DIRECTORY, self._image.directory
            return self._image.directory_fci
        self._application = self._image.applications[self._selected]
        self._state, self._records = State.SELECTED, self._application.records
        return self._application.fci(self._image.data.languages)

    def _approved(self, asked: AcType, arc: bytes | None) -> bool:
        """Whether a TC is due: a payment, the bank was asked about it, and it approves.

        The word for that is the terminal's: without a key the chip cannot prove the bank's.
        """
        return (
            self._application.pays
            and self._state is State.AC1
            and asked is AcType.TC
            and arc == _APPROVED
        )

    def _first_cvr(self, kind: AcType) -> Cvr:
        arqc = Cvr.FIRST_AC_ARQC if kind is AcType.ARQC else Cvr(0)
        return Cvr.SECOND_AC_NOT_REQUESTED | arqc | self._observed()

    def _second_cvr(self, kind: AcType, arc: bytes | None) -> Cvr:
        """There is a second one only after an ARQC: a TC or an AAC."""
        tc = Cvr.SECOND_AC_TC if kind is AcType.TC else Cvr(0)
        unable = Cvr.UNABLE_TO_GO_ONLINE if arc in _UNABLE_TO_GO_ONLINE else Cvr(0)
        return Cvr.FIRST_AC_ARQC | tc | unable | self._observed()

    def _observed(self) -> Cvr:
        blocked = self._counters.pin_tries_left == 0
        return self._pin | (Cvr.PIN_TRY_LIMIT_EXCEEDED if blocked else Cvr(0))

    def _cryptogram(self, kind: AcType, elements: bytes, cvr: Cvr) -> bytes:
        """CVN 12: the terminal's 29 bytes, AIP, ATC and the whole IAD under a session key."""
        application = self._application
        atc = self._counters.atc.to_bytes(2)
        iad = VisaIad(dki=application.dki, cvn=application.cvn, cvr=application.cvr | cvr).encode()
        sk = common_session_key(application.mk_ac, self._counters.atc)
        message = elements + application.aip + atc + iad
        ac = application_cryptogram(sk, message, Padding.METHOD_2)
        answer = [
            Tlv(Tag.CID, bytes([kind])),
            Tlv(Tag.ATC, atc),
            Tlv(Tag.AC, ac),
            Tlv(Tag.IAD, iad),
        ]
        return encode_one(Tag.RESPONSE_FORMAT_2, encode(answer))

    def _keep(self, counters: Counters) -> None:
        self._persist(counters)
        self._counters = counters


def _why_unknown(command: Command) -> Sw:
    """An instruction that nobody knows, or a class that it does not come in."""
    if command.cla in frozenset(Cla) and command.ins not in _INSTRUCTIONS:
        return Sw.INS_UNKNOWN
    return Sw.CLA_UNKNOWN
