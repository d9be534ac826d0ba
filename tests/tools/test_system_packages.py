"""What the tests meet beyond Python: found by its proof, installed by root, else named."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import system_packages
from tools.system_packages import SystemPackage


@pytest.mark.parametrize(
    ("proof", "present"),
    [
        ("sh", True),
        ("no-such-program", False),
        ("/", True),
        ("/no/such/file", False),
        ("python:json", True),
        ("python:no_such_module", False),
    ],
)
def test_a_package_is_known_by_its_proof(proof: str, *, present: bool) -> None:
    """A program, a file or a module: whoever installed it."""
    assert SystemPackage("x", proof, "nothing").present is present


def test_the_list_has_three_columns(tmp_path: Path) -> None:
    """Name, proof, and in words what is lost."""
    path = tmp_path / "system.txt"
    path.write_text("# a comment\n\nchromium   chromium   the browser tests are skipped\n")
    assert system_packages.read_list(path) == [
        SystemPackage("chromium", "chromium", "the browser tests are skipped")
    ]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """One package is missing, apt-get is there; gives the commands that are run."""
    package = SystemPackage("chromium", "/no/such/file", "the browser tests are skipped")
    monkeypatch.setattr(system_packages, "read_list", lambda: [package])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def as_user(number: int) -> Callable[[], int]:
    """Stands in for `os.geteuid`."""
    return lambda: number


def test_root_installs(monkeypatch: pytest.MonkeyPatch, missing: list[list[str]]) -> None:
    """The list of packages is fetched once, then all that is missing comes at once."""
    monkeypatch.setattr(os, "geteuid", as_user(0))
    assert system_packages.main() == 0
    assert [command[:2] for command in missing] == [["apt-get", "update"], ["apt-get", "install"]]
    assert missing[1][-1] == "chromium"


def test_anybody_else_is_told_the_line(
    monkeypatch: pytest.MonkeyPatch, missing: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line to run, and what is skipped until then."""
    monkeypatch.setattr(os, "geteuid", as_user(1000))
    assert system_packages.main() == 0
    assert missing == []
    said = capsys.readouterr().out
    assert "sudo apt-get install --yes --no-install-recommends chromium" in said
    assert "the browser tests are skipped" in said
