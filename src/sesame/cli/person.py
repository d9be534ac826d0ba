"""`sesame person export|erase`: what the bank holds of one person, handed out or erased."""

import argparse
import secrets
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sesame.bank.errors import ExportUnusable
from sesame.bank.person import erasable, erase, export_person
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.cli.audit_inputs import add_database, with_store
from sesame.cli.database import without_password
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.retention import add_by
from sesame.store.engine import Store


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `person` and its actions to the tree of commands."""
    parser = commands.add_parser(
        "person", help=say("Remettre à une personne ce qui est détenu d’elle, ou l’effacer")
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    export = actions.add_parser("export", help=say("Tout ce que la banque détient d’elle"))
    _add_person(export)
    export.add_argument(
        "target",
        nargs="?",
        type=Path,
        metavar="TARGET",
        help=say("un nouveau fichier\u202f; sinon la sortie standard"),
    )
    export.set_defaults(run=run_export)
    action = actions.add_parser("erase", help=say("Effacer une personne qui est partie"))
    _add_person(action)
    add_by(action)
    action.set_defaults(run=run_erase)


def run_export(arguments: argparse.Namespace) -> int:
    """Write what is held of the person.

    Raises:
        SesameError: nobody has the user code, or the file cannot be written.
    """
    user_code = parse_user_code(arguments.user_code)

    async def export(store: Store) -> bytes:
        return await export_person(store, user_code, datetime.now(UTC))

    content = with_store(without_password(arguments.database), export)
    if arguments.target is None:
        sys.stdout.buffer.write(content)  # JSON is UTF-8, whatever the terminal is
        sys.stdout.buffer.flush()
        return 0
    try:
        arguments.target.touch(mode=0o600, exist_ok=False)  # it names a person
        arguments.target.write_bytes(content)
    except OSError as refusal:
        raise ExportUnusable(arguments.target, str(refusal.strerror)) from None
    print(say("{path}\u00a0: tout y est.").format(path=arguments.target))
    return 0


def run_erase(arguments: argparse.Namespace) -> int:
    """Erase the person, once the user code was typed again.

    Raises:
        SesameError: nobody has the user code, a legal hold keeps it, or it was not confirmed.
    """
    url, user_code = without_password(arguments.database), parse_user_code(arguments.user_code)
    with_store(url, partial(erasable, user_code=user_code))  # before somebody is asked
    _confirm(user_code)

    async def do(store: Store) -> None:
        await erase(
            store,
            user_code,
            by=arguments.by,
            now=datetime.now(UTC),
            random_bytes=secrets.token_bytes,
        )

    with_store(url, do)
    print(
        say(
            "{user_code}\u00a0: effacé. Les lignes de preuve restent le temps de la règle, et ne "
            "nomment plus personne. Refaites-le si une sauvegarde d’avant est restaurée."
        ).format(user_code=user_code)
    )
    return 0


def _confirm(user_code: UserCode) -> None:
    """Have the user code typed again, on standard input."""
    print(
        say(
            "Cela ne se défait pas. Pour effacer cette personne, tapez son code utilisateur\u00a0:"
        ),
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip().upper() != user_code:
        raise Unusable(say("Ce n’est pas le même code utilisateur\u00a0: rien n’est effacé."))


def _add_person(action: argparse.ArgumentParser) -> None:
    add_database(action)
    action.add_argument("user_code", metavar="USER_CODE", help=say("son code utilisateur"))
