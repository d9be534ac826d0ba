"""A private PostgreSQL for a measurement: floor, peers and our own bank share it.

Tuned as one would for a machine like this, and durable: fsync, full page writes and
synchronous commits stay on. It listens on loopback only and is gone afterwards.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers import free_port, last_lines

OWNER = "bench"  # the role that everybody connects as
_LOG = "server.log"
_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 10  # of this machine, kB
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "lz4",  # of whole pages, after each checkpoint the most of it
    "shared_buffers": f"{_MEMORY // 4}kB",  # as PostgreSQL's manual starts from
    "effective_cache_size": f"{_MEMORY // 2}kB",
    "maintenance_work_mem": "1GB",
    "wal_buffers": "64MB",
    "max_wal_size": "16GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "jit": "off",
    "autovacuum": "on",
    "log_min_messages": "warning",
}


class PostgresMissing(RuntimeError):
    """No PostgreSQL is installed; the message says what to run."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server."""

    programs: Path
    port: int
    folder: Path  # its data

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """The URL of *database*, with the driver that *scheme* names."""
        return f"{scheme}://{OWNER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> None:
        """Make *database*, empty; an older one of this name is dropped."""
        self.run("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.run("postgres", f"CREATE DATABASE {database}")

    def run(self, database: str, sql: str) -> str:
        """Run the statements of *sql* and give what they answer, without decoration.

        Raises:
            CalledProcessError: it failed; the server said why on the error stream.
        """
        command = [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        return subprocess.run(
            [*command, self.url(database)], input=sql, capture_output=True, text=True, check=True
        ).stdout.strip()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A server with its data under *folder*, stopped at the end.

    Raises:
        PostgresMissing: there is none on this machine.
        RuntimeError: it could not be made or started; with the last lines of its logs.
    """
    programs = find_programs()
    data = folder / "postgresql"
    data.mkdir(mode=0o700)
    user = _unprivileged()
    if user is not None:
        shutil.chown(data, user)
        folder.chmod(0o711)  # so that it reaches its data
    port = free_port()
    made = ["-D", str(data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C"]
    _as(user, [str(programs / "initdb"), *made], data)
    settings = {**_SETTINGS, "port": str(port)}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    _as(user, [programs / "pg_ctl", "-D", data, "-l", data / _LOG, "-w", "start"], data)
    try:
        yield Cluster(programs, port, data)
    finally:
        # The data is thrown away: nothing of it is worth a wait.
        _as(user, [programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], data)


def _as(user: str | None, command: Sequence[str | Path], folder: Path) -> None:
    """Run *command* as *user* on the data in *folder*; what it prints is kept for its failure."""
    # pg_ctl's server would hold on to a pipe, so its words go to a file.
    setup = folder.parent / "postgresql-setup.log"
    with setup.open("ab") as said:
        done = subprocess.run(
            command, user=user, cwd="/", check=False, stdout=said, stderr=subprocess.STDOUT
        )
    if done.returncode != 0:
        raise RuntimeError(
            f"{Path(command[0]).name} ended with status {done.returncode}; "
            f"{last_lines(setup)}\n{last_lines(folder / _LOG)}"
        )


def _unprivileged() -> str | None:
    """Who runs the server; None where we are nobody special ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)


def find_programs() -> Path:
    """The folder of the newest PostgreSQL's programs."""
    versions = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()),
        key=lambda path: int(path.parent.name),
    )
    if versions:
        return versions[-1]
    found = shutil.which("initdb")
    if found is None:
        raise PostgresMissing("PostgreSQL is missing: run  apt-get install postgresql")
    return Path(found).resolve().parent
