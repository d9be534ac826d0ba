"""`sesame hsm`: keys inside an HSM's token. Here: what makes them, brings them in and shows them.

None of them shows a key, for none comes out.
"""

import argparse
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli import hsm_life
from sesame.cli.hsm_life import print_records
from sesame.cli.hsm_token import add_action, login_of, session_of, written_alone
from sesame.cli.inputs import Unusable, parse_dki
from sesame.cli.key_records import STATES, add_deed, deed_of
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.custody.cryptoki import Session
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import (
    CheckValueDiffers,
    HsmKeysIncomplete,
    HsmKeyTaken,
    HsmKeyUnsuitable,
    HsmLabelUnsuitable,
    HsmLockRefused,
    HsmModuleUnusable,
    HsmRefused,
    HsmTokenBusy,
    HsmTokenExists,
    HsmTokenMissing,
)
from sesame.custody.hsm import check_token
from sesame.custody.hsm_keys import OAEP_HASHES, find_keys, wrapping_key
from sesame.custody.hsm_life import bring_key, inventory_of, make_key, make_standard
from sesame.custody.hsm_tokens import make_token
from sesame.custody.key import CHECK_VALUE, ISSUER_USAGES
from sesame.custody.passphrase import read_passphrase

_LONGEST = 4096  # bytes of a wrapped key

