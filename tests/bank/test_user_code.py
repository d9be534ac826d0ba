"""`sesame.bank.user_code`."""

import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.errors import BankError, MalformedUserCode
from sesame.bank.user_code import (
    ALPHABET,
    UserCode,
    check_character,
    generate_user_code,
    parse_user_code,
)
from tests.custody.keystores import chance

_EVERYTHING = [chr(point) for point in range(sys.maxunicode + 1)]
_IGNORED = [c for c in _EVERYTHING if unicodedata.category(c)[0] in "ZC"]
_generated = st.integers(0, 2**32).map(lambda n: generate_user_code(chance(str(n))))


def test_what_is_ignored_holds_what_people_paste() -> None:
    """Spaces of every width, line ends, tabs, a byte order mark, direction marks."""
    for (
        character
    ) in " \t\r\n\v\f\u00a0\u1680\u2003\u2009\u200b\u2028\u202f\u3000\ufeff\u200e\u00ad":
        assert character in _IGNORED


@pytest.mark.parametrize("place", [0, 3, 8])
def test_every_space_and_control_is_ignored(place: int) -> None:
    """In front, between, behind; of all that Unicode has in its categories Z and C."""
    for start in range(0, len(_IGNORED), 500):
        noise = "".join(_IGNORED[start : start + 500])
        assert parse_user_code("VERA2345"[:place] + noise + "VERA2345"[place:]) == "VERA2345"


def test_every_other_character_is_refused() -> None:
    """None of the look-alikes of other scripts, widths and styles passes for one of ours."""
    ours = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    passed = {
        character
        for character in set(_EVERYTHING) - set(_IGNORED)
        if _parses("VERA234" + character)
    }
    assert passed == ours


@pytest.mark.parametrize(
    "look_alike",
    [
        "\N{CYRILLIC CAPITAL LETTER A}",
        "\N{GREEK CAPITAL LETTER ALPHA}",
        "\N{FULLWIDTH LATIN CAPITAL LETTER A}",
        "\N{LATIN SMALL LETTER LONG S}",
        "\N{KELVIN SIGN}",
        "\N{LATIN SMALL LETTER DOTLESS I}",
        "\N{LATIN SMALL LIGATURE FF}",
        "\N{ARABIC-INDIC DIGIT TWO}",
        "\N{SUPERSCRIPT TWO}",
        "\N{LATIN CAPITAL LETTER E WITH ACUTE}",
        "E\N{COMBINING ACUTE ACCENT}",
    ],
)
def test_look_alikes_are_refused(look_alike: str) -> None:
    """Two customers must not be one for a page and two for a table."""
    assert not _parses("VERA234" + look_alike)
    assert not _parses("VERA23" + look_alike)


@given(user_code=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=8, max_size=8))
def test_case_does_not_matter(user_code: str) -> None:
    """Every eight characters of A to Z and 0 to 9 are a user code, written as one likes."""
    assert parse_user_code(user_code) == user_code
    assert parse_user_code(user_code.lower()) == user_code
    assert parse_user_code(f" {user_code[:4].lower()} {user_code[4:].title()}\r\n") == user_code


@pytest.mark.parametrize("typed", ["", " ", "VERA234", "VERA23456", "VERA-345", "VERA 234 "])
def test_anything_but_eight_is_refused(typed: str) -> None:
    """The message says what a user code is, and does not repeat what was typed."""
    with pytest.raises(MalformedUserCode, match="eight characters, A to Z and 0 to 9"):
        parse_user_code(typed)


@given(typed=st.text())
def test_any_text_parses_or_raises_our_error(typed: str) -> None:
    """And what parses stays as it is."""
    try:
        user_code = parse_user_code(typed)
    except BankError:
        return
    assert parse_user_code(user_code) == user_code


def test_generated_codes_have_no_look_alikes() -> None:
    """Neither 0 and O, nor 1 and I; each of the 32 characters is as likely as the others."""
    assert sorted(ALPHABET) == sorted(set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") - set("0O1I"))
    drawn = generate_user_code(lambda length: bytes(range(length)))
    assert drawn == "2345678" + check_character("2345678")
    chosen = Counter(generate_user_code(bytes([byte]).__mul__)[0] for byte in range(256))
    assert set(chosen.values()) == {8}


def test_no_generated_code_is_a_number_with_an_exponent() -> None:
    """2345E222 is drawn again: a spreadsheet would write it as 2.345E+225."""
    draws = [bytes([0, 1, 2, 3, 12, 0, 0]), bytes(range(7))]
    assert "2345E22" + check_character("2345E22") == "2345E222"
    assert generate_user_code(lambda _: draws.pop(0)).startswith("2345678")


@given(user_code=_generated)
def test_what_is_generated_parses_as_itself(user_code: UserCode) -> None:
    """It is a user code, and its last character checks the others."""
    assert parse_user_code(user_code) == user_code
    assert check_character(user_code[:-1]) == user_code[-1]


@given(user_code=_generated)
def test_every_wrong_character_is_found(user_code: UserCode) -> None:
    """All 31 others, at each of the eight places."""
    for place in range(8):
        for other in set(ALPHABET) - {user_code[place]}:
            wrong = user_code[:place] + other + user_code[place + 1 :]
            assert check_character(wrong[:-1]) != wrong[-1]


@pytest.mark.parametrize("place", range(7))
def test_two_neighbours_swapped_are_found_but_for_one_pair(place: int) -> None:
    """Luhn's check does not see the first and the last character change places: 2 and Z."""
    for left in ALPHABET:
        for right in set(ALPHABET) - {left}:
            user_code = _valid_with(left + right, place)
            swapped = user_code[:place] + right + left + user_code[place + 2 :]
            missed = check_character(swapped[:-1]) == swapped[-1]
            assert missed is ({left, right} == {"2", "Z"})


def _valid_with(pair: str, place: int) -> str:
    """A valid user code with *pair* at *place*."""
    if place < 6:
        chosen = "ABCDEFG"[:place] + pair + "ABCDEFG"[place + 2 :]
        return chosen + check_character(chosen)
    for first in ALPHABET:  # the check character is the pair's right half
        chosen = first + "BCDEF" + pair[0]
        if check_character(chosen) == pair[1]:
            return chosen + pair[1]
    raise AssertionError(pair)


def _parses(typed: str) -> bool:
    try:
        parse_user_code(typed)
    except MalformedUserCode:
        return False
    return True
