"""A place to put a card, and the loop that stands between it and the machine."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from sesame.emv.apdu import Command, Response
from sesame.reader.errors import CardIsMute
from sesame.reader.machine import (
    Announce,
    CardAnswered,
    CardMute,
    CardPowered,
    Event,
    PowerOffCard,
    PowerOnCard,
    Reader,
    SendToCard,
    Show,
    VerifyOnPad,
)


class Slot(Protocol):
    """What a place to put a card must offer.

    T=0's length handling (61xx, 6Cxx) stays inside it.
    """

    def power_on(self) -> bytes:
        """Reset the card, cold.

        Returns:
            The ATR, 2 to 33 bytes.

        Raises:
            CardIsMute: nothing answers.
        """
        ...

    def transmit(self, command: Command) -> Response:
        """Send *command* and wait for the answer.

        Raises:
            CardIsMute: nothing answers any more.
        """
        ...

    def power_off(self) -> None:
        """Take the power away; without effect where there is none."""
        ...


@runtime_checkable
class PinPadSlot(Slot, Protocol):
    """A slot that may have keys of its own, where a PIN is typed that nobody else sees."""

    @property
    def pin_pad(self) -> bool:
        """Whether it has them; known once the card has power."""
        ...

    def verify_on_pad(self, command: Command) -> Response:
        """Let the PIN be typed, and send *command* with it in its empty block.

        Returns:
            The card's answer, or one of `sesame.reader.machine.NOT_TYPED`.

        Raises:
            CardIsMute: nothing answers any more.
        """
        ...


@runtime_checkable
class WatchedSlot(Slot, Protocol):
    """A slot that a hand puts a card into and takes it from, whenever it likes."""

    def card_there(self) -> bool:
        """Whether there is a card now.

        Raises:
            SesameError: nobody can tell.
        """
        ...


@runtime_checkable
class TransportSlot(Slot, Protocol):
    """A slot that knows how its card is spoken to."""

    @property
    def transport(self) -> str:
        """`T=0` or `T=1`; of a card that has power."""
        ...


def _today() -> int:
    now = datetime.now().astimezone()
    return now.year * 1_00_00 + now.month * 1_00 + now.day


@dataclass(frozen=True, slots=True)
class Clock:
    """What tells a reader the time; a test brings its own."""

    seconds: Callable[[], float] = time.monotonic
    today: Callable[[], int | None] = _today  # yyyymmdd as a number


CLOCK = Clock()


def run(reader: Reader, slot: Slot, event: Event, clock: Clock = CLOCK) -> list[Show | Announce]:
    """Hand *event* to *reader*, and do with the card in *slot* all that follows from it.

    Returns:
        What the face has to show and to say, in this order.

    Raises:
        SesameError: the slot could not do its work, for another reason than a mute card
            (another program has the card, its file is damaged). The card has no power and
            the reader takes it for mute: `reader.screen` tells what to show beside it.
    """
    for_the_face: list[Show | Announce] = []
    effects = deque(reader.handle(event, clock.seconds()))
    while effects:
        match effects.popleft():
            case PowerOffCard():
                slot.power_off()
            case PowerOnCard() | SendToCard() | VerifyOnPad() as effect:
                try:
                    answer = _answer(slot, effect, clock)
                except Exception:
                    reader.handle(CardMute(), clock.seconds())
                    slot.power_off()
                    raise
                effects += reader.handle(answer, clock.seconds())
            case shown:
                for_the_face.append(shown)
    return for_the_face


def _answer(
    slot: Slot, effect: PowerOnCard | SendToCard | VerifyOnPad, clock: Clock
) -> CardPowered | CardAnswered | CardMute:
    try:
        if isinstance(effect, SendToCard):
            return CardAnswered(slot.transmit(effect.command))
        if isinstance(effect, VerifyOnPad) and isinstance(slot, PinPadSlot):
            return CardAnswered(slot.verify_on_pad(effect.command))
        atr = slot.power_on()
        # Not by `isinstance`, which looks through the whole slot for each code.
        return CardPowered(atr, clock.today(), pin_pad=getattr(slot, "pin_pad", False))
    except CardIsMute:
        return CardMute()
