"""Sessions that somebody recorded with a card, and a card that answers as that one did. Pure.

docs/reference/recordings.md describes the file and its vectors, one a session. A session is
played against our reader, which must send the commands that were recorded, and shows the number
that the recorded answers make. Whatever the exchanges say is taken from them alone.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Self, TypeVar

import msgspec

from sesame.cap.errors import MalformedInputs
from sesame.cap.mode import LOGIN, Inputs, Mode, parse_amount
from sesame.cap.terminal_data import ALL_AIDS, Scheme, scheme_of
from sesame.cap.token import Code
from sesame.emv.apdu import (
    AcType,
    Command,
    Ins,
    Response,
    Sw,
    generate_ac,
    get_processing_options,
    read_record,
    select,
)
from sesame.emv.errors import MalformedApdu
from sesame.emv.pin import Pin
from sesame.emv.tags import Tag
from sesame.emv.tlv import encode_one
from sesame.errors import SesameError
from sesame.reader.application import Cryptogram, cdol1_values, primitives
from sesame.reader.code import NoCode, make_code
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
from sesame.reader.machine import State
from sesame.reader.slot import Clock

SCHEMA = "emv-cap-vectors/1"
KIND = "traces"

_UNFOLDED = (0x61, 0x6C)  # SW1 of T=0's length handling
_NEEDED = ("id", "scheme", "mode", "inputs", "exchanges")
_COMMANDS_ONLY = "DOL"  # the mode of a vector without a code
_VERIFY = "VERIFY"  # a step that may be blackened: nobody reads it

_ATR = bytes.fromhex("3B00")  # the reader does not look at it
# Publishers do not tell the PIN, and the card of a recording takes any.
ANY_PIN = Pin("1234")
# Nothing takes time, and a recorded card has not expired: it has made its code.
_CLOCK = Clock(seconds=lambda: 0.0, today=lambda: None)

_AID = range(5, 17)  # bytes
# ISO 4217, of the countries whose banks have used such readers.
_CURRENCIES = {"CHF": "756", "EUR": "978", "GBP": "826", "SEK": "752", "USD": "840"}
_BCD_CURRENCY = 4  # digits
_NUMBER = re.compile(r"[0-9]{1,1000}")

# What stands in for the steps that a vector lacks, where its `fields` tell what they said.
_MADE_UP_OPTIONS = bytes.fromhex("8006 1000 08010100")  # one record: SFI 1, number 1
_MADE_UP_CDOL1 = bytes.fromhex("9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704")  # 29 bytes
_MADE_UP_CDOL2 = bytes.fromhex("8A02") + _MADE_UP_CDOL1
_BEFORE_PIN = frozenset({Ins.SELECT, Ins.GET_PROCESSING_OPTIONS, Ins.READ_RECORD})

_T = TypeVar("_T")


def read(raw: bytes) -> list[object]:
    """The vectors of a file, each still to be judged by itself.

    Raises:
        NotRecordings: *raw* is not JSON, or JSON of something else.
    """
    try:
        file = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotRecordings("JSON") from None
    members = file if isinstance(file, dict) else {}
    for member, value in (("schema", SCHEMA), ("kind", KIND)):
        if members.get(member) != value:
            raise NotRecordings(f'"{member}": "{value}"')
    vectors = members.get("vectors")
    if not isinstance(vectors, list):
        raise NotRecordings('"vectors": […]')
    return vectors


def name_of(vector: object, position: int) -> str:
    """The `id` of *vector*, on one line; where it has none, its *position* from 1, as `#1`."""
    name = vector.get("id") if isinstance(vector, dict) else None
    if not isinstance(name, str) or not name:
        return f"#{position}"
    return name if name.isprintable() else ascii(name)[1:-1]


# ── Playing ──────────────────────────────────────────────────────────────────────────────────────


@unique
class Result(StrEnum):
    """What became of a vector."""

    OK = "ok"
    DIFFERS = "differs"
    REFUSED = "refused"
    SHOWN = "shown"  # and nobody says what it should be


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What our reader made of a vector: a number or a refusal, and what was expected."""

    shown: int | None = None
    refusal: SesameError | None = None
    expected: int | None = None
    promised: bool = False  # the vector says what a reader makes of it

    @property
    def result(self) -> Result:
        """What became of it, in one word."""
        if self.refusal is not None:
            return Result.REFUSED
        if self.expected is None:
            return Result.SHOWN
        return Result.OK if self.shown == self.expected else Result.DIFFERS

    @property
    def failed(self) -> bool:
        """Whether something else was promised."""
        if isinstance(self.refusal, ModeWithoutCode):
            return self.expected is not None
        return self.promised and self.result is not Result.OK


