"""Bring a database to this program's schema.

The migrations stand in `migrations/versions`; each docstring says what and why.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
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
from sesame.store.engine import answered, database_path, open_engine
from sesame.store.errors import SchemaMismatch, StoreUnavailable
from sesame.store.metadata import METADATA


def migrate(url: str) -> None:
    """Create the database of *url* or take it to the newest schema; a new file has mode 0600.

    Raises:
        SchemaMismatch: a later version of this program made it.
        StoreUnavailable: the file cannot be made or written, or is no database.
    """
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
            config = _config()
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise SchemaMismatch(
                    f"the database {path.name} was made by a later version of this program: "
                    "install that one; the file was left as it is"
                ) from None
    finally:
        engine.dispose()


def erase(connection: Connection) -> None:
    """Empty every table; a demonstration begins again with it."""
    for table in METADATA.sorted_tables:
        connection.execute(delete(table))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
