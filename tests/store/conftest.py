"""A fresh database for each test: migrated once, then copied."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sesame.store.engine import Store
from sesame.store.schema import migrate


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows; to be copied, not used."""
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
async def store(path: Path) -> AsyncIterator[Store]:
    """A store on that file."""
    store = Store(path)
    yield store
    await store.close()
