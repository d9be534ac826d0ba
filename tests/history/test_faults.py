"""The checker finds each fault that is planted, names an attempt, and says why."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.history import runs
from tests.history.checker import Summary, Unexplained, check
from tests.history.faults import FAULTS, OF_KILLS
from tests.history.stages import STAGES
from tests.postgresql import Cluster

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


# Of those that stand in the store, what each commit of `make test` looks for on PostgreSQL.
_IN_SIGHT = ("used-code-accepted", "swap-without-guard", "both-guards-gone", "session-not-opened")
_IN_THE_STORE = (
    "try-not-counted",
    "double-click-judged-twice",
    "swap-without-guard-nor-key",
    "old-code-kept",
    "answer-before-commit",
    "commit-forgotten",
    "stale-read",
)

Summed = Callable[[int, str | None], Awaitable[Summary]]


@pytest.fixture(
    params=["file", pytest.param("server", marks=pytest.mark.needs("postgresql"))],
    ids=["sqlite", "postgresql"],
)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Summed:
    """A run of so many steps with a fault, checked, on a new database of either kind."""

    async def run(steps: int, fault: str | None) -> Summary:
        folder = tmp_path / str(steps)
        folder.mkdir()
        url = None
        if request.param == "server":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = cluster.url(cluster.new_database())
        return check(await runs.in_process(folder, _SEED, steps=steps, fault=fault, url=url))

    return run


async def test_without_a_fault_all_is_explained(run: Summed) -> None:
    """The same seed, at a bank that is as it should be."""
    summary = await run(_STEPS[1], None)
    assert {"accepted", "refused", "suspended"} <= set(summary.answers)


async def _is_found(run: Summed, fault: str) -> None:
    for steps in _STEPS:
        try:
            await run(steps, fault)
        except Unexplained as found:
            said = str(found)
            assert _ATTEMPT.search(said), said
            assert re.search(_BECAUSE[fault], said, re.DOTALL), said
            return
    pytest.fail(f"{fault} was not found")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("run", ["file"], indirect=True, ids=["sqlite"])
async def test_a_planted_fault_is_found(run: Summed, fault: str) -> None:
    """With an attempt to look for and the reason."""
    await _is_found(run, fault)


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize(
    "fault",
    [*_IN_SIGHT, *(pytest.param(fault, marks=pytest.mark.soak) for fault in _IN_THE_STORE)],
)
@pytest.mark.parametrize("run", ["server"], indirect=True, ids=["postgresql"])
async def test_a_fault_of_the_store_is_found_on_postgresql(run: Summed, fault: str) -> None:
    """Likewise, by the statements of the other database."""
    await _is_found(run, fault)


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("fault", OF_KILLS)
@pytest.mark.parametrize("stage", ["postgresql", pytest.param("pair", marks=pytest.mark.soak)])
async def test_a_forgotten_login_is_found_by_kills_of_the_database(
    tmp_path: Path, stage: str, fault: str
) -> None:
    """What was answered and died with its database, or was not on its standby, is missed."""

    async def until_it_shows() -> None:
        for seed in range(3):
            folder = tmp_path / str(seed)
            folder.mkdir()
            check(await runs.with_kills(folder, seed, kills=9, stage=STAGES[stage], fault=fault))

    with pytest.raises(Unexplained, match=_ATTEMPT):
        await until_it_shows()


async def test_an_answer_before_its_commit_is_found_by_kills(tmp_path: Path) -> None:
    """At servers of their own: what was answered and died with its server is missed."""
    with pytest.raises(Unexplained, match=_ATTEMPT):
        check(await runs.with_kills(tmp_path, _SEED, kills=3, fault="answer-before-commit"))
