"""An import in a process of its own, which can be killed, and whose memory can be measured.

    importer.py URL FILE

It prints how many rows were enrolled, there, and refused; and its memory after a quarter of the
file and at the end, in KiB.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from sesame.bank.bank import Bank
from sesame.bank.customer_file import FileFormat, Problem
from sesame.bank.importing import Counts, Import
from sesame.custody.custodian import KeyRef
from tests.bank.branch import open_bank


def an_import(bank: Bank, problems: list[Problem], *, keep: bool = True) -> Import:
    """An import by Ann into *bank*, which puts into *problems* what it is told."""
    return Import(bank=bank, keys={1: KeyRef("dpa-01")}, by="Ann", keep=keep, tell=problems.append)


async def _import(url: str, path: Path) -> None:
    bank = open_bank(url, name="importer")
    quarters: list[int] = []
    with path.open("rb") as file:

        def after(_: Counts) -> None:
            if file.tell() > path.stat().st_size / 4 and not quarters:
                quarters.append(_memory())

        counts = await replace(an_import(bank, []), after=after).read(file, FileFormat.CSV)
    memory = (*quarters, _memory())
    await bank.store.close()
    print(counts.enrolled, counts.there, counts.refused, *memory)  # noqa: T201 -- for the test


def _memory() -> int:
    """What is in memory of this process, as Linux says (proc(5))."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    asyncio.run(_import(sys.argv[1], Path(sys.argv[2])))
