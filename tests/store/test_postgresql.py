"""`sesame.store.postgresql`: round trips, plans, pages, and one row that somebody holds."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from sesame.store import postgresql, postgresql_login
from sesame.store.access import AccessQuestion
from sesame.store.buckets import bucket_of
from sesame.store.engine import Store, open_store
from sesame.store.errors import RowHeld, StatementFailed, StoreError, StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.postgresql_login import (
    READ_GROUP,
    SWAP_ALONE,
    SWAP_ALONE_TELLING,
    SWAP_FIRST,
    SWAP_GROUP,
    SWAP_GROUP_TELLING,
)
from sesame.store.steps import Fate, Step
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import STRANGER, USER_CODE, accepted, enrol, line, step

pytestmark = pytest.mark.needs("postgresql")

_OTHERS = ("ADA22222", "BEA22222")
_HURRIED = StoreOptions(lock_timeout=0.3)


@pytest.fixture
async def store(server: Place) -> AsyncIterator[Store]:
    """A store that does not wait long."""
    for user_code in (USER_CODE, *_OTHERS):
        enrol(server, user_code)
    store = server.open_store(_HURRIED)
    yield store
    await store.close()


@asynccontextmanager
async def _connected(place: Place) -> AsyncIterator[asyncpg.Connection]:
    """Another program's connection."""
    connection = await asyncpg.connect("postgresql://" + place.url.partition("://")[2])
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _held(place: Place, statement: str) -> AsyncIterator[None]:
    """Another program has run *statement* and commits nothing."""
    async with _connected(place) as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(statement)
        yield
        await transaction.rollback()


# ── One row that somebody holds ──────────────────────────────────────────────────────────────────


_HOLDS = {
    "the row": "SELECT 1 FROM access WHERE user_code = 'VERA2222' FOR UPDATE",
    "a card": "SELECT 1 FROM cards WHERE user_code = 'VERA2222' FOR UPDATE",
}


@pytest.mark.parametrize("statement", _HOLDS.values(), ids=_HOLDS)
async def test_a_row_that_somebody_holds_delays_its_own_customer(
    store: Store, server: Place, statement: str
) -> None:
    """The others of its group are answered while it waits; it is taken once the row is free."""
    async with _held(server, statement):
        waiting = asyncio.create_task(store.swap_access(accepted()))
        others = [store.swap_access(accepted(user_code)) for user_code in _OTHERS]
        assert await asyncio.gather(*others) == [Fate.WON, Fate.WON]
        for _ in range(3):  # and so are those that come later
            version = server.row_of(_OTHERS[0])["version"]
            assert await store.swap_access(step(_OTHERS[0], version)) is Fate.WON
        assert not waiting.done()
    assert await waiting is Fate.WON
    assert server.row_of(USER_CODE)["version"] == 2


@pytest.mark.parametrize("statement", _HOLDS.values(), ids=_HOLDS)
async def test_a_row_that_somebody_holds_for_too_long(
    store: Store, server: Place, statement: str
) -> None:
    """The wait has an end, nothing was written, and the next attempt finds all well."""
    before = server.everything()
    async with _held(server, statement):
        with pytest.raises(StoreUnavailable, match="another program holds"):
            await store.swap_access(accepted())
    assert server.everything() == before
    assert await store.swap_access(accepted()) is Fate.WON


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The user codes whose steps were sent alone: it fills."""
    asked: list[str] = []
    swap_alone = postgresql_login.swap_alone

    async def counted(connection: asyncpg.Connection, step: Step) -> Fate:
        asked.append(step.user_code)
        return await swap_alone(connection, step)

    monkeypatch.setattr(postgresql_login, "swap_alone", counted)
    return asked


async def test_many_rows_that_somebody_holds_for_too_long(
    server: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a turn to wait does so as long as for a row: the last is answered soon."""
    user_codes = [f"HELD{n:04d}" for n in range(30)]
    for user_code in user_codes:
        enrol(server, user_code)
    store = server.open_store(StoreOptions(lock_timeout=0.3))
    asked = _counted(monkeypatch)
    before = server.everything()
    async with _held(server, "SELECT 1 FROM access WHERE user_code LIKE 'HELD%' FOR UPDATE"):
        steps = [store.swap_access(step(user_code)) for user_code in user_codes]
        fates = await asyncio.gather(*steps, return_exceptions=True)
    assert {type(fate) for fate in fates} == {RowHeld}
    assert len(asked) <= 4  # two at a time: one turn, and who got theirs in time
    assert server.everything() == before
    assert await store.swap_access(step(user_codes[-1])) is Fate.WON
    await store.close()


