"""`sesame keys use|retire|destroy|records`: the generations of the issuer keys.

Each step is done by two persons or more, and leaves a record in the keystore.
"""

import argparse
import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence

from sesame.cli.key_records import add_bank, add_deed, deed_of, in_keystore, record_text
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, ask_passphrase
from sesame.custody.errors import SealBroken
from sesame.custody.key_life import with_current, with_retired, without_key
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import keystore_seal
from sesame.custody.passphrase import Passphrase
from sesame.custody.records import Record


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the four actions to those of `keys`."""
    use = actions.add_parser(
        "use", help=say("Mettre une clé en service\u00a0: les cartes neuves se font avec elle")
    )
    _add_what_all_take(use)
    use.set_defaults(run=run_use)
    retire = actions.add_parser(
        "retire", help=say("Retirer une clé\u00a0: plus de carte neuve, les codes restent vérifiés")
    )
    _add_what_all_take(retire)
    retire.set_defaults(run=run_retire)
    destroy = actions.add_parser(
        "destroy", help=say("Détruire une clé retirée\u00a0: les codes de ses cartes sont refusés")
    )
    _add_what_all_take(destroy)
    add_bank(destroy, say("aucune banque n’a de cartes de ce trousseau"))
    destroy.set_defaults(run=run_destroy)
    records = actions.add_parser("records", help=say("Montrer ce qui a été fait aux clés"))
    add_keystore(records, stdin=True)
    records.set_defaults(run=run_records)


def run_use(arguments: argparse.Namespace) -> int:
    """Make the key the current one, and print the record.

    Raises:
        SesameError: the keystore does not open, or the key cannot be the current one.
    """
    deed = deed_of(arguments)
    return _change(
        arguments, ask_passphrase(arguments), lambda old: with_current(old, arguments.label, deed)
    )


def run_retire(arguments: argparse.Namespace) -> int:
    """Have no new cards made under the key, and print the record.

    Raises:
        SesameError: as `run_use`.
    """
    deed = deed_of(arguments)
    return _change(
        arguments, ask_passphrase(arguments), lambda old: with_retired(old, arguments.label, deed)
    )


def run_destroy(arguments: argparse.Namespace) -> int:
    """Take the key's value out of the keystore, and print the record, which stays.

    Raises:
        SesameError: as `run_use`; or cards of the bank need it, or the bank has another keystore.
    """
    deed = deed_of(arguments)
    passphrase = ask_passphrase(arguments)
    cards: Counter[str] = Counter()
    if not arguments.no_bank:
        keystore = Keystore.open(arguments.file, passphrase)
        # Here, for the store and the settings take a second to load, which the others never need.
        from sesame.app import ForeignKeystore  # noqa: PLC0415
        from sesame.cli.key_census import count_bank  # noqa: PLC0415
        from sesame.settings import read_settings  # noqa: PLC0415

        settings = read_settings(arguments.settings)
        try:
            cards = asyncio.run(count_bank(keystore_seal(keystore), settings))
        except SealBroken:
            raise ForeignKeystore(keystore.path) from None
    return _change(
        arguments,
        passphrase,
        lambda old: without_key(
            old, arguments.label, deed, cards=cards, given_up=arguments.give_up_cards
        ),
    )


def run_records(arguments: argparse.Namespace) -> int:
    """Print every record, oldest first.

    Raises:
        SesameError: the keystore does not open.
    """
    keystore = Keystore.open(arguments.file, ask_passphrase(arguments))
    _print(keystore, keystore.records)
    return 0


def _add_what_all_take(parser: argparse.ArgumentParser) -> None:
    add_keystore(parser, stdin=True)
    parser.add_argument("label", metavar="LABEL", help=say("le nom de la clé"))
    add_deed(parser)


def _change(
    arguments: argparse.Namespace,
    passphrase: Passphrase,
    changed: Callable[[Keystore], Keystore],
) -> int:
    """Change the keystore, and print each record that this added."""
    before = 0

    def counted(old: Keystore) -> Keystore:
        nonlocal before
        before = len(old.records)
        return changed(old)

    keystore = Keystore.change(arguments.file, passphrase, counted, random=secrets.token_bytes)
    _print(keystore, keystore.records[before:])
    return 0


def _print(keystore: Keystore, records: Sequence[Record]) -> None:
    home = in_keystore(keystore.path)
    print("\n\n\n".join(record_text(record, home) for record in records))
