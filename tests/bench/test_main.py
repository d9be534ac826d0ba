"""The command that measures: what it keeps, and what it refuses to begin."""

import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench import crypto, growth, hsm, page, side_by_side, simulation

Figures = dict[str, float]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the last run is kept; all that a run would measure takes no time."""
    monkeypatch.setattr(page, "RESULT", tmp_path / "cache" / "figures.json")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(crypto, "measure", lambda: {"crypto_over_pyemv": 0.25})
    monkeypatch.setattr(hsm, "measure", dict)
    monkeypatch.setattr(simulation, "measure", lambda: {"simulated_per_second": 900.0})
    monkeypatch.setattr(side_by_side, "measure", lambda _: {"over_privacyidea_8": 150.0})
    return page.RESULT


def _run(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, grow: Callable[[int], Figures] | None = None
) -> None:
    """The command with *arguments*; without *grow* it may measure nothing of growth."""
    monkeypatch.setattr(growth, "measure", grow or (lambda _: pytest.fail("it was begun")))
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    command.main()


def test_a_growth_that_fails_costs_no_figure_of_the_peers(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are kept for the page, and printed."""

    def grow(_cards: int) -> Figures:
        raise RuntimeError("no more room")

    with pytest.raises(RuntimeError, match="no more room"):
        _run(monkeypatch, "peers", grow=grow)
    assert json.loads(kept.read_text())["figures"] == {
        "crypto_over_pyemv": 0.25,
        "simulated_per_second": 900.0,
        "over_privacyidea_8": 150.0,
    }
    assert "| ÷ privacyIDEA, 8 clients | 150 | 100 | 200 | must |" in capsys.readouterr().out


def test_a_run_ends_with_all_its_figures_on_one_line(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the growth with the others."""
    _run(monkeypatch, "peers", grow=lambda cards: {"cards": float(cards)})
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["figures"] == json.loads(kept.read_text())["figures"]
    names = {"crypto_over_pyemv", "simulated_per_second", "over_privacyidea_8", "cards"}
    assert set(last["figures"]) == names


def test_on_sqlite_nothing_grows(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So its room and its size do not matter."""
    _run(monkeypatch, "peers", "--store", "sqlite", "--cards", "1")
    assert "over_privacyidea_8" in json.loads(kept.read_text())["figures"]


@pytest.mark.parametrize("cards", ["1000", "1", "-5"])
@pytest.mark.parametrize("what", ["growth", "peers"])
def test_a_growth_to_nothing_larger_is_refused(
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
    cards: str,
) -> None:
    """Its ratio would be of a bank by itself. Nothing is begun."""
    with pytest.raises(SystemExit):
        _run(monkeypatch, what, "--cards", cards)
    assert "against 1000 cards; ask for more" in capsys.readouterr().err
    assert not kept.exists()


@pytest.mark.parametrize(("free", "enough"), [(43_999_999_999, False), (45_000_000_000, True)])
def test_room_on_the_disk_is_looked_for_first(
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free: int,
    *,
    enough: bool,
) -> None:
    """Ten million cards, and the smaller banks beside them, want 44.4 GB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    asked = ("peers", "--cards", "10000000")
    if enough:
        _run(monkeypatch, *asked, grow=lambda _: {"cards": 1.0})
        return
    with pytest.raises(SystemExit):
        _run(monkeypatch, *asked)
    said = capsys.readouterr().err
    assert "take 44.4 GB in" in said
    assert "0.4 GB more than are free" in said
    assert not kept.exists()


@pytest.mark.parametrize(("free", "cards"), [(45_000_000_000, 10**7), (5_000_000_000, 10**5)])
def test_it_grows_as_far_as_there_is_room(
    kept: Path, monkeypatch: pytest.MonkeyPatch, free: int, cards: int
) -> None:
    """To the ten million, or to what a small disk holds."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    _run(monkeypatch, "peers", grow=lambda asked: {"cards": float(asked)})
    assert json.loads(kept.read_text())["figures"]["cards"] == cards


def test_where_there_is_no_room_at_all(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What even the smaller one lacks is said."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(SystemExit):
        _run(monkeypatch, "peers")
    assert "100000 cards take 4.4 GB" in capsys.readouterr().err
    assert not kept.exists()
