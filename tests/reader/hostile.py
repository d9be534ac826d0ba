"""A malicious card in a slot, made of bytes that a fuzzer chooses.

It begins with true answers, of recorded cards and of our own chip, and spoils some of them: bytes,
lengths, status words, objects dropped, doubled, forged, nested or moved, answers of other
commands, silence, time, loops of `61xx` and `6Cxx`. Where the bytes end it is honest, so that no
byte at all is a card that works.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sesame.card.chip import Chip
from sesame.card.memory import CardImage, Counters
from sesame.card.transport import T0
from sesame.emv.apdu import Command, Response
from sesame.emv.errors import MalformedApdu, MalformedTlv
from sesame.emv.pin import Pin, pin_block
from sesame.emv.tlv import decode, encode_one
from sesame.reader.errors import AnswerMalformed, CardIsMute, CardPulled
from sesame.reader.transport import exchange
from tests.card.cards import PAN, PIN, bank_image, payment_image, sesame_image
from tests.reader.plain import Heard

_VECTORS = Path(__file__).parent.parent / "vectors" / "traces.json"
Card = Callable[[bytes], bytes]


class Choices:
    """The fuzzer's bytes, taken one after the other; behind their end they are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return self._at >= len(self._data)

    def byte(self) -> int:
        """The next one."""
        self._at += 1
        return 0 if self._at > len(self._data) else self._data[self._at - 1]

    def below(self, number: int) -> int:
        """From 0 to *number* - 1; 0 where there is nothing to choose from."""
        return self.byte() % (number or 1)

    def of(self, things: Sequence[Any]) -> Any:  # noqa: ANN401 -- whatever they are
        """One of *things*."""
        return things[self.below(len(things))]

    def some(self) -> bytes:
        """A length, and so many bytes as far as there are any."""
        length = self.byte()
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken


# ── Cards that tell the truth ────────────────────────────────────────────────────────────────────


class Parrot:
    """A card that says what a recorded one said, and counts PIN tries."""

    def __init__(self, exchanges: Iterable[tuple[bytes, bytes]], tries: int) -> None:
        self._answers = {_question(command): answer for command, answer in exchanges}
        self._tries = tries

    def respond(self, raw: bytes) -> bytes:
        """The recorded answer, or that of a card that has no such thing."""
        if raw[1:2] == b"\x20":
            return self._verify(raw)
        if raw[1:4] == b"\xca\x9f\x17":
            return bytes.fromhex("9F1701") + bytes([self._tries]) + b"\x90\x00"
        missing = {0xA4: "6A82", 0xB2: "6A83", 0xCA: "6A88"}.get(raw[1], "6985")
        return self._answers.get(_question(raw), bytes.fromhex(missing))

    def _verify(self, raw: bytes) -> bytes:
        if not self._tries:
            return bytes.fromhex("6983")
        right = raw[5:13] == pin_block(PIN)
        self._tries = 3 if right else self._tries - 1
        return bytes.fromhex("9000") if right else bytes([0x63, 0xC0 | self._tries])


def _question(command: bytes) -> bytes:
    """What a command is about, without the data that a recorded card would have judged."""
    return command[1:] if command[1] == 0xA4 else command[1:4]


def _recorded() -> list[list[tuple[bytes, bytes]]]:
    vectors = json.loads(_VECTORS.read_text(encoding="utf-8"))["vectors"]
    return [
        [
            (bytes.fromhex(one["command"]), bytes.fromhex(one["response"]))
            for one in vector["exchanges"]
            if one["step"] != "VERIFY"
        ]
        for vector in vectors
        if vector["exchanges"][0]["step"] == "SELECT"
    ]


_RECORDED = _recorded()
_IMAGES = (sesame_image(), bank_image(), payment_image())


