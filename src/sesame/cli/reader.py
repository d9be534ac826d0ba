"""`sesame reader`: the reader in the terminal, on the full screen or as plain text."""

import argparse
import os
import sys
from pathlib import Path

from sesame.catalogue import Language
from sesame.cli.language import language_of, say
from sesame.cli.sentences import sentence
from sesame.errors import SesameError
from sesame.reader.machine import DisplayTime, Reader
from sesame.terminal.device import Device
from sesame.terminal.plain import run_plain


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `reader` to the tree of commands."""
    parser = commands.add_parser("reader", help=say("Ouvrir un lecteur dans le terminal"))
    parser.add_argument("card", type=Path, metavar="CARDFILE", help=say("le fichier de la carte"))
    parser.add_argument(
        "--plain",
        action="store_true",
        help=say("en texte seul, pour une plage braille ou une synthèse vocale"),
    )
    parser.add_argument(
        "--time",
        choices=[time.value for time in DisplayTime],
        metavar="TIME",
        default=DisplayTime.SHORT.value,
        help=say(
            "combien de secondes un code reste affiché\u00a0: 35, 90, ou until-key, jusqu’à ce "
            "qu’on appuie sur C"
        ),
    )
    parser.add_argument(
        "--language",
        choices=[language.value for language in Language],
        metavar="LANG",
        help=say("la langue du lecteur, fr ou en, au lieu de celle du terminal"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the reader with its card in it, until its holder quits.

    Returns:
        0; or 1, with a sentence on standard error, where the card cannot be used.
    """
    named = arguments.language
    language = Language(named) if named else language_of(os.environ)
    reader = Reader(language=language, display_time=DisplayTime(arguments.time))

    def explain(error: SesameError) -> str:
        return sentence(error, language)

    device = Device(reader, arguments.card)
    try:
        device.insert()
    except SesameError as error:
        print(explain(error), file=sys.stderr)
        return 1
    if arguments.plain or not _can_draw():
        run_plain(device, explain, sys.stdout)
    else:
        # Only here: the terminal library takes a while to load, and the plain face needs none.
        from sesame.terminal.full_screen import run_full_screen  # noqa: PLC0415

        run_full_screen(device, explain)
    return 0


def _can_draw() -> bool:
    """Whether there is a terminal at both ends that can do more than lines."""
    streams = (sys.stdin, sys.stdout, sys.stderr)  # the library draws on the last one
    able = os.environ.get("TERM") not in {None, "", "dumb"}
    return able and all(stream.isatty() for stream in streams)
