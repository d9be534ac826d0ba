"""The bench of letters, in small."""

import subprocess
import sys

from bench.letters import letters
from sesame.postal import LetterFormat


def test_a_small_batch_is_measured() -> None:
    """Time, size and memory, and it is gone afterwards."""
    told = subprocess.run(
        [sys.executable, "-m", "bench.letters", "--letters", "12"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert told.startswith("12 PIN letters: ")
    assert "MB after a tenth" in told
    assert "destroyed in" in told


def test_letters_are_unlike_each_other() -> None:
    """Large ones among them, and no pattern twice."""
    some = list(letters(20))
    assert {letter.to.format for letter in some} == set(LetterFormat)
    assert len({letter.pattern for letter in some}) == len(some)
