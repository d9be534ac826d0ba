"""A private PC/SC service with the virtual reader driver: two slots, no other program near.

The service has its socket in /run, which is the same for everybody. So it gets a /run of its own,
in a namespace of mounts: as root, or in a namespace of users where the system allows them. Where
neither is allowed (some containers), root runs the service in the /run that there is, one test
process at a time. The driver's ports are free ones of the machine, always.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

ROOT = Path(__file__).parent.parent.parent
DEBIAN_PYTHON = "/usr/bin/python3"
PLUG = (sys.executable, "-m", "sesame", "card", "plug")
PATIENCE = 60.0  # seconds: nothing of PC/SC has a time limit of its own

_PCSCD = "/usr/sbin/pcscd"
_DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
_READERS = """FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:{port}
LIBPATH      {driver}
CHANNELID    {port}
"""
_SHARED_RUN = Path("/run")
_LOCK = Path(tempfile.gettempdir()) / "sesame-pcscd.lock"


@lru_cache
def _namespace() -> list[str] | None:
    """The command that gives a process mounts of its own; None where the system allows none."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        probe = [*command, "mount", "--bind", "/tmp", "/run"]  # noqa: S108 -- any folder
        if (
            shutil.which("unshare")
            and subprocess.run(probe, capture_output=True, check=False).returncode == 0
        ):
            return command
    return None


def _two_free_ports() -> int:
    """A port that is free, and so is the next one."""
    while True:
        with socket.create_server(("", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                with socket.create_server(("", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


class Service:
    """The service, while its context lasts."""

    def __init__(self) -> None:
        self.port = _two_free_ports()
        self._folder = Path(tempfile.mkdtemp(prefix="pcscd-"))  # short: a socket's name is
        self._run = self._folder / "run" if _namespace() else _SHARED_RUN
        self._configuration = self._folder / "readers"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        (self._run / "pcscd").mkdir(parents=True, exist_ok=True)
        self._configuration.mkdir()
        readers = _READERS.format(port=self.port, driver=_DRIVER)
        (self._configuration / "vpcd").write_text(readers)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGTERM)
        shutil.rmtree(self._folder)

    @property
    def socket(self) -> Path:
        """Where programs find it."""
        return self._run / "pcscd" / "pcscd.comm"

    def start(self) -> None:
        """Start it, and wait until it takes programs."""
        pcscd = [_PCSCD, "--foreground", "--config", str(self._configuration)]
        namespace = _namespace()
        if namespace:
            inside = 'mount --bind "$0" /run && exec "$@"'
            pcscd = [*namespace, "sh", "-c", inside, str(self._run), *pcscd]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(pcscd, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            told = (self._folder / "log").read_text()
            assert self._process.poll() is None, f"pcscd ended: {told}"
            assert time.monotonic() < deadline, f"pcscd does not answer: {told}"
            time.sleep(0.02)

    def stop(self, number: int) -> None:
        """End it with a signal."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def run(
        self, *command: str, typed: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that speaks PC/SC; it fails the test when it fails, or hangs."""
        return subprocess.run(
            command,
            input=typed,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=PATIENCE,
            check=check,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What such a program needs to find this service and no other."""
        return os.environ | {"PCSCLITE_CSOCK_NAME": str(self.socket), "LC_ALL": "C.UTF-8"}

    @contextmanager
    def plugged(
        self, card: Path, *options: str, slot: int = 0, program: Sequence[str] = PLUG
    ) -> Iterator["Plug"]:
        """A card file in a slot; present when the context begins."""
        address = f"127.0.0.1:{self.port + slot}"
        log = self._folder / f"slot-{slot}"
        with log.open("wb") as lines:
            process = subprocess.Popen(
                [*program, str(card), "--reader", address, *options], stdout=lines
            )
        plug = Plug(process, log)
        try:
            self.wait_for_card(slot, present=True)
            yield plug
        finally:
            plug.kill()
            self.wait_for_card(slot, present=False)

    def wait_for_card(self, slot: int, *, present: bool) -> None:
        """Until the service has noticed that a card came, or went: it looks every 0.4 s."""
        wanted = re.compile(rf"^{slot} +{'Yes' if present else 'No'} ", re.MULTILINE)
        deadline = time.monotonic() + PATIENCE
        while not wanted.search(self.run("opensc-tool", "--list-readers").stdout):
            assert time.monotonic() < deadline, f"slot {slot}, card present: {present}, never came"
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
            return True


class Plug:
    """`sesame card plug`, running."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def told(self) -> list[str]:
        """The lines of its log, without their times."""
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    def wait_for(self, event: str, times: int = 1) -> None:
        """Until it has told *event* so often."""
        deadline = time.monotonic() + PATIENCE
        while self.told.count(event) < times:
            assert self._process.poll() is None, self.told
            assert time.monotonic() < deadline, self.told
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a card that is pulled."""
        self._process.kill()
        self._process.wait(PATIENCE)


class Client:
    """A program that is connected to a card, one command after the other."""

    def __init__(self, service: Service, slot: int = 0, protocol: str = "any") -> None:
        program = str(Path(__file__).parent / "pcsc_client.py")
        self._process = subprocess.Popen(
            [DEBIAN_PYTHON, program, str(slot), protocol],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=service.environment,
        )
        self.protocol = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, command: str) -> None:
        """Send a command, hexadecimal, and wait for nothing."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """The answer, hexadecimal, or `!` and what went wrong."""
        return self._read()

    def ask(self, command: str) -> str:
        """Both; the transport's `61xx` and `6Cxx` are followed."""
        self.begin(command)
        return self.end()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def running() -> Iterator[Service]:
    """A service, as private as the system allows; a skip that says what it needs otherwise."""
    if _namespace():
        with Service() as private:
            yield private
        return
    if os.geteuid() != 0:
        pytest.skip("pcscd needs a namespace of mounts (unshare --mount), or root")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (_SHARED_RUN / "pcscd" / "pcscd.comm").exists():
            pytest.skip("a pcscd runs here already, and no other /run is allowed")
        with Service() as shared:
            yield shared
