"""What several commands on the audit trail take: a database, the stream, a user code."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.errors import ExportUnusable
from sesame.bank.user_code import parse_user_code
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.custody.seal_key import read_public
from sesame.store.engine import Store, database_path, is_postgresql, open_store
from sesame.store.options import StoreOptions

Answer = TypeVar("Answer")

_OPTIONS = StoreOptions(pool_size=8, statement_timeout=60.0)  # they look at many rows at a time


def add_database(action: argparse.ArgumentParser) -> None:
    """Add the URL of the database to a command."""
    action.add_argument("database", metavar="URL", help=say("la base, sans mot de passe"))


def add_stream(action: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add the folder of the seals, and the public key behind them."""
    action.add_argument(
        "--stream",
        type=Path,
        required=required,
        metavar="FOLDER",
        help=say("le dossier où arrivent les sceaux"),
    )
    action.add_argument(
        "--public-key",
        type=Path,
        required=required,
        metavar="FILE",
        help=say("la clé publique de qui scelle"),
    )


def add_user_code(action: argparse._ActionsContainer, *, required: bool = False) -> None:
    """Add `--user-code`."""
    action.add_argument(
        "--user-code",
        required=required,
        metavar="CODE",
        help=say("cet abonné") if required else say("cet abonné seulement"),
    )


def user_code_of(arguments: argparse.Namespace) -> str:
    """The user code that was given, or an empty string."""
    return "" if arguments.user_code is None else parse_user_code(arguments.user_code)


def stream_of(arguments: argparse.Namespace) -> tuple[Path, Ed25519PublicKey] | None:
    """The folder and the key that were given; None where neither was.

    Raises:
        Unusable: one was given without the other.
    """
    if (arguments.stream is None) != (arguments.public_key is None):
        raise Unusable(say("Donnez --stream et --public-key ensemble."))
    if arguments.stream is None:
        return None
    return arguments.stream, read_public(arguments.public_key)


def open_database(url: str) -> Store:
    """The database, which is looked at and not made."""
    if not is_postgresql(url) and not database_path(url).is_file():
        raise ExportUnusable(database_path(url), say("cette base n’existe pas"))
    return open_store(url, _OPTIONS)


def with_store(url: str, work: Callable[[Store], Coroutine[None, None, Answer]]) -> Answer:
    """Do *work* on the database of *url*, and let go of it."""

    async def run() -> Answer:
        store = open_database(url)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())
