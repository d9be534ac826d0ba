"""Which token a command is about, and the way into it: `--module`, `--label`, `--pin-file`.

The PIN comes from a file, never as an argument, which every user of the machine could read in the
list of processes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sesame.cli.language import say
from sesame.custody.cryptoki import Session, load
from sesame.custody.hsm_lock import PATIENCE, only_writer
from sesame.custody.hsm_sessions import Login, close_quietly
from sesame.custody.passphrase import read_passphrase


def add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    says: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add an action of `hsm`, with what says which token it is about."""
    parser = actions.add_parser(name, help=says)
    parser.add_argument(
        "--module",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le module PKCS#11, livré avec le HSM"),
    )
    parser.add_argument("--label", required=True, metavar="NAME", help=say("le nom du jeton"))
    parser.add_argument(
        "--pin-file",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("lire le PIN du jeton dans ce fichier"),
    )
    parser.set_defaults(run=run)
    return parser


def login_of(arguments: argparse.Namespace) -> Login:
    """The way into the token that *arguments* name.

    Raises:
        SesameError: the PIN's file cannot be read, or the module does not load.
    """
    pin = read_passphrase(arguments.pin_file)
    return Login(load(arguments.module), arguments.label, pin)


@contextmanager
def session_of(arguments: argparse.Namespace, *, writes: bool = False) -> Iterator[Session]:
    """A session with that token, of its user; one that *writes* keeps other writers waiting.

    Raises:
        SesameError: as `login_of`; there is no such token, or its PIN is another; or as
            `written_alone`.
    """
    with written_alone(arguments.module) if writes else nullcontext():
        login = login_of(arguments)
        with login.module.calling():
            session = login.open(writes=writes)
            try:
                yield session
            finally:
                close_quietly(session)


@contextmanager
def written_alone(module: Path) -> Iterator[None]:
    """No other command of this machine writes meanwhile; says so when it has to wait for one.

    Raises:
        SesameError: another one does not end, or as `only_writer`.
    """
    with only_writer(module, waits=_say_waiting):
        yield


def _say_waiting() -> None:
    print(
        say(
            "Une autre commande écrit dans un jeton de ce module\u00a0: attente de sa fin, "
            "{seconds}\u00a0secondes au plus."
        ).format(seconds=round(PATIENCE)),
        file=sys.stderr,
    )
