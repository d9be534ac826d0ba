"""The loop between a face, the machine and a slot."""

import time
from datetime import datetime

import pytest

from sesame.emv.apdu import Command
from sesame.errors import SesameError
from sesame.reader.machine import (
    Announce,
    Asked,
    CardInserted,
    CardRemoved,
    Reader,
    Show,
    State,
)
from sesame.reader.slot import CLOCK, run
from tests.reader.dialogue import CardStub, Table, asked_by


class CardElsewhere(SesameError):
    """Another program has the card."""


class TakenSlot(CardStub):
    """A slot whose card is in use elsewhere."""

    def power_on(self) -> bytes:
        """Refuse."""
        raise CardElsewhere


def test_what_is_for_the_face_comes_back_in_order() -> None:
    """Each change of the display, then what is to be said."""
    reader, card = Reader(), CardStub()
    shown = run(reader, card, CardInserted())
    assert [effect.screen.state for effect in shown if isinstance(effect, Show)] == [
        State.READING,
        State.MENU,
    ]
    shown = run(reader, card, CardRemoved())
    assert [effect.screen.state for effect in shown if isinstance(effect, Show)] == [
        State.CARD_REMOVED
    ]


def test_the_35_seconds_begin_when_the_code_is_shown() -> None:
    """Not when OK was pressed: a chip takes its time."""
    table = Table()

    def take_a_second(_: Command) -> None:
        table.seconds += 1

    table.card.before_answer = take_a_second
    table.make_code()
    assert table.reader.screen.ends_at == table.seconds + 35


def test_a_slot_that_cannot_work_raises_and_leaves_no_card_under_power() -> None:
    """The face says why; the reader takes the card for mute, and it can be pulled out."""
    table = Table()
    table.card = TakenSlot()
    with pytest.raises(CardElsewhere):
        table.insert()
    assert table.state() is State.CARD_MUTE
    assert not table.card.powered
    table.remove()
    assert table.state() is State.AWAITING_CARD


@pytest.mark.parametrize("asked", list(Asked))
def test_a_slot_that_breaks_in_the_middle(asked: Asked) -> None:
    """At any command: the error comes through, the power is off."""
    table = Table()
    table.card.pin_pad = asked is Asked.PAD

    def break_down(command: Command) -> None:
        if asked_by(command) is (Asked.PIN if asked is Asked.PAD else asked):
            raise CardElsewhere

    table.card.before_answer = break_down
    with pytest.raises(CardElsewhere):
        table.make_code()
    assert table.state() is State.CARD_MUTE
    assert not table.card.powered


def test_the_clock_of_this_computer() -> None:
    """Seconds that never go back, and the local date as a number."""
    before = time.monotonic()
    assert before <= CLOCK.seconds() <= time.monotonic()
    days = {int(f"{datetime.now().astimezone():%Y%m%d}")}
    today = CLOCK.today()
    days.add(int(f"{datetime.now().astimezone():%Y%m%d}"))
    assert today in days


def test_announcements_are_for_the_face() -> None:
    """`Announce` comes out of the loop as it went in."""
    table = Table()
    table.make_code()
    table.seconds += 25
    assert run(table.reader, table.card, CardRemoved(), table.clock) == [Announce(10)]
