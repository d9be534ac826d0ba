"""The institution is data; the default one is fictional."""

import doctest

import pytest

from sesame.web import institution
from sesame.web.institution import Institution, spaced, tel


def test_the_link_dials_the_number_alone() -> None:
    """The keys to press are said in words: a pause in a link is dialled by few telephones."""
    assert doctest.testmod(institution).failed == 0
    assert tel("+33 1 99 00 26 40") == "tel:+33199002640"


@pytest.mark.parametrize("number", [Institution().telephone, Institution().lost_cards])
def test_the_default_numbers_are_nobodys(number: str) -> None:
    """The range that is kept for fiction in France."""
    assert number.startswith("01 99 00 ")


@pytest.mark.parametrize("number", ["01 99 00 26 40", " 01  99\u00a000 26 40"])
def test_a_number_stays_on_one_line(number: str) -> None:
    """However the settings write it."""
    assert spaced(number) == "01\u00a099\u00a000\u00a026\u00a040"
