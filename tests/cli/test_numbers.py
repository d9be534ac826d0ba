"""Whole numbers of options: within their bounds, or a sentence and status 2."""

import argparse

import pytest

from sesame.cli.main import main
from sesame.cli.numbers import HIGHEST_32, HIGHEST_64, whole


@pytest.mark.parametrize("text", ["1", " 64 ", "12"])
def test_within_its_bounds(text: str) -> None:
    """As Python reads a number."""
    assert whole(1, 64)(text) == int(text)


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "", "1.5", "inf", "nan", "9" * 5000])
def test_anything_else(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is expected."""
    monkeypatch.setenv("LC_ALL", "fr")
    with pytest.raises(argparse.ArgumentTypeError, match=r"entier est attendu, de 1 à 64$"):
        whole(1, 64)(text)


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (["audit", "evidence", "u", "t", "--version"], HIGHEST_64),
        (["audit", "lift", "u", "--", "NUMBER"], HIGHEST_32),
        (["audit", "seal", "u", "--every"], 3600),
        (["audit", "verify", "u", "--seal-within"], 366 * 24 * 60),
        (["serve", "--workers"], 64),
        (["demo", "--port"], 65535),
        (["issuing", "make", "--most"], 1_000_000),
        (["issuing", "letters", "card", "--most"], 1_000_000),
    ],
)
def test_of_each_command(
    words: list[str],
    most: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of them reaches a database, a clock or a socket with more than it takes."""
    monkeypatch.setenv("LC_ALL", "fr")
    for wrong in ("-1", f"{most + 1}", "99999999999999999999"):
        typed = f"{words[-1]}={wrong}" if words[-1].startswith("--") else wrong
        with pytest.raises(SystemExit, match=r"^2$"):
            main([*words[:-1], typed])
        assert f"un nombre entier est attendu, de 1 à {most}" in capsys.readouterr().err
