"""`sesame keys import-block|export-block`: an issuer key comes and goes in a TR-31 key block."""

import argparse
import os
import secrets
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.inputs import parse_dki
from sesame.cli.key_ceremony import (
    add_new_key,
    check_number,
    check_terminal,
    combined,
    confirm,
    gather,
)
from sesame.cli.key_records import add_deed, deed_of, in_keystore, record_text
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, ask_passphrase
from sesame.cli.sentences import SENTENCES
from sesame.custody.ceremony import protection_material
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import PassphraseExposed, PassphraseUnreadable
from sesame.custody.key import Key
from sesame.custody.key_life import check_name_free, with_export, with_key
from sesame.custody.keystore import Keystore
from sesame.custody.passphrase import read_passphrase
from sesame.custody.records import Act, Deed
from sesame.custody.tr31 import (
    PROTECTION_KEYS,
    Exportability,
    ProtectionKey,
    Version,
    issuer_key_header,
    issuer_key_of,
    pad_length,
    unwrap,
    wrap,
)
from sesame.errors import SesameError

_LARGEST = 9999  # characters of a block


class PathUnusable(SesameError):
    """At `path` a key block, or a key, can be neither read nor written, for the `reason` given."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class PathTaken(SesameError):
    """What a key leaves in never replaces what stands at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already: choose another path, or move that file away")
        self.path = path


class ProtectionKeyUnreadable(SesameError):
    """The file at `path` does not hold the key block protection key, for its owner alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no key block protection key there. It is one line of hexadecimal digits, in "
            "a file that only its owner may read (chmod 600)"
        )
        self.path = path


SENTENCES.update(
    {
        PathUnusable: N_("{path}\u00a0: rien ne peut y être lu ou écrit ({reason})."),
        PathTaken: N_(
            "{path}\u00a0: ce fichier existe déjà et reste tel qu’il est. Choisissez un autre "
            "chemin."
        ),
        ProtectionKeyUnreadable: N_(
            "{path}\u00a0: la clé de protection (KBPK) ne peut y être lue. Il faut une ligne de "
            "chiffres hexadécimaux, dans un fichier que son propriétaire seul peut lire "
            "(«\u00a0chmod 600\u00a0»)."
        ),
    }
)


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the two actions to those of `keys`."""
    importing = actions.add_parser(
        "import-block", help=say("Ajouter la clé d’émetteur d’un bloc TR-31")
    )
    add_keystore(importing)
    importing.add_argument("block", type=Path, metavar="BLOCKFILE", help=say("le bloc, une ligne"))
    add_new_key(importing)
    _add_protection_key(importing)
    add_deed(importing)
    importing.set_defaults(run=run_import)
    exporting = actions.add_parser(
        "export-block", help=say("Écrire une clé d’émetteur exportable dans un bloc TR-31")
    )
    add_keystore(exporting)
    exporting.add_argument("label", metavar="LABEL", help=say("le nom de la clé"))
    exporting.add_argument(
        "block", type=Path, metavar="BLOCKFILE", help=say("le fichier du bloc, qui est créé")
    )
    exporting.add_argument(
        "--version",
        choices=[str(version) for version in Version],
        default=str(Version.D),
        metavar="VERSION",
        help=say("B (sous une clé triple DES) ou D (sous une clé AES) (D)"),
    )
    exporting.add_argument(
        "--re-exportable",
        action="store_true",
        help=say("permettre au destinataire de l’exporter à son tour"),
    )
    _add_protection_key(exporting)
    add_deed(exporting)
    exporting.set_defaults(run=run_export)


def run_import(arguments: argparse.Namespace) -> int:
    """Add the key in the block, and print the record.

    Raises:
        SesameError: the keystore does not open, the block does not, or its key cannot be added.
    """
    deed = deed_of(arguments)
    usage, dki = KeyUsage(arguments.usage), parse_dki(arguments.dki)
    block = _read(arguments.block)
    version = Version.B if block.startswith(Version.B.encode()) else Version.D
    passphrase = ask_passphrase(arguments)
    keystore = Keystore.open(arguments.file, passphrase)
    check_name_free(keystore, arguments.label, usage, dki)
    opened = unwrap(_protection_key(arguments, version, deed), block)
    key = Key(
        label=arguments.label,
        usage=usage,
        value=issuer_key_of(opened),
        created=deed.at,
        dki=dki,
        exportable=opened.header.exportability is not Exportability.NOT,
    )
    keystore = Keystore.change(
        arguments.file,
        passphrase,
        lambda old: with_key(old, key, Act.IMPORT, deed),
        random=secrets.token_bytes,
    )
    print(record_text(keystore.records[-1], in_keystore(keystore.path)))
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write the key into a block, and print the record.

    The record comes first: a block that could not be written is on record, never the other way.

    Raises:
        SesameError: the keystore does not open, the key may not leave, or something stands where
            the block is to go.
    """
    deed = deed_of(arguments)
    version = Version(arguments.version)
    if os.path.lexists(arguments.block):
        raise PathTaken(arguments.block)
    passphrase = ask_passphrase(arguments)
    with_export(Keystore.open(arguments.file, passphrase), arguments.label, deed)  # may it leave?
    protection = _protection_key(arguments, version, deed)
    keystore = Keystore.change(
        arguments.file,
        passphrase,
        lambda old: with_export(old, arguments.label, deed),
        random=secrets.token_bytes,
    )
    key = keystore.key(arguments.label)
    header = issuer_key_header(
        version,
        key.check_value,
        Exportability.TRUSTED if arguments.re_exportable else Exportability.NOT,
    )
    pad = secrets.token_bytes(pad_length(version, len(key.value)))
    write_new(arguments.block, wrap(protection, header, key.value, pad) + b"\n")
    print(record_text(keystore.records[-1], in_keystore(keystore.path)))
    return 0


def _add_protection_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kbpk-file",
        type=Path,
        metavar="FILE",
        help=say("lire la clé de protection (KBPK) dans ce fichier, en hexadécimal"),
    )
    parser.add_argument(
        "--kbpk-bytes",
        type=int,
        choices=(16, 24, 32),
        metavar="NUMBER",
        help=say("sa longueur si les personnes présentes en tapent les composants (B 16, D 32)"),
    )


def _protection_key(arguments: argparse.Namespace, version: Version, deed: Deed) -> ProtectionKey:
    """The key block protection key, out of its file or of the officers' components."""
    if arguments.kbpk_file is not None:
        return ProtectionKey(version, _read_hexadecimal(arguments.kbpk_file))
    check_terminal()
    check_number(deed.officers)
    usual = PROTECTION_KEYS[version][0 if version is Version.B else -1]
    length = arguments.kbpk_bytes or usual
    value = combined(gather(protection_material(version, length), deed.officers))
    protection = ProtectionKey(version, value)
    confirm(protection.check_value, known=True)
    return protection


def _read_hexadecimal(path: Path) -> bytes:
    try:
        return bytes.fromhex(read_passphrase(path).text)
    except (PassphraseExposed, PassphraseUnreadable, ValueError):
        # Not the causes: one of them would repeat what stands in the file.
        raise ProtectionKeyUnreadable(path) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 2).strip()
    except OSError as refusal:
        raise PathUnusable(path, str(refusal.strerror)) from None


def write_new(path: Path, data: bytes) -> None:
    """Write *data* into a new file, down to the disk.

    Raises:
        PathTaken: something stands at *path*.
        PathUnusable: it cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise PathTaken(path) from None
    except OSError as refusal:
        raise PathUnusable(path, str(refusal.strerror)) from None
