"""A terminal that is none: a program runs on it, and the test sees and types."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

PATIENCE = 120  # seconds for a program under load
SEQUENCES = re.compile(r"\x1b(?:\[[0-9;?<>=$]*[a-zA-Z]|\][^\a\x1b]*(?:\a|\x1b\\)|[^\[\]])")
_OTHERS = {"COLUMNS", "LINES", "NO_COLOR"}  # what a terminal around the tests would say
ENVIRON = {
    **{name: value for name, value in os.environ.items() if name not in _OTHERS},
    "LC_ALL": "fr_FR.UTF-8",
    "TERM": "xterm-256color",
}


class Terminal:
    """A terminal with a program on it: what it has sent so far, and fingers to type."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int, theirs: int) -> None:
        self.process = process
        self._ours = ours
        self._theirs = theirs
        self.sent = ""

    @property
    def text(self) -> str:
        """What was sent, without the sequences that move and colour, in ordinary spaces."""
        return SEQUENCES.sub("", self.sent).replace("\u00a0", " ").replace("\u202f", " ")

    @property
    def mode(self) -> list[Any]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self._theirs)[:4]

    def type(self, keys: str) -> None:
        """Type *keys*."""
        self.type_bytes(keys.encode())

    def type_bytes(self, raw: bytes) -> None:
        """Likewise, whatever they mean."""
        os.write(self._ours, raw)

    def sees(self, words: str, after: int = 0) -> re.Match[str]:
        """Wait for what matches *words* in the text behind its place *after*."""
        end = time.monotonic() + PATIENCE
        while not (found := re.compile(words).search(self.text, after)):
            assert time.monotonic() < end, self.text
            self._read(0.1)
        return found

    def ends(self) -> int:
        """Wait for the program to end; its exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def _read(self, wait: float) -> bool:
        if not select.select([self._ours], [], [], wait)[0]:
            return False
        self.sent += os.read(self._ours, 65536).decode(errors="replace")
        return True


@contextmanager
def on_terminal(
    command: Sequence[str], environ: Mapping[str, str], *, columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    """A program on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**ENVIRON, **environ},
    ) as process:
        try:
            yield Terminal(process, ours, theirs)
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)
