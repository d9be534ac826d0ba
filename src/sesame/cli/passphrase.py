"""Where a command gets the keystore's passphrase from: a file, a pipe, or the terminal.

Never an argument, which every user of the machine could read in the list of processes.
"""

import argparse
import getpass
import sys
from pathlib import Path

from sesame.cli.language import say
from sesame.custody.passphrase import Passphrase, read_passphrase
from sesame.errors import Worded
from sesame.terminal.signals import ended_in_order


class NoPassphrase(Worded):
    """Nobody gave a passphrase. The message is for people, in their language."""


def add_passphrase_file(parser: argparse._ActionsContainer) -> None:
    """Add `--passphrase-file` to a command, or to a group of its options."""
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help=say("lire la phrase de passe dans ce fichier"),
    )


def add_keystore(parser: argparse.ArgumentParser, *, stdin: bool = False) -> None:
    """Add the keystore, and where its passphrase comes from: *stdin* too, if that is free."""
    parser.add_argument("file", type=Path, metavar="FILE", help=say("le trousseau"))
    source = parser.add_mutually_exclusive_group()
    add_passphrase_file(source)
    if stdin:
        source.add_argument(
            "--passphrase-stdin",
            action="store_true",
            help=say("lire la phrase de passe sur l’entrée standard"),
        )


def ask_passphrase(arguments: argparse.Namespace, *, twice: bool = False) -> Passphrase:
    """The passphrase from where *arguments* say; typed *twice* for a new keystore.

    Raises:
        NoPassphrase: there is no terminal, or two typed ones differ.
        PassphraseError: the file or what was typed is none.
    """
    if arguments.passphrase_file is not None:
        return read_passphrase(arguments.passphrase_file)
    through_stdin = getattr(arguments, "passphrase_stdin", None)  # None: it reads other things
    if through_stdin:
        return Passphrase.decode(sys.stdin.buffer.read())
    if not sys.stdin.isatty():
        if through_stdin is None:
            raise NoPassphrase(
                say(
                    "Il n’y a pas de terminal où taper la phrase de passe\u00a0: donnez "
                    "--passphrase-file."
                )
            )
        raise NoPassphrase(
            say(
                "Il n’y a pas de terminal où taper la phrase de passe\u00a0: donnez "
                "--passphrase-file ou --passphrase-stdin."
            )
        )
    try:
        with ended_in_order():
            typed = getpass.getpass(say("Phrase de passe\u00a0: "))
            again = getpass.getpass(say("La même, encore une fois\u00a0: ")) if twice else typed
        if again != typed:
            raise NoPassphrase(say("Les deux phrases de passe diffèrent\u00a0: recommencez."))
    except EOFError:
        raise NoPassphrase(say("Aucune phrase de passe n’a été tapée.")) from None
    return Passphrase(typed)
