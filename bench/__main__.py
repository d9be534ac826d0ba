"""Every figure of this repository.

    python -m bench                            what needs no other server: `make bench`
    python -m bench peers [--store sqlite]     beside PostgreSQL's floor and other servers, then
          [--cards 100000]                     the growth, to ten million: `make bench-peers`
    python -m bench growth [--cards 100000]    the growth alone
    python -m bench page                       docs/reference/figures.md from the last `peers`

A measurement wants the machine for itself. It ends with one line of JSON. Absolute rates are
this machine's, with the load generator on it; only the ratios say something elsewhere.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping

from bench import apart, crypto, growth, hsm, login, page, side_by_side, simulation
from bench.targets import table

_WHAT = ("alone", "peers", "growth", "page")
_BUSY = 0.5  # load average from which a figure says little


def main() -> None:
    """Measure, and print a line a figure; or make the page."""
    asked = _asked()
    if asked.what == "page":
        page.write()
        return
    # Stopped from outside, it still stops what it started and takes away what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load = os.getloadavg()[0]
    if load > _BUSY:
        print(f"Something else runs on this machine (load average {load:.1f}): figures will be off")
    about = page.machine(load)
    figures: dict[str, float] = {}
    for part in _parts(asked):
        figures |= part()
        # At once: the next part takes long, and may not come to its end.
        if asked.what == "peers":
            page.keep(figures, about)
        _tell(figures, targets=asked.what != "alone")
    print(json.dumps({"figures": figures}))


def _asked() -> argparse.Namespace:
    """The command line; growth that cannot be is refused before anything is started."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("what", nargs="?", choices=_WHAT, default="alone")
    parser.add_argument("--store", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--cards", type=int, help="how far growth goes; as far as there is room")
    asked = parser.parse_args()
    if _grows(asked):
        if asked.cards is None:
            asked.cards = growth.farthest()
        try:
            growth.check(asked.cards)
        except growth.CannotGrow as error:
            parser.error(str(error))
    return asked


def _grows(asked: argparse.Namespace) -> bool:
    return asked.what == "growth" or (asked.what, asked.store) == ("peers", "postgresql")


def _parts(asked: argparse.Namespace) -> Iterator[Callable[[], dict[str, float]]]:
    if asked.what == "alone":
        yield lambda: crypto.measure() | simulation.measure()
        yield lambda: login.measure() | apart.measure()
    if asked.what == "peers":
        yield lambda: crypto.measure() | simulation.measure()
        yield lambda: hsm.measure() | side_by_side.measure(asked.store)
    if _grows(asked):
        yield lambda: growth.measure(asked.cards)


def _tell(figures: Mapping[str, float], *, targets: bool) -> None:
    for name, value in figures.items():
        print(f"{name:40} {value:12,.3f}")
    if targets:
        print("\nNo limit by source address is on: the load comes from one address.\n")
        print(table(figures), flush=True)


if __name__ == "__main__":
    main()
