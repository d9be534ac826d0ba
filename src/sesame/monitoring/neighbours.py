"""What the processes of one server tell each other: a file each, in a folder of their own.

Whoever is asked for metrics adds up all of them. The file of a process that has ended stays, so
that what it counted is not lost; what it had in use is.
"""

import os
import secrets
import time
from pathlib import Path

import msgspec

from sesame.meters import Reading

_LIVES = 10.0  # seconds: a process tells each second


class Figure(msgspec.Struct, frozen=True):
    """A value of a process itself, as Prometheus' own library names it."""

    name: str
    kind: str
    meaning: str
    labels: dict[str, str]
    value: float


class Told(msgspec.Struct, frozen=True):
    """What one process says of itself. `at` is seconds since 1970; 0 once it has ended."""

    process: int
    at: float
    reading: Reading
    figures: list[Figure]


class Neighbours:
    """The processes that share *folder*; None where there is one alone."""

    def __init__(self, folder: Path | None) -> None:
        """Take a name that no other process ever has."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._own = None if folder is None else folder / f"{name}.told"
        self._folder = folder

    def tell(self, told: Told) -> None:
        """Write it down, whole or not at all."""
        if self._own is None:
            return
        half = self._own.with_suffix(".half")
        half.write_bytes(msgspec.msgpack.encode(told))
        half.replace(self._own)

    def heard(self, own: Told) -> list[Told]:
        """What all of them said last; *own* is newer than what stands in our file."""
        if self._folder is None:
            return [own]
        others = [path for path in sorted(self._folder.glob("*.told")) if path != self._own]
        return [own, *(_forget_gauges(_decode(path.read_bytes())) for path in others)]


_decode = msgspec.msgpack.Decoder(Told).decode


def _forget_gauges(told: Told) -> Told:
    """*told*, or only what it counted where its process has ended."""
    if time.time() - told.at < _LIVES:
        return told
    counted = Reading(told.reading.counts, {}, told.reading.spreads)
    return msgspec.structs.replace(told, reading=counted, figures=[])
