"""`sesame serve`: the portal and the JSON door, alone, in one process or several."""

import argparse
import asyncio
import errno
import os
import socket
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from sesame.app import SETTINGS_VARIABLE, ForeignKeystore, check_keystore, open_custodian
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.errors import SesameError
from sesame.settings import Settings, read_settings
from sesame.store.schema import make_ready

_BACKLOG = 2048

# Connections of one process; those beyond are answered 503 at once. The database takes one
# commit after the other: a longer queue would serve nobody, and memory has an end.
_CONNECTIONS = 1000
_KEEP_ALIVE = 5  # seconds that an idle connection may hold one of those places


class PortBusy(SesameError):
    """Another program listens there already."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is another program's: stop it, or choose another port")
        self.host = host
        self.port = port


class CannotListen(SesameError):
    """The system does not let us listen there."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}:{port}: the system refuses ({reason}): choose another")
        self.host = host
        self.port = port
        self.reason = reason


SENTENCES.update(
    {
        PortBusy: N_(
            "{host}:{port}\u00a0: un autre programme y écoute déjà. Arrêtez-le, ou choisissez un "
            "autre port."
        ),
        CannotListen: N_(
            "{host}:{port}\u00a0: le système refuse ({reason}). Choisissez une autre adresse ou un "
            "autre port."
        ),
        ForeignKeystore: N_(
            "{path}\u00a0: ce trousseau n’est pas celui avec lequel cette base a été faite. "
            "Indiquez l’autre trousseau, ou l’autre base."
        ),
    }
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `serve` to the tree of commands."""
    parser = commands.add_parser("serve", help=say(N_("Ouvrir le portail seul")))
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say(N_("le fichier des réglages (TOML)")),
    )
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help=say(N_("nombre de processus (1 suffit à SQLite)")),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make sure of the database, then serve until a signal ends it."""
    settings = read_settings(arguments.settings)
    # What is wrong with the keys is said here, once, not by a worker.
    custodian = open_custodian(settings)
    make_ready(settings.database)
    asyncio.run(check_keystore(settings, custodian))
    listener = listen(settings.host, settings.port)
    serve(arguments.settings, settings, listener, workers=arguments.workers)
    return 0


def serve_settings(path: Path, listener: socket.socket) -> None:
    """Serve the settings at *path* on *listener*, in a process of its own."""
    serve(path, read_settings(path), listener)


def serve(path: Path, settings: Settings, listener: socket.socket, *, workers: int = 1) -> None:
    """Serve the settings at *path* on *listener* until a signal ends it."""
    os.environ[SETTINGS_VARIABLE] = str(path)
    config = uvicorn.Config(
        "sesame.app:application",
        factory=True,
        workers=workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,  # addresses stand in the audit lines, under their own rules
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = uvicorn.Server(config)
    if workers == 1:
        server.run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on *host* and *port*.

    Raises:
        PortBusy: another program does already.
        CannotListen: the address is not this machine's, or the port is kept for root.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(host, port) from None
        raise CannotListen(host, port, error.strerror or str(error)) from None
    listener.set_inheritable(True)
    return listener


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:  # noqa: PLR2004 -- more help nobody
        raise argparse.ArgumentTypeError("1 … 64")
    return number
