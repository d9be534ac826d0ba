"""`sesame.store.schema` and the migrations."""

import stat
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, inspect, text

import sesame.store.schema
from sesame.store import audit, cards, customers, details, devices, retention, sessions
from sesame.store.access import ACCESS
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, set_card_state
from sesame.store.errors import SchemaMismatch, StatementFailed, StoreError, StoreUnavailable
from sesame.store.incarnation import mark_as_backup
from sesame.store.metadata import METADATA
from sesame.store.names import fill_words
from sesame.store.schema import erase, make_ready, migrate
from tests.places import Place, connect
from tests.postgresql import Cluster
from tests.store.databases import USER_CODE, enrol

_LOGIN_TABLES = (
    ACCESS,
    cards.CARDS,
    customers.CUSTOMERS,
    details.CUSTOMER_DETAILS,
    sessions.SESSIONS,
    devices.DEVICES,
    audit.AUDIT_LINES,
    audit.AUDIT_PERSONAL,
    audit.STRANGER_LINES,
    audit.STRANGER_PERSONAL,
    retention.AUDIT_ANCHORS,
)


@pytest.fixture
def changed(place: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A database of one's own, whose tables may change."""
    if place.kind == "sqlite":
        yield place
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.new_database()
    own = Place(cluster.url(name))
    migrate(own.url)
    yield own
    own.close()
    cluster.psql(f"DROP DATABASE {name}")


_NOT_HERE = {"sqlite": "access_nobodys", "postgresql": "access_of_strangers"}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _alembic(connection: Connection) -> Config:
    config = Config()
    folder = Path(sesame.store.schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    return config


def test_migrations_lead_to_the_tables_of_the_source(place: Place) -> None:
    """Alembic finds no difference between a migrated database and METADATA."""
    found = place.write(
        lambda connection: compare_metadata(
            MigrationContext.configure(
                connection,
                opts={
                    "compare_type": True,
                    # Alembic does not ask on which database an index is made.
                    "include_name": lambda name, *_: name != _NOT_HERE[place.kind],
                    "include_object": lambda _, name, *__: name != _NOT_HERE[place.kind],
                },
            ),
            METADATA,
        ),
    )
    assert found == []


def test_the_comparison_would_find_a_difference(changed: Place) -> None:
    """The test above can fail: a column more is found."""
    changed.execute("ALTER TABLE access ADD COLUMN surplus INTEGER")
    found = changed.write(
        lambda connection: compare_metadata(MigrationContext.configure(connection), METADATA),
    )
    assert found


def test_down_and_up_again_with_data(changed: Place) -> None:
    """The way back leaves nothing, the way there again leads to a working database."""
    enrol(changed)
    changed.write(lambda connection: command.downgrade(_alembic(connection), "base"))
    assert changed.everything() == {}
    changed.write(lambda connection: command.upgrade(_alembic(connection), "head"))
    enrol(changed)
    assert len(changed.everything()["cards"]) == 2


def test_a_last_atc_falls_again_nowhere_after_the_way_back(changed: Place) -> None:
    """What cards began with is gone with the table, there and back; no trigger is."""
    enrol(changed)
    for to in ("0013", "head"):
        migrate(changed.url, to=to)
        if changed.kind == "postgresql":
            with pytest.raises(StatementFailed, match="RestrictViolation"):
                changed.execute("UPDATE cards SET last_atc = 9")
        assert changed.last_atcs(USER_CODE) == [10, 10]
    assert changed.execute("SELECT card_number FROM begun_counters") == []


def test_no_way_back_forgets_that_a_card_is_unsure(place: Place) -> None:
    """An older schema would take a code that was used: it is not gone back to."""
    enrol(place)
    place.write(mark_as_backup)
    before = place.everything()
    with pytest.raises(StoreError, match="this one stays"):
        migrate(place.url, to="0004")
    assert place.everything() == before


def test_no_way_back_forgets_that_lines_were_pruned(place: Place) -> None:
    """An older program would miss them: it is not gone back to."""
    enrol(place)
    anchor = retention.AnchorRow(1, "VERA2222", 1, bytes(32), 5, bytes(64))
    place.write(lambda connection: retention.cut_chains(connection, [anchor], holds=[]))
    before = place.everything()
    with pytest.raises(StoreError, match="this one stays"):
        migrate(place.url, to="0006")
    assert place.everything() == before


def test_migrating_again_changes_nothing(place: Place) -> None:
    """An up-to-date database keeps its rows."""
    enrol(place)
    before = place.everything()
    migrate(place.url)
    assert place.everything() == before


def test_there_is_one_line_of_migrations() -> None:
    """One base, one head: no two migrations follow the same one."""
    folder = Path(sesame.store.schema.__file__).parent / "migrations"
    scripts = ScriptDirectory(str(folder))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1


@pytest.mark.parametrize("table", _LOGIN_TABLES, ids=lambda table: str(table.name))
def test_every_key_of_a_login_begins_with_bucket_and_user_code(place: Place, table: Table) -> None:
    """So that the tables can be spread over machines without being rewritten."""
    key = place.write(lambda connection: inspect(connection).get_pk_constraint(table.name))
    assert key["constrained_columns"][:2] == ["bucket", "user_code"]


def test_only_some_tables_stand_outside_that_rule(place: Place) -> None:
    """Whoever adds a table names it above, or gives its reason here.

    The index of PANs is unique across customers; strangers' failures are counted by bucket
    and hour, of nobody in particular; refusals by the source that they went to; which life of
    the database this is, is one row for all; beats are the servers'.
    Legal holds are few, and may be everybody's. Staff are few; a request that takes two is found
    by its id, and is about one person or another. Letters are found by their references, batches
    by their ids, readers by their serial numbers, notices as they fall due; closures and
    limits of the desk are the institution's. Orders, holds, words of names and what cards began
    with begin with a bucket, and no login reads them.
    """
    names = set(place.everything())
    others = {
        "pan_index",
        "stranger_failures",
        "source_refusals",
        "incarnation",
        "beats",
        "legal_holds",
        "staff",
        "staff_bootstraps",
        "approvals",
        "card_orders",
        "dispatches",
        "batches",
        "readers",
        "holds",
        "notices",
        "closures",
        "limit_changes",
        "customer_words",
        "former_addresses",
        "begun_counters",
    }
    assert names - {table.name for table in _LOGIN_TABLES} == others


def test_what_failed_before_the_two_sides_counts_on_the_open_one(changed: Place) -> None:
    """An upgrade keeps failures, suspension, old code and sessions; and so does the way back."""
    changed.write(lambda connection: command.downgrade(_alembic(connection), "0001"))
    changed.execute(
        "INSERT INTO access (bucket, user_code, version, enrolled_at, failures, "
        "suspended_until, session_epoch, head, stepped_at, last_attempt, last_accepted, "
        "signed_in_at, old_code) "
        "VALUES (1, 'VERA2222', 7, 5, 4, 99, 3, ?, 6, ?, 1, 2, 'old')",
        bytes(32),
        bytes(16),
    )
    changed.execute(
        "INSERT INTO sessions (bucket, user_code, token_hash, session_epoch, opened_at, "
        "seen_at, ends_at) VALUES (1, 'VERA2222', ?, 3, 10, 11, 12)",
        bytes(32),
    )
    changed.write(lambda connection: command.upgrade(_alembic(connection), "head"))
    row = changed.row_of("VERA2222")
    kept = ("version", "open_failures", "open_suspended_until", "session_epoch", "old_code")
    assert [row[name] for name in kept] == [7, 4, 99, 3, "old"]
    assert (row["open_failed_at"], row["accepted"]) == (b"", bytes(16))
    assert changed.everything()["sessions"][0][3:] == (3, 10, 11, 12, None, "code", 0)
    changed.execute("UPDATE sessions SET means = 'old-code'")
    changed.write(lambda connection: command.downgrade(_alembic(connection), "0001"))
    row = changed.row_of("VERA2222")
    assert [row[name] for name in ("failures", "suspended_until", "old_code")] == [4, 99, "old"]
    # What was opened to look only does not become a whole session on the way back.
    assert changed.everything()["sessions"] == []


def test_counts_of_failures_go_there_and_back(changed: Place) -> None:
    """Each writer's own on the way there, their sum on the way back."""
    changed.write(lambda connection: command.downgrade(_alembic(connection), "0002"))
    changed.execute("INSERT INTO stranger_failures VALUES (1, 7, 3), (1, 8, 4)")
    changed.write(lambda connection: command.upgrade(_alembic(connection), "head"))
    counts = changed.everything()["stranger_failures"]
    assert counts == [(1, 7, 0, 3), (1, 8, 0, 4)]
    changed.execute("INSERT INTO stranger_failures VALUES (1, 7, 5, 2)")
    changed.write(lambda connection: command.downgrade(_alembic(connection), "0002"))
    assert changed.everything()["stranger_failures"] == [(1, 7, 5), (1, 8, 4)]


def test_no_table_hides_a_row_number(file: Place) -> None:
    """WITHOUT ROWID: the key is the table, and no surrogate id stands beside it."""
    with closing(connect(file.path)) as connection:
        without = connection.execute(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND wr = 1"
        ).fetchall()
    assert {name for (name,) in without} == set(file.everything())


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600, its log files too."""
    path = tmp_path / "new folder" / "sesame.db"
    migrate(f"sqlite:///{path}")
    connection = connect(path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {_mode(file) for file in files} == {0o600}
    finally:
        connection.close()


def test_a_newer_database_is_left_alone(changed: Place) -> None:
    """A program that is older than its database says so."""
    enrol(changed)
    changed.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    before = changed.everything()
    for look in (migrate, make_ready):
        with pytest.raises(SchemaMismatch, match="later version of this program"):
            look(changed.url)
    assert changed.everything() == before


def test_a_server_on_postgresql_migrates_nothing(changed: Place) -> None:
    """It says what is to be done; on SQLite, where one program owns the file, it does it."""
    make_ready(changed.url)
    changed.write(lambda connection: command.downgrade(_alembic(connection), "0002"))
    if changed.kind == "sqlite":
        make_ready(changed.url)
        assert len(changed.everything()) == len(METADATA.tables)
    else:
        with pytest.raises(SchemaMismatch, match="sesame database migrate"):
            make_ready(changed.url)
        migrate(changed.url)
        make_ready(changed.url)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Somebody's letter is not overwritten with tables."""
    path = tmp_path / "letter.txt"
    path.write_text("Chère Madame, " * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        migrate(f"sqlite:///{path}")
    assert path.read_text().startswith("Chère Madame")


def test_a_database_that_cannot_be_made(tmp_path: Path) -> None:
    """Where the path leads through a file, the message says what is wrong."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        migrate(f"sqlite:///{tmp_path}/file/sesame.db")


def test_erase_empties_every_table(place: Place) -> None:
    """A demonstration that begins again finds nobody, and a schema that is whole."""
    enrol(place)
    place.write(erase)
    left = place.everything()
    ((_, generation, _, restored_at),) = left.pop("incarnation")
    assert (generation, restored_at) == (0, None)
    assert not any(left.values())
    enrol(place)


def test_the_words_of_names_are_filled(changed: Place) -> None:
    """For customers who were there before the table was."""

    def words() -> list[tuple[object, ...]]:
        query = text("SELECT bucket, user_code, word FROM customer_words ORDER BY 1, 2, 3")
        return changed.write(lambda connection: [tuple(row) for row in connection.execute(query)])

    for code in ("ADA22222", "BEA22222", "CLA22222", "DIA22222"):
        enrol(changed, code)
    there = words()
    assert len(there) == 8
    migrate(changed.url, to="0013")
    assert not changed.write(lambda c: inspect(c).has_table("customer_words"))
    migrate(changed.url)
    assert words() == there
    for at_once in (1, 2, 3, 4, 5):
        changed.execute("DELETE FROM customer_words")
        changed.write(partial(fill_words, at_once=at_once))
        assert words() == there


@pytest.mark.parametrize("state", [CardState.WAITING, CardState.RETIRED])
def test_no_older_schema_lets_such_a_card_sign_in(changed: Place, state: CardState) -> None:
    """The way back is refused, and nothing has changed; without such cards it is free."""
    enrol(changed)
    changed.write(
        lambda connection: set_card_state(connection, (bucket_of(USER_CODE), USER_CODE), 1, state)
    )
    with pytest.raises(StoreError, match="an older schema does not know these states"):
        migrate(changed.url, to="0013")
    assert "card_orders" in changed.everything()
