"""`make bench-letters`: how long a batch of PIN letters takes, and how much memory.

    python -m bench.letters [--letters 10000]

PIN letters are the dearest of all: each draws a pattern of its own. The memory is measured after a
tenth of the letters and at the end: what grows between the two would grow on.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from sesame.catalogue import Language
from sesame.letters.batch import destroy_batch, write_batch
from sesame.letters.letter import Addressee, CardKind, PinLetter
from sesame.letters.typesetting import Typesetter
from sesame.postal import LetterFormat
from sesame.web.institution import Institution

_NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def main() -> None:
    """Write a batch, destroy it, and say what that took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--letters", type=int, default=10_000)
    count: int = parser.parse_args().letters
    peaks: list[int] = []

    def written(done: int) -> None:
        if done in {max(1, count // 10), count}:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

    with tempfile.TemporaryDirectory() as above:
        folder = Path(above, "batch")
        started, worked = perf_counter(), process_time()
        manifest = write_batch(
            folder, letters(count), typesetter=Typesetter(Institution()), at=_NOW, written=written
        )
        took, worked = perf_counter() - started, process_time() - worked
        print(f"{count} PIN letters: {took:.1f} s, {count / took:.0f} a second")
        print(f"  {worked / count * 1000:.1f} ms of processor time each")
        print(f"  {manifest.bytes / count / 1000:.1f} kB each")
        print(f"  memory: {peaks[0]} MB after a tenth, {peaks[-1]} MB at the end")
        started = perf_counter()
        destroy_batch(folder, printed=count, at=_NOW)
        print(f"  destroyed in {perf_counter() - started:.1f} s")


def letters(count: int) -> Iterator[PinLetter]:
    """PIN letters of invented people, a tenth in large print, a tenth in English."""
    random = Random(1)
    for number in range(count):
        yield PinLetter(
            to=Addressee(
                name=f"Mme Camille Numéro {number}",
                address=(f"{number % 200 + 1} rue du Tilleul", "69002 LYON"),
                language=Language.ENGLISH if number % 10 == 1 else Language.FRENCH,
                format=LetterFormat.LARGE_PRINT if number % 10 == 0 else LetterFormat.NORMAL,
            ),
            reference=f"BENCH-{number:06d}",
            on=_NOW.date(),
            card=CardKind.SESAME,
            pin=f"{random.randrange(10_000):04d}",
            pattern=random.randbytes(16),
        )


if __name__ == "__main__":
    main()
