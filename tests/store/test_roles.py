"""`sesame.store.roles`: a server's role does what a server does, and alters no audit line."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import asyncpg
import pytest
from msgspec.structs import replace as replace_fields
from sqlalchemy import Connection

from sesame.bank.limits import Limits
from sesame.bank.renewal import Renewal
from sesame.bank.retention import is_held
from sesame.bank.staff import BANK_ITSELF
from sesame.store import postgresql
from sesame.store.access import State, names_attempt
from sesame.store.approvals import read_approvals
from sesame.store.audit import attempt_of, cap_stranger_lines, delete_stranger_lines, has_line
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, Lowering
from sesame.store.chains import (
    BEFORE_ALL,
    changed_since,
    find_last_atcs,
    lines_beyond,
    read_heads,
    read_opening,
)
from sesame.store.customers import insert_customers
from sesame.store.devices import delete_expired_devices
from sesame.store.engine import Store, open_store
from sesame.store.errors import SchemaMismatch, StatementFailed, StepLost, StoreUnavailable
from sesame.store.incarnation import begin_beats, read_restored_at
from sesame.store.metadata import METADATA
from sesame.store.opening import OpenedCard, Opening, take_opening
from sesame.store.own_hold import OwnHolding, take_own_holding
from sesame.store.person import erase_person, read_person
from sesame.store.replayed_cards import CardMoves, move_cards
from sesame.store.replaying import LostStep, ReplayedChain, replay_chain
from sesame.store.retention import (
    AnchorRow,
    HoldRow,
    PersonalKey,
    active_holds,
    add_hold,
    cut_chains,
    erase_personal,
    find_anchors,
    lift_hold,
    old_personal,
    read_oldest,
)
from sesame.store.roles import (
    DESK_ROLE,
    EVIDENCE_ROLE,
    GRANTS,
    PERSON_ROLE,
    RETENTION_ROLE,
    ROLES,
    SEAL_ROLE,
    WEB_ROLE,
)
from sesame.store.schema import erase, make_ready, migrate
from sesame.store.sessions import delete_session
from sesame.store.staff import read_rights
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import STRANGER, USER_CODE, accepted, customer, enrol, line, step

pytestmark = pytest.mark.needs("postgresql")

_OWNER = "sesame_owner"
_ROLES = (_OWNER, WEB_ROLE, DESK_ROLE, SEAL_ROLE, EVIDENCE_ROLE, RETENTION_ROLE, PERSON_ROLE)


@pytest.fixture(scope="module")
def owned(cluster: Cluster) -> Iterator[str]:
    """The name of a database whose tables belong to a role of their own."""
    for role in _ROLES:
        cluster.psql(f"CREATE ROLE {role} LOGIN")
    name = cluster.new_database()
    cluster.psql(f"ALTER DATABASE {name} OWNER TO {_OWNER}")
    cluster.psql("GRANT CREATE ON SCHEMA public TO sesame_owner", database=name)
    migrate(cluster.url(name, user=_OWNER))
    yield name
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in _ROLES:
        cluster.psql(f"DROP ROLE {role}")


@pytest.fixture
def owner(cluster: Cluster, owned: str) -> Iterator[Place]:
    """That database, as its owner sees it, with one customer."""
    place = Place(cluster.url(owned, user=_OWNER))
    place.write(erase)
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
    whole = accepted(forgets_devices=True, farewell=bytes(16), failed_hour=7)
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
    tables = ("audit_lines", "stranger_lines", "devices", "notices")
    assert [len(written[name]) for name in tables] == [2, 0, 0, 1]


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
        ("SELECT * FROM begun_counters", asyncpg.InsufficientPrivilegeError),
        ("UPDATE begun_counters SET last_atc = 0", asyncpg.InsufficientPrivilegeError),
        ("UPDATE cards SET generation = -1", asyncpg.RestrictViolationError),
        ("UPDATE incarnation SET generation = -1", asyncpg.RestrictViolationError),
        ("DELETE FROM incarnation", asyncpg.InsufficientPrivilegeError),
        ("DELETE FROM beats", asyncpg.InsufficientPrivilegeError),
        ("UPDATE beats SET beat = 0", asyncpg.RestrictViolationError),
        ("UPDATE beats SET server = ''", asyncpg.InsufficientPrivilegeError),
        ("UPDATE access SET old_code = 'known'", asyncpg.RestrictViolationError),
        ("SELECT sesame_has_old_code(1::smallint, 'x')", asyncpg.InsufficientPrivilegeError),
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
    owner.write(lambda connection: begin_beats(connection, b"of some server..", at=1))
    before = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", ""))
    with pytest.raises(refusal):
        await connection.execute(statement)
    await connection.close()
    assert owner.everything() == before


_BEGUN_WITH_OLD_CODE = _BEGUN.format(1).replace("stepped_at)", "stepped_at, old_code)")[:-1]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM access",
        "UPDATE access SET enrolled_at = NULL",
        "UPDATE access SET enrolled_at = enrolled_at + 1",
        "UPDATE access SET old_code = 'known'",
        f"{_BEGUN_WITH_OLD_CODE}, 'known')",
    ],
)
async def test_the_desk_begins_no_customer_anew(
    cluster: Cluster, owned: str, owner: Place, statement: str
) -> None:
    """By way of a row that is nobody's for a moment, with an old code that is known."""
    before = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=DESK_ROLE).replace("+asyncpg", ""))
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute(statement)
    assert owner.everything() == before
    await connection.execute(_BEGUN.format(1))
    await connection.execute("UPDATE access SET enrolled_at = 9 WHERE user_code = 'ADA22222'")
    await connection.close()
    assert owner.row_of("ADA22222")["enrolled_at"] == 9  # as it enrols staff


