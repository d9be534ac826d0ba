"""A process that dumps no core, and that others of the same user cannot look into.

Linux: prctl(2), `PR_SET_DUMPABLE`; core(5). Both are wanted: a `core_pattern` that pipes to a
program is not held back by the limit, and the limit holds where somebody raises the flag again.
"""

import ctypes
import os
import resource
import sys

_PR_GET_DUMPABLE = 3  # linux/prctl.h
_PR_SET_DUMPABLE = 4


def harden() -> None:
    """No core dump, no ptrace and no /proc/PID/mem for other processes of this user, for good.

    Root can still look. A program that is executed afterwards has to ask anew.

    Raises:
        OSError: the system refuses, which it has no reason to.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def is_dumpable() -> bool:
    """Whether others of this user may look into this process."""
    return _prctl(_PR_GET_DUMPABLE, 0) != 0


def _prctl(option: int, value: int) -> int:
    # ctypes, for a binding of five words: the packages that wrap prctl are built from source.
    answered: int = ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
    if answered < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answered
