"""`sesame simulate`: in words, for a program, as a drawing; and what it says of a fault."""

import json
import re
import resource
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sesame.bank import verification
from sesame.cli import simulate as command
from sesame.cli.drawing import write_drawing
from sesame.cli.inputs import Unusable
from sesame.cli.main import main
from sesame.simulation.model import Rule
from sesame.simulation.plan import Plan
from sesame.simulation.world import Violation

_FEW = ("--customers", "20", "--days", "8", "--seed", "7", "--processes", "1")
_SVG = "{http://www.w3.org/2000/svg}"


def test_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """French first; how fast it was stands apart, for it is never the same."""
    monkeypatch.setenv("LC_ALL", "fr")
    assert main(["simulate", *_FEW]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("20 clients, 8 jours, graine 7\u00a0: ")
    (refused,) = [line for line in said.out.splitlines() if line.startswith("    refusés")]
    assert refused.split()[-1] == "0"
    assert "connexions simulées par seconde" in said.err
    assert "par seconde" not in said.out


def test_in_english(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it."""
    monkeypatch.setenv("LC_ALL", "en")
    assert main(["simulate", *_FEW]) == 0
    said = capsys.readouterr().out.lower()
    assert said.startswith("20 customers, 8 days, seed 7")
    assert not {"codes", "la", "refusés", "carte", "guichet"} & set(said.split()) - {"codes"}


def test_for_a_program_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes each time; the weeks add up to the whole."""
    monkeypatch.setenv("LC_ALL", "fr")
    paths = [tmp_path / "a year.svg", tmp_path / "again.svg"]
    said = []
    for path in paths:
        assert main(["simulate", *_FEW, "--json", "--plot", str(path)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    run = json.loads(said[0])
    assert (run["customers"], run["days"], run["seed"]) == (20, 8, 7)
    assert len(run["weeks"]) == 2
    for name, times in run["total"].items():
        assert sum(week.get(name, 0) for week in run["weeks"]) == times
    root = ET.parse(paths[0]).getroot()  # noqa: S314 -- our own
    assert root.get("role") == "img"
    lines = root.findall(f".//{_SVG}polyline")
    assert len(lines) == 3 + 2 + 3 + 2
    assert all(len(str(line.get("points")).split()) == 2 for line in lines)
    panels = root.findall(f".//{_SVG}g[@transform]")
    for panel in panels:
        strokes = [line.get("stroke-dasharray") for line in panel.findall(f"{_SVG}polyline")]
        assert len(set(strokes)) == len(strokes)
    assert len(panels) == 4


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_fault_is_told_as_a_story(
    language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule, the seed, and a few lines that somebody can follow."""
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setattr(verification, "after_failure", lambda state, *_: state)
    assert main(["simulate", *_FEW]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 7
    assert "invariant 2" in lines[0]
    assert "7" in lines[1]
    expected = {"fr": "mal tapé", "en": "mistyped"}
    assert any(expected[language] in line or "devin" in line or "guess" in line for line in lines)


def test_a_fault_leaves_no_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an empty one either; what was drawn before stays as it is."""

    def simulate(plan: Plan, **_: object) -> None:
        raise Violation(Rule.COST, "", who=1, at=plan.ends)

    monkeypatch.setattr(command, "simulate", simulate)
    new, old = tmp_path / "new.svg", tmp_path / "old.svg"
    old.write_text("<svg/>")
    for path in (new, old):
        assert main(["simulate", *_FEW, "--plot", str(path)]) == 3
    assert not new.exists()
    assert old.read_text() == "<svg/>"


def test_a_disk_that_fills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The year's table is printed all the same; half a drawing is not left."""
    monkeypatch.setenv("LC_ALL", "fr")
    asked = ["simulate", *_FEW, "--plot"]
    assert main([*asked, "/dev/full"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("20 clients, 8 jours, graine 7")
    assert "/dev/full\u00a0: le dessin ne peut y être écrit (No space left on device)." in said.err

    half = tmp_path / "half.svg"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fills(path: Path, drawing: str) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))  # bytes of a file
        try:
            write_drawing(path, drawing)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    monkeypatch.setattr(command, "write_drawing", fills)
    assert main([*asked, str(half)]) == 1
    half_said = capsys.readouterr()
    assert half_said.out == said.out
    assert "half.svg\u00a0: le dessin ne peut y être écrit (File too large)." in half_said.err
    assert not half.exists()


def test_what_cannot_be_opened_stays(tmp_path: Path) -> None:
    """Nothing of it is taken away; a program that runs is such a file, to root as well."""
    runs = tmp_path / "runs.svg"
    shutil.copy("/bin/sleep", runs)
    before = runs.read_bytes()
    with subprocess.Popen([runs, "60"]) as program:
        with pytest.raises(Unusable, match=re.escape(f"{runs}\u00a0: ")):
            write_drawing(runs, "<svg/>")
        program.kill()
    assert runs.read_bytes() == before


def test_a_fault_without_a_story(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told all the same."""
    monkeypatch.setenv("LC_ALL", "fr")

    def simulate(plan: Plan, **_: object) -> None:
        raise Violation(Rule.COST, "", who=1, at=plan.ends)

    monkeypatch.setattr(command, "simulate", simulate)
    assert main(["simulate", *_FEW]) == 3
    said = capsys.readouterr().out
    assert "invariant 10" in said
    assert "code utilisateur seul" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--customers", "0"], "--customers\u00a0: de 1 à"),
        (["--days", "0"], "--days\u00a0: de 1 à"),
        (["--days", "100000"], "--days\u00a0: de 1 à"),
        (["--processes", "0"], "--processes\u00a0: de 1 à"),
        (["--plot", "/nowhere/at/all.svg"], "ne peut y être écrit"),
    ],
)
def test_what_makes_no_bank(
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says what, and leaves nothing behind."""
    monkeypatch.setenv("LC_ALL", "fr")
    assert main(["simulate", *_FEW, *arguments]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out
