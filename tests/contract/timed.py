"""A server whose answers say how long they took, for tests/contract/test_times.py.

Its access is never suspended, so that thousands of refusals can be measured; and it can be told
to be slower for one cause, so that the measurement can be measured.
"""

import gc
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sesame.app import utc_now
from sesame.bank import verification
from sesame.bank.bank import Bank
from sesame.bank.limits import Limits
from sesame.bank.matching import Verdict
from sesame.bank.verification import Reading
from tests.bank.branch import open_bank
from tests.portal.besieged import doors_of

DATABASE, DELAY = "SESAME_TEST_DATABASE", "SESAME_TEST_DELAY"
TOOK = "x-took"  # nanoseconds
_PLAIN = Limits()
# No failure changes what the next one meets.
NEVER_SUSPENDED = replace(
    _PLAIN,
    open_side=replace(_PLAIN.open_side, tries=10_000),
    pressed_for=timedelta(0),
    hour_floor=10**9,
    day_floor=10**9,
    source=None,
)


def application() -> ASGIApp:
    """On the database and with the delay (microseconds) that the environment names."""
    bank = replace(
        open_bank(Path(os.environ[DATABASE]), name="timed", limits=NEVER_SUSPENDED), now=utc_now
    )
    delay = int(os.environ.get(DELAY, "0"))
    if delay:
        _be_slower_for_nobody(delay)
    doors = doors_of(bank)
    gc.freeze()

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter_ns()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = str(time.perf_counter_ns() - start).encode()
                message["headers"] = [*message["headers"], (TOOK.encode(), took)]
            await send(message)

        await doors(scope, receive, note)

    return timed


def _be_slower_for_nobody(microseconds: int) -> None:
    """As a forgotten shortcut would be, the other way round."""
    right = verification._judge  # noqa: SLF001 -- the delay is planted there

    async def judge(bank: Bank, reading: Reading, code: object) -> Verdict:
        if not reading.access.enrolled:
            until = time.perf_counter_ns() + 1000 * microseconds
            while time.perf_counter_ns() < until:
                pass
        return await right(bank, reading, code)  # type: ignore[arg-type] # handed on

    verification._judge = judge  # noqa: SLF001 -- likewise
