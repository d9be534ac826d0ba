"""Where a command gets a card's PIN from: a pipe, or the terminal, without showing it.

Never an argument, which every user of the machine could read in the list of processes.
"""

import argparse
import getpass
import sys

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.emv.errors import MalformedPin
from sesame.emv.pin import Pin
from sesame.errors import SesameError
from sesame.reader.code import Asking, AskPin


class NoPin(SesameError):
    """Nobody gave a PIN. The message is for people, in their language."""


def add_pin(parser: argparse.ArgumentParser) -> None:
    """Add `--pin-stdin` to a command."""
    parser.add_argument(
        "--pin-stdin",
        action="store_true",
        help=say("lire le code secret de la carte sur l’entrée standard, au lieu du terminal"),
    )


def pin_of(arguments: argparse.Namespace) -> Pin | AskPin:
    """The PIN that was piped in, or what asks for one at the terminal.

    Raises:
        NoPin: what was piped in is none, or there is no terminal.
    """
    if arguments.pin_stdin:
        try:
            return Pin(sys.stdin.readline().strip())
        except MalformedPin:
            raise NoPin(say(_NOT_A_PIN)) from None
    if not sys.stdin.isatty():
        raise NoPin(
            say(
                "Il n’y a pas de terminal où taper le code secret de la carte\u00a0: donnez "
                "--pin-stdin."
            )
        )
    return ask_pin


def ask_pin(asking: Asking) -> Pin | None:
    """What is typed at the terminal, unseen; None where nothing is."""
    if asking.wrong and asking.tries_left is not None:
        print(wrong_pin(asking.tries_left), file=sys.stderr)
    while True:
        try:
            typed = getpass.getpass(say("Code secret de la carte (Entrée pour arrêter)\u00a0: "))
        except EOFError:
            return None
        if not typed:
            return None
        try:
            return Pin(typed)
        except MalformedPin:
            print(say(_NOT_A_PIN), file=sys.stderr)


def wrong_pin(tries_left: int) -> str:
    """That the PIN was wrong, and how many tries are left: one at least."""
    if tries_left == 1:
        return say(
            "Code secret faux. Il reste 1 essai\u00a0: au prochain code faux, la carte se bloque."
        )
    return say("Code secret faux. Il reste {tries} essais.").format(tries=tries_left)


_NOT_A_PIN = N_("Le code secret d’une carte a de 4 à 12 chiffres.")
