"""Servers and databases that are killed, clients that try again: the model explains every answer.

docs/explanation/how-we-try-to-make-a-code-pass-twice.md tells how to read a failure.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.history import runs
from tests.history.checker import Summary, check
from tests.history.stages import STAGES

_KEPT = Path(__file__).parent.parent.parent / ".cache" / "soak"
_MINUTES = float(os.environ.get("SOAK_MINUTES") or 0)  # that a soak lasts at least, on all stages

_ON = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.needs("postgresql")),
    pytest.param("pair", marks=pytest.mark.needs("postgresql")),
]
_SERVERS = {"sqlite": 3, "postgresql": 8, "pair": 8}
_A_FEW = {"sqlite": 6, "postgresql": 12, "pair": 12}  # everything once, servers as often
_SEEDS = {"sqlite": 8, "postgresql": 4, "pair": 4}
_KILLS = 26  # for each seed


@pytest.mark.parametrize("stage", _ON)
async def test_a_few_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str) -> None:
    """The same as the soak, for a moment."""
    history = await runs.with_kills(
        tmp_path, seed=0, kills=_A_FEW[stage], stage=STAGES[stage], count=_SERVERS[stage]
    )
    summary = check(history)
    with capsys.disabled():
        print(f"\n{stage}, seed 0: {summary}")  # noqa: T201 -- what a failure would be looked up by
    assert summary.kills + summary.befell.total() == _A_FEW[stage]
    assert summary.kills == (6 if stage != "sqlite" else _A_FEW[stage])
    assert summary.answers["accepted"] > 0
    assert summary.pages[200] > 0


@pytest.mark.soak
@pytest.mark.timeout(1800 + 60 * _MINUTES)
@pytest.mark.parametrize("stage", _ON)
async def test_hundreds_of_kills(capsys: pytest.CaptureFixture[str], stage: str) -> None:
    """Several seeds, and more for as long as was told; every other one sets clocks.

    What cannot be explained stays to look at.
    """
    total = Summary()
    seed = 0
    until = time.monotonic() + 60 * _MINUTES / len(_ON)
    while seed < _SEEDS[stage] or time.monotonic() < until:
        seed += 1
        with _kept_if_unexplained(_KEPT / f"{stage}-{seed}") as folder:
            history = await runs.with_kills(
                folder,
                seed,
                kills=_KILLS,
                stage=STAGES[stage],
                count=_SERVERS[stage],
                clocks=seed % 2 == 0,
            )
            summary = check(history)
        with capsys.disabled():
            print(f"\n{stage}, seed {seed}: {summary}")  # noqa: T201 -- likewise
        total += summary
    with capsys.disabled():
        print(f"\n{stage}, all {seed} seeds: {total}")  # noqa: T201 -- likewise
    assert total.kills + total.befell.total() >= _SEEDS[stage] * _KILLS
    assert total.took_effect > 0  # or the kills never met an answer on its way


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("stage", _ON)
async def test_the_program_as_it_is_installed(
    capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    """`sesame serve` with several workers, under the design's own limits."""
    with _kept_if_unexplained(_KEPT / f"program-{stage}") as folder:
        history = await runs.with_kills_of_the_program(
            folder, seed=1, kills=18, stage=STAGES[stage]
        )
        summary = check(history)
    with capsys.disabled():
        print(f"\nthe program, {stage}: {summary}")  # noqa: T201 -- likewise
    assert summary.kills + summary.befell.total() == 18


@contextmanager
def _kept_if_unexplained(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)
