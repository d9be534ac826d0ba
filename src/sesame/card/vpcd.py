"""The protocol of the virtual reader driver `vpcd`: its frames in, a card's frames out.

The card dials the driver. Both send frames: a length of two bytes, and that many bytes. A frame
of one byte from the driver is about the card's power, any other one a command. The driver does
not document it: docs/reference/virtual-reader.md has what it was seen to do. Pure: the connection
itself is `sesame.card.plug`.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique

from sesame.card.chip import Chip
from sesame.card.transport import T0
from sesame.emv.apdu import Command, Sw
from sesame.emv.errors import MalformedApdu

_LENGTH = 2  # bytes in front of each frame
_LONGEST = 0xFFFF
_SW = 2  # bytes


@unique
class _Control(Enum):
    """What the driver says in one byte. Only the last one is answered."""

    POWER_OFF = b"\x00"
    POWER_ON = b"\x01"
    RESET = b"\x02"
    ATR = b"\x04"  # also its way to ask, more than twice a second, whether the card is there


_CONTROLS = {control.value: control for control in _Control}


@unique
class Word(StrEnum):
    """What happened to the card, as the log has it."""

    POWER_ON = "power-on"
    RESET = "reset"
    POWER_OFF = "power-off"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth a line of log: never data of a command or an answer, which hold the PIN."""

    word: Word
    command: str = ""  # its instruction's name
    sw: int = 0  # what it was answered with

    def __str__(self) -> str:
        if self.word is not Word.COMMAND:
            return self.word
        return f'{self.word} name="{self.command}" sw={self.sw:04X}'


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one frame."""

    answer: bytes | None = field(
        default=None, repr=False
    )  # to be sent; an empty one would hang the reader, and never is
    happening: Happening | None = None


class Frames:
    """Cuts what the driver sends into its frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now, 0 to 65535 bytes each."""
        self._rest += data
        frames = []
        while len(self._rest) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._rest[:_LENGTH])
            if len(self._rest) < end:
                break
            frames.append(self._rest[_LENGTH:end])
            self._rest = self._rest[end:]
        return frames


def frame(body: bytes) -> bytes:
    """*body* (at most 65535 bytes) as it goes to the driver."""
    return len(body).to_bytes(_LENGTH) + body


class PluggedCard:
    """A chip in the driver's slot, and whether it has power.

    Args:
        chip: the card; nobody else may use it meanwhile.
        atr: what it says when it gets power.
        tpdu: whether answers come as T=0 has them (`61xx`, `6Cxx`), not whole.
    """

    def __init__(self, chip: Chip, atr: bytes, *, tpdu: bool) -> None:
        self._chip = chip
        self._atr = atr
        self._t0 = T0(chip.respond)
        self._respond = self._t0.respond if tpdu else chip.respond
        self._powered = False

    def handle(self, body: bytes) -> Turn:
        """What a frame of the driver comes to.

        Raises:
            CardFileUnusable: the counters could not be kept: no answer may leave, and the card
                is to be taken out.
        """
        control = _CONTROLS.get(body)
        if control is None:
            return self._command(body)
        if control is _Control.ATR:
            return Turn(answer=self._atr)
        if control is _Control.POWER_OFF:
            return self.power_off()
        return self._power_on(Word.RESET if control is _Control.RESET else Word.POWER_ON)

    def power_off(self) -> Turn:
        """Take the power away; what there was of a dialogue is forgotten."""
        was, self._powered = self._powered, False
        self._forget()
        return Turn(happening=Happening(Word.POWER_OFF) if was else None)

    def _power_on(self, word: Word) -> Turn:
        self._powered = True
        self._forget()
        return Turn(happening=Happening(word))

    def _forget(self) -> None:
        self._chip.reset()
        self._t0.reset()

    def _command(self, raw: bytes) -> Turn:
        # A card without power would be mute, and the reader would wait for ever. The driver
        # sends no command then; whoever else does is told that this is not the time.
        answer = self._respond(raw) if self._powered else Sw.CONDITIONS_NOT_SATISFIED.to_bytes(_SW)
        happening = Happening(Word.COMMAND, _name(raw), int.from_bytes(answer[-_SW:]))
        return Turn(answer, happening)


def _name(raw: bytes) -> str:
    """The name of a command's instruction, or that it is none."""
    try:
        return Command.decode(raw).name
    except MalformedApdu:
        return "?"
