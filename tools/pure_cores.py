"""Fail when a test run left a line or branch of a pure core unreached.

Which files and functions those are stands in pyproject.toml, under [tool.sesame.pure-cores].
Reads what the last `coverage run` measured.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPORT = ".cache/coverage/report.json"


def main() -> int:
    """Print what is unreached, one place a line. 1 if there is any."""
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", REPORT]
    subprocess.run(command, cwd=ROOT, check=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    cores = settings["tool"]["sesame"]["pure-cores"]
    measured = json.loads((ROOT / REPORT).read_text(encoding="utf-8"))["files"]
    problems = list(unreached(ROOT, cores, measured))
    for problem in problems:
        print(problem)
    if not problems:
        print("Every branch of the pure cores was reached.")
    return 1 if problems else 0


def unreached(root: Path, cores: dict[str, list[str]], measured: dict[str, Any]) -> Iterator[str]:
    """What of *cores* the measurement missed, or does not know.

    Args:
        root: the project's folder, which the patterns of *cores* start from.
        cores: `files`, patterns of paths; `functions`, each `path:name`.
        measured: the files of coverage's JSON report, by path.
    """
    for pattern in cores["files"]:
        paths = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
        if not paths:
            yield f"{pattern}: no such file; has it moved? Then pyproject.toml must follow."
        for path in paths:
            yield from _missing(path, measured.get(path))
    for place in cores["functions"]:
        path, _, name = place.partition(":")
        functions = measured.get(path, {}).get("functions", {})
        yield from _missing(place, functions.get(name))


def _missing(place: str, region: dict[str, Any] | None) -> Iterator[str]:
    """The unreached lines and branches of one file or function."""
    if region is None:
        yield f"{place}: was not measured; is it still there, and does a test import it?"
        return
    for line in region["missing_lines"]:
        yield f"{place}: line {line} was never reached"
    for start, end in region["missing_branches"]:
        to = f"line {end}" if end > 0 else "the end"
        yield f"{place}: the branch from line {start} to {to} was never taken"


if __name__ == "__main__":
    sys.exit(main())
