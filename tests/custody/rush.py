"""Processes that begin to listen at one socket in the same instant; run as a program.

It is given the socket's path and how many they are. It begins anew some times, each time with a
socket that nobody listens on any more, until something is not as it should be; and tells then, or
of the last time, what became of each: first of who got the socket.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from sesame.custody.errors import SocketTaken
from sesame.custody.service import listen

_TIMES = 60


def main(path: Path, count: int) -> None:
    """Begin so often, and print the last words."""
    told: list[str] = []
    for _ in range(_TIMES):
        told = _rush(path, count)
        if told != ["answers"] + ["taken"] * (count - 1):
            break
    sys.stdout.write(" ".join(told))


def _rush(path: Path, count: int) -> list[str]:
    """What became of *count* processes, in alphabetical order."""
    start, go = os.pipe()
    said, say = os.pipe()
    children = [_child(path, start, go, say) for _ in range(count)]
    os.close(start)
    os.close(go)  # nobody writes any more: all are let go at once
    os.close(say)
    told = [os.read(said, 8).decode().strip() for _ in range(count)]
    if "listens" in told:
        told[told.index("listens")] = _answers(path)
    for child in children:
        os.kill(child, signal.SIGKILL)  # whoever listens leaves the socket behind
        os.waitpid(child, 0)
    os.close(said)
    return sorted(told)


def _child(path: Path, start: int, go: int, say: int) -> int:
    child = os.fork()
    if child:
        return child
    os.close(go)
    os.read(start, 1)
    try:
        _listener = listen(path)
        os.write(say, b"listens ")
    except SocketTaken:
        os.write(say, b"taken   ")
    except BaseException:  # noqa: BLE001 -- told, and not gone on with as if it were the parent
        os.write(say, b"fails   ")
    signal.pause()
    os._exit(0)


def _answers(path: Path) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return "lost"
    return "answers"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
