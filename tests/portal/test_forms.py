"""What people type becomes codes, or a sentence of its own; forms belong to one browser."""

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sesame.bank.matching import TwoCodes
from sesame.bank.old_code import OldCode
from sesame.cap.token import Code
from sesame.portal import forms
from sesame.portal.forms import (
    Mistake,
    Typed,
    harmless,
    read_old_code,
    read_sesame,
    read_two_codes,
)
from tests.portal.town import Town, wide

_CODE = "34567890"  # in the range of both profiles
_IMPOSSIBLE = "12345678"  # in no profile's: the constant bit is missing

# Every space and line end that Unicode has, and the marks that pasted text carries unseen.
_GAPS = (
    "".join(
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in {"Zs", "Zl", "Zp"} or character in "\t\n\v\f\r\x85"
    )
    + "\u200b\u200e\u2060\ufeff\u00ad"
)

_same_town = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def _with_gaps(text: str) -> st.SearchStrategy[str]:
    gap = st.text(alphabet=_GAPS, max_size=3)
    return st.tuples(*[gap] * (len(text) + 1)).map(
        lambda gaps: "".join(g + c for g, c in zip(gaps, [*text, ""], strict=True))
    )


def read_one(town: Town, user_code: str, code: str) -> Typed | Mistake:
    """The form with one code."""
    return read_sesame(town.bank, {"user_code": user_code, "code": code})


@_same_town
@given(typed_user_code=_with_gaps("vErA2345"), typed_code=_with_gaps(_CODE))
@example(typed_user_code=_GAPS + "VERA2345", typed_code="3456" + _GAPS + "7890")
@example(typed_user_code="vera2345", typed_code=wide(_CODE))
def test_any_space_anywhere_in_both_fields(
    town: Town, typed_user_code: str, typed_code: str
) -> None:
    """As it is copied, pasted, dictated, or typed with the reader's own gap in the middle."""
    typed = read_one(town, typed_user_code, typed_code)
    assert typed == Typed(town.vera.user_code, Code(_CODE))


@pytest.mark.parametrize("typed", ["", "VERA234", "VERA23456", "VÉRA2345", "VERA-2345", "0" * 999])
def test_no_user_code(town: Town, typed: str) -> None:
    """Named by its field."""
    mistake = read_one(town, typed, _CODE)
    assert mistake == Mistake(user_code=forms.NOT_A_USER_CODE)


@pytest.mark.parametrize(
    "typed", ["", "1234", "3456789", "345678901", "3456789O", wide(_CODE) + "x"]
)
def test_no_code(town: Town, typed: str) -> None:
    """A PIN for example, which is not to be entered here."""
    mistake = read_one(town, "VERA2345", typed)
    assert mistake == Mistake(code=forms.NOT_A_CODE)


def test_both_fields_are_named_at_once(town: Town) -> None:
    """So that one correction is enough."""
    mistake = read_one(town, "VERA", "1234")
    assert mistake == Mistake(user_code=forms.NOT_A_USER_CODE, code=forms.NOT_A_CODE)


def test_a_number_that_no_card_makes(town: Town) -> None:
    """Eight digits, yet a slip of the finger for certain."""
    assert read_one(town, "VERA2345", _IMPOSSIBLE) == Mistake(code=forms.IMPOSSIBLE)


def test_fields_in_each_others_place(town: Town) -> None:
    """Noticed, and the user code is put where it belongs; the code has to be typed again."""
    mistake = read_one(town, "3456 7890", "vera 2345")
    assert mistake == Mistake(code=forms.SWAPPED, swapped=town.vera.user_code)


def test_a_user_code_of_digits_alone_is_no_swap(town: Town) -> None:
    """Both fields could be either; they are taken as they stand."""
    codes = read_one(town, "12345678", _CODE)
    assert isinstance(codes, Typed)
    assert codes.user_code == "12345678"


@pytest.mark.parametrize(
    ("user_code", "code"),
    [("VERA2345", "VERA2345"), ("VERA2345", " vera 2345"), ("", "OMAR6789"), (_CODE, "3456 7890")],
)
def test_a_user_code_in_the_field_of_the_code(town: Town, user_code: str, code: str) -> None:
    """Noticed before anything is judged: one with letters, or the very one of the first field."""
    mistake = read_one(town, user_code, code)
    assert isinstance(mistake, Mistake)
    assert mistake.code == forms.USER_CODE_AGAIN


# ── Two codes, and the old one ───────────────────────────────────────────────────────────────────

