"""The plain face: one line for each change, for a braille line, a screen reader or a pipe.

What the reader shows is said in a sentence, as a talking reader would. Nothing is drawn, moved
or written over. Commands are words or letters with Enter. What is typed stays unseen wherever
somebody may believe that the PIN is wanted; where that ends by itself, until the end of the line.
"""

import os
import re
import select
import sys
import termios
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum, unique
from functools import partial
from typing import Self, TextIO

from sesame.catalogue import N_, translator
from sesame.errors import SesameError
from sesame.reader.machine import (
    SHOWN,
    Announce,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    Show,
    State,
    Tick,
    voids_keys,
)
from sesame.reader.speech import speak, speak_time, speak_tries
from sesame.terminal.device import Device
from sesame.terminal.signals import ended_in_order

_PROMPT = "> "
_GREETING = N_("Lecteur Sésame. Tapez h puis Entrée pour l’aide.")
_HELP = N_(
    "c\u00a0: Code.\n"
    "r\u00a0: Répondre.\n"
    "s\u00a0: Signer.\n"
    "Entrée seule\u00a0: OK.\n"
    "e\u00a0: effacer, ou revenir.\n"
    "m\u00a0: marche ou arrêt.\n"
    "i\u00a0: insérer ou retirer la carte.\n"
    "l\u00a0: lire encore l’écran.\n"
    "q\u00a0: quitter.\n"
    "Un nombre se tape en entier, puis Entrée."
)
_UNKNOWN = N_("Commande inconnue. Tapez h puis Entrée pour l’aide.")
_NO_FIT = N_("Ce nombre ne convient pas. Recommencez.")
_OK_FIRST = N_("Rien n’a été essayé. Tapez d’abord Entrée seule, pour OK.")
_LINE_DROPPED = N_("Cette ligne est effacée\u00a0: il pouvait y avoir un code secret.")

# Here a number is awaited as a whole; in other states its digits are keys like others.
_FIELDS = frozenset(
    {State.AWAITING_CHALLENGE, State.AWAITING_AMOUNT, State.AWAITING_PAYEE, State.AWAITING_PIN}
)
# Here somebody may type a PIN, asked for it or not.
_UNSEEN = frozenset(
    {State.LAST_TRY, State.AWAITING_PIN, State.PIN_ON_PAD, State.VERIFYING, State.WRONG_PIN}
)
_OK_BEFORE_PIN = frozenset({State.LAST_TRY, State.WRONG_PIN})
_NUMBER = re.compile(r"[0-9]+(,[0-9]*)?")
# Braille tables have no sign for these, and a voice does not need them.
_ORDINARY_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})
_LONGEST_NAP = 0.5  # seconds


@unique
class Deed(Enum):
    """What can be done with a reader besides pressing one of its keys."""

    CARD = "the card goes in, or out"
    READ = "the display is said again"
    HELP = "the commands are said"


_WORDS: tuple[tuple[str, Key | Deed], ...] = (
    ("c code", Key.CODE),
    ("r repondre respond", Key.RESPOND),
    ("s signer sign", Key.SIGN),
    ("o ok", Key.OK),
    ("e effacer erase", Key.CORRECTION),
    ("m marche arret on off", Key.ON),
    ("i inserer retirer insert remove carte card", Deed.CARD),
    ("l lire read", Deed.READ),
    ("h ? aide help", Deed.HELP),
)
# Of both languages: who has learned one word need not learn another.
_COMMANDS: Mapping[str, Key | Deed] = {
    "": Key.OK,
    **{word: does for words, does in _WORDS for word in words.split()},
}
_QUIT = frozenset({"q", "quitter", "quit"})