def true_card(choices: Choices) -> Card:
    """One of our chips, or of the recorded cards, with so many tries left."""
    choice = choices.byte()
    kinds: list[CardImage | list[tuple[bytes, bytes]]] = [*_IMAGES, *_RECORDED]
    kind, tries = kinds[choice % len(kinds)], (3, 2, 1, 0)[choice // len(kinds) % 4]
    if isinstance(kind, list):
        return Parrot(kind, tries).respond
    chip = Chip(kind, Counters(atc=6, pin_tries_left=tries), lambda _: None)
    chip.reset()
    return chip.respond


# ── What is done to their answers ────────────────────────────────────────────────────────────────

# What our own chips keep from the public; recorded cards have other numbers.
NUMBER = PAN.digits
NAME = "ELODIE"
_SWS = (
    *("9000", "6100", "6101", "61FF", "6C00", "6C01", "6CFF", "6283", "6300", "63C0", "63C1"),
    *("63C2", "63CF", "6400", "6401", "6403", "6700", "6982", "6983", "6984", "6985", "6A81"),
    *("6A82", "6A83", "6A86", "6A88", "6D00", "6E00", "6F00", "FFFF", "0000"),
)
TAGS = (
    *("50", "4F", "56", "57", "5A", "61", "6F", "70", "77", "80", "82", "83", "84", "87", "88"),
    *("8C", "8D", "8E", "93", "94", "A5", "BF0C", "DF07", "5F20", "5F24", "5F25", "5F28", "5F2C"),
    *("5F2D", "5F34", "5F50", "5F53", "9F0B", "9F10", "9F11", "9F12", "9F13", "9F17", "9F1F"),
    *("9F20", "9F26", "9F27", "9F36", "9F37", "9F38", "9F46", "9F55", "9F56", "9F6B", "1F818101"),
)
_BAD_TEXT = ("\x1b[2J\x1b]0;x\x07", "\u202e\u2066<script>", "{0}{finding}%s\r\n", "\x9b31m\x00")
_VALUES: tuple[Callable[[Choices], bytes], ...] = (
    Choices.some,
    lambda choices: bytes([choices.byte()]) * choices.byte(),
    lambda choices: choices.of(_BAD_TEXT).encode(),
    lambda _: bytes.fromhex(NUMBER),
    lambda _: NUMBER.encode(),
    lambda _: NAME.encode(),
    lambda choices: bytes([8 * (1 + choices.below(31)), 1, 255, 0]) * choices.below(64),
    lambda choices: bytes.fromhex("9F37") + bytes([choices.byte()]),
    lambda choices: b"\x95\x05" * choices.byte(),
    lambda choices: bytes.fromhex("A0000000038002") + bytes([choices.byte()]),
    lambda choices: b"\xff" * choices.below(64) + choices.some(),
    lambda _: bytes.fromhex("0056"),  # Belgium, and
    lambda choices: b"BKS056" + choices.some(),  # its banks
)

Tree = list[tuple[int, "bytes | Tree"]]


def _tree(data: bytes) -> Tree:
    return [(o.tag, _tree(o.value) if o.constructed else o.value) for o in decode(data)]


def _flat(tree: Tree) -> bytes:
    return b"".join(
        encode_one(tag, value if isinstance(value, bytes) else _flat(value)) for tag, value in tree
    )


def _places(tree: Tree) -> list[tuple[Tree, int]]:
    """Every object of *tree*: the list that it stands in, and where."""
    found: list[tuple[Tree, int]] = []
    for at, (_, value) in enumerate(tree):
        found.append((tree, at))
        if not isinstance(value, bytes):
            found += _places(value)
    return found


def _wrapped(where: Tree, at: int, choices: Choices) -> None:
    for _ in range(choices.below(120)):
        where[at] = (0x70, [where[at]])


# What becomes of an object: another value, nothing, a rival, the last place, another name, deep
# templates, a neighbour, a double.
_SPOILT_OBJECTS: tuple[Callable[[Tree, int, Choices], None], ...] = (
    lambda where, at, choices: where.__setitem__(at, (where[at][0], _value(choices))),
    lambda where, at, _: where.__delitem__(at),
    lambda where, at, choices: where.insert(
        choices.below(len(where)), (where[at][0], _value(choices))
    ),
    lambda where, at, _: where.append(where.pop(at)),
    lambda where, at, choices: where.__setitem__(at, (_tag(choices), where[at][1])),
    _wrapped,
    lambda where, _, choices: where.append((_tag(choices), _value(choices))),
    lambda where, at, _: where.append(where[at]),
)


def _spoiled_tree(data: bytes, choices: Choices) -> bytes:
    """*data* with one of its objects spoilt; what is no TLV stays as it is."""
    try:
        tree = _tree(data)
    except MalformedTlv:
        return data
    places = _places(tree)
    if not places:
        return _flat([(_tag(choices), _value(choices))])
    where, at = choices.of(places)
    _SPOILT_OBJECTS[choices.below(len(_SPOILT_OBJECTS))](where, at, choices)
    return _flat(tree)


def _tag(choices: Choices) -> int:
    return int(choices.of(TAGS), 16)


def _value(choices: Choices) -> bytes:
    made: bytes = choices.of(_VALUES)(choices)
    return made


def _one_byte(data: bytes, sw: bytes, choices: Choices) -> bytes:
    answer = data + sw
    at = choices.below(len(answer))
    return answer[:at] + bytes([choices.byte()]) + answer[at + 1 :]


def _sw(choices: Choices) -> bytes:
    return bytes.fromhex(choices.of(_SWS))


# Another status word, that alone, a byte, too short, too long, anything that is good, anything.
_SPOILT_ANSWERS: tuple[Callable[[bytes, bytes, Choices], bytes], ...] = (
    lambda data, _, choices: data + _sw(choices),
    lambda _data, _status, choices: _sw(choices),
    _one_byte,
    lambda data, sw, choices: data[: choices.below(len(data))] + sw,
    lambda data, sw, choices: data + choices.some() + sw,
    lambda _data, _status, choices: choices.some() + b"\x90\x00",
    lambda _data, _status, choices: choices.some(),
)


class HostileSlot:
    """A slot with a malicious card in it.

    Args:
        card: what tells the truth.
        choices: how it is spoilt.
        protocol: 0 or 1 of T=, whose lengths the reader has to handle; None: it has not.
        passed: told of the seconds that an answer takes.
        typed: what somebody types on the slot's keys, if it has any; an empty PIN is not typed.
    """

    def __init__(
        self,
        card: Card,
        choices: Choices,
        protocol: int | None,
        passed: Callable[[float], None] = lambda _: None,
        typed: Callable[[], Pin | None] | None = None,
    ) -> None:
        self._card = T0(card).respond if protocol == 0 else card
        self._choices = choices
        self._protocol = protocol
        self._passed = passed
        self._typed = typed
        self._old: list[bytes] = []  # answers
        self._pulled = False
        self.powered = False
        self.wire: list[bytes] = []  # commands since power on, as they went over the contacts
        self.heard: list[Heard] = []  # whole exchanges since power on
        self.raised: Exception | None = None  # the slot's last error
        self.sessions = 0

    @property
    def pin_pad(self) -> bool:
        """Whether the slot has keys of its own."""
        return self._typed is not None

    def power_on(self) -> bytes:
        """Some ATR, mostly one."""
        self.wire, self.heard, self._pulled = [], [], False
        self.sessions += 1
        match self._choices.byte():
            case 255:
                raise self._error(CardIsMute())
            case 254:
                raise self._error(CardPulled("reader"))
            case 253:
                atr = self._choices.some()
            case 252:
                atr = bytes.fromhex(f"3B68{NUMBER}")
            case _:
                atr = bytes.fromhex("3B65000065046C9000")
        self.powered = True
        return atr

    def power_off(self) -> None:
        """Nothing is said any more."""
        self.powered = False

    def transmit(self, command: Command) -> Response:
        """The spoilt answer."""
        return self._exchanged(command)

    def verify_on_pad(self, command: Command) -> Response:
        """Somebody types a PIN, or nobody does."""
        assert self._typed is not None
        assert command.data == bytes.fromhex("20FFFFFFFFFFFFFF"), "the computer knows a PIN"
        pin = self._typed()
        if pin is None:
            return Response(0x6401)
        return self._exchanged(Command(command.cla, command.ins, 0, 0x80, pin_block(pin)))

    def _exchanged(self, command: Command) -> Response:
        assert self.powered, "a card without power was asked something"
        heard: Heard = (command.encode(), None)
        try:
            if self._protocol is None:
                response = Response.decode(self._send(command.encode()))
            else:
                response = exchange(command, self._send, t0=self._protocol == 0)
        except MalformedApdu as error:
            raise self._error(AnswerMalformed(str(error))) from None
        else:
            heard = (command.encode(), response.encode())
            return response
        finally:
            self.heard.append(heard)

    def _send(self, raw: bytes) -> bytes:
        self.wire.append(raw)
        if self._pulled:
            raise self._error(CardIsMute())
        answer = self._card(raw)
        choice = self._choices.byte()
        while choice:
            answer = self._spoiled(answer, choice & 0x7F)
            choice = self._choices.byte() if choice & 0x80 else 0
        self._old.append(answer)
        return answer

    def _spoiled(self, answer: bytes, choice: int) -> bytes:
        choices = self._choices
        match choice % 16:
            case number if number < len(_SPOILT_ANSWERS):
                return _SPOILT_ANSWERS[number](answer[:-2], answer[-2:], choices)
            case 7:  # another answer
                return bytes(choices.of(self._old)) if self._old else answer
            case 8:
                self._passed(choices.byte())
                return answer
            case 9:
                raise self._error(CardIsMute())
            case 10:
                self._pulled = True
                raise self._error(CardPulled("reader"))
        return _spoiled_tree(answer[:-2], choices) + answer[-2:]

    def _error(self, error: Exception) -> Exception:
        self.raised = error
        return error
