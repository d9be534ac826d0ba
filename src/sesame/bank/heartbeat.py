"""The heartbeat's file: outside the database, so that no restore of it brings it back.

Each server advances the beat in the database first and the file after it, so a file that is ahead
was left by a database that is no more. The file is a server's own; its processes share it, and
each writes into it under a name of its own, which it draws when it starts.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from sesame.bank.bank import Bank
from sesame.bank.errors import HeartbeatHeld, HeartbeatUnusable
from sesame.bank.restored import Seen, beat, doubt_what_is_older, look, nothing_seen

Answer = TypeVar("Answer")

PERIOD = 5.0  # seconds between two beats: what a raw copy may hide
_LOOKED_AGAIN = 0.02  # seconds, while another process of this machine takes its beat
_PATIENCE = 15.0  # seconds for all others of this machine, whose database may let them wait


class Heartbeat:
    """The file at *path*; None where none is kept, and only what says so itself is noticed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last: Seen | None = None  # of this process; None too where nobody knows if it was

    @property
    def kept(self) -> bool:
        """Whether there is a file."""
        return self._path is not None

    async def take(self, bank: Bank) -> None:
        """Take one beat, and see whether the database is older than the file.

        Raises:
            StoreUnavailable: the database does not answer; the file is as it was.
            HeartbeatUnusable: the file cannot be read or written; says what to do.
            HeartbeatHeld: another process of this machine does not let go of it.
        """
        if self._path is None:
            await look(bank)
            return
        with _told(self._path):
            async with _alone(self._path):
                # The file first: the database is never behind it.
                seen = await _on_disk(_read, self._path) or await nothing_seen(bank)
                # Else, on a full disk, each start would begin another life of a restored database;
                # and a first beat whose answer is lost would leave beats without a file.
                try:
                    await _on_disk(_write, self._path, seen)
                except OSError:
                    await doubt_what_is_older(bank, seen)
                    raise
                last, self._last = self._last, None
                self._last = after = await beat(bank, seen, last)
                await _on_disk(_write, self._path, after)


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """One process of this machine at a time.

    Raises:
        HeartbeatHeld: one has it for longer than any beat takes.
    """
    file = path.with_name(f"{path.name}.lock")
    lock = _open_lock(file)
    until = time.monotonic() + _PATIENCE
    try:
        while not _locked(lock):
            if time.monotonic() > until:
                raise HeartbeatHeld(file, _PATIENCE)
            await asyncio.sleep(_LOOKED_AGAIN)
        yield
    finally:
        os.close(lock)


def _open_lock(file: Path) -> int:
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    _leave_to_its_owner(lock, file.parent)
    return lock


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _on_disk(work: Callable[..., Answer], *arguments: object) -> Answer:
    """Do *work* in a thread; who is cancelled waits for it, since a thread goes on all the same.

    Else it would write into what the next one has the lock of.
    """
    doing = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([doing])
        doing.exception()  # it is of no use to anybody now
        raise


def _read(path: Path) -> Seen | None:
    try:
        said = path.read_bytes()
    except FileNotFoundError:
        return None
    return _decode(said)


def _write(path: Path, seen: Seen) -> None:
    """In one go, and on disk before anybody relies on it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file:
        _leave_to_its_owner(opened, path if path.exists() else path.parent)
        file.write(_encode(seen))
        file.flush()
        os.fsync(opened)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _leave_to_its_owner(opened: int, like: Path) -> None:
    """Have what root makes be the server's, who could not use it else: as a replay by root."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.fchown(opened, owner.st_uid, owner.st_gid)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Make our error of what the system says of the file."""
    try:
        yield
    except OSError as error:
        raise HeartbeatUnusable(path, error.strerror or "no reason given") from None
    except msgspec.DecodeError:
        raise HeartbeatUnusable(path, "it holds something else") from None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Seen).decode
