"""`sesame serve` on the checker's bank, in a process of its own that can be killed.

The same application behind the same server as in production, but for what is no setting and
shall never be one: limits with short suspensions, and old codes that cost little to check.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from ctypes import c_longlong
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from sesame import app
from sesame.app import utc_now
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


def run(settings: Path, clock: c_longlong, fault: str | None = None) -> None:
    """Serve the bank of *settings* until a signal ends it, by a clock that is wrong by *clock*."""
    said = read_settings(settings)
    # What it warns of stands beside the run; a database that is killed gives much to say.
    with (settings.parent / "servers.txt").open("a", encoding="utf-8") as output:
        os.dup2(output.fileno(), sys.stderr.fileno())
    with (
        planted(fault),
        patch.object(Store, "swap_access", _slowly(Store.swap_access)),
        patch.object(app, "open_bank", _with_short_suspensions(app.open_bank, clock)),
    ):
        serve(settings, said, listen("127.0.0.1", said.port))


def _with_short_suspensions(
    open_bank: Callable[[Settings, Custodian], Bank], clock: c_longlong
) -> object:
    def now() -> datetime:
        return utc_now() + timedelta(microseconds=clock.value)

    def open_another(settings: Settings, custodian: Custodian) -> Bank:
        bank = open_bank(settings, custodian)
        return replace(bank, now=now, limits=town.SHORT, old_codes=quick_old_codes())

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
