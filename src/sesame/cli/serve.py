"""`sesame serve`: the portal and the JSON door, in one process or several; or the desk."""

import argparse
import asyncio
import errno
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.supervisors import Multiprocess

from sesame import logs
from sesame.app import (
    ForeignKeystore,
    Worker,
    check_keystore,
    notice_restore,
    of_desk,
    open_custodian,
    open_outbox,
    set_up_logs,
)
from sesame.bank.errors import HeartbeatHeld, HeartbeatUnusable
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.numbers import whole
from sesame.cli.sentences import SENTENCES
from sesame.custody.custodian import Custodian
from sesame.custody.hardening import harden
from sesame.errors import SesameError
from sesame.settings import Settings, read_settings
from sesame.store.engine import is_postgresql
from sesame.store.schema import make_ready

_BACKLOG = 2048
_MOST_WORKERS = 64  # more help nobody

# Connections of one process; those beyond are answered 503 at once. The database takes one
# commit after the other: a longer queue would serve nobody, and memory has an end.
_CONNECTIONS = 1000
_KEEP_ALIVE = 5  # seconds that an idle connection may hold one of those places
# Seconds without a word after which a worker is taken for dead and killed, with the logins that it
# is about to answer; on a machine under load five, as uvicorn has it, are over soon.
_PULSE = 30


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
        HeartbeatHeld: N_(
            "{path}\u00a0: d’autres processus tiennent ce verrou du battement depuis "
            "{seconds}\u00a0s. Soit la base les fait attendre, soit l’un d’eux n’avance plus\u00a0"
            ": trouvez-le (fuser ou lsof), puis laissez-le continuer ou arrêtez-le."
        ),
        HeartbeatUnusable: N_(
            "{path}\u00a0: le fichier du battement ne peut être ni lu ni écrit ({reason}). "
            "Rendez son dossier accessible au serveur\u00a0; s’il est abîmé, retirez-le\u00a0: "
            "la base passera alors pour restaurée."
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
        type=whole(1, _MOST_WORKERS),
        default=1,
        metavar="N",
        help=say(N_("nombre de processus (1 suffit à SQLite)")),
    )
    parser.add_argument(
        "--desk",
        action="store_true",
        help=say(N_("ouvrir à la place le guichet du personnel, /guichet")),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make sure of the database, then serve until a signal ends it."""
    harden()  # before there is anything to hide
    settings = read_settings(arguments.settings)
    settings = of_desk(settings) if arguments.desk else settings
    # What is wrong with the keys, or with the mail server's, is said here once, not by a worker.
    custodian = open_custodian(settings)
    if arguments.desk:
        open_outbox(settings)
    make_ready(settings.database)
    set_up_logs(settings)  # a restore is noticed before any worker is there
    asyncio.run(_check(settings, custodian))
    listener = listen(settings.host, settings.port)
    serve(arguments.settings, settings, listener, workers=arguments.workers, desk=arguments.desk)
    return 0


async def _check(settings: Settings, custodian: Custodian) -> None:
    try:
        await check_keystore(settings, custodian)
        await notice_restore(settings, custodian)
    finally:
        await custodian.close()


def serve_settings(path: Path, listener: socket.socket, *, desk: bool = False) -> None:
    """Serve the settings at *path* on *listener*, in a process of its own."""
    settings = read_settings(path)
    serve(path, of_desk(settings) if desk else settings, listener, desk=desk)


def serve(
    path: Path,
    settings: Settings,
    listener: socket.socket,
    *,
    workers: int = 1,
    desk: bool = False,
) -> None:
    """Serve the settings at *path* on *listener* until a signal ends it.

    *desk*: the pages for staff; *settings* are as `of_desk` gives them then.

    Raises:
        PortBusy, CannotListen: monitoring cannot listen where the settings want it.
    """
    set_up_logs(settings)
    _warn(settings)
    monitoring = None
    if settings.monitoring is not None:
        monitoring = listen(settings.monitoring.host, settings.monitoring.port)
    if workers == 1:
        worker = Worker(path, monitoring, desk=desk)
        uvicorn.Server(_config(settings, worker)).run(sockets=[listener])
        return
    with TemporaryDirectory(prefix="sesame-") as folder:
        worker = Worker(path, monitoring, Path(folder), desk=desk)
        Multiprocess(_config(settings, worker, workers=workers), sockets=[listener]).run()


def _warn(settings: Settings) -> None:
    """Log what a bank is not kept safe from by these settings; a demonstration may do without."""
    if settings.demonstration:
        return
    if not is_postgresql(settings.database):
        logs.on_sqlite()
    if settings.heartbeat is None:
        logs.no_heartbeat()


def _config(settings: Settings, worker: Worker, *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        worker,
        factory=True,
        workers=workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,  # ours, set up already
        log_level="warning",
        access_log=False,  # addresses stand in the audit lines, under their own rules
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=named_proxies(settings.proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_worker_healthcheck=_PULSE,
    )


def named_proxies(proxies: Sequence[str]) -> list[str]:
    """*proxies* as the server compares them, who writes some IPv4 addresses as IPv6.

    A socket for both kinds says `::ffff:192.0.2.1` of 192.0.2.1 (RFC 4291, 2.5.5.2), ours or a
    proxy's own; else that proxy would be taken for the customer.

    >>> named_proxies(["192.0.2.1", "2001:db8::/32"])
    ['192.0.2.1/32', '::ffff:192.0.2.1/128', '2001:db8::/32']
    """
    named = []
    for network in map(ipaddress.ip_network, proxies):
        named.append(str(network))
        if isinstance(network, ipaddress.IPv4Network):
            named.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return named


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
