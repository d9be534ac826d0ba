"""On a laptop a missing peer is a skip that names it; with CI=true it is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent

_MISSING_PEER = """
import pytest

@pytest.mark.needs("chromium")
def test_pages():
    pass
"""
_SKIPPED_TEST = """
import pytest

def test_pages():
    pytest.skip("not today")
"""
_SKIPPED_FILE = """
import pytest

pytest.skip("not today", allow_module_level=True)
"""
_UNKNOWN_PEER = """
import pytest

@pytest.mark.needs("netscape")
def test_pages():
    pass
"""


def run_pytest(folder: Path, content: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as this project does on a file with *content*, with nothing on the PATH."""
    path = folder / "test_it.py"
    path.write_text(content)
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", *plugins, str(path)]
    surroundings = {name: value for name, value in os.environ.items() if name != "CI"}
    surroundings |= {"PATH": "", **environment}
    return subprocess.run(
        command, cwd=_ROOT, env=surroundings, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_MISSING_PEER, "chromium is missing"),
        (_SKIPPED_TEST, "not today"),
        (_SKIPPED_FILE, "not today"),
    ],
    ids=["peer", "test", "file"],
)
def test_a_skip_is_a_failure_in_ci_only(tmp_path: Path, content: str, reason: str) -> None:
    """Whatever skipped it: a missing peer, the test itself, or its whole file."""
    laptop = run_pytest(tmp_path, content)
    assert reason in laptop.stdout
    assert "1 skipped" in laptop.stdout
    ci = run_pytest(tmp_path, content, CI="true")
    assert ci.returncode != 0
    assert f"skipped in CI: {reason}" in ci.stdout.replace("Skipped: ", "")


def test_an_unknown_peer_is_a_failure_everywhere(tmp_path: Path) -> None:
    """A peer that requirements/system.txt does not list would never be installed."""
    laptop = run_pytest(tmp_path, _UNKNOWN_PEER)
    assert laptop.returncode != 0
    assert "netscape" in laptop.stdout