def play(vector: object) -> Played:
    """Play *vector*, as it stands in the file, against our reader."""
    if not isinstance(vector, dict):
        return Played(refusal=PartMalformed("vector", "is no object"))
    try:
        expect = _converted(vector, _Expecting).expect or _Expect()
        expected = _expected(expect)
    except PartMalformed as error:
        return Played(refusal=error, promised=True)
    promised = expected is not None or bool(expect.generate_ac)
    try:
        shown = Session.of(vector).play().token
    except SesameError as error:
        return Played(refusal=error, expected=expected, promised=promised)
    return Played(shown=shown, expected=expected, promised=promised)


@dataclass(frozen=True, slots=True)
class Session:
    """A vector that can be played: a card that answers, and what somebody typed."""

    card: "RecordedCard"
    aid: bytes  # of the application that was used
    scheme: Scheme
    inputs: Inputs
    made_up: bool = False  # nothing but the cryptogram was recorded

    @classmethod
    def of(cls, vector: Mapping[str, object]) -> Self:
        """Read *vector*, as it stands in the file.

        Raises:
            RecordingError: it lacks something, is malformed, or makes no code by its nature.
            SesameError: what was typed fits no mode, or a record of mode DOL is unfit.
        """
        recorded = _recorded(vector)
        if recorded.mode == _COMMANDS_ONLY:
            _compare_commands(vector, _exchanges(recorded.exchanges), _scheme(recorded.scheme))
            raise ModeWithoutCode
        inputs = _inputs("inputs", _mode(recorded.mode), recorded.inputs)
        return cls._with(vector, recorded, inputs)

    @classmethod
    def to_inspect(cls, vector: object) -> Self:
        """The same to look into: of mode DOL too, whose records a card of its scheme then has.

        Raises:
            RecordingError: it lacks something, or is malformed.
        """
        if not isinstance(vector, dict):
            raise PartMalformed("vector", "is no object")
        recorded = _recorded(vector)
        if recorded.mode != _COMMANDS_ONLY:
            inputs = _inputs("inputs", _mode(recorded.mode), recorded.inputs)
            return cls._with(vector, recorded, inputs)
        scheme = _scheme(recorded.scheme)
        aid = _hex("aid", recorded.aid) if recorded.aid else _aid_of(scheme)
        exchanges = _exchanges(recorded.exchanges)
        if not any(one.command.ins == Ins.SELECT for one in exchanges):
            exchanges = [_named(aid), *exchanges]
        aid = _used(aid, scheme, exchanges)
        return cls(RecordedCard(_of_application(aid, exchanges)), aid, scheme, LOGIN)

    @classmethod
    def _with(cls, vector: Mapping[str, object], recorded: "_Recorded", inputs: Inputs) -> Self:
        exchanges = _exchanges(recorded.exchanges)
        scheme = _scheme(recorded.scheme)
        aid = _hex("aid", recorded.aid) if recorded.aid else b""
        if aid and len(aid) not in _AID:
            raise PartMalformed("aid", "an AID has 5 to 16 bytes")
        made_up = not any(one.command.ins in _BEFORE_PIN for one in exchanges)
        if made_up:
            fields = _converted(vector, _WithFields).fields
            if fields and fields.ipb:
                aid = aid or _aid_of(scheme)
                exchanges = [*_made_up(fields, aid), *exchanges]
        aid = _used(aid, scheme, exchanges)
        if ALL_AIDS.get(aid) is Scheme.BANCONTACT and scheme in _PAYMENTS:
            scheme = Scheme.BANCONTACT  # its column of terminal data is not always told apart
        card = RecordedCard(_of_application(aid, exchanges))
        return cls(card, aid, scheme, inputs, made_up)

    @property
    def applications(self) -> Mapping[bytes, Scheme]:
        """What a reader tries that knows this card's application too."""
        return {**ALL_AIDS, self.aid: self.scheme}

    def play(self) -> Code:
        """Make the code that the recorded card makes.

        Raises:
            CommandDiffers: our reader sends something else than what was recorded.
            PartMissing: it asks for something that was not recorded.
            ReaderError: the card declines, is blocked, or cannot make codes.
        """
        match make_code(
            self.card, ANY_PIN, _CLOCK, inputs=self.inputs, applications=self.applications
        ):
            case Code() as code:
                return code
            case NoCode(State.CARD_UNKNOWN):
                raise PartMissing("exchanges: SELECT")
            case NoCode(State.CARD_BLOCKED):
                raise CardBlocked
            case NoCode(State.CARD_REFUSED):
                raise CardDeclines(_answered(self.card.last))
            case NoCode(problem=problem):
                raise CardUnfit(self._unfit(problem))
        raise AssertionError("the card of a recording takes any PIN")

    def _unfit(self, problem: str) -> str:
        # No other problem comes without words.
        said = problem or "the CID names no kind of cryptogram"
        unread = ", ".join(one.encode().hex().upper() for one in self.card.unread)
        return f"{said}; not recorded: {unread}" if unread else said


