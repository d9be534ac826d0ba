"""A device whose slot is a reader of the computer: a hand puts the card in, and takes it out."""

import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from textual.widgets import Static

from sesame.card.card_file import open_card
from sesame.reader.errors import CardPulled, ReaderBusy, ServiceAbsent
from sesame.reader.machine import Event, Key, KeyPressed, Reader, Screen, Show, State, Tick
from sesame.reader.pcsc_slot import PcscSlot
from sesame.reader.slot import Clock
from sesame.terminal.device import Device
from sesame.terminal.full_screen import FullScreen
from sesame.terminal.plain import Keyboard, Plain, run_plain
from tests.reader import pcsc
from tests.reader.cards import PIN, WRONG, card_file
from tests.reader.pcsc import FakeLibrary, FakeReader, pad, t0
from tests.terminal.table import TODAY, explain, verifies


class Desk:
    """A reader of the computer, a device on it, and a hand with a card."""

    def __init__(self, answer: Callable[[bytes], bytes], reset: Callable[[], object]) -> None:
        self.answer = answer
        self.reader = FakeReader(reset=reset)
        self.library = FakeLibrary(ACS=self.reader)
        self.seconds = 0.0
        clock = Clock(seconds=lambda: self.seconds, today=lambda: TODAY)
        slot = PcscSlot(library=self.library, pause=lambda _: None)
        self.device = Device(Reader(), slot, clock)

    @property
    def screen(self) -> Screen:
        """What the display shows."""
        return self.device.screen

    def hand(self, *, card_in: bool) -> None:
        """Put the card in, or take it out; half a second later the device has noticed."""
        self.reader.answer = self.answer if card_in else None
        self.wait()

    def wait(self) -> list[State]:
        """What is shown, one after the other, when the next thing is due."""
        assert self.device.due_in is not None
        assert self.device.due_in <= 0.5
        self.seconds += self.device.due_in
        shown = self.device.handle(Tick())
        return [effect.screen.state for effect in shown if isinstance(effect, Show)]

    def state(self) -> State:
        """Where the dialogue stands; a call, so that no type checker thinks it stays so."""
        return self.screen.state

    def press(self, *keys: str) -> None:
        """Press keys; several digits may stand in one word."""
        for word in keys:
            for key in word if word.isdecimal() else [word]:
                self.happen(KeyPressed(Key(key)))

    def happen(self, event: Event) -> None:
        """Let *event* happen."""
        self.device.handle(event)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With a card in the hand."""
    with open_card(card_file(tmp_path, "sesame")) as chip:
        yield Desk(t0(chip.respond), chip.reset)


def test_a_card_switches_on_and_makes_a_code(desk: Desk) -> None:
    """When it goes in; while the code is shown it may go out."""
    assert desk.device.due_in == 0.5
    assert desk.wait() == []
    desk.hand(card_in=True)
    assert (desk.screen.state, desk.device.card_in) == (State.MENU, True)
    desk.press("code", PIN.digits, "ok")
    assert desk.screen.code is not None
    assert verifies(desk.screen.code, atc=1)
    desk.hand(card_in=False)
    assert desk.state() is State.CODE_SHOWN
    assert not desk.device.card_in


def test_a_card_that_goes_out_is_missed(desk: Desk) -> None:
    """And seen when it is back."""
    desk.hand(card_in=True)
    desk.hand(card_in=False)
    assert desk.state() is State.CARD_REMOVED
    desk.hand(card_in=True)
    assert desk.state() is State.MENU


def test_a_card_that_goes_in_the_middle(desk: Desk) -> None:
    """The error is the face's to say; then the reader waits for a card."""
    desk.hand(card_in=True)
    desk.press("code", PIN.digits)

    def pull(call: str) -> None:
        if call == "SCardTransmit":
            desk.reader.answer = None

    desk.library.before = pull
    with pytest.raises(CardPulled):
        desk.press("ok")
    assert desk.state() is State.CARD_MUTE
    desk.library.before = lambda _: None
    desk.wait()
    assert desk.state() is State.AWAITING_CARD
    desk.hand(card_in=True)
    assert desk.state() is State.MENU


