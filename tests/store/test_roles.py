"""`sesame.store.roles`: a server's role does what a server does, and alters no audit line."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import asyncpg
import pytest

from sesame.store import postgresql
from sesame.store.access import names_attempt
from sesame.store.audit import attempt_of, cap_stranger_lines, delete_stranger_lines, has_line
from sesame.store.buckets import bucket_of
from sesame.store.customers import insert_customers
from sesame.store.devices import delete_expired_devices
from sesame.store.engine import Store, open_store
from sesame.store.errors import SchemaMismatch, StatementFailed, StoreUnavailable
from sesame.store.metadata import METADATA
from sesame.store.roles import GRANTS, WEB_ROLE
from sesame.store.schema import make_ready, migrate
from sesame.store.sessions import delete_session
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import STRANGER, USER_CODE, accepted, customer, enrol, step

pytestmark = pytest.mark.needs("postgresql")

_OWNER = "sesame_owner"


@pytest.fixture(scope="module")
def owned(cluster: Cluster) -> Iterator[str]:
    """The name of a database whose tables belong to a role of their own."""
    for role in (_OWNER, WEB_ROLE):
        cluster.psql(f"CREATE ROLE {role} LOGIN")
    name = cluster.new_database()
    cluster.psql(f"ALTER DATABASE {name} OWNER TO {_OWNER}")
    cluster.psql("GRANT CREATE ON SCHEMA public TO sesame_owner", database=name)
    migrate(cluster.url(name, user=_OWNER))
    yield name
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in (_OWNER, WEB_ROLE):
        cluster.psql(f"DROP ROLE {role}")


@pytest.fixture
def owner(cluster: Cluster, owned: str) -> Iterator[Place]:
    """That database, as its owner sees it, with one customer."""
    place = Place(cluster.url(owned, user=_OWNER))
    for table in METADATA.sorted_tables:
        place.execute(f"DELETE FROM {table.name}")  # noqa: S608 -- the schema's own names
    enrol(place)
    yield place
    place.close()


@pytest.fixture
async def web(cluster: Cluster, owned: str, owner: Place) -> AsyncIterator[Store]:  # noqa: ARG001 -- filled
    """A server's store on it."""
    store = open_store(cluster.url(owned, user=WEB_ROLE))
    yield store
    await store.close()


async def test_a_server_may_do_what_a_server_does(web: Store, owner: Place) -> None:
    """Steps with all they carry, of customers and of others, and to forget by age."""
    assert (await web.read_access(USER_CODE)).version == 1
    whole = accepted(forgets_devices=True, failed_hour=7)
    assert await web.swap_access(whole) is Fate.WON
    key, attempt = (whole.bucket, whole.user_code), whole.line.attempt
    for look in (
        lambda c: has_line(c, *key, whole.line, enrolled=True),
        lambda c: attempt_of(c, *key, whole.line.version) == attempt,
        lambda c: names_attempt(c, *key, attempt),
    ):
        assert await web.lasts(*key, look)
    assert await web.swap_access(step(STRANGER, 0, failed_hour=7)) is Fate.WON
    assert await web.swap_access(step(STRANGER, 1, failed_hour=7)) is Fate.WON
    await web.write(lambda connection: cap_stranger_lines(connection, most=0))
    await web.write(lambda connection: delete_stranger_lines(connection, before=10**9))
    await web.write(lambda connection: delete_expired_devices(connection, now=10**9))
    written = owner.everything()
    assert [len(written[name]) for name in ("audit_lines", "stranger_lines", "devices")] == [
        2,
        0,
        0,
    ]


async def test_a_server_that_may_write_no_record(
    cluster: Cluster, owned: str, web: Store, owner: Place
) -> None:
    """It changes nothing, says why, and goes on once it may; no transaction stays behind."""
    opened = accepted()
    assert opened.session is not None
    assert await web.swap_access(opened) is Fate.WON
    token_hash = opened.session.token_hash

    async def end() -> None:
        await web.write(lambda connection: delete_session(connection, opened.bucket, token_hash))

    record = "EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text)"
    cluster.psql(f"REVOKE {record} FROM PUBLIC", database=owned)
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="permission denied for function"):
                await end()
    finally:
        cluster.psql(f"GRANT {record} TO PUBLIC", database=owned)
    assert len(owner.everything()["sessions"]) == 1
    await end()
    assert not owner.everything()["sessions"]


