"""`sesame plan`: what a choice of bits comes to, in words, for a program and as a drawing."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sesame.cli.main import main

_FEW = ("--customers", "90")
_SVG = "{http://www.w3.org/2000/svg}"


def test_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """French first; the numbers that the documents name."""
    monkeypatch.setenv("LC_ALL", "fr")
    assert main(["plan", *_FEW]) == 0
    said = capsys.readouterr().out
    assert "8 du compteur, 17 du cryptogramme, 1 sans secret. Fenêtre\u00a0: 255." in said
    assert "1 sur 131\u202f072" in said
    assert "1 sur 14\u202f564" in said
    assert len([line for line in said.splitlines() if line.startswith("→")]) == 1


def test_in_english(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it."""
    monkeypatch.setenv("LC_ALL", "en")
    assert main(["plan", *_FEW, "--window", "300"]) == 0
    said = capsys.readouterr().out
    assert "8 of the counter, 17 of the cryptogram, 1 no secret. Window: 300." in said
    assert "1 in 65,536" in said  # two ATCs of such a window share their bits
    assert "2 counters at once" in said
    assert "Guessing" in said
    assert not {"fenêtre", "compteur", "sur"} & set(said.lower().split())


def test_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers, and the same again from the same seed."""
    assert main(["plan", *_FEW, "--json", "--profile", "sesame-card-2", "--cards", "2"]) == 0
    first = capsys.readouterr().out
    plan = json.loads(first)
    assert plan["layout"] == {
        "other_bits": 1,
        "atc_bits": 5,
        "ac_bits": 20,
        "window": 31,
        "variants": 1,
        "candidates": 1,
    }
    assert plan["guessing"]["a_try"] == pytest.approx(2 * 2**-20, rel=1e-5)
    assert plan["campaigns"]["hour"]["until_pressed"] == 1590
    assert plan["campaigns"]["hour"]["lucky"] == pytest.approx(
        plan["campaigns"]["hour"]["guesses"] * 2 * 2**-20, rel=1e-5
    )
    assert plan["out_of_step"]["customers"] == 90
    assert [other["atc_bits"] for other in plan["others"]] == list(range(1, 10))
    main(["plan", *_FEW, "--json", "--profile", "sesame-card-2", "--cards", "2"])
    assert capsys.readouterr().out == first
    main(["plan", *_FEW, "--json", "--profile", "sesame-card-2", "--cards", "2", "--seed", "2"])
    assert json.loads(capsys.readouterr().out)["out_of_step"] != plan["out_of_step"]


def test_another_bitmap(capsys: pytest.CaptureFixture[str]) -> None:
    """Before any card has it."""
    assert main(["plan", *_FEW, "--json", "--bitmap", "80007F000000000003FFFF"]) == 0
    layout = json.loads(capsys.readouterr().out)["layout"]
    assert (layout["atc_bits"], layout["ac_bits"], layout["window"]) == (7, 18, 127)


def test_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two curves, told apart by their strokes, with a name for who cannot see them."""
    path = tmp_path / "the choice.svg"
    assert main(["plan", *_FEW, "--plot", str(path)]) == 0
    assert str(path) in capsys.readouterr().err
    root = ET.parse(path).getroot()  # noqa: S314 -- our own
    assert root.get("role") == "img"
    assert root.findtext(f"{_SVG}title")
    first, second = root.findall(f"{_SVG}polyline")
    assert first.get("stroke-dasharray") != second.get("stroke-dasharray")
    assert len(str(first.get("points")).split()) == len(str(second.get("points")).split()) == 9
    texts = {element.text for element in root.iter(f"{_SVG}text")}
    assert {str(bits) for bits in range(1, 10)} <= texts


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bitmap", "80GG"], "hexadécimal"),
        (["--bitmap", "8000000000000000FFFFFF"], "no bit of the ATC"),
        (["--window", "0"], "de 1 à 65535"),
        (["--window", "70000"], "de 1 à 65535"),
        (["--customers", "0"], "clients"),
        (["--cards", "3"], "une ou deux"),
        (["--logins", "0"], "connexions par jour\u00a0: de 0.001 à 100"),
        (["--logins", "nan"], "de 0.001 à 100"),
        (["--logins", "1e-310"], "de 0.001 à 100"),
        (["--logins", "-0.3"], "de 0.001 à 100"),
        (["--logins", "inf"], "de 0.001 à 100"),
        (["--payments", "-1"], "de 0 à 100"),
        (["--payments", "nan"], "de 0 à 100"),
        (["--unused", "inf"], "de 0 à 100"),
        (["--plot", "/nowhere/at/all.svg"], "ne peut y être écrit"),
    ],
)
def test_what_makes_no_plan(
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says what, and leaves nothing behind."""
    monkeypatch.setenv("LC_ALL", "fr")
    assert main(["plan", *_FEW, *arguments]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_the_fewest_logins(capsys: pytest.CaptureFixture[str]) -> None:
    """Once in three years is a plan still."""
    assert main(["plan", *_FEW, "--logins", "0.001", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out_of_step"]["customers"] == 90


def test_a_disk_that_fills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is there all the same, and a drawing that cannot be written is told."""
    monkeypatch.setenv("LC_ALL", "fr")
    disk = tmp_path / "full"
    disk.symlink_to("/dev/full")
    assert main(["plan", *_FEW, "--plot", str(disk)]) == 1
    said = capsys.readouterr()
    assert "Bits du code" in said.out
    assert f"{disk}\u00a0: le dessin ne peut y être écrit (No space left on device)." in said.err
