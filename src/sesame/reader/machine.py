"""The reader as a machine: events in, effects out, and one table of what may happen when.

Pure. It waits for nothing: a face brings keys and time, a slot brings the card's answers, and
both carry out the effects. The dialogue with the card is docs/reference/emv-cap.md, section 4;
the states are the rows of docs/reference/requirements.md, section 4.2.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique
from types import MappingProxyType
from typing import ClassVar

from sesame.cap.mode import LOGIN, Inputs
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
from sesame.emv.pin import Pin, pin_block
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

TIME_OUT = 35.0  # seconds: a code lives as long, and so does a state in which nobody does anything
NOTICE = 3.0  # seconds that « CARTE RETIRÉE » stays
_CODE_WARNINGS = (10, 5)  # seconds before the code goes
_IDLE_WARNINGS = (5,)
_LONGEST_PIN = 12  # digits
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
    LAST_TRY = "last-try"  # [5] the warning before the PIN
    AWAITING_PIN = "awaiting-pin"  # [5]
    VERIFYING = "verifying"  # [6]
    COMPUTING = "computing"  # [7] between the first GENERATE AC and the answer to the second
    WRONG_PIN = "wrong-pin"  # [8]
    CODE_SHOWN = "code-shown"  # [9]
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
# Here the card has power; everywhere else nobody keeps it from another program.
POWERED = frozenset(
    {
        State.READING,
        State.MENU,
        State.LAST_TRY,
        State.AWAITING_PIN,
        State.VERIFYING,
        State.COMPUTING,
        State.WRONG_PIN,
    }
)
# Here the card is working.
ANSWERING = frozenset({State.READING, State.VERIFYING, State.COMPUTING})
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
_WITH_CODE = frozenset({State.COMPUTING, State.CODE_SHOWN})
_OF_NO_CARD = frozenset({State.OFF, State.AWAITING_CARD, State.READING})  # whose language it was
_KEPT_ON_BY_KEYS = ON - {State.CODE_SHOWN, State.CARD_REMOVED}
_SELF_CHECKED = (State.READING, State.BATTERY_WEAK, State.BATTERY_EMPTY)


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
    which leaves it to the bank whether a card has expired.
    """

    atr: bytes
    today: int | None = None


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
class PowerOffCard:
    """Take the power from the card; nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What the display has to tell; `sesame.reader.screens` finds the words for it."""

    state: State
    language: Language
    typed: int = 0  # digits of the PIN so far
    too_short: bool = False  # OK came before the fourth digit
    tries_left: int | None = None  # of the PIN, where the card has said it
    mute_times: int = 0  # in a row, this one included
    last4: str = ""  # digits of the card number, in the menu
    code: str | None = field(default=None, repr=False)  # "0000 0000"
    ends_at: float | None = None  # when the code goes, in the seconds of `handle`


@dataclass(frozen=True, slots=True)
class Show:
    """The display changes."""

    screen: Screen


@dataclass(frozen=True, slots=True)
class Announce:
    """Say that so many seconds are left before the reader switches off."""

    seconds: int


Effect = PowerOnCard | SendToCard | PowerOffCard | Show | Announce


# ── The machine ──────────────────────────────────────────────────────────────────────────────────


@unique
class Asked(Enum):
    """What the card has been asked; its answer is looked up in the table under this name."""

    APPLICATION = "SELECT"
    OPTIONS = "GET PROCESSING OPTIONS"
    RECORD = "READ RECORD"
    TRIES = "GET DATA"
    PIN = "VERIFY"
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


