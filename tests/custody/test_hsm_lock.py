"""The lock of who writes into a token: taken by a file that is only read, waited for, given up."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sesame.custody.errors import HsmLockRefused, HsmModuleUnusable, HsmTokenBusy
from sesame.custody.hsm_lock import only_writer


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file that nobody may write."""
    path = tmp_path / "module.so"
    path.touch(mode=0o444)
    return path


def test_one_at_a_time(module: Path) -> None:
    """Under whatever name the file is given; its end lets the next one in, who saw it coming."""
    link = module.with_name("link.so")
    link.symlink_to(module)
    told: list[str] = []
    with only_writer(module):
        with pytest.raises(HsmTokenBusy, match="writing for 0 s"), only_writer(link, patience=0):
            told.append("inside")
        with (
            pytest.raises(HsmTokenBusy),
            only_writer(link, patience=0.2, waits=lambda: told.append("waits")),
        ):
            told.append("inside")
    with only_writer(link, waits=lambda: told.append("waits again")):
        told.append("at work")
    assert told == ["waits", "at work"]


def test_the_one_before_ends_in_time(module: Path) -> None:
    """Whoever waits goes on as soon as it may."""
    before = only_writer(module)
    before.__enter__()
    told: list[str] = []

    def end() -> None:
        told.append("ends")
        before.__exit__(None, None, None)

    def waits() -> None:
        threading.Timer(0.1, end).start()

    with only_writer(module, patience=120, waits=waits):
        assert told == ["ends"]


def test_a_killed_one_leaves_no_lock(module: Path) -> None:
    """The system takes it back."""
    program = (
        "import sys; from pathlib import Path; from sesame.custody.hsm_lock import only_writer\n"
        "with only_writer(Path(sys.argv[1])): print('inside', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(module)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"inside\n"
        with pytest.raises(HsmTokenBusy), only_writer(module, patience=0):
            pass
        other.kill()
    with only_writer(module, patience=0):
        pass


def test_what_goes_wrong_inside_ends_it_too(module: Path) -> None:
    """Ctrl-C, say."""
    with pytest.raises(KeyboardInterrupt), only_writer(module):
        raise KeyboardInterrupt
    with only_writer(module, patience=0):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """As when it does not load."""
    with pytest.raises(HsmModuleUnusable, match="No such file"), only_writer(tmp_path / "none.so"):
        pass


def test_a_file_system_without_locks(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as NFS, where what is only read cannot be locked: nobody writes unlocked."""

    def flock(_: int, __: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(HsmLockRefused, match="Bad file descriptor"), only_writer(module):
        pass