SENTENCES |= {
    HsmModuleUnusable: N_(
        "{path}\u00a0: ce module PKCS#11 ne se charge pas ({reason}). Donnez le chemin de la "
        "bibliothèque livrée avec le HSM."
    ),
    HsmLockRefused: N_(
        "{path}\u00a0: ce fichier ne se laisse pas verrouiller ({reason}), et une autre commande "
        "pourrait écrire en même temps. Donnez-en une copie sur un disque de cette machine, la "
        "même pour tous."
    ),
    HsmTokenBusy: N_(
        "{path}\u00a0: une autre commande écrit depuis {seconds}\u00a0secondes, et rien n’a été "
        "fait. Laissez-la finir, puis recommencez\u202f; «\u00a0lslocks\u00a0» montre le "
        "processus qui tient le verrou."
    ),
    HsmTokenMissing: N_(
        "{path}\u00a0: aucun emplacement ne contient de jeton «\u00a0{label}\u00a0». Vérifiez le "
        "nom, le branchement et les réglages du module, ou créez-le avec «\u00a0sesame hsm "
        "init\u00a0»."
    ),
    HsmTokenExists: N_(
        "{path}\u00a0: il y a déjà un jeton «\u00a0{label}\u00a0», qui reste tel qu’il est. "
        "Choisissez un autre nom."
    ),
    HsmKeyTaken: N_(
        "La clé {label} ne peut s’ajouter\u00a0: le jeton a déjà une clé de ce nom ou, pour un "
        "usage qui n’en admet qu’une, de cet usage."
    ),
    HsmKeysIncomplete: N_(
        "Nombre de clés d’usage {usage} dans le jeton\u00a0: {count}. Il en faut une. S’il y en a "
        "eu une, remettez-la\u00a0: une autre ne la remplace pas. Un jeton neuf reçoit toutes ses "
        "clés par «\u00a0sesame hsm generate\u00a0»."
    ),
    CheckValueDiffers: N_(
        "La clé {label} n’est pas entrée dans le jeton\u00a0: sa valeur de contrôle est {found}, "
        "et {announced} était annoncé. Renseignez-vous là d’où elle vient."
    ),
    HsmLabelUnsuitable: N_("Le nom d’un jeton tient en 1 à 32 octets (UTF-8)."),
    HsmKeyUnsuitable: N_(
        "La clé «\u00a0{label}\u00a0» du jeton pourrait en sortir, ou servir à autre chose que "
        "son usage. Ne vous en servez pas\u202f; faites-en une autre avec «\u00a0sesame hsm "
        "generate\u00a0»."
    ),
    HsmRefused: N_(
        "Le HSM refuse\u00a0: {function} répond {name}. Si c’est le PIN, vérifiez-le avant de "
        "recommencer\u00a0: après quelques erreurs, le jeton se bloque."
    ),
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `hsm` and its actions to the tree of commands."""
    parser = commands.add_parser("hsm", help=say("Créer et contrôler les clés dans un HSM"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    init = add_action(actions, "init", say("Créer un jeton vide"), run_init)
    init.add_argument(
        "--officer-pin-file",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("lire le PIN de l’officier dans ce fichier"),
    )
    make = add_action(actions, "generate", say("Créer des clés dans le jeton"), run_generate)
    make.add_argument(
        "--demo", action="store_true", help=say("avec la clé de paiement des démonstrations")
    )
    make.add_argument(
        "--key", metavar="KEY", help=say("une seule clé, de ce nom, au lieu des clés habituelles")
    )
    _add_usage(make, required=False)
    _add_dki(make)
    add_deed(make)
    add_action(
        actions,
        "wrapping-key",
        say("Donner la clé publique pour laquelle on chiffre une clé à apporter"),
        run_wrapping_key,
    )
    carry = add_action(
        actions, "unwrap", say("Apporter au jeton une clé chiffrée pour lui"), run_unwrap
    )
    carry.add_argument("file", type=Path, metavar="FILE", help=say("la clé chiffrée (RSA-OAEP)"))
    carry.add_argument("--key", metavar="KEY", required=True, help=say("son nom"))
    _add_usage(carry, required=True)
    carry.add_argument(
        "--check-value",
        metavar="HEX",
        required=True,
        help=say("sa valeur de contrôle, six chiffres hexadécimaux"),
    )
    carry.add_argument(
        "--hash",
        choices=OAEP_HASHES,
        default="sha256",
        help=say("le hachage d’OAEP\u00a0; SoftHSM2 n’a que sha1"),
    )
    _add_dki(carry)
    add_deed(carry)
    hsm_life.add_parser(actions)
    add_action(actions, "list", say("Montrer les noms et usages des clés"), run_list)
    add_action(actions, "check", say("Vérifier que le jeton a tout ce qu’il faut"), run_check)


def run_init(arguments: argparse.Namespace) -> int:
    """Make a token.

    Raises:
        SesameError: there is one of that label, no slot is free, or the module refuses.
    """
    with written_alone(arguments.module):
        make_token(
            arguments.module,
            arguments.label,
            officer_pin=read_passphrase(arguments.officer_pin_file),
            pin=read_passphrase(arguments.pin_file),
        )
    print(say("Le jeton «\u00a0{label}\u00a0» est créé, sans clé.").format(label=arguments.label))
    return 0


def run_generate(arguments: argparse.Namespace) -> int:
    """Make the standard keys, or one, and print the records.

    Raises:
        SesameError: a key of that label, usage or DKI is there, or as `run_list`.
    """
    if (arguments.key is None) != (arguments.usage is None):
        raise Unusable(say("Donnez --key et --usage ensemble, ou aucun des deux."))
    deed, dki = deed_of(arguments), _dki(arguments)
    with session_of(arguments, writes=True) as session:
        if arguments.key is None:
            records = make_standard(session, deed, demo=arguments.demo)
        else:
            records = make_key(session, arguments.key, KeyUsage(arguments.usage), deed, dki=dki)
        print_records(arguments, records)
    return 0


def run_wrapping_key(arguments: argparse.Namespace) -> int:
    """Print the public half of the wrapping key, made now where there is none.

    Raises:
        SesameError: as `run_list`.
    """
    with session_of(arguments, writes=True) as session:
        print(wrapping_key(session).decode(), end="")
    return 0


def run_unwrap(arguments: argparse.Namespace) -> int:
    """Bring a key in, and print the record.

    Raises:
        SesameError: the file cannot be read, the check value is another, or as `run_generate`.
    """
    deed, dki = deed_of(arguments), _dki(arguments)
    expected = _check_value(arguments.check_value)
    wrapped = _read(arguments.file)
    with session_of(arguments, writes=True) as session:
        records = bring_key(
            *(session, arguments.key, KeyUsage(arguments.usage), wrapped, deed),
            dki=dki,
            expected=expected,
            hashed=OAEP_HASHES[arguments.hash],
        )
        print_records(arguments, records)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Show the keys' names, usages, check values, generations and states.

    Raises:
        SesameError: the module, the token or the PIN is not the right one.
    """
    with session_of(arguments) as session:
        _print_keys(session)
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """See whether a custodian can stand on the token.

    Raises:
        SesameError: it cannot, and why.
    """
    keys = check_token(login_of(arguments))
    with session_of(arguments) as session:
        inventory = inventory_of(session, find_keys(session))
    inventory.check_whole()
    print(
        say(
            "Jeton «\u00a0{label}\u00a0»\u00a0: tout est en ordre. Nombre de clés\u00a0: {count}."
        ).format(label=arguments.label, count=len(keys))
    )
    if inventory.unrecorded:
        print(
            say(
                "Sans procès-verbal\u00a0: {labels}. Elles servent\u202f; une clé d’émetteur "
                "s’inscrit par «\u00a0sesame hsm adopt\u00a0» ou s’ôte par «\u00a0sesame hsm "
                "destroy\u00a0»."
            ).format(labels=", ".join(inventory.unrecorded))
        )
    return 0


def _add_usage(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--usage",
        choices=[str(usage) for usage in KeyUsage],
        required=required,
        help=say("à quoi elle sert"),
    )


def _add_dki(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dki",
        help=say(
            "d’une clé d’émetteur, son index de dérivation : un octet hexadécimal que "
            "porteront ses cartes (02)"
        ),
    )


def _dki(arguments: argparse.Namespace) -> int | None:
    """The DKI, which an issuer key must have and no other may; none of the standard keys."""
    issuers = arguments.usage in ISSUER_USAGES
    if (arguments.dki is not None) != issuers:
        raise Unusable(
            say("Donnez --dki avec une clé d’émetteur (issuer-ac, issuer-payment), et jamais sans.")
        )
    return None if arguments.dki is None else parse_dki(arguments.dki)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST)
    except OSError as refusal:
        raise Unusable(
            say("{path}\u00a0: ce fichier ne peut être lu ({reason}).").format(
                path=path, reason=refusal.strerror
            )
        ) from None


def _check_value(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != CHECK_VALUE:
        raise Unusable(say("Une valeur de contrôle a six chiffres hexadécimaux\u00a0: 08D7B4."))
    return value


def _print_keys(session: Session) -> None:
    """The keys as a table: name, usage, check value, generation and state."""
    found = find_keys(session)
    inventory = inventory_of(session, found)
    rows = [(say("Clé"), say("Usage"), say("Contrôle"), "DKI", say("État"))]
    for key in inventory.keys:
        state = say(STATES[key.state]) if key.usage in ISSUER_USAGES else ""
        rows.append(
            (
                key.label,
                str(key.usage),
                key.check_value.hex().upper(),
                "" if key.dki is None else f"{key.dki:02X}",
                state if key.is_there else say("absente du jeton"),
            )
        )
    rows += [
        (key.label, str(key.usage), "", "", say("à détruire\u00a0: la destruction s’est arrêtée"))
        for key in found
        if key.label in inventory.lingering
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
