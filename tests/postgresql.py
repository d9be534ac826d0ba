"""A PostgreSQL of the tests' own: Debian's, in a folder that goes away, reached by a socket in it.

It commits like one in production (`fsync` is on), into memory where a machine offers it.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bank.folders import IN_MEMORY

BIN = Path("/usr/lib/postgresql/15/bin")
_OWNER = "postgres"  # the server does not run as root

_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 64MB
fsync = on
synchronous_commit = on
log_min_messages = warning
deadlock_timeout = 200ms
"""


class Cluster:
    """A server in *folder*, which must be short: a socket's path has 107 characters at most."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run(
            "initdb", "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(folder=folder))

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """How our store reaches *database*."""
        return f"postgresql+asyncpg://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "start", *self._where, "--wait", "--log", str(self.folder / "log"))

    def stop(self, how: str = "immediate") -> None:
        """Stop it: `immediate` is a crash."""
        self._run("pg_ctl", "stop", *self._where, "--mode", how, "--wait")

    def reload(self) -> None:
        """Have it read its settings again."""
        self._run("pg_ctl", "reload", *self._where)

    def psql(self, *statements: str, database: str = "postgres", user: str = "postgres") -> str:
        """Run *statements* as an operator would, each for itself; what they print."""
        commands = [word for statement in statements for word in ("--command", statement)]
        return self._run(
            "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
            "--set", "ON_ERROR_STOP=1", "--host", str(self.folder), "--username", user,
            "--dbname", database, *commands,
        )  # fmt: skip

    def new_database(self, template: str = "template1") -> str:
        """The name of a new database, a copy of *template*."""
        name = f"bank_{secrets.token_hex(6)}"
        self.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    @property
    def _where(self) -> Sequence[str]:
        return ("--pgdata", str(self.data), "--silent")

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / program), *arguments],
            user=_OWNER if os.geteuid() == 0 else None,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            # pg_ctl leaves its server behind, which would keep a pipe open.
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr}")
        return done.stdout or ""


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A server that runs, and is gone afterwards with all that it held."""
    cluster = Cluster((IN_MEMORY or Path(tempfile.gettempdir())) / f"sesame-{secrets.token_hex(4)}")
    try:
        cluster.start()
        yield cluster
    finally:
        if (cluster.data / "postmaster.pid").exists():
            cluster.stop()
        shutil.rmtree(cluster.folder)
