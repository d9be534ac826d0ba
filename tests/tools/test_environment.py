"""The set-up does what is not done yet, and nothing twice."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tools import environment

_ROOT = Path(__file__).parent.parent.parent


class Commands:
    """Stands in for `subprocess.run`: writes down what would have been run."""

    def __init__(self) -> None:
        self.run: list[str] = []
        self.failing = ""

    def __call__(self, command: list[object], **_: object) -> None:
        """Write *command* down; fail if it is the one that should."""
        text = " ".join(str(word) for word in command)
        self.run.append(text)
        if self.failing and self.failing in text:
            raise subprocess.CalledProcessError(1, text)
        if "-m venv" in text:
            Path(str(command[-1])).mkdir(parents=True, exist_ok=True)

    def taken(self) -> list[str]:
        """In short, what was run since the last call."""
        known = {"-m venv": "venv", "run.txt": "run", "test.txt": "test", "--editable": "package"}
        done = [short for text in self.run for part, short in known.items() if part in text]
        self.run.clear()
        return done


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """No process is started."""
    made = Commands()
    monkeypatch.setattr(subprocess, "run", made)
    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, in a folder with a space in its name."""
    root = tmp_path / "a project"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "run.txt").write_text("starlette==1")
    (root / "requirements" / "test.txt").write_text("starlette==1\npytest==1")
    (root / "requirements" / "pcsc.txt").write_text("pyscard==1")
    (root / "pyproject.toml").write_text("[project]")
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(environment, "can_build_pyscard", lambda: False)
    return root


def test_the_second_time_nothing_is_done(project: Path, commands: Commands) -> None:
    """The first set-up makes all; the stamp saves the rest of the day."""
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == ["venv", "run", "package"]
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == []


def test_what_the_tests_need_is_enough_for_the_demonstration(
    project: Path, commands: Commands
) -> None:
    """`make demo` after `make test` installs nothing; the other way round adds the rest."""
    environment.prepare(project / ".venv", "run")
    commands.taken()
    environment.prepare(project / ".venv", "test")
    assert commands.taken() == ["test"]
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == []


def test_only_what_changed_is_installed_again(project: Path, commands: Commands) -> None:
    """A new lock and a new pyproject.toml are seen, each by itself."""
    environment.prepare(project / ".venv", "run")
    commands.taken()
    (project / "requirements" / "run.txt").write_text("starlette==2")
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == ["run"]
    (project / "pyproject.toml").write_text("[project]\n")
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == ["package"]


def test_going_back_to_an_older_lock_installs_it(project: Path, commands: Commands) -> None:
    """The stamp knows the lock that was installed last, not all that ever were."""
    environment.prepare(project / ".venv", "test")
    older = (project / "requirements" / "test.txt").read_text()
    (project / "requirements" / "test.txt").write_text("starlette==2\npytest==1")
    environment.prepare(project / ".venv", "test")
    commands.taken()
    (project / "requirements" / "test.txt").write_text(older)
    environment.prepare(project / ".venv", "test")
    assert commands.taken() == ["test"]


def test_a_moved_environment_is_made_anew(project: Path, commands: Commands) -> None:
    """The programs in it name the folder where they were made."""
    environment.prepare(project / ".venv", "run")
    commands.taken()
    (project / ".venv").rename(project / "moved")
    environment.prepare(project / "moved", "run")
    assert commands.taken() == ["venv", "run", "package"]


def test_a_set_up_that_stopped_begins_again(project: Path, commands: Commands) -> None:
    """No stamp before all is done."""
    commands.failing = "run.txt"
    with pytest.raises(subprocess.CalledProcessError):
        environment.prepare(project / ".venv", "run")
    commands.failing = ""
    commands.taken()
    environment.prepare(project / ".venv", "run")
    assert commands.taken() == ["venv", "run", "package"]


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_cut_stamp_is_no_stamp(tmp_path: Path, content: str) -> None:
    """Whatever stands in it, the answer is to install again."""
    (tmp_path / ".stamp").write_text(content)
    assert environment.read_stamp(tmp_path / ".stamp") == {}


def test_the_tests_lock_holds_all_of_the_run_lock() -> None:
    """Same versions, same hashes: else `make demo` after `make test` would run on others."""
    run = (_ROOT / environment.LOCKS["run"]).read_text(encoding="utf-8")
    test = (_ROOT / environment.LOCKS["test"]).read_text(encoding="utf-8")
    assert set(run.splitlines()) <= set(test.splitlines())


def test_pyscard_is_built_where_it_can_be(
    project: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the tests alone, once, and when its headers have come: not for the demonstration."""
    environment.prepare(project / ".venv", "test")
    monkeypatch.setattr(environment, "can_build_pyscard", lambda: True)
    commands.run.clear()
    environment.prepare(project / ".venv", "run")
    assert commands.run == []
    environment.prepare(project / ".venv", "test")
    environment.prepare(project / ".venv", "test")
    (built,) = commands.run
    options = "--require-hashes --no-deps --no-build-isolation -r requirements/pcsc.txt"
    assert built.endswith(options)
    commands.run.clear()
    (project / "requirements" / "pcsc.txt").write_text("pyscard==2")
    environment.prepare(project / ".venv", "test")
    assert len(commands.run) == 1


def test_what_it_takes_to_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compiler and the headers of Python and PC/SC, all of them."""
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(environment, "PCSC_HEADERS", tmp_path / "Python.h")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/cc")
    assert environment.can_build_pyscard()
    monkeypatch.setattr(environment, "PCSC_HEADERS", tmp_path / "winscard.h")
    assert not environment.can_build_pyscard()
    monkeypatch.setattr(environment, "PCSC_HEADERS", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not environment.can_build_pyscard()


def test_other_programs_have_an_environment_of_their_own(
    project: Path, commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Debian's Python, without what they ask for; once, and anew with another lock."""
    lock = project / "requirements" / "interop.txt"
    lock.write_text("emv==1")
    venv = project / ".cache" / "interop"
    monkeypatch.setattr(environment, "PYSCARD", tmp_path / "missing")
    environment.prepare_interop(venv)
    assert commands.run == []
    monkeypatch.setattr(environment, "PYSCARD", tmp_path)
    environment.prepare_interop(venv)
    environment.prepare_interop(venv)
    made, filled = commands.run
    assert made.startswith("/usr/bin/python3 -m venv")
    assert f"--python {venv}/bin/python install" in filled
    assert "--no-deps --require-hashes --only-binary :all: -r requirements/interop.txt" in filled
    commands.run.clear()
    lock.write_text("emv==2")
    environment.prepare_interop(venv)
    assert len(commands.run) == 2


def test_the_servers_to_measure_with_have_one_too(project: Path, commands: Commands) -> None:
    """On the Python that runs the rest, with all that they ask for."""
    (project / "requirements" / "peers.txt").write_text("privacyidea==1")
    venv = project / ".cache" / "peers"
    environment.prepare_peers(venv)
    environment.prepare_peers(venv)
    made, filled = commands.run
    assert made == f"{sys.executable} -m venv --clear --without-pip {venv}"
    assert "--no-deps" not in filled
    assert "--require-hashes --only-binary :all: -r requirements/peers.txt" in filled


@pytest.mark.parametrize("purpose", environment.LOCKS)
def test_a_lock_names_no_host(purpose: str) -> None:
    """Where packages come from is the machine's to know (docs/decisions/0008)."""
    assert "://" not in (_ROOT / environment.LOCKS[purpose]).read_text(encoding="utf-8")
