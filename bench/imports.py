"""The import of existing customers, measured: 200,000 rows on SQLite and on PostgreSQL.

    python -m bench.imports                                both, with 200,000 rows: minutes
    python -m bench.imports --rows 20000 --store sqlite

It is `sesame customers import` itself, in a process of its own, keys in a keystore: once as a
rehearsal, once keeping without one (`--skip-broken`), once more with everybody there already.
A third of the rows has a bank card, a third is to get a Sésame card and a generated user code, a
third has the old code alone. Its memory is looked at ten times a second; afterwards all audit
chains are checked. It ends with one line of JSON.
"""

import argparse
import asyncio
import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.places import STORES, premises_on
from bench.population import Premises, found, new_customer, open_population_bank, settings_file
from sesame.bank.auditing import audit
from sesame.bank.customer_file import CUSTOMERS
from sesame.bank.old_code import OldCode, OldCodes

_ROWS = 200_000
_LOOK = 0.1  # seconds between two looks at the memory
_PORT = 1  # of the settings, which nobody listens on


class NotMeasured(RuntimeError):
    """The import did not do what was to be measured; with what it said."""


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports")
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--store", choices=STORES, action="append")
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    for store in asked.store or STORES:
        for name, value in measure(store, asked.rows).items():
            figures[f"{store}_{name}"] = value
            print(f"{store} {name:32} {value:12,.1f}", flush=True)
    print(json.dumps({"rows": asked.rows, "figures": figures}))


def measure(store: str, rows: int) -> dict[str, float]:
    """The rates in rows a second, processor time a row, and the memory in MB."""
    with premises_on(store) as premises:
        folder = premises.folder
        asyncio.run(found(premises))
        settings = settings_file(premises, port=_PORT, largest_group=64)
        file = folder / "customers.csv"
        write_rows(file, rows)
        figures: dict[str, float] = {"file_mb": file.stat().st_size / 1e6}
        for name, options in (
            ("rehearsed", ["--dry-run"]),
            ("enrolled", ["--skip-broken", "--user-codes", str(folder / "codes.csv")]),
            ("there", ["--skip-broken", "--user-codes", str(folder / "again.csv")]),
        ):
            command = [sys.executable, "-m", "sesame", "customers", "import", str(file)]
            command += ["--settings", str(settings), "--by", "bench", *options]
            seconds, busy, first, most = _run(command, rows)
            figures[f"{name}_per_second"] = rows / seconds
            figures[f"{name}_us_of_processor"] = busy / rows * 1e6
            figures[f"{name}_memory_mb"] = most
            figures[f"{name}_memory_growth_mb"] = most - first
        figures |= asyncio.run(_checked(premises, rows))
        return figures


def write_rows(path: Path, number: int) -> None:
    """A file of so many customers, of three kinds in turn."""
    old_code = OldCodes().hash(OldCode("tilleul-1971"))  # one for all: it is not computed again
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CUSTOMERS.fields, restval="")
        writer.writeheader()
        for place in range(number):
            customer = new_customer(place)
            (card,) = customer.cards
            row = {
                "user_code": customer.user_code,
                "name": f"Camille Martin-Lefèvre {place}",
                "line_2": "Appartement 4",
                "line_4": f"{place} rue des Tilleuls",
                "postcode": "75011",
                "city": "PARIS",
                "old_code_hash": old_code,
            }
            bank = {"pan": card.record.pan.digits, "psn": card.record.psn, "dki": "01"}
            writer.writerow(
                (
                    row | bank | {"card_kind": "bank"},
                    row | {"card_kind": "sesame", "user_code": "", "reference": f"R{place}"},
                    row | {"card_kind": "none"},
                )[place % 3]
            )


def _run(command: Sequence[str], rows: int) -> tuple[float, float, float, float]:
    """The seconds that *command* took, those of a processor, its memory (MB) early, and at most."""
    started, before = time.perf_counter(), _busy()
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        looks = []
        while process.poll() is None:
            looks.append(_memory(process.pid))
            time.sleep(_LOOK)
        seconds = time.perf_counter() - started
        said = process.stdout.read() if process.stdout else ""
    if process.returncode or f"{rows:,}" not in said:
        raise NotMeasured(said)
    return seconds, _busy() - before, looks[len(looks) // 4], max(looks)


def _busy() -> float:
    """Seconds of a processor that children which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: int) -> float:
    """MB in memory of process *pid* (proc(5)); 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    _, _, size = status.partition("VmRSS:")
    return int(size.split()[0]) / 1e3 if size else 0.0


async def _checked(premises: Premises, rows: int) -> dict[str, float]:
    """Read all chains, which must be whole."""
    bank = open_population_bank(premises)
    started = time.perf_counter()
    report = await audit(bank.store, None)
    seconds = time.perf_counter() - started
    await bank.store.close()
    if report.customers != rows or report.findings:
        raise NotMeasured(f"{report.customers} customers, {len(report.findings)} findings")
    return {"chains_checked_per_second": rows / seconds}


if __name__ == "__main__":
    main()
