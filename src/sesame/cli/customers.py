"""`sesame customers import`: people who are customers already get their access, many at once.

docs/reference/customer-import.md describes the file.
"""

import argparse
import asyncio
import csv
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sesame.app import check_keystore, notice_restore, open_bank, open_custodian, open_keystore
from sesame.bank.customer_file import FileFormat, Problem, Trouble
from sesame.bank.errors import UnreadableCustomers
from sesame.bank.importing import Counts, Import
from sesame.catalogue import N_, Language
from sesame.cli.database import without_password
from sesame.cli.import_words import file_words, words
from sesame.cli.inputs import Unusable, parse_dki
from sesame.cli.language import language_of, say
from sesame.cli.renewal import add_renew
from sesame.cli.result_file import ResultFile, refused, result_file
from sesame.cli.retention import add_by
from sesame.custody.custodian import Custodian, KeyRef, KeyUsage
from sesame.custody.hardening import harden
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.settings import Settings, read_settings
from sesame.store.engine import database_path, is_postgresql
from sesame.store.errors import SchemaMismatch
from sesame.store.schema import is_current

_FAILED = 1
_LEFT_OUT = 3  # exit status: all went in but rows that could not
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_OTHERS = 0o077  # bits of a mode
_LONGEST_TOLD = 4_096  # bytes of a line of errors
_TOLD = 20  # problems that the report tells one by one

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type


def add_parser(commands: _Actions) -> None:
    """Add `customers` and its action to the tree of commands."""
    parser = commands.add_parser("customers", help=say("Inscrire des clients"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add_renew(actions)
    action = actions.add_parser(
        "import", help=say("Inscrire ceux d’un fichier (CSV ou lignes JSON)")
    )
    action.add_argument("file", type=Path, metavar="FILE", help=say("le fichier des clients"))
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le fichier des réglages (TOML)"),
    )
    action.add_argument(
        "--database",
        metavar="URL",
        help=say("la base, au nom du rôle à qui sont ses tables\u202f; sans mot de passe"),
    )
    _add_format(action)
    action.add_argument(
        "--dry-run", action="store_true", help=say("tout vérifier, et ne rien garder")
    )
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
        "--errors",
        type=Path,
        metavar="FILE",
        help=say("un nouveau fichier pour toutes les erreurs, en lignes JSON"),
    )
    action.add_argument(
        "--check-characters",
        action="store_true",
        help=say("vérifier le caractère de contrôle des codes utilisateur donnés"),
    )
    action.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="DKI=LABEL",
        help=say(
            "la clé d’émetteur d’un DKI, si un autre processus garde les clés\u202f; à répéter"
        ),
    )
    add_by(action)
    action.set_defaults(run=run)


