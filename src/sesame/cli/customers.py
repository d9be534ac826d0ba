"""`sesame customers import`: people who are customers already get their access, many at once.

docs/reference/customer-import.md describes the file.
"""

import argparse
import asyncio
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from sesame.bank.importing import Counts, Import
from sesame.catalogue import N_
from sesame.cli.bank_cards import add_cards
from sesame.cli.customer_files import (
    FileJob,
    Told,
    add_file_arguments,
    digest_of,
    opened,
    progress,
    telling,
)
from sesame.cli.language import say
from sesame.cli.renewal import add_renew
from sesame.cli.result_file import ResultFile, result_file
from sesame.cli.retention import add_by
from sesame.custody.hardening import harden

_FAILED = 1
_LEFT_OUT = 3  # exit status: all went in but rows that could not
_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type


def add_parser(commands: _Actions) -> None:
    """Add `customers` and its action to the tree of commands."""
    parser = commands.add_parser("customers", help=say("Inscrire des clients"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add_renew(actions)
    add_cards(actions)
    action = actions.add_parser(
        "import", help=say("Inscrire ceux d’un fichier (CSV ou lignes JSON)")
    )
    add_file_arguments(action)
    action.add_argument(
        "--skip-broken",
        action="store_true",
        help=say("inscrire les autres, même si des lignes ne conviennent pas"),
    )
    action.add_argument(
        "--user-codes",
        type=Path,
        metavar="FILE",
        help=say("un nouveau fichier pour les codes utilisateur attribués"),
    )
    action.add_argument(
        "--check-characters",
        action="store_true",
        help=say("vérifier le caractère de contrôle des codes utilisateur donnés"),
    )
    add_by(action)
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import the file, after a rehearsal of all of it; and report.

    Raises:
        SesameError: see `Import.read`, `read_settings` and `open_custodian`; or a file that was
            named cannot be read or made.
    """
    harden()  # before there is anything to hide
    job, path = FileJob(arguments), arguments.file
    with (
        opened(path) as file,
        telling(arguments.errors) as told,
        # Before anything is done: whether it can be written is known then.
        _user_codes(None if arguments.dry_run else arguments.user_codes) as codes,
    ):
        told.sha256 = digest_of(path, file)
        if arguments.dry_run or not arguments.skip_broken:
            counts = Counts()
            asyncio.run(_go_through(job, arguments, file, counts, told, keep=False))
            if arguments.dry_run or counts.refused:
                title = _REHEARSED if arguments.dry_run else _UNDONE
                told.report(path, title, _numbers(counts, kept=False))
                told.keep()
                return _FAILED if counts.refused else 0
            told.begin_again()
        counts = Counts()
        try:
            asyncio.run(
                _go_through(job, arguments, file, counts, told, keep=True, generated=codes.add)
            )
            codes.flush()
            told.flush()
        except BaseException:
            if counts.enrolled or counts.there or counts.old_codes:
                told.report(path, _CUT_OFF, _numbers(counts, kept=True))
            raise
        told.report(path, _DONE, _numbers(counts, kept=True))
        told.keep()
        codes.keep()
    return _LEFT_OUT if counts.refused else 0


_REHEARSED = N_("{path}\u00a0: essai à blanc, rien n’est gardé.")
_UNDONE = N_(
    "{path}\u00a0: rien n’est fait. Corrigez ces lignes, ou inscrivez les autres par --skip-broken."
)
_CUT_OFF = N_(
    "{path}\u00a0: interrompu. Ce qui est inscrit le reste\u00a0: relancez la même commande."
)
_DONE = N_("{path}\u00a0: c’est fait.")
_ENROLLING, _CHECKING = N_("Inscription"), N_("Vérification")


async def _go_through(  # noqa: PLR0913 -- by what was asked, which file, and who is told
    job: FileJob,
    asked: argparse.Namespace,
    file: BinaryIO,
    counts: Counts,
    told: Told,
    *,
    keep: bool,
    generated: Callable[[str, str], None] | None = None,
) -> None:
    """Read the whole *file*, and enrol who can be; without *keep*, nobody."""
    bar = progress(file, _ENROLLING if keep else _CHECKING)
    async with job.bank(asked.file, keep=keep) as bank:
        with bar as after:
            rows = Import(
                bank=bank,
                keys=job.keys,
                by=asked.by,
                keep=keep,
                tell=told.tell,
                generated=generated,
                may_generate=asked.dry_run or asked.user_codes is not None,
                after=after,
                check_characters=asked.check_characters,
                counts=counts,
            )
            await rows.read(file, job.kind, delimiter=job.delimiter)


def _numbers(counts: Counts, *, kept: bool) -> list[tuple[str, int]]:
    return [
        (N_("lignes lues"), counts.rows),
        (N_("inscrits") if kept else N_("à inscrire"), counts.enrolled),
        (N_("déjà là"), counts.there),
        (N_("anciens codes"), counts.old_codes),
        (N_("refusées"), counts.refused),
    ]


class _Codes:
    """The user codes that are generated: a file of them, or no need for one.

    An import that is begun again writes them all anew.
    """

    def __init__(self, file: ResultFile | None, path: Path | None) -> None:
        self._file = file
        self._path = path

    def add(self, reference: str, user_code: str) -> None:
        """Add who has which."""
        if self._file is not None:
            csv.writer(self._file, lineterminator="\n").writerow((reference, user_code))

    def flush(self) -> None:
        """Have them on the disk."""
        if self._file is not None:
            self._file.flush()

    def keep(self) -> None:
        """Give the file its name, and say so."""
        if self._file is not None:
            self._file.keep()
            print(say("{path}\u00a0: les codes attribués.").format(path=self._path))


@contextmanager
def _user_codes(path: Path | None) -> Iterator[_Codes]:
    if path is None:
        yield _Codes(None, None)
        return
    with result_file(path, header="reference,user_code\n") as file:
        yield _Codes(file, path)
