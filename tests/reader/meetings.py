"""Meetings with a malicious card, and what must be true of every one of them.

Each function makes a meeting of any bytes, so that a fuzzer can look for one that breaks a rule:

- nothing is raised but what the slot raised, or an error that the docstrings name;
- a session is bounded: so many commands, and a text of so many characters;
- a PIN is sent in VERIFY alone, once for each OK that the holder pressed behind it, and never to
  a card that has said that no try is left; before the last one there was a warning;
- a code is shown only behind a right PIN and an ARQC in a well-formed answer that the card has
  closed; its digits are those that `tests.reader.plain` finds, eight at least, and they fit the
  display; one PIN makes one code, and what was typed is in the card's command;
- whatever else the card answers, the display says a sentence that fits it;
- a card's texts bring nothing but plain characters anywhere, and nothing private into a report;
- the reader comes back to where it began.
"""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from sesame.cap.mode import LOGIN, Iaf, Inputs, Mode
from sesame.cap.terminal_data import AIDS, ALL_AIDS, Scheme
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.cli.inspect import members
from sesame.cli.report_words import lines as report_lines
from sesame.emv.apdu import Command, Ins
from sesame.emv.atr import LONGEST_ATR, decode_atr
from sesame.emv.dol import decode_dol, dol_length, fill, split
from sesame.emv.errors import MalformedAtr, MalformedDol, MalformedIad, MalformedTlv
from sesame.emv.iad import decode_iad
from sesame.emv.pin import Pin
from sesame.emv.tlv import decode, encode
from sesame.errors import SesameError
from sesame.reader.application import (
    Application,
    Cryptogram,
    Validity,
    decode_options,
    decode_tries,
    languages,
    pdol_values,
    primitives,
)
from sesame.reader.code import Asking, NoCode, WrongPin, make_code
from sesame.reader.diagnosis import diagnose
from sesame.reader.inspection import Inspection
from sesame.reader.machine import (
    DIGITS,
    POWERED,
    SHOWN,
    Battery,
    CardInserted,
    CardRemoved,
    DisplayTime,
    Event,
    FunctionChosen,
    Key,
    KeyHeld,
    KeyPressed,
    Reader,
    Screen,
    Show,
    State,
    Tick,
)
from sesame.reader.recorder import Recorder, recording
from sesame.reader.recording import Session, play, read
from sesame.reader.screens import HEIGHT, WIDTH, ending, lines
from sesame.reader.slot import Clock, Slot, run
from sesame.reader.speech import speak
from tests.reader.hostile import NAME, NUMBER, Choices, HostileSlot, true_card
from tests.reader.plain import Story, answer_of, block_of, code_of, flags_of, leaves, sent_for, tell

CORPORA = Path(__file__).parent / "corpora"

_TODAY = 20261123
_MOST_RECORDS = 64  # that a transaction may read
_MOST_PIECES = 18  # commands that one answer may take, with all of T=0's lengths
_MOST_LOOKED = 8000  # commands of the doctor
_LONGEST_REPORT = 64_000  # characters
_RIGHT, _WRONG, _LONG = "1234", "4321", "123456789012"
_SIGNED = "12345678"
_AMOUNT = 1250  # cents
_MOST_GIVEN = 8  # PINs, one after the other
_ALLOWED_SPACES = {"\u00a0", "\u202f"}


_INPUTS: tuple[Inputs, ...] = (
    LOGIN,
    Inputs(mode=Mode.M3, challenge=_SIGNED),
    Inputs(mode=Mode.M1, challenge=_SIGNED, amount=_AMOUNT, currency="978"),
    Inputs(mode=Mode.TDS, fields=(str(_AMOUNT), _SIGNED)),
)


class _Time:
    """A clock that a card and a holder may let run."""

    def __init__(self, *, calendar: bool) -> None:
        self.now = 0.0
        self.clock = Clock(lambda: self.now, lambda: _TODAY if calendar else None)

    def passes(self, seconds: float) -> None:
        self.now += seconds


# ── The reader on the table ──────────────────────────────────────────────────────────────────────

