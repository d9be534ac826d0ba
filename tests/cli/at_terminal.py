"""`sesame` on a terminal of its own, its prompts answered one by one."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

Answer = bytes | Callable[[str], bytes]  # as typed; or made of all that was shown so far
_PROMPT = re.compile(rb"\xc2\xa0: $")  # what every prompt ends with


def on_a_terminal(*arguments: object, typed: Sequence[Answer]) -> tuple[int, str, str]:
    """Run `sesame` on a terminal, answer its prompts one by one.

    Returns the exit status, standard output, and all that the terminal showed.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sesame", *map(str, arguments)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,  # no other terminal to fall back to
    ) as process:
        os.close(theirs)
        shown = b""
        for answer in typed:
            while not _PROMPT.search(shown):
                if not (more := _read(ours)):
                    raise AssertionError(f"it ended before it asked: {shown.decode()}")
                shown += more
            os.write(ours, answer if isinstance(answer, bytes) else answer(shown.decode()))
            shown += b"|"
        assert process.stdout is not None
        printed = process.stdout.read()
        while rest := _read(ours):
            shown += rest
        os.close(ours)
    return process.returncode, printed.decode(), shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # EIO: nobody is at its other end any more
        return b""
