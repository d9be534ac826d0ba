"""Many attempts at once, in several processes and threads, on one database.

What is stated here holds for any order in which they happen to come through.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits, SideLimits
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from tests.bank.branch import NINE, NOBODY, VERA, Branch, attempt, open_bank
from tests.bank.stranger import chain_is_whole
from tests.places import Where, url_of

_ROOT = Path(__file__).parent.parent.parent
_PATIENT = Limits(waiting=1000)


class Racer:
    """A process that waits for its start."""

    def __init__(self, where: Where, name: str, *what: object) -> None:
        command = [sys.executable, "-m", "tests.bank.racer", url_of(where), name, *map(str, what)]
        self.process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def said(self) -> IO[str]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def start(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.communicate()


async def test_one_of_a_hundred_gets_in(branch: Branch) -> None:
    """One fresh code, a hundred browsers, four processes: one accepted, however they race."""
    racers = [Racer(branch.where, f"process {n}", "crowd", 1, 25) for n in range(4)]
    try:
        for racer in racers:
            assert racer.said.readline() == "ready\n"
        for racer in racers:
            racer.start()
        outcomes: Counter[str] = Counter()
        for racer in racers:
            for outcome, times in (line.split() for line in racer.said):
                outcomes[outcome] += int(times)
            assert racer.process.wait() == 0
    finally:
        for racer in racers:
            racer.close()
    assert outcomes["Accepted"] == 1
    assert outcomes.total() == 100
    assert set(outcomes) <= {"Accepted", "Refused", "Suspended", "TooBusy"}
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    # One accepted, three refused, and then a suspension; the enrolment stands before them.
    assert [json.loads(line)["cause"] for _, line, _ in lines[1:]] == ["", *["used"] * 3]
    assert branch.last_atcs(VERA) == [1]
    assert len(branch.rows("SELECT * FROM sessions")) == 1


async def test_a_killed_process_gives_no_code_back(branch: Branch) -> None:
    """Kill −9 in the middle of logins: what was answered stands, and the file is whole."""
    with closing(Racer(branch.where, "killed", "one-by-one")) as racer:
        assert racer.said.readline() == "ready\n"
        racer.start()
        accepted = [racer.said.readline() for _ in range(25)]
        racer.process.kill()
        accepted += racer.said.readlines()
    atcs = [int(line.removeprefix("Accepted ")) for line in accepted if line.endswith("\n")]
    assert len(atcs) >= 25
    if branch.place.kind == "sqlite":
        assert branch.rows("PRAGMA integrity_check") == [("ok",)]
    (last,) = branch.last_atcs(VERA)
    # One more than was heard of at most: its answer died with the process.
    assert last in {atcs[-1], atcs[-1] + 1}
    assert chain_is_whole(*await branch.chain(VERA))
    for atc in atcs[-2:]:
        assert await branch.login(VERA, VERA.card.code(atc)) == Refused()
    assert isinstance(await branch.login(VERA, VERA.card.code(atcs[-1] + 2)), Accepted)


# ── In threads, each with a bank and an event loop of its own ────────────────────────────────────


def in_threads(
    where: Where, limits: Limits, work: Sequence[Callable[[Branch], Awaitable[None]]]
) -> None:
    """Do each part of *work* at a bank of its own, all at once."""

    async def at_a_bank(name: str, part: Callable[[Branch], Awaitable[None]]) -> None:
        branch = Branch(where, open_bank(where, name=name, limits=limits))
        await part(branch)
        await branch.bank.store.close()

    with ThreadPoolExecutor(len(work)) as threads:
        running = [
            threads.submit(asyncio.run, at_a_bank(f"thread {n}", part))
            for n, part in enumerate(work)
        ]
    for thread in running:
        thread.result()


def judged(branch: Branch, user_code: UserCode) -> list[dict[str, Any]]:
    """The lines of judged attempts."""
    table = "stranger_lines" if user_code == NOBODY else "audit_lines"
    rows = branch.rows(
        f"SELECT line FROM {table} WHERE user_code = ? ORDER BY version",  # noqa: S608 -- two names
        user_code,
    )
    lines = [json.loads(line) for (line,) in rows if isinstance(line, bytes)]
    return [line for line in lines if line["event"] == "login"]


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
def test_hundreds_of_guesses_at_once_are_three(branch: Branch, user_code: UserCode) -> None:
    """Four banks, seventy-five wrong codes each: three are judged, then all are sent away.

    And three more when the suspension is over, never four.
    """
    for round_ in range(2):

        async def guess(other: Branch, at: timedelta = timedelta(minutes=15) * round_) -> None:
            other.clock.at = NINE + at
            wrong = [VERA.card.wrong_code(1, n) for n in range(1, 76)]
            outcomes = await asyncio.gather(
                *(verify_login(other.bank, attempt(user_code, code)) for code in wrong),
                return_exceptions=True,
            )
            assert not any(isinstance(outcome, Accepted) for outcome in outcomes)
            errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert all(isinstance(error, TooBusy) for error in errors), errors

        in_threads(branch.where, _PATIENT, [guess] * 4)
        lines = judged(branch, user_code)
        assert len(lines) == 3 * (round_ + 1)
        assert [line["failures"] for line in lines[-3:]] == [1, 2, 0]


async def test_any_crowd_leaves_a_true_history(branch: Branch) -> None:
    """Right codes, old codes and guesses from three banks, with suspensions of no length.

    Every answer stands in the chain once; no ATC was accepted twice or after a higher one.
    """
    never = SideLimits(tries=3, suspensions=(timedelta(0),))
    limits = Limits(waiting=1000, lost_swaps=100, open_side=never, pressed_after=10**6, source=None)
    answers: list[tuple[str, bool]] = []  # attempt, accepted

    def part(seed: int) -> Callable[[Branch], Awaitable[None]]:
        chance = random.Random(seed)  # noqa: S311 -- the order of a test
        atcs = [chance.randint(1, 30) for _ in range(60)]

        async def work(other: Branch) -> None:
            async def one(atc: int) -> None:
                right = chance.random() < 2 / 3
                code = VERA.card.code(atc) if right else VERA.card.wrong_code(atc, 1 + atc)
                form = attempt(VERA.user_code, code)
                outcome = await verify_login(other.bank, form)
                answers.append((form.id.hex(), isinstance(outcome, Accepted)))

            await asyncio.gather(*map(one, atcs))

        return work

    in_threads(branch.where, limits, [part(seed) for seed in range(3)])
    lines = judged(branch, VERA.user_code)
    assert chain_is_whole(*await branch.chain(VERA))
    assert sorted((line["attempt"], line["outcome"] == "accepted") for line in lines) == sorted(
        answers
    )
    accepted = [line["cards"][0][2] for line in lines if line["outcome"] == "accepted"]
    assert accepted == sorted(set(accepted))
    assert branch.last_atcs(VERA) == accepted[-1:]
    assert len(accepted) > 1
