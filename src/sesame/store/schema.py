"""Bring a database to this program's schema.

The migrations stand in `migrations/versions`; each docstring says what and why.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, delete

from sesame.store import (  # noqa: F401 -- their tables
    access,
    audit,
    cards,
    customers,
    devices,
    failures,
    sessions,
)
from sesame.store.engine import database_path, is_postgresql, postgresql
from sesame.store.errors import SchemaMismatch, StoreUnavailable
from sesame.store.metadata import METADATA
from sesame.store.roles import grant
from sesame.store.sqlite import answered, open_engine


def migrate(url: str) -> None:
    """Take the database of *url* to the newest schema; a new file of SQLite has mode 0600.

    On PostgreSQL whoever owns the tables runs it, while servers run: it waits for no lock
    longer than a few seconds. It must not be called where an event loop runs.

    Raises:
        SchemaMismatch: a later version of this program made it.
        StoreUnavailable: the database cannot be made or written, does not answer, or a lock
            was not to be had in time; nothing has changed then.
    """
    if is_postgresql(url):
        asyncio.run(postgresql().in_one_transaction(url, _upgrade))
        return
    path = database_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path.name} cannot be made ({error.strerror}): "
            "check its folder and who owns it"
        ) from None
    engine = open_engine(path)
    try:
        with answered(path), engine.begin() as connection:
            _upgrade(connection, path.name)
    finally:
        engine.dispose()


def make_ready(url: str) -> None:
    """Make sure that a server finds its tables: SQLite is migrated, PostgreSQL looked at only.

    A server's role there may change rows, and no table.

    Raises:
        SchemaMismatch: the schema is older or newer than this program's.
        StoreUnavailable: see `migrate`.
    """
    if is_postgresql(url):
        asyncio.run(postgresql().in_one_transaction(url, _check))
    else:
        migrate(url)


def erase(connection: Connection) -> None:
    """Empty every table; a demonstration begins again with it."""
    for table in METADATA.sorted_tables:
        connection.execute(delete(table))


def _upgrade(connection: Connection, name: str) -> None:
    config = _config(connection)
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise _later(name) from None
    if connection.dialect.name == "postgresql":
        grant(connection)


def _check(connection: Connection, name: str) -> None:
    """Whether the schema is this program's."""
    found = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_config(connection))
    if found == scripts.get_current_head():
        return
    if found is None or found in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaMismatch(
            f"the database {name} has not the tables of this version: as the role that owns them "
            "run  sesame database migrate"
        )
    raise _later(name)


def _later(name: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database {name} was made by a later version of this program: "
        "install that one; the database was left as it is"
    )


def _config(connection: Connection) -> Config:
    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
