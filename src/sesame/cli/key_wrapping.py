"""`sesame keys wrap-for-hsm`: an issuer key leaves a keystore for the token of an HSM."""

import argparse
import os
import secrets
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.key_blocks import PathTaken, write_new
from sesame.cli.key_records import add_deed, deed_of, in_keystore, record_text
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, ask_passphrase
from sesame.cli.sentences import SENTENCES
from sesame.custody.errors import WrappingKeyUnusable
from sesame.custody.hsm_wrapping import HASHES, fingerprint, read_wrapping_key, wrap
from sesame.custody.key_life import with_export
from sesame.custody.keystore import Keystore
from sesame.custody.records import Act

SENTENCES[WrappingKeyUnusable] = N_(
    "{path}\u00a0: ce n’est pas la clé publique d’un HSM pour laquelle on chiffre une clé "
    "({reason}). Donnez le fichier que «\u00a0sesame hsm wrapping-key\u00a0» a écrit."
)


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `wrap-for-hsm` to the actions of `keys`."""
    parser = actions.add_parser(
        "wrap-for-hsm", help=say("Chiffrer une clé d’émetteur exportable pour le jeton d’un HSM")
    )
    add_keystore(parser)
    parser.add_argument("label", metavar="LABEL", help=say("le nom de la clé"))
    parser.add_argument(
        "--wrapping-key",
        type=Path,
        required=True,
        metavar="PEMFILE",
        help=say("la clé publique du jeton («\u00a0sesame hsm wrapping-key\u00a0»)"),
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="WRAPPEDFILE",
        help=say("le fichier de la clé chiffrée, qui est créé"),
    )
    parser.add_argument(
        "--hash",
        choices=HASHES,
        default="sha256",
        help=say("le hachage d’OAEP\u00a0; SoftHSM2 n’a que sha1"),
    )
    add_deed(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the key, enciphered, and print the record.

    The record comes first: a key that could not be written is on record, never the other way.

    Raises:
        SesameError: the wrapping key is none, the keystore does not open, the key may not leave,
            or something stands where it is to go.
    """
    deed = deed_of(arguments)
    public = read_wrapping_key(arguments.wrapping_key)
    if os.path.lexists(arguments.out):
        raise PathTaken(arguments.out)
    keystore = Keystore.change(
        arguments.file,
        ask_passphrase(arguments),
        lambda old: with_export(old, arguments.label, deed, Act.WRAP),
        random=secrets.token_bytes,
    )
    write_new(arguments.out, wrap(public, keystore.key(arguments.label), arguments.hash))
    # Whose key the wrapping key is only the officers can know, by comparing.
    whose = (say("Empreinte de la clé publique du HSM"), fingerprint(public).hex())
    print(record_text(keystore.records[-1], in_keystore(keystore.path), more=[whose]))
    return 0
