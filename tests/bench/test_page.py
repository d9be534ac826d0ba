"""The results page says what was measured, and nothing else."""

import json

import pytest

from bench.page import KEPT, PAGE, machine, made
from bench.targets import TARGETS

_ABOUT = ("day", "processor", "cores", "python", "postgresql", "peers", "load_before")


def test_it_is_made_from_the_run_beside_it() -> None:
    """Nobody wrote into its tables, and no run was kept without them."""
    page = PAGE.read_text(encoding="utf-8")
    assert made(page, json.loads(KEPT.read_text(encoding="utf-8"))) == page


def test_its_numbers_are_read_easily() -> None:
    """Rates without decimals, ratios with three digits."""
    about = dict.fromkeys(_ABOUT, "that")
    page = made(PAGE.read_text(encoding="utf-8"), {"about": about, "figures": _FIGURES})
    assert "| `floor_per_second` | 14,523 |" in page
    assert "| grouped commits ÷ one commit each, 32 clients | 2.35 | 2 | 3 | must |" in page
    assert page.count("not measured") == len(TARGETS) - 1


def test_what_another_run_found_stands_apart() -> None:
    """Under the program that found it, and never beside what it cannot be compared with."""
    about = dict.fromkeys(_ABOUT, "that")
    run = {"about": about, "apart": {"bench/hsm.py": ["hsm_pair_ms"]}}
    page = made(PAGE.read_text(encoding="utf-8"), {**run, "figures": _FIGURES | {"hsm_pair_ms": 9}})
    whole, said, apart = page.partition("Not of this run, but of one of `bench/hsm.py` by itself")
    assert said
    assert "| `floor_per_second` | 14,523 |" in whole
    assert "`hsm_pair_ms` |" not in whole
    assert "| `hsm_pair_ms` | 9 |" in apart


_FIGURES = {"floor_per_second": 14523.4, "grouped_over_single_32": 2.3456}


@pytest.mark.needs("postgresql")
def test_what_is_said_of_the_machine() -> None:
    """Enough to know what was measured on what."""
    about = machine(0.04)
    assert tuple(about) == _ABOUT
    assert about["postgresql"].startswith("PostgreSQL 1")
    assert about["peers"].startswith("privacyidea 3.")
    assert about["load_before"] == "0.0"
