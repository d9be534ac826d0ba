"""The sheets say what the portal's pages say, sentence by sentence."""

import re
from pathlib import Path

import pytest

import sesame.portal
from sesame.catalogue import Language
from sesame.letters.letter import CardKind, Sheet
from sesame.postal import LetterFormat
from tests.letters.mail import text_of

_PAGE = Path(sesame.portal.__path__[0], "templates", "instructions.html")
_ELSEWHERE = ("gros caractères", "caractères ordinaires", "Pour imprimer", "Commencer le premier")
_OF_BANK = re.compile(r"{% if page\.bank %}(.*?){% else %}(.*?){% endif %}", re.DOTALL)
_OF_SESAME = re.compile(r"{% if not page\.bank %}(.*?){% endif %}", re.DOTALL)


@pytest.mark.parametrize("size", LetterFormat)
@pytest.mark.parametrize("card", CardKind)
def test_every_sentence_of_the_page_is_on_the_sheet(card: CardKind, size: LetterFormat) -> None:
    """In the page's order but for its drawings; what is for a screen alone is left out."""
    page = _OF_BANK.sub(r"\1" if card is CardKind.BANK else r"\2", _PAGE.read_text("utf-8"))
    page = _OF_SESAME.sub("" if card is CardKind.BANK else r"\1", page)
    page = page.partition("{% block main %}")[2]
    text = text_of(Sheet(card=card, language=Language.FRENCH, format=size))
    sentences = re.findall(r'_\("([^"]{12,})"', page)
    assert len(sentences) > 20
    for sentence in sentences:
        if any(word in sentence for word in _ELSEWHERE) or "Tous les messages" in sentence:
            continue
        for piece in re.split(r"%\(\w+\)s", sentence):
            assert _bare(piece) in _bare(text), piece


def _bare(text: str) -> str:
    """Without spaces, which a line's end may take away, and drawn keys' names."""
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("card", CardKind)
def test_a_sheet_says_nothing_of_the_other_card(card: CardKind) -> None:
    """But where it sends those who hold that one."""
    text = text_of(Sheet(card=card))
    after = text[text.index("Pourquoi un lecteur") :]
    assert ("carte bancaire" in after) == (card is CardKind.BANK)
    assert ("carte Sésame" in after) == (card is CardKind.SESAME)


def test_a_sesame_card_is_activated_before_it_signs_in() -> None:
    """Else its right codes are refused, and suspend its owner; a bank card has no such step."""
    text = text_of(Sheet(card=CardKind.SESAME))
    activated = text.index("Première fois avec cette carte")
    assert text.index("Ouvrez la page d’accueil") < activated
    assert activated < text.index("Cliquez sur l’image du lecteur")
    assert "le numéro de la lettre du lecteur" in text[activated:]
    assert "Activez-la" not in text_of(Sheet(card=CardKind.BANK))
