"""A whole dialogue with a real chip in a file: codes that the bank's side verifies."""

import errno
import os
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from sesame.cap.errors import InputFault, MalformedInputs
from sesame.cap.mode import Iaf, Inputs, Mode
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, candidates, match
from sesame.card.card_file import open_card, read_summary
from sesame.card.errors import CardFileUnusable, CardInUse
from sesame.card.memory import Counters
from sesame.emv.apdu import Command, Response
from sesame.emv.pin import Pin
from sesame.reader.code import Asking, NoCode, Where, WrongPin, make_code
from sesame.reader.errors import CardIsMute
from sesame.reader.machine import State
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from tests.reader.cards import DKI, DPA_KEY, PAYMENT_KEY, PIN, PROFILES, WRONG, card_file
from tests.reader.dialogue import CODE, CardStub

CLOCK = Clock(seconds=lambda: 0.0, today=lambda: 20261123)


@pytest.mark.parametrize("kind", PROFILES)
def test_a_code_of_our_chip_and_reader_verifies(tmp_path: Path, kind: str) -> None:
    """Near the last ATC, under the card's key and no other; each time a new one."""
    path, profile = card_file(tmp_path, kind), PROFILES[kind]
    seen = set()
    for atc in range(1, 4):
        code = make_code(VirtualSlot(path), PIN, CLOCK)
        assert isinstance(code, Code)
        assert candidates(profile, atc - 1, code).near == atc
        assert match(KeyedCard(profile, DKI, "00", DPA_KEY), [atc], code) == [True]
        assert match(KeyedCard(profile, DKI, "00", PAYMENT_KEY), [atc], code) == [False]
        seen.add(code.digits)
    assert len(seen) == 3
    assert read_summary(path).counters == Counters(atc=3, pin_tries_left=3)


@pytest.mark.parametrize("kind", PROFILES)
def test_a_wrong_pin_costs_a_try_until_the_card_is_blocked(tmp_path: Path, kind: str) -> None:
    """The card's own count; after the third nothing helps, the right PIN neither."""
    path = card_file(tmp_path, kind)
    assert make_code(VirtualSlot(path), WRONG, CLOCK) == WrongPin(tries_left=2)
    assert make_code(VirtualSlot(path), WRONG, CLOCK) == WrongPin(tries_left=1)
    assert make_code(VirtualSlot(path), WRONG, CLOCK) == NoCode(State.CARD_BLOCKED)
    assert make_code(VirtualSlot(path), PIN, CLOCK) == NoCode(State.CARD_BLOCKED)


def test_the_right_pin_at_the_last_try_gives_all_back(tmp_path: Path) -> None:
    """As EMV has it."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=7, pin_tries_left=1))
    assert isinstance(make_code(VirtualSlot(path), PIN, CLOCK), Code)
    assert read_summary(path).counters == Counters(atc=8, pin_tries_left=3)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (("expiry", date(2026, 11, 22)), State.CARD_EXPIRED),
        (("effective", date(2026, 11, 24)), State.CARD_NOT_YET_VALID),
    ],
)
def test_a_card_out_of_its_time(tmp_path: Path, change: tuple[str, date], state: State) -> None:
    """No PIN is spent on it."""
    path = card_file(tmp_path, "sesame", change)
    assert make_code(VirtualSlot(path), WRONG, CLOCK) == NoCode(state)
    assert read_summary(path).counters.pin_tries_left == 3


def test_the_calendar_is_this_computers(tmp_path: Path) -> None:
    """Without a clock of the caller's."""
    path = card_file(tmp_path, "sesame", ("expiry", date(2020, 1, 2)))
    assert make_code(VirtualSlot(path), PIN) == NoCode(State.CARD_EXPIRED)


def test_a_card_that_only_pays(tmp_path: Path) -> None:
    """Has no application for codes."""
    path = card_file(tmp_path, "payment")
    assert make_code(VirtualSlot(path), PIN, CLOCK) == NoCode(State.CARD_UNKNOWN)


