"""The reader's display, drawn in characters of a terminal. Pure.

A code stands in digits of three by five points: half a character each, or two characters
where the customer asked for large ones.
"""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from sesame.catalogue import N_, translator
from sesame.reader.machine import Screen
from sesame.reader.screens import ending, lines

# Row by row, top down: the points of 0 to 9, as a seven-segment display has them.
_ROWS = (
    "### ..# ### ### #.# ### ### ### ### ###",
    "#.# ..# ..# ..# #.# #.. #.. ..# #.# #.#",
    "#.# ..# ### ### ### ### ### ..# ### ###",
    "#.# ..# #.. ..# ..# ..# #.# ..# #.# ..#",
    "### ..# ### ### ..# ### ### ..# ### ###",
)
_POINTS = [[row.split()[digit] for row in _ROWS] for digit in range(10)]
_HALVES = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}  # upper and lower point

_SECONDS = N_("{seconds}\u00a0s")
_WARNED = 5  # seconds before the reader switches off by itself
_BAR = 24  # characters of the countdown


def draw(screen: Screen, seconds_left: int | None, width: int, height: int) -> list[str]:
    """The rows of *screen* for a display of so many characters, centred both ways.

    A code is as large as it can be; where there is no room at all for drawn digits, it
    stands in plain ones, and alone if need be.
    """
    rows = [part for line in lines(screen) for part in wrap(line, width) or [""]]
    if screen.code is not None:
        code = _code(screen.code, width, height - 2, large=screen.large)
        rows = [*rows[: max(0, height - len(code) - 1)], *code]
        rows.append(_countdown(screen, seconds_left, width))
    elif seconds_left is not None:
        rows = [*rows[: height - 1], _bar(screen, seconds_left, _WARNED, width)]
    above = max(0, height - len(rows)) // 2
    return [*[""] * above, *_centred(rows, width)][:height]


def _centred(rows: Iterable[str], width: int) -> list[str]:
    return [row.center(width).rstrip() for row in rows]


def _countdown(screen: Screen, seconds_left: int | None, width: int) -> str:
    """How long the code stays: as a bar, and as a number for those who do not measure bars."""
    if seconds_left is None or screen.lasts is None:
        return ending(screen)
    return _bar(screen, seconds_left, screen.lasts, width)


def _bar(screen: Screen, seconds_left: int, of: int, width: int) -> str:
    seconds = translator(screen.language)(_SECONDS).format(seconds=f"{seconds_left:3}")
    length = max(0, min(_BAR, width - len(seconds) - 1))
    full = min(length, length * seconds_left // of)
    return "━" * full + "╌" * (length - full) + " " + seconds


def _code(code: str, width: int, height: int, *, large: bool) -> list[str]:
    groups = code.split()
    candidates: list[list[str]] = []
    if large:
        stacked = [[*_wide(group), ""] for group in groups]
        candidates.append([row for group in stacked for row in group][:-1])
    candidates.append(_joined([_half(group) for group in groups], "   "))
    for rows in candidates:
        if len(rows) <= height and max(map(len, rows)) <= width:
            return rows
    return [code]


def _half(digits: str) -> list[str]:
    """Digits of three by three characters."""
    return _joined([_halved(_POINTS[int(digit)]) for digit in digits], " ")


def _halved(points: Sequence[str]) -> list[str]:
    padded = [*points, "..."]
    pairs = zip(padded[::2], padded[1::2], strict=True)
    return ["".join(_HALVES[u + v] for u, v in zip(*pair, strict=True)) for pair in pairs]


def _wide(digits: str) -> list[str]:
    """Digits of six by five characters."""
    drawn = [[row.replace(".", "  ").replace("#", "██") for row in _POINTS[int(d)]] for d in digits]
    return _joined(drawn, "  ")


def _joined(blocks: Sequence[Sequence[str]], gap: str) -> list[str]:
    return [gap.join(row) for row in zip(*blocks, strict=True)]
