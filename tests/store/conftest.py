"""A fresh database for each test, of either kind: migrated once, then copied or emptied."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sesame.store.engine import Store
from sesame.store.schema import erase, migrate
from tests.places import Place


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file without rows; to be copied, not used."""
    path = tmp_path_factory.mktemp("empty") / "sesame.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def path(empty_database: Path, tmp_path: Path) -> Path:
    """The file of a database without rows, in a folder with a space in its name."""
    folder = tmp_path / "the bank"
    folder.mkdir()
    return Path(shutil.copy(empty_database, folder / "sesame.db"))


@pytest.fixture
def file(path: Path) -> Iterator[Place]:
    """That file."""
    place = Place(f"sqlite:///{path}")
    yield place
    place.close()


@pytest.fixture
def server(migrated_server: Place) -> Place:
    """That database, without rows."""
    migrated_server.write(erase)
    return migrated_server


@pytest.fixture(
    params=["file", pytest.param("server", marks=pytest.mark.needs("postgresql"))],
    ids=["sqlite", "postgresql"],
)
def place(request: pytest.FixtureRequest) -> Place:
    """A database without rows, of one kind and then of the other."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """A store on that database."""
    store = place.open_store()
    yield store
    await store.close()
