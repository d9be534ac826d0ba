"""The first trial: its steps are the reader's own, and nothing is typed on its pages."""

import re
from itertools import pairwise

import pytest

from sesame.catalogue import Language
from sesame.portal.answers import ANSWERS
from sesame.portal.cards import Card
from sesame.portal.trial import STEPS
from sesame.reader.machine import Reader, State
from sesame.web.drawn_reader import FACES
from tests.portal.browser import Browser
from tests.portal.words import sentences_of, text_of, words_of

_TRIALS = [f"/premier-essai/{card}" for card in Card]
_PAGES = [
    "/mode-d-emploi",
    "/premier-essai",
    *(f"/mode-d-emploi/{card}" for card in Card),
    *(f"{trial}/{number}" for trial in _TRIALS for number in range(1, len(STEPS) + 1)),
    *(f"{trial}/ecrans" for trial in _TRIALS),
    *(f"{trial}/ecrans/{answer.name}" for trial in _TRIALS for answer in ANSWERS),
]
_STATES = {"pin-typed": "awaiting-pin", "gone": "off"}  # drawn apart, and the same state


@pytest.mark.parametrize("trial", _TRIALS)
async def test_each_step_leads_to_the_next_and_back(browser: Browser, trial: str) -> None:
    """With where one is, in the title and on the page; from the choice of cards to the login."""
    last = len(STEPS)
    assert f'href="{trial}/1"' in (await browser.get("/premier-essai")).text
    for number, step in enumerate(STEPS, 1):
        page = (await browser.get(f"{trial}/{number}")).text
        assert f"<title>Étape {number} sur {last}\u00a0: {step.title} – Coop@net</title>" in page
        assert f"<h1>{step.title}</h1>" in page
        assert f"Étape {number} sur {last}" in text_of(page)
        back = "/premier-essai" if number == 1 else f"{trial}/{number - 1}"
        assert re.findall(r'rel="prev" href="([^"]*)"', page) == [back]
        on = [] if number == last else [f"{trial}/{number + 1}"]
        assert re.findall(r'rel="next" href="([^"]*)"', page) == on
        assert f'href="{trial}/ecrans"' in page


@pytest.mark.parametrize("step", ["0", "10", "01", "x", "1.0", "¹", "1/2"])
async def test_there_is_no_other_step(browser: Browser, step: str) -> None:
    """404 with the usual page."""
    assert len(STEPS) == 9
    assert (await browser.get(f"/premier-essai/carte-bancaire/{step}")).status_code == 404


def test_the_steps_are_a_way_through_the_readers_table() -> None:
    """Each state is drawn where the reader can come to it; what it hurries through may be left."""
    leads_to: dict[State, set[State]] = {}
    for (state, _), transition in Reader.TRANSITIONS.items():
        leads_to.setdefault(state, set()).update(transition.to)
    names = [next(name for name, face in FACES.items() if face is step.face) for step in STEPS]
    states = [State(_STATES.get(name, name)) for name in names]
    states.insert(states.index(State.CODE_SHOWN), State.COMPUTING)  # told in words
    for state, following in pairwise(states):
        assert following in leads_to[state], f"{state} does not lead to {following}"
    assert states[0] is states[-1] is State.OFF


async def test_each_card_has_its_own_pin(browser: Browser) -> None:
    """S10 and S11, where the PIN is typed, and where it was wrong."""
    for path in ("5", "ecrans/code-secret-faux", "ecrans/dernier-essai"):
        bank = text_of((await browser.get(f"/premier-essai/carte-bancaire/{path}")).text)
        sesame = text_of((await browser.get(f"/premier-essai/carte-sesame/{path}")).text)
        assert "retraits" in bank
        assert "retraits" not in sesame
        assert "lettre" in sesame
        assert "lettre" not in bank


async def test_the_start_says_that_a_trial_costs_nothing(browser: Browser) -> None:
    """And that codes are checked for those who log in with their old one."""
    page = (await browser.get("/premier-essai")).text
    text = text_of(page)
    assert "Vous n’avez pas besoin de vous connecter." in text
    assert "Un code d’essai que vous n’utilisez pas ne coûte rien et ne bloque rien." in text
    assert "vous pourrez alors faire vérifier un code d’essai" in text
    assert 'href="/acces/ancien-code"' in page
    assert 'href="/acces/ancien-code"' in (await browser.get(f"{_TRIALS[0]}/{len(STEPS)}")).text


@pytest.mark.parametrize("language", Language)
async def test_nothing_can_be_typed_on_these_pages(browser: Browser, language: Language) -> None:
    """No field, no form: neither a PIN nor a code can end up here."""
    browser.cookies.set("sesame_language", language)
    for address in _PAGES:
        page = (await browser.get(address)).text
        assert not re.search(r"<(?:input|form|textarea|select|button)\b", page), address


@pytest.mark.parametrize("language", Language)
async def test_the_language_is_plain(browser: Browser, language: Language) -> None:
    """Short sentences of short words (level B2): none above twenty words, eleven on average."""
    browser.cookies.set("sesame_language", language)
    for address in _PAGES:
        sentences = sentences_of((await browser.get(address)).text)
        lengths = [len(words_of(sentence)) for sentence in sentences]
        assert len(lengths) > 5, address
        assert max(lengths) <= 20, f"{address}: {max(sentences, key=lambda s: len(words_of(s)))}"
        assert sum(lengths) / len(lengths) <= 11, address
        words = [word for sentence in sentences for word in words_of(sentence)]
        assert [word for word in words if len(word) > 14] == [], address
