"""A database of either kind, as a test looks at it from outside the store under test.

What a test asks here goes through the source's own drivers, on a loop in a thread of its own, so
that a test may ask while it runs in a loop and while it does not.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, inspect, text

from sesame.store.access import Access, AccessQuestion
from sesame.store.engine import Database, Store, database_path, open_database, open_store
from sesame.store.options import StoreOptions
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
Where = Path | str  # a file of SQLite, or a URL
# A machine under load is slow for a while; tests of times that run out bring their own.
UNHURRIED = StoreOptions(connect_timeout=60, statement_timeout=60, lock_timeout=60)


def url_of(where: Where) -> str:
    """The URL of a database."""
    return f"sqlite:///{where}" if isinstance(where, Path) else where


class Place:
    """The database of *url*."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._database = open_database(url, replace(UNHURRIED, pool_size=8))

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.partition(":")[0].partition("+")[0]

    @property
    def path(self) -> Path:
        """The file, of SQLite."""
        return database_path(self.url)

    @property
    def database(self) -> Database:
        """What takes single groups."""
        return self._database

    def open_store(self, options: StoreOptions | None = None) -> Store:
        """A store under test."""
        return open_store(self.url, options or StoreOptions())

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """What comes of *work*, which runs beside the test."""
        return asyncio.run_coroutine_threadsafe(work, _loop()).result()

    def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* in a transaction."""
        return self.run(self._database.write(change))

    def execute(self, statement: str, *values: object) -> list[Row]:
        """Run one statement, with `?` for each of *values*, and return its rows."""
        names = [f"value_{place}" for place in range(len(values))]
        first, *others = statement.split("?")
        named = first + "".join(f":{n}{part}" for n, part in zip(names, others, strict=True))

        def run(connection: Connection) -> list[Row]:
            found = connection.execute(text(named), dict(zip(names, values, strict=True)))
            return [tuple(row) for row in found] if found.returns_rows else []

        return self.write(run)

    def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """The rows of one group."""
        return self.run(self._database.read_group(asked))

    def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        """What becomes of the steps of one group; those that it leaves over are taken alone."""

        async def swap() -> list[Fate]:
            fates = []
            for step, fate in zip(steps, await self._database.swap_group(steps), strict=True):
                if isinstance(fate, Exception):
                    raise fate
                held_up = fate is Fate.HELD_UP
                fates.append(await self._database.swap_alone(step) if held_up else fate)
            return fates

        return self.run(swap())

    def everything(self) -> dict[str, list[Row]]:
        """All rows of all tables."""

        def look(connection: Connection) -> dict[str, list[Row]]:
            names = inspect(connection).get_table_names()
            return {
                name: [
                    tuple(row)
                    for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2, 3"))  # noqa: S608 -- the schema's own names
                ]
                for name in names
                if name != "alembic_version"
            }

        return self.write(look)

    def row_of(self, user_code: str) -> dict[str, Any]:
        """The access row of *user_code*, by column; empty where there is none."""

        def look(connection: Connection) -> dict[str, Any]:
            query = text("SELECT * FROM access WHERE user_code = :user_code")
            row = connection.execute(query, {"user_code": user_code}).mappings().first()
            return dict(row) if row else {}

        return self.write(look)

    def last_atcs(self, user_code: str) -> list[int]:
        """The last ATC of each card of *user_code*."""
        query = "SELECT last_atc FROM cards WHERE user_code = ? ORDER BY card_number"
        return [atc for (atc,) in self.execute(query, user_code)]

    def close(self) -> None:
        """Let go of it."""
        self.run(self._database.close())


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that opens no transaction by itself."""
    return sqlite3.connect(path, isolation_level=None)


@lru_cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="places").start()
    return loop