_KEYS: tuple[str, ...] = (
    f"{_RIGHT}O",
    f"{_WRONG}O",
    f"{_LONG}O",
    "12O",
    "X",  # Code
    "R",
    f"{_SIGNED}O",
    "S",
    "12,5O",
    *"O*C+!0,9T^-",
)
# What a holder does; each letter is a key, or what `_Table._does` says.
_SCRIPTS: tuple[str, ...] = (
    f"^X{_RIGHT}O",
    f"^XO{_RIGHT}O",  # behind the warning of the last try
    f"^X{_WRONG}OO{_RIGHT}O",
    f"^R{_SIGNED}O{_RIGHT}O",
    f"^S12,5O{_SIGNED}OS{_RIGHT}O",
    f"^f{_RIGHT}O",
    f"^X{_WRONG}OO{_WRONG}OO{_WRONG}O",
    f"^XC4*X{_LONG}3O",
    f"^X{_RIGHT}O0CT^X{_RIGHT}O",
    f"^g{_RIGHT}O",
    f"^h{_RIGHT}O",
    "^",
)
_LETTERS: Mapping[str, Key] = {
    **{key.value: key for key in DIGITS},
    "X": Key.CODE,
    "R": Key.RESPOND,
    "S": Key.SIGN,
    ",": Key.COMMA,
    "O": Key.OK,
    "C": Key.CORRECTION,
    "!": Key.ON,
}