# As in the middle of an enrolment: their row is being made and not committed.
_MADE = (
    "INSERT INTO access (bucket, user_code, version, head, open_failures, session_epoch, "  # noqa: S608 -- of the tests
    f"stepped_at) VALUES ({bucket_of(STRANGER)}, '{STRANGER}', 1, '', 0, 0, 0)"
)


async def test_a_stranger_whom_somebody_enrols_delays_no_customer(
    server: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than a moment: not those of the same group, nor those who come later."""
    for user_code in (USER_CODE, *_OTHERS):
        enrol(server, user_code)
    store = server.open_store(StoreOptions(lock_timeout=60.0, statement_timeout=60.0))
    alone = _counted(monkeypatch)
    async with _held(server, _MADE), asyncio.timeout(120.0):
        stranger = asyncio.create_task(store.swap_access(step(STRANGER, 0)))
        beside = [store.swap_access(accepted(user_code)) for user_code in _OTHERS]
        assert await asyncio.gather(*beside) == [Fate.WON, Fate.WON]
        for version in range(1, 6):
            assert await store.swap_access(step(USER_CODE, version)) is Fate.WON
        assert not stranger.done()
        assert alone == [STRANGER]
    assert await stranger is Fate.WON
    assert alone == [STRANGER]
    await store.close()


async def test_a_stranger_whom_somebody_enrols_for_too_long(store: Store, server: Place) -> None:
    """Other strangers are taken; the one is told that nothing was written."""
    async with _held(server, _MADE):
        stranger = asyncio.create_task(store.swap_access(step(STRANGER, 0)))
        others = [store.swap_access(step(f"NOBO{n:04d}", 0, enrolled=False)) for n in range(5)]
        assert set(await asyncio.gather(*others)) == {Fate.WON}
        with pytest.raises(StoreUnavailable, match="another program holds"):
            await stranger
    assert server.row_of(STRANGER) == {}
    assert await store.swap_access(step(STRANGER, 0)) is Fate.WON


async def test_a_first_step_that_waits_for_a_count(
    server: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody does, a customer too, for as long as for a row: only new rows are given up soon."""
    store, alone = server.open_store(StoreOptions(lock_timeout=4.0)), _counted(monkeypatch)
    counts = (
        f"INSERT INTO stranger_failures SELECT {bucket_of(STRANGER)}, 8, writer, 1 "  # noqa: S608 -- numbers
        f"FROM generate_series(0, {postgresql_login._WRITERS - 1}) AS writer"  # noqa: SLF001 -- whichever it is
    )
    async with _held(server, counts):
        asked = asyncio.create_task(store.swap_access(step(STRANGER, 0, failed_hour=8)))
        await asyncio.wait([asked], timeout=0.3)
        assert not asked.done()
    assert await asked is Fate.WON
    assert alone == []
    await store.close()


@pytest.mark.parametrize("held", [SWAP_GROUP, SWAP_FIRST], ids=["customers", "strangers"])
async def test_customers_and_strangers_of_a_group_are_answered_together(
    server: Place, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """Two statements on two connections: whichever is back first waits for the other."""
    user_codes = [f"CUST{n:04d}" for n in range(25)]
    for user_code in user_codes:
        enrol(server, user_code)
    store = server.open_store()
    fetch, let_go, back = asyncpg.Connection.fetch, asyncio.Event(), asyncio.Event()
    sent: list[str] = []

    async def slow(connection: asyncpg.Connection, query: str, *values: object) -> object:
        sent.append(query)
        rows = await fetch(connection, query, *values)
        if query == held:
            await let_go.wait()
        else:
            back.set()
        return rows

    monkeypatch.setattr(asyncpg.Connection, "fetch", slow)
    refused = [step(code, failed_hour=7) for code in user_codes]
    first = [step(f"NEMO{n:04d}", 0, enrolled=False, failed_hour=7) for n in range(25)]
    asked = [asyncio.create_task(store.swap_access(one)) for one in refused + first]
    await back.wait()
    await asyncio.wait(asked, timeout=0.1)
    assert not any(one.done() for one in asked)
    order: list[str] = []
    for one in asked:
        one.add_done_callback(lambda _: order.append("answered"))
    let_go.set()
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    assert len(order) == len(asked)
    assert {await one for one in asked} == {Fate.WON}
    assert sorted(sent) == sorted([SWAP_GROUP, SWAP_FIRST])
    await store.close()


async def test_a_statement_that_one_first_step_fails(store: Store, server: Place) -> None:
    """Its trouble stays its own: neither the strangers beside it nor the customers hear of it."""
    wrong = replace(step(STRANGER, 0), line=replace(line(1), at=2**63))
    steps = [step(), wrong, step("NEMO2222", 0, enrolled=False), step(_OTHERS[0])]
    fates = await asyncio.gather(*map(store.swap_access, steps), return_exceptions=True)
    assert isinstance(fates.pop(1), StatementFailed)
    assert fates == [Fate.WON] * 3
    assert server.row_of(STRANGER) == {}


@pytest.mark.parametrize("largest", [1, 64])
@pytest.mark.parametrize("pool_size", [8, 10, 12, 13])
async def test_no_login_queues_for_a_connection(
    server: Place, monkeypatch: pytest.MonkeyPatch, pool_size: int, largest: int
) -> None:
    """Reads, steps of both kinds and those that wait alone have one each, whatever the groups."""
    held = [f"HELD{n:04d}" for n in range(12)]
    for user_code in held:
        enrol(server, user_code)
    options = StoreOptions(
        pool_size=pool_size, largest_group=largest, lock_timeout=60.0, statement_timeout=60.0
    )
    store, used, most = server.open_store(options), 0, 0
    connection = postgresql.PostgresqlDatabase._connection  # noqa: SLF001 -- where one would queue

    @asynccontextmanager
    async def counted(database: postgresql.PostgresqlDatabase) -> AsyncIterator[asyncpg.Connection]:
        nonlocal used, most
        used += 1
        most = max(most, used)
        try:
            async with connection(database) as one:
                yield one
        finally:
            used -= 1

    monkeypatch.setattr(postgresql.PostgresqlDatabase, "_connection", counted)
    nobodies = [f"NEMO{n:04d}" for n in range(100)]
    begun = [step(code, 0, enrolled=False) for code in nobodies]
    await asyncio.gather(*map(store.swap_access, begun))
    mixed = [
        step(code, version, enrolled=False)
        for later in nobodies
        for code, version in ((later, 1), (later.replace("NEMO", "NOVA"), 0))
    ]
    async with _held(server, "SELECT 1 FROM access WHERE user_code LIKE 'HELD%' FOR UPDATE"):
        waiting = [asyncio.create_task(store.swap_access(step(code))) for code in held]
        await _until_waiting(server)
        reads = [store.read_access(code) for code in nobodies]
        await asyncio.gather(*map(store.swap_access, mixed), *reads)
    assert {await one for one in waiting} == {Fate.WON}
    await store.close()
    assert most == postgresql._share(options)  # noqa: SLF001 -- as many as there are


async def _until_waiting(server: Place) -> None:
    """Somebody waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while server.execute(query) == [(0,)]:  # noqa: ASYNC110 -- nobody else tells us
        await asyncio.sleep(0.01)


async def test_many_held_rows_leave_a_connection_for_the_others(
    store: Store, server: Place
) -> None:
    """Those who wait queue up behind each other, not in front of everybody else."""
    user_codes = [f"HELD{n:04d}" for n in range(12)]
    for user_code in user_codes:
        enrol(server, user_code)
    async with _held(server, "SELECT 1 FROM access WHERE user_code LIKE 'HELD%' FOR UPDATE"):
        waiting = [asyncio.create_task(store.swap_access(step(code))) for code in user_codes]
        for version in range(1, 6):
            assert (await store.read_access(USER_CODE)).version == version
            assert await store.swap_access(step(read_version=version)) is Fate.WON
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    for user_code, answer in zip(user_codes, answers, strict=True):
        arrived = server.row_of(user_code)["version"] == 2
        assert (answer is Fate.WON) is arrived
        assert arrived or isinstance(answer, StoreUnavailable)


# ── Round trips and plans ────────────────────────────────────────────────────────────────────────


async def test_a_group_is_two_round_trips(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One read and one statement, without a BEGIN or COMMIT of ours, however many there are."""
    sent: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def listened(connection: asyncpg.Connection, query: str, *values: object) -> object:
        sent.append(query)
        return await fetch(connection, query, *values)

    async def never(*_: object) -> None:
        pytest.fail("a round trip more")

    monkeypatch.setattr(asyncpg.Connection, "fetch", listened)
    for other in ("execute", "fetchrow", "fetchval", "executemany"):
        monkeypatch.setattr(asyncpg.Connection, other, never)
    user_codes = [f"NOBO{n:04d}" for n in range(40)]
    await asyncio.gather(*map(store.read_access, user_codes))
    first = [step(code, 0, enrolled=False) for code in user_codes]
    assert set(await asyncio.gather(*map(store.swap_access, first))) == {Fate.WON}
    assert sent == [READ_GROUP, SWAP_FIRST]
    later = [step(code, 1, enrolled=False) for code in user_codes]
    assert set(await asyncio.gather(*map(store.swap_access, later))) == {Fate.WON}
    assert sent == [READ_GROUP, SWAP_FIRST, SWAP_GROUP]


_STATEMENTS = {
    "read": READ_GROUP,
    "group": SWAP_GROUP,
    "first": SWAP_FIRST,
    "alone": SWAP_ALONE,
    "group, telling": SWAP_GROUP_TELLING,
    "alone, telling": SWAP_ALONE_TELLING,
}


@pytest.fixture(params=["new", "looked at while empty", "looked at with one customer"])
def planned(server: Place, request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """The plan of each statement of a login, made while the tables are small, as JSON.

    PostgreSQL knows nothing of them yet, or has just been told how small they are. Of one
    customer it knows that everybody's key is the same.
    """
    if request.param == "looked at with one customer":
        enrol(server)
        assert server.swap_group([accepted()]) == [Fate.WON]
    if request.param != "new":
        for table in ("access", "cards", "devices"):
            server.execute(f"ANALYZE {table}")
    steps, asked = [step()], [AccessQuestion(USER_CODE)]
    plain = postgresql_login._columns(steps[0])  # noqa: SLF001 -- what is sent
    values = {
        "read": postgresql_login._question(asked[0]),  # noqa: SLF001 -- likewise
        **dict.fromkeys(("group", "first", "alone"), plain),
        **dict.fromkeys(("group, telling", "alone, telling"), (*plain, bytes(16))),
    }

    async def explain() -> dict[str, dict[str, Any]]:
        dsn = "postgresql://" + server.url.partition("://")[2]
        settings = postgresql._BY_KEY  # noqa: SLF001 -- what a login's connections are told
        connection = await asyncpg.connect(dsn, server_settings=settings)
        plans = {}
        for name, statement in _STATEMENTS.items():
            arrays = [[value] for value in values[name]]
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arrays)
            plans[name] = json.loads(plan)[0]["Plan"]
        await connection.close()
        return plans

    return server.run(explain())


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


@pytest.mark.parametrize("name", _STATEMENTS)
def test_a_login_finds_rows_by_their_keys(planned: dict[str, dict[str, Any]], name: str) -> None:
    """Every table is reached by its primary key, bucket and user code both given: no scan.

    Which life of the database this is, is one row of a table that has no other.
    """
    scans = [node for node in _nodes(planned[name]) if "Scan" in node["Node Type"]]
    kinds = {"Bitmap Heap Scan", "Bitmap Index Scan", "CTE Scan", "Function Scan", "Subquery Scan"}
    assert {node["Node Type"] for node in scans} == kinds - (
        {"CTE Scan", "Subquery Scan"} if name == "read" else set()
    )
    keyed = [node for node in scans if node["Node Type"] == "Bitmap Index Scan"]
    for node in keyed:
        columns = ["id"] if node["Index Name"] == "incarnation_pkey" else ["bucket", "user_code"]
        for column in columns:
            assert re.search(rf"\b{column}\)?(::text)? = ", node["Index Cond"]), node
    reached = [node for node in scans if node["Node Type"] == "Bitmap Heap Scan"]
    tables = {"access", "cards", "devices", "incarnation"}
    assert {node["Relation Name"] for node in reached} == tables
    assert {node["Index Name"] for node in keyed} == {f"{table}_pkey" for table in tables}
    assert len(keyed) == len(reached)


def test_rows_are_locked_in_key_order(planned: dict[str, dict[str, Any]]) -> None:
    """The steps are sorted below the loop that locks, and no join turns them round."""
    held = next(node for node in _nodes(planned["group"]) if node.get("Subplan Name") == "CTE held")
    assert held["Node Type"] == "Nested Loop"
    kinds = [node["Node Type"] for node in _nodes(held)]
    assert kinds.count("LockRows") == 2
    assert kinds.index("Sort") < kinds.index("LockRows")


def test_no_statement_of_a_login_joins_by_less_than_the_key() -> None:
    """For a database that is spread by bucket: wherever one key column is compared, both are."""
    for name, statement in _STATEMENTS.items():
        for table in ("access", "cards", "devices"):
            by_bucket = len(re.findall(rf"\b{table}\.bucket = ", statement))
            by_user_code = len(re.findall(rf"\b{table}\.user_code = ", statement))
            assert by_bucket == by_user_code, (name, table)
        assert statement.count("bucket") >= statement.count("user_code") > 0
        written = re.findall(r"INSERT INTO (\w+) \((\w+), (\w+)", statement)
        for table, *key in written:
            # Counts are a bucket's, and nobody's.
            assert key == ["bucket", "hour" if table == "stranger_failures" else "user_code"]
        assert len(written) == (0 if name == "read" else 9 if "telling" in name else 8)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["group", "first", "alone"])
def test_rows_are_locked_in_one_order_whatever_the_database_sorts_by(
    planned: dict[str, dict[str, Any]], name: str
) -> None:
    """By bytes: as the groups, and an enrolment, sort them themselves."""
    sorts = [node["Sort Key"] for node in _nodes(planned[name]) if node["Node Type"] == "Sort"]
    by_user_code = [key[-1] for key in sorts if "user_code" in key[-1]]
    assert len(by_user_code) == 2  # rows that are held, and rows that begin
    assert all(key.endswith('COLLATE "C"') for key in by_user_code)


async def test_a_row_that_each_login_writes_anew_stays_on_its_page(
    store: Store, server: Place
) -> None:
    """No index is touched: updates of access and cards are HOT, but for a page that is full."""
    before = {table: _updated(server, table) for table in ("access", "cards")}
    for user_code in (USER_CODE, *_OTHERS):
        for version in range(1, 40):
            atcs = tuple((number, 10 + version) for number in (1, 2))
            assert await store.swap_access(accepted(user_code, version, atcs=atcs)) is Fate.WON
    await store.close()  # a connection tells what it did when it ends
    for table, counted in before.items():
        updated, hot = (
            now - then for now, then in zip(_updated(server, table), counted, strict=True)
        )
        assert updated >= 3 * 39
        assert hot > updated * 0.9


def _updated(server: Place, table: str) -> tuple[int, int]:
    """How many rows of *table* were updated up to now, and how many of them HOT."""
    query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = ?"
    ((updated, hot),) = server.execute(query, table)
    return int(updated), int(hot)


@pytest.mark.parametrize("table", ["access", "cards", "sessions", "stranger_failures"])
def test_pages_keep_room_for_the_next_version(server: Place, table: str) -> None:
    """Fill factor and autovacuum are set for rows that are rewritten."""
    ((options,),) = server.execute("SELECT reloptions FROM pg_class WHERE relname = ?", table)
    named = dict(option.split("=") for option in options)
    assert 50 <= int(named["fillfactor"]) <= 80
    assert float(named["autovacuum_vacuum_scale_factor"]) < 0.1


# ── What is said ─────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_statement_shows_no_value_of_the_row(store: Store) -> None:
    """The driver's own error would; it is no state of the database either."""
    secret = b"PARAMETER"

    def twice(connection: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's
        for _ in range(2):
            connection.exec_driver_sql(
                "INSERT INTO pan_index VALUES ($1, '00', 1, 'X', 1)", (secret,)
            )

    with pytest.raises(StatementFailed, match="pan_index_pkey") as wrong:
        await store.write(twice)
    assert not isinstance(wrong.value, StoreError)
    for shown in ("PARAMETER", secret.hex(), "DETAIL"):
        assert shown not in f"{wrong.value} {wrong.value.__cause__}"


_SECRET = "s3cr3t-w0rd"


async def test_no_error_shows_a_password(cluster: Cluster) -> None:
    """Whatever is wrong with the server or the role; nor the server and the role."""
    folder = str(cluster.folder)
    for server, why in {
        "127.0.0.1:1/bank": "Connect call failed …",
        "localhost:1/bank": "Connect call failed …",
        f"/bank?host={folder}": "role … does not exist",
        "/bank?host=/nowhere": "No such file",
        "127.0.0.1:1,[::1]:1/bank?target_session_attrs=primary": "Connect call failed …",
    }.items():
        url = f"postgresql+asyncpg://ada:{_SECRET}@{server}"
        store = open_store(url, StoreOptions(connect_timeout=2))
        for asked in (lambda: store.read_access(USER_CODE), lambda: store.read(lambda _: None)):  # noqa: B023 -- called at once
            with pytest.raises(StoreUnavailable, match=why) as unavailable:
                await asked()
            said = f"{unavailable.value!r} {unavailable.value.__cause__!r}"
            for shown in (_SECRET, "ada", "127.0.0.1", "localhost", "::1", folder, "/nowhere"):
                assert shown not in said
            assert "bank" in str(unavailable.value)
        await store.close()
        assert _SECRET not in repr(store)


def test_without_its_driver_the_store_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And SQLite does without."""

    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name="asyncpg")

    monkeypatch.setattr("sesame.store.engine.import_module", missing)
    with pytest.raises(StoreError, match=r"asyncpg.*pip install 'sesame\[postgresql\]'"):
        open_store("postgresql+asyncpg://db/bank")
