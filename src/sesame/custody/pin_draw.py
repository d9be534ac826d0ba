"""A card's PIN, by chance. Pure: the chance comes as an argument.

Each PIN that is not refused is as likely as every other. What is refused, and what that costs in
guessing, stands in docs/explanation/why-these-numbers.md.
"""

from collections.abc import Collection
from itertools import pairwise

from sesame.custody.errors import ChanceFails
from sesame.custody.key import Random
from sesame.emv.pin import Pin

PIN_DIGITS = 4

_ALL = 10**PIN_DIGITS
_CHANCE = 2  # bytes
_BITS = 0x3FFF  # of them: 16384 numbers, of which 10000 are PINs
_DRAWS = 256  # four in ten are no PIN; that all are none has a chance of 2⁻³⁰⁰
_RUNS = (0, 1, 9)  # from a digit to the next, without the tens: alike, up, down
_CENTURIES = ("19", "20")
_COLUMN = ("2580", "0852")  # the middle of a keypad, down and up


def draw_pin(random: Random, *, printed: Collection[str] = ()) -> Pin:
    """A PIN of four digits that is neither weak nor among the digits *printed* on its card.

    A number is drawn until it is one: no remainder is taken, which would favour some.

    Args:
        random: so many bytes of chance.
        printed: rows of digits that whoever finds the card reads off it.

    Raises:
        ChanceFails: 256 numbers were refused one after the other.
    """
    for _ in range(_DRAWS):
        number = int.from_bytes(random(_CHANCE)) & _BITS
        digits = f"{number:0{PIN_DIGITS}d}"
        if number < _ALL and not is_weak(digits) and not any(digits in row for row in printed):
            return Pin(digits)
    raise ChanceFails


def is_weak(digits: str) -> bool:
    """Whether four *digits* are among those that a finder of cards would try first."""
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(digits)}
    return (
        (len(steps) == 1 and steps.pop() in _RUNS)
        or digits[:2] == digits[2:]  # 1212
        or (digits[0] == digits[1] and digits[2] == digits[3])  # 1122
        or digits[:2] in _CENTURIES
        or digits in _COLUMN
    )
