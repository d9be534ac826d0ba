"""The full-screen face: a reader drawn in the terminal, with keys to type or to click.

The only module that knows the terminal library. Time and the card are `Device`'s: what it does
happens in a thread, one thing after the other, while the screen stays alive.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping
from enum import Enum, unique
from functools import partial
from math import ceil
from typing import ClassVar

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Key as KeyEvent
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from sesame.catalogue import N_, translator
from sesame.errors import SesameError
from sesame.reader.machine import (
    DIGITS,
    Announce,
    Key,
    KeyHeld,
    KeyPressed,
    Show,
    State,
    Tick,
    voids_keys,
)
from sesame.reader.speech import speak_time, speak_tries
from sesame.terminal.device import Device
from sesame.terminal.drawing import draw

_BEAT = 0.25  # seconds between two looks at the clock
_BELL_AT = 5  # seconds before the reader switches off


@unique
class Deed(Enum):
    """What can be done with a reader besides pressing one of its keys."""

    HOLD_CORRECTION = "C is kept down"
    CARD = "the card goes in, or out"
    TIME = "time has passed"
    HELP = "the keyboard's help comes, or goes"
    QUIT = "that was all"


# Row by row, as the reader has them, with what stands on each.
_PAD: tuple[tuple[Key | Deed, str], ...] = (
    (Key.CODE, N_("c Code")),
    (Key.RESPOND, N_("r Répondre")),
    (Key.SIGN, N_("s Signer")),
    (Key.DIGIT_1, "1"),
    (Key.DIGIT_2, "2"),
    (Key.DIGIT_3, "3"),
    (Key.CORRECTION, "C"),
    (Key.DIGIT_4, "4"),
    (Key.DIGIT_5, "5"),
    (Key.DIGIT_6, "6"),
    (Key.ON, N_("Marche")),
    (Key.DIGIT_7, "7"),
    (Key.DIGIT_8, "8"),
    (Key.DIGIT_9, "9"),
    (Deed.CARD, N_("Carte")),
    (Key.COMMA, ","),
    (Key.DIGIT_0, "0"),
    (Key.OK, "OK"),
)
_HELP = N_(
    "0 à 9   chiffres\n"
    ",       virgule\n"
    "c       Code\n"
    "r       Répondre\n"
    "s       Signer\n"
    "Entrée  OK\n"
    "Retour  C\u00a0: efface un chiffre\n"
    "Suppr   efface tout\n"
    "Échap   marche et arrêt\n"
    "i       insère, retire la carte\n"
    "q       quitte"
)
_TITLE = N_("Lecteur Sésame")
_HELP_TITLE = N_("Clavier")
_HELP_HERE = N_("h\u00a0: aide")
_CARD_IN = N_("carte insérée")
_CARD_OUT = N_("sans carte")

# Never thrown away: none of these agrees to anything.
_KEPT = frozenset({Key.ON, Deed.CARD, Deed.TIME, Deed.QUIT})

# From how many columns and rows on there is room for what full_screen.tcss says.
_WIDTHS = [(0, "-narrow"), (76, "-wide")]
_HEIGHTS = [(0, "-tiny"), (15, "-flat"), (20, "-roomy"), (26, "-tall")]

# What is no code for a login does not look like one either.
_FRAMES = {State.RESPONSE_SHOWN: "-response", State.SIGNATURE_SHOWN: "-signature"}

# By what the terminal library calls a key, then by the character that it makes.
_BY_NAME: Mapping[str, Key | Deed] = {
    "enter": Key.OK,
    "backspace": Key.CORRECTION,
    "delete": Deed.HOLD_CORRECTION,
    "escape": Key.ON,
    "f1": Deed.HELP,
}
_BY_CHARACTER: Mapping[str, Key | Deed] = {
    **{str(digit): digit for digit in DIGITS},
    # French and Belgian keyboards without Shift.
    **dict(zip("à&é\"'(-è_ç", DIGITS, strict=True)),
    "§": Key.DIGIT_6,
    "!": Key.DIGIT_8,
    ",": Key.COMMA,
    ".": Key.COMMA,
    "c": Key.CODE,
    "r": Key.RESPOND,
    "s": Key.SIGN,
    "i": Deed.CARD,
    "h": Deed.HELP,
    "?": Deed.HELP,
    "q": Deed.QUIT,
}


def run_full_screen(
    device: Device, explain: Callable[[SesameError], str], notice: str = ""
) -> None:
    """Show *device* until its holder quits; *explain* makes a sentence of what goes wrong.

    *notice* is what there is to say at the beginning.

    Raises:
        Exception: what nobody expected; the terminal is put back before.
    """
    app = FullScreen(device, explain, notice)
    app.run()
    if app.failure is not None:
        raise app.failure


class Display(Widget):
    """The reader's display.

    What digits are made of is drawn one character at a time: the libraries below remember the
    texts that they have measured, and a code would be among them long after its time.
    """

    def __init__(self, rows: Callable[[int, int], list[str]]) -> None:
        super().__init__(id="display")
        self._rows = rows

    def render_line(self, y: int) -> Strip:
        """Row *y* of what it shows now; nothing of it is kept here."""
        width, height = self.content_size
        rows = self._rows(width, height)
        row = rows[y][:width] if y < len(rows) else ""
        style = self.rich_style
        return Strip([Segment(piece, style) for piece in _PIECES.findall(row.ljust(width))], width)


_PIECES = re.compile(r"[0-9█▀▄]|[^0-9█▀▄]+")


class PadKey(Static):
    """A key of the reader, for the mouse: the keyboard never has to be led to it."""

    def __init__(self, does: Key | Deed, label: str) -> None:
        super().__init__(label, classes="key", id=f"key-{does.name.lower()}", markup=False)
        self._does = does

    def on_click(self) -> None:
        """Do what it does."""
        if isinstance(self.app, FullScreen):
            self.app.do(self._does)


class FullScreen(App[None]):
    """The reader with its keys, and a line for what else is to be said."""

    TITLE = "Sésame"
    CSS_PATH = "full_screen.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+c", "leave"), ("ctrl+q", "leave")]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self, device: Device, explain: Callable[[SesameError], str], notice: str = ""
    ) -> None:
        # Where no colours are wanted the terminal keeps its own two.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.failure: Exception | None = None
        self._device = device
        self._explain = explain
        self._translated = translator(device.screen.language)
        self._shown = device.screen  # as the last event has left it
        self._asked: asyncio.Queue[Key | Deed] = asyncio.Queue()
        self._counted: int | None = None  # seconds that the display says are left
        self._busy = False
        self._wrong = False  # the message says what went wrong
        self._server: asyncio.Task[None] | None = None
        self._frame = Container(id="device")
        self._panel = Display(self._rows)
        self._message = Static(notice, id="message", markup=False)

    # ── What is on the screen ────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        """Build the reader, and the text beside it."""
        with Container(id="table"):
            with self._frame:
                yield self._panel
                with Container(id="pad"):
                    for does, label in _PAD:
                        yield PadKey(does, self._translated(label))
            help_text = Static(self._translated(_HELP), id="help", markup=False)
            help_text.border_title = self._translated(_HELP_TITLE)
            yield help_text
        yield self._message

    def on_mount(self) -> None:
        """Let time pass, and listen to what is asked for."""
        self._frame.border_title = self._translated(_TITLE)
        self._refresh()
        self._server = asyncio.create_task(self._serve())
        self.set_interval(_BEAT, self._look_at_the_clock)
        for end in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(end, self.do, Deed.QUIT)

    def on_resize(self) -> None:
        """Say where the help is, unless it stands beside the reader."""
        self.call_after_refresh(self._refresh)

    @property
    def _seconds(self) -> int | None:
        left = self._device.seconds_left(self._shown)
        return None if left is None else ceil(left)

    def _rows(self, width: int, height: int) -> list[str]:
        self._counted = self._seconds
        return draw(self._shown, self._counted, width, height)

    def _refresh(self) -> None:
        self._shown = self._device.screen
        card = self._translated(_CARD_IN if self._device.card_in else _CARD_OUT)
        more = f" · {self._translated(_HELP_HERE)}" if self.screen.has_class("-narrow") else ""
        self._frame.border_subtitle = card + more
        self.screen.set_class(self._shown.large, "-large")
        for state, name in _FRAMES.items():
            self._panel.set_class(self._shown.state is state, name)
        self._panel.refresh()

    # ── What is asked for ────────────────────────────────────────────────────────────────────────

    def on_key(self, event: KeyEvent) -> None:
        """A key of the keyboard."""
        does = _BY_NAME.get(event.key) or _BY_CHARACTER.get((event.character or "").lower())
        if does is not None:
            event.stop()
            self.do(does)

    def action_leave(self) -> None:
        """Leave, as `q` does."""
        self.do(Deed.QUIT)

    def do(self, what: Key | Deed) -> None:
        """Do *what* is asked for, once all that was asked before is done."""
        if what is Deed.HELP:
            self.screen.toggle_class("-help")
        else:
            self._asked.put_nowait(what)

    def _look_at_the_clock(self) -> None:
        if self._busy or not self._asked.empty():
            return  # every event passes the time itself
        if self._device.due_in == 0:
            self._asked.put_nowait(Deed.TIME)
            return
        self._shown = self._device.screen  # it may have warned
        if self._seconds != self._counted:
            self._panel.refresh()

    # ── What happens ─────────────────────────────────────────────────────────────────────────────

    async def _serve(self) -> None:
        """Do what is asked for, in its order, until that is to leave."""
        try:
            while (what := await self._asked.get()) is not Deed.QUIT:
                await self._happen(what)
            await asyncio.to_thread(self._device.put_away)
            self._refresh()  # some terminals keep what they showed last
        except Exception as error:  # noqa: BLE001 -- raised again when the terminal is put back
            self.failure = error
        self.call_after_refresh(self.exit)

    async def _happen(self, what: Key | Deed) -> None:
        self._busy = True
        effects: list[Show | Announce] = []
        wrong = False
        try:
            effects = await asyncio.to_thread(self._step(what))
        except SesameError as error:
            message, wrong = self._explain(error), True
        else:
            message = self._warning(effects) or self._tries()
        finally:
            self._busy = False
        self._refresh()
        if wrong or voids_keys(effects):
            await self._throw_keys_away()
        # Why a card cannot be used stays to be read, until one can or somebody presses a key.
        passed = effects and not (self._wrong and not self._device.card_in)
        if message or passed or what is not Deed.TIME:
            self._message.update(message)
            self._wrong = wrong

    async def _throw_keys_away(self) -> None:
        """Drop what was pressed before all that has happened could be seen."""
        painted = asyncio.Event()
        if self.call_after_refresh(painted.set):  # behind the keys that are on their way
            await painted.wait()
        waiting = [self._asked.get_nowait() for _ in range(self._asked.qsize())]
        for what in waiting:
            if what in _KEPT:
                self._asked.put_nowait(what)

    def _step(self, what: Key | Deed) -> Callable[[], list[Show | Announce]]:
        match what:
            case Deed.CARD:
                return self._device.turn
            case Deed.HOLD_CORRECTION:
                return partial(self._device.handle, KeyHeld(Key.CORRECTION))
            case Key() as key:
                return partial(self._device.handle, KeyPressed(key))
        return partial(self._device.handle, Tick())

    def _warning(self, effects: list[Show | Announce]) -> str:
        """The warning that time is running out, where one is due."""
        if any(isinstance(effect, Show) for effect in effects):
            return ""
        warnings = [effect.seconds for effect in effects if isinstance(effect, Announce)]
        if not warnings:
            return ""
        if warnings[-1] <= _BELL_AT:
            self.bell()
        screen = self._device.screen
        return speak_time(warnings[-1], screen.state, screen.language)

    def _tries(self) -> str:
        """How many tries are left, where somebody's own card asks for its PIN."""
        return speak_tries(self._device.screen) if self._device.by_hand else ""

    def _fatal_error(self) -> None:
        """Leave after a failure of a widget or of the library, without a word about values.

        The library would print the locals of every function, and a PIN may be among them.
        """
        self.failure = self._exception
        self._close_messages_no_wait()
