"""A reader on the table: in its slot a card that says what the test lets it say, and a clock."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sesame.catalogue import Language
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, encode_one
from sesame.reader.errors import CardIsMute
from sesame.reader.machine import (
    Announce,
    Asked,
    CardInserted,
    CardRemoved,
    Event,
    Key,
    KeyPressed,
    Reader,
    Screen,
    State,
    Tick,
)
from sesame.reader.screens import lines
from sesame.reader.slot import Clock, run

TODAY = 20261123


@dataclass(frozen=True)
class Exchange:
    """One command of a recorded session, and its answer."""

    asked: Asked
    command: Command
    response: Response


def _recorded() -> tuple[bytes, tuple[Exchange, ...], str, str]:
    path = Path(__file__).parent.parent / "vectors" / "visa_dpa_fr.toml"
    vector = tomllib.loads(path.read_text(encoding="utf-8"))
    exchanges = tuple(
        Exchange(
            Asked(one["step"]),
            Command.decode(bytes.fromhex(one["command"])),
            Response.decode(bytes.fromhex(one["response"])),
        )
        for one in vector["exchange"]
    )
    return bytes.fromhex(vector["atr"]), exchanges, vector["pin"], vector["code"]


# The recorded French card: all cards of these tests are this one with other answers.
ATR, EXCHANGES, PIN, CODE = _recorded()
# The objects of its one record, by tag.
OBJECTS = {o.tag: o.value for o in decode(EXCHANGES[2].response.data)[0].children()}


def record(**changes: bytes | None) -> Response:
    """The card's record with some values changed, added, or (None) left out."""
    objects = dict(OBJECTS)
    for name, value in changes.items():
        if value is None:
            del objects[Tag[name]]
        else:
            objects[Tag[name]] = value
    content = b"".join(encode_one(tag, value) for tag, value in objects.items())
    return Response(0x9000, encode_one(Tag.RECORD_TEMPLATE, content))


def tries(left: int) -> Response:
    """The answer to GET DATA: so many tries are left."""
    return Response(0x9000, bytes.fromhex("9F1701") + bytes([left]))


def asked_by(command: Command) -> Asked:
    """What *command* asks."""
    if command.ins == Ins.GENERATE_AC:
        return Asked.ARQC if command.p1 else Asked.AAC
    return {
        Ins.SELECT: Asked.APPLICATION,
        Ins.GET_PROCESSING_OPTIONS: Asked.OPTIONS,
        Ins.READ_RECORD: Asked.RECORD,
        Ins.GET_DATA: Asked.TRIES,
        Ins.VERIFY: Asked.PIN,
    }[Ins(command.ins)]


class CardStub:
    """A slot with the recorded card in it; `answers` says what it answers to what."""

    def __init__(self) -> None:
        self.answers = {exchange.asked: exchange.response for exchange in EXCHANGES}
        self.answers[Asked.PAD] = self.answers[Asked.PIN]
        self.pin_pad = False
        self.typed_on_pad: list[Command] = []
        self.sent: list[Command] = []
        self.mute = False
        self.powered = False
        self.times_on = 0
        self.before_answer: Callable[[Command], None] = lambda _: None

    def power_on(self) -> bytes:
        """The ATR, unless the card is mute."""
        self.times_on += 1
        if self.mute:
            raise CardIsMute
        self.powered = True
        return ATR

    def transmit(self, command: Command) -> Response:
        """The answer that stands in `answers`."""
        assert self.powered, "a command to a card without power"
        self.sent.append(command)
        self.before_answer(command)
        if self.mute:
            raise CardIsMute
        return self.answers[asked_by(command)]

    def verify_on_pad(self, command: Command) -> Response:
        """The answer that stands in `answers`, to a PIN that nobody else has seen."""
        assert self.pin_pad
        assert self.powered, "a command to a card without power"
        self.typed_on_pad.append(command)
        self.before_answer(command)
        if self.mute:
            raise CardIsMute
        return self.answers[Asked.PAD]

    def power_off(self) -> None:
        """Nothing is left of it."""
        self.powered = False


class Table:
    """Somebody at a table: reader, card and clock."""

    def __init__(self, reader: Reader | None = None) -> None:
        self.reader = reader or Reader()
        self.card = CardStub()
        self.seconds = 1000.0
        self.announced: list[int] = []
        self.shown: list[Screen] = []
        self.clock = Clock(seconds=lambda: self.seconds, today=lambda: TODAY)

    def state(self) -> State:
        """Where the dialogue stands; a call, so that no type checker thinks it stays so."""
        return self.reader.state

    @property
    def words(self) -> str:
        """What the display says, its lines parted by bars."""
        return " / ".join(lines(self.reader.screen))

    def happen(self, event: Event) -> None:
        """Let *event* happen, to the end."""
        for effect in run(self.reader, self.card, event, self.clock):
            if isinstance(effect, Announce):
                self.announced.append(effect.seconds)
            else:
                self.shown.append(effect.screen)

    def insert(self) -> None:
        """Put the card in."""
        self.happen(CardInserted())

    def remove(self) -> None:
        """Take the card out."""
        self.happen(CardRemoved())

    def press(self, *keys: str) -> None:
        """Press keys; several digits may stand in one word."""
        for key in _keys(keys):
            self.happen(KeyPressed(key))

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick whenever one is due."""
        end = self.seconds + seconds
        while (due := self.reader.deadline) is not None and due <= end:
            self.seconds = due
            self.happen(Tick())
        self.seconds = end

    def make_code(self) -> None:
        """The dialogue of the leaflet, as far as the reader goes along."""
        self.insert()
        if self.reader.state is State.MENU:
            self.press("code")
        if self.reader.state is State.PIN_ON_PAD:
            self.press("ok")
        if self.reader.state is State.AWAITING_PIN:
            self.press(PIN, "ok")


def _keys(words: tuple[str, ...]) -> Iterator[Key]:
    for word in words:
        yield from map(Key, word) if word.isdecimal() else [Key(word)]


def both(french: str, english: str) -> pytest.MarkDecorator:
    """Run a test in both languages, with the words that it expects."""
    return pytest.mark.parametrize(
        ("language", "words"),
        [(Language.FRENCH, french), (Language.ENGLISH, english)],
        ids=["fr", "en"],
    )
