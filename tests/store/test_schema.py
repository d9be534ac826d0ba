"""`sesame.store.schema` and the migrations."""

import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, inspect, text

import sesame.store.schema
from sesame.store import audit, cards, customers, devices, sessions
from sesame.store.access import ACCESS
from sesame.store.errors import SchemaMismatch, StoreUnavailable
from sesame.store.metadata import METADATA
from sesame.store.schema import erase, migrate
from tests.store.databases import connect, enrol, everything, in_transaction, row_of

_LOGIN_TABLES = (
    ACCESS,
    cards.CARDS,
    customers.CUSTOMERS,
    sessions.SESSIONS,
    devices.DEVICES,
    audit.AUDIT_LINES,
    audit.AUDIT_PERSONAL,
    audit.STRANGER_LINES,
    audit.STRANGER_PERSONAL,
)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _alembic(connection: Connection) -> Config:
    config = Config()
    folder = Path(sesame.store.schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    return config


def test_migrations_lead_to_the_tables_of_the_source(path: Path) -> None:
    """Alembic finds no difference between a migrated database and METADATA."""
    found = in_transaction(
        path,
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), METADATA
        ),
    )
    assert found == []


def test_the_comparison_would_find_a_difference(path: Path) -> None:
    """The test above can fail: a column more is found."""
    with closing(connect(path)) as connection:
        connection.execute("ALTER TABLE access ADD COLUMN surplus INTEGER")
    found = in_transaction(
        path,
        lambda connection: compare_metadata(MigrationContext.configure(connection), METADATA),
    )
    assert found


def test_down_and_up_again_with_data(path: Path) -> None:
    """The way back leaves nothing, the way there again leads to a working database."""
    enrol(path)
    in_transaction(path, lambda connection: command.downgrade(_alembic(connection), "base"))
    assert everything(path) == {}
    in_transaction(path, lambda connection: command.upgrade(_alembic(connection), "head"))
    enrol(path)
    assert len(everything(path)["cards"]) == 2


def test_migrating_again_changes_nothing(path: Path) -> None:
    """An up-to-date database keeps its rows."""
    enrol(path)
    before = everything(path)
    migrate(f"sqlite:///{path}")
    assert everything(path) == before


def test_there_is_one_line_of_migrations() -> None:
    """One base, one head: no two migrations follow the same one."""
    folder = Path(sesame.store.schema.__file__).parent / "migrations"
    scripts = ScriptDirectory(str(folder))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1


@pytest.mark.parametrize("table", _LOGIN_TABLES, ids=lambda table: str(table.name))
def test_every_key_of_a_login_begins_with_bucket_and_user_code(path: Path, table: Table) -> None:
    """So that the tables can be spread over machines without being rewritten."""
    key = in_transaction(path, lambda connection: inspect(connection).get_pk_constraint(table.name))
    assert key["constrained_columns"][:2] == ["bucket", "user_code"]


def test_only_two_tables_stand_outside_that_rule(path: Path) -> None:
    """Whoever adds a table names it above, or gives its reason here.

    The index of PANs is unique across customers; strangers' failures are counted by bucket
    and hour, of nobody in particular.
    """
    names = set(everything(path))
    others = {"pan_index", "stranger_failures"}
    assert names - {table.name for table in _LOGIN_TABLES} == others


def test_what_failed_before_the_two_sides_counts_on_the_open_one(tmp_path: Path) -> None:
    """An upgrade keeps failures, suspension, old code and sessions; and so does the way back."""
    path = tmp_path / "old.db"
    migrate(f"sqlite:///{path}")
    in_transaction(path, lambda connection: command.downgrade(_alembic(connection), "0001"))
    with closing(connect(path)) as connection:
        connection.execute(
            "INSERT INTO access (bucket, user_code, version, enrolled_at, failures, "
            "suspended_until, session_epoch, head, stepped_at, last_attempt, last_accepted, "
            "signed_in_at, old_code) "
            "VALUES (1, 'VERA2222', 7, 5, 4, 99, 3, ?, 6, ?, 1, 2, 'old')",
            (bytes(32), bytes(16)),
        )
        connection.execute(
            "INSERT INTO sessions (bucket, user_code, token_hash, session_epoch, opened_at, "
            "seen_at, ends_at) VALUES (1, 'VERA2222', ?, 3, 10, 11, 12)",
            (bytes(32),),
        )
    in_transaction(path, lambda connection: command.upgrade(_alembic(connection), "head"))
    row = row_of(path, "VERA2222")
    kept = ("version", "open_failures", "open_suspended_until", "session_epoch", "old_code")
    assert [row[name] for name in kept] == [7, 4, 99, 3, "old"]
    assert (row["open_failed_at"], row["accepted"]) == (b"", bytes(16))
    assert everything(path)["sessions"][0][3:] == (3, 10, 11, 12, None, "code", 0)
    with closing(connect(path)) as connection:
        connection.execute("UPDATE sessions SET means = 'old-code'")
    in_transaction(path, lambda connection: command.downgrade(_alembic(connection), "0001"))
    row = row_of(path, "VERA2222")
    assert [row[name] for name in ("failures", "suspended_until", "old_code")] == [4, 99, "old"]
    # What was opened to look only does not become a whole session on the way back.
    assert everything(path)["sessions"] == []


def test_no_table_hides_a_row_number(path: Path) -> None:
    """WITHOUT ROWID: the key is the table, and no surrogate id stands beside it."""
    with closing(connect(path)) as connection:
        without = connection.execute(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND wr = 1"
        ).fetchall()
    assert {name for (name,) in without} == set(everything(path))


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


def test_a_newer_database_is_left_alone(path: Path) -> None:
    """A program that is older than its database says so."""
    enrol(path)
    in_transaction(
        path, lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch, match="later version of this program"):
        migrate(f"sqlite:///{path}")
    assert path.read_bytes() == before


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


def test_erase_empties_every_table(path: Path) -> None:
    """A demonstration that begins again finds nobody, and a schema that is whole."""
    enrol(path)
    in_transaction(path, erase)
    assert not any(everything(path).values())
    enrol(path)
