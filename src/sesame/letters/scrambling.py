"""The pattern over a PIN: false digits in magenta and yellow, and bars in a pale cyan.

The digits are cyan, and all is printed one over another as coloured glass is laid on glass
(multiplied). So digits take from the red of a place alone, and false digits from its green and
blue: in these two there is nothing of the PIN, and so much else that what the PIN does to
brightness and hue is lost in it. Bars take a little of the red too, so that a hue without red
is no digit's alone. Through a red filter false digits are as bright as the paper, and digits
darker than everything else.
"""

from collections.abc import Sequence
from hashlib import shake_256

import msgspec

# Green and blue as the paper has them; red 208, against 255 where nothing is, 235 under a bar and
# 217 under two.
DIGITS, BARS = "#d0ffff", "#ebffff"
# Red as the paper has it. The ground's green and blue are well below the digits' red: what is
# greener or bluer than it is red would be seen to be a digit's.
GROUND = "#ff9696"
FALSE = ("#ff96ff", "#ffff8c", "#ffa0ff", "#ffff96", "#ffb4b4", "#ffa0c8")
WIDTH, HEIGHT = 900, 280  # of the area, in its own units
_LAYERS, _FALSE_DIGITS = 12, 180  # fifteen in each
_BAR_LAYERS, _BARS = 2, 90
_THICK, _BAR = 15, 34  # as the strokes of a digit; as two of them, lest one looks like a part of it
_BYTES = 6  # of a false digit, or of a bar
# Digits as a pen draws them, about 48 wide and 76 high, from their middle.
_DRAWN = (
    "m-24 0a24 38 0 1 1 48 0a24 38 0 1 1-48 0",
    "m-16-24l16-14v76",
    "m-22-22a22 18 0 1 1 36 14l-36 46h46",
    "m-20-36h40l-24 28a22 22 0 1 1-20 38",
    "m8 38v-76l-32 54h48",
    "m20-38h-36l-4 32a22 22 0 1 1-2 38",
    "m12-38q-34 24-34 54a22 22 0 1 0 44 0a22 22 0 1 0-40-10",
    "m-24-38h46l-28 76",
    "m0-2a18 18 0 1 1 1 0a21 20 0 1 1-2 0",
    "m-12 38q34-24 34-54a22 22 0 1 0-44 0a22 22 0 1 0 40 10",
)


class Pattern(msgspec.Struct, frozen=True):
    """What is drawn over the digits: SVG."""

    over: str
    digits: str = DIGITS  # their ink


def pattern_of(seed: bytes) -> Pattern:
    """The pattern that grows from *seed*: the same each time, another for any other."""
    noise = shake_256(seed).digest((_FALSE_DIGITS + _BARS) * _BYTES)
    pieces = [noise[at : at + _BYTES] for at in range(0, len(noise), _BYTES)]
    digits = [_false_digit(piece) for piece in pieces[:_FALSE_DIGITS]]
    bars = [_bar(piece) for piece in pieces[_FALSE_DIGITS:]]
    # A path is one layer of ink: where its own lines cross, it is not darker.
    layers = [
        _path(FALSE[layer % len(FALSE)], _THICK, digits[layer::_LAYERS]) for layer in range(_LAYERS)
    ]
    layers += [_path(BARS, _BAR, bars[layer::_BAR_LAYERS]) for layer in range(_BAR_LAYERS)]
    return Pattern(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        "<style>.ink {mix-blend-mode: multiply}</style>"
        f'<rect class="ink" width="{WIDTH}" height="{HEIGHT}" fill="{GROUND}"/>'
        f"{''.join(layers)}</svg>"
    )


def _path(ink: str, thickness: int, lines: Sequence[str]) -> str:
    return (
        f'<path class="ink" fill="none" stroke="{ink}" stroke-width="{thickness}" '
        f'stroke-linecap="round" d="{"".join(lines)}"/>'
    )


def _false_digit(noise: bytes) -> str:
    return f"{_from(noise)}{_DRAWN[noise[5] % len(_DRAWN)]}"


def _bar(noise: bytes) -> str:
    return f"{_from(noise)}l{noise[4] - 128} {noise[5] - 128}"


def _from(noise: bytes) -> str:
    """Four bytes: where it begins."""
    return f"M{int.from_bytes(noise[:2]) % WIDTH} {int.from_bytes(noise[2:4]) % HEIGHT}"