class _Table:
    """A reader with a hostile card, a holder, and somebody who watches both."""

    def __init__(self, choices: Choices, heard: Callable[[object], None]) -> None:
        card = true_card(choices)
        setup = choices.byte()
        self._choices = choices
        self._note = heard
        self._time = _Time(calendar=bool(setup & 1))
        self._applications = ALL_AIDS if setup & 2 else AIDS
        self._slot = HostileSlot(
            card,
            choices,
            protocol=(None, 0, 1, 0)[setup >> 3 & 3],
            passed=self._time.passes,
            typed=self._typed_on_pad if setup & 4 else None,
        )
        language = (None, *Language)[setup >> 5 & 1]
        stays = tuple(DisplayTime)[(setup >> 6) % 3]
        self._reader = Reader(
            language=language, display_time=stays, applications=self._applications
        )
        self._typed = ""  # of a PIN, as the keys go down
        self._entries = 0  # times that a PIN was asked of it in this session, and sent or not
        self._session = 0
        self._warned = False  # that it may be the last try, and a key has agreed since
        self._shown: str | None = None
        self._meant = LOGIN  # what the code is for, as the display has said it

    def play(self) -> None:
        """The holder's script, what more the fuzzer lets them do, and the end."""
        for letter in self._choices.of(_SCRIPTS):
            self._does(letter)
        while not self._choices.over:
            for letter in self._choices.of(_KEYS):
                self._does(letter)
        self._does("-")
        assert self._reader.state not in POWERED
        assert not self._slot.powered
        for _ in range(8):
            if self._reader.deadline is not None:
                self._time.now = max(self._time.now, self._reader.deadline)
                self._does("+")
        if self._reader.state in SHOWN:  # until a key
            self._does("C")
        assert self._reader.state is State.OFF

    def _typed_on_pad(self) -> Pin | None:
        self._typed = self._choices.of((_RIGHT, _WRONG, _LONG, ""))
        return Pin(self._typed) if self._typed else None

    def _does(self, letter: str) -> None:
        match letter:
            case "^":
                self._happens(CardInserted())
            case "-":
                self._happens(CardRemoved())
            case "*":
                self._happens(KeyHeld(Key.CORRECTION))
            case "+":
                self._happens(Tick())
            case "T":
                self._time.passes(self._choices.byte() / 2)
                self._happens(Tick())
            case "9":
                self._reader.battery = self._choices.of(tuple(Battery))
            case "f" | "g" | "h":
                self._happens(FunctionChosen(_INPUTS["fgh".index(letter) + 1]))
            case _:
                self._happens(KeyPressed(_LETTERS[letter]))

    def _happens(self, event: Event) -> None:
        reader, slot = self._reader, self._slot
        before, wire, heard = reader.state, len(slot.wire), len(slot.heard)
        session = slot.sessions
        self._agree(event)
        self._mean(event)
        try:
            shown = run(reader, slot, event, self._time.clock)
        except SesameError as error:
            assert error is slot.raised  # noqa: PT017 -- which one it is
            shown = []
        if slot.sessions != session:
            wire = heard = 0
            self._entries, self._warned = 0, False
        self._note((before, type(event), reader.state, reader.screen.code is not None))
        self._check_commands(event, before, wire, heard)
        self._check_code(heard)
        for one in shown:
            if isinstance(one, Show):
                check_screen(one.screen)
        check_screen(reader.screen)
        check_plain(reader.problem)
        assert (reader.state in POWERED) or not slot.powered

    def _agree(self, event: Event) -> None:
        """Before *event* happens: is it the key that answers a warning which is there to read?"""
        said = self._reader.state is State.LAST_TRY
        agreed = isinstance(event, KeyPressed) and event.key is Key.OK
        self._warned = self._warned or (said and agreed)

    def _mean(self, event: Event) -> None:
        screen = self._reader.screen
        if screen.state is State.MENU:
            self._meant = event.inputs if isinstance(event, FunctionChosen) else LOGIN
        elif screen.state is State.AWAITING_CHALLENGE and screen.entered.strip("0"):
            self._meant = Inputs(mode=Mode.M3, challenge=screen.entered)
        elif screen.state is State.CONFIRMING:
            iaf = self._reader.iaf
            assert iaf is not None
            self._meant = _signing(iaf, screen.amount, screen.payee)

    def _check_commands(self, event: Event, before: State, wire: int, heard: int) -> None:
        slot, reader = self._slot, self._reader
        expected = self._typed
        if isinstance(event, KeyPressed):
            if before is State.AWAITING_PIN and event.key in DIGITS:
                self._typed = (self._typed + event.key)[:12]
            elif before is State.AWAITING_PIN and event.key is Key.CORRECTION:
                self._typed = self._typed[:-1]
        if reader.state is not State.AWAITING_PIN or isinstance(event, KeyHeld):
            self._typed = ""
        sent = [raw for raw in slot.wire[wire:] if raw[1] == 0x20]
        if sent:
            assert isinstance(event, KeyPressed)
            assert event.key is Key.OK
            assert before in (State.AWAITING_PIN, State.PIN_ON_PAD)
            assert len(sent) == 1, "a PIN was sent twice"
            assert sent[0] == bytes.fromhex("0020008008") + block_of(expected)
            told = tell(_until_verify(slot.heard, heard)).tries
            assert told != 0, "a PIN was sent to a blocked card"
            assert told not in (1, None) or self._warned, "nobody was warned of the last try"
            self._warned = False
        if sent or (before is State.PIN_ON_PAD and isinstance(event, KeyPressed)):
            self._entries += 1
        check_pin_nowhere([raw for raw in slot.wire[wire:] if raw[1] != 0x20])
        most = 2 * len(self._applications) + _MOST_RECORDS + 1 + 3 * self._entries
        assert len(slot.heard) <= most, "a session without an end"
        assert len(slot.wire) <= most * _MOST_PIECES

    def _check_code(self, heard: int) -> None:
        screen = self._reader.screen
        if screen.code is None:
            self._shown = None
            return
        assert screen.state in SHOWN
        if self._shown is not None:
            assert screen.code == self._shown
            return
        self._shown = screen.code
        now = [command for command, _ in self._slot.heard[heard:]]
        kinds = [(command[1], command[2]) for command in now if command[1] != 0xC0]
        assert kinds == [(0x20, 0x00), (0xAE, 0x80), (0xAE, 0x00)], "not one code for one PIN"
        assert self._meant.mode in _MODES_OF[screen.state]
        check_code(tell(self._slot.heard), screen.code.replace(" ", ""), self._meant)


_MODES_OF: Mapping[State, tuple[Mode, ...]] = {
    State.CODE_SHOWN: (Mode.M2,),
    State.RESPONSE_SHOWN: (Mode.M3,),
    State.SIGNATURE_SHOWN: (Mode.M1, Mode.TDS),
}


def _signing(iaf: Iaf, amount: int, payee: str) -> Inputs:
    """What « Signer » is for: the card's flags say how, and `plain` what they are."""
    if iaf & 0x80:
        return Inputs(mode=Mode.M1, challenge=payee, amount=amount, currency="978")
    return Inputs(mode=Mode.TDS, fields=(str(amount), payee))


def _until_verify(
    heard: list[tuple[bytes, bytes | None]], begin: int
) -> list[tuple[bytes, bytes | None]]:
    """What came before the PIN was sent, among it what came before *begin*."""
    at = next(at for at, (raw, _) in enumerate(heard) if at >= begin and raw[1] == 0x20)
    return heard[:at]


