"""A device on the table: a card from a file, and a clock that the test moves."""

from pathlib import Path

from sesame.cap.mode import LOGIN, Inputs, signature
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, match
from sesame.card.memory import Counters
from sesame.catalogue import Language
from sesame.errors import SesameError
from sesame.reader.machine import DisplayTime, Event, Key, KeyPressed, Reader, State
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from sesame.terminal.device import Device
from tests.reader.cards import DKI, DPA_KEY, PIN, PROFILES, WRONG, card_file

TODAY = 20261123
RIGHT, FALSE = PIN.digits, WRONG.digits

# 1250,50 euros to an account that ends in 34567890.
SIGNED = signature(PROFILES["sesame"].iaf, amount=1250_50, payee="34567890", currency="978")


class Table:
    """Somebody at a table with a card and a device, the card in it."""

    def __init__(
        self,
        folder: Path,
        language: Language = Language.FRENCH,
        display_time: DisplayTime = DisplayTime.SHORT,
        atc: int = 0,
    ) -> None:
        self.seconds = 1000.0
        self.card = card_file(folder, "sesame", counters=Counters(atc=atc, pin_tries_left=3))
        clock = Clock(seconds=lambda: self.seconds, today=lambda: TODAY)
        reader = Reader(language=language, display_time=display_time)
        self.device = Device(reader, VirtualSlot(self.card), clock)
        self.device.insert()

    def seen(self) -> tuple[State, bool]:
        """Where the dialogue stands, and whether the card is in."""
        return self.device.screen.state, self.device.card_in

    def press(self, *keys: str) -> None:
        """Press keys; several digits may stand in one word."""
        for word in keys:
            for key in word if word.isdecimal() else [word]:
                self.happen(KeyPressed(Key(key)))

    def happen(self, event: Event) -> None:
        """Let *event* happen."""
        self.device.handle(event)


def explain(error: SesameError) -> str:
    """A sentence for a person."""
    return f"ERREUR {type(error).__name__}"


def verifies(digits: str, atc: int, inputs: Inputs = LOGIN) -> bool:
    """Whether *digits* are the code of *inputs* that the card makes at this ATC."""
    card = KeyedCard(PROFILES["sesame"], DKI, "00", DPA_KEY)
    return match(card, [atc], Code(digits.replace(" ", "")), inputs) == [True]
