"""The reader as a machine: events in, effects out, and one table of what may happen when.

Pure. It waits for nothing: a face brings keys and time, a slot brings the card's answers, and
both carry out the effects. The dialogue with the card is docs/reference/emv-cap.md, section 4;
the states are the rows of docs/reference/requirements.md, section 4.2.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique
from types import MappingProxyType
from typing import ClassVar

from sesame.cap.mode import LOGIN, LONGEST_CHALLENGE, Iaf, Inputs, Mode, signature
from sesame.cap.terminal_data import AIDS, Scheme, scheme_of
from sesame.cap.token import Code, show
from sesame.catalogue import Language
from sesame.emv.apdu import (
    AcType,
    Command,
    Ins,
    Response,
    Sw,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
    tries_left,
    verify,
)
from sesame.emv.errors import CardRefused, MalformedPin
from sesame.emv.pin import EMPTY_PIN_BLOCK, Pin, pin_block
from sesame.emv.tags import Tag
from sesame.errors import SesameError
from sesame.reader.application import (
    Application,
    Cryptogram,
    Record,
    Validity,
    decode_options,
    decode_tries,
    languages,
    pdol_values,
    primitives,
)
from sesame.reader.consent import may_be_last
from sesame.reader.errors import CardUnfit

NOTICE = 3.0  # seconds that « CARTE RETIRÉE » stays
PAYEE = 8  # digits: the last ones of the payee's account
_CODE_WARNINGS = (10, 5)  # seconds before the code goes
_IDLE_WARNINGS = (5,)
# What a PIN pad answers in the card's place, PC/SC part 10, 2.6.1: the time is over, cancelled,
# too short or too long. A card may answer the same to a PIN: only its count of tries tells.
NOT_TYPED = frozenset({0x6400, 0x6401, 0x6403})
_EURO = "978"  # ISO 4217
_LANGUAGES = frozenset(Language)


@unique
class State(StrEnum):
    """Where the dialogue stands; in brackets the row of docs/reference/requirements.md, 4.2.

    Row 1, the self-check, takes no time: it is the step out of OFF.
    """

    OFF = "off"  # [0]
    AWAITING_CARD = "awaiting-card"  # [3]
    READING = "reading"  # [2] everything that the card tells before the PIN
    MENU = "menu"  # [4]
    AWAITING_CHALLENGE = "awaiting-challenge"  # [23] of « Répondre »
    AWAITING_AMOUNT = "awaiting-amount"  # [10] of « Signer », as the two below
    AWAITING_PAYEE = "awaiting-payee"  # [11]
    CONFIRMING = "confirming"  # [12] what is about to be signed
    LAST_TRY = "last-try"  # [5] the warning before the PIN: this may be the last one
    AWAITING_PIN = "awaiting-pin"  # [5]
    PIN_ON_PAD = "pin-on-pad"  # [5] where the slot has keys of its own: typed there, unseen by us
    VERIFYING = "verifying"  # [6]
    COMPUTING = "computing"  # [7] between the first GENERATE AC and the answer to the second
    WRONG_PIN = "wrong-pin"  # [8]
    CODE_SHOWN = "code-shown"  # [9]
    RESPONSE_SHOWN = "response-shown"  # [24] to a challenge
    SIGNATURE_SHOWN = "signature-shown"  # [13]
    CARD_BLOCKED = "card-blocked"  # [14]
    CARD_MUTE = "card-mute"  # [15]
    CARD_UNKNOWN = "card-unknown"  # [16] no application that makes codes
    CARD_UNFIT = "card-unfit"  # [16] one that cannot make them
    CARD_REFUSED = "card-refused"  # [16] one that will not, this time
    CARD_EXPIRED = "card-expired"  # [17]
    CARD_NOT_YET_VALID = "card-not-yet-valid"  # [17]
    CARD_REMOVED = "card-removed"  # [19]
    BATTERY_WEAK = "battery-weak"  # [20]
    BATTERY_EMPTY = "battery-empty"  # [20]


ON = frozenset(State) - {State.OFF}
# Here a code is to be read, whatever it was made for.
SHOWN = frozenset({State.CODE_SHOWN, State.RESPONSE_SHOWN, State.SIGNATURE_SHOWN})
_SHOWN_FOR: Mapping[Mode, State] = {
    Mode.M1: State.SIGNATURE_SHOWN,
    Mode.M2: State.CODE_SHOWN,
    Mode.TDS: State.SIGNATURE_SHOWN,
    Mode.M3: State.RESPONSE_SHOWN,
}
# Here the card has power; everywhere else nobody keeps it from another program.
POWERED = frozenset(
    {
        State.READING,
        State.MENU,
        State.AWAITING_CHALLENGE,
        State.AWAITING_AMOUNT,
        State.AWAITING_PAYEE,
        State.CONFIRMING,
        State.LAST_TRY,
        State.AWAITING_PIN,
        State.PIN_ON_PAD,
        State.VERIFYING,
        State.COMPUTING,
        State.WRONG_PIN,
    }
)
# Here the card is working.
ANSWERING = frozenset({State.READING, State.VERIFYING, State.COMPUTING})
# A key that was pressed before these were shown is no answer to what comes of them. Of READING
# comes the menu, which agrees to nothing: who knows it may type ahead.
_READ_FIRST = frozenset({State.VERIFYING, State.COMPUTING, State.LAST_TRY})
# Here nothing can be done with the card but take it out.
USELESS = frozenset(
    {
        State.CARD_MUTE,
        State.CARD_UNKNOWN,
        State.CARD_UNFIT,
        State.CARD_REFUSED,
        State.CARD_EXPIRED,
        State.CARD_NOT_YET_VALID,
    }
)
_WITH_CODE = SHOWN | {State.COMPUTING}
_WITH_INPUTS = POWERED - {State.READING, State.MENU}
_OF_NO_CARD = frozenset({State.OFF, State.AWAITING_CARD, State.READING})  # whose language it was
_KEPT_ON_BY_KEYS = ON - SHOWN - {State.CARD_REMOVED}
_SELF_CHECKED = (State.READING, State.BATTERY_WEAK, State.BATTERY_EMPTY)
_PIN_TYPED = (State.AWAITING_PIN, State.PIN_ON_PAD)
_ASKED_FOR = (State.LAST_TRY, *_PIN_TYPED)  # the PIN, once it is clear what for
_JUDGED = (State.COMPUTING, State.WRONG_PIN, State.CARD_BLOCKED, State.CARD_UNFIT)  # the PIN
_BEFORE_PIN = (State.MENU, State.AWAITING_CHALLENGE, State.CONFIRMING)
# What may be typed, as far as it has come. An amount is in euros, 9 999 999,99 at most.
_TYPED: Mapping[State, re.Pattern[str]] = {
    State.AWAITING_CHALLENGE: re.compile(rf"[0-9]{{1,{LONGEST_CHALLENGE}}}"),
    State.AWAITING_AMOUNT: re.compile(r"(0|[1-9][0-9]{0,6})(,[0-9]{0,2})?"),
    State.AWAITING_PAYEE: re.compile(rf"[0-9]{{1,{PAYEE}}}"),
    State.AWAITING_PIN: re.compile(r"[0-9]{1,12}"),
}


@unique
class Key(StrEnum):
    """The keys of the reader."""

    DIGIT_0 = "0"
    DIGIT_1 = "1"
    DIGIT_2 = "2"
    DIGIT_3 = "3"
    DIGIT_4 = "4"
    DIGIT_5 = "5"
    DIGIT_6 = "6"
    DIGIT_7 = "7"
    DIGIT_8 = "8"
    DIGIT_9 = "9"
    CODE = "code"
    RESPOND = "respond"
    SIGN = "sign"
    COMMA = ","  # before the cents, whatever the language writes there
    OK = "ok"
    CORRECTION = "c"
    ON = "on"  # on and off


DIGITS = tuple(key for key in Key if key.isdecimal())


@unique
class Battery(StrEnum):
    """What the self-check finds."""

    GOOD = "good"
    WEAK = "weak"  # will do for one exchange
    EMPTY = "empty"  # would fail in the middle of one, and that can harm the card


@unique
class DisplayTime(StrEnum):
    """How long a code stays, and how long the reader waits for somebody who does nothing."""

    SHORT = "35"
    LONG = "90"
    UNTIL_KEY = "until-key"  # the code; the reader waits longest then

    @property
    def of_code(self) -> int | None:
        """Seconds that a code stays; None where only a key ends it."""
        return {DisplayTime.SHORT: 35, DisplayTime.LONG: 90}.get(self)

    @property
    def idle(self) -> int:
        """Seconds without a key after which every other state switches off."""
        return self.of_code or 350


# ── Events ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CardInserted:
    """Something was put into the slot."""


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """The slot is empty again."""


@dataclass(frozen=True, slots=True)
class CardPowered:
    """The card has answered the reset.

    `today` is the reader's date, yyyymmdd as a number: None in a reader without a calendar,
    which leaves it to the bank whether a card has expired. `pin_pad`: the slot has keys of its
    own, and the PIN is typed there.
    """

    atr: bytes
    today: int | None = None
    pin_pad: bool = False


@dataclass(frozen=True, slots=True)
class CardMute:
    """No answer, to the reset or to a command."""


@dataclass(frozen=True, slots=True)
class CardAnswered:
    """The card's answer to the last command."""

    response: Response


