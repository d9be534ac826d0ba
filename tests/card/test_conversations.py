"""Ten thousand conversations with a chip, and those that a fuzzer found worth keeping.

`corpus.txt` holds one conversation a line, in the bytes of `tests.card.witness.converse`: what the
coverage-guided search needed to reach every place that it could, and what ever broke a rule.
`make soak` goes on searching from there (`tests.fuzz`).
"""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import corpora
from tests.card.witness import SENSIBLE, converse

HERE = Path(__file__).parent


def test_ten_thousand_random_conversations() -> None:
    """No crash, no hang, no ATC twice, no try given back. The same ones every time."""
    chance = random.Random(20261125)  # noqa: S311 -- conversations, not secrets
    for _ in range(10_000):
        said = bytearray(chance.randbytes(1))
        for _ in range(chance.randrange(4, 30)):
            if chance.random() < 0.85:  # mostly what a terminal says
                said.append(chance.randrange(len(SENSIBLE)))
            else:
                said += chance.randbytes(chance.randrange(1, 20))
        converse(bytes(said))


def test_every_conversation_of_the_corpus() -> None:
    """All of them, quickly: what one search found, no later change may break."""
    conversations = corpora.read_corpus(HERE / "corpus.txt")
    assert len(conversations) > 100
    for conversation in conversations:
        converse(conversation)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_conversation(data: bytes) -> None:
    """Hypothesis searches its own way, and shrinks what it finds."""
    converse(data)


@pytest.mark.soak
@pytest.mark.timeout(corpora.SECONDS + 120)
@corpora.atheris_is_there
def test_a_coverage_guided_search_finds_nothing(tmp_path: Path) -> None:
    """For two minutes, from the corpus on; SESAME_FUZZ_SECONDS says how long otherwise."""
    corpora.search("chip", tmp_path)
