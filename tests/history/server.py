"""`sesame serve` on the checker's bank, in a process of its own that can be killed.

    python -m tests.history.server FOLDER PORT [--fault NAME]

The same application behind the same server as in production, but for what is no setting and
shall never be one: limits with short suspensions, and old codes that cost little to check.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from sesame import app
from sesame.bank.bank import Bank
from sesame.cli.serve import listen, serve
from sesame.custody.custodian import Custodian
from sesame.settings import Settings, read_settings
from sesame.store.engine import Store
from sesame.store.steps import Fate, Step
from tests.bank.branch import quick_old_codes
from tests.history import town
from tests.history.faults import planted

_PAUSE = 0.06  # seconds at most


def run(folder: Path, port: int, fault: str | None = None) -> None:
    """Serve the bank in *folder* until a signal ends it."""
    path = town.settings(folder, port)
    with (
        planted(fault),
        patch.object(Store, "swap_access", _slowly(Store.swap_access)),
        patch.object(app, "open_bank", _with_short_suspensions(app.open_bank)),
    ):
        serve(path, read_settings(path), listen("127.0.0.1", port))


def _with_short_suspensions(open_bank: Callable[[Settings, Custodian], Bank]) -> object:
    def open_another(settings: Settings, custodian: Custodian) -> Bank:
        bank = open_bank(settings, custodian)
        return replace(bank, limits=town.SHORT, old_codes=quick_old_codes())

    return open_another


def _slowly(swap_access: Callable[[Store, Step], Awaitable[Fate]]) -> object:
    """The same commits, now and then with a pause before anybody is told.

    No fault: a machine may be slow there, and whoever kills it then has taken an answer away
    whose effect stands.
    """

    async def swap(store: Store, step: Step) -> Fate:
        fate = await swap_access(store, step)
        if step.line.salt[0] % 4 == 0:
            await asyncio.sleep(step.line.salt[1] / 256 * _PAUSE)
        return fate

    return swap


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--fault")
    said = parser.parse_args(arguments)
    run(said.folder, said.port, said.fault)


if __name__ == "__main__":
    main()
