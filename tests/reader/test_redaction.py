"""Words of a card without what is private: whatever a trace blackens, a report hides."""

import pytest

from sesame.emv.tags import Tag
from sesame.reader.blackening import NUMBERS, WORDS
from sesame.reader.redaction import Redaction


@pytest.mark.parametrize("tag", sorted(WORDS))
def test_words_of_every_private_object_are_hidden(tag: Tag) -> None:
    """A label may hold a name that only the track tells."""
    redaction = Redaction([(tag, b"B00^LEFEVRE/INES^")])
    assert redaction.text(b"Carte de Lefevre") == "…"
    assert redaction.hex(b"LEFEVRE") == "…"
    assert redaction.text(b"VISA Auth") == "VISA Auth"


@pytest.mark.parametrize("tag", sorted(NUMBERS | WORDS))
def test_numbers_of_every_private_object_are_hidden(tag: Tag) -> None:
    """In BCD, as bytes have them, and in characters."""
    redaction = Redaction([(tag, bytes.fromhex("4761730000000011")), (tag, b"4761730000000011")])
    assert redaction.hex(bytes.fromhex("A04761730000000011")) == "…"
    assert redaction.hex(b"4761730000000011") == "…"
    assert redaction.hex(bytes.fromhex("A0000000038002")) == "A0000000038002"