@dataclass(frozen=True, slots=True, repr=False)
class KeyPressed:
    """A key went down. The event does not print itself: keys are PINs."""

    key: Key


@dataclass(frozen=True, slots=True, repr=False)
class KeyHeld:
    """A key was kept down for a second or so; its KeyPressed came before."""

    key: Key


@dataclass(frozen=True, slots=True)
class FunctionChosen:
    """A program asks for a code of *inputs*, without the keys for it; the PIN is typed as ever."""

    inputs: Inputs


@dataclass(frozen=True, slots=True)
class PadShown:
    """A face has shown that the PIN is typed on the slot's keys: they may be asked for it."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; due when `Reader.deadline` has come."""


Event = (
    CardInserted
    | CardRemoved
    | CardPowered
    | CardMute
    | CardAnswered
    | KeyPressed
    | KeyHeld
    | FunctionChosen
    | PadShown
    | Tick
)


# ── Effects ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PowerOnCard:
    """Give power to the card: CardPowered or CardMute follows."""


@dataclass(frozen=True, slots=True)
class SendToCard:
    """Transmit *command*: CardAnswered or CardMute follows."""

    command: Command


@dataclass(frozen=True, slots=True)
class VerifyOnPad:
    """Have the PIN typed on the slot's keys, and sent in the empty block of *command*.

    CardAnswered or CardMute follows; besides the card's answers there are those of `NOT_TYPED`.
    """

    command: Command