def test_a_card_upside_down(tmp_path: Path) -> None:
    """Is mute."""
    path = card_file(tmp_path, "sesame")
    slot = VirtualSlot(path, upside_down=True)
    assert make_code(slot, PIN, CLOCK) == NoCode(State.CARD_MUTE)


def test_a_card_whose_atc_is_at_the_end(tmp_path: Path) -> None:
    """It refuses its options for good: call the bank."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=65535, pin_tries_left=3))
    assert make_code(VirtualSlot(path), PIN, CLOCK) == NoCode(State.CARD_BLOCKED)


def test_a_card_that_is_unfit_says_why() -> None:
    """In English, for engineers."""
    card = CardStub()
    card.answers = dict.fromkeys(card.answers, Response(0x9000))
    outcome = make_code(card, PIN, CLOCK)
    assert isinstance(outcome, NoCode)
    assert outcome.state is State.CARD_UNFIT
    assert "AFL" in outcome.problem


def test_a_card_that_takes_longer_than_the_reader_waits() -> None:
    """35 seconds without an answer: off."""
    seconds = iter(range(0, 10_000, 36))
    slow = Clock(seconds=lambda: next(seconds), today=lambda: None)
    card = CardStub()
    assert make_code(card, PIN, slow) == NoCode(State.OFF)
    assert not card.powered


@pytest.mark.parametrize("pin", [PIN, WRONG])
def test_the_card_is_free_afterwards(tmp_path: Path, pin: Pin) -> None:
    """Whatever came out of it."""
    path = card_file(tmp_path, "sesame")
    make_code(VirtualSlot(path), pin, CLOCK)
    with open_card(path):
        pass


def test_a_card_in_use_elsewhere_is_told(tmp_path: Path) -> None:
    """It is for the caller to say so, not a code that failed."""
    path = card_file(tmp_path, "sesame")
    with open_card(path), pytest.raises(CardInUse):
        make_code(VirtualSlot(path), PIN, CLOCK)
    assert isinstance(make_code(VirtualSlot(path), PIN, CLOCK), Code)


class Torn(VirtualSlot):
    """A slot out of which the card is pulled before the command number *at*."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path)
        self.left = at

    def transmit(self, command: Command) -> Response:
        """The chip's answer, as long as it is there."""
        if self.left == 0:
            raise CardIsMute
        self.left -= 1
        return super().transmit(command)


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("at", range(7))
def test_pulled_out_at_every_command(tmp_path: Path, kind: str, at: int) -> None:
    """No code is skipped twice, no try is lost for good, and the next code verifies."""
    path, profile = card_file(tmp_path, kind), PROFILES[kind]
    assert make_code(Torn(path, at), PIN, CLOCK) == NoCode(State.CARD_MUTE)
    atc = read_summary(path).counters.atc
    assert atc == (0 if at < 2 else 1)
    code = make_code(VirtualSlot(path), PIN, CLOCK)
    assert isinstance(code, Code)
    assert match(KeyedCard(profile, DKI, "00", DPA_KEY), [atc + 1], code) == [True]
    assert read_summary(path).counters == Counters(atc=atc + 1, pin_tries_left=3)


def test_a_disk_that_refuses_the_counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's error comes through, no code is made, and the card is let go."""
    path = card_file(tmp_path, "sesame")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CardFileUnusable):
        make_code(VirtualSlot(path), PIN, CLOCK)
    monkeypatch.undo()
    assert isinstance(make_code(VirtualSlot(path), PIN, CLOCK), Code)


def test_waiting_for_a_card_in_use_costs_nothing(tmp_path: Path) -> None:
    """However long another program holds it: the code comes when the card does."""
    path = card_file(tmp_path, "sesame")
    now = 0.0

    class Contended(VirtualSlot):
        """A slot that gets its card after forty seconds."""

        def power_on(self) -> bytes:
            """The ATR, at last."""
            nonlocal now
            now += 40
            return super().power_on()

    clock = Clock(seconds=lambda: now, today=lambda: 20261123)
    assert isinstance(make_code(Contended(path), PIN, clock), Code)


