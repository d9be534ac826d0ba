"""A hardened process, and one that is not, looked at by another of the same user."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.custody.apart import PLAIN_USER, can_look_into

_PROCESS = """
import sys
from sesame.custody.hardening import harden, is_dumpable
assert is_dumpable()
if sys.argv[1] == "hardened":
    harden()
    assert not is_dumpable()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(kind: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that waits to be looked at."""
    with subprocess.Popen(
        [*PLAIN_USER, sys.executable, "-c", _PROCESS, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


def test_others_of_the_same_user_cannot_look_into_it() -> None:
    """They can look into one that is not hardened."""
    with process("plain") as plain, process("hardened") as hardened:
        assert can_look_into(plain.pid)
        assert not can_look_into(hardened.pid)


def test_it_dumps_no_core() -> None:
    """The limit is 0, soft and hard; it dies without a dump."""
    with process("hardened") as hardened:
        limits = Path(f"/proc/{hardened.pid}/limits").read_text(encoding="ascii")
        (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]
        hardened.send_signal(signal.SIGABRT)
        _, status = os.waitpid(hardened.pid, 0)
        assert os.WIFSIGNALED(status)
        assert not os.WCOREDUMP(status)
