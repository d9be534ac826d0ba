"""`bench.imports`, in small: what it measures is done, and it says so if not."""

import sys

import pytest

from bench import imports
from bench.imports import NotMeasured, measure


def test_figures_of_an_import() -> None:
    """Rates of all three, and memory that stays."""
    figures = measure("sqlite", 600)
    for name in ("rehearsed", "enrolled", "there"):
        assert figures[f"{name}_per_second"] > 50
        assert 20 < figures[f"{name}_memory_mb"] < 400
    assert figures["chains_checked_per_second"] > 0


def test_what_was_not_done_is_no_figure() -> None:
    """An import that failed, or of other rows."""
    with pytest.raises(NotMeasured, match="no"):
        imports._run([sys.executable, "-c", "print('no'); exit(1)"], 3)  # noqa: SLF001 -- in small
    with pytest.raises(NotMeasured):
        imports._run([sys.executable, "-c", "print('2 rows')"], 3)  # noqa: SLF001 -- likewise