def test_a_card_that_another_program_has(desk: Desk) -> None:
    """Said once, not twice a second; taken out and put in, it is tried again."""
    desk.library.codes["SCardConnect"] = pcsc.BUSY
    desk.reader.answer = desk.answer
    with pytest.raises(ReaderBusy):
        desk.wait()
    assert desk.wait() == []
    assert not desk.device.card_in
    desk.library.codes.clear()
    assert desk.wait() == []
    desk.hand(card_in=False)
    desk.hand(card_in=True)
    assert desk.state() is State.MENU


def test_the_key_for_the_card_looks(desk: Desk) -> None:
    """What a hand has done; it cannot pull the card."""
    desk.reader.answer = desk.answer
    desk.device.turn()
    assert desk.state() is State.MENU
    desk.device.turn()
    assert desk.device.card_in


def test_the_key_for_the_card_tries_again(desk: Desk) -> None:
    """Where another program has the card, or the service is gone: whoever asks is answered."""
    desk.reader.answer = desk.answer
    desk.library.codes["SCardConnect"] = pcsc.BUSY
    for _ in range(2):
        with pytest.raises(ReaderBusy):
            desk.device.turn()
    desk.library.codes = {"SCardEstablishContext": pcsc.NO_SERVICE}
    for _ in range(2):
        with pytest.raises(ServiceAbsent):
            desk.device.turn()
    desk.library.codes.clear()
    desk.device.turn()
    assert desk.state() is State.MENU


def test_a_service_that_ends_is_told_once(desk: Desk) -> None:
    """The card is as good as gone, and whoever sits here hears why; when it is back, all is."""
    desk.hand(card_in=True)
    desk.library.codes["SCardGetStatusChange"] = pcsc.NO_SERVICE
    with pytest.raises(ServiceAbsent):
        desk.wait()
    assert desk.state() is State.CARD_REMOVED
    desk.library.codes["SCardEstablishContext"] = pcsc.NO_SERVICE
    desk.wait()
    assert not desk.device.card_in
    desk.library.codes.clear()
    desk.wait()
    assert desk.state() is State.MENU
    desk.library.codes["SCardGetStatusChange"] = pcsc.NO_SERVICE
    with pytest.raises(ServiceAbsent):
        desk.wait()


def test_the_next_look_comes_nearer(desk: Desk) -> None:
    """A face that asks often when it is due learns at last that it is now."""
    desk.seconds += 0.3
    assert desk.device.due_in == pytest.approx(0.2)
    desk.seconds += 0.3
    assert desk.device.due_in == 0
    desk.happen(Tick())
    assert desk.device.due_in == pytest.approx(0.5)


def test_a_pin_on_the_keys_of_the_slot(desk: Desk) -> None:
    """The face shows where, and then the keys are asked."""
    desk.reader.typed = pad(desk.answer, PIN.digits)
    desk.hand(card_in=True)
    desk.press("code")
    assert desk.state() is State.PIN_ON_PAD
    assert desk.device.due_in == 0
    assert desk.library.controlled == []
    assert desk.wait()[-1] is State.CODE_SHOWN
    assert len(desk.library.controlled) == 1


def test_nobody_types_there(desk: Desk) -> None:
    """The menu is there again, and waits for a key."""
    desk.reader.typed = lambda _: b"\x64\x00"
    desk.hand(card_in=True)
    desk.press("code")
    desk.wait()
    assert desk.state() is State.MENU
    assert desk.device.due_in == 0.5


def test_the_plain_face_says_it_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words before the keys are waited for, and the code behind them."""
    desk.reader.typed = pad(desk.answer, PIN.digits)
    desk.hand(card_in=True)
    ours, theirs = os.pipe()
    os.write(theirs, b"c\n")

    def ended(call: str) -> None:
        if call == "SCardControl":
            os.write(theirs, b"q\n")

    desk.library.before = ended
    with os.fdopen(ours) as typed, os.fdopen(theirs, "wb"):
        monkeypatch.setattr("sys.stdin", typed)
        run_plain(desk.device, explain, sys.stdout)
    said = capsys.readouterr().out
    assert said.index("Tapez le code secret sur le clavier du lecteur.") < said.index(
        "Votre code Sésame"
    )


def test_the_plain_face_tells_the_tries(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time before the PIN of a card that somebody needs; on the last one its warning does."""
    desk.hand(card_in=True)
    with tempfile.TemporaryFile("w+") as typed:
        typed.write(f"c\n{WRONG.digits}\n\n{WRONG.digits}\ne\nc\nq\n")
        typed.seek(0)
        monkeypatch.setattr("sys.stdin", typed)
        run_plain(desk.device, explain, sys.stdout)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "Essais du code secret qui restent : 3.",
        "Code secret ?",
        "Code secret faux, reste 2 essais, appuyez sur OK",
        "Essais du code secret qui restent : 2.",
        "Code secret ?",
        "Code secret faux, dernier essai, appuyez sur OK",
        "Choisissez une fonction, carte …0 0 5 5",
        "Dernier essai, appuyez sur OK",
    ]


