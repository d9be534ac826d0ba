"""What it costs to have the keys in a process of their own, beside the same bank with them here.

Both banks are on one database and take turns; each figure is the median of its rounds' ratios. A
process more wants a core more: where the machine has two, the load generator has what is left.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.login import (
    ATTEMPTS,
    CUSTOMERS,
    GROUP,
    ROUNDS,
    Supply,
    accept_by_form,
    accept_by_json,
    in_process,
    serving,
)
from bench.population import (
    Premises,
    custody_settings_file,
    open_population_bank,
    populate,
)
from bench.servers import Server, running
from sesame.cap.token import Code
from sesame.custody.custodian import Custodian, Inquiry

_CLIENTS = 32
_INQUIRIES = 2000


def measure() -> dict[str, float]:
    """Run all rounds and give the figures."""
    folder = Path(tempfile.mkdtemp(prefix="sesame bench "))
    try:
        return uvloop.run(_measure(folder))
    finally:
        shutil.rmtree(folder)


async def _measure(folder: Path) -> dict[str, float]:
    here = Premises.on_sqlite(folder)
    supply = Supply(await populate(here, CUSTOMERS))
    apart = replace(here, custody=folder / "custody.sock")
    rounds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> float:
        rounds.setdefault(name, []).append(value)
        return value

    with custody_process(apart), serving(here) as port, serving(apart) as apart_port:
        for _ in range(ROUNDS):
            inside = await in_process(here, supply, largest_group=GROUP)
            outside = await in_process(apart, supply, largest_group=GROUP)
            note("apart_in_process_per_second", outside.rate)
            note("apart_over_in_process", outside.rate / inside.rate)
            json = await accept_by_json(port, supply.take(ATTEMPTS), _CLIENTS)
            json_apart = await accept_by_json(apart_port, supply.take(ATTEMPTS), _CLIENTS)
            note("apart_http_over_here_32", json_apart.rate / json.rate)
            form = await accept_by_form(port, supply.take(ATTEMPTS // 3), _CLIENTS)
            form_apart = await accept_by_form(apart_port, supply.take(ATTEMPTS // 3), _CLIENTS)
            note("apart_form_over_here_32", form_apart / form)
            alone = await _match_alone(here)
            note("match_alone_us", alone)
            note("apart_match_alone_us", await _match_alone(apart))
    return {name: statistics.median(values) for name, values in rounds.items()}


async def _match_alone(premises: Premises) -> float:
    """Microseconds of one inquiry, asked by one caller who waits for each."""
    bank = open_population_bank(premises)
    await _ask(bank.custodian, _INQUIRIES // 10)
    spent = await _ask(bank.custodian, _INQUIRIES)
    await bank.custodian.close()
    await bank.store.close()
    return spent / _INQUIRIES * 1e6


async def _ask(custodian: Custodian, times: int) -> float:
    inquiry = [Inquiry(Code("34334243"))]
    started_at = time.perf_counter()
    for _ in range(times):
        await custodian.match(inquiry)
    return time.perf_counter() - started_at


@contextmanager
def custody_process(premises: Premises) -> Iterator[Server]:
    """`sesame custody serve` for *premises*, from when it answers."""
    if premises.custody is None:
        raise ValueError("these premises have their keys in the bank's own process")
    settings = custody_settings_file(premises)
    command = [sys.executable, "-m", "sesame", "custody", "serve", "--settings", str(settings)]
    with running(command, premises.custody) as server:
        yield server


if __name__ == "__main__":
    for figure, value in measure().items():
        print(f"{figure:40} {value:12,.3f}")