_PAYMENTS = frozenset({Scheme.VISA, Scheme.MASTERCARD, Scheme.MAESTRO, Scheme.BELGIAN})


def _answered(response: Response) -> str:
    """A status word, or the name of the cryptogram."""
    kind = Cryptogram.decode(response.data).kind if response.ok else None
    return f"{response.sw:04X}" if kind is None else kind.name


def _used(aid: bytes, scheme: Scheme, exchanges: Iterable["Exchange"]) -> bytes:
    """The AID of the application that made the code, as it was selected.

    *aid* tells which, then whether it was asked for a code, then *scheme*.
    """
    selected: dict[bytes, bool] = {}  # and whether it was asked for a code
    for owner, one in _owned(exchanges):
        if owner is not None:
            asked = _asks(one.command) == (Ins.GENERATE_AC, AcType.ARQC)
            selected[owner] = selected.get(owner, False) or asked
    if aid in selected:
        return aid
    # Readers may select by the beginning of a name: EMV 4.4 Book 1, 12.3.
    fitting = [name for name in selected if name.startswith(aid) or aid.startswith(name)]
    return max(
        fitting,
        key=lambda name: (selected[name], ALL_AIDS.get(name) is scheme),
        default=aid,
    )


def _of_application(aid: bytes, exchanges: Iterable["Exchange"]) -> list["Exchange"]:
    """What was recorded under the application *aid*, and before any was selected."""
    return [
        one
        for owner, one in _owned(exchanges)
        if ((one.command.data == aid) if one.command.ins == Ins.SELECT else owner in (None, aid))
    ]


def _owned(exchanges: Iterable["Exchange"]) -> Iterator[tuple[bytes | None, "Exchange"]]:
    """Each exchange with the application that was selected then; None before the first."""
    owner = None
    for one in exchanges:
        if one.command.ins == Ins.SELECT and one.response.ok:
            owner = one.command.data
        yield owner, one


# ── A card that answers from a recording ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command of a session, and its answer."""

    command: Command
    response: Response


