"""A file beside its place: on disk before it gets its name, for its owner alone, and gone after."""

import os
import stat
from pathlib import Path
from unittest.mock import patch

import pytest

from sesame.custody.whole_file import folder_of, written_beside


def test_it_is_on_disk_when_it_gets_its_name_and_its_folder_after(tmp_path: Path) -> None:
    """First the file, then the name, then the folder; nobody else may read it."""
    done: list[str] = []

    def fsync(number: int) -> None:
        mode = os.fstat(number).st_mode
        done.append("folder" if stat.S_ISDIR(mode) else "file")

    path = tmp_path / "a name"
    with patch.object(os, "fsync", fsync), written_beside(path, b"whole") as new:
        assert new.parent == tmp_path
        assert stat.S_IMODE(new.stat().st_mode) == 0o600
        assert new.read_bytes() == b"whole"
        assert not path.exists()
        done.append("name")
        path.hardlink_to(new)
    assert done == ["file", "name", "folder"]
    assert list(tmp_path.iterdir()) == [path]


def test_it_may_be_moved_to_its_place(tmp_path: Path) -> None:
    """Over what was there."""
    path = tmp_path / "name"
    path.write_bytes(b"old")
    with written_beside(path, b"new") as new:
        new.replace(path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_stays_where_something_fails(tmp_path: Path) -> None:
    """The disk is full, or whoever names it is interrupted; without a folder nothing is begun."""
    path = tmp_path / "name"
    full = OSError(28, "No space left on device")
    with (
        patch.object(os, "fsync", side_effect=full),
        pytest.raises(OSError, match="No space"),
        written_beside(path, b"new"),
    ):
        pytest.fail("it is not on disk")
    with pytest.raises(KeyboardInterrupt), written_beside(path, b"new"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(FileNotFoundError),
        written_beside(tmp_path / "none" / "name", b"new"),
    ):
        pytest.fail("there is no such folder")
    with pytest.raises(FileNotFoundError), folder_of(tmp_path / "none" / "name"):
        pytest.fail("there is no such folder")
