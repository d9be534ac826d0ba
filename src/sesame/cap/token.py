"""Between the card's answer and the digits on the display.

The token is the number that the IPB (9F56) selects, first bit highest; the code is
its digits. docs/reference/emv-cap.md, section 8.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from sesame.cap.errors import IpbEmpty, IpbTooLong, MalformedCode

CODE_DIGITS = 8
MOST_BITS = 26  # the largest number of bits that always fits eight digits

# What readers use for a Visa card that has no bitmap: 33 bits, up to ten digits.
VISA_DEFAULT_IPB = bytes.fromhex("0000FFFFFF0000000000000000000020B938")
# The bits that the Belgian function takes, which puts them into another order.
BELGIAN_IPB = bytes.fromhex("0000FF000000000003FFFF")

_CODE = re.compile(r"[0-9]{8,}")
_GROUP = 4  # digits
_LONGEST_TYPED = 100  # characters, or somebody makes us normalise a book
# Spaces, line and paragraph ends; control characters, among them the line ends of ASCII;
# invisible ones, as the soft hyphen; dashes.
_DROPPED = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """Eight digits, a secret until used; it does not print itself.

    A card that nobody personalised for codes can make more of them: the bank takes eight.

    Raises:
        MalformedCode: fewer than eight digits, or anything else than digits.
    """

    digits: str

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.digits):
            raise MalformedCode

    @property
    def token(self) -> int:
        """The number that the digits spell, from 0."""
        return int(self.digits)

    @classmethod
    def of(cls, token: int) -> Self:
        """The digits of *token*: eight, with zeros before them, or as many as it has."""
        return cls(f"{token:0{CODE_DIGITS}d}")

    def __repr__(self) -> str:
        return "Code(********)"


def parse_code(typed: str) -> Code:
    """Read a code as people type and paste it.

    Spaces of every kind, line ends, invisible characters and dashes are dropped, wide
    digits are digits.

    Raises:
        MalformedCode: anything else than eight digits remains, or *typed* is longer
            than 100 characters.
    """
    digits = _plain(typed)
    if len(digits) != CODE_DIGITS:
        raise MalformedCode
    return Code(digits)


def parse_number(typed: str) -> Code:
    """The same of any number of digits: leading zeros may be missing, or there may be more.

    For cards that are not ours: some readers leave zeros out, some cards show nine digits.

    Raises:
        MalformedCode: no digit, or anything else than digits remains.
    """
    digits = _plain(typed)
    if not digits:
        raise MalformedCode
    return Code(digits.zfill(CODE_DIGITS))


def _plain(typed: str) -> str:
    if len(typed) > _LONGEST_TYPED:
        raise MalformedCode
    if typed.isascii() and typed.isdigit():
        return typed  # as most people type it
    plain = unicodedata.normalize("NFKC", typed)
    return "".join([c for c in plain if not _is_dropped(c)])


def show(token: int) -> str:
    """The digits as the reader shows them, at least eight, in groups of four: `0000 0000`."""
    digits = Code.of(token).digits
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def compress(data: bytes, ipb: bytes) -> int:
    """Read the bits of *data* that *ipb* selects as one number, first bit highest.

    Args:
        data: CID, ATC, AC and IAD in that order, behind the PSN where the IAF asks
            for it; 11 to 44 bytes.
        ipb: 9F56; what lies past its end is not used.

    Raises:
        IpbEmpty: the IPB selects nothing.
        IpbTooLong: the IPB selects bits that the card did not send.
    """
    runs = _runs(ipb)
    if not runs:
        raise IpbEmpty
    if runs[-1].byte > len(data):
        raise IpbTooLong(selected=runs[-1].byte, sent=len(data))
    bits = int.from_bytes(data[: len(ipb)].ljust(len(ipb), b"\x00"))
    token = 0
    for run in runs:
        token = token << run.length | bits >> run.shift & run.mask
    return token


def expand(token: int, ipb: bytes) -> bytes:
    """Put the bits of *token* back to where *ipb* took them; all others are 0.

    The result is as long as *ipb*. A token of more bits than *ipb* selects loses its
    highest ones.
    """
    bits = 0
    for run in reversed(_runs(ipb)):
        bits |= (token & run.mask) << run.shift
        token >>= run.length
    return bits.to_bytes(len(ipb))


def to_belgian(token: int) -> int:
    """The number that Belgian payment cards show, for a *token* that `BELGIAN_IPB` selects.

    The token is 8 bits of the ATC, then 18 of the AC; the number has ten bits of the AC first,
    and its unit digit is added to its leading one (docs/reference/emv-cap.md, section 9).
    """
    atc, ac = token >> 18, token & 0x3FFFF
    number = ac >> 8 << 16 | atc << 8 | ac & 0xFF
    return (number + number % 10 * _LEADING_DIGIT) % _BEYOND


def from_belgian(shown: int) -> int | None:
    """The token behind a number that `to_belgian` made; None if none is."""
    number = (shown - shown % 10 * _LEADING_DIGIT) % _BEYOND
    if shown >= _BEYOND or number >= 1 << MOST_BITS:
        return None
    atc, ac = number >> 8 & 0xFF, number >> 16 << 8 | number & 0xFF
    return atc << 18 | ac


_BEYOND = 100_000_000  # what eight digits do not hold
_LEADING_DIGIT = _BEYOND // 10


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring one-bits of an IPB."""

    shift: int  # from the IPB's last bit to the run's last bit
    length: int  # bits
    mask: int
    byte: int  # in which the run ends, counted from 1


@lru_cache(maxsize=256)  # an institution issues a handful of bitmaps
def _runs(ipb: bytes) -> tuple[_Run, ...]:
    bits = "".join(f"{byte:08b}" for byte in ipb)
    return tuple(
        _Run(
            shift=len(bits) - ones.end(),
            length=len(ones[0]),
            mask=(1 << len(ones[0])) - 1,
            byte=(ones.end() + 7) // 8,
        )
        for ones in re.finditer("1+", bits)
    )


def _is_dropped(character: str) -> bool:
    # For Unicode the minus is a sign and no dash; people type it for one.
    return unicodedata.category(character) in _DROPPED or character == "\N{MINUS SIGN}"