class Fingers(Keyboard):
    """A terminal on which one step is done before each look at it."""

    def __init__(self, descriptor: int, steps: list[Callable[[], object]]) -> None:
        super().__init__(descriptor)
        self._steps = steps

    def line(self, wait: float | None) -> str | None:
        """What has come of the next step; nothing is waited for."""
        del wait
        if not self._steps:
            raise EOFError
        self._steps.pop(0)()
        return super().line(0.05)


def _ends(desk: Desk) -> dict[str, Callable[[], object]]:
    """What ends a PIN that is half typed, and nobody has asked for it."""

    def pull() -> None:
        desk.seconds += 1
        desk.reader.answer = None

    def lose_the_service() -> None:
        desk.seconds += 1
        desk.library.codes["SCardGetStatusChange"] = pcsc.NO_SERVICE

    def fall_asleep() -> None:
        desk.seconds += 40

    return {"pulled": pull, "lost": lose_the_service, "asleep": fall_asleep}


@pytest.mark.parametrize("end", ["pulled", "lost", "asleep"])
@pytest.mark.parametrize("wrong_before", [False, True])
def test_a_pin_half_typed_stays_unseen(desk: Desk, end: str, *, wrong_before: bool) -> None:
    """Whatever ends its state: to the end of the line, which is dropped and said to be."""
    desk.hand(card_in=True)
    ours, theirs = os.openpty()

    def typing(words: str) -> Callable[[], object]:
        return partial(os.write, ours, words.encode())

    first = [typing(f"{WRONG.digits}\n")] if wrong_before else []
    steps = [
        *(typing("c\n"), *first, typing(PIN.digits[:2]), _ends(desk)[end]),
        *(typing(f"{PIN.digits[2:]}\n"), typing("h\n")),
    ]
    output = io.StringIO()
    with Fingers(theirs, steps) as keyboard:
        Plain(desk.device, keyboard, output, explain).serve()
    os.close(theirs)
    assert os.read(ours, 4096).decode(errors="replace") == "c\r\nh\r\n"
    os.close(ours)
    said = output.getvalue()
    assert "Cette ligne est effacée : il pouvait y avoir un code secret.\n" in said
    assert "Commande inconnue" not in said
    assert "Entrée seule : OK." in said
    assert PIN.digits not in said


def test_the_full_screen_sees_the_hand(desk: Desk) -> None:
    """The card that goes in, its tries before the PIN, the card that goes out, and why not."""

    async def sit() -> None:
        app = FullScreen(desk.device, explain)
        async with app.run_test(size=(80, 24)) as pilot:

            async def sees(state: State, words: str) -> None:
                async with asyncio.timeout(120):
                    while desk.state() is not state or words not in str(
                        app.query_one("#message", Static).content
                    ):
                        desk.seconds += 0.05
                        await pilot.pause(0.02)

            await sees(State.OFF, "")
            desk.reader.answer = desk.answer
            await sees(State.MENU, "")
            await pilot.press("c")
            await sees(State.AWAITING_PIN, "Essais du code secret qui restent\u00a0: 3.")
            await pilot.press("7")
            await sees(State.AWAITING_PIN, "Essais du code secret qui restent\u00a0: 3.")
            desk.reader.answer = None
            await sees(State.CARD_REMOVED, "")
            desk.library.codes["SCardEstablishContext"] = pcsc.NO_SERVICE
            await sees(State.AWAITING_CARD, "ERREUR ServiceAbsent")
            await pilot.press("q")

    asyncio.run(sit())
