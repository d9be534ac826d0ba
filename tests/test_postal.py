"""What may stand in a window: held against the typesetter itself."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.catalogue import Language
from sesame.letters.errors import UnprintableText
from sesame.letters.letter import Addressee, WelcomeLetter
from sesame.letters.typesetting import Typesetter
from sesame.postal import LINE, MOST_LINES, fits_window, unprintable, unseen
from sesame.web.institution import Institution

_TYPESETTER = Typesetter(Institution())
_ODD = ["\n", "\u202e", "\u200b", "\ud800", "\u2028", "\ue000", "\u0378"]


def _print(*lines: str) -> None:
    to = Addressee(name="Vera", address=lines, language=Language.FRENCH)
    letter = WelcomeLetter(to=to, reference="7QK4-XM2P", on=date(2026, 3, 2), user_code="VERA2345")
    _TYPESETTER.pdf(letter)


def test_what_the_rule_takes_a_letter_prints() -> None:
    """Every character of it: our fonts have them all."""
    taken = [chr(point) for point in range(0x20, 0x3000) if unprintable(chr(point)) is None]
    assert len(taken) > 1_000
    for at in range(0, len(taken), 60):
        _print(*("a" + "".join(taken[at + line : at + line + 12]) for line in range(0, 60, 12)))


@pytest.mark.parametrize("sign", "漢😀")
def test_what_no_font_has(sign: str) -> None:
    """Is refused before a letter is."""
    assert unprintable(f"rue {sign}") == sign
    with pytest.raises(UnprintableText):
        _print(f"rue {sign}")


@pytest.mark.parametrize("sign", _ODD)
def test_what_nothing_shows(sign: str) -> None:
    """Controls, among them those that turn the direction of letters."""
    assert unseen(f"rue{sign}") == unprintable(f"rue{sign}") == sign


@given(st.text(max_size=LINE))
def test_what_is_unseen_is_unprintable(text: str) -> None:
    """And plain letters are neither."""
    if (sign := unseen(text)) is not None:
        assert unprintable(text) == sign
        assert unicodedata.category(sign)[0] in "CZ"
    plain = text.encode("ascii", "ignore").decode()
    assert unprintable("".join(filter(str.isalnum, plain))) is None


def test_six_lines() -> None:
    """The name is one of them."""
    assert [fits_window(["x"] * lines) for lines in (0, 1, MOST_LINES - 1, MOST_LINES)] == [
        False,
        True,
        True,
        False,
    ]
