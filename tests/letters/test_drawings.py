"""Letters draw the reader as the portal does, with words for who does not see it."""

import pytest

from sesame.catalogue import Language
from sesame.letters.drawings import key, reader
from sesame.web.drawn_reader import FACES, draw


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("state", FACES)
def test_the_reader_in_every_state(state: str, language: Language) -> None:
    """The label is the drawing's own, and the fonts are those that a letter embeds."""
    drawn = reader(state, language)
    assert drawn.alt == draw(FACES[state], language).label
    assert drawn.svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" class="reader"')
    assert drawn.svg.count("<style>") == 1


@pytest.mark.parametrize("name", ["code", "c", "ok"])
def test_a_key(name: str) -> None:
    """Each has words of its own."""
    french, english = (key(name, language).alt for language in Language)
    assert french.startswith("Dessin de la touche")
    assert english != french
