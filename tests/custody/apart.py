"""A custody process, as tests start one; and a service in a thread of the tests' own process."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import uvloop

from sesame.custody.custodian import (
    CardRecord,
    Fit,
    Inquiry,
    IssuingCustodian,
    KeyUsage,
    PairFit,
    PairInquiry,
    Registered,
)
from sesame.custody.passphrase import Passphrase
from sesame.custody.service import Service, listen, serve
from sesame.custody.service_custodian import ServiceCustodian
from sesame.custody.settings import read_custody_settings
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from tests.custody.keystores import PASSPHRASE
from tests.custody.tokens import MODULE, PIN

Answer = TypeVar("Answer")

_PATIENCE = 180  # seconds for a process to come up or go down
ME = os.getuid()
# What a command begins with to be a user like others: root is one without its capabilities.
PLAIN_USER = ["setpriv", "--inh-caps", "-all", "--bounding-set", "-all"] if ME == 0 else []


@dataclass(frozen=True, slots=True)
class Apart:
    """A running `sesame custody serve`."""

    socket: Path
    process: "subprocess.Popen[str]"


def custody_settings(folder: Path, keystore: Path, **changed: object) -> Path:
    """The settings of a custody process in *folder*, for this user, on a demonstration's keys."""
    where = {
        "keystore": str(keystore),
        "keystore_passphrase_file": _secret(folder, "custody-passphrase", PASSPHRASE),
        "demonstration": True,
    }
    return _settings(folder, where | changed)


def custody_settings_on_token(folder: Path, label: str, **changed: object) -> Path:
    """The same on the token called *label* of this process's SoftHSM2, with two sessions."""
    hsm = {
        "module": str(MODULE),
        "label": label,
        "pin_file": _secret(folder, "pin", PIN),
        "sessions": 2,
    }
    return _settings(folder, changed, hsm)


def _secret(folder: Path, name: str, secret: Passphrase) -> str:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(secret.text, encoding="utf-8")
    return name


def _settings(
    folder: Path, said: Mapping[str, object], hsm: Mapping[str, object] = MappingProxyType({})
) -> Path:
    path = folder / "custody.toml"
    path.write_text(
        _lines({"socket": "custody.sock", "users": [str(ME)], **said})
        + ("[hsm]\n" + _lines(hsm) if hsm else "")
    )
    return path


def _lines(said: Mapping[str, object]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())


@contextmanager
def custody_process(settings: Path, under: Sequence[str] = PLAIN_USER) -> Iterator[Apart]:
    """Run `sesame custody serve`, by the command *under*, from when its socket answers."""
    process = subprocess.Popen(
        [
            *under,
            *(sys.executable, "-m", "sesame", "custody", "serve", "--settings", str(settings)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    apart = Apart(Path(read_custody_settings(settings).socket).resolve(), process)
    try:
        _wait_for(apart)
        yield apart
    finally:
        process.terminate()
        process.communicate(timeout=_PATIENCE)


def _wait_for(apart: Apart) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            try:
                probe.connect(str(apart.socket))
            except OSError:
                if apart.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return


def can_look_into(pid: int, under: Sequence[str] = PLAIN_USER) -> bool:
    """Whether another process could, begun by *under*: /proc/PID/environ is guarded like ptrace."""
    looked = subprocess.run(
        [*under, "cat", f"/proc/{pid}/environ"], capture_output=True, check=False
    )
    assert looked.returncode == 0 or b"Permission denied" in looked.stderr, looked.stderr
    return looked.returncode == 0


class Thread:
    """An event loop in a thread of its own, where a service and its clients live."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()  # as in the processes
        self._thread = threading.Thread(target=self.loop.run_forever, name="custody")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """What comes of *work* there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def asked(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The same, for a test that runs in a loop of its own."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class ThroughASocket(IssuingCustodian):
    """A custodian behind a socket, for tests whose loops come and go; it cannot make cards.

    Cards' keys come from *issuer*, which is not on the socket.
    """

    def __init__(self, thread: Thread, path: Path, issuer: IssuingCustodian) -> None:
        self._thread = thread
        self._client = ServiceCustodian(path, demonstration=True)
        self._issuer = issuer

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Over the socket."""
        return await self._thread.asked(self._client.match(inquiries))

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Over the socket."""
        return await self._thread.asked(self._client.match_pairs(inquiries))

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """Over the socket."""
        return await self._thread.asked(self._client.register(card, context))

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Over the socket."""
        return await self._thread.asked(self._client.register_all(cards))

    async def pan_index(self, pan: Pan) -> bytes:
        """Over the socket."""
        return await self._thread.asked(self._client.pan_index(pan))

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """Over the socket."""
        return await self._thread.asked(self._client.mac(usage, data))

    async def card_key(self, card: CardRecord) -> DesKey:
        """Beside the socket."""
        return await self._issuer.card_key(card)

    async def close(self) -> None:
        """Hang up."""
        await self._thread.asked(self._client.close())


@contextmanager
def behind_a_socket(path: Path, custodian: IssuingCustodian) -> Iterator[IssuingCustodian]:
    """*custodian* served at *path* in a thread, and a client of it."""
    thread = Thread()
    stopped = asyncio.Event()
    service = Service(custodian, allowed=[], registrars=[ME], demonstration=True)
    serving = asyncio.run_coroutine_threadsafe(serve(service, listen(path), stopped), thread.loop)
    client = ThroughASocket(thread, path, custodian)
    try:
        yield client
    finally:
        thread.run(client._client.close())  # noqa: SLF001 -- from outside of any loop
        thread.loop.call_soon_threadsafe(stopped.set)
        serving.result()
        thread.stop()
