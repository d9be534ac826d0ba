"""The results page: the tables of docs/reference/figures.md, made from one run."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.postgres import find_programs
from bench.targets import table

_ROOT = Path(__file__).parent.parent
RESULT = _ROOT / ".cache" / "figures.json"  # of the last run
PAGE = _ROOT / "docs" / "reference" / "figures.md"
KEPT = PAGE.with_suffix(".json")  # what the page was made from
_BEGIN, _END = "<!-- made by python -m bench page: begin -->\n", "<!-- end -->"
_PEERS = ("privacyidea", "django-otp", "gunicorn")
_ROUND_FROM = 100  # figures as large as this are said without decimals


def machine(load_before: float) -> dict[str, str]:
    """What one must know of the run."""
    return {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgresql": _postgresql(),
        "peers": _peers((_ROOT / "requirements" / "peers.txt").read_text(encoding="utf-8")),
        "load_before": f"{load_before:.1f}",
    }


def keep(figures: Mapping[str, float], about: Mapping[str, str]) -> None:
    """Write the run down, for the page to be made from it."""
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"about": about, "figures": figures}, indent=1) + "\n")


def write() -> None:
    """Make the page's tables from the last run, and keep that run beside the page."""
    run = RESULT.read_text()
    KEPT.write_text(run)
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8"), json.loads(run)), encoding="utf-8")


def made(page: str, run: Mapping[str, Any]) -> str:
    """The *page* with the tables of *run*."""
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    section = _section(run["figures"], run["about"], run.get("apart", {}))
    return f"{before}{_BEGIN}{section}{_END}{after}"


def _section(
    figures: Mapping[str, float], about: Mapping[str, str], apart: Mapping[str, Collection[str]]
) -> str:
    """*apart* are the names of figures of other runs, by the program that made each run."""
    run = (
        f"Run of {about['day']}: {about['processor']}, {about['cores']} cores; Python "
        f"{about['python']}, {about['postgresql']}, {about['peers']}; load average before it "
        f"{about['load_before']}."
    )
    elsewhere = {name for names in apart.values() for name in names}
    tables = [_listed("All of the run", figures, figures.keys() - elsewhere)]
    tables += [
        f"Not of this run, but of one of `{program}` by itself: within it values can be compared, "
        f"with those of the run above they cannot.\n\n{_listed('Of that run', figures, names)}"
        for program, names in apart.items()
    ]
    return f"{run}\n\n{table(figures)}\n\n" + "\n".join(tables)


def _listed(title: str, figures: Mapping[str, float], names: Collection[str]) -> str:
    rows = "".join(f"| `{name}` | {_said(figures[name])} |\n" for name in sorted(names))
    return f"| {title} | |\n|---|---|\n{rows}"


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= _ROUND_FROM else f"{value:.3g}"


def _processor() -> str:
    said = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*: (.*)$", said, re.MULTILINE)
    return model[1].strip() if model else platform.machine()


def _postgresql() -> str:
    """As it names itself: `PostgreSQL 15.18`."""
    command = [str(find_programs() / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(re.findall(r"PostgreSQL|[0-9.]+", said)[:2])


def _peers(requirements: str) -> str:
    versions = dict(re.findall(r"^([a-z-]+)==([0-9.]+)", requirements, re.MULTILINE))
    return ", ".join(f"{name} {versions[name]}" for name in _PEERS)
