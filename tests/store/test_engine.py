"""`sesame.store.engine`: one file, two threads, and what happens when it does not answer."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sesame.store import engine
from sesame.store.access import delete_stranger_rows
from sesame.store.customers import insert_customer
from sesame.store.engine import Store, database_path, open_store
from sesame.store.errors import StoreError, StoreUnavailable
from sesame.store.steps import Fate, Step, swap_group
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    accepted,
    connect,
    customer,
    enrol,
    everything,
    last_atcs,
    row_of,
    step,
)

_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


async def on_writer(store: Store, statement: str) -> None:
    """Run *statement* on the connection that takes steps, in its own thread."""
    side = store._writer  # noqa: SLF001 -- a disk cannot be filled up by other means
    await side.run(lambda side: side.raw.execute(statement))


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///bank/sesame.db", "bank/sesame.db"),
        ("sqlite:////var/lib/the bank/sesame.db", "/var/lib/the bank/sesame.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    """Three slashes and a path, relative or not."""
    assert database_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    ["", "sesame.db", "sqlite://", "sqlite:///:memory:", "postgresql://ada:secret@db/sesame"],
)
def test_other_urls_are_refused_without_their_password(url: str) -> None:
    """The message says how to write one and repeats no password."""
    with pytest.raises(StoreError, match="sqlite:///") as refused:
        open_store(url)
    assert "secret" not in str(refused.value)


async def test_every_connection_is_set_up(store: Store) -> None:
    """Write-ahead log, every commit on disk, and it waits for others: all four of them."""
    found = [
        (pragma, side, how)
        for side in (store._reader, store._writer)  # noqa: SLF001 -- each has two connections
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
    store = Store(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            await store.read_access(USER_CODE)
    path.unlink()
    with pytest.raises(StoreUnavailable, match="no such table"):
        await store.read_access(USER_CODE)
    side = store._reader  # noqa: SLF001 -- as above
    assert await side.run(_pragma_raw("synchronous")) == 2
    await store.close()


# ── Reading and writing ──────────────────────────────────────────────────────────────────────────


async def test_what_was_committed_is_read(store: Store, path: Path) -> None:
    """The reading side sees a step as soon as the writing side has answered."""
    enrol(path)
    for version in range(1, 20):
        assert await store.swap_access(step(read_version=version)) is Fate.WON
        assert (await store.read_access(USER_CODE)).version == version + 1


async def test_a_thousand_steps_leave_in_groups(store: Store, path: Path) -> None:
    """Steps of many user codes at once: all are taken, each of them once."""
    user_codes = [f"NOBO{n:04d}" for n in range(1000)]
    fates = await asyncio.gather(
        *(store.swap_access(step(code, 0, enrolled=False)) for code in user_codes)
    )
    assert fates == [Fate.WON] * 1000
    accesses = await asyncio.gather(*map(store.read_access, user_codes))
    assert {access.version for access in accesses} == {1}
    assert len(everything(path)["stranger_lines"]) == 1000


async def test_reading_does_not_wait_for_a_writer(store: Store, path: Path) -> None:
    """A session is found while another process holds the file for its commit."""
    enrol(path)
    with _held(path):
        assert (await store.read_access(USER_CODE)).version == 1
        assert await store.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1


async def test_what_reads_cannot_write(store: Store, path: Path) -> None:
    """A change that is asked of the reading side is refused by the database."""
    await store.swap_access(step(STRANGER, 0))
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.read(lambda connection: delete_stranger_rows(connection, untouched_since=9_999))
    assert row_of(path, STRANGER)


async def test_a_change_that_fails_leaves_nothing(store: Store, path: Path) -> None:
    """Whatever the error, the transaction is undone."""

    def change(connection: Connection) -> None:
        insert_customer(connection, customer())
        raise RuntimeError("half-way")

    before = everything(path)
    with pytest.raises(RuntimeError, match="half-way"):
        await store.write(change)
    assert everything(path) == before
    assert await store.write(lambda connection: insert_customer(connection, customer()))


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


async def test_closing_waits_for_groups_on_their_way(path: Path) -> None:
    """A step that was submitted is taken before the file is let go."""
    enrol(path)
    store = Store(path)
    tasks = [
        asyncio.create_task(store.swap_access(step())),
        asyncio.create_task(store.read_access(USER_CODE)),
    ]
    await asyncio.sleep(0)
    await store.close()
    assert all([await task for task in tasks])
    assert row_of(path, USER_CODE)["version"] == 2


async def test_a_store_that_was_never_used_closes(path: Path) -> None:
    """Nothing to let go of."""
    await Store(path).close()


# ── When the database does not answer ────────────────────────────────────────────────────────────


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_locked_database(store: Store, path: Path) -> None:
    """Another program holds the lock for too long: nothing is written, later all is well."""
    enrol(path)
    await on_writer(store, "PRAGMA busy_timeout = 20")
    before = everything(path)
    with _held(path), pytest.raises(StoreUnavailable, match="locked") as unavailable:
        await store.swap_access(accepted())
    assert path.name in str(unavailable.value)
    assert str(path.parent) not in str(unavailable.value)
    assert everything(path) == before
    assert await store.swap_access(accepted()) is Fate.WON


async def test_a_locked_database_keeps_a_group_waiting_once(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty steps wait for the lock together, not one after the other."""
    tries = []

    def counted(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[Fate]:
        tries.append(len(steps))
        return swap_group(connection, steps)

    monkeypatch.setattr(engine, "swap_group", counted)
    await on_writer(store, "PRAGMA busy_timeout = 20")
    user_codes = [f"NOBO{n:04d}" for n in range(20)]
    with _held(path):
        results = await asyncio.gather(
            *(store.swap_access(step(code, 0, enrolled=False)) for code in user_codes),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [StoreUnavailable] * 20
    assert sum(tries) == 20


async def _fill_up(store: Store) -> None:
    for version in count(1):
        assert await store.swap_access(step(read_version=version)) is Fate.WON


async def test_a_full_disk(store: Store, path: Path) -> None:
    """Steps are taken until the file cannot grow; the one that does not fit leaves nothing."""
    enrol(path)
    await on_writer(store, "PRAGMA max_page_count = 1")  # as many as there are
    with pytest.raises(StoreUnavailable, match="full"):
        await _fill_up(store)
    lines = everything(path)["audit_lines"]
    version = len(lines)
    assert version > 1
    assert row_of(path, USER_CODE)["version"] == version
    assert [line[2] for line in lines] == list(range(1, version + 1))
    await on_writer(store, "PRAGMA max_page_count = 100000")
    assert await store.swap_access(step(read_version=version)) is Fate.WON


async def test_a_read_only_database(store: Store, path: Path) -> None:
    """Nothing is written; what is there can still be read."""
    enrol(path)
    await on_writer(store, "PRAGMA query_only = ON")
    before = everything(path)
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.swap_access(accepted())
    assert everything(path) == before
    assert (await store.read_access(USER_CODE)).version == 1


def _damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))


async def test_a_damaged_database(path: Path) -> None:
    """Pages that are no pages: our error, not the driver's."""
    enrol(path)
    _damage(path)
    store = Store(path)
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
    store = Store(tmp_path / "gone" / "sesame.db")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await store.read_access(USER_CODE)
    await store.close()


async def test_a_card_that_moved_aside_undoes_only_itself(store: Store, path: Path) -> None:
    """Of a group of three, the step whose card moved is lost; the others are taken."""
    others = ("ADA22222", "BEA22222")
    for user_code in (USER_CODE, *others):
        enrol(path, user_code)
    with closing(connect(path)) as other:
        other.execute("UPDATE cards SET last_atc = 40 WHERE user_code = ?", (USER_CODE,))
    user_codes = (USER_CODE, *others)
    fates = await asyncio.gather(*(store.swap_access(accepted(code)) for code in user_codes))
    assert fates == [Fate.LOST, Fate.WON, Fate.WON]
    assert row_of(path, USER_CODE)["version"] == 1
    assert last_atcs(path, USER_CODE) == [40, 40]
    for code in others:
        assert row_of(path, code)["version"] == 2
        assert last_atcs(path, code) == [11, 11]
