"""`sesame keys`: the keystore, without ever showing a key. Here: create, list and check.

The passphrase is typed, or comes from a file or a pipe; never as an argument, which every
user of the machine could read in the list of processes.
"""

import argparse
import os
import secrets
from datetime import UTC, datetime

from sesame.cli import key_backup, key_blocks, key_ceremony, key_life, key_wrapping
from sesame.cli.key_records import STATES
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, ask_passphrase
from sesame.custody.errors import KeystoreExists
from sesame.custody.key import ISSUER_USAGES
from sesame.custody.keystore import COST, Keystore


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `keys` and its three actions to the tree of commands."""
    parser = commands.add_parser("keys", help=say("Créer et contrôler les clés de l’institution"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help=say("Créer un trousseau de clés neuves"))
    create.add_argument(
        "--demo",
        action="store_true",
        help=say("des clés de démonstration, que la production refuse"),
    )
    create.set_defaults(run=run_create)
    listing = actions.add_parser("list", help=say("Montrer les noms et usages des clés"))
    listing.set_defaults(run=run_list)
    check = actions.add_parser("check", help=say("Ouvrir le trousseau et tout vérifier"))
    check.set_defaults(run=run_check)
    for action in (create, listing, check):
        add_keystore(action, stdin=True)
    for others in (key_ceremony, key_life, key_blocks, key_wrapping, key_backup):
        others.add_parser(actions)


def run_create(arguments: argparse.Namespace) -> int:
    """Make a keystore and show what is in it but the keys.

    Raises:
        SesameError: as `run_list`, and where there is a file already.
    """
    if os.path.lexists(arguments.file):
        raise KeystoreExists(arguments.file)  # before somebody thinks up a passphrase
    keystore = Keystore.create(
        arguments.file,
        ask_passphrase(arguments, twice=True),
        demo=arguments.demo,
        now=datetime.now(UTC),
        random=secrets.token_bytes,
    )
    print(say("{path}\u00a0: le trousseau est créé.").format(path=keystore.path))
    print_keys(keystore)
    print(
        say(
            "Gardez la phrase de passe, mais pas avec le fichier\u00a0: sans elle, ces clés sont "
            "perdues, et plus aucun code ne peut être vérifié."
        )
    )
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Show the keys' names, usages, check values and ages.

    Raises:
        SesameError: the keystore does not open; see `sentence`.
    """
    print_keys(Keystore.open(arguments.file, ask_passphrase(arguments)))
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Open the keystore and say what there is to say about it.

    Raises:
        SesameError: as `run_list`.
    """
    keystore = Keystore.open(arguments.file, ask_passphrase(arguments))
    # A keystore that opens has right check values, usages and parameters, or it does not open.
    print(
        say(
            "{path}\u00a0: tout est en ordre. Nombre de clés\u00a0: {count}. Essayer une phrase de "
            "passe coûte {time}\u00a0× {memory}\u00a0Kio (argon2id)."
        ).format(
            path=keystore.path,
            count=len(keystore.keys),
            time=keystore.cost.time,
            memory=keystore.cost.memory_kib,
        )
    )
    if keystore.demo:
        print(say("Ce sont des clés de démonstration\u00a0: la production les refuse."))
    if not keystore.cost.reaches(COST):
        print(say("Ce coût est trop bas pour autre chose qu’une démonstration."))
    return 0


def print_keys(keystore: Keystore) -> None:
    """The keys as a table: name, usage, check value, time of making, generation and state."""
    head = (say("Clé"), say("Usage"), say("Contrôle"), say("Créée"), "DKI", say("État"))
    rows = [head] + [
        (
            key.label,
            str(key.usage),
            key.check_value.hex().upper(),
            key.created.isoformat(timespec="seconds"),
            "" if key.dki is None else f"{key.dki:02X}",
            say(STATES[key.state]) if key.usage in ISSUER_USAGES else "",
        )
        for key in keystore.keys
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
