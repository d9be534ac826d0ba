"""A coverage-guided search for a conversation that breaks a rule of the chip.

    python -m tests.card.fuzz_chip search FOLDER -max_total_time=600 -max_len=300
    python -m tests.card.fuzz_chip keep FOLDER

The first begins with the conversations of corpus.txt, and puts into FOLDER what reaches a new
place; the options are libFuzzer's. What breaks a rule is written beside (`crash-…`): add it to
corpus.txt, where it stays. The second writes corpus.txt anew: its conversations and those of
FOLDER, without what reaches nothing more.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sesame.card", "sesame.emv"]):
    from tests.card.witness import converse

CORPUS = Path(__file__).parent / "corpus.txt"


def read_corpus() -> list[bytes]:
    """Its conversations, one a line, hexadecimal."""
    lines = CORPUS.read_text(encoding="utf-8").splitlines() if CORPUS.exists() else []
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def search(folder: Path, options: list[str]) -> None:
    """Search until the options say that it is enough."""
    folder.mkdir(exist_ok=True)
    for number, conversation in enumerate(read_corpus()):
        (folder / f"corpus-{number}").write_bytes(conversation)
    atheris.Setup([sys.argv[0], str(folder), *options], converse)
    atheris.Fuzz()


def keep(folder: Path) -> None:
    """Write corpus.txt: the shortest first, each with a step that no earlier one makes."""
    found = [file.read_bytes() for file in folder.iterdir()]
    reached: set[object] = set()
    kept = []
    for conversation in sorted({*read_corpus(), *found}, key=lambda one: (len(one), one)):
        steps = set(_steps(conversation))
        if steps - reached:
            reached |= steps
            kept.append(conversation.hex())
    head = "# Conversations with a chip: see fuzz_chip.py. Written by it, or added by hand.\n"
    CORPUS.write_text(head + "\n".join(kept) + "\n", encoding="utf-8")


def _steps(conversation: bytes) -> set[object]:
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
    return steps


def main(arguments: list[str]) -> None:
    """One of the lines above."""
    match arguments:
        case ["search", folder, *options]:
            search(Path(folder), options)
        case ["keep", folder]:
            keep(Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