# ── Whoever is asked ─────────────────────────────────────────────────────────────────────────────


def test_a_pin_is_asked_for_until_it_is_right(tmp_path: Path) -> None:
    """With the tries that are left; the session is one, and so is the code's ATC."""
    path, asked = card_file(tmp_path, "sesame"), []

    def ask(asking: Asking) -> Pin:
        asked.append(asking)
        return PIN if asking.tries_left == 1 else WRONG

    assert isinstance(make_code(VirtualSlot(path), ask, CLOCK), Code)
    assert asked == [Asking(3), Asking(2, wrong=True), Asking(1, wrong=True)]
    assert read_summary(path).counters == Counters(atc=1, pin_tries_left=3)


def test_the_last_try_is_asked_for_too(tmp_path: Path) -> None:
    """Who is asked knows that it is the last; nothing is tried where they give none."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=1))
    asked = []

    def ask(asking: Asking) -> None:
        asked.append(asking)

    assert make_code(VirtualSlot(path), ask, CLOCK) == NoCode(State.LAST_TRY)
    assert asked == [Asking(1)]
    assert read_summary(path).counters.pin_tries_left == 1


@pytest.mark.parametrize(("tries", "state"), [(3, State.AWAITING_PIN), (0, State.CARD_BLOCKED)])
def test_nobody_gives_a_pin(tmp_path: Path, tries: int, state: State) -> None:
    """Nothing is tried; of a card without tries nobody is asked."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=tries))
    assert make_code(VirtualSlot(path), lambda _: None, CLOCK) == NoCode(state)
    assert read_summary(path).counters.pin_tries_left == tries


def test_who_is_asked_may_take_minutes(tmp_path: Path) -> None:
    """Nearly six, not the thirty-five seconds of a reader that nobody touches."""
    now = 0.0

    def ask(_: Asking, *, takes: float) -> Pin:
        nonlocal now
        now += takes
        return PIN

    clock = Clock(seconds=lambda: now, today=lambda: 20261123)
    path = card_file(tmp_path, "sesame")
    assert isinstance(make_code(VirtualSlot(path), partial(ask, takes=340), clock), Code)
    assert make_code(VirtualSlot(path), partial(ask, takes=360), clock) == NoCode(State.OFF)


def test_inputs_that_depend_on_the_card(tmp_path: Path) -> None:
    """They are asked with its IAF, once; what they raise comes through, and the card is let go."""
    path, seen = card_file(tmp_path, "sesame"), []

    def choose(iaf: Iaf) -> Inputs:
        seen.append(iaf)
        if len(seen) > 1:
            raise MalformedInputs(InputFault.NOTHING_TO_PAY)
        return Inputs(mode=Mode.M3, challenge="1")

    assert isinstance(make_code(VirtualSlot(path), PIN, CLOCK, inputs=choose), Code)
    with pytest.raises(MalformedInputs):
        make_code(VirtualSlot(path), WRONG, CLOCK, inputs=choose)
    assert seen == [SESAME_CARD.iaf] * 2
    assert isinstance(make_code(VirtualSlot(path), PIN, CLOCK), Code)


def test_a_pin_that_is_typed_on_the_slot() -> None:
    """Who is asked gives none; a PIN that is there already is not used."""
    card, asked = CardStub(), []
    card.pin_pad = True

    def ask(asking: Asking) -> Where:
        asked.append(asking)
        return Where.ON_PAD

    assert make_code(card, ask, CLOCK) == Code(CODE.replace(" ", ""))
    assert asked == [Asking(3, pin_pad=True)]
    assert make_code(card, PIN, CLOCK) == NoCode(State.PIN_ON_PAD)
    assert len(card.typed_on_pad) == 1


def test_a_slot_without_keys_takes_no_pin_that_is_not_given() -> None:
    """Somebody who says that it is typed there is asked again, and may stop."""
    answers = [None, Where.ON_PAD]
    assert make_code(CardStub(), lambda _: answers.pop(), CLOCK) == NoCode(State.AWAITING_PIN)
