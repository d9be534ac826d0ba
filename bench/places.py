"""Where a measurement of one kind of database takes place."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.population import Premises
from bench.postgres import cluster

STORES = ("sqlite", "postgresql")
_DATABASE = "measured"


@contextmanager
def premises_on(store: str) -> Iterator[Premises]:
    """An empty folder, with a PostgreSQL of its own for that *store*; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sesame bench ") as name:
        folder = Path(name)
        if store == "sqlite":
            yield Premises.on_sqlite(folder)
            return
        with cluster(folder) as server:
            server.create(_DATABASE)
            yield Premises(folder, server.url(_DATABASE, "postgresql+asyncpg"))
