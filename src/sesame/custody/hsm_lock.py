"""One writer at a time: the lock that commands which write into a token share on one machine.

PKCS#11 has none. So they lock the module's own file (`flock`): each of them names it, whatever
its user, folder and settings, it needs to be readable only, and nothing is left behind by one
that is killed. Custody, which writes nothing, takes no lock (docs/decisions/0031).
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sesame.custody.errors import HsmLockRefused, HsmModuleUnusable, HsmTokenBusy

PATIENCE = 30.0  # seconds for another command to end: one key takes well below one
_PAUSE = 0.05  # seconds between two looks


@contextmanager
def only_writer(
    module: Path, *, patience: float = PATIENCE, waits: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Be the only writer, on this machine, of the tokens that the file *module* leads to.

    Enter before the module is loaded, so that it sees what the one before has made. *waits* is
    told once, if another one is at work.

    Raises:
        HsmModuleUnusable: the file cannot be read.
        HsmTokenBusy: another one is at work for *patience* seconds, or holds the lock for nothing.
        HsmLockRefused: the file's system takes no lock.
    """
    try:
        file = os.open(module, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as refusal:
        raise HsmModuleUnusable(module, refusal.strerror or str(refusal)) from None
    try:
        _lock(file, module, patience, waits)
        yield
    finally:
        os.close(file)


def _lock(file: int, module: Path, patience: float, waits: Callable[[], None]) -> None:
    ends, told = time.monotonic() + patience, False
    while not _is_locked(file, module):
        if time.monotonic() >= ends:
            raise HsmTokenBusy(module, patience)
        if not told:
            waits()
            told = True
        time.sleep(_PAUSE)


def _is_locked(file: int, module: Path) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as refusal:
        raise HsmLockRefused(module, refusal.strerror or str(refusal)) from None
    return True
