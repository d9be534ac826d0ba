"""`make test` fails when a branch of a pure core was not reached, and names it."""

from pathlib import Path
from typing import Any

import pytest

from tools.pure_cores import unreached


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one file."""
    (tmp_path / "core.py").write_text("def decide(): ...\n")
    return tmp_path


def region(lines: list[int], branches: list[list[int]]) -> dict[str, Any]:
    """One file or function in coverage's JSON report."""
    return {"missing_lines": lines, "missing_branches": branches}


def test_a_file_fully_reached_is_silent(root: Path) -> None:
    """Nothing missing, nothing said."""
    cores = {"files": ["*.py"], "functions": []}
    assert not list(unreached(root, cores, {"core.py": region([], [])}))


def test_lines_and_branches_are_named(root: Path) -> None:
    """By file and line; a branch by both its ends."""
    cores = {"files": ["*.py"], "functions": []}
    measured = {"core.py": region([7], [[3, 7], [9, -1]])}
    assert list(unreached(root, cores, measured)) == [
        "core.py: line 7 was never reached",
        "core.py: the branch from line 3 to line 7 was never taken",
        "core.py: the branch from line 9 to the end was never taken",
    ]


def test_of_a_mixed_file_one_function_can_be_the_core(root: Path) -> None:
    """What stands around the function may do I/O and is not held to 100 %."""
    cores = {"files": [], "functions": ["core.py:decide"]}
    measured = {"core.py": region([2, 30], []) | {"functions": {"decide": region([2], [])}}}
    assert list(unreached(root, cores, measured)) == ["core.py:decide: line 2 was never reached"]


@pytest.mark.parametrize(
    "cores",
    [
        {"files": ["moved.py"], "functions": []},
        {"files": ["core.py"], "functions": []},
        {"files": [], "functions": ["core.py:renamed"]},
    ],
)
def test_a_core_that_moved_or_never_ran_is_no_success(
    root: Path, cores: dict[str, list[str]]
) -> None:
    """A pattern without a file, a file without a measurement, a function that is not there."""
    assert len(list(unreached(root, cores, {}))) == 1
