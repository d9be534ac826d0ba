"""A file of customers, or of their bank cards, at the command line: read, told of, gone through."""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sesame.app import check_keystore, notice_restore, open_bank, open_custodian, open_keystore
from sesame.bank.bank import Bank
from sesame.bank.customer_file import FileFormat, Problem, Trouble
from sesame.bank.errors import UnreadableCustomers
from sesame.catalogue import Language
from sesame.cli.database import without_password
from sesame.cli.import_words import file_words, words
from sesame.cli.inputs import Unusable, parse_dki
from sesame.cli.language import language_of, say
from sesame.cli.result_file import ResultFile, refused, result_file
from sesame.custody.custodian import Custodian, KeyRef, KeyUsage
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.settings import Settings, read_settings
from sesame.store.engine import database_path, is_postgresql
from sesame.store.schema import require_current

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_OTHERS = 0o077  # bits of a mode
_LONGEST_TOLD = 4_096  # bytes of a line of errors
_TOLD = 20  # problems that the report tells one by one


def add_file_arguments(action: argparse.ArgumentParser) -> None:
    """Add the file, how it is read, and with which settings."""
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
    action.add_argument(
        "--format",
        choices=[kind.value for kind in FileFormat],
        metavar="FORMAT",
        help=say("csv ou jsonl\u202f; sinon, d’après le nom du fichier"),
    )
    action.add_argument(
        "--delimiter",
        default="comma",
        choices=DELIMITERS,
        metavar="NAME",
        help=say("ce qui sépare les colonnes du CSV\u00a0: comma, semicolon ou tab"),
    )
    action.add_argument(
        "--dry-run", action="store_true", help=say("tout vérifier, et ne rien garder")
    )
    action.add_argument(
        "--errors",
        type=Path,
        metavar="FILE",
        help=say("un nouveau fichier pour toutes les erreurs, en lignes JSON"),
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


class FileJob:
    """What is asked for on the command line of such a file, ready to be gone through twice."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.kind = _format_of(arguments)
        self.delimiter = DELIMITERS[arguments.delimiter]
        settings = read_settings(arguments.settings)
        if arguments.database is not None:
            url = without_password(arguments.database)
            settings = msgspec.structs.replace(settings, database=url)
        self._settings = settings
        if not is_postgresql(settings.database):
            path = database_path(settings.database)
            if not path.is_file():
                raise Unusable(say("{path}\u00a0: cette base n’existe pas.").format(path=path))
        self.keys, self._custodian = _custody(settings, arguments.key)

    @asynccontextmanager
    async def bank(self, path: Path, *, keep: bool) -> AsyncIterator[Bank]:
        """The bank, for the file at *path* to be gone through; *keep*: to be written to.

        What is wrong with the file as a whole is said in words.

        Raises:
            SesameError: as `open_custodian`; or the tables are another version's; or the file
                cannot be read.
        """
        bank = open_bank(self._settings, self._custodian())
        try:
            await bank.store.read(require_current)
            await check_keystore(self._settings, bank.custodian)
            if keep:
                await notice_restore(self._settings, bank.custodian)
            yield bank
        except UnreadableCustomers as error:
            raise Unusable(file_words(error)) from None
        except OSError as error:
            raise refused(path, error) from None
        finally:
            await bank.store.close()
            await bank.custodian.close()


def _format_of(arguments: argparse.Namespace) -> FileFormat:
    """How the file is written: as was said, or else as it is called."""
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
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file at *path*; it is said where others may read it."""
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


def digest_of(path: Path, file: BinaryIO) -> str:
    """What tells later which file it was, in hexadecimal."""
    try:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise refused(path, error) from None


# ── What is told ─────────────────────────────────────────────────────────────────────────────────


class Counted(Protocol):
    """What became of rows so far."""

    @property
    def rows(self) -> int:
        """All of them."""
        ...


class Told:
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

    def report(self, path: Path, title: str, numbers: Sequence[tuple[str, int]]) -> None:
        """Say what became of the rows: *title* and the names of *numbers* are French."""
        print(say(title).format(path=path))
        if self.sha256:
            print(f"  {'SHA-256':<14} {self.sha256}")
        for name, number in numbers:
            print(f"  {say(name):<14} {grouped(number):>11}")
        for problem in self._first:
            print(words(problem))
        more = self._count.total() - len(self._first)
        if more:
            print(say("et {more} autres erreurs\u00a0; en tout\u00a0:").format(more=grouped(more)))
            for trouble, number in self._count.most_common():
                print(f"  {trouble:<18} {grouped(number):>7}")


@contextmanager
def telling(path: Path | None) -> Iterator[Told]:
    """Where problems go: to the report, and into a new file at *path* where there is one."""
    if path is None:
        yield Told(None)
        return
    with result_file(path, may_replace=_is_of_an_import) as file:
        yield Told(file)


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


def grouped(number: int) -> str:
    """*number* with its thousands apart."""
    english = language_of(os.environ) is Language.ENGLISH
    return f"{number:,}" if english else f"{number:,}".replace(",", "\u202f")


@contextmanager
def progress(file: BinaryIO, name: str) -> Iterator[Callable[[Counted], None]]:
    """A bar on standard error, where that is a terminal: how far *file* was read, from its start.

    It is put there.
    """
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
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with bar:
        task = bar.add_task(say(name), total=size, rows="")
        yield lambda counts: bar.update(task, completed=file.tell(), rows=grouped(counts.rows))
