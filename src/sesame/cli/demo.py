"""`sesame demo`: portal, simulator and desk side by side, each a process of its own.

The simulator holds cards and PINs, the portal the bank; neither knows the other. What both
need at once, « Tout remettre à neuf », is done here, in the process above them.
"""

import argparse
import asyncio
import json
import multiprocessing
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvicorn

from sesame.app import set_up_logs
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.numbers import whole
from sesame.cli.sentences import SENTENCES, sentence
from sesame.cli.serve import PortBusy, listen, serve_settings
from sesame.demonstration import (
    HOST,
    SETTINGS_FILE,
    DemonstrationRunning,
    ForeignFolder,
    NoDemonstration,
    api_key,
    customers,
    drawer,
    occupied,
    prepare,
    restore,
)
from sesame.errors import SesameError
from sesame.settings import read_settings
from sesame.simulator.errors import DrawerDamaged
from sesame.simulator.routes import Simulator, build

_PORTS_TRIED = 50
_HIGHEST_PORT = 0xFFFF
_PATIENCE = 15  # seconds for a process to end by itself
_LOOK = 1.0  # seconds until we look again whether all are alive

_RESTORE, _RESTORED, _NOT_RESTORED = "restore", "restored", "not restored"


SENTENCES.update(
    {
        NoDemonstration: N_(
            "{folder}\u00a0: il n’y a pas de démonstration ici. Lancez «\u00a0sesame demo --data "
            "{folder}\u00a0»."
        ),
        DemonstrationRunning: N_(
            "{folder}\u00a0: cette démonstration est déjà ouverte. Arrêtez-la, ou choisissez un "
            "autre dossier."
        ),
        DrawerDamaged: N_(
            "{path}\u00a0: il manque le tiroir de cartes de la démonstration, ou ce fichier est "
            "abîmé. Refaites-la\u00a0: «\u00a0sesame demo --reset\u00a0», avec le même --data."
        ),
        ForeignFolder: N_(
            "{folder}\u00a0: ce dossier contient autre chose et reste tel qu’il est. Choisissez un "
            "autre dossier, ou un dossier vide."
        ),
    }
)