@pytest.mark.parametrize("table", ["audit_lines", "audit_personal"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET at = 0",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "INSERT INTO {0} TABLE {0} ON CONFLICT (bucket, user_code, version) DO UPDATE SET at = 0",
        "BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
    ],
)
async def test_a_server_alters_no_audit_line(
    cluster: Cluster, owned: str, owner: Place, table: str, statement: str
) -> None:
    """Whatever it tries: not even by way of an insert."""
    before = owner.everything()
    dsn = "postgresql://" + cluster.url(owned, user=WEB_ROLE).partition("://")[2]
    connection = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement.format(table))
    await connection.close()
    assert owner.everything() == before


_BEGUN = (
    "INSERT INTO access (bucket, user_code, version, head, open_failures, session_epoch, "  # noqa: S608 -- of the tests
    f"stepped_at) VALUES ({bucket_of('ADA22222')}, 'ADA22222', {{}}, '', 0, 0, 0)"
)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE cards SET last_atc = 0", asyncpg.RestrictViolationError),
        ("UPDATE access SET version = 0", asyncpg.RestrictViolationError),
        ("UPDATE access SET version = 9223372036854775807", asyncpg.RestrictViolationError),
        ("UPDATE access SET version = version + 2", asyncpg.RestrictViolationError),
        (_BEGUN.format(2), asyncpg.RestrictViolationError),
        ("DELETE FROM access", asyncpg.RestrictViolationError),
        ("UPDATE access SET enrolled_at = NULL", asyncpg.InsufficientPrivilegeError),
        ("INSERT INTO access (enrolled_at) VALUES (1)", asyncpg.InsufficientPrivilegeError),
        ("UPDATE access SET user_code = 'ADA22222'", asyncpg.InsufficientPrivilegeError),
        ("UPDATE sessions SET user_code = 'ADA22222'", asyncpg.InsufficientPrivilegeError),
        ("SELECT address FROM audit_personal", asyncpg.InsufficientPrivilegeError),
        ("SELECT line FROM audit_lines", asyncpg.InsufficientPrivilegeError),
    ],
)
async def test_a_server_turns_nothing_back(
    cluster: Cluster, owned: str, owner: Place, statement: str, refusal: type[Exception]
) -> None:
    """Neither a counter nor a customer; nor does it read what it wrote about them."""
    before = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", ""))
    with pytest.raises(refusal):
        await connection.execute(statement)
    await connection.close()
    assert owner.everything() == before


@pytest.fixture
def clerk(cluster: Cluster, owned: str) -> Iterator[str]:
    """A role that may do what a server's may."""
    cluster.psql(f"CREATE ROLE clerk LOGIN IN ROLE {WEB_ROLE}")
    cluster.psql(f"GRANT TEMPORARY ON DATABASE {owned} TO clerk")
    yield "clerk"
    cluster.psql("DROP OWNED BY clerk", database=owned)
    cluster.psql("DROP ROLE clerk")


_OWN_CATALOGUE = (
    "CREATE TEMPORARY TABLE pg_class AS "
    "SELECT oid, current_user::regrole::oid AS relowner FROM pg_catalog.pg_class"
)


@pytest.mark.parametrize(
    "before_it",
    ["SELECT 1", _OWN_CATALOGUE],
    ids=["plainly", "with a catalogue of their own"],
)
async def test_who_may_what_a_server_may_takes_no_customer_away(
    cluster: Cluster, owned: str, owner: Place, clerk: str, before_it: str
) -> None:
    """Whatever the role is called; but the owner's own and an administrator may."""
    before = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=clerk).replace("+asyncpg", ""))
    await connection.execute(before_it)
    with pytest.raises(asyncpg.RestrictViolationError, match="a customer stays"):
        await connection.execute("DELETE FROM access")
    await connection.close()
    assert owner.everything() == before
    cluster.psql(f"GRANT {_OWNER} TO {clerk}")
    connection = await asyncpg.connect(cluster.url(owned, user=clerk).replace("+asyncpg", ""))
    assert await connection.execute("DELETE FROM access") == "DELETE 1"
    await connection.close()
    enrol(owner, "ADA22222")
    cluster.psql("DELETE FROM access", database=owned)
    assert owner.everything()["access"] == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cards SET last_atc = last_atc - 1",
        "UPDATE access SET version = version - 1",
        "UPDATE access SET version = version + 2",
    ],
)
def test_nobody_turns_a_counter_back(owner: Place, statement: str) -> None:
    """Not the owner of the tables either, by whatever statement: the invariant is the table's.

    Nor does anybody take a version so far that no step could go on from it.
    """
    before = owner.everything()
    with pytest.raises(StatementFailed, match="RestrictViolation"):
        owner.execute(statement)
    assert owner.everything() == before