def _add_format(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--format",
        choices=[kind.value for kind in FileFormat],
        metavar="FORMAT",
        help=say("csv ou jsonl\u202f; sinon, d’après le nom du fichier"),
    )
    action.add_argument(
        "--delimiter",
        default="comma",
        choices=_DELIMITERS,
        metavar="NAME",
        help=say("ce qui sépare les colonnes du CSV\u00a0: comma, semicolon ou tab"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Import the file, after a rehearsal of all of it; and report.

    Raises:
        SesameError: see `Import.read`, `read_settings` and `open_custodian`; or a file that was
            named cannot be read or made.
    """
    harden()  # before there is anything to hide
    job = _Job(arguments)
    with (
        _opened(arguments.file) as file,
        _told(arguments.errors) as told,
        # Before anything is done: whether it can be written is known then.
        _user_codes(None if arguments.dry_run else arguments.user_codes) as codes,
    ):
        told.sha256 = _digest(arguments.file, file)
        if arguments.dry_run or not arguments.skip_broken:
            counts = Counts()
            asyncio.run(job.go_through(file, counts, told, keep=False))
            if arguments.dry_run or counts.refused:
                told.report(arguments.file, counts, _REHEARSED if arguments.dry_run else _UNDONE)
                told.keep()
                return _FAILED if counts.refused else 0
            told.begin_again()
        counts = Counts()
        try:
            asyncio.run(job.go_through(file, counts, told, keep=True, generated=codes.add))
            codes.flush()
            told.flush()
        except BaseException:
            if counts.enrolled or counts.there or counts.old_codes:
                told.report(arguments.file, counts, _CUT_OFF)
            raise
        told.report(arguments.file, counts, _DONE)
        told.keep()
        codes.keep()
    return _LEFT_OUT if counts.refused else 0


class _Job:
    """What is asked for on the command line, ready to be done twice."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._kind = _format_of(arguments)
        settings = read_settings(arguments.settings)
        if arguments.database is not None:
            url = without_password(arguments.database)
            settings = msgspec.structs.replace(settings, database=url)
        self._settings = settings
        if not is_postgresql(settings.database):
            path = database_path(settings.database)
            if not path.is_file():
                raise Unusable(say("{path}\u00a0: cette base n’existe pas.").format(path=path))
        self._keys, self._custodian = _custody(settings, arguments.key)

    async def go_through(
        self,
        file: BinaryIO,
        counts: Counts,
        told: "_Told",
        *,
        keep: bool,
        generated: Callable[[str, str], None] | None = None,
    ) -> None:
        """Read the whole *file*, and enrol who can be; without *keep*, nobody."""
        file.seek(0)
        asked = self._arguments
        bank = open_bank(self._settings, self._custodian())
        try:
            if not await bank.store.read(is_current):
                raise SchemaMismatch(
                    "the tables are not those of this version: as the role that owns them run  "
                    "sesame database migrate"
                )
            await check_keystore(self._settings, bank.custodian)
            if keep:
                await notice_restore(self._settings, bank.custodian)
            with _progress(file, keep=keep) as after:
                job = Import(
                    bank=bank,
                    keys=self._keys,
                    by=asked.by,
                    keep=keep,
                    tell=told.tell,
                    generated=generated,
                    may_generate=asked.dry_run or asked.user_codes is not None,
                    after=after,
                    check_characters=asked.check_characters,
                    counts=counts,
                )
                await job.read(file, self._kind, delimiter=_DELIMITERS[asked.delimiter])
        except UnreadableCustomers as error:
            raise Unusable(file_words(error)) from None
        except OSError as error:
            raise refused(asked.file, error) from None
        finally:
            await bank.store.close()
            await bank.custodian.close()


def _format_of(arguments: argparse.Namespace) -> FileFormat:
    named = arguments.format or arguments.file.suffix.lower().removeprefix(".")
    try:
        return FileFormat({"ndjson": "jsonl"}.get(named, named))
    except ValueError:
        raise Unusable(
            say(
                "{path}\u00a0: ni .csv ni .jsonl\u00a0: dites lequel des deux, par --format."
            ).format(path=arguments.file)
        ) from None


def _custody(
    settings: Settings, named: list[str]
) -> tuple[Mapping[int, KeyRef], Callable[[], Custodian]]:
    """The issuer keys by DKI, and how to open what has them; a keystore is opened once."""
    keys = dict(map(_key, named))
    if settings.custody is not None:
        return keys, partial(open_custodian, settings)
    keystore = open_keystore(settings)
    own = {
        key.dki: KeyRef(key.label)
        for key in keystore.keys
        if key.usage is KeyUsage.ISSUER_AC and key.dki is not None
    }
    if any(own.get(dki) != key for dki, key in keys.items()):
        raise Unusable(
            say("--key\u00a0: le trousseau n’a pas cette clé sous ce DKI. Omettez l’option.")
        )
    return own, lambda: KeystoreCustodian(keystore)


def _key(text: str) -> tuple[int, KeyRef]:
    dki, _, label = text.partition("=")
    return parse_dki(dki), KeyRef(label)


# ── The files ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise refused(path, error) from None
    with file:
        if not file.seekable():
            raise Unusable(
                say("{path}\u00a0: il faut un vrai fichier, qui est lu deux fois.").format(
                    path=path
                )
            )
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            print(
                say(
                    "{path}\u00a0: d’autres utilisateurs peuvent lire ce fichier, qui peut "
                    "contenir des numéros de carte. Faites «\u00a0chmod 600\u00a0»."
                ).format(path=path),
                file=sys.stderr,
            )
        yield file


def _digest(path: Path, file: BinaryIO) -> str:
    """What tells later which file it was, in hexadecimal."""
    try:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise refused(path, error) from None


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


# ── What is told ─────────────────────────────────────────────────────────────────────────────────

_REHEARSED = N_("{path}\u00a0: essai à blanc, rien n’est gardé.")
_UNDONE = N_(
    "{path}\u00a0: rien n’est fait. Corrigez ces lignes, ou inscrivez les autres par --skip-broken."
)
_CUT_OFF = N_(
    "{path}\u00a0: interrompu. Ce qui est inscrit le reste\u00a0: relancez la même commande."
)
_DONE = N_("{path}\u00a0: c’est fait.")


class _Told:
    """The problems so far: a number of them in words, and all of them in a file."""

    def __init__(self, file: ResultFile | None) -> None:
        self._file = file
        self._first: list[Problem] = []
        self._count: Counter[Trouble] = Counter()
        self.sha256 = ""  # of the file of customers

    def tell(self, problem: Problem) -> None:
        """Keep *problem*, as far as it is told."""
        self._count[problem.trouble] += 1
        if len(self._first) < _TOLD:
            self._first.append(problem)
        if self._file is not None:
            members = problem._asdict() | {"text": words(problem)}
            print(json.dumps(members, ensure_ascii=False), file=self._file)

    def begin_again(self) -> None:
        """Forget what was told: the file is read once more."""
        self._first.clear()
        self._count.clear()
        if self._file is not None:
            self._file.begin_again()

    def flush(self) -> None:
        """Have the file on the disk."""
        if self._file is not None:
            self._file.flush()

    def keep(self) -> None:
        """Give the file its name."""
        if self._file is not None:
            self._file.keep()

    def report(self, path: Path, counts: Counts, title: str) -> None:
        """Say what became of the rows."""
        print(say(title).format(path=path))
        if self.sha256:
            print(f"  {'SHA-256':<14} {self.sha256}")
        kept = title in {_DONE, _CUT_OFF}
        for name, number in (
            (N_("lignes lues"), counts.rows),
            (N_("inscrits") if kept else N_("à inscrire"), counts.enrolled),
            (N_("déjà là"), counts.there),
            (N_("anciens codes"), counts.old_codes),
            (N_("refusées"), counts.refused),
        ):
            print(f"  {say(name):<14} {_grouped(number):>11}")
        for problem in self._first:
            print(words(problem))
        more = self._count.total() - len(self._first)
        if more:
            print(say("et {more} autres erreurs\u00a0; en tout\u00a0:").format(more=_grouped(more)))
            for trouble, number in self._count.most_common():
                print(f"  {trouble:<18} {_grouped(number):>7}")


@contextmanager
def _told(path: Path | None) -> Iterator[_Told]:
    if path is None:
        yield _Told(None)
        return
    with result_file(path, may_replace=_is_of_an_import) as file:
        yield _Told(file)


def _is_of_an_import(path: Path) -> bool:
    """Whether *path* holds errors that an import told before, or nothing."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            first = file.readline(_LONGEST_TOLD)
        members = json.loads(first or "{}")
    except (OSError, ValueError, RecursionError):
        return False
    return not first or (isinstance(members, dict) and members.keys() == {*Problem._fields, "text"})


def _grouped(number: int) -> str:
    english = language_of(os.environ) is Language.ENGLISH
    return f"{number:,}" if english else f"{number:,}".replace(",", "\u202f")


@contextmanager
def _progress(file: BinaryIO, *, keep: bool) -> Iterator[Callable[[Counts], None]]:
    """A bar on standard error, where that is a terminal; how far the file was read."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    name = say("Inscription") if keep else say("Vérification")
    with bar:
        task = bar.add_task(name, total=os.fstat(file.fileno()).st_size, rows="")
        yield lambda counts: bar.update(task, completed=file.tell(), rows=_grouped(counts.rows))
