"""The results page: the tables of docs/reference/figures.md, made from one run."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.targets import table

_ROOT = Path(__file__).parent.parent
RESULT = _ROOT / ".cache" / "figures.json"  # of the last run
PAGE = _ROOT / "docs" / "reference" / "figures.md"
_BEGIN, _END = "<!-- made by python -m bench page: begin -->\n", "<!-- end -->"


def machine(load_before: float) -> dict[str, str]:
    """What one must know of the run."""
    return {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "load_before": f"{load_before:.1f}",
    }


def keep(figures: Mapping[str, float], about: Mapping[str, str]) -> None:
    """Write the run down, for the page to be made from it."""
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"about": about, "figures": figures}, indent=1))


def write() -> None:
    """Make the page's tables from the last run."""
    run = json.loads(RESULT.read_text())
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    made = _section(run["figures"], run["about"])
    PAGE.write_text(f"{before}{_BEGIN}{made}{_END}{after}", encoding="utf-8")


def _section(figures: Mapping[str, float], about: Mapping[str, str]) -> str:
    run = (
        f"Run of {about['day']}: {about['cores']} cores, Python {about['python']}, "
        f"load average before it {about['load_before']}."
    )
    rows = "\n".join(f"| `{name}` | {value:,.4g} |" for name, value in sorted(figures.items()))
    return f"{run}\n\n{table(figures)}\n\n| All of the run | |\n|---|---|\n{rows}\n"
