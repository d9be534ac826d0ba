"""What every peer has: tokens, requests, and a gunicorn that is tried until it does most."""

import os
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.hotp import Tokens
from bench.load import Measured, run
from bench.servers import free_port, running

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / ".cache" / "peers"  # `make peers-environment`
TOKENS = 500  # as many as our bank has customers

# Both manuals say: as many processes as cores, or some more, and try. The last two keep
# connections open, which the first do not.
_GUNICORNS: Sequence[tuple[str, ...]] = (
    ("--workers", "2"),
    ("--workers", "3"),
    ("--workers", "4"),
    ("--workers", "2", "--worker-class", "gthread", "--threads", "8"),
    ("--workers", "4", "--worker-class", "gthread", "--threads", "8"),
)
# Where workers beat, as in privacyIDEA's container: memory, so that no beat waits for the disk.
_BEATS = "/dev/shm"  # noqa: S108 -- gunicorn opens files of its own there, without names
_WARM, _TRIED_WITH, _TRIED_BY = 64, 128, 32  # requests, requests, clients
_TRIALS = 2  # of each gunicorn: one by itself differs from the next by a quarter


@dataclass(slots=True)
class Peer:
    """A peer that is set up, with its database full of tokens."""

    name: str
    application: str  # as gunicorn names it
    environment: Mapping[str, str]
    log: Path
    tokens: Tokens
    yes: bytes  # what an acceptance says
    arguments: tuple[str, ...] = _GUNICORNS[0]

    @contextmanager
    def serving(self) -> Iterator[int]:
        """A port on which the peer answers, its workers warm or not."""
        port = free_port()
        bind = ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "warning"]
        bind += ["--worker-tmp-dir", _BEATS]
        command = [str(program("gunicorn")), *bind, *self.arguments, self.application]
        with running(command, port, environment=self.environment, log=self.log):
            yield port

    async def warm(self, port: int) -> None:
        """Have every worker load what it loads at its first request."""
        await self.measure(port, _WARM, clients=8)

    async def measure(self, port: int, requests: int, *, clients: int) -> Measured:
        """Verify so many fresh codes; all of them must be accepted."""
        measured = await run(port, self.tokens.take(requests), clients, yes=self.yes)
        if measured.saying_yes != requests:
            raise RuntimeError(
                f"{self.name}: {requests - measured.saying_yes} of {requests} codes were "
                f"answered otherwise ({dict(measured.statuses)})"
            )
        return measured

    async def tune(self) -> None:
        """Try each gunicorn, in turn and again, and keep the one that does most on average."""
        rates: dict[tuple[str, ...], list[float]] = {arguments: [] for arguments in _GUNICORNS}
        for _ in range(_TRIALS):
            for arguments, found in rates.items():
                found.append(await self._try(arguments))
        self.arguments = max(rates, key=lambda arguments: statistics.mean(rates[arguments]))
        print(f"{self.name}: gunicorn {' '.join(self.arguments)} of {len(rates)} tried", flush=True)

    async def _try(self, arguments: tuple[str, ...]) -> float:
        """Verifications a second with such a gunicorn."""
        self.arguments = arguments
        with self.serving() as port:
            await self.warm(port)
            return (await self.measure(port, _TRIED_WITH, clients=_TRIED_BY)).rate


def program(name: str) -> Path:
    """A program of the peers' environment.

    Raises:
        FileNotFoundError: it is not set up.
    """
    found = ENVIRONMENT / "bin" / name
    if not found.exists():
        raise FileNotFoundError(f"{found} is missing: run  make peers-environment")
    return found


def set_up(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> None:
    """Run a step of a set-up in *folder*.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(
        command,
        env=os.environ | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {done.stdout}")


def python_path() -> dict[str, str]:
    """An environment in which the peers' Python finds this folder's modules."""
    return {"PYTHONPATH": os.fspath(ROOT)}


def post(path: str, kind: str, body: bytes) -> bytes:
    """A POST as any HTTP client would send it."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
