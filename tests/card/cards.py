"""Cards for the tests, and a hand that puts commands to them. All keys and PINs are public."""

from dataclasses import dataclass, field, replace
from datetime import date

from sesame.card.chip import Chip
from sesame.card.memory import Application, CardData, CardImage, Counters
from sesame.card.personalisation import bank_card, payment_card, sesame_card
from sesame.emv.apdu import AcType, Command, Response, generate_ac, select
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin, pin_block

PIN = Pin("1234")
WRONG_PIN = Pin("4321")
DKI = 0x01
DPA_KEY = DesKey(bytes.fromhex("0123456789ABCDEF 1032547698BADCFE"))
PAYMENT_KEY = DesKey(bytes.fromhex("FEDCBA9876543210 89ABCDEF01234567"))
PAN = Pan("999999012345678" + luhn_digit("999999012345678"))  # 9: no bank's numbers
DATA = CardData(
    name="MARTIN/ELODIE",
    pan=PAN,
    pin=PIN,
    effective=date(2025, 1, 1),
    expiry=date(2029, 12, 31),
)

NEW = Counters(atc=0, pin_tries_left=3)

DPA = bytes.fromhex("A0000000038002")
PAYMENT = bytes.fromhex("A0000000031010")
DIRECTORY = b"1PAY.SYS.DDF01"

# What a reader fills into the recorded lists for DPA: TVR 80…, date 010101, all else zeros.
CDOL1_DATA = bytes.fromhex("0000000000000000000000000000800000000000000101010000000000")
CDOL2_DATA = b"Z3" + CDOL1_DATA


def sesame_image() -> CardImage:
    """A Sésame card's image."""
    return sesame_card(DATA, dki=DKI, dpa_key=DPA_KEY)[0]


def bank_image() -> CardImage:
    """A bank card's image."""
    return bank_card(DATA, dki=DKI, dpa_key=DPA_KEY, payment_key=PAYMENT_KEY)[0]


def payment_image() -> CardImage:
    """A payment card's image."""
    return payment_card(DATA, dki=DKI, payment_key=PAYMENT_KEY)[0]


def with_application(image: CardImage, application: Application) -> CardImage:
    """*image* with this application alone."""
    return replace(image, applications=(application,))


@dataclass
class Hand:
    """A chip, and every value that it made durable, in order."""

    image: CardImage = field(default_factory=sesame_image)
    counters: Counters = NEW
    kept: list[Counters] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Chip(self.image, self.counters, self.kept.append)
        self.chip.reset()

    @property
    def last(self) -> Counters:
        """The counters on the card's disk."""
        return self.kept[-1] if self.kept else self.counters

    def send(self, command: Command) -> Response:
        """What the chip answers."""
        return Response.decode(self.chip.respond(command.encode()))

    def sw(self, command: Command) -> int:
        """The status word alone."""
        return self.send(command).sw

    def begin(self, aid: bytes = DPA) -> None:
        """SELECT and GPO."""
        assert self.sw(select(aid)) == 0x9000
        assert self.sw(GPO) == 0x9000

    def first_ac(self, kind: AcType = AcType.ARQC) -> Response:
        """The first GENERATE AC, as a reader asks for it."""
        return self.send(generate_ac(kind, CDOL1_DATA))

    def second_ac(self, kind: AcType = AcType.AAC) -> Response:
        """The second GENERATE AC, as a reader closes with it."""
        return self.send(generate_ac(kind, CDOL2_DATA))


GPO = Command(0x80, 0xA8, 0x00, 0x00, bytes.fromhex("8300"))
RIGHT = Command(0x00, 0x20, 0x00, 0x80, pin_block(PIN))
WRONG = Command(0x00, 0x20, 0x00, 0x80, pin_block(WRONG_PIN))
