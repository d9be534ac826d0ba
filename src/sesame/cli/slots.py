"""Where a command finds its card: in a file, or in a reader of this computer."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sesame.cli.language import language_of, say
from sesame.reader.pcsc_slot import PcscSlot
from sesame.reader.virtual_slot import VirtualSlot

WAIT = 60  # seconds for somebody to find a card and put it in
_LONGEST_WAIT = 3600
# A reader beside ours gives the card back after 35 seconds without a key.
FILE_WAIT = 45.0  # seconds


def add_card(parser: argparse.ArgumentParser) -> None:
    """Add a card file, or `--pcsc` in its place, to a command."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "card", type=Path, nargs="?", metavar="CARDFILE", help=say("le fichier de la carte")
    )
    add_pcsc(parser, source)


def _seconds(text: str) -> float:
    """A time that ends: `inf` and `nan` do not."""
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise ValueError
    return seconds


def add_pcsc(parser: argparse.ArgumentParser, source: argparse._ActionsContainer) -> None:
    """Add `--pcsc` to the sources of cards, and `--wait` to the command."""
    source.add_argument(
        "--pcsc",
        nargs="?",
        const="",
        metavar="NAME",
        help=say(
            "la carte du lecteur de ce nom (ou numéro), branché à l’ordinateur\u202f; sans nom, de "
            "celui qui a une carte"
        ),
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT,
        metavar="SECONDS",
        help=say("combien de temps attendre une carte avec --pcsc"),
    )


def slot_of(
    arguments: argparse.Namespace, *, file_wait: float = FILE_WAIT
) -> VirtualSlot | PcscSlot:
    """The slot that *arguments* name; *file_wait* is for a card file in use elsewhere."""
    if arguments.pcsc is None:
        return VirtualSlot(arguments.card, wait=file_wait)
    seconds = arguments.wait

    def ask_for_card(readers: Sequence[str]) -> None:
        sentence = say(
            "Insérez la carte, puce vers le haut ({seconds:.0f}\u00a0s)\u00a0: {readers}."
        )
        print(sentence.format(seconds=seconds, readers=", ".join(readers)), file=sys.stderr)

    language = language_of(os.environ)
    return PcscSlot(arguments.pcsc, wait=seconds, language=language, tell=ask_for_card)
