"""What is a card's number in a text, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.card_numbers import has_card_number
from sesame.emv.pan import luhn_digit

_PAN = "4970101234567893"
_GROUPS = ("4970", "1012", "3456", "7893")


@pytest.mark.parametrize(
    "text",
    [
        _PAN,
        f"PAN {' '.join(_GROUPS)} PIN 4711",
        f"le 2 mars, {_PAN}, au guichet",
        f"2026 {' '.join(_GROUPS)} 2027",
        f"A{_PAN}B",
        " - ".join(_GROUPS),
        _PAN.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}),
        "    ".join(_GROUPS),
        " \n\t-  \n ".join(_GROUPS),
        "-----".join(_GROUPS),
        " . . . . ".join(_GROUPS),
        "4000000000006",  # 13
        "4000000000000000006",  # 19
        *(
            between.join(_GROUPS)
            for between in "-._/\u00a0\u00ad\u200b\u2009\u2011\u202f\u2060\u2212\ufeff\n\t"
        ),
    ],
)
def test_a_card_number(text: str) -> None:
    """Wherever it stands, and whatever stands between its groups."""
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Carte qui finit par 7893, PIN 4711, code 1234 5678, de 2024 à 2026",
        "06 12 34 56 78",
        "le 02/03/2026 à 14 h 30",
        _PAN[:-1] + "4",
        "400000000002",  # 12
        "40000000000000000002",  # 20
        ":".join(_GROUPS),
        "4970 et 1012 et 3456 et 7893",
    ],
)
def test_no_card_number(text: str) -> None:
    """Luhn's check fails, it is shorter or longer, or the digits do not stand together."""
    assert not has_card_number(text)


@given(
    st.text("0123456789", min_size=12, max_size=18),
    st.lists(st.sampled_from(["", " ", "-", ". ", " / "]), min_size=18, max_size=18),
    st.text("Aé ,;:", max_size=9),
)
def test_any_card_number(payload: str, betweens: list[str], around: str) -> None:
    """Of 13 to 19 digits, in whatever groups, in the middle of a text."""
    digits = payload + luhn_digit(payload)
    number = "".join(map("".join, zip(digits, [*betweens, ""], strict=False)))
    assert has_card_number(f"{around},{number},{around}")


def test_a_long_text_takes_no_long_time() -> None:
    """Nothing is looked at once for each of what stands before it."""
    assert not has_card_number("1 " * 100_000)
    assert not has_card_number(("1" + "-" * 1_000) * 12 + "x" + " " * 100_000)
