"""A database that is put back: by its own backup, or by a raw copy behind everybody's back."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sesame.store.backup import back_up
from sesame.store.schema import migrate
from tests.places import Where, url_of
from tests.postgresql import BIN, Cluster


class Vault(Protocol):
    """What a test does to the database *where*; nobody may have it open meanwhile."""

    @property
    def where(self) -> Where:
        """It."""
        ...

    def copy_raw(self) -> None:
        """Keep the database as it is now."""
        ...

    def put_back(self) -> None:
        """Bring back what was kept."""
        ...

    def back_up(self, file: Path) -> None:
        """Make a backup by our own command's function."""
        ...

    def restore(self, file: Path) -> None:
        """Bring back what that backup holds, by the documented commands."""
        ...


@dataclass
class FileVault:
    """A file of SQLite."""

    path: Path

    @property
    def where(self) -> Where:
        """The file."""
        return self.path

    @property
    def _kept(self) -> Path:
        return self.path.with_suffix(".kept")

    def copy_raw(self) -> None:
        """Copy the file."""
        shutil.copy(self.path, self._kept)

    def put_back(self) -> None:
        """Copy it back."""
        shutil.copy(self._kept, self.path)

    def back_up(self, file: Path) -> None:
        """A file beside it."""
        back_up(url_of(self.path), file)

    def restore(self, file: Path) -> None:
        """The file in its place."""
        shutil.copy(file, self.path)


@dataclass
class ServerVault:
    """A database of the tests' PostgreSQL."""

    cluster: Cluster
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.cluster.new_database()
        migrate(self.cluster.url(self.name))

    @property
    def where(self) -> Where:
        """Its URL."""
        return self.cluster.url(self.name)

    def copy_raw(self) -> None:
        """A copy that the server makes."""
        self._copy(self.name, f"{self.name}_kept")

    def put_back(self) -> None:
        """The copy in its place."""
        self._copy(f"{self.name}_kept", self.name)

    def back_up(self, file: Path) -> None:
        """By pg_dump, of the server's version."""
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{BIN}{os.pathsep}{before}"
        try:
            back_up(url_of(self.where), file)
        finally:
            os.environ["PATH"] = before

    def restore(self, file: Path) -> None:
        """By psql into an empty database."""
        self.cluster.psql(f"DROP DATABASE {self.name} WITH (FORCE)", f"CREATE DATABASE {self.name}")
        self.load(file)

    def load(self, file: Path) -> None:
        """What docs/how-to/restore-a-backup.md says."""
        subprocess.run(
            [
                BIN / "psql", "--no-psqlrc", "--quiet", "--single-transaction",
                "--set", "ON_ERROR_STOP=1", "--host", self.cluster.folder,
                "--username", "postgres", "--dbname", self.name, "--file", file,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def drop(self) -> None:
        """Leave nothing behind."""
        for name in (self.name, f"{self.name}_kept"):
            self.cluster.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _copy(self, source: str, target: str) -> None:
        self.cluster.psql(
            f"DROP DATABASE IF EXISTS {target} WITH (FORCE)",
            f"CREATE DATABASE {target} TEMPLATE {source}",
        )
