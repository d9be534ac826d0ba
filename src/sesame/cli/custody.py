"""`sesame custody serve`: the keys in a process of their own, for a web process of another user."""

import argparse
import asyncio
import signal
import socket
from pathlib import Path

import uvloop

from sesame import logs
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.custody.custodian import Custodian
from sesame.custody.errors import SocketFolderExposed, SocketRefused, SocketTaken
from sesame.custody.hardening import harden
from sesame.custody.service import Service, listen, serve
from sesame.custody.settings import CustodySettings, open_custodian, read_custody_settings
from sesame.store.staff_mark import is_staff_context

SENTENCES.update(
    {
        SocketTaken: N_(
            "{path}\u00a0: un autre programme y répond déjà. Arrêtez-le, ou indiquez une autre "
            "adresse dans «\u00a0socket\u00a0»."
        ),
        SocketFolderExposed: N_(
            "{path}\u00a0: le mode {mode:04o} de son dossier laisse d’autres utilisateurs y mettre "
            "leur propre fichier. Faites «\u00a0chmod go-w\u00a0» sur ce dossier, ou choisissez-en "
            "un autre."
        ),
        SocketRefused: N_(
            "{path}\u00a0: le système refuse ({reason}). Vérifiez le dossier, son propriétaire et "
            "le groupe."
        ),
    }
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `custody` and its action to the tree of commands."""
    parser = commands.add_parser(
        "custody", help=say(N_("Garder les clés dans un processus à part"))
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser(
        "serve", help=say(N_("Répondre au portail, sans jamais lui donner une clé"))
    )
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say(N_("le fichier des réglages de ce processus (TOML)")),
    )
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the keys, then answer until a signal ends it."""
    harden()  # before there is anything to hide
    settings = read_custody_settings(arguments.settings)
    logs.set_up(settings.log)
    custodian = open_custodian(settings)
    listener = listen(Path(settings.socket), settings.group_id())
    uvloop.run(_serve(settings, custodian, listener))
    return 0


async def _serve(settings: CustodySettings, custodian: Custodian, listener: socket.socket) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    service = Service(
        custodian,
        allowed=settings.allowed_users(),
        registrars=settings.registrar_users(),
        revealers=settings.revealing_users(),
        is_desks=is_staff_context,
        demonstration=settings.demonstration,
    )
    try:
        await serve(service, listener, stopped)
    finally:
        await custodian.close()