def check_code(story: Story, digits: str, meant: Inputs) -> None:
    """*digits* may be shown for what was *meant*, after all that the card has said."""
    assert story.verified, "a code without a right PIN"
    answer = answer_of(story.first_answer)
    assert answer is not None, "a code out of a malformed answer"
    assert answer[0] & 0xC0 == 0x80, "a code without an ARQC"
    assert story.closed, "a code of a transaction that is still open"
    assert re.fullmatch("[0-9]{8,16}", digits), "not as many digits as the display wants"
    sent = sent_for(story)
    _check_sent(sent, "9F37", meant.challenge.zfill(8))
    if flags_of(story) & 0x80:
        _check_sent(sent, "9F02", f"{meant.amount:012}")
        if not flags_of(story) & 0x20:
            _check_sent(sent, "5F2A", meant.currency.zfill(4))
    assert digits == code_of(story, meant.fields), "another code than the card's answers make"


def _check_sent(sent: Mapping[str, bytes], tag: str, typed: str) -> None:
    """What was *typed*, if anything, went to the card whole, under *tag*."""
    value = bytes.fromhex(typed)
    if any(value):
        carried = sent.get(tag, b"").strip(b"\0")
        assert carried == value.strip(b"\0"), "the card was asked for something else"


def check_pin_nowhere(commands: list[bytes]) -> None:
    """No command has a PIN in it."""
    for raw in commands:
        for pin in (_RIGHT, _WRONG, _LONG):
            assert block_of(pin) not in raw, "a PIN outside of VERIFY"


def check_plain(text: str) -> None:
    """*text* moves no cursor, and turns no line round."""
    for character in text:
        odd = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert not odd, f"{character!r} on a terminal"
        assert character == " " or not character.isspace() or character in _ALLOWED_SPACES


@lru_cache(maxsize=4096)  # most are met again and again
def check_screen(screen: Screen) -> None:
    """The display says something, and has room for it."""
    said = lines(screen)
    assert bool(said) == (screen.state is not State.OFF)
    assert len(said) <= HEIGHT
    for line in (*said, ending(screen), screen.code or ""):
        assert len(line) <= WIDTH, "more than the display has room for"
        check_plain(line)
    check_plain(speak(screen))
    assert len(screen.last4) <= 4
    assert screen.code is None or screen.code not in repr(screen)
    typed = screen.entered or screen.payee or screen.amount
    if not typed:  # by the holder
        shown = re.sub("[^0-9]", "", "".join(said))
        assert not re.search("[0-9]{5}", shown)


def meet_reader(data: bytes, heard: Callable[[object], None] = lambda _: None) -> None:
    """A holder with a reader, key by key."""
    _Table(Choices(data), heard).play()


# ── A whole dialogue without keys ────────────────────────────────────────────────────────────────


def _slot_of(choices: Choices, time: _Time) -> HostileSlot:
    card = true_card(choices)
    protocol: int | None = choices.of((None, 0, 1))
    return HostileSlot(card, choices, protocol, time.passes)


def _made(
    choices: Choices, slot: Slot, time: _Time, inputs: Inputs
) -> tuple[Code | WrongPin | NoCode | SesameError, int]:
    """What `make_code` makes of the card, and how many PINs it was given."""
    given = 0

    def ask(asking: Asking) -> Pin | None:
        nonlocal given
        assert asking.tries_left != 0
        pin = choices.of((_RIGHT, _WRONG, _LONG, "")) if given < _MOST_GIVEN else ""
        given += bool(pin)
        return Pin(pin) if pin else None

    asked = choices.byte()
    pin = ask if asked & 1 else Pin(_RIGHT)
    applications = ALL_AIDS if asked & 2 else AIDS
    try:
        made = make_code(slot, pin, time.clock, inputs=inputs, applications=applications)
    except SesameError as error:
        return error, given
    return made, given if asked & 1 else 1


