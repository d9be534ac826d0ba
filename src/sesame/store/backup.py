"""Backups: copies that are born marked as restored, whoever opens them and whenever.

SQLite copies itself while it is written; PostgreSQL is asked by `pg_dump`, Debian's or whichever
stands in PATH. The mark is in the copy, never in what was copied.
"""

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sesame.store.engine import database_path, is_postgresql, open_database
from sesame.store.errors import BackupFailed
from sesame.store.incarnation import (
    INCARNATION,
    NO_MARK,
    Incarnation,
    mark_as_backup,
    read_incarnation,
)
from sesame.store.postgresql_url import dsn_of
from sesame.store.sqlite import answered


def back_up(url: str, file: Path) -> None:
    """Copy the database of *url* into the new *file* (mode 0600), while servers run.

    A file of SQLite is a database; that of PostgreSQL
    is SQL for `psql`. It must not be called where an event loop runs.

    Raises:
        BackupFailed: the file is there already or cannot be written, or `pg_dump` failed.
        StoreUnavailable: the database does not answer.
    """
    with _new_file(file) as (part, opened):
        if is_postgresql(url):
            _dump(url, opened)
        else:
            _copy(database_path(url), part)


@contextmanager
def _new_file(file: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A part beside *file*, which becomes it when all is written and on disk."""
    if file.exists():
        raise BackupFailed(file, "it is there already, and stays as it is: name another")
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            try:
                yield part, opened
                opened.flush()
                os.fsync(opened.fileno())
                part.replace(file)
            except BaseException:
                part.unlink(missing_ok=True)
                part.with_name(f"{part.name}-journal").unlink(missing_ok=True)  # SQLite's
                raise
    except OSError as error:
        raise BackupFailed(file, error.strerror or "no reason given") from None


def _copy(path: Path, part: Path) -> None:
    if not path.is_file():
        raise BackupFailed(path, "there is no such database")
    with answered(path), _told_of_the_copy(part):
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)  # by one snapshot: no login waits for it, nor it for logins
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        engine = create_engine(URL.create("sqlite", database=str(part)), poolclass=NullPool)
        with engine.begin() as connection:
            mark_as_backup(connection)


@contextmanager
def _told_of_the_copy(part: Path) -> Iterator[None]:
    """Say of the copy what is wrong with it, and not with the database."""
    try:
        yield
    except (sqlite3.OperationalError, OperationalError) as error:
        cause = getattr(error, "orig", error)
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise BackupFailed(part, "no room is left on its disk") from None
        if INCARNATION.name in str(cause):
            raise BackupFailed(part, "the database has older tables: migrate it first") from None
        raise


# Behind all other rows: a dump that was cut short, or restored in part, has no row at all here,
# and then every card is unsure.
_TAIL = """
INSERT INTO public.incarnation (id, generation, mark, restored_at)
SELECT 1, greatest({generation}, coalesce(max(generation), 0)) + 1, ''::bytea, NULL
FROM public.cards;
"""


def _dump(url: str, opened: BinaryIO) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFailed(
            Path("pg_dump"), "it is not in PATH: install the client programs of PostgreSQL"
        )
    row = asyncio.run(_row(url)) or Incarnation(0, NO_MARK, None)
    done = subprocess.run(  # noqa: S603 -- no shell, and the URL has been looked at
        [
            program,
            "--format=plain",
            "--no-owner",
            "--no-privileges",
            f"--exclude-table-data={INCARNATION.name}",
            f"--dbname={dsn_of(url)}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=opened,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = _QUOTED.sub("…", said[0]) if said else f"status {done.returncode}"
        raise BackupFailed(Path("pg_dump"), reason)
    tail = _TAIL.format(generation=row.generation)
    opened.write(tail.encode())


async def _row(url: str) -> Incarnation | None:
    """The row before the dump begins."""
    database = open_database(url)
    try:
        return await database.read(read_incarnation)
    finally:
        await database.close()


_QUOTED = re.compile(r'"[^"]*"')  # names, as of a server or a role