class RestoreFailed(SesameError):
    """The demonstration could not be made anew; the terminal says why."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the tree of commands."""
    parser = commands.add_parser("demo", help=say("Ouvrir la démonstration"))
    parser.add_argument(
        "--port",
        type=whole(1, _HIGHEST_PORT),
        default=8000,
        help=say("port du portail\u202f; le simulateur et le guichet prennent les suivants"),
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("demo-data"),
        metavar="FOLDER",
        help=say("dossier de la démonstration"),
    )
    parser.add_argument(
        "--reset", action="store_true", help=say("effacer la démonstration et la refaire")
    )
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument(
        "--list", action="store_true", help=say("montrer les clients en JSON, sans rien ouvrir")
    )
    answers.add_argument(
        "--api-key", action="store_true", help=say("montrer la clé de l’interface JSON")
    )
    answers.add_argument(
        "--letters",
        type=Path,
        metavar="FOLDER",
        help=say(
            "écrire en PDF, dans un nouveau dossier, les lettres et modes d’emploi de ses "
            "clients, sans rien ouvrir"
        ),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer `--list`, `--api-key` and `--letters` at once; else serve until a signal ends it."""
    if arguments.list:
        listed = [one.as_json() for one in customers(arguments.data)]
        print(json.dumps(listed, ensure_ascii=False, indent=2))
        return 0
    if arguments.api_key:
        print(api_key(arguments.data))
        return 0
    folder: Path = arguments.data
    if arguments.letters is not None:
        from sesame.cli.demo_letters import write_letters  # noqa: PLC0415 -- when it is wanted

        return write_letters(folder, arguments.letters, port=arguments.port, new=arguments.reset)
    with occupied(folder):
        portal = _first_free(arguments.port)
        simulator = _first_free(portal.getsockname()[1] + 1)
        desk = _first_free(simulator.getsockname()[1] + 1)
        prepare(
            folder,
            portal_port=portal.getsockname()[1],
            simulator_port=simulator.getsockname()[1],
            desk_port=desk.getsockname()[1],
            new=arguments.reset,
        )
        return _serve_all(folder, portal, simulator, desk)


def _first_free(port: int) -> socket.socket:
    """A socket on *port*, or on the first free one above, which is said."""
    for tried in range(port, min(port + _PORTS_TRIED, _HIGHEST_PORT + 1)):
        try:
            listener = listen(HOST, tried)
        except PortBusy:
            continue
        if tried != port:
            sentence = say(N_("Le port {busy} est pris\u00a0: voici le port {free}."))
            print(sentence.format(busy=port, free=tried), file=sys.stderr)
        return listener
    raise PortBusy(HOST, port)


def _serve_all(
    folder: Path, portal: socket.socket, simulator: socket.socket, desk: socket.socket
) -> int:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    processes: list[BaseProcess] = [
        # In a module that knows neither cards nor PINs: the portal never has them in memory.
        spawn.Process(target=serve_settings, args=(folder / SETTINGS_FILE, portal), name="portal"),
        spawn.Process(
            target=serve_settings, args=(folder / SETTINGS_FILE, desk), kwargs={"desk": True}
        ),
        spawn.Process(target=_simulator, args=(folder, simulator, theirs), name="simulator"),
    ]
    with _ended_by_signals(), _running(processes):
        theirs.close()
        _announce(folder, portal, simulator, desk)
        for listener in (portal, simulator, desk):
            listener.close()
        while all(process.is_alive() for process in processes):
            ends = (process.sentinel for process in processes)
            if ours in wait([ours, *ends], timeout=_LOOK):  # a signal just before is heard then
                _answer(ours, folder)
    return 1  # one of them ended by itself


def _announce(
    folder: Path, portal: socket.socket, simulator: socket.socket, desk: socket.socket
) -> None:
    lines = (
        say("Sésame, démonstration\u00a0: une banque fictive."),
        "",
        f"  Coop@net     http://{HOST}:{portal.getsockname()[1]}/",
        say(
            "  Simulateur   http://{address}/\u2003lecteur, cartes, clients et codes secrets"
        ).format(address=f"{HOST}:{simulator.getsockname()[1]}"),
        say("  Guichet      http://{address}/\u2003réservé au personnel").format(
            address=f"{HOST}:{desk.getsockname()[1]}"
        ),
        "",
        say("Données\u00a0: {folder}. Pour finir\u00a0: Ctrl-C.").format(folder=folder),
    )
    print("\n".join(lines), flush=True)


def _answer(connection: Connection, folder: Path) -> None:
    """Do what the simulator asks: there is one thing it can."""
    try:
        connection.recv()
    except EOFError:
        return
    try:
        restore(folder)
    except SesameError as error:
        print(sentence(error), file=sys.stderr)
        connection.send(_NOT_RESTORED)
    else:
        connection.send(_RESTORED)


class _Ended(Exception):
    """A signal asked us to end."""


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    def end(*_: object) -> None:
        raise _Ended

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except (_Ended, KeyboardInterrupt):
        raise SystemExit(0) from None


@contextmanager
def _running(processes: list[BaseProcess]) -> Iterator[None]:
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


def _simulator(folder: Path, listener: socket.socket, parent: Connection) -> None:
    lock = asyncio.Lock()

    async def reset() -> None:
        async with lock:  # one question, one answer
            parent.send(_RESTORE)
            if await asyncio.to_thread(parent.recv) != _RESTORED:
                raise RestoreFailed("the demonstration could not be made anew: see the terminal")

    settings = read_settings(folder / SETTINGS_FILE)
    set_up_logs(settings)
    simulator = Simulator(
        drawer=lambda: drawer(folder),
        portal_url=settings.public_url,
        desk_url=None if settings.desk is None else settings.desk.public_url,
        reset=reset,
    )
    config = uvicorn.Config(
        build(simulator),
        lifespan="on",
        log_config=None,  # ours, set up already
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
