"""Reading what was drawn: the eight digits, out of the characters that they are made of."""

import re
from collections.abc import Iterable, Iterator, Sequence

_HALF = [
    ["█▀█", "█ █", "▀▀▀"],
    ["  █", "  █", "  ▀"],
    ["▀▀█", "█▀▀", "▀▀▀"],
    ["▀▀█", "▀▀█", "▀▀▀"],
    ["█ █", "▀▀█", "  ▀"],
    ["█▀▀", "▀▀█", "▀▀▀"],
    ["█▀▀", "█▀█", "▀▀▀"],
    ["▀▀█", "  █", "  ▀"],
    ["█▀█", "█▀█", "▀▀▀"],
    ["█▀█", "▀▀█", "▀▀▀"],
]
_WIDE = [
    ["██████", "██  ██", "██  ██", "██  ██", "██████"],
    ["    ██", "    ██", "    ██", "    ██", "    ██"],
    ["██████", "    ██", "██████", "██    ", "██████"],
    ["██████", "    ██", "██████", "    ██", "██████"],
    ["██  ██", "██  ██", "██████", "    ██", "    ██"],
    ["██████", "██    ", "██████", "    ██", "██████"],
    ["██████", "██    ", "██████", "██  ██", "██████"],
    ["██████", "    ██", "    ██", "    ██", "    ██"],
    ["██████", "██  ██", "██████", "██  ██", "██████"],
    ["██████", "██  ██", "██████", "    ██", "██████"],
]
_GROUP = 4  # digits
_HALF_AT = [*range(0, 16, 4), *range(18, 34, 4)]  # columns, the group's gap between
_WIDE_AT = [*range(0, 32, 8)]


def digits(rows: Sequence[str]) -> str:
    """The code that is drawn somewhere in *rows*, as `0000 0000`; empty where there is none."""
    for found in (_plain(rows), *_everywhere(rows)):
        if found:
            return found
    return ""


def _plain(rows: Iterable[str]) -> str:
    match = re.search(r"(?<!\d)\d{4} \d{4}(?!\d)", "\n".join(rows))
    return match[0] if match else ""


def _everywhere(rows: Sequence[str]) -> Iterator[str]:
    for top, row in enumerate(rows):
        first = min(row.find(sign) % 1000 for sign in "█▀")  # 999 where there is none
        for left in range(max(0, first - _WIDE_AT[1]), first + 1 if first < 999 else 0):
            eight = _read(rows, top, left, _HALF, _HALF_AT)
            if eight:
                yield f"{eight[:_GROUP]} {eight[_GROUP:]}"
            upper = _read(rows, top, left, _WIDE, _WIDE_AT)
            lower = upper and _read(rows, top + 6, left, _WIDE, _WIDE_AT)
            if lower:
                yield f"{upper} {lower}"


def _read(
    rows: Sequence[str], top: int, left: int, font: Sequence[Sequence[str]], columns: Sequence[int]
) -> str:
    height, width = len(font[0]), len(font[0][0])
    cut = [row.ljust(left + columns[-1] + width) for row in rows[top : top + height]]
    read = ""
    for column in columns:
        block = [row[left + column :][:width] for row in cut]
        if block not in font:
            return ""
        read += str(font.index(block))
    return read
