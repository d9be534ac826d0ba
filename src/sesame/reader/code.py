"""A whole dialogue without a person: card in, PIN, code, card out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.terminal_data import AIDS, Scheme
from sesame.cap.token import Code
from sesame.emv.pin import Pin
from sesame.reader.machine import (
    CardInserted,
    CardRemoved,
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
    CARD_EXPIRED or CARD_NOT_YET_VALID; OFF when the card took longer than the reader waits.
    """

    state: State
    problem: str = ""  # what made the card unfit, for engineers


def make_code(
    slot: Slot,
    pin: Pin,
    clock: Clock = CLOCK,
    *,
    inputs: Inputs = LOGIN,
    applications: Mapping[bytes, Scheme] = AIDS,
) -> Code | WrongPin | NoCode:
    """Make a code with the card in *slot*; a wrong *pin* costs the card one try.

    *inputs* say what it is for, *applications* which AIDs the reader tries, in their order.

    The last try is not asked back about: there is nobody to ask.

    Raises:
        SesameError: the slot could not do its work; see `sesame.reader.slot.run`.
    """
    reader = Reader(applications=applications)
    try:
        run(reader, slot, CardInserted(), clock)
        run(reader, slot, FunctionChosen(inputs), clock)
        for key in _keys(reader, pin):
            run(reader, slot, KeyPressed(key), clock)
        screen = reader.screen
        if screen.code is not None:
            return Code(screen.code.replace(" ", ""))
        if screen.state is State.WRONG_PIN and screen.tries_left is not None:
            return WrongPin(screen.tries_left)
        return NoCode(screen.state, reader.problem)
    finally:
        run(reader, slot, CardRemoved(), clock)


def _keys(reader: Reader, pin: Pin) -> Iterator[Key]:
    """What somebody who knows *pin* presses, as long as the reader goes along."""
    if reader.state is State.LAST_TRY:
        yield Key.OK
    if reader.state is State.AWAITING_PIN:
        yield from map(Key, pin.digits)
        yield Key.OK
