"""`sesame bureau open`: a bureau's file becomes cards, virtual ones in a folder.

What a bureau's machine does with chips: docs/how-to/have-cards-made.md.
"""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sesame.card.card_file import create
from sesame.card.cps import decode_groupings
from sesame.card.errors import CardFileExists, MalformedGroupings
from sesame.card.memory import CardImage, Counters
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.passphrase import add_passphrase_file, ask_passphrase
from sesame.custody.bureau_file import BureauBatch, read_bureau_file, read_recipient
from sesame.custody.errors import BureauKeyLocked
from sesame.custody.hardening import harden
from sesame.terminal.signals import ended_in_order

# What ends a program from outside, SIGKILL aside.
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bureau` and its action to the tree of commands."""
    parser = commands.add_parser("bureau", help=say("Faire les cartes que la banque commande"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser(
        "open", help=say("Faire des cartes virtuelles d’un fichier chiffré pour le façonnier")
    )
    action.add_argument("file", type=Path, metavar="FILE", help=say("le fichier de la banque"))
    action.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="PEMFILE",
        help=say("la clé privée du façonnier"),
    )
    action.add_argument(
        "--certificate",
        type=Path,
        metavar="CERTFILE",
        help=say("son certificat\u202f; sinon, à côté de la clé, du même nom en .pem"),
    )
    add_passphrase_file(action)
    action.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=say("le dossier des cartes, qui est créé s’il n’existe pas"),
    )
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make every card of the file, or none, and say how many.

    Raises:
        SesameError: the file does not open, a card of it is none, or one is there already.
    """
    harden()  # before there is anything to hide
    batch = _open(arguments)
    made = [
        (arguments.folder / f"{card.reference}.card", _card(arguments.file, at, card.groupings))
        for at, card in enumerate(batch.cards, start=1)
    ]
    _make(arguments.folder, made)
    print(
        say("Lot {batch}, cartes faites dans {folder}\u00a0: {count}.").format(
            batch=batch.batch, count=len(made), folder=arguments.folder
        )
    )
    return 0


def _open(arguments: argparse.Namespace) -> BureauBatch:
    beside = arguments.key.with_suffix(".pem")
    where = arguments.certificate or beside
    given = None if arguments.passphrase_file is None else ask_passphrase(arguments)
    try:
        certificate, key = read_recipient(arguments.key, where, passphrase=given)
    except BureauKeyLocked:
        typed = ask_passphrase(arguments)
        certificate, key = read_recipient(arguments.key, where, passphrase=typed)
    return read_bureau_file(arguments.file, certificate=certificate, key=key)


def _card(file: Path, number: int, groupings: bytes) -> tuple[CardImage, Counters]:
    try:
        return decode_groupings(groupings)
    except MalformedGroupings as fault:
        raise Unusable(
            say(
                "{path}, carte {number}\u00a0: ce n’est pas une carte Sésame ({problem}). Aucune "
                "carte n’a été faite\u202f; demandez à la banque de l’envoyer de nouveau."
            ).format(path=file, number=number, problem=fault.problem)
        ) from None


def _make(folder: Path, cards: list[tuple[Path, tuple[CardImage, Counters]]]) -> None:
    """Put *cards* into their files, all or none."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refusal:
        raise Unusable(
            say("{path}\u00a0: le système refuse ({reason}). Choisissez un autre chemin.").format(
                path=folder, reason=refusal.strerror
            )
        ) from None
    ours: list[Path] = []
    with ended_in_order():
        try:
            for path, (image, counters) in cards:
                with _unbroken():
                    create(path, image, counters)
                    ours.append(path)
        except BaseException as end:
            # Nobody has used them: a folder with a part of a batch would look like a whole one.
            with _unbroken():
                for path in ours:
                    with suppress(OSError):
                        path.unlink()
            if isinstance(end, CardFileExists):
                raise Unusable(
                    say(
                        "{path}\u00a0: cette carte existe déjà, et reste telle qu’elle est. Aucune "
                        "carte n’a été faite\u202f; donnez un autre dossier."
                    ).format(path=end.path)
                ) from None
            raise


@contextmanager
def _unbroken() -> Iterator[None]:
    """Let signals wait that would end us: a card that is there is one that we know of."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
