"""Bring a database to this program's schema.

The migrations stand in `migrations/versions`; each docstring says what and why.
"""

import asyncio
from functools import cache, partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, delete, text

from sesame import logs
from sesame.store import (  # noqa: F401 -- their tables
    access,
    approvals,
    audit,
    begun,
    cards,
    closures,
    customers,
    details,
    devices,
    dispatches,
    failures,
    holds,
    incarnation,
    limit_changes,
    names,
    notices,
    orders,
    readers,
    retention,
    sessions,
    sources,
    staff,
)
from sesame.store.engine import database_path, is_postgresql, postgresql
from sesame.store.errors import SchemaAhead, SchemaBehind, StoreUnavailable
from sesame.store.exclusion import be_the_only_one, hold_tables
from sesame.store.metadata import METADATA
from sesame.store.roles import WEB_ROLE, grant, may_alter_lines
from sesame.store.sqlite import answered, open_engine

NEWEST = "head"
_SCRIPTS = str(Path(__file__).parent / "migrations")


def migrate(url: str, *, to: str = NEWEST) -> None:
    """Take the database of *url* to the schema *to*; a new file of SQLite has mode 0600.

    On PostgreSQL whoever owns the tables runs it, while servers run: it keeps none waiting for
    a lock longer than a moment, and waits for its own a few seconds at most. It must not be
    called where an event loop runs.

    Raises:
        SchemaAhead: a later version of this program made it.
        StoreUnavailable: the database cannot be made or written, does not answer, or a lock
            was not to be had in time; nothing has changed then.
    """
    if is_postgresql(url):
        asyncio.run(postgresql().in_one_transaction(url, partial(_move, to=to)))
        return
    path = database_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path.name} cannot be made ({error.strerror}): "
            "check its folder and who owns it",
            reason=error.strerror,
        ) from None
    engine = open_engine(path)
    try:
        with answered(path), engine.begin() as connection:
            _move(connection, path.name, to=to)
    finally:
        engine.dispose()


def make_ready(url: str) -> None:
    """Make sure that a server finds its tables: SQLite is migrated, PostgreSQL looked at only.

    A server's role there may change rows, and no table. One that could alter audit lines is
    warned of in the log.

    Raises:
        SchemaMismatch: the schema is older or newer than this program's.
        StoreUnavailable: see `migrate`.
    """
    if is_postgresql(url):
        asyncio.run(postgresql().in_one_transaction(url, _check))
    else:
        migrate(url)


def is_current(connection: Connection) -> bool:
    """Whether the tables are those of this program, neither older nor newer."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found == _newest()


def require_current(connection: Connection, name: str = "") -> None:
    """See that the tables of the database *name* are those of this program.

    Raises:
        SchemaBehind, SchemaAhead: they are not.
    """
    if not is_current(connection):
        found = MigrationContext.configure(connection).get_current_revision()
        raise SchemaBehind(name) if found in {None, *revisions()} else SchemaAhead(name)


def write_nothing(connection: Connection) -> None:
    """Change nothing, in a way that only a database that can be written takes.

    On SQLite a page goes to the disk; on PostgreSQL a record does, that each transaction of a
    server begins with, and a server that only reads refuses the statement.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    else:
        connection.execute(delete(sessions.SESSIONS).where(sessions.SESSIONS.c.bucket < 0))


@cache
def _newest() -> str:
    return revisions()[-2]


def erase(connection: Connection) -> None:
    """Empty every table; a demonstration begins again with it, and with a life of its own."""
    for table in METADATA.sorted_tables:
        connection.execute(delete(table))
    incarnation.begin_anew(connection)


def _move(connection: Connection, name: str, *, to: str) -> None:
    """Go there or back, and give the rights that belong to it."""
    if connection.dialect.name == "postgresql":
        be_the_only_one(connection)
    config = _config(connection)
    found = MigrationContext.configure(connection).get_current_revision()
    known = revisions()[:-1]
    if connection.dialect.name == "postgresql" and found != (known[-1] if to == NEWEST else to):
        hold_tables(connection)
    back = found in known and to in known and known.index(to) < known.index(found)
    try:
        (command.downgrade if back else command.upgrade)(config, to)
    except CommandError:
        raise SchemaAhead(name) from None
    if connection.dialect.name == "postgresql":
        grant(connection)


def revisions() -> list[str]:
    """The schemas that this program knows, oldest first, and `NEWEST`."""
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    walked = ScriptDirectory.from_config(config).walk_revisions()
    return [*reversed([script.revision for script in walked]), NEWEST]


def _check(connection: Connection, name: str) -> None:
    """Whether the schema is this program's."""
    require_current(connection, name)
    if may_alter_lines(connection):
        logs.role_too_strong(name, WEB_ROLE)


def _config(connection: Connection) -> Config:
    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", _SCRIPTS)
    return config