def meet_code(data: bytes) -> None:
    """`make_code`, as the command line uses it."""
    choices = Choices(data)
    time = _Time(calendar=bool(choices.byte() & 1))
    inputs: Inputs = choices.of(_INPUTS)
    slot = _slot_of(choices, time)
    made, given = _made(choices, slot, time, inputs)
    assert not slot.powered
    assert not isinstance(made, SesameError) or made is slot.raised
    sent = [raw for raw in slot.wire if raw[1] == 0x20]
    assert len(sent) <= given or isinstance(made, SesameError), "a PIN was sent twice"
    assert len(sent) <= given + 1
    check_pin_nowhere([raw for raw in slot.wire if raw[1] != 0x20])
    story = tell(slot.heard)
    match made:
        case Code(digits):
            check_code(story, digits, inputs)
        case WrongPin(tries_left):
            assert tries_left == story.tries
            assert tries_left > 0
        case NoCode(_, problem):
            check_plain(problem)


# ── The doctor ───────────────────────────────────────────────────────────────────────────────────

_QUIET = frozenset({Ins.SELECT, Ins.READ_RECORD, Ins.GET_DATA, Ins.GET_RESPONSE})


def meet_doctor(data: bytes) -> None:
    """`sesame card inspect`: looked into, made to make one code or not, and described."""
    choices = Choices(data)
    setup = choices.byte()
    time = _Time(calendar=True)
    slot = _slot_of(choices, time)
    inspection = Inspection(slot)
    try:
        inspection.look()
    except SesameError as error:
        assert error is slot.raised  # noqa: PT017
        return
    assert {raw[1] for raw in slot.wire} <= _QUIET, "the doctor left a trace"
    assert len(slot.heard) <= _MOST_LOOKED
    assert not slot.powered
    said = [answer for _, answer in slot.heard]
    if setup & 1:
        agreed = inspection.tries_left
        with suppress(SesameError):
            inspection.make_code(Pin(_RIGHT), _INPUTS[setup >> 1 & 3], tries_agreed=agreed)
        said += [answer for _, answer in slot.heard]
        if slot.sessions > 1:  # or there was nothing to ask
            _check_transaction(slot, agreed)
    for language in Language:
        os.environ["LC_ALL"] = language.value
        report = diagnose(inspection.seen, _TODAY)
        text = list(report_lines(report))
        for line in text:
            check_plain(line)
        written = json.dumps(members(report), ensure_ascii=False)
        check_plain(written)
        assert sum(map(len, text)) + len(written) <= _LONGEST_REPORT, "a report without an end"
        _check_private("\n".join(text) + written, said)


def _check_transaction(slot: HostileSlot, agreed: int | None) -> None:
    sent = [raw for raw in slot.wire if raw[1] == 0x20]
    assert len(sent) <= 1, "a PIN was sent twice"
    check_pin_nowhere([raw for raw in slot.wire if raw[1] != 0x20])
    assert len(slot.heard) <= 2 + _MOST_RECORDS + 6
    asked = [command for command, _ in slot.heard]
    if any(raw[1] == 0x20 for raw in asked):
        told = tell(_until_verify(slot.heard, 0)).tries
        assert told != 0, "a PIN was sent to a blocked card"
        fewer = agreed not in (1, None) and (told is None or told < max(agreed or 2, 2))
        assert not fewer, "a PIN was sent to fewer tries than agreed"
    if any(raw[1] == 0xAE for raw in asked):
        assert tell(slot.heard).verified


def _check_private(text: str, said: list[bytes | None]) -> None:
    """What our own chips keep from the public is not in *text*, once the card has said it is.

    It is, where it stands under its own tag; a card may say two numbers, or none.
    """
    objects: dict[str, set[bytes]] = {}
    for answer in said:
        for tag, value in (leaves(answer[:-2]) if answer else None) or ():
            objects.setdefault(tag, set()).add(value)
    if objects.get("5A") == {bytes.fromhex(NUMBER)}:
        assert NUMBER not in text, "a card number in a report"
        assert NUMBER.encode().hex().upper() not in text.upper()
    if any(NAME.encode() in name for name in objects.get("5F20", ())) and len(objects["5F20"]) == 1:
        assert NAME not in text.upper(), "a name in a report"


# ── Recordings ───────────────────────────────────────────────────────────────────────────────────


