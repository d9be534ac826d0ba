"""Cards in people's hands: the chip, its counters in memory, and the reader that it is put into."""

from collections.abc import Callable, Sequence
from enum import StrEnum, unique

import msgspec

from sesame.cap.profile import Profile
from sesame.cap.terminal_data import scheme_of
from sesame.cap.token import CODE_DIGITS, Code
from sesame.card.chip import Chip
from sesame.card.memory import CardImage, Counters
from sesame.card.personalisation import PAYMENT_AID
from sesame.emv.apdu import (
    AcType,
    Command,
    Response,
    generate_ac,
    get_processing_options,
    read_record,
    select,
)
from sesame.reader.application import (
    Application,
    Cryptogram,
    decode_options,
    pdol_values,
    primitives,
)
from sesame.reader.errors import CardIsMute
from sesame.reader.machine import CardInserted, Key, KeyPressed, Reader, State
from sesame.reader.slot import Clock, run


@unique
class How(StrEnum):
    """How what was typed came about."""

    RIGHT = "right"  # « Code » and the right PIN
    SIGNED = "signed"  # « Signer »
    ANSWERED = "answered"  # « Répondre », to a challenge
    WITHOUT_PIN = "without-pin"
    MISTYPED = "mistyped"
    GUESSED = "guessed"


class Made(msgspec.Struct, frozen=True):
    """Eight digits, and the truth about them. They do not print themselves."""

    code: Code
    how: How
    card: "Card | None" = None
    atc: int = 0
    challenge: Code | None = None  # that it answers, where it was of eight digits


class Opening(msgspec.Struct, frozen=True):
    """What activates a card: eight digits, and the order that they are of."""

    number: str
    order: int
    replaces: int | None  # a card, by its number

    def __repr__(self) -> str:
        return f"Opening({self.order})"


class Card:
    """A card: as a slot it takes itself in."""

    def __init__(self, number: int, profile: Profile, image: CardImage, counters: Counters) -> None:
        self.number = number  # 1, 2 … of its customer
        self.profile = profile
        self.counters = counters
        self.usable = True  # by its owner
        self.back_at: int | None = None  # when a new one comes in its place
        self.opening: Opening | None = None  # of one that came by post
        self._image = image
        self._chip: Chip | None = None

    @property
    def pin(self) -> str:
        """As its owner knows it."""
        return self._image.data.pin.digits

    @property
    def pays(self) -> bool:
        """Whether payments move its ATC."""
        return len(self._image.applications) > 1

    def power_on(self) -> bytes:
        """See `sesame.reader.slot.Slot`."""
        self._chip = Chip(self._image, self.counters, self._keep)
        return self._chip.reset()

    def transmit(self, command: Command) -> Response:
        """See `sesame.reader.slot.Slot`."""
        if self._chip is None:
            raise CardIsMute
        return Response.decode(self._chip.respond(command.encode()))

    def power_off(self) -> None:
        """See `sesame.reader.slot.Slot`."""
        self._chip = None

    def pay(self, times: int) -> None:
        """Begin so many payments: of each, the part that moves the ATC."""
        for _ in range(times):
            self.power_on()
            self.transmit(select(PAYMENT_AID))
            self.transmit(get_processing_options(b""))
        self.power_off()

    def twin_at(self, atc: int) -> "Card":
        """The same card, with *atc* next: what it would say there, without asking it."""
        counters = Counters(atc=atc - 1, pin_tries_left=self._image.pin_try_limit)
        return Card(self.number, self.profile, self._image, counters)

    def _keep(self, counters: Counters) -> None:
        self.counters = counters


def make_code(card: Card, seconds: Callable[[], float], pins: Sequence[str] = ()) -> Made | None:
    """« Code », the PINs until one is right, and the code shown; None where none is."""
    reader, clock = _at_menu(card, seconds)
    _press(reader, card, clock, Key.CODE)
    return _finish(reader, card, clock, pins or (card.pin,), How.RIGHT)


def sign(card: Card, seconds: Callable[[], float], amount: str, payee: str) -> Made | None:
    """« Signer »: *amount* in euros, *payee* of eight digits."""
    reader, clock = _at_menu(card, seconds)
    _press(reader, card, clock, Key.SIGN, *amount, Key.OK, *payee, Key.OK, Key.SIGN)
    return _finish(reader, card, clock, (card.pin,), How.SIGNED)


def answer(card: Card, seconds: Callable[[], float], challenge: str) -> Made | None:
    """« Répondre » to *challenge*."""
    reader, clock = _at_menu(card, seconds)
    _press(reader, card, clock, Key.RESPOND, *challenge, Key.OK)
    made = _finish(reader, card, clock, (card.pin,), How.ANSWERED)
    if made is None or len(challenge) < CODE_DIGITS:
        return made
    return msgspec.structs.replace(made, challenge=Code(challenge))


def make_code_without_pin(card: Card) -> Made:
    """What a thief's program makes of the cryptogram that the chip gives without a PIN."""
    card.power_on()
    aid, scheme = card.profile.aid, card.profile.scheme
    objects = primitives(card.transmit(select(aid)).data)
    scheme = scheme_of(scheme, objects)
    options = card.transmit(get_processing_options(pdol_values(objects, scheme)))
    for sfi, number in decode_options(options.data):
        objects |= primitives(card.transmit(read_record(sfi, number)).data)
    application = Application.of(objects, scheme)
    answered = card.transmit(generate_ac(AcType.ARQC, application.cdol1_values()))
    card.power_off()
    token = application.code(Cryptogram.decode(answered.data)).token
    # Its CID says that it is no ARQC: the thief sets the bit that every code has.
    forged = Code.of(token | 1 << card.profile.bits - 1)
    return Made(forged, How.WITHOUT_PIN, card, card.counters.atc)


def _at_menu(card: Card, seconds: Callable[[], float]) -> tuple[Reader, Clock]:
    reader, clock = Reader(), Clock(seconds=seconds, today=lambda: None)
    run(reader, card, CardInserted(), clock)
    return reader, clock


def _finish(reader: Reader, card: Card, clock: Clock, pins: Sequence[str], how: How) -> Made | None:
    for pin in pins:
        if reader.state is State.WRONG_PIN:
            _press(reader, card, clock, Key.OK)
        if reader.state is State.LAST_TRY:
            _press(reader, card, clock, Key.OK)
        if reader.state is not State.AWAITING_PIN:
            break
        _press(reader, card, clock, *pin, Key.OK)
    shown = reader.screen.code
    _press(reader, card, clock, Key.ON)
    if shown is None:
        return None
    return Made(Code(shown.replace(" ", "")), how, card, card.counters.atc)


def _press(reader: Reader, card: Card, clock: Clock, *keys: str) -> None:
    for key in keys:
        run(reader, card, KeyPressed(Key(key)), clock)
