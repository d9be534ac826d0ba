"""Servers that are killed, clients that try again: every answer is explained by the model.

docs/explanation/how-we-try-to-make-a-code-pass-twice.md tells how to read a failure.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.history import runs
from tests.history.checker import Summary, check

_KEPT = Path(__file__).parent.parent.parent / ".cache" / "soak"
_SEEDS = range(1, 9)
_KILLS = 26  # for each seed


async def test_a_few_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as the soak, for a moment."""
    summary = check(await runs.with_kills(tmp_path, seed=0, kills=6))
    with capsys.disabled():
        print(f"\nseed 0: {summary}")  # noqa: T201 -- what a failure would be looked up by
    assert summary.kills == 6
    assert summary.answers["accepted"] > 10


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_hundreds_of_kills(capsys: pytest.CaptureFixture[str]) -> None:
    """At least two hundred kills over several seeds; what cannot be explained stays to look at."""
    total = Summary()
    for seed in _SEEDS:
        with _kept_if_unexplained(_KEPT / f"seed-{seed}") as folder:
            summary = check(await runs.with_kills(folder, seed, kills=_KILLS))
        with capsys.disabled():
            print(f"\nseed {seed}: {summary}")  # noqa: T201 -- likewise
        total += summary
    with capsys.disabled():
        print(f"\nall seeds: {total}")  # noqa: T201 -- likewise
    assert total.kills >= 200
    assert total.took_effect > 0  # or the kills never met an answer on its way


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_the_program_as_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    """`sesame serve` with several workers, under the design's own limits."""
    with _kept_if_unexplained(_KEPT / "program") as folder:
        summary = check(await runs.with_kills_of_the_program(folder, seed=1, kills=18))
    with capsys.disabled():
        print(f"\nthe program: {summary}")  # noqa: T201 -- likewise
    assert summary.kills == 18


@contextmanager
def _kept_if_unexplained(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)
