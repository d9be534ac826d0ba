"""The number of a card where it does not belong: in a text that is kept or shown in clear. Pure."""

import re
from itertools import accumulate

# What stands between the groups of a number as it is copied; also what no screen shows.
BETWEEN = r"[\s._/\-\u00ad\u200b-\u2015\u2060\u2212\ufeff]*"
_MANY_DIGITS = re.compile(rf"\d(?:{BETWEEN}\d){{12,}}")
_LENGTHS = range(13, 20)  # digits (ISO/IEC 7812-1; shorter ones are none of a card that pays)


def has_card_number(text: str) -> bool:
    """Whether groups of digits next to each other are a card number, by their Luhn digit.

    >>> has_card_number("PAN 4970 1012-3456.7893"), has_card_number("le 02/03/2026 à 14 h 30")
    (True, False)
    """
    return any(map(_is_card_number, _MANY_DIGITS.findall(text)))


def _is_card_number(run: str) -> bool:
    """Whether some groups of *run*, next to each other, are one."""
    groups = re.findall(r"\d+", run)
    bounds = {0, *accumulate(map(len, groups))}  # where groups begin and end, in digits
    # Luhn's sums of the first digits: of a number that ends at an even place, at an odd one.
    sums = ([0], [0])
    for place, digit in enumerate(map(int, "".join(groups))):
        doubled = 2 * digit // 10 + 2 * digit % 10
        sums[place % 2].append(sums[place % 2][-1] + doubled)
        sums[1 - place % 2].append(sums[1 - place % 2][-1] + digit)
    return any(
        end - length in bounds and (sums[end % 2][end] - sums[end % 2][end - length]) % 10 == 0
        for end in bounds
        for length in _LENGTHS
    )
