"""`sesame.cli.result_file`: whole or not there, and nothing written over."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesame.cli.inputs import Unusable
from sesame.cli.result_file import result_file


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "codes.csv"


@pytest.fixture
def part(path: Path) -> Path:
    """Where it is until then."""
    return path.with_name("codes.csv.part")


@contextmanager
def _full(room: int) -> Iterator[None]:
    """No file grows beyond *room* bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_it_has_its_name_once_it_is_whole(path: Path, part: Path) -> None:
    """For its owner alone; what was cut off before is gone, and what is begun again too."""
    part.write_text("left by a command that was killed")
    part.chmod(0o644)
    with result_file(path, header="a,b\n") as result:
        result.write("0,0\n")
        result.begin_again()
        result.write("1,2\n")
        assert not path.exists()
        result.keep()
    assert path.read_text() == "a,b\n1,2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not part.exists()


def test_what_is_not_kept(path: Path, part: Path) -> None:
    """Stays as a part, where there is anything in it but the header."""
    for text in ("", "1,2\n"):
        with result_file(path, header="a,b\n") as result:
            if text:
                result.write(text)
        assert (path.exists(), part.exists()) == (False, bool(text))
    assert part.read_text() == "a,b\n1,2\n"


def test_an_empty_one_is_kept_too(path: Path, part: Path) -> None:
    """With its header."""
    with result_file(path, header="a,b\n") as result:
        result.keep()
    assert path.read_text() == "a,b\n"
    assert not part.exists()


@pytest.mark.parametrize("room", [0, 100_000])
def test_a_full_disk(path: Path, part: Path, room: int) -> None:
    """The part is named, and the system's reason; the file does not get its name."""

    def fill() -> None:
        with result_file(path) as result, _full(room):
            result.write("1,2\n" * 50_000)
            result.flush()

    with pytest.raises(Unusable, match=r"codes\.csv\.part: the system refuses \(File too large"):
        fill()
    assert not path.exists()
    assert part.stat().st_size <= room


def test_what_is_nobodys_leftover(path: Path, part: Path, tmp_path: Path) -> None:
    """A link, a pipe, another name of a finished file: none is emptied."""
    other = tmp_path / "other"
    other.write_text("mine")
    part.symlink_to(other)
    with pytest.raises(Unusable, match="the system refuses"), result_file(path):
        pass
    part.unlink()
    part.hardlink_to(other)
    with pytest.raises(Unusable, match="not left by a command of yours"), result_file(path):
        pass
    assert other.read_text() == "mine"
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(Unusable, match="not left by a command of yours"), result_file(path):
        pass


def test_a_name_that_is_a_link_to_nothing(path: Path) -> None:
    """Is taken too."""
    path.symlink_to("nowhere")
    with pytest.raises(Unusable, match="this file exists"), result_file(path):
        pass


def test_two_at_once(path: Path) -> None:
    """The second is refused, until the first one ends; then the name is taken."""
    with result_file(path) as result:
        result.write("x")
        with pytest.raises(Unusable, match="another command is writing"), result_file(path):
            pass
        result.keep()
        with pytest.raises(Unusable, match="this file exists"), result_file(path):
            pass
    assert path.read_text() == "x"