def meet_recorder(data: bytes) -> None:
    """A dialogue that is written down, blackened or not, and played again."""
    choices = Choices(data)
    time = _Time(calendar=False)
    setup = choices.byte()
    inputs, inspected = _INPUTS[setup & 3], not setup >> 2 & 7
    slot = _slot_of(choices, time)
    recorder = Recorder(slot, lambda: inputs)
    made, _ = _made(choices, recorder, time, inputs)
    assert not isinstance(made, SesameError) or made is slot.raised
    code = made.digits if isinstance(made, Code) else None
    for private in (True, False):
        raw = recording(recorder.sessions, code=code, private=private)
        if not recorder.sessions:
            assert read(raw) == []
            return
        (vector,) = read(raw)
        assert isinstance(vector, dict)
        check_plain(json.dumps(vector))
        for pin in (_RIGHT, _WRONG, _LONG):
            assert block_of(pin).hex().upper() not in raw.decode(), "a PIN in a recording"
        answers = [bytes.fromhex(one["response"]) for one in vector["exchanges"]]
        kept = [answer for _, answer in slot.heard if answer is not None]
        assert [len(one) for one in answers] == [len(one) for one in kept]
        assert [one[-2:] for one in answers] == [one[-2:] for one in kept]
        if not private:
            _check_blackened(raw.decode(), kept)
        played = play(vector)
        if played.refusal is not None:
            check_plain(str(played.refusal))
        elif private and code is not None:
            assert played.shown == int(code), "another code than was recorded"
        if not inspected:
            continue
        with suppress(SesameError):
            session = Session.to_inspect(vector)
            inspection = Inspection(session.card, applications=session.applications, recorded=True)
            inspection.look()
            list(report_lines(diagnose(inspection.seen)))


def _check_blackened(text: str, said: list[bytes]) -> None:
    under: set[bytes] = set()
    named = False
    for answer in said:
        for tag, value in leaves(answer[:-2]) or ():
            under |= {value} if tag == "5A" else set()
            named = named or (tag == "5F20" and NAME.encode() in value.split(b"/"))
    if bytes.fromhex(NUMBER) in under:
        assert NUMBER not in text, "a card number in a recording"
        assert NUMBER.encode().hex().upper() not in text
    if named:
        assert NAME.encode().hex().upper() not in text, "a name in a recording"


# ── Bytes ────────────────────────────────────────────────────────────────────────────────────────


def meet_bytes(data: bytes) -> None:
    """ATR, TLV, DOL and what else is read of a card, each by itself."""
    with suppress(MalformedAtr):
        atr = decode_atr(data)
        assert len(data) <= LONGEST_ATR
        assert len(atr.historical) == data[1] & 0x0F
        assert data[2:].endswith((atr.historical, atr.historical + data[-1:]))
    found = leaves(data)
    try:
        objects = decode(data)
    except MalformedTlv as error:
        check_plain(str(error))
    else:
        assert found is not None
        assert decode(encode(objects)) == objects
        assert primitives(data) == {int(tag, 16): value for tag, value in found}
    with suppress(MalformedDol):
        dol = decode_dol(data)
        values = fill(dol, {entry.tag: data for entry in dol})
        assert len(values) == dol_length(dol) == sum(entry.length for entry in dol)
        assert set(split(dol, values)) == {entry.tag for entry in dol}
    with suppress(SesameError):
        records = decode_options(data)
        assert 1 <= len(records) <= _MOST_RECORDS
        assert all(1 <= sfi <= 30 and 1 <= number <= 255 for sfi, number in records)
    with suppress(SesameError):
        tries = decode_tries(data)
        assert tries is None or 0 <= tries <= 255
    with suppress(SesameError):
        cryptogram = Cryptogram.decode(data)
        assert cryptogram.data == answer_of(data)
    for scheme in Scheme:
        with suppress(SesameError):
            application = Application.of(primitives(data), scheme)
            for values in (application.cdol1_values(), application.cdol2_values()):
                assert len(Command(0x80, Ins.GENERATE_AC, 0x80, 0x00, values).encode()) <= 261
        with suppress(SesameError):
            assert len(pdol_values(primitives(data), scheme)) <= 127
    with suppress(SesameError):
        Validity.of(primitives(data))
        assert len(languages(primitives(data))) <= 128
    with suppress(MalformedIad):
        decode_iad(data)


MEETINGS: Mapping[str, Callable[[bytes], None]] = {
    "reader": meet_reader,
    "code": meet_code,
    "doctor": meet_doctor,
    "recorder": meet_recorder,
    "bytes": meet_bytes,
}
