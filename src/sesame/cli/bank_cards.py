"""`sesame customers cards`: people who are customers are given the bank cards of a file.

docs/reference/customer-import.md describes the file, docs/how-to/give-bank-cards.md the way.
"""

import argparse
import asyncio
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

from sesame.bank.approvals import Asked
from sesame.bank.bank_cards import CardCounts, Giving, find_grant
from sesame.bank.customer_file import Trouble
from sesame.catalogue import N_
from sesame.cli.customer_files import (
    FileJob,
    Told,
    add_file_arguments,
    digest_of,
    opened,
    progress,
    telling,
)
from sesame.cli.import_words import FILE
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.result_file import refused
from sesame.cli.retention import add_by
from sesame.custody.hardening import harden

_FAILED = 1
_LEFT_OUT = 3  # exit status: all were given but those of rows that cannot be
_LARGEST = 128 << 20  # bytes of a file
_WAITS = 4  # nobody has agreed to it yet

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type


def add_cards(actions: _Actions) -> None:
    """Add `cards` to the actions of `customers`."""
    action = actions.add_parser(
        "cards", help=say("Donner à des clients inscrits les cartes bancaires d’un fichier")
    )
    add_file_arguments(action)
    action.add_argument(
        "--skip-broken",
        action="store_true",
        help=say("donner les autres, même si des lignes ne conviennent pas"),
    )
    add_by(action)
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rehearse the file; give its cards where two persons have agreed to it; and report.

    Raises:
        SesameError: see `Giving.read`, `read_settings` and `open_custodian`; or a file that was
            named cannot be read or made.
    """
    harden()  # before there is anything to hide
    job, path = FileJob(arguments), arguments.file
    with opened(path) as on_disk, telling(arguments.errors) as told:
        # Once, into memory: what two persons agreed to is what is given, whoever writes there now.
        file = BytesIO(_whole(path, on_disk))
        told.sha256 = digest_of(path, file)
        rehearsed = CardCounts()
        grant = asyncio.run(_go_through(job, arguments, file, rehearsed, told, None))
        if not rehearsed.rows:
            raise Unusable(say(FILE[Trouble.EMPTY]))
        undone = _why_not(arguments, rehearsed, grant)
        if undone is not None:
            title, status = undone
            told.report(path, title, _numbers(rehearsed, kept=False))
            told.keep()
            return status
        told.begin_again()
        counts = CardCounts()
        try:
            asyncio.run(_go_through(job, arguments, file, counts, told, grant))
            told.flush()
        except BaseException:
            if counts.rows:
                told.report(path, _CUT_OFF, _numbers(counts, kept=True))
            raise
        told.report(path, _DONE, _numbers(counts, kept=True))
        told.keep()
    return _LEFT_OUT if counts.refused else 0


def _whole(path: Path, file: BinaryIO) -> bytes:
    try:
        whole = file.read(_LARGEST + 1)
    except OSError as error:
        raise refused(path, error) from None
    if len(whole) > _LARGEST:
        raise Unusable(
            say("{path}\u00a0: plus de {most}\u00a0Mio. Faites-en plusieurs fichiers.").format(
                path=path, most=_LARGEST >> 20
            )
        )
    return whole


def _why_not(
    asked: argparse.Namespace, rehearsed: CardCounts, grant: Asked | None
) -> tuple[str, int] | None:
    """What is said, and the exit status, where nothing is given; None: cards are given."""
    if asked.dry_run:
        return _REHEARSED, _FAILED if rehearsed.refused else 0
    if rehearsed.refused and not asked.skip_broken:
        return _UNDONE, _FAILED
    return (_UNASKED, _WAITS) if grant is None else None


_REHEARSED = N_("{path}\u00a0: essai à blanc, rien n’est gardé.")
_UNDONE = N_(
    "{path}\u00a0: rien n’est fait. Corrigez ces lignes, ou donnez les autres par --skip-broken."
)
_UNASKED = N_(
    "{path}\u00a0: rien n’est fait. Deux personnes doivent d’abord l’accorder. Demandez-le au "
    "guichet, sous /guichet/demandes/cartes-bancaires, avec cette empreinte et ce nombre de "
    "lignes\u202f; puis relancez la même commande."
)
_CUT_OFF = N_(
    "{path}\u00a0: interrompu. Ce qui est donné le reste\u00a0: relancez la même commande."
)
_DONE = N_("{path}\u00a0: c’est fait.")
_GIVING, _CHECKING = N_("Cartes"), N_("Vérification")


async def _go_through(  # noqa: PLR0913, PLR0917 -- by what was asked, which file, and who is told
    job: FileJob,
    asked: argparse.Namespace,
    file: BinaryIO,
    counts: CardCounts,
    told: Told,
    grant: Asked | None,
) -> Asked | None:
    """Go through the whole *file*; without a *grant* nothing is given.

    The request that grants this file, where one does.
    """
    bar = progress(file, _CHECKING if grant is None else _GIVING)
    async with job.bank(asked.file, keep=grant is not None) as bank:
        with bar as after:
            giving = Giving(
                bank=bank,
                keys=job.keys,
                grant=grant,
                by=asked.by,
                tell=told.tell,
                after=after,
                counts=counts,
            )
            await giving.read(file, job.kind, delimiter=job.delimiter)
        return grant or await find_grant(bank, told.sha256, counts.rows)


def _numbers(counts: CardCounts, *, kept: bool) -> list[tuple[str, int]]:
    return [
        (N_("lignes lues"), counts.rows),
        (N_("données") if kept else N_("à donner"), counts.given),
        (N_("terminées") if kept else N_("à terminer"), counts.ended),
        (N_("déjà là"), counts.there),
        (N_("refusées"), counts.refused),
    ]
