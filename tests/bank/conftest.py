"""A bank with three customers for each test: enrolled once, then copied."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sesame.store.schema import migrate
from tests.bank.branch import Branch, enrol_everybody, open_bank


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with everybody in it; to be copied, not used."""
    path = tmp_path_factory.mktemp("enrolled") / "sesame.db"
    migrate(f"sqlite:///{path}")

    async def fill() -> None:
        bank = open_bank(path, name="enrolment")
        await enrol_everybody(bank)
        await bank.store.close()

    asyncio.run(fill())
    return path


@pytest.fixture
def path(enrolled: Path, tmp_path: Path) -> Path:
    """The file of a bank of one's own, in a folder with a space in its name."""
    folder = tmp_path / "the bank"
    folder.mkdir()
    return Path(shutil.copy(enrolled, folder / "sesame.db"))


@pytest.fixture
async def branch(path: Path) -> AsyncIterator[Branch]:
    """That bank, opened."""
    bank = open_bank(path)
    yield Branch(path, bank)
    await bank.store.close()
