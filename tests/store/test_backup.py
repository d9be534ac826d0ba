"""`sesame.store.backup`: a file that is whole or not there, and says itself that it is a backup."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from sesame.store.backup import back_up
from sesame.store.errors import BackupFailed, StoreUnavailable
from sesame.store.schema import migrate
from tests.places import Place
from tests.postgresql import BIN, Cluster
from tests.store.databases import enrol


def test_a_copy_is_marked_and_the_database_is_not(file: Place, tmp_path: Path) -> None:
    """One file, for its owner alone; all rows, and the next generation."""
    enrol(file)
    before = file.everything()
    back_up(file.url, tmp_path / "copy")
    assert file.everything() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy"]
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    copy = Place(f"sqlite:///{tmp_path / 'copy'}")
    found = copy.everything()
    ((_, generation, mark, *_),) = found.pop("incarnation")
    del before["incarnation"]
    assert (generation, mark) == (1, b"")
    assert found == before
    copy.close()


def test_nothing_is_replaced_and_nothing_is_left(file: Place, tmp_path: Path) -> None:
    """A file that is there stays; what fails leaves no part."""
    (tmp_path / "there").write_text("somebody's")
    with pytest.raises(BackupFailed, match="it is there already"):
        back_up(file.url, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "somebody's"
    with pytest.raises(BackupFailed, match="No such file"):
        back_up(file.url, tmp_path / "nowhere" / "copy")
    with pytest.raises(BackupFailed, match="no such database"):
        back_up(f"sqlite:///{tmp_path / 'none'}", tmp_path / "copy")
    (tmp_path / "damaged").write_bytes(b"no database" * 999)
    with pytest.raises(StoreUnavailable, match="damaged"):
        back_up(f"sqlite:///{tmp_path / 'damaged'}", tmp_path / "copy")
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"there", "damaged"}


def test_a_full_disk_is_the_copys_and_leaves_nothing(
    file: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the database blamed where its tables are older than backups."""
    connect = sqlite3.connect

    def small(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if path.name.endswith(".part"):
            connection.execute("PRAGMA max_page_count = 2")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr("sesame.store.backup.sqlite3.connect", small)
        with pytest.raises(BackupFailed, match=r"copy\.part: no room is left on its disk"):
            back_up(file.url, tmp_path / "copy")
    migrate(f"sqlite:///{tmp_path / 'older'}", to="0005")
    with pytest.raises(BackupFailed, match="migrate it first"):
        back_up(f"sqlite:///{tmp_path / 'older'}", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["older"]


@pytest.mark.needs("postgresql")
def test_a_dump_says_what_pg_dump_says(
    cluster: Cluster,
    migrated_server: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Missing, or refused: a sentence, no name in it, and no file."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="not in PATH"):
        back_up(migrated_server.url, tmp_path / "dump")
    monkeypatch.setenv("PATH", f"{BIN}:{tmp_path}")
    cluster.psql("CREATE ROLE nosy LOGIN")
    database = migrated_server.url.partition("@/")[2].partition("?")[0]
    cluster.psql("GRANT SELECT ON incarnation TO nosy", database=database)
    try:
        with pytest.raises(BackupFailed, match="permission denied") as refused:
            back_up(cluster.url(database, user="nosy"), tmp_path / "dump")
        assert "nosy" not in str(refused.value)
    finally:
        cluster.psql("DROP OWNED BY nosy", database=database)
        cluster.psql("DROP ROLE nosy")
    assert not [*tmp_path.iterdir()]


def test_a_copy_opens_without_what_was_beside_it(file: Place, tmp_path: Path) -> None:
    """No file of WAL is needed, nor made before somebody opens it."""
    enrol(file)
    back_up(file.url, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
