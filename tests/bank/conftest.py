"""A bank with three customers for each test, on a database of either kind."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sesame.store.schema import erase, migrate
from tests.bank.branch import Branch, enrol_everybody, open_bank
from tests.bank.vaults import FileVault, ServerVault, Vault
from tests.bureaux import Works, open_works
from tests.places import Place, Where, url_of
from tests.postgresql import Cluster


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with everybody in it; to be copied, not used."""
    path = tmp_path_factory.mktemp("enrolled") / "sesame.db"
    migrate(url_of(path))
    _enrol(path)
    return path


@pytest.fixture
def file(enrolled: Path, tmp_path: Path) -> Path:
    """The file of a bank of one's own, in a folder with a space in its name."""
    folder = tmp_path / "the bank"
    folder.mkdir()
    return Path(shutil.copy(enrolled, folder / "sesame.db"))


@pytest.fixture
def server(migrated_server: Place) -> str:
    """The URL of the database on the tests' PostgreSQL, with everybody in it again."""
    migrated_server.write(erase)
    _enrol(migrated_server.url)
    return migrated_server.url


@pytest.fixture(
    params=["file", pytest.param("server", marks=pytest.mark.needs("postgresql"))],
    ids=["sqlite", "postgresql"],
)
def where(request: pytest.FixtureRequest) -> Where:
    """The database of a bank of one's own, of one kind and then of the other."""
    found: Where = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def branch(where: Where) -> AsyncIterator[Branch]:
    """That bank, opened."""
    branch = Branch(where, open_bank(where))
    yield branch
    await branch.close()


@pytest.fixture
async def branch_on_file(file: Path) -> AsyncIterator[Branch]:
    """A bank on SQLite."""
    branch = Branch(file, open_bank(file))
    yield branch
    await branch.close()


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]
)
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """A database with everybody in it, which a test may put back."""
    if request.param == "sqlite":
        yield FileVault(Path(shutil.copy(request.getfixturevalue("enrolled"), tmp_path / "a.db")))
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    server = ServerVault(cluster)
    bank = open_bank(server.where, name="enrolment")

    async def fill() -> None:
        await enrol_everybody(bank)
        await bank.store.close()

    asyncio.run(fill())
    yield server
    server.drop()


def _enrol(where: Where) -> None:
    async def fill() -> None:
        bank = open_bank(where, name="enrolment")
        await enrol_everybody(bank)
        await bank.store.close()

    asyncio.run(fill())


@pytest.fixture(
    params=["file", pytest.param("server", marks=pytest.mark.needs("postgresql"))],
    ids=["sqlite", "postgresql"],
)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of one kind and then of the other."""
    if request.param == "file":
        url = f"sqlite:///{tmp_path / 'bank.db'}"
        migrate(url)
        return url
    place: Place = request.getfixturevalue("migrated_server")
    place.write(erase)
    return place.url


@pytest.fixture
async def works(empty: str, tmp_path: Path) -> AsyncIterator[Works]:
    """A bank that issues cards."""
    works = await open_works(empty, tmp_path)
    yield works
    await works.bank.store.close()
