"""What a name and an address may be, so that an envelope's window shows them: one rule for all.

NF Z 10-011: six lines, the name among them, of 38 characters; a name may be longer and is broken.
Whoever takes names and addresses (an import, the desk) and whoever prints them asks here.
"""

import unicodedata
from collections.abc import Sequence
from enum import StrEnum, unique

LINE = 38  # characters of a line of an address
LONGEST_NAME = 100
MOST_LINES = 6  # the name among them, and the country where a letter goes abroad

# What the fonts of our letters have: Latin, Greek and Cyrillic, and the signs of a printed page.
_BLOCKS = (
    range(0x20, 0x250),
    range(0x300, 0x30D),
    range(0x370, 0x500),
    range(0x1E00, 0x1F00),
    range(0x2010, 0x2027),
)
_SIGNS = "€№"
# Bidirectional controls among them: they would show another address than is stored.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


@unique
class LetterFormat(StrEnum):
    """How large the words of somebody's letters are."""

    NORMAL = "normal"
    LARGE_PRINT = "large-print"


def unseen(text: str) -> str | None:
    """The first character of *text* that is a control or the like, which nothing shows."""
    if text.isprintable():
        return None
    return next((sign for sign in text if unicodedata.category(sign) in _UNSEEN), None)


def unprintable(text: str) -> str | None:
    """The first character of *text* that no letter can print."""
    if text.isascii() and text.isprintable():
        return None
    return unseen(text) or next((sign for sign in text if not _has_glyph(sign)), None)


def fits_window(lines: Sequence[str]) -> bool:
    """Whether the name and these *lines* below it are no more than a window shows."""
    return 1 <= len(lines) < MOST_LINES


def _has_glyph(sign: str) -> bool:
    point = ord(sign)
    return sign in _SIGNS or any(point in block for block in _BLOCKS)