_NEXT = "34567891"


def read_two(town: Town, user_code: str, code: str, next_code: str) -> Typed | Mistake:
    """The form with two codes."""
    fields = {"user_code": user_code, "code": code, "next_code": next_code}
    return read_two_codes(town.bank, fields)


def test_two_codes_in_their_order(town: Town) -> None:
    """Each in any spelling."""
    typed = read_two(town, "vera2345", "3456 7890", "3456\u202f7891\r\n")
    assert typed == Typed(town.vera.user_code, TwoCodes(Code(_CODE), Code(_NEXT)))


@pytest.mark.parametrize(
    ("user_code", "code", "next_code", "mistake"),
    [
        ("VERA", _CODE, _NEXT, Mistake(user_code=forms.NOT_A_USER_CODE)),
        ("VERA2345", "12", _NEXT, Mistake(code=forms.NOT_A_CODE)),
        ("VERA2345", _CODE, "", Mistake(next_code=forms.NOT_A_CODE)),
        ("VERA2345", _CODE, _IMPOSSIBLE, Mistake(next_code=forms.IMPOSSIBLE)),
        ("VERA2345", _CODE, "3456 7890", Mistake(next_code=forms.SAME_TWICE)),
        ("VERA2345", _CODE, "vera2345", Mistake(next_code=forms.USER_CODE_AGAIN)),
        ("VERA2345", "1", "1", Mistake(code=forms.NOT_A_CODE, next_code=forms.NOT_A_CODE)),
    ],
)
def test_what_is_wrong_with_two_codes(
    town: Town, user_code: str, code: str, next_code: str, mistake: Mistake
) -> None:
    """Named by its field; the same code twice too."""
    assert read_two(town, user_code, code, next_code) == mistake


def test_an_old_code_is_taken_as_it_is(town: Town) -> None:
    """Spaces belong to it; how accents are put together does not."""
    fields = {"user_code": "vera2345", "old_code": " e\u0301té 1971 "}
    assert read_old_code(town.bank, fields) == Typed(town.vera.user_code, OldCode(" été 1971 "))


@pytest.mark.parametrize("typed", ["", "x" * 129])
def test_no_old_code(town: Town, typed: str) -> None:
    """Nothing, or more than anybody has; the user code is named beside it."""
    mistake = read_old_code(town.bank, {"user_code": "VERA", "old_code": typed})
    assert mistake == Mistake(user_code=forms.NOT_A_USER_CODE, code=forms.NOT_AN_OLD_CODE)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("VERA2345", "VERA2345"),
        (" vera 2345\n", "VERA2345"),
        (_IMPOSSIBLE, _IMPOSSIBLE),
        ("1234 5678", "12345678"),
    ],
)
def test_a_user_code_may_stand_on_the_page_again(town: Town, typed: str, shown: str) -> None:
    """As the bank writes it, anybody's or nobody's."""
    assert harmless(town.bank, typed) == shown


@pytest.mark.parametrize(
    "typed", ["", "1234", "12 34", "123456", "vera", "<b>", "é 12", wide(_CODE)]
)
def test_nothing_else_does(town: Town, typed: str) -> None:
    """A PIN above all."""
    assert not harmless(town.bank, typed)


@_same_town
@given(before=st.text(max_size=20), after=st.text(max_size=20), code=_with_gaps(_CODE))
@example(before="VERA2345", after="", code=_CODE)
@example(before="", after="", code=wide(_CODE))
@example(before="", after="\ua4c7", code=_CODE)
def test_a_code_in_the_first_field_never_does(
    town: Town, before: str, after: str, code: str
) -> None:
    """Whatever stands around it."""
    shown = re.sub(
        r"\D", "", unicodedata.normalize("NFKC", harmless(town.bank, before + code + after))
    )
    assert _CODE not in shown


def test_neither_does_a_long_text(town: Town) -> None:
    """No user code is that long."""
    assert not harmless(town.bank, "V" * 65)


@pytest.mark.parametrize("typed", ["VERA2345", " vera 2345"])
def test_a_user_code_in_the_field_of_the_old_code(town: Town, typed: str) -> None:
    """The very one of the first field; another's may be somebody's old code."""
    fields = {"user_code": "vera2345", "old_code": typed}
    assert read_old_code(town.bank, fields) == Mistake(code=forms.NOT_THE_USER_CODE)
    assert isinstance(read_old_code(town.bank, fields | {"user_code": "OMAR6789"}), Typed)
