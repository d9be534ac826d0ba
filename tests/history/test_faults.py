"""The checker finds each fault that is planted, names an attempt, and says why."""

import re
from pathlib import Path

import pytest

from tests.history import runs
from tests.history.checker import History, Unexplained, check
from tests.history.faults import FAULTS

_SEED = 1
# How often every client comes: what was not met in a short run is looked for in a longer one.
_STEPS = (6, 12, 24, 48)
_ATTEMPT = re.compile(r"attempt [0-9a-f]{32}")

# What an explanation may turn upon: a fault shows in more than one way, and which one comes
# first is the machine's affair.
_BECAUSE = {
    "window-off-by-one": r"beyond the window.*the model refuses \((wrong|used)\)|refuses \(wrong\)",
    "used-code-accepted": r"accepted twice|the model refuses \((used|overtaken)\)|repeats",
    "try-not-counted": r"six judged failures|failures in a row|judges nothing|repeats",
    "suspension-ends-early": r"six judged failures|judges nothing|the model \w+.*open side",
    "no-suspension-for-known": r"six judged failures|judges nothing",
    "device-ignored": r"known device",
    "sides-confused": r"six judged failures|failures in a row|judges nothing",
    "two-codes-not-asked": r"asks for two codes|the model refuses \(wrong\)",
    "double-click-judged-twice": r"repeats « accepted »",
    "refusal-counted-twice": r"repeats « refused »",
    "swap-without-guard": r"something with status 500",
    "swap-without-guard-nor-key": r"chain is broken|no client sent|the model|no line|twice",
    "both-guards-gone": r"chain is broken|accepted twice|the model|no line explains it",
    "old-code-kept": r"the old code is there|the model refuses \(wrong\)|known device",
    "answer-before-commit": r"accepted twice|the model|no line explains it",
    "commit-forgotten": r"accepted twice|the model|no line explains it",
    "session-not-opened": r"sessions for \d+ accepted attempts",
    "stale-read": r"six judged failures|the model",
}


async def _run(folder: Path, steps: int, fault: str | None) -> History:
    return await runs.in_process(_new(folder / str(steps)), _SEED, steps=steps, fault=fault)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_without_a_fault_all_is_explained(tmp_path: Path) -> None:
    """The same seed, at a bank that is as it should be."""
    summary = check(await _run(tmp_path, _STEPS[1], None))
    assert {"accepted", "refused", "suspended"} <= set(summary.answers)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    """With an attempt to look for and the reason."""
    for steps in _STEPS:
        try:
            check(await _run(tmp_path, steps, fault))
        except Unexplained as found:
            said = str(found)
            assert _ATTEMPT.search(said), said
            assert re.search(_BECAUSE[fault], said, re.DOTALL), said
            return
    pytest.fail(f"{fault} was not found")


async def test_an_answer_before_its_commit_is_found_by_kills(tmp_path: Path) -> None:
    """At servers of their own: what was answered and died with its server is missed."""
    with pytest.raises(Unexplained, match=_ATTEMPT):
        check(await runs.with_kills(tmp_path, _SEED, kills=3, fault="answer-before-commit"))