@dataclass(frozen=True, slots=True)
class PowerOffCard:
    """Take the power from the card; nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What the display has to tell; `sesame.reader.screens` finds the words for it."""

    state: State
    language: Language
    typed: int = 0  # digits of the PIN so far
    entered: str = ""  # the challenge, amount ("12,5") or payee so far, where one is asked for
    too_short: bool = False  # OK came before all digits were there
    zero: bool = False  # OK came after nothing but zeros, which are refused
    too_long: bool = False  # a digit more than there may be, which was not taken
    amount: int = 0  # cents of a euro, to be confirmed
    payee: str = ""  # 8 digits, to be confirmed
    tries_left: int | None = None  # of the PIN, where the card has said it
    mute_times: int = 0  # in a row, this one included
    last4: str = ""  # digits of the card number, in the menu
    code: str | None = field(default=None, repr=False)  # "0000 0000"
    large: bool = False  # the code is to be as large as it can be
    lasts: int | None = None  # seconds that the code stays in all; None where a key ends it
    # When the code goes, or a state that ends soon: in the seconds of `handle`. It is no change
    # of what is to be read, so no Show comes for it.
    ends_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Show:
    """The display changes."""

    screen: Screen


@dataclass(frozen=True, slots=True)
class Announce:
    """Say that so many seconds are left before the reader switches off."""

    seconds: int


Effect = PowerOnCard | SendToCard | VerifyOnPad | PowerOffCard | Show | Announce


def voids_keys(effects: Iterable[Effect]) -> bool:
    """Whether keys that were pressed before *effects* were shown must not count any more.

    The card has answered meanwhile, or there is a warning to be read. A face throws them away;
    ON and off it may let pass.
    """
    return any(isinstance(one, Show) and one.screen.state in _READ_FIRST for one in effects)


# ── The machine ──────────────────────────────────────────────────────────────────────────────────


@unique
class Asked(Enum):
    """What the card has been asked; its answer is looked up in the table under this name."""

    APPLICATION = "SELECT"
    OPTIONS = "GET PROCESSING OPTIONS"
    RECORD = "READ RECORD"
    TRIES = "GET DATA"
    PIN = "VERIFY"
    PAD = "PIN pad"
    ARQC = "first GENERATE AC"
    AAC = "second GENERATE AC"


# What a state waits for: a key, the answer to what was asked, or another event.
Trigger = Key | Asked | type[Event]


@dataclass(frozen=True, slots=True)
class Transition:
    """What the reader does, and the states that it may be in afterwards."""

    action: Callable[..., list[Effect]]  # of a Reader and the event
    to: tuple[State, ...]


def _to(action: Callable[..., list[Effect]], *to: State) -> Transition:
    return Transition(action, to)


def _each(
    states: Iterable[State], triggers: Iterable[Trigger], transition: Transition
) -> dict[tuple[State, Trigger], Transition]:
    return {(state, trigger): transition for state in states for trigger in triggers}


def _staying(
    states: Iterable[State],
    triggers: Iterable[Trigger],
    action: Callable[..., list[Effect]],
    *to: State,
) -> dict[tuple[State, Trigger], Transition]:
    """Rows that may leave each of *states* as it is."""
    triggers = tuple(triggers)
    return {(state, trigger): _to(action, state, *to) for state in states for trigger in triggers}


@dataclass(slots=True, repr=False)
class _Card:
    """What the reader knows of the card in its slot; forgotten with the card's power."""

    today: int | None = None
    pin_pad: bool = False
    aids: list[tuple[bytes, Scheme]] = field(default_factory=list)  # still to be tried
    refused: bool = False  # an application was there, and is closed
    scheme: Scheme = field(init=False)  # of the application that was tried last
    objects: dict[int, bytes] = field(default_factory=dict)  # by tag, until all records are read
    records: list[Record] = field(default_factory=list)  # still to be read
    application: Application = field(init=False)  # once its records are read
    last4: str = ""
    tries_left: int | None = None


