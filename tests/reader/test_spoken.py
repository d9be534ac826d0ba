"""How a voice says the reader's sentences: heard through the phonemes of espeak-ng."""

import re
import subprocess
from dataclasses import replace
from functools import cache

import pytest

from sesame.catalogue import Language
from sesame.reader.machine import SHOWN, Screen, State
from sesame.reader.speech import speak
from tests.reader.displays import screens

pytestmark = pytest.mark.needs("espeak-ng")

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH
CODES = ["3465 6023", "0012 3456", "1111 1111", "6868 1080", "2121 9797", "0000 0000"]
_STRESS = str.maketrans("", "", "ˈˌ")


@cache
def heard(sentence: str, language: Language) -> tuple[str, ...]:
    """The words of *sentence* in phonemes, without stress.

    Nor with the last consonant, which in French depends on what follows: « six » before
    « huit » and before « cent », « deux » before « un ».
    """
    spoken = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", language, sentence],  # noqa: S607
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return tuple(
        re.sub("(?<=.)[zst]$", "", word) for word in spoken.stdout.translate(_STRESS).split()
    )


def digits(language: Language) -> tuple[str, ...]:
    """The ten digits, each as it sounds among others."""
    return heard("0 1 2 3 4 5 6 7 8 9", language)


def contains(words: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether *words* has *part* in it, one word behind the other."""
    return any(words[at : at + len(part)] == part for at in range(len(words)))


@pytest.mark.parametrize("language", list(Language))
def test_ten_digits_sound_differently(language: Language) -> None:
    """What the rest compares with."""
    assert len(set(digits(language))) == len(digits(language)) == 10


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("state", sorted(SHOWN))
@pytest.mark.parametrize("code", CODES)
def test_a_code_is_heard_digit_by_digit(language: Language, state: State, code: str) -> None:
    """Eight words, not thirty-four million."""
    said = heard(speak(Screen(state=state, language=language, code=code)), language)
    alone = tuple(digits(language)[int(digit)] for digit in code.replace(" ", ""))
    assert contains(said, alone), said
    assert not contains(said, heard(code.replace(" ", ""), language)) or code == "0000 0000"


def test_without_the_spaces_it_would_be_millions() -> None:
    """So the test above can fail."""
    assert "miljɔ̃" in heard("34656023", FRENCH)
    assert "mɪliən" in heard("34656023", ENGLISH)  # noqa: RUF001 -- it is IPA


@pytest.mark.parametrize("language", list(Language))
def test_a_payee_is_heard_digit_by_digit_and_an_amount_as_a_number(language: Language) -> None:
    """As both are compared with a bill."""
    screen = Screen(state=State.CONFIRMING, language=language, amount=1250_00, payee="34567890")
    said = heard(speak(screen), language)
    assert contains(said, tuple(digits(language)[int(digit)] for digit in "34567890"))
    assert said[: len(heard("1250", language))] == heard("1250", language)
    typed = Screen(state=State.AWAITING_PAYEE, language=language, entered="4567")
    assert contains(heard(speak(typed), language), tuple(digits(language)[4:8]))


def test_the_two_codes_sound_differently() -> None:
    """« Code secret » is the card's, « code Sésame » the reader's; in English, PIN and code."""
    asked = heard(speak(Screen(state=State.AWAITING_PIN, language=FRENCH)), FRENCH)
    shown = heard(speak(Screen(state=State.CODE_SHOWN, language=FRENCH, code="3465 6023")), FRENCH)
    assert asked == ("kɔd", "səkʁɛ")
    assert contains(shown, ("kɔd", "sezam"))
    assert not contains(shown, asked)
    asked = heard(speak(Screen(state=State.AWAITING_PIN, language=ENGLISH)), ENGLISH)
    shown = heard(
        speak(Screen(state=State.CODE_SHOWN, language=ENGLISH, code="3465 6023")), ENGLISH
    )
    assert not set(asked) & set(shown)


def test_code_response_and_signature_sound_differently() -> None:
    """Whoever does not see the label hears it."""
    for language in Language:
        screen = Screen(state=State.CODE_SHOWN, language=language, code="3465 6023")
        assert len({heard(speak(replace(screen, state=s)), language) for s in SHOWN}) == 3


@pytest.mark.parametrize("language", list(Language))
def test_no_sentence_is_spelt(language: Language) -> None:
    """Capitals and signs are read as words: nothing falls into another language or into letters."""
    for sentence in sorted({speak(screen) for screen in screens(language)}):
        words = heard(sentence, language)
        assert words
        assert not re.search(r"\([a-z]{2}\)", " ".join(words)), sentence
