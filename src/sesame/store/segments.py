"""A folder of numbered files, each written whole or not at all, none ever written over.

Where the audit stream arrives: the folder may be on another machine.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from sesame.store.errors import SegmentLost, SegmentTaken, StreamUnreadable

_NAME = re.compile(r"(\d{12})\.jsonl")


def segment_name(number: int) -> str:
    """The name of file *number*."""
    return f"{number:012d}.jsonl"


def write_segment(folder: Path, number: int, content: bytes) -> None:
    """Write file *number*, on disk when this returns.

    Raises:
        SegmentTaken: there is a file of that number, and it is left as it is.
        StreamUnreadable: the system refuses.
    """
    target = folder / segment_name(number)
    try:
        handle, name = tempfile.mkstemp(prefix=".segment.", suffix=".new", dir=folder)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            target.hardlink_to(new)  # unlike a rename it never replaces: of two writers one loses
        finally:
            new.unlink(missing_ok=True)
        _sync(folder)
    except FileExistsError:
        raise SegmentTaken(number) from None
    except OSError as refusal:
        raise StreamUnreadable(folder, str(refusal.strerror)) from None


def read_segment(folder: Path, number: int) -> bytes | None:
    """The content of file *number*; None where there is none.

    Raises:
        StreamUnreadable: the system refuses.
    """
    try:
        return (folder / segment_name(number)).read_bytes()
    except FileNotFoundError:
        if folder.is_dir():
            return None
        raise StreamUnreadable(folder, "no such folder") from None
    except OSError as refusal:
        raise StreamUnreadable(folder, str(refusal.strerror)) from None


def segment_numbers(folder: Path) -> range:
    """The numbers of the files that there are: the first may be any, for old ones are removed.

    Raises:
        SegmentLost: one between the first and the last is not there.
        StreamUnreadable: the system refuses.
    """
    try:
        names = [_NAME.fullmatch(entry.name) for entry in os.scandir(folder)]
    except OSError as refusal:
        raise StreamUnreadable(folder, str(refusal.strerror)) from None
    numbers = sorted(int(name[1]) for name in names if name)
    if not numbers:
        return range(1, 1)
    for number, next_to in pairwise(numbers):
        if next_to != number + 1:
            raise SegmentLost(folder, number + 1)
    return range(numbers[0], numbers[-1] + 1)


def read_segments(folder: Path, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and content of each file, from number *first* on, in order.

    Raises:
        SegmentLost: one between the first and the last is not there.
        StreamUnreadable: the system refuses.
    """
    for number in segment_numbers(folder):
        if number >= first:
            content = read_segment(folder, number)
            if content is None:
                raise SegmentLost(folder, number)
            yield number, content


def remove_segment(folder: Path, number: int) -> None:
    """Remove file *number*, for good when this returns; nothing where there is none.

    Raises:
        StreamUnreadable: the system refuses.
    """
    try:
        (folder / segment_name(number)).unlink(missing_ok=True)
        _sync(folder)
    except OSError as refusal:
        raise StreamUnreadable(folder, str(refusal.strerror)) from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