class RecordedCard:
    """A slot with the card of a recording in it: a command that was recorded has its answer.

    One that was recorded several times has its answers in turn, the last one from then on. Other
    applications, records and objects are not there. VERIFY is right whatever the PIN.
    What the second GENERATE AC says and answers does not matter.
    """

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._exchanges = exchanges
        self._times: Counter[bytes] = Counter()  # that a command was sent since the reset
        self.sent: list[Command] = []
        self.last = Response(Sw.OK)  # answer
        self.unread: list[Command] = []  # records that were asked for, and not recorded

    def power_on(self) -> bytes:
        """Any ATR."""
        self._times.clear()
        return _ATR

    def transmit(self, command: Command) -> Response:
        """The recorded answer, or that of a card that has no such thing.

        Raises:
            CommandDiffers: it would decide the cryptogram, and another one was recorded.
            PartMissing: it would, and none was recorded.
        """
        self.sent.append(command)
        self.last = self._answer(command)
        return self.last

    def power_off(self) -> None:
        """Nothing is left to do."""

    def _answer(self, command: Command) -> Response:
        if command.ins == Ins.VERIFY:
            return Response(Sw.OK)
        rivals = [one for one in self._exchanges if _asks(one.command) == _asks(command)]
        sent = without_le(command)
        if same := [one.response for one in rivals if without_le(one.command) == sent]:
            self._times[sent] += 1
            return same[min(self._times[sent], len(same)) - 1]
        match command.ins:
            case Ins.SELECT:
                return Response(Sw.NOT_FOUND)
            case Ins.READ_RECORD:
                self.unread.append(command)
                return Response(Sw.RECORD_NOT_FOUND)
            case Ins.GET_DATA:
                return Response(Sw.DATA_OBJECT_NOT_FOUND)
        if _asks(command) == (Ins.GENERATE_AC, AcType.AAC):
            return rivals[0].response if rivals else Response(Sw.CONDITIONS_NOT_SATISFIED)
        if not rivals:
            raise PartMissing(f"exchanges: {command.name}")
        raise CommandDiffers(command.name, sent, without_le(rivals[0].command))


def without_le(command: Command) -> bytes:
    """The bytes of *command* but Le, which T=0 leaves out and T=1 does not."""
    return Command(command.cla, command.ins, command.p1, command.p2, command.data).encode()


def _asks(command: Command) -> tuple[int, AcType | None]:
    """What *command* is for: its instruction, and the cryptogram that it wants."""
    wanted = AcType.of(command.p1) if command.ins == Ins.GENERATE_AC else None
    return command.ins, wanted


def _made_up(fields: "_Fields", aid: bytes) -> list[Exchange]:
    """What a card with *fields* answers until the PIN, with the usual two CDOLs."""
    objects = {
        Tag.CDOL1: _MADE_UP_CDOL1,
        Tag.CDOL2: _MADE_UP_CDOL2,
        Tag.IPB: _hex("fields.ipb", fields.ipb or ""),
        Tag.IAF: _hex("fields.iaf", fields.iaf or ""),
        Tag.PSN: _hex("fields.psn", fields.psn or ""),
    }
    record = b"".join(encode_one(tag, value) for tag, value in objects.items() if value)
    answers = {
        get_processing_options(): _MADE_UP_OPTIONS,
        read_record(sfi=1, record=1): encode_one(Tag.RECORD_TEMPLATE, record),
    }
    made_up = [Exchange(command, Response(Sw.OK, data)) for command, data in answers.items()]
    return [_named(aid), *made_up]


def _named(aid: bytes) -> Exchange:
    """SELECT of an application that says its name and nothing else."""
    fci = encode_one(Tag.FCI_TEMPLATE, encode_one(Tag.DF_NAME, aid))
    return Exchange(select(aid), Response(Sw.OK, fci))


def _aid_of(scheme: Scheme) -> bytes:
    aids = [aid for aid, known in ALL_AIDS.items() if known is scheme]
    if not aids:
        raise PartMissing("aid")
    return aids[0]


# ── Commands without a code ──────────────────────────────────────────────────────────────────────


def _compare_commands(
    vector: Mapping[str, object], exchanges: Iterable[Exchange], scheme: Scheme
) -> None:
    """Build the first GENERATE AC for everything that *vector* says was typed.

    Raises:
        CommandDiffers: ours is not the one that stands beside it.
    """
    expect = _converted(vector, _Expecting).expect
    objects: dict[int, bytes] = {}
    for one in exchanges:
        if one.response.ok and one.command.ins in (Ins.SELECT, Ins.READ_RECORD):
            objects |= primitives(one.response.data)
    for number, built in enumerate((expect and expect.generate_ac) or ()):
        place = f"expect.generate_ac[{number}]"
        inputs = _inputs(place, Mode.M1, built)
        ours = generate_ac(AcType.ARQC, cdol1_values(objects, scheme_of(scheme, objects), inputs))
        theirs = _command(f"{place}.command", built.command)
        if without_le(ours) != without_le(theirs):
            raise CommandDiffers(place, without_le(ours), without_le(theirs))


