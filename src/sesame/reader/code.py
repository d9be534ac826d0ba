"""A whole dialogue without a reader's keys: card in, PIN, code, card out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, unique

from sesame.cap.mode import LOGIN, Iaf, Inputs
from sesame.cap.terminal_data import AIDS, Scheme
from sesame.cap.token import Code
from sesame.emv.pin import Pin
from sesame.reader.machine import (
    CardInserted,
    CardRemoved,
    DisplayTime,
    FunctionChosen,
    Key,
    KeyPressed,
    Reader,
    State,
)
from sesame.reader.slot import CLOCK, Clock, Slot, run


@dataclass(frozen=True, slots=True)
class WrongPin:
    """The card refuses the PIN; so many tries are left, one at least."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class NoCode:
    """The card makes no code. `state` is the one in which the reader stopped.

    CARD_BLOCKED (also by this very PIN), CARD_MUTE, CARD_UNKNOWN, CARD_UNFIT, CARD_REFUSED,
    CARD_EXPIRED or CARD_NOT_YET_VALID; OFF when card or holder took longer than the reader waits;
    LAST_TRY, AWAITING_PIN or PIN_ON_PAD when nobody gave a PIN, MENU when nobody typed it on the
    slot's keys.
    """

    state: State
    problem: str = ""  # what made the card unfit, for engineers


@dataclass(frozen=True, slots=True)
class Asking:
    """The reader asks for the PIN, or for another one."""

    tries_left: int | None  # one at least; None where the card does not say it: see `consent`
    wrong: bool = False  # the one before was
    pin_pad: bool = False  # it is typed on the slot's keys, and not given to us


@unique
class Where(Enum):
    """Where a PIN is typed that is not given to us."""

    ON_PAD = "on the slot's keys"


AskPin = Callable[[Asking], Pin | Where | None]  # None: nobody types one


def make_code(
    slot: Slot,
    pin: Pin | AskPin,
    clock: Clock = CLOCK,
    *,
    inputs: Inputs | Callable[[Iaf], Inputs] = LOGIN,
    applications: Mapping[bytes, Scheme] = AIDS,
) -> Code | WrongPin | NoCode:
    """Make a code with the card in *slot*; a wrong *pin* costs the card one try.

    A *pin* that is there already is tried once, the last try too: there is nobody to ask. It is of
    no use to a slot with keys of its own.
    *inputs* say what the code is for, or what it is for with a card of some IAF; *applications*
    which AIDs the reader tries, in their order.

    Raises:
        SesameError: the slot could not do its work, see `sesame.reader.slot.run`; or *pin* or
            *inputs*, where they are asked, refuse this card.
    """
    if isinstance(pin, Pin):
        ask, patience = _once(pin), DisplayTime.SHORT
    else:
        ask, patience = pin, DisplayTime.UNTIL_KEY  # whoever is asked may take time
    reader = Reader(applications=applications, display_time=patience)
    try:
        run(reader, slot, CardInserted(), clock)
        if reader.iaf is not None:
            chosen = inputs if isinstance(inputs, Inputs) else inputs(reader.iaf)
            run(reader, slot, FunctionChosen(chosen), clock)
        while (asking := _asking(reader)) and (typed := ask(asking)):
            for key in _keys(reader, typed):
                run(reader, slot, KeyPressed(key), clock)
        screen = reader.screen
        if screen.code is not None:
            return Code(screen.code.replace(" ", ""))
        if screen.state is State.WRONG_PIN and screen.tries_left is not None:
            return WrongPin(screen.tries_left)
        return NoCode(screen.state, reader.problem)
    finally:
        run(reader, slot, CardRemoved(), clock)


def _once(pin: Pin) -> AskPin:
    return lambda asking: None if asking.wrong or asking.pin_pad else pin


def _asking(reader: Reader) -> Asking | None:
    """What the reader asks for, where it stands before the PIN."""
    if reader.state not in _BEFORE_PIN:
        return None
    return Asking(reader.screen.tries_left, reader.state is State.WRONG_PIN, reader.pin_pad)


_BEFORE_PIN = frozenset({State.LAST_TRY, State.AWAITING_PIN, State.PIN_ON_PAD, State.WRONG_PIN})


def _keys(reader: Reader, typed: Pin | Where) -> Iterator[Key]:
    """What somebody presses who has *typed* a PIN, as long as the reader goes along."""
    if reader.state is State.WRONG_PIN:
        yield Key.OK
    if reader.state is State.LAST_TRY:
        yield Key.OK
    if reader.state is State.PIN_ON_PAD:
        yield Key.OK
    if reader.state is State.AWAITING_PIN and isinstance(typed, Pin):
        yield from map(Key, typed.digits)
        yield Key.OK
