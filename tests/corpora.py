"""Corpora of the coverage-guided searches (`tests.fuzz`): what one search found, tests repeat.

One input a line, hexadecimal: what a search needed to reach every place that it could, and what
ever broke a rule.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECONDS = int(os.environ.get("SESAME_FUZZ_SECONDS", "120"))


atheris_is_there = pytest.mark.skipif(
    sys.platform != "linux", reason="atheris has wheels for Linux only"
)


def read_corpus(path: Path) -> list[bytes]:
    """Its inputs; none where there is no such file yet."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def search(name: str, folder: Path) -> None:
    """Search for `SECONDS`, from the corpus on.

    Raises:
        AssertionError: something was found; what it is stands in *folder*.
    """
    command = [sys.executable, "-m", "tests.fuzz", "search", name, str(folder / "corpus")]
    limits = [f"-max_total_time={SECONDS}", "-timeout=10", "-print_final_stats=1"]
    searched = subprocess.run(
        [*command, *limits, f"-artifact_prefix={folder}/found-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert searched.returncode == 0, searched.stdout[-4000:] + searched.stderr[-4000:]
    assert "stat::number_of_executed_units" in searched.stderr