class Reader:
    """A hand-held reader, switched off and empty.

    `language` is what its holder has chosen; None leaves the choice to the card, and is
    French until there is one. `display_time` is the holder's choice too: it may change while a
    code is shown, and counts from when the code came. `battery` may change at any time, as
    batteries do. `applications` are the AIDs that it tries, in their order.
    """

    def __init__(
        self,
        *,
        language: Language | None = None,
        display_time: DisplayTime = DisplayTime.SHORT,
        battery: Battery = Battery.GOOD,
        applications: Mapping[bytes, Scheme] = AIDS,
    ) -> None:
        self.language = language
        self.display_time = display_time
        self.battery = battery
        self.problem = ""  # why the last card was unfit, for engineers
        self._applications = tuple(applications.items())
        self._state = State.OFF
        self._at = 0.0  # of the event in hand, or of the last one
        self._since = 0.0  # when the time of the state began
        self._card_in = False
        self._weak_accepted = False
        self._mute_times = 0  # in a row, off or not: cleaning a chip takes its time
        self._card = _Card()
        self._card_language: Language | None = None
        self._asked: Asked | None = None
        self._typed: dict[State, str] = {}  # where it was asked for; the PIN among it
        self._too_short = False
        self._zero = False
        self._too_long = False
        self._warned = False  # that the state ends soon
        self._inputs = LOGIN
        self._code: Code | None = None
        self._large = False

    @property
    def state(self) -> State:
        """Where the dialogue stands."""
        return self._state

    @property
    def iaf(self) -> Iaf | None:
        """The flags of the card in the slot; None where it has not said that it makes codes."""
        read = self._state in POWERED and self._state is not State.READING
        return self._card.application.iaf if read else None

    @property
    def inputs(self) -> Inputs:
        """What the code is for that is being made; where none is, those of a login."""
        return self._inputs

    @property
    def pin_pad(self) -> bool:
        """Whether the PIN is typed on the slot's keys."""
        return self._card.pin_pad

    @property
    def deadline(self) -> float | None:
        """When the next Tick matters, in the seconds of `handle`; None where none does."""
        if self._ends_at is None:
            return None
        moments = (self._ends_at - seconds for seconds in self._warnings)
        return min((moment for moment in moments if moment > self._at), default=self._ends_at)

    @property
    def screen(self) -> Screen:
        """What the display has to tell now."""
        shown = self._state in SHOWN
        confirming = self._state is State.CONFIRMING
        asked = self._state in _TYPED and self._state is not State.AWAITING_PIN
        return Screen(
            state=self._state,
            language=self.language or self._card_language or Language.FRENCH,
            typed=len(self._typed.get(State.AWAITING_PIN, "")),
            entered=self._typed.get(self._state, "") if asked else "",
            too_short=self._too_short,
            zero=self._zero,
            too_long=self._too_long,
            amount=_cents(self._typed[State.AWAITING_AMOUNT]) if confirming else 0,
            payee=self._typed[State.AWAITING_PAYEE] if confirming else "",
            tries_left=self._card.tries_left,
            mute_times=self._mute_times if self._state is State.CARD_MUTE else 0,
            last4=self._card.last4 if self._state is State.MENU else "",
            code=show(self._code.token) if shown and self._code else None,
            large=self._large,
            lasts=self.display_time.of_code if shown else None,
            ends_at=self._ends_at if shown or self._warned else None,
        )

    def handle(self, event: Event, at: float) -> list[Effect]:
        """Take *event*, which happens *at* some second of a clock that never goes back.

        What the state does not provide for is ignored. The effects are to be carried out in
        their order, and what follows from them handed in before anything else.
        """
        before = self.screen
        if isinstance(event, CardPowered) and self._state is State.READING:
            self._since = at  # the slot may have waited for another program to free the card
        if isinstance(event, CardAnswered) and self._asked is Asked.PAD:
            self._since = at  # a hand was at the slot's keys, which have a time of their own
        effects = self._pass_time(at)  # what comes too late finds the reader as time has left it
        self._notice(event)
        trigger = self._trigger(event)
        transition = self.TRANSITIONS.get((self._state, trigger)) if trigger else None
        if transition:
            try:
                effects += transition.action(self, event)
            except SesameError as error:
                # Its text only: the error itself holds on to what was being worked on.
                self.problem = str(error)
                effects += self._enter(State.CARD_UNFIT)
        if (after := self.screen) != before:
            effects.insert(0, Show(after))
        return effects

    @property
    def _ends_at(self) -> float | None:
        """When the state ends by itself."""
        match self._state:
            case State.OFF:
                return None
            case State.CARD_REMOVED:
                return self._since + NOTICE
            case state if state in SHOWN:
                lasts = self.display_time.of_code
                return None if lasts is None else self._since + lasts
        return self._since + self.display_time.idle

    @property
    def _warnings(self) -> tuple[int, ...]:
        """Seconds before the end at which it is announced."""
        if self._state is State.CARD_REMOVED:
            return ()
        return _CODE_WARNINGS if self._state in SHOWN else _IDLE_WARNINGS

    def _pass_time(self, at: float) -> list[Effect]:
        before, self._at = self._at, at
        ends_at = self._ends_at
        if ends_at is None:
            return []
        if at >= ends_at:
            return self.TRANSITIONS[self._state, Tick].action(self, Tick())
        due = [seconds for seconds in self._warnings if before < ends_at - seconds <= at]
        self._warned = self._warned or bool(due)
        return [Announce(due[-1])] if due else []

    def _notice(self, event: Event) -> None:
        """What counts in every state: whether a card is there, and that somebody is."""
        match event:
            case CardInserted():
                self._card_in = True
            case CardRemoved():
                self._card_in = False
            case KeyPressed() | KeyHeld() if self._state in _KEPT_ON_BY_KEYS:
                self._since, self._warned = self._at, False

    def _trigger(self, event: Event) -> Trigger | None:
        match event:
            case Tick():
                return None  # time has passed already
            case KeyPressed(key):
                return key
            case KeyHeld(key):
                return KeyHeld if key is Key.CORRECTION else None
            case CardAnswered():
                return self._asked
        return type(event)

    def _enter(self, state: State) -> list[Effect]:
        """Change to *state*. What was typed, code and card come along only where needed."""
        switch_off = self._state in POWERED and state not in POWERED
        self._state = state
        self._since = self._at
        self._asked = None
        self._allow()
        self._large = self._warned = False
        self._typed.pop(State.AWAITING_PIN, None)
        if state not in _WITH_INPUTS:
            self._typed.clear()
            self._inputs = LOGIN
        if state not in _WITH_CODE:
            self._code = None
        if state not in POWERED:
            self._card = _Card()
        if state in _OF_NO_CARD:
            self._card_language = None
        return [PowerOffCard()] if switch_off else []

    def _ask(self, asked: Asked, command: Command) -> list[Effect]:
        self._asked = asked
        return [SendToCard(command)]

    # On and off, rows 0, 1, 3, 19, 20 and 21.

    def _switch_on(self, event: Event) -> list[Effect]:
        self._weak_accepted = False
        return self._check_battery(event)

    def _accept_weak_battery(self, event: Event) -> list[Effect]:
        self._weak_accepted = True
        return self._check_battery(event)

    def _check_battery(self, event: Event) -> list[Effect]:
        """Before the card is touched: a chip that loses power in the middle may be lost."""
        if self.battery is Battery.EMPTY:
            return self._enter(State.BATTERY_EMPTY)
        if self.battery is Battery.WEAK and not self._weak_accepted:
            return self._enter(State.BATTERY_WEAK)
        if not self._card_in:
            return self._await_card(event)
        return [*self._enter(State.READING), PowerOnCard()]

    def _await_card(self, _: Event) -> list[Effect]:
        return self._enter(State.AWAITING_CARD)

    def _card_removed(self, _: Event) -> list[Effect]:
        return self._enter(State.CARD_REMOVED)

    def _switch_off(self, _: Event) -> list[Effect]:
        return self._enter(State.OFF)

    def _mute(self, _: Event) -> list[Effect]:
        self._mute_times += 1
        return self._enter(State.CARD_MUTE)

    # What the card tells before the PIN, row 2.

    def _powered(self, event: CardPowered) -> list[Effect]:
        self._mute_times = 0
        self.problem = ""
        self._card = _Card(today=event.today, pin_pad=event.pin_pad, aids=list(self._applications))
        return self._select_next()

    def _select_next(self) -> list[Effect]:
        if not self._card.aids:
            refused = self._card.refused
            return self._enter(State.CARD_BLOCKED if refused else State.CARD_UNKNOWN)
        aid, self._card.scheme = self._card.aids.pop(0)
        return self._ask(Asked.APPLICATION, select(aid))

    def _application_found(self, event: CardAnswered) -> list[Effect]:
        response = event.response
        if response.sw == Sw.FUNCTION_NOT_SUPPORTED:  # to SELECT: the whole card is blocked
            return self._enter(State.CARD_BLOCKED)
        if response.sw == Sw.APPLICATION_BLOCKED:
            self._card.refused = True
        if not response.ok:
            return self._select_next()
        self._card.objects = primitives(response.data)
        self._card.scheme = scheme_of(self._card.scheme, self._card.objects)
        self._card_language = _spoken(languages(self._card.objects))
        values = pdol_values(self._card.objects, self._card.scheme)
        return self._ask(Asked.OPTIONS, get_processing_options(values))

    def _options_found(self, event: CardAnswered) -> list[Effect]:
        response = event.response
        if response.sw == Sw.CONDITIONS_NOT_SATISFIED:  # blocked, or its ATC is at the end
            self._card.refused = True
            return self._select_next()
        if not response.ok:
            raise CardRefused(response.sw, Ins.GET_PROCESSING_OPTIONS.name)
        self._card.records = decode_options(response.data)
        return self._read_next()

    def _record_found(self, event: CardAnswered) -> list[Effect]:
        # A record that is not there is passed over: what it should have held will be missed.
        if event.response.ok:
            self._card.objects |= primitives(event.response.data)
        return self._read_next()

    def _read_next(self) -> list[Effect]:
        card = self._card
        if card.records:
            return self._ask(Asked.RECORD, read_record(*card.records.pop(0)))
        if card.today:  # or there is no calendar to hold a date against
            validity = Validity.of(card.objects)
            if validity.expiry and card.today > validity.expiry:
                return self._enter(State.CARD_EXPIRED)
            if validity.effective and card.today < validity.effective:
                return self._enter(State.CARD_NOT_YET_VALID)
        card.application = Application.of(card.objects, card.scheme)
        card.last4 = card.application.last4
        card.objects = {}  # the card number was among them
        return self._ask(Asked.TRIES, get_data(Tag.PIN_TRY_COUNTER))

    def _tries_found(self, event: CardAnswered) -> list[Effect]:
        # A card that does not say it is asked for the PIN all the same.
        self._card.tries_left = _tries_in(event.response)
        return self._enter(State.CARD_BLOCKED if self._card.tries_left == 0 else State.MENU)

    # What a key types, in every state that asks for something.

    def _add(self, event: KeyPressed) -> list[Effect]:
        typed = self._typed.get(self._state, "") + event.key
        if self._state is State.AWAITING_AMOUNT:
            # One zero stands before the comma where nothing else does, and only there.
            euros, comma, cents = typed.partition(",")
            typed = f"{int(euros or 0)}{comma}{cents}"
        self._allow()
        if _TYPED[self._state].fullmatch(typed):
            self._typed[self._state] = typed
        else:
            self._too_long = True  # what is more is not taken
        return []

    def _allow(self) -> None:
        """Forget what was wrong with what has been typed."""
        self._too_short = self._zero = self._too_long = False

    def _correct(self, event: Event) -> list[Effect]:
        """One digit less; where there is none, one step back."""
        typed = self._typed.get(self._state, "")
        if not typed:
            return self._step_back(event)
        self._typed[self._state] = typed[:-1]
        self._allow()
        return []

    def _clear(self, _: Event) -> list[Effect]:
        self._typed.pop(self._state, None)
        self._allow()
        return []

    def _step_back(self, _: Event) -> list[Effect]:
        match self._state:
            case State.AWAITING_CHALLENGE | State.AWAITING_AMOUNT:
                return self._enter(State.MENU)
            case State.AWAITING_PAYEE | State.CONFIRMING:
                return self._enter(State.AWAITING_AMOUNT)
        # From the PIN to what it was asked for.
        if State.AWAITING_CHALLENGE in self._typed:
            return self._enter(State.AWAITING_CHALLENGE)
        signing = State.AWAITING_PAYEE in self._typed
        return self._enter(State.CONFIRMING if signing else State.MENU)

    # What a code is made for, rows 4, 10, 11, 12 and 23.

    def _ask_challenge(self, _: Event) -> list[Effect]:
        return self._enter(State.AWAITING_CHALLENGE)

    def _accept_challenge(self, event: Event) -> list[Effect]:
        challenge = self._typed.get(self._state, "")
        self._too_short = not challenge
        # With zeros the card would make the code of a login.
        self._zero = bool(challenge) and not int(challenge)
        if self._too_short or self._zero:
            return []
        self._inputs = Inputs(mode=Mode.M3, challenge=challenge)
        return self._ask_pin(event)

    def _ask_amount(self, _: Event) -> list[Effect]:
        return self._enter(State.AWAITING_AMOUNT)

    def _accept_amount(self, _: Event) -> list[Effect]:
        self._zero = not _cents(self._typed.get(self._state, ""))
        return [] if self._zero else self._enter(State.AWAITING_PAYEE)

    def _accept_payee(self, _: Event) -> list[Effect]:
        payee = self._typed.get(self._state, "")
        self._too_short = len(payee) < PAYEE
        self._zero = not self._too_short and not int(payee)
        return [] if self._too_short or self._zero else self._enter(State.CONFIRMING)

    def _confirm(self, event: Event) -> list[Effect]:
        self._inputs = signature(
            self._card.application.iaf,
            amount=_cents(self._typed[State.AWAITING_AMOUNT]),
            payee=self._typed[State.AWAITING_PAYEE],
            currency=_EURO,
        )
        return self._ask_pin(event)

    def _choose(self, event: FunctionChosen) -> list[Effect]:
        self._inputs = event.inputs
        return self._ask_pin(event)

    # The PIN, rows 5, 6 and 8.

    def _ask_pin(self, event: Event) -> list[Effect]:
        if not self._card.application.takes(self._inputs):
            raise CardUnfit("CDOL1 leaves out what was typed: the code would be good for more")
        return self._warn(event)

    def _warn(self, event: Event) -> list[Effect]:
        """Before what may be the last try, a word of its own is wanted."""
        last = may_be_last(self._card.tries_left)
        return self._enter(State.LAST_TRY) if last else self._await_pin(event)

    def _await_pin(self, _: Event) -> list[Effect]:
        return self._enter(State.PIN_ON_PAD if self._card.pin_pad else State.AWAITING_PIN)

    def _back_to_menu(self, _: Event) -> list[Effect]:
        return self._enter(State.MENU)

    def _try_pin(self, _: Event) -> list[Effect]:
        try:
            pin = Pin(self._typed.get(self._state, ""))
        except MalformedPin:
            self._too_short = True
            return []
        return self._enter(State.VERIFYING) + self._ask(Asked.PIN, verify(pin_block(pin)))

    def _try_on_pad(self, _: Event) -> list[Effect]:
        effects = self._enter(State.VERIFYING)
        self._asked = Asked.PAD
        return [*effects, VerifyOnPad(verify(EMPTY_PIN_BLOCK))]

    def _pad_judged(self, event: CardAnswered) -> list[Effect]:
        if event.response.sw in NOT_TYPED:
            return self._ask(Asked.TRIES, get_data(Tag.PIN_TRY_COUNTER))
        return self._pin_judged(event)

    def _tries_found_again(self, event: CardAnswered) -> list[Effect]:
        """Nobody has typed a PIN, says whoever it was: unless a try has gone."""
        before, left = self._card.tries_left, _tries_in(event.response)
        if before and left and left < before:
            self._card.tries_left = left
            return self._enter(State.WRONG_PIN)
        return self._tries_found(event)

    def _pin_judged(self, event: CardAnswered) -> list[Effect]:
        sw = event.response.sw
        if sw == Sw.OK:
            command = generate_ac(AcType.ARQC, self._card.application.cdol1_values(self._inputs))
            return self._enter(State.COMPUTING) + self._ask(Asked.ARQC, command)
        left = 0 if sw in (Sw.PIN_BLOCKED, Sw.REFERENCE_DATA_UNUSABLE) else tries_left(sw)
        if left is None:
            raise CardRefused(sw, Ins.VERIFY.name)
        self._card.tries_left = left  # the card's own count, not ours
        return self._enter(State.WRONG_PIN if left else State.CARD_BLOCKED)

    # The code, rows 7, 9, 13 and 24.

    def _cryptogram_made(self, event: CardAnswered) -> list[Effect]:
        if not event.response.ok:
            return self._enter(State.CARD_REFUSED)
        application = self._card.application
        try:
            cryptogram = Cryptogram.decode(event.response.data)
            if cryptogram.kind in (AcType.AAC, AcType.TC):
                return self._enter(State.CARD_REFUSED)  # and the card has closed by itself
            if cryptogram.kind is AcType.ARQC:
                self._code = application.code(cryptogram, self._inputs)
        except SesameError as error:
            self.problem = str(error)  # shown once the transaction is closed
        command = generate_ac(AcType.AAC, application.cdol2_values(self._inputs))
        return self._ask(Asked.AAC, command)

    def _transaction_closed(self, _: Event) -> list[Effect]:
        # The second cryptogram says nothing to us, and the card's power goes before the code comes.
        if self._code is None:
            return self._enter(State.CARD_UNFIT)
        effects = self._enter(_SHOWN_FOR[self._inputs.mode])
        lasts = self.display_time.of_code
        return effects if lasts is None else [*effects, Announce(lasts)]

    def _enlarge(self, _: Event) -> list[Effect]:
        """Show the code large; said again each time, whether that changes the display or not."""
        large, self._large = self._large, True
        return [Show(self.screen)] if large else []

    # The table

    TRANSITIONS: ClassVar[Mapping[tuple[State, Trigger], Transition]] = MappingProxyType(
        {
            # In every state time switches off, and the key does. Not while a transaction is open
            # on the card, though: that is closed first.
            **_each(ON, [Tick], _to(_switch_off, State.OFF)),
            **_each(ON - {State.COMPUTING}, [Key.ON], _to(_switch_off, State.OFF)),
            **_each(POWERED, [CardRemoved], _to(_card_removed, State.CARD_REMOVED)),
            **_each(ANSWERING, [CardMute], _to(_mute, State.CARD_MUTE)),
            **_each(USELESS, [CardRemoved], _to(_await_card, State.AWAITING_CARD)),
            (State.OFF, Key.ON): _to(_switch_on, *_SELF_CHECKED, State.AWAITING_CARD),
            (State.OFF, CardInserted): _to(_switch_on, *_SELF_CHECKED),
            (State.BATTERY_WEAK, Key.OK): _to(
                _accept_weak_battery, State.BATTERY_EMPTY, State.READING, State.AWAITING_CARD
            ),
            **_each([State.BATTERY_EMPTY], Key, _to(_switch_off, State.OFF)),
            (State.AWAITING_CARD, CardInserted): _to(_check_battery, *_SELF_CHECKED),
            (State.READING, CardPowered): _to(_powered, State.READING),
            (State.READING, Asked.APPLICATION): _to(
                _application_found,
                State.READING,
                State.CARD_BLOCKED,
                State.CARD_UNKNOWN,
                State.CARD_UNFIT,
            ),
            (State.READING, Asked.OPTIONS): _to(
                _options_found, State.READING, State.CARD_BLOCKED, State.CARD_UNFIT
            ),
            (State.READING, Asked.RECORD): _to(
                _record_found,
                State.READING,
                State.CARD_EXPIRED,
                State.CARD_NOT_YET_VALID,
                State.CARD_UNFIT,
            ),
            (State.READING, Asked.TRIES): _to(
                _tries_found, State.MENU, State.CARD_BLOCKED, State.CARD_UNFIT
            ),
            (State.MENU, Key.CODE): _to(_ask_pin, *_ASKED_FOR),
            (State.MENU, Key.RESPOND): _to(_ask_challenge, State.AWAITING_CHALLENGE),
            (State.MENU, Key.SIGN): _to(_ask_amount, State.AWAITING_AMOUNT),
            (State.MENU, FunctionChosen): _to(_choose, *_ASKED_FOR, State.CARD_UNFIT),
            **_staying(_TYPED, DIGITS, _add),
            (State.AWAITING_AMOUNT, Key.COMMA): _to(_add, State.AWAITING_AMOUNT),
            **_staying(_TYPED, [KeyHeld], _clear),
            **_staying([State.AWAITING_CHALLENGE], [Key.CORRECTION], _correct, State.MENU),
            **_staying(
                [State.AWAITING_CHALLENGE],
                [Key.OK],
                _accept_challenge,
                *_ASKED_FOR,
                State.CARD_UNFIT,
            ),
            **_staying([State.AWAITING_AMOUNT], [Key.CORRECTION], _correct, State.MENU),
            **_staying([State.AWAITING_AMOUNT], [Key.OK], _accept_amount, State.AWAITING_PAYEE),
            **_staying([State.AWAITING_PAYEE], [Key.CORRECTION], _correct, State.AWAITING_AMOUNT),
            **_staying([State.AWAITING_PAYEE], [Key.OK], _accept_payee, State.CONFIRMING),
            (State.CONFIRMING, Key.CORRECTION): _to(_step_back, State.AWAITING_AMOUNT),
            # Not OK: pressed twice after the payee it would sign what nobody has read.
            (State.CONFIRMING, Key.SIGN): _to(_confirm, *_ASKED_FOR, State.CARD_UNFIT),
            (State.LAST_TRY, Key.OK): _to(_await_pin, *_PIN_TYPED),
            (State.LAST_TRY, Key.CORRECTION): _to(_step_back, *_BEFORE_PIN),
            **_staying([State.AWAITING_PIN], [Key.CORRECTION], _correct, *_BEFORE_PIN),
            **_staying([State.AWAITING_PIN], [Key.OK], _try_pin, State.VERIFYING),
            (State.PIN_ON_PAD, Key.CORRECTION): _to(_step_back, *_BEFORE_PIN),
            **_each([State.PIN_ON_PAD], [Key.OK, PadShown], _to(_try_on_pad, State.VERIFYING)),
            (State.VERIFYING, Asked.PIN): _to(_pin_judged, *_JUDGED),
            (State.VERIFYING, Asked.PAD): _to(_pad_judged, *_JUDGED, State.VERIFYING),
            (State.VERIFYING, Asked.TRIES): _to(
                _tries_found_again,
                State.MENU,
                State.WRONG_PIN,
                State.CARD_BLOCKED,
                State.CARD_UNFIT,
            ),
            (State.WRONG_PIN, Key.OK): _to(_warn, *_ASKED_FOR),
            (State.WRONG_PIN, Key.CORRECTION): _to(_back_to_menu, State.MENU),
            (State.COMPUTING, Asked.ARQC): _to(
                _cryptogram_made, State.COMPUTING, State.CARD_REFUSED
            ),
            (State.COMPUTING, Asked.AAC): _to(
                _transaction_closed, *_SHOWN_FOR.values(), State.CARD_UNFIT
            ),
            **_staying(SHOWN, [Key.DIGIT_0], _enlarge),
            **_each(SHOWN, [Key.CORRECTION], _to(_switch_off, State.OFF)),
            **_each([State.CARD_BLOCKED], [*Key, CardRemoved], _to(_switch_off, State.OFF)),
            (State.CARD_REMOVED, CardInserted): _to(_check_battery, *_SELF_CHECKED),
            (State.CARD_REMOVED, Tick): _to(_await_card, State.AWAITING_CARD),
        }
    )


def _tries_in(response: Response) -> int | None:
    """What a card answers to GET DATA for its tries; None where it does not say."""
    return decode_tries(response.data) if response.ok else None


def _cents(amount: str) -> int:
    """What a typed *amount* of euros comes to; nothing typed is nothing."""
    euros, _, cents = amount.partition(",")
    return int(f"{euros or 0}{cents:<02}")


def _spoken(preferred: Iterable[str]) -> Language | None:
    """The first of the card's languages that the reader speaks, EMV 4.4 Book 4, 11.1."""
    return next((Language(code) for code in preferred if code in _LANGUAGES), None)