_STAFF = "_K7P2M4X"
_OF_STAFF = {
    "access": _BEGUN.format(1).replace("ADA22222", _STAFF),
    "sessions": (
        "INSERT INTO sessions (bucket, token_hash, user_code, session_epoch, means, "
        "erased_old_code, opened_at, seen_at, ends_at) "
        "VALUES (1, '\\x00', '_K7P2M4X', 0, 'code', 0, 1, 1, 9)"
    ),
    "devices": (
        "INSERT INTO devices (bucket, user_code, device_hash, known_since, expires_at) "
        "VALUES (1, '_K7P2M4X', '\\x00', 1, 9)"
    ),
}


@pytest.mark.parametrize("table", _OF_STAFF)
async def test_a_server_of_customers_begins_nothing_of_staff(
    cluster: Cluster, owned: str, owner: Place, table: str
) -> None:
    """Neither a session, which would open the desk, nor what leads to one; of customers it may."""
    before = owner.everything()
    url = cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.RestrictViolationError, match="staff are the desk's"):
        await connection.execute(_OF_STAFF[table])
    assert owner.everything() == before
    await connection.execute(_OF_STAFF[table].replace(_STAFF, "ADA33333"))
    await connection.close()


async def test_a_retired_card_stays_so(cluster: Cluster, owned: str, owner: Place) -> None:
    """Whatever the desk's role says; another state it may give."""
    del owner
    url = cluster.url(owned, user=_OWNER).replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    for state in ("held", "active", "waiting", "retired"):
        await connection.execute("UPDATE cards SET state = $1 WHERE card_number = 1", state)
    with pytest.raises(asyncpg.RestrictViolationError, match="a retired card stays so"):
        await connection.execute("UPDATE cards SET state = 'active' WHERE card_number = 1")
    await connection.close()


_OF_CARD = f"bucket = {bucket_of(USER_CODE)} AND user_code = '{USER_CODE}'"
_ORDER = (
    "INSERT INTO card_orders (bucket, user_code, order_number, kind, reason, replaces, ordered_at, "  # noqa: S608 -- of the tests
    "ordered_by, card_number, activation_hash, activation_until, activated_at, cancelled_at) "
    f"VALUES ({bucket_of(USER_CODE)}, '{USER_CODE}', 1, 'sesame', 'first', 2, 0, '', 1, "
    "{hash}, 9, {activated}, {cancelled})"
)
_HOLD = (
    'INSERT INTO holds (bucket, user_code, card_number, "by", by_code, reason, at, release_hash) '  # noqa: S608 -- of the tests
    f"VALUES ({bucket_of(USER_CODE)}, '{USER_CODE}', 1, '{{by}}', '', '', 0, {{hash}})"
)
_AGAIN = _HOLD.format(by="desk", hash="NULL").replace("'', '', 0", "'_0000000', '', 0")
_HASH = f"'\\x{'00' * 32}'"


def _state(card: int, state: str) -> str:
    return f"UPDATE cards SET state = '{state}' WHERE {_OF_CARD} AND card_number = {card}"  # noqa: S608 -- of the tests


