"""A server process of its own, reduced to the bank: it signs Vera in, and can be killed.

    racer.py URL NAME crowd ATC NUMBER   NUMBER attempts at once with the code of one ATC
    racer.py URL NAME one-by-one         a code after the other, for ever
    racer.py URL NAME mute ATC           one code: it says that it is committed, and no more

It waits for a line on its standard input, and prints what became of each attempt.
"""

import asyncio
import sys
from collections import Counter
from itertools import count

from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits
from sesame.bank.verification import verify_login
from sesame.store.steps import Fate, Step
from tests.bank.branch import VERA, Branch, attempt, open_bank


async def crowd(branch: Branch, atc: int, number: int) -> None:
    """Print how often each outcome was given."""
    code = VERA.card.code(atc)

    async def one(browser: int) -> str:
        seed = browser.to_bytes(32)
        try:
            form = attempt(VERA.user_code, code, id=ids(branch), session_seed=seed)
            return type(await verify_login(branch.bank, form)).__name__
        except TooBusy:
            return "TooBusy"

    outcomes = Counter(await asyncio.gather(*map(one, range(number))))
    for outcome, times in outcomes.items():
        print(outcome, times, flush=True)  # noqa: T201 -- for the test that started us


async def one_by_one(branch: Branch) -> None:
    """Print each ATC once its code was accepted."""
    for atc in count(1):
        outcome = await verify_login(
            branch.bank, attempt(VERA.user_code, VERA.card.code(atc), id=ids(branch))
        )
        print(type(outcome).__name__, atc, flush=True)  # noqa: T201 -- likewise


async def mute(branch: Branch, atc: int) -> None:
    """Print « committed » once the step is, and never what became of it."""
    swap_access = branch.bank.store.swap_access

    async def swap(step: Step) -> Fate:
        assert await swap_access(step) is Fate.WON
        print("committed", flush=True)  # noqa: T201 -- likewise
        await asyncio.Event().wait()
        return Fate.WON

    branch.bank.store.swap_access = swap  # type: ignore[method-assign]  # of this one
    code = VERA.card.code(atc)
    await verify_login(branch.bank, attempt(VERA.user_code, code, id=ids(branch)))


def ids(branch: Branch) -> bytes:
    """An attempt's id that no other process has."""
    return branch.bank.random_bytes(16)


async def main(url: str, name: str, what: str, *numbers: str) -> None:
    """Open the bank, wait for the start, race."""
    branch = Branch(url, open_bank(url, name=name, limits=Limits(waiting=1000)))
    await branch.bank.store.read_access(VERA.user_code)
    print("ready", flush=True)  # noqa: T201 -- likewise
    sys.stdin.readline()
    if what == "crowd":
        await crowd(branch, *map(int, numbers))
    elif what == "mute":
        await mute(branch, *map(int, numbers))
    else:
        await one_by_one(branch)
    await branch.bank.store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
