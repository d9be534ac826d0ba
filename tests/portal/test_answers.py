"""« Que voyez-vous ? »: every display of the reader has an answer, and a way on."""

import html

import pytest

from sesame.portal.answers import ANSWERS, Answer
from sesame.portal.cards import Card
from sesame.portal.trial import STEPS
from sesame.reader.machine import State
from sesame.web.drawn_reader import FACES
from tests.portal.browser import Browser
from tests.portal.words import text_of

# Drawn in the trial only: the dots of a whole PIN, and the reader gone off with the card in it.
_NO_ANSWER = {"pin-typed", "gone"}


# The reader that customers hold has all its keys on it.
HAND_HELD = [state for state in State if state is not State.PIN_ON_PAD]


def test_no_display_is_without_an_answer() -> None:
    """All states of the reader, and the special words of some; each has one address."""
    assert {answer.face for answer in ANSWERS} == set(FACES) - _NO_ANSWER
    assert {state.value for state in HAND_HELD} <= {answer.face for answer in ANSWERS}
    assert len({answer.name for answer in ANSWERS}) == len(ANSWERS) == len(FACES) - 2


@pytest.mark.parametrize("card", Card)
async def test_the_list_leads_to_every_answer(browser: Browser, card: Card) -> None:
    """By the words on the display, and by what they mean."""
    page = (await browser.get(f"/premier-essai/{card}/ecrans")).text
    text = text_of(page)
    assert "CARTE BLOQUÉE APPELEZ VOTRE BANQUE" in text
    assert "CODE SÉSAME 0000 0000" in text
    for answer in ANSWERS:
        assert f'href="/premier-essai/{card}/ecrans/{answer.name}"' in page
        assert answer.title in html.unescape(page)


@pytest.mark.parametrize("card", Card)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
async def test_an_answer_says_what_to_do_and_leads_on(
    browser: Browser, card: Card, answer: Answer
) -> None:
    """What it means, what to do with this card, the step to go on with, and whom to call."""
    page = (await browser.get(f"/premier-essai/{card}/ecrans/{answer.name}")).text
    text = text_of(page)
    for sentence in (answer.title, answer.meaning, *answer.do):
        assert " ".join(sentence.split()) in text
    if answer.of_card:
        assert " ".join(answer.of_card[card].split()) in text
        assert " ".join(answer.of_card[card.other].split()) not in text
    assert 1 <= answer.step <= len(STEPS)
    assert f'href="/premier-essai/{card}/{answer.step}"' in page
    assert f'href="/premier-essai/{card}/ecrans"' in page
    assert 'href="tel:' in page


async def test_an_unknown_display_is_not_found(browser: Browser) -> None:
    """404 with the usual page."""
    answer = await browser.get("/premier-essai/carte-bancaire/ecrans/carte-avalee")
    assert answer.status_code == 404
