"""`sesame keys backup|restore`: copies that no officer can open alone.

A copy is a keystore like any other, whose passphrase two officers know by halves. Of three
officers any two are enough: there is a copy for each pair.
"""

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.key_ceremony import NoCeremony, check_number
from sesame.cli.key_records import add_deed, deed_of, in_keystore, record_text
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, add_passphrase_file, ask_passphrase
from sesame.cli.sentences import SENTENCES
from sesame.custody.errors import CustodyError, KeystoreExists, WeakPassphrase, WrongPassphrase
from sesame.custody.key_life import with_record
from sesame.custody.keystore import Keystore
from sesame.custody.passphrase import Passphrase, joined, read_passphrase
from sesame.custody.records import Act, Officer
from sesame.terminal.signals import ended_in_order


class CopyDiffers(CustodyError):
    """What was read back from `path` is not what was written: the disk, or somebody."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: it did not hold the same keys, and was taken away. Do it again")
        self.path = path


SENTENCES[CopyDiffers] = N_(
    "{path}\u00a0: ce fichier ne contenait pas les mêmes clés\u00a0; il a été enlevé. Recommencez."
)


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the two actions to those of `keys`."""
    backup = actions.add_parser(
        "backup", help=say("Copier le trousseau\u00a0: deux personnes ouvrent une copie ensemble")
    )
    add_keystore(backup)
    backup.add_argument(
        "copy",
        type=Path,
        metavar="COPY",
        help=say("la copie\u00a0; de trois personnes, COPY-1-2, COPY-1-3 et COPY-2-3"),
    )
    _add_halves(backup)
    add_deed(backup)
    backup.set_defaults(run=run_backup)
    restore = actions.add_parser(
        "restore", help=say("Refaire un trousseau d’une copie, sous une nouvelle phrase de passe")
    )
    restore.add_argument("copy", type=Path, metavar="COPY", help=say("la copie"))
    restore.add_argument("file", type=Path, metavar="FILE", help=say("le trousseau, qui est créé"))
    add_passphrase_file(restore)
    _add_halves(restore)
    add_deed(restore)
    restore.set_defaults(run=run_restore)


def run_backup(arguments: argparse.Namespace) -> int:
    """Write a copy for each pair of officers, read each back, and print the record.

    Raises:
        SesameError: the keystore does not open, or something stands where a copy is to go; then
            there is no copy.
    """
    deed = deed_of(arguments)
    check_number(deed.officers)
    pairs = list(combinations(range(len(deed.officers)), 2))
    copies = [_copy_path(arguments.copy, one, other, only=len(pairs) == 1) for one, other in pairs]
    for path in copies:
        if os.path.lexists(path):
            raise KeystoreExists(path)
    passphrase = ask_passphrase(arguments)
    Keystore.open(arguments.file, passphrase)
    halves = _halves(arguments, deed.officers, new=True)
    keystore = Keystore.change(
        arguments.file,
        passphrase,
        lambda old: with_record(old, Act.BACKUP, deed),
        random=secrets.token_bytes,
    )
    written: list[Path] = []
    try:
        for path, (one, other) in zip(copies, pairs, strict=True):
            _write_checked(replace(keystore, path=path), joined(halves[one], halves[other]))
            written.append(path)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
    print(record_text(keystore.records[-1], in_keystore(keystore.path)))
    print()
    for path, (one, other) in zip(copies, pairs, strict=True):
        print(
            say("{path}\u00a0: s’ouvre avec {one} et {other}").format(
                path=path, one=deed.officers[one].name, other=deed.officers[other].name
            )
        )
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    """Make a keystore of a copy, compare the two, and print check values and record.

    Raises:
        SesameError: the copy does not open, or something stands where the keystore is to go.
    """
    deed = deed_of(arguments)
    if os.path.lexists(arguments.file):
        raise KeystoreExists(arguments.file)
    one, other = _halves(arguments, deed.officers[:2], new=False)
    try:
        copy = Keystore.open(arguments.copy, joined(one, other))
    except WrongPassphrase:
        copy = Keystore.open(arguments.copy, joined(other, one))  # in the order of the backup
    restored = replace(with_record(copy, Act.RESTORE, deed), path=arguments.file)
    passphrase = ask_passphrase(arguments, twice=True)
    _write_checked(restored, passphrase)
    print(record_text(restored.records[-1], in_keystore(restored.path)))
    print()
    for key in restored.keys:
        print(f"{key.label}  {key.usage}  {key.check_value.hex().upper()}")
    return 0


def _add_halves(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--half-file",
        type=Path,
        action="append",
        dest="half_files",
        metavar="FILE",
        help=say(
            "lire la moitié de phrase de passe d’une personne dans ce fichier\u00a0; une fois pour "
            "chacune, dans leur ordre"
        ),
    )


def _copy_path(path: Path, one: int, other: int, *, only: bool) -> Path:
    """Where the copy of these two officers goes, whose places count from 0."""
    if only:
        return path
    return path.with_name(f"{path.name}-{one + 1}-{other + 1}")


def _write_checked(keystore: Keystore, passphrase: Passphrase) -> None:
    """Write *keystore* to its path, where nothing is, and make sure that it can be read again."""
    keystore.write_new(passphrase, random=secrets.token_bytes)
    if Keystore.open(keystore.path, passphrase) != keystore:
        keystore.path.unlink(missing_ok=True)
        raise CopyDiffers(keystore.path)


def _halves(
    arguments: argparse.Namespace, officers: Sequence[Officer], *, new: bool
) -> list[Passphrase]:
    """Each officer's half of a passphrase; *new* ones are strong, and typed twice."""
    files = arguments.half_files or []
    if files and len(files) != len(officers):
        raise NoCeremony(
            say("Il faut un --half-file pour chaque personne, dans leur ordre, ou aucun.")
        )
    halves = [read_passphrase(path) for path in files] or [
        _typed_half(officer, new=new) for officer in officers
    ]
    if new:
        for half in halves:
            half.check_strength()
    return halves


def _typed_half(officer: Officer, *, new: bool) -> Passphrase:
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise NoCeremony(
            say("Il n’y a pas de terminal où taper les moitiés\u00a0: donnez --half-file.")
        )
    prompt = say("{name}, votre moitié de phrase de passe\u00a0: ").format(name=officer.name)
    try:
        with ended_in_order():
            while True:
                half = Passphrase(getpass.getpass(prompt))
                if not new:
                    return half
                try:
                    half.check_strength()
                except WeakPassphrase as weak:
                    print(say(SENTENCES[WeakPassphrase]).format(**vars(weak)), file=sys.stderr)
                    continue
                if Passphrase(getpass.getpass(say("La même, encore une fois\u00a0: "))) == half:
                    return half
                print(say("Les deux moitiés diffèrent\u00a0: recommencez."), file=sys.stderr)
    except EOFError:
        raise NoCeremony(say("Aucune moitié de phrase de passe n’a été tapée.")) from None