@dataclass(slots=True, repr=False)
class _Card:
    """What the reader knows of the card in its slot; forgotten with the card's power."""

    today: int | None = None
    aids: list[bytes] = field(default_factory=list)  # still to be tried
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
    French until there is one. `battery` may change at any time, as batteries do.
    `applications` are the AIDs that it tries, in their order.
    """

    def __init__(
        self,
        *,
        language: Language | None = None,
        battery: Battery = Battery.GOOD,
        applications: Mapping[bytes, Scheme] = AIDS,
    ) -> None:
        self._applications = dict(applications)
        self.language = language
        self.battery = battery
        self.problem = ""  # why the last card was unfit, for engineers
        self._state = State.OFF
        self._at = 0.0  # of the event in hand
        self._ends_at: float | None = None  # when the state ends by itself
        self._warnings: tuple[int, ...] = ()  # seconds before that, not announced yet
        self._card_in = False
        self._weak_accepted = False
        self._mute_times = 0  # in a row, off or not: cleaning a chip takes its time
        self._card = _Card()
        self._card_language: Language | None = None
        self._asked: Asked | None = None
        self._digits = ""  # of the PIN
        self._too_short = False
        self._inputs = LOGIN
        self._code: Code | None = None

    @property
    def state(self) -> State:
        """Where the dialogue stands."""
        return self._state

    @property
    def deadline(self) -> float | None:
        """When the next Tick matters, in the seconds of `handle`; None when switched off."""
        if self._ends_at is None:
            return None
        return self._ends_at - max(self._warnings, default=0)

    @property
    def screen(self) -> Screen:
        """What the display has to tell now."""
        shown = self._state is State.CODE_SHOWN
        return Screen(
            state=self._state,
            language=self.language or self._card_language or Language.FRENCH,
            typed=len(self._digits),
            too_short=self._too_short,
            tries_left=self._card.tries_left,
            mute_times=self._mute_times if self._state is State.CARD_MUTE else 0,
            last4=self._card.last4 if self._state is State.MENU else "",
            code=show(self._code.token) if shown and self._code else None,
            ends_at=self._ends_at if shown else None,
        )

    def handle(self, event: Event, at: float) -> list[Effect]:
        """Take *event*, which happens *at* some second of a clock that never goes back.

        What the state does not provide for is ignored. The effects are to be carried out in
        their order, and what follows from them handed in before anything else.
        """
        before = self.screen
        self._at = at
        if isinstance(event, CardPowered) and self._state is State.READING:
            self._start_time()  # the slot may have waited for another program to free the card
        effects = self._pass_time()  # what comes too late finds the reader as time has left it
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
        if self.screen != before:
            effects.insert(0, Show(self.screen))
        return effects

    def _pass_time(self) -> list[Effect]:
        if self._ends_at is None:
            return []
        left = self._ends_at - self._at
        if left <= 0:
            return self.TRANSITIONS[self._state, Tick].action(self, Tick())
        due = [seconds for seconds in self._warnings if left <= seconds]
        self._warnings = self._warnings[len(due) :]
        return [Announce(due[-1])] if due else []

    def _notice(self, event: Event) -> None:
        """What counts in every state: whether a card is there, and that somebody is."""
        match event:
            case CardInserted():
                self._card_in = True
            case CardRemoved():
                self._card_in = False
            case KeyPressed() | KeyHeld() if self._state in _KEPT_ON_BY_KEYS:
                self._start_time()

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
        """Change to *state*. PIN, code and card do not come along where they are not needed."""
        switch_off = self._state in POWERED and state not in POWERED
        self._state = state
        self._asked = None
        self._digits, self._too_short = "", False
        if state not in _WITH_CODE:
            self._code = None
        if state not in POWERED:
            self._card = _Card()
        if state in _OF_NO_CARD:
            self._card_language = None
        self._start_time()
        return [PowerOffCard()] if switch_off else []

    def _start_time(self) -> None:
        if self._state is State.OFF:
            self._ends_at, self._warnings = None, ()
        elif self._state is State.CARD_REMOVED:
            self._ends_at, self._warnings = self._at + NOTICE, ()
        else:
            self._ends_at = self._at + TIME_OUT
            shown = self._state is State.CODE_SHOWN
            self._warnings = _CODE_WARNINGS if shown else _IDLE_WARNINGS

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
        self._card = _Card(today=event.today, aids=list(self._applications))
        return self._select_next()

    def _select_next(self) -> list[Effect]:
        if not self._card.aids:
            refused = self._card.refused
            return self._enter(State.CARD_BLOCKED if refused else State.CARD_UNKNOWN)
        aid = self._card.aids.pop(0)
        self._card.scheme = self._applications[aid]
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
        validity = Validity.of(card.objects)
        if card.today and validity.expiry and card.today > validity.expiry:
            return self._enter(State.CARD_EXPIRED)
        if card.today and validity.effective and card.today < validity.effective:
            return self._enter(State.CARD_NOT_YET_VALID)
        card.application = Application.of(card.objects, card.scheme)
        card.last4 = card.application.last4
        card.objects = {}  # the card number was among them
        return self._ask(Asked.TRIES, get_data(Tag.PIN_TRY_COUNTER))

    def _tries_found(self, event: CardAnswered) -> list[Effect]:
        # A card that does not say it is asked for the PIN all the same.
        response = event.response
        self._card.tries_left = decode_tries(response.data) if response.ok else None
        return self._enter(State.CARD_BLOCKED if self._card.tries_left == 0 else State.MENU)

    # The PIN, rows 4, 5, 6 and 8.

    def _choose_code(self, event: Event) -> list[Effect]:
        self._inputs = LOGIN
        return self._ask_pin(event)

    def _choose(self, event: FunctionChosen) -> list[Effect]:
        self._inputs = event.inputs
        return self._ask_pin(event)

    def _ask_pin(self, _: Event) -> list[Effect]:
        last = self._card.tries_left == 1
        return self._enter(State.LAST_TRY if last else State.AWAITING_PIN)

    def _await_pin(self, _: Event) -> list[Effect]:
        return self._enter(State.AWAITING_PIN)

    def _back_to_menu(self, _: Event) -> list[Effect]:
        return self._enter(State.MENU)

    def _add_digit(self, event: KeyPressed) -> list[Effect]:
        self._digits, self._too_short = (self._digits + event.key)[:_LONGEST_PIN], False
        return []

    def _delete_digit(self, _: Event) -> list[Effect]:
        self._digits, self._too_short = self._digits[:-1], False
        return []

    def _clear_digits(self, _: Event) -> list[Effect]:
        self._digits, self._too_short = "", False
        return []

    def _try_pin(self, _: Event) -> list[Effect]:
        try:
            pin = Pin(self._digits)
        except MalformedPin:
            self._too_short = True
            return []
        return self._enter(State.VERIFYING) + self._ask(Asked.PIN, verify(pin_block(pin)))

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

    # The code, rows 7 and 9.

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
        return [*self._enter(State.CODE_SHOWN), Announce(int(TIME_OUT))]

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
            (State.MENU, Key.CODE): _to(_choose_code, State.AWAITING_PIN, State.LAST_TRY),
            (State.MENU, FunctionChosen): _to(_choose, State.AWAITING_PIN, State.LAST_TRY),
            (State.LAST_TRY, Key.OK): _to(_await_pin, State.AWAITING_PIN),
            (State.LAST_TRY, Key.CORRECTION): _to(_back_to_menu, State.MENU),
            **_each([State.AWAITING_PIN], DIGITS, _to(_add_digit, State.AWAITING_PIN)),
            (State.AWAITING_PIN, Key.CORRECTION): _to(_delete_digit, State.AWAITING_PIN),
            (State.AWAITING_PIN, KeyHeld): _to(_clear_digits, State.AWAITING_PIN),
            (State.AWAITING_PIN, Key.OK): _to(_try_pin, State.VERIFYING, State.AWAITING_PIN),
            (State.VERIFYING, Asked.PIN): _to(
                _pin_judged,
                State.COMPUTING,
                State.WRONG_PIN,
                State.CARD_BLOCKED,
                State.CARD_UNFIT,
            ),
            (State.WRONG_PIN, Key.OK): _to(_await_pin, State.AWAITING_PIN),
            (State.WRONG_PIN, Key.CORRECTION): _to(_back_to_menu, State.MENU),
            (State.COMPUTING, Asked.ARQC): _to(
                _cryptogram_made, State.COMPUTING, State.CARD_REFUSED
            ),
            (State.COMPUTING, Asked.AAC): _to(
                _transaction_closed, State.CODE_SHOWN, State.CARD_UNFIT
            ),
            (State.CODE_SHOWN, Key.CORRECTION): _to(_switch_off, State.OFF),
            **_each([State.CARD_BLOCKED], [*Key, CardRemoved], _to(_switch_off, State.OFF)),
            (State.CARD_REMOVED, CardInserted): _to(_check_battery, *_SELF_CHECKED),
            (State.CARD_REMOVED, Tick): _to(_await_card, State.AWAITING_CARD),
        }
    )


def _spoken(preferred: Iterable[str]) -> Language | None:
    """The first of the card's languages that the reader speaks, EMV 4.4 Book 4, 11.1."""
    return next((Language(code) for code in preferred if code in _LANGUAGES), None)