@pytest.mark.parametrize(
    ("before", "statement"),
    [
        ([_state(1, "held")], _state(1, "active")),
        ([_HOLD.format(by="desk", hash="NULL"), _state(1, "held")], _state(1, "active")),
        ([_HOLD.format(by="desk", hash="NULL"), _state(1, "held")], "DELETE FROM holds"),
        ([_state(1, "held")], _HOLD.format(by="owner", hash=_HASH)),
        ([_state(1, "waiting")], _HOLD.format(by="owner", hash=_HASH)),
        ([], _HOLD.format(by="owner", hash="NULL")),
        ([], _HOLD.format(by="desk", hash=_HASH)),
        ([_state(1, "waiting")], _AGAIN),
        ([_state(1, "retired")], _AGAIN),
        ([_AGAIN, _state(1, "held")], "DELETE FROM holds"),
        ([_AGAIN, _state(1, "held")], _state(1, "active")),
        ([], _state(1, "held")),
        ([], _state(1, "retired")),
        ([], _state(1, "waiting")),
        ([_state(1, "waiting")], _state(1, "active")),
        (
            [_ORDER.format(hash=_HASH, activated="NULL", cancelled="NULL"), _state(1, "waiting")],
            _state(1, "active"),
        ),
        (
            [_ORDER.format(hash="NULL", activated="1", cancelled="NULL"), _state(1, "waiting")],
            _state(1, "active"),
        ),
        (
            [_ORDER.format(hash=_HASH, activated="1", cancelled="1"), _state(1, "waiting")],
            _state(1, "active"),
        ),
        (
            [_ORDER.format(hash=_HASH, activated="NULL", cancelled="NULL"), _state(2, "held")],
            _state(2, "retired"),
        ),
        ([_ORDER.format(hash="NULL", activated="1", cancelled="NULL")], _state(2, "retired")),
        ([_ORDER.format(hash=_HASH, activated="1", cancelled="1")], _state(2, "retired")),
    ],
)
async def test_a_server_of_customers_opens_no_card_by_itself(
    cluster: Cluster, owned: str, owner: Place, before: list[str], statement: str
) -> None:
    """Whatever it says: what the desk holds stays held, what waits needs its order's number."""
    for done in before:
        owner.execute(done)
    found = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", ""))
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute(statement)
    await connection.close()
    assert owner.everything() == found


async def test_a_server_of_customers_activates_holds_and_releases(web: Store, owner: Place) -> None:
    """By the steps that do it, and by no more than these need."""
    owner.execute(_ORDER.format(hash=_HASH, activated="NULL", cancelled="NULL"))
    owner.execute(_state(1, "waiting"))
    opened = OpenedCard(
        card_number=1,
        was=CardState.WAITING,
        number_hash=bytes(32),
        order_number=1,
        retires=2,
    )
    opening = Opening(cards=(opened,), event="activation", notice=bytes(16))
    whole = accepted(forgets_devices=True)
    late = replace_fields(whole, line=replace_fields(whole.line, at=9))
    with pytest.raises(StepLost):
        await web.write(partial(take_opening, step=late, opening=opening))
    early = replace_fields(whole, line=replace_fields(whole.line, at=8))
    assert await web.write(partial(take_opening, step=early, opening=opening)) is Fate.WON
    states = "SELECT state FROM cards ORDER BY card_number"
    assert owner.execute(states) == [("active",), ("retired",)]
    holding = OwnHolding(
        cards=(1,), release_hash=bytes(32), goes_on=b"\1" * 32, event="hold", notice=b"2" * 16
    )
    held = step(read_version=2, state=State(stepped_at=2_000, session_epoch=1))
    assert await web.write(partial(take_own_holding, step=held, holding=holding)) is Fate.WON
    assert owner.execute(states) == [("held",), ("retired",)]
    assert owner.execute("SELECT session_epoch FROM sessions") == [(1,)]
    own = OpenedCard(card_number=1, was=CardState.HELD, number_hash=bytes(32))
    again = accepted(read_version=3, atcs=((1, 12),))
    opening = Opening(cards=(own,), event="release", notice=b"3" * 16)
    assert await web.write(partial(take_opening, step=again, opening=opening)) is Fate.WON
    assert owner.execute(states) == [("active",), ("retired",)]
    assert owner.execute("SELECT * FROM holds") == []


