"""Coverage-guided searches for what breaks a rule: of the chip, of its data, of the reader.

    python -m tests.fuzz search NAME FOLDER -max_total_time=600
    python -m tests.fuzz keep NAME FOLDER
    python -m tests.fuzz play NAME FILE

NAME is one of `SEARCHES`. The first begins with the inputs of its corpus, and puts into FOLDER
what reaches a new place; the options are libFuzzer's. What breaks a rule is written beside
(`crash-…`): add it to the corpus, where it stays. The second writes the corpus anew: its inputs
and those of FOLDER, without what reaches nothing more. The third plays one input.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import atheris

with atheris.instrument_imports(
    include=["sesame.card", "sesame.emv", "sesame.cap", "sesame.reader", "sesame.cli"]
):
    from tests.card import groupings
    from tests.card.witness import converse
    from tests.reader import meetings
from tests.corpora import read_corpus

_HERE = Path(__file__).parent
_SOURCE = os.sep + "sesame" + os.sep
Play = Callable[[bytes], None]


@dataclass(frozen=True)
class Search:
    """What is played, where its corpus is, and how long an input may be."""

    play: Play
    corpus: Path
    steps: Callable[[bytes], Iterator[object]]
    longest: int = 300  # bytes


def _said(conversation: bytes) -> Iterator[object]:
    """What was said in which card and how it was answered, each after what came before it."""
    steps: set[object] = set()
    card = conversation[:1]
    before = (b"", b"")

    def listen(raw: bytes, answer: bytes) -> None:
        nonlocal before
        now = (raw[1:3], answer[-2:])
        steps.add((card, before, now))
        before = now

    converse(conversation, listen)
    yield from steps


def _gone(play: Play) -> Callable[[bytes], Iterator[object]]:
    """From which line of the source to which one it goes."""

    def steps(data: bytes) -> Iterator[object]:
        reached: set[object] = set()

        def trace(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401 -- sys'
            name = frame.f_code.co_filename
            if _SOURCE not in name:
                return None
            last = 0

            def line(frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401
                nonlocal last
                if event == "line":
                    reached.add((name, last, frame.f_lineno))
                    last = frame.f_lineno
                return line

            return line

        sys.settrace(trace)
        try:
            play(data)
        finally:
            sys.settrace(None)
        yield from reached

    return steps


def _met(data: bytes) -> Iterator[object]:
    """The same, and what the reader did in which state."""
    did: set[object] = set()
    meetings.meet_reader(data, did.add)
    yield from did
    yield from _gone(meetings.meet_reader)(data)


SEARCHES = {
    "chip": Search(converse, _HERE / "card" / "corpus.txt", _said),
    "groupings": Search(groupings.meet, _HERE / "card" / "groupings.txt", _gone(groupings.meet)),
    **{
        name: Search(
            play, meetings.CORPORA / f"{name}.txt", _met if name == "reader" else _gone(play)
        )
        for name, play in meetings.MEETINGS.items()
    },
}


def search(one: Search, folder: Path, options: list[str]) -> None:
    """Search until the options say that it is enough."""
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(read_corpus(one.corpus)):
        (folder / f"corpus-{number}").write_bytes(data)
    # Long ones at once: a card comes to its cryptogram late.
    limits = [f"-max_len={one.longest}", "-len_control=0"]
    atheris.Setup([sys.argv[0], str(folder), *limits, *options], one.play)
    atheris.Fuzz()


def keep(one: Search, folder: Path) -> None:
    """Write the corpus: the shortest first, each with a step that no earlier one makes."""
    found = [file.read_bytes() for file in folder.iterdir()]
    reached: set[object] = set()
    kept = []
    for data in sorted({*read_corpus(one.corpus), *found}, key=lambda one: (len(one), one)):
        steps = set(one.steps(data))
        if steps - reached:
            reached |= steps
            kept.append(data.hex())
    head = "# Inputs of tests/fuzz.py, one a line. Written by it, or added by hand.\n"
    one.corpus.write_text(head + "\n".join(kept) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """One of the lines above."""
    match arguments:
        case ["search", name, folder, *options] if name in SEARCHES:
            search(SEARCHES[name], Path(folder), options)
        case ["keep", name, folder] if name in SEARCHES:
            keep(SEARCHES[name], Path(folder))
        case ["play", name, file] if name in SEARCHES:
            SEARCHES[name].play(Path(file).read_bytes())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
