"""The floor of the store does as much as ours."""

import sqlite3
from pathlib import Path

from bench.floor import LINE
from bench.login import Supply, in_process
from bench.population import Premises, populate


async def test_its_lines_are_as_long_as_ours(tmp_path: Path) -> None:
    """Give or take the digits of counters: those of codes that were accepted."""
    premises = Premises.on_sqlite(tmp_path)
    supply = Supply(await populate(premises, 20))
    await in_process(premises, supply, largest_group=64, attempts=300)
    lines = sqlite3.connect(tmp_path / "bank.db").execute(
        "SELECT length(line) FROM audit_lines WHERE version > 1"
    )
    assert all(abs(length - LINE) <= 4 for (length,) in lines)