# ── Reading a vector ─────────────────────────────────────────────────────────────────────────────


class _Typed(msgspec.Struct):
    challenge: str | None = None
    amount: str | None = None
    currency: str | None = None
    tds: list[str] | None = None


class _Exchange(msgspec.Struct):
    command: str
    response: str
    step: Any = None


class _Recorded(msgspec.Struct):
    id: str
    scheme: str
    mode: str
    inputs: _Typed
    exchanges: list[_Exchange]
    aid: str | None = None


class _Built(_Typed, kw_only=True):
    command: str


class _Expect(msgspec.Struct):
    otp_value: int | str | None = None
    otp: int | str | None = None
    generate_ac: list[_Built] | None = None


class _Expecting(msgspec.Struct):
    expect: _Expect | None = None


class _Fields(msgspec.Struct):
    ipb: str | None = None
    iaf: str | None = None
    psn: str | None = None


class _WithFields(msgspec.Struct):
    fields: _Fields | None = None


def _converted(vector: object, kind: type[_T]) -> _T:
    """*vector* as a *kind*; members that this does not have are nobody's business."""
    try:
        return msgspec.convert(vector, kind)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.inputs.challenge`"
        problem, _, place = str(error).partition(" - at `$")
        raise PartMalformed(place.strip(".`"), problem) from None


def _recorded(vector: Mapping[str, object]) -> _Recorded:
    for part in _NEEDED:
        if vector.get(part) is None:
            raise PartMissing(part)
    return _converted(vector, _Recorded)


def _expected(expect: _Expect) -> int | None:
    """The number that a reader shows; None where nobody says it."""
    for part, value in (("expect.otp_value", expect.otp_value), ("expect.otp", expect.otp)):
        if isinstance(value, int):
            return value
        if value is not None:
            if not _NUMBER.fullmatch(value):
                raise PartMalformed(part, "is no number")
            return int(value)
    return None


def _scheme(name: str) -> Scheme:
    try:
        return Scheme(name)
    except ValueError:
        raise SchemeUnknown(name) from None


def _mode(name: str) -> Mode:
    try:
        return Mode(name)
    except ValueError:
        raise ModeUnknown(name) from None


def _inputs(place: str, mode: Mode, typed: _Typed) -> Inputs:
    try:
        return Inputs(
            mode=mode,
            challenge=typed.challenge or "",
            amount=parse_amount(typed.amount or "0"),
            currency=_currency(typed.currency or ""),
            fields=tuple(typed.tds or ()),
        )
    except MalformedInputs as error:
        raise PartMalformed(place, str(error)) from None


def _currency(typed: str) -> str:
    """A currency by its letters, by three digits, or by four as the card gets them."""
    digits = _CURRENCIES.get(typed, typed)
    return digits[1:] if len(digits) == _BCD_CURRENCY and digits[0] == "0" else digits


def _exchanges(exchanges: Iterable[_Exchange]) -> list[Exchange]:
    return [
        Exchange(
            _command(f"exchanges[{number}].command", one.command),
            _response(f"exchanges[{number}].response", one.response),
        )
        for number, one in enumerate(exchanges)
        if one.step != _VERIFY
    ]


def _command(place: str, text: str) -> Command:
    try:
        return Command.decode(_hex(place, text))
    except MalformedApdu as error:
        raise PartMalformed(place, str(error)) from None


def _response(place: str, text: str) -> Response:
    try:
        response = Response.decode(_hex(place, text))
    except MalformedApdu as error:
        raise PartMalformed(place, str(error)) from None
    if response.sw >> 8 in _UNFOLDED:
        raise PartMalformed(place, "61xx and 6Cxx are to be folded: write the answer behind them")
    return response


def _hex(place: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise PartMalformed(place, "is not hexadecimal") from None