class Keyboard:
    """Lines typed on the file *descriptor*, of a terminal or not.

    In a context: leaving it, a terminal shows again what is typed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.interactive = os.isatty(descriptor)
        self._read = b""
        self.unseen = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide(unseen=False)

    def hide(self, *, unseen: bool) -> None:
        """Whether a terminal shows what is typed. What was typed before a change is forgotten."""
        if self.interactive and unseen is not self.unseen:
            mode = termios.tcgetattr(self._descriptor)
            mode[3] = mode[3] & ~termios.ECHO if unseen else mode[3] | termios.ECHO
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, mode)
            self.unseen = unseen

    def forget(self) -> None:
        """Throw away what was typed on a terminal so far; a pipe keeps what was written to it."""
        if self.interactive:
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
            self._read = b""

    def line(self, wait: float | None) -> str | None:
        """The next line without its end; None when *wait* seconds, or 0.5, have brought none.

        Raises:
            EOFError: there is no next line.
        """
        if b"\n" not in self._read:
            # A signal that comes just before we sleep must not be slept over.
            nap = _LONGEST_NAP if wait is None else min(wait, _LONGEST_NAP)
            if not select.select([self._descriptor], [], [], nap)[0]:
                return None
            more = os.read(self._descriptor, 4096)
            if not more and not self._read:
                raise EOFError
            self._read += more or b"\n"  # the last line may lack its end
            if b"\n" not in self._read:
                return None
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(errors="replace")


def run_plain(device: Device, explain: Callable[[SesameError], str], output: TextIO) -> None:
    """Say *device* line by line until its holder quits; *explain* makes sentences of errors.

    Commands come from standard input, whatever that is.
    """
    with ended_in_order(), Keyboard(sys.stdin.fileno()) as keyboard:
        Plain(device, keyboard, output, explain).serve()


class Plain:
    """The plain face of *device*."""

    def __init__(
        self,
        device: Device,
        keyboard: Keyboard,
        output: TextIO,
        explain: Callable[[SesameError], str],
    ) -> None:
        self._device = device
        self._keyboard = keyboard
        self._output = output
        self._explain = explain
        self._translated = translator(device.screen.language)
        self._dropping = False  # a PIN may be in the line that is being typed, and nobody wants it

    def serve(self) -> None:
        """Say what the reader shows and do what is typed, until that is to quit, or ends."""
        self._print(self._translated(_GREETING), speak(self._device.screen))
        try:
            while (typed := self._line()) not in _QUIT:
                self._print(*self._answer(typed))
        except EOFError:
            self._end_line()
        finally:
            self._device.put_away()

    # ── Lines in, lines out ──────────────────────────────────────────────────────────────────────

    def _line(self) -> str:
        """What is typed next, in small letters without accents."""
        line = self._typed_line()
        while self._dropping:
            self._dropping = False
            self._print(self._translated(_LINE_DROPPED), speak(self._device.screen))
            line = self._typed_line()
        parts = unicodedata.normalize("NFKD", line.casefold())
        return "".join(part for part in parts if not unicodedata.combining(part)).strip()

    def _typed_line(self) -> str:
        """What is typed next, as it is. Time passes meanwhile."""
        self._prompt()
        while (line := self._keyboard.line(self._device.due_in)) is None:
            before = self._device.screen.state
            if said := self._happen(Tick()):
                self._note_end(before)
                self._end_line()
                self._print(*said)
                self._prompt()
        if self._keyboard.unseen:
            self._end_line()  # Enter was not seen either
        return line

    def _note_end(self, before: State) -> None:
        """Notice that the state *before*, in which a PIN may be half typed, has ended by itself."""
        ended = before in _UNSEEN and self._device.screen.state not in _UNSEEN | SHOWN
        self._dropping = self._keyboard.unseen and (self._dropping or ended)

    def _prompt(self) -> None:
        if self._keyboard.interactive:
            self._output.write(_PROMPT)
            self._output.flush()

    def _end_line(self) -> None:
        """Leave the line of the prompt."""
        if self._keyboard.interactive:
            self._output.write("\n")

    def _print(self, *sentences: str) -> None:
        # First: who is asked for a PIN may type it at once.
        self._keyboard.hide(unseen=self._dropping or self._device.screen.state in _UNSEEN)
        for sentence in sentences:
            self._output.write(f"{sentence.translate(_ORDINARY_SPACES)}\n")
        self._output.flush()

    # ── What is done ─────────────────────────────────────────────────────────────────────────────

    def _answer(self, typed: str) -> list[str]:
        """Do what is *typed*; there is an answer to everything, if only what stands there."""
        number = typed.replace(" ", "").replace(".", ",")
        if _NUMBER.fullmatch(number):
            before = self._device.screen.state
            said = self._enter(number) or [speak(self._device.screen)]
            too_early = before in _OK_BEFORE_PIN and self._device.screen.state is before
            return [self._translated(_OK_FIRST), *said] if too_early else said
        does = _COMMANDS.get(typed)
        if does is Deed.HELP:
            return self._translated(_HELP).split("\n")
        if does is Deed.READ:
            return self._read()
        if does is Deed.CARD:
            done = self._try(self._device.turn)
        elif isinstance(does, Key):
            done = self._happen(KeyPressed(does))
        else:
            return [self._translated(_UNKNOWN)]  # not repeated: it may be a PIN with a slip
        return done or [speak(self._device.screen)]

    def _enter(self, number: str) -> list[str]:
        """Type *number*, and OK behind it where the reader awaits one."""
        field = self._device.screen.state
        keys = [KeyPressed(Key(sign)) for sign in number]
        if field not in _FIELDS:
            return [said for key in keys for said in self._happen(key)]
        self._happen(KeyHeld(Key.CORRECTION))
        for key in keys:
            self._happen(key)
        screen = self._device.screen
        if screen.state is not field:
            return []  # its time was over
        if len(screen.entered) + screen.typed == len(number):
            return self._happen(KeyPressed(Key.OK))
        self._happen(KeyHeld(Key.CORRECTION))
        return [self._translated(_NO_FIT)]

    def _read(self) -> list[str]:
        screen = self._device.screen
        left = self._device.seconds_left(screen)
        if left is None:
            return [speak(screen)]
        # Not the seconds that the code had in all.
        said = speak(replace(screen, large=True))
        return [said, speak_time(round(left), screen.state, screen.language)]

    # ── What is said ─────────────────────────────────────────────────────────────────────────────

    def _happen(self, event: Event) -> list[str]:
        return self._try(partial(self._device.handle, event))

    def _try(self, do: Callable[[], list[Show | Announce]]) -> list[str]:
        """Do something, and say what has changed by it."""
        before = self._device.screen.state
        try:
            effects = do()
        except SesameError as error:
            if before in _UNSEEN:
                self._keyboard.forget()
            return [self._explain(error), speak(self._device.screen)]
        screen = self._device.screen
        if voids_keys(effects):
            self._keyboard.forget()
        if any(isinstance(effect, Show) for effect in effects):
            tries = self._device.by_hand and screen.state is not before and speak_tries(screen)
            return [*([tries] if tries else []), speak(screen)]  # of a code, with its seconds
        warnings = [effect.seconds for effect in effects if isinstance(effect, Announce)]
        return [speak_time(warnings[-1], screen.state, screen.language)] if warnings else []