_NOTICE = (
    "INSERT INTO notices (id, bucket, user_code, event, at, facts, email_state, tries, "
    "next_try_at{more}) VALUES ('\\x01', 1, 'VERA2222', '{event}', 0, '{{}}', '{state}', {tries}, "
    "0{value})"
)


def _notice(event: str, state: str = "new", tries: int = 0, **more: str) -> str:
    named, values = (", ".join(["", *part]) for part in (more, more.values()))
    return _NOTICE.format(event=event, state=state, tries=tries, more=named, value=values)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (_notice("opposition"), asyncpg.RestrictViolationError),
        (_notice("email-changed"), asyncpg.RestrictViolationError),
        (_notice("address-changed"), asyncpg.RestrictViolationError),
        (_notice("teleported"), asyncpg.RestrictViolationError),
        (_notice("hold", "due"), asyncpg.RestrictViolationError),
        (_notice("hold", "sent"), asyncpg.RestrictViolationError),
        (_notice("hold", tries=1), asyncpg.RestrictViolationError),
        (_notice("hold", sent_at="1"), asyncpg.InsufficientPrivilegeError),
        (_notice("hold", letter="'7QK4-XM2P'"), asyncpg.InsufficientPrivilegeError),
    ],
)
async def test_a_server_has_customers_told_of_their_own_doing_alone(
    cluster: Cluster, owned: str, owner: Place, statement: str, refusal: type[Exception]
) -> None:
    """Not of what the desk does, nor as if they had been told."""
    before = owner.everything()
    url = cluster.url(owned, user=WEB_ROLE).replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    with pytest.raises(refusal):
        await connection.execute(statement)
    assert owner.everything() == before
    for event in ("hold", "release", "activation", "old-code", "devices-forgotten"):
        await connection.execute(_notice(event))
        owner.execute("DELETE FROM notices")
    await connection.close()
    desk = await asyncpg.connect(cluster.url(owned, user=DESK_ROLE).replace("+asyncpg", ""))
    await desk.execute(_notice("opposition"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.execute("UPDATE notices SET facts = ''")
    await desk.close()


@pytest.mark.parametrize(
    ("role", "ends"), [(WEB_ROLE, "held"), (DESK_ROLE, "retired")], ids=["web", "desk"]
)
async def test_a_replay_holds_again_by_whose_settings_it_has(
    cluster: Cluster, owned: str, owner: Place, role: str, ends: str
) -> None:
    """What the desk held, in the bank’s name, and what was retired where the role may."""
    store = open_store(cluster.url(owned, user=role))

    async def move(**what: object) -> tuple[int, int]:
        moves = CardMoves(**what)  # type: ignore[arg-type]  # fields by name
        key = (bucket_of(USER_CODE), USER_CODE)
        return await store.write(partial(move_cards, key=key, moves=moves, by=BANK_ITSELF, at=9))

    def states() -> list[tuple[str]]:
        return owner.execute("SELECT state FROM cards ORDER BY card_number")

    owner.execute("UPDATE cards SET created_at = 0")
    owner.execute(_state(1, "waiting"))
    owner.execute(_ORDER.format(hash=_HASH, activated="NULL", cancelled="NULL"))
    assert await move(opened=((1, 1),)) == (0, 1)
    assert owner.execute("SELECT activated_at FROM card_orders") == [(9,)]
    owner.execute("DELETE FROM card_orders")
    assert await move(held_by_owner=(1, 2)) == (2, 0)
    assert states() == [("held",), ("held",)]
    assert await move(opened=((2, 0),)) == (0, 1)
    assert await move(held=(1, 2), reason="stolen") == (2, 0)
    assert await move(held=(1, 2)) == await move(opened=((1, 0), (2, 0))) == (0, 0)
    assert (
        owner.execute('SELECT "by", by_code, reason FROM holds')
        == [("desk", BANK_ITSELF, "stolen")] * 2
    )
    assert states() == [("held",), ("held",)]
    owner.execute("DELETE FROM holds")
    owner.execute(_state(1, "active"))
    owner.execute(_state(2, "waiting"))
    owner.execute(_ORDER.format(hash=_HASH, activated="NULL", cancelled="NULL"))
    assert await move(retired=(1, 2)) == (2, 0)
    assert states() == [(ends,), ("retired",)]
    reasons = [("was-retired",)] if role == WEB_ROLE else []
    assert owner.execute("SELECT reason FROM holds") == reasons
    await store.close()


async def test_the_desks_role_renews_and_retires(
    cluster: Cluster, owned: str, owner: Place
) -> None:
    """As the day's run does; no server of customers orders a card."""
    owner.execute(_ORDER.format(hash=_HASH, activated="1", cancelled="NULL"))
    owner.execute("UPDATE card_orders SET expires_on = '2026-03-02', replaces = NULL")
    owner.execute("UPDATE cards SET kind = 'sesame'")
    orders = "SELECT replaces, reason FROM card_orders ORDER BY order_number"
    for role, day in ((WEB_ROLE, 1), (DESK_ROLE, 1), (DESK_ROLE, 3)):
        store = open_store(cluster.url(owned, user=role))
        renewal = Renewal(
            store=store,
            now=datetime(2026, 3, day, tzinfo=UTC),
            today=date(2026, 3, day),
            random_bytes=lambda many, day=day: bytes([day]) * many,  # type: ignore[misc]  # of this turn
            limits=Limits(),
        )
        if role == WEB_ROLE:
            with pytest.raises(StoreUnavailable, match="permission denied"):
                await renewal.run()
        else:
            await renewal.run()
        await store.close()
    assert owner.execute(orders) == [(None, "first"), (1, "renewal")]
    assert owner.execute("SELECT state FROM cards WHERE card_number = 1") == [("retired",)]


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

    Once a code was accepted, that is. Nor does anybody take a version so far that no step could go
    on from it.
    """
    owner.execute("UPDATE cards SET last_atc = last_atc + 1")
    before = owner.everything()
    with pytest.raises(StatementFailed, match="RestrictViolation"):
        owner.execute(statement)
    assert owner.everything() == before


@pytest.mark.parametrize("role", [_OWNER, DESK_ROLE])
async def test_a_card_that_took_no_code_begins_lower(
    cluster: Cluster, owned: str, owner: Place, role: str
) -> None:
    """By who may change both, and both by one statement; what it began with does not rise."""
    connection = await asyncpg.connect(cluster.url(owned, user=role).replace("+asyncpg", ""))
    begun = "SELECT card_number, last_atc FROM begun_counters ORDER BY 1"
    first = f"WHERE {_OF_CARD} AND card_number = 1"
    await connection.execute(f"UPDATE cards SET last_atc = 4 {first}")  # noqa: S608 -- of the tests
    assert owner.last_atcs(USER_CODE) == [4, 10]
    assert owner.execute(begun) == [(1, 4), (2, 10)]
    await connection.execute(f"UPDATE cards SET last_atc = 10 {first}")  # noqa: S608 -- likewise
    for statement in (
        f"UPDATE cards SET last_atc = 9 {first}",  # noqa: S608 -- likewise
        f"UPDATE begun_counters SET last_atc = 10 {first}",  # noqa: S608 -- likewise
        f"UPDATE begun_counters SET last_atc = 4 {first}",  # noqa: S608 -- likewise
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute(statement)
    await connection.close()
    assert owner.last_atcs(USER_CODE) == [10, 10]


async def test_who_replays_a_fall(web: Store, owner: Place) -> None:
    """The owner: a server's role takes the line and says so; then the card falls all the same."""
    before, after = line(1), line(2)
    fall = LostStep(
        version=2,
        prev=before.head,
        head=after.head,
        attempt=after.attempt,
        at=2_000,
        line=after.line,
        falls=(Lowering(1, 10, 4),),
    )
    key = (bucket_of(USER_CODE), USER_CODE)

    def again(connection: Connection, *steps: LostStep) -> ReplayedChain | None:
        return replay_chain(connection, *key, steps, by=BANK_ITSELF)

    assert await web.write(lambda c: again(c, fall)) == ReplayedChain(
        0, 1, 0, 0, 0, forked=False, left=True
    )
    assert owner.last_atcs(USER_CODE) == [10, 10]
    owner.execute("UPDATE access SET version = version + 1")  # a line that the stream has not
    assert owner.write(lambda c: again(c, fall)) == ReplayedChain(
        1, 0, 0, 0, 0, forked=False, left=True
    )
    owner.execute("ALTER TABLE access DISABLE TRIGGER USER")
    owner.execute("UPDATE access SET version = version - 1")
    owner.execute("ALTER TABLE access ENABLE TRIGGER USER")
    assert owner.last_atcs(USER_CODE) == [10, 10]
    assert owner.write(lambda c: again(c, fall)) == ReplayedChain(1, 0, 0, 0, 0, forked=False)
    assert owner.last_atcs(USER_CODE) == [4, 10]
    assert await web.write(lambda c: again(c, fall)) == ReplayedChain(1, 0, 0, 0, 0, forked=False)
    other = replace(fall, version=3, prev=bytes(32), falls=(), atcs=((2, 7),))
    begun = "SELECT card_number FROM begun_counters ORDER BY 1"
    assert await web.write(lambda c: again(c, other)) == ReplayedChain(0, 0, 0, 0, 0, forked=True)
    assert owner.execute(begun) == [(1,), (2,)]
    assert owner.write(lambda c: again(c, other)) == ReplayedChain(0, 0, 0, 0, 0, forked=True)
    assert owner.execute(begun) == [(1,)]
    assert owner.last_atcs(USER_CODE) == [4, 10]


def test_of_a_card_that_there_is_nobody_says_what_it_began_with(owner: Place) -> None:
    """Nor has it been another's: the owner of the tables neither."""
    began = f"INSERT INTO begun_counters VALUES ({bucket_of(USER_CODE)}, '{USER_CODE}', 1, 10)"  # noqa: S608 -- of the tests
    owner.execute("DELETE FROM begun_counters WHERE card_number = 1")
    for statement in (began, "UPDATE begun_counters SET card_number = 1, last_atc = 9"):
        with pytest.raises(StatementFailed, match="RestrictViolation"):
            owner.execute(statement)
    owner.execute("DELETE FROM cards WHERE card_number = 1")
    owner.execute(began)


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


@pytest.mark.parametrize("role", [SEAL_ROLE, EVIDENCE_ROLE])
async def test_who_looks_at_chains_changes_nothing(
    cluster: Cluster, owned: str, owner: Place, role: str
) -> None:
    """And sees no more than chains; what opens a line only where that is the role's purpose."""
    before = owner.everything()
    looking = open_store(cluster.url(owned, user=role))
    (head,) = await looking.read(partial(read_heads, after=BEFORE_ALL, most=9))
    assert await looking.read(partial(changed_since, at=0, most=9)) == [head[:2]]
    assert await looking.read(partial(lines_beyond, since=[(*head[:2], 0)]))
    cards = await looking.read(partial(find_last_atcs, keys=[head[:2]]))
    assert sorted(card.last_atc for card in cards) == sorted(owner.last_atcs(USER_CODE)) != []
    assert await looking.read(read_rights) == []
    assert await looking.read(read_restored_at) is None
    assert await looking.read(partial(read_approvals, after=b"", most=9)) == []
    opening = partial(read_opening, key=head[:2], version=1)
    if role == EVIDENCE_ROLE:
        assert await looking.read(opening) is not None
    else:
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await looking.read(opening)
    for statement in (
        "SELECT * FROM access",
        "SELECT * FROM cards",
        "SELECT sealed FROM cards",
        "SELECT * FROM customers",
        "SELECT * FROM sessions",
        "SELECT name FROM staff",
        "SELECT mark FROM incarnation",
        "UPDATE approvals SET reason = ''",
        "UPDATE cards SET last_atc = last_atc + 1",
        "UPDATE begun_counters SET last_atc = 0",
        "UPDATE access SET head = head",
        "INSERT INTO audit_lines TABLE audit_lines",
        "DELETE FROM audit_lines",
        "UPDATE audit_lines SET at = 0",
    ):
        with pytest.raises(StoreUnavailable, match=r"permission denied.*sesame database migrate"):
            await looking.write(lambda c, statement=statement: c.exec_driver_sql(statement))  # type: ignore[misc]
    await looking.close()
    assert owner.everything() == before


async def test_who_prunes_takes_old_lines_away_and_no_others(
    cluster: Cluster, owned: str, owner: Place
) -> None:
    """Not the young ones, whatever it was told the rule is; and it lifts no hold."""
    pruning = open_store(cluster.url(owned, user=RETENTION_ROLE))
    (oldest,) = await pruning.read(partial(read_oldest, after=BEFORE_ALL, most=9))
    key = (oldest.bucket, oldest.user_code)
    assert await pruning.read(
        partial(old_personal, after=(*BEFORE_ALL, 0), last=key, before=9_999, most=9)
    ) == [PersonalKey(*key, 1, 1_000)]
    assert await pruning.read(active_holds) == []
    assert await pruning.write(
        partial(erase_personal, keys=[PersonalKey(*key, 1, 1_000)], holds=[])
    )
    anchor = AnchorRow(*key, 1, bytes(32), 5, bytes(64))
    young = _days_ago(395)
    owner.execute("UPDATE audit_lines SET at = ?", young)
    before = owner.everything()
    with pytest.raises(StatementFailed, match="RestrictViolation"):
        await pruning.write(partial(cut_chains, anchors=[anchor], holds=[]))
    for statement in (
        "UPDATE audit_lines SET at = 0",
        "DELETE FROM audit_anchors",
        "UPDATE legal_holds SET lifted_at = 1",
        "DELETE FROM legal_holds",
        "SELECT address FROM audit_personal",
        "SELECT old_code FROM access",
        "UPDATE access SET head = head",
        "SELECT * FROM customers",
        "SELECT * FROM cards",
        "TRUNCATE audit_lines",
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await pruning.write(lambda c, statement=statement: c.exec_driver_sql(statement))  # type: ignore[misc]
    assert owner.everything() == before
    owner.execute("UPDATE audit_lines SET at = ?", young - 3 * 86_400_000_000)
    assert await pruning.write(partial(cut_chains, anchors=[anchor], holds=[]))
    assert owner.everything()["audit_lines"] == []
    further = anchor._replace(version=2, at=6)
    assert await pruning.write(partial(cut_chains, anchors=[further, anchor], holds=[]))
    assert await pruning.write(partial(cut_chains, anchors=[anchor], holds=[]))
    assert await pruning.read(partial(find_anchors, keys=[key])) == {USER_CODE: further}
    await pruning.close()


def _days_ago(days: float) -> int:
    return round((time.time() - days * 86_400) * 1_000_000)


_HELD: dict[str, tuple[HoldRow, bool]] = {
    "of them": (HoldRow(user_code=USER_CODE, set_at=0, set_by="x", reason="y"), True),
    "of another": (HoldRow(user_code="ADA22222", set_at=0, set_by="x", reason="y"), False),
    "of everybody": (HoldRow(set_at=0, set_by="x", reason="y"), True),
    "of then": (HoldRow(from_at=1_000, until_at=1_001, set_at=0, set_by="x", reason="y"), True),
    "of later": (HoldRow(from_at=1_001, set_at=0, set_by="x", reason="y"), False),
    "of before": (HoldRow(until_at=1_000, set_at=0, set_by="x", reason="y"), False),
}


@pytest.mark.parametrize("role", [RETENTION_ROLE, PERSON_ROLE])
@pytest.mark.parametrize("held", _HELD)
async def test_what_is_under_legal_hold_stays(
    cluster: Cluster, owned: str, owner: Place, role: str, held: str
) -> None:
    """Whatever the program that prunes or erases was told; once it is lifted it goes."""
    hold, keeps = _HELD[held]
    assert is_held([hold], USER_CODE, 1_000) is keeps
    owner.write(partial(add_hold, hold=hold))
    before = owner.everything()
    connection = await asyncpg.connect(cluster.url(owned, user=role).replace("+asyncpg", ""))
    tables = ["audit_personal", *(["audit_lines"] if role == RETENTION_ROLE else [])]
    for table in tables:
        assert len(before[table]) == 1
        if keeps:
            with pytest.raises(asyncpg.RestrictViolationError, match="under a legal hold"):
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- of the tests
    assert owner.everything() == before
    owner.write(partial(lift_hold, number=1, at=1, by="x", reason="z"))
    for table in tables:
        assert await connection.execute(f"DELETE FROM {table}") == "DELETE 1"  # noqa: S608 -- of the tests
    await connection.close()


async def test_a_value_of_a_line_stays_for_thirty_days(
    cluster: Cluster, owned: str, owner: Place
) -> None:
    """The least that a setting may say; who erases persons does that at once."""
    pruning, erasing = [
        await asyncpg.connect(cluster.url(owned, user=role).replace("+asyncpg", ""))
        for role in (RETENTION_ROLE, PERSON_ROLE)
    ]
    for days, stays in ((29.9, True), (30.1, False)):
        enrol(owner, code := f"ADA2222{2 + stays}")
        owner.execute("UPDATE audit_personal SET at = ? WHERE user_code = ?", _days_ago(days), code)
        young = f"DELETE FROM audit_personal WHERE user_code = '{code}'"  # noqa: S608 -- of the tests
        if stays:
            with pytest.raises(asyncpg.RestrictViolationError, match="for thirty days"):
                await pruning.execute(young)
            assert await erasing.execute(young) == "DELETE 1"
        else:
            assert await pruning.execute(young) == "DELETE 1"
    await pruning.close()
    await erasing.close()


async def test_who_erases_a_person_sees_no_secret(
    cluster: Cluster, owned: str, owner: Place
) -> None:
    """Reads, holds, erases; takes no line away and changes no card."""
    desk = open_store(cluster.url(owned, user=PERSON_ROLE))
    key = (bucket_of(USER_CODE), USER_CODE)
    hold = HoldRow(user_code=USER_CODE, set_at=0, set_by="x", reason="y")
    assert await desk.write(partial(add_hold, hold=hold)) == 1
    assert await desk.write(partial(lift_hold, number=1, at=1, by="x", reason="z"))
    before = owner.everything()
    for statement in (
        "SELECT old_code FROM access",
        "SELECT 1 FROM access WHERE old_code LIKE '$argon2id$%'",
        "UPDATE access SET accepted = accepted RETURNING old_code",
        "SELECT sealed FROM cards",
        "SELECT token_hash FROM sessions",
        "SELECT device_hash FROM devices",
        "SELECT * FROM pan_index",
        "SELECT import_digest FROM customer_details",
        "UPDATE customer_details SET city = ''",
        "UPDATE cards SET last_atc = 0",
        "UPDATE begun_counters SET last_atc = 0",
        "DELETE FROM audit_lines",
        "UPDATE audit_lines SET at = 0",
        "DELETE FROM access",
        "DELETE FROM legal_holds",
        "UPDATE legal_holds SET reason = ''",
        "INSERT INTO audit_anchors TABLE audit_anchors",
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await desk.write(lambda c, statement=statement: c.exec_driver_sql(statement))  # type: ignore[misc]
    with pytest.raises(StatementFailed, match="RestrictViolation"):
        await desk.write(lambda c: c.exec_driver_sql("UPDATE access SET old_code = 'known'"))
    assert owner.everything() == before
    held = await desk.read(partial(read_person, key=key))
    assert held is not None
    assert held.row.has_old_code
    erased = partial(erase_person, key=key, row=held.row, line=step().line)
    assert await desk.write(erased) is True
    assert await desk.write(erased) is False
    await desk.close()
    after = owner.everything()
    assert owner.row_of(USER_CODE)["old_code"] is None
    gone = ("customers", "cards", "begun_counters", "audit_personal")
    assert [len(after[name]) for name in gone] == [0] * 4
    assert [len(after[name]) for name in ("access", "audit_lines", "pan_index")] == [1, 2, 2]


async def test_a_server_enrols_nobody_and_makes_no_table(web: Store) -> None:
    """Nor does it see the index of card numbers."""
    for change in (
        lambda c: insert_customers(c, [customer("ADA22222")]),
        lambda c: c.exec_driver_sql("SELECT * FROM pan_index"),
        lambda c: c.exec_driver_sql("SELECT email FROM customer_details"),
        lambda c: c.exec_driver_sql("SELECT facts FROM notices"),
        lambda c: c.exec_driver_sql("INSERT INTO closures SELECT * FROM closures"),
        lambda c: c.exec_driver_sql("UPDATE cards SET kind = 'bank'"),
        lambda c: c.exec_driver_sql("SELECT sealed_pin FROM card_orders"),
        lambda c: c.exec_driver_sql("UPDATE card_orders SET activation_until = 9"),
        lambda c: c.exec_driver_sql("INSERT INTO card_orders (bucket) VALUES (1)"),
        lambda c: c.exec_driver_sql("UPDATE holds SET by = 'owner'"),
        lambda c: c.exec_driver_sql("SELECT * FROM notices"),
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
    """All but enrolment's own, the desk's, the index of card numbers, and what pruners keep."""
    issued = {"card_orders", "dispatches", "batches", "readers", "holds", "notices"}
    details = {"customer_details", "former_addresses", "customer_words"}
    agreed = {"approvals", "limit_changes"}
    desk = {"pan_index", "begun_counters", "staff", "staff_bootstraps", *agreed, *details, *issued}
    others = {"audit_anchors", "legal_holds", *desk} - {"card_orders", "holds", "notices"}
    assert set(ROLES[DESK_ROLE]) == {*GRANTS, *desk}
    assert set(GRANTS) == {*METADATA.tables, "alembic_version"} - others


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