def test_a_version_goes_on_by_one(cluster: Cluster, owned: str, owner: Place) -> None:
    """Of a server's row as of a row that enrolment takes over; the owner may bring rows along."""
    for statement in (
        _BEGUN.format(1),
        "UPDATE access SET version = version + 1 WHERE user_code = 'ADA22222'",
        "UPDATE access SET version = version WHERE user_code = 'ADA22222'",
    ):
        cluster.psql(statement, database=owned, user=WEB_ROLE)
    row = customer("ADA22222", version=3)
    assert owner.write(lambda connection: insert_customers(connection, [row])) == {}
    assert owner.row_of("ADA22222")["version"] == 3
    owner.execute("DELETE FROM access WHERE user_code = 'ADA22222'")
    owner.execute(_BEGUN.format(7))


async def test_a_server_that_serves_as_the_owner(
    cluster: Cluster, owned: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told which role would do."""
    for role, warned in ((WEB_ROLE, False), (_OWNER, True)):
        caplog.clear()
        await asyncio.to_thread(make_ready, cluster.url(owned, user=role))
        assert ("may alter audit lines" in caplog.text) is warned


async def test_a_server_enrols_nobody_and_makes_no_table(web: Store) -> None:
    """Nor does it see the index of card numbers."""
    for change in (
        lambda c: insert_customers(c, [customer("ADA22222")]),
        lambda c: c.exec_driver_sql("SELECT * FROM pan_index"),
        lambda c: c.exec_driver_sql("UPDATE cards SET state = 'active'"),
        lambda c: c.exec_driver_sql("CREATE TABLE mine (a int)"),
        lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = ''"),
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await web.write(change)


def test_a_server_looks_at_the_schema_and_migrates_nothing(cluster: Cluster, owned: str) -> None:
    """Its role finds its tables, or says who is to make them."""
    web, owner = (cluster.url(owned, user=role) for role in (WEB_ROLE, _OWNER))
    make_ready(web)
    migrate(owner, to="0002")
    with pytest.raises(SchemaMismatch, match="sesame database migrate"):
        make_ready(web)
    with pytest.raises(StoreUnavailable, match=r"permission denied|must be owner"):
        migrate(web)
    migrate(owner)
    make_ready(web)


def test_every_table_is_thought_of() -> None:
    """All but the index of card numbers, which enrolment alone reads and writes."""
    assert set(GRANTS) == {*METADATA.tables, "alembic_version"} - {"pan_index"}


async def test_a_migration_waits_for_no_lock_for_long(
    cluster: Cluster, owned: str, owner: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that a server holds stops it, and nothing has changed; later it goes on."""
    hurried = replace(postgresql._MIGRATION, lock_timeout=0.2)  # noqa: SLF001 -- its seconds
    monkeypatch.setattr(postgresql, "_MIGRATION", hurried)
    url = cluster.url(owned, user=_OWNER)
    connection = await asyncpg.connect("postgresql://" + url.partition("://")[2])
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT 1 FROM access")
    with pytest.raises(StoreUnavailable, match="lock timeout"):
        await asyncio.to_thread(migrate, url, to="0002")
    await transaction.rollback()
    await connection.close()
    await asyncio.to_thread(make_ready, url)
    assert len(owner.everything()["customers"]) == 1


async def test_a_server_keeps_no_migration_from_running(cluster: Cluster, owned: str) -> None:
    """Whatever locks its role can have, for as long as it likes."""
    connection = await asyncpg.connect(cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", ""))
    await connection.execute(f"SELECT pg_advisory_lock({0x5E5A3E})")
    async with connection.transaction():
        await connection.execute("SELECT * FROM alembic_version")
        for mode in ("ROW SHARE", "SHARE ROW EXCLUSIVE"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(f"LOCK TABLE alembic_version IN {mode} MODE")
        await asyncio.to_thread(migrate, cluster.url(owned, user=_OWNER))
    await connection.close()
