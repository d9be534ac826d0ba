"""The number of a card where it does not belong: in a text that is kept or shown in clear. Pure."""

import re

from sesame.emv.pan import luhn_digit

# What stands between the groups of a number as it is copied; also what no screen shows.
BETWEEN = r"[\s._/\-\u00ad\u200b-\u2015\u2060\u2212\ufeff]{0,3}"
_MANY_DIGITS = re.compile(rf"\d(?:{BETWEEN}\d){{12,}}")
_LENGTHS = range(13, 20)  # digits (ISO/IEC 7812-1; shorter ones are none of a card that pays)


def has_card_number(text: str) -> bool:
    """Whether groups of digits next to each other are a card number, by their Luhn digit.

    However many blanks are between two of them: a text is kept with one in their place.

    >>> has_card_number("PAN 4970 1012-3456.7893"), has_card_number("le 02/03/2026 à 14 h 30")
    (True, False)
    """
    return any(map(_is_card_number, _MANY_DIGITS.findall(" ".join(text.split()))))


def _is_card_number(run: str) -> bool:
    """Whether some groups of *run*, next to each other, are one."""
    groups = re.findall(r"\d+", run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += "".join(str(int(digit)) for digit in group)
            if len(digits) >= _LENGTHS.stop:
                break
            if len(digits) in _LENGTHS and luhn_digit(digits[:-1]) == digits[-1]:
                return True
    return False
