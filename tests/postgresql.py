"""A PostgreSQL of the tests' own: Debian's, in a folder that goes away, reached by a socket in it.

It commits like one in production (`fsync` is on), into memory where a machine offers it.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.bank.folders import IN_MEMORY

BIN = Path("/usr/lib/postgresql/15/bin")
_OWNER = "postgres"  # the server does not run as root
_GONE = 10.0  # seconds in which what a killed server leaves running ends by itself

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

    def __init__(self, folder: Path, *, copied_from: Path | None = None) -> None:
        """*copied_from*: where the primary's socket is, whose standby this one is."""
        self.folder = folder
        self.data = folder / "data"
        folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        if copied_from is None:
            self._run(
                "initdb", "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust",
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            )  # fmt: skip
        else:
            self._run(
                "pg_basebackup", "--pgdata", str(self.data), "--write-recovery-conf", "--no-sync",
                "--checkpoint", "fast", "--wal-method", "stream",
                "--dbname", f"host={copied_from} user=postgres application_name=standby",
            )  # fmt: skip
        self.set(_SETTINGS.format(folder=folder))

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """How our store reaches *database*."""
        return f"postgresql+asyncpg://{user}@/{database}?host={self.folder}"

    def set(self, settings: str) -> None:
        """Add lines to its settings; the last of a name counts."""
        with (self.data / "postgresql.conf").open("a") as lines:
            lines.write(settings)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "start", *self._where, "--wait", "--log", str(self.folder / "log"))

    def kill(self) -> None:
        """Kill −9 the server; afterwards nothing of it runs any more."""
        (first, *_) = (self.data / "postmaster.pid").read_text(encoding="ascii").split()
        server = int(first)
        os.kill(server, signal.SIGSTOP)  # so that no child is born that we do not know
        left = _children(server)
        os.kill(server, signal.SIGKILL)
        end = time.monotonic() + _GONE
        while any(map(lives, [server, *left])):
            if time.monotonic() > end:
                raise RuntimeError(f"{left} outlive their server {server}")
            time.sleep(0.005)
        # Where nobody buries the dead, the next server would take it for alive.
        for lock in (self.data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock"):
            lock.unlink()

    def promote(self) -> None:
        """Make a primary of a standby."""
        self._run("pg_ctl", "promote", *self._where, "--wait")

    def destroy(self) -> None:
        """Let nothing be left of it: nobody ever writes there again."""
        shutil.rmtree(self.data)

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

    @contextmanager
    def missing_its_standby(self) -> Iterator[None]:
        """Every commit waits for a standby that is not there, and no wait would end by itself."""
        self.psql("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'")
        self.reload()
        try:
            self._until_commits_wait()
            yield
        finally:
            self.psql("ALTER SYSTEM RESET synchronous_standby_names")
            self.reload()

    def _until_commits_wait(self) -> None:
        """A reload has its effect when one of the server's processes comes to it; none says so."""
        cancel = (
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
            " WHERE wait_event = 'SyncRep'"
        )
        waited = 0
        with ThreadPoolExecutor(1) as thread:
            while not waited:
                commit = thread.submit(
                    self.psql, "SELECT pg_logical_emit_message(true, 'commit', '')"
                )
                while not commit.done():
                    waited += int(self.psql(cancel))
                commit.result()

    def new_database(self, template: str = "template1") -> str:
        """The name of a new database, a copy of *template*."""
        name = f"bank_{secrets.token_hex(6)}"
        self.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _last_words(self) -> str:
        log = self.folder / "log"
        return "\n".join(log.read_text().splitlines()[-9:]) if log.exists() else "no log"

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
            said = done.stderr or self._last_words()
            raise RuntimeError(f"{program} {' '.join(arguments)}: {said}")
        return done.stdout or ""


@contextmanager
def running_cluster(settings: str = "") -> Iterator[Cluster]:
    """A server that runs, and is gone afterwards with all that it held."""
    cluster = Cluster(new_folder())
    try:
        cluster.set(settings)
        cluster.start()
        yield cluster
    finally:
        remove(cluster)


def new_folder() -> Path:
    """The path of a new server's folder, which is not there yet."""
    return (IN_MEMORY or Path(tempfile.gettempdir())) / f"sesame-{secrets.token_hex(4)}"


def remove(cluster: Cluster) -> None:
    """Stop a server, if it runs, and take all away that it held."""
    if (cluster.data / "postmaster.pid").exists():
        cluster.stop()
    shutil.rmtree(cluster.folder)


def lives(process: int) -> bool:
    """Whether a process can still do something: what only waits for its parent cannot."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _children(process: int) -> list[int]:
    said = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(child) for child in said.split()]
