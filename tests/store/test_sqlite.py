"""`sesame.store.sqlite`: one file, two threads, and what happens when it does not answer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sesame.store import sqlite
from sesame.store.access import delete_stranger_rows
from sesame.store.engine import Store
from sesame.store.errors import StoreError, StoreUnavailable
from sesame.store.sqlite import SqliteDatabase
from sesame.store.sqlite_login import swap_group
from sesame.store.steps import Fate, Step
from tests.places import Place, connect
from tests.store.databases import STRANGER, USER_CODE, accepted, enrol, step

_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.fixture
def database(file: Place) -> SqliteDatabase:
    """The database under test."""
    return SqliteDatabase(file.path)


@pytest.fixture
async def store(database: SqliteDatabase) -> AsyncIterator[Store]:
    """A store on it."""
    store = Store(database)
    yield store
    await store.close()


async def on_writer(database: SqliteDatabase, statement: str) -> None:
    """Run *statement* on the connection that takes steps, in its own thread."""
    side = database._writer  # noqa: SLF001 -- a disk cannot be filled up by other means
    await side.run(lambda side: side.raw.execute(statement))


async def test_every_connection_is_set_up(database: SqliteDatabase) -> None:
    """Write-ahead log, every commit on disk, and it waits for others: all four of them."""
    found = [
        (pragma, side, how)
        for side in (database._reader, database._writer)  # noqa: SLF001 -- each has two connections
        for pragma in _PRAGMAS
        for how in (
            await side.run(_pragma_raw(pragma)),
            await side.run(_pragma_core(pragma)),
        )
    ]
    assert len(found) == 2 * 2 * len(_PRAGMAS)
    for pragma, _, value in found:
        assert value == _PRAGMAS[pragma], pragma


def _pragma_raw(name: str) -> Callable[..., object]:
    return lambda side: side.raw.execute(f"PRAGMA {name}").fetchone()[0]


def _pragma_core(name: str) -> Callable[..., object]:
    return lambda side: side.core(lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar())


async def test_a_connection_that_could_not_be_set_up_is_not_kept(tmp_path: Path) -> None:
    """What is tried again is set up again, and never used half-way."""
    path = tmp_path / "sesame.db"
    path.write_bytes(b"this is no database " * 100)
    database = SqliteDatabase(path)
    store = Store(database)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            await store.read_access(USER_CODE)
    path.unlink()
    with pytest.raises(StoreUnavailable, match="no such table"):
        await store.read_access(USER_CODE)
    side = database._reader  # noqa: SLF001 -- as above
    assert await side.run(_pragma_raw("synchronous")) == 2
    await store.close()


async def test_reading_does_not_wait_for_a_writer(store: Store, file: Place) -> None:
    """A session is found while another process holds the file for its commit."""
    enrol(file)
    with _held(file.path):
        assert (await store.read_access(USER_CODE)).version == 1
        assert await store.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1


async def test_what_reads_cannot_write(store: Store, file: Place) -> None:
    """A change that is asked of the reading side is refused by the database."""
    await store.swap_access(step(STRANGER, 0))
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.read(lambda connection: delete_stranger_rows(connection, untouched_since=9_999))
    assert file.row_of(STRANGER)


async def test_a_wrong_statement_is_no_unavailable_database(store: Store) -> None:
    """It stays the programmer's error, and shows no parameters."""

    def change(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(
                text("INSERT INTO pan_index VALUES (:hash, '00', 1, 'X', 1)"),
                {"hash": b"PARAMETER"},
            )

    with pytest.raises(Exception, match="UNIQUE constraint failed") as wrong:
        await store.write(change)
    assert not isinstance(wrong.value, StoreError)
    assert "PARAMETER" not in str(wrong.value)


# ── When the database does not answer ────────────────────────────────────────────────────────────


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_locked_database(store: Store, database: SqliteDatabase, file: Place) -> None:
    """Another program holds the lock for too long: nothing is written, later all is well."""
    enrol(file)
    await on_writer(database, "PRAGMA busy_timeout = 20")
    before = file.everything()
    with _held(file.path), pytest.raises(StoreUnavailable, match="locked") as unavailable:
        await store.swap_access(accepted())
    assert file.path.name in str(unavailable.value)
    assert str(file.path.parent) not in str(unavailable.value)
    assert file.everything() == before
    assert await store.swap_access(accepted()) is Fate.WON


async def test_a_locked_database_keeps_a_group_waiting_once(
    store: Store, database: SqliteDatabase, file: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty steps wait for the lock together, not one after the other."""
    tries = []

    def counted(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[Fate]:
        tries.append(len(steps))
        return swap_group(connection, steps)

    monkeypatch.setattr(sqlite, "swap_group", counted)
    await on_writer(database, "PRAGMA busy_timeout = 20")
    user_codes = [f"NOBO{n:04d}" for n in range(20)]
    with _held(file.path):
        results = await asyncio.gather(
            *(store.swap_access(step(code, 0, enrolled=False)) for code in user_codes),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [StoreUnavailable] * 20
    assert sum(tries) == 20


async def _fill_up(store: Store) -> None:
    for version in count(1):
        assert await store.swap_access(step(read_version=version)) is Fate.WON


async def test_a_full_disk(store: Store, database: SqliteDatabase, file: Place) -> None:
    """Steps are taken until the file cannot grow; the one that does not fit leaves nothing."""
    enrol(file)
    await on_writer(database, "PRAGMA max_page_count = 1")  # as many as there are
    with pytest.raises(StoreUnavailable, match="full"):
        await _fill_up(store)
    lines = file.everything()["audit_lines"]
    version = len(lines)
    assert version > 1
    assert file.row_of(USER_CODE)["version"] == version
    assert [line[2] for line in lines] == list(range(1, version + 1))
    await on_writer(database, "PRAGMA max_page_count = 100000")
    assert await store.swap_access(step(read_version=version)) is Fate.WON


async def test_a_read_only_database(store: Store, database: SqliteDatabase, file: Place) -> None:
    """Nothing is written; what is there can still be read."""
    enrol(file)
    await on_writer(database, "PRAGMA query_only = ON")
    before = file.everything()
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.swap_access(accepted())
    assert file.everything() == before
    assert (await store.read_access(USER_CODE)).version == 1


def _damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))


async def test_a_damaged_database(file: Place) -> None:
    """Pages that are no pages: our error, not the driver's."""
    enrol(file)
    _damage(file.path)
    database = SqliteDatabase(file.path)
    store = Store(database)
    for asked in (
        store.read_access(USER_CODE),
        store.swap_access(step()),
        store.read(lambda connection: connection.execute(text("SELECT * FROM access")).all()),
    ):
        with pytest.raises(StoreUnavailable, match="malformed"):
            await asked
    await store.close()


async def test_a_missing_folder(tmp_path: Path) -> None:
    """The file cannot even be opened."""
    store = Store(SqliteDatabase(tmp_path / "gone" / "sesame.db"))
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await store.read_access(USER_CODE)
    await store.close()
