"""Data Object Lists: which values the card wants, in which order and length.

EMV 4.4 Book 3, 5.4. A list holds tags and lengths only; the values are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sesame.emv.errors import MalformedDol, MalformedTlv
from sesame.emv.tags import Format, format_of
from sesame.emv.tlv import is_constructed, read_tag


@dataclass(frozen=True, slots=True)
class DolEntry:
    """One wish of the card: a tag and the length it wants, 0 to 255 bytes."""

    tag: int
    length: int


@lru_cache(maxsize=256)  # a kind of card has three, and nothing in them is a card's own
def decode_dol(data: bytes) -> tuple[DolEntry, ...]:
    """Read a list of tags and one-byte lengths.

    Raises:
        MalformedDol: a tag or a length is cut.
    """
    entries = []
    at = 0
    while at < len(data):
        try:
            tag, length_at = read_tag(data, at)
        except MalformedTlv as error:
            raise MalformedDol(error.problem, offset=at) from None
        if length_at >= len(data):
            raise MalformedDol(f"no length follows {tag:X}", offset=at)
        entries.append(DolEntry(tag, data[length_at]))
        at = length_at + 1
    return tuple(entries)


def dol_length(dol: Sequence[DolEntry]) -> int:
    """How many bytes of data *dol* asks for."""
    return sum(entry.length for entry in dol)


def fill(dol: Sequence[DolEntry], values: Mapping[int, bytes]) -> bytes:
    """Concatenate *values* as *dol* orders them, each cut or padded to its length.

    A value that we do not have becomes zeros: the card decides whether that will do.
    """
    return b"".join(_fit(values.get(entry.tag), entry) for entry in dol)


def split(dol: Sequence[DolEntry], data: bytes) -> dict[int, bytes]:
    """Cut *data*, as `fill` made it, back into its values; the card's side of the list.

    Raises:
        MalformedDol: *data* is not as long as *dol* asks.
    """
    if len(data) != dol_length(dol):
        raise MalformedDol(
            f"{len(data)} bytes of values came, {dol_length(dol)} were asked",
            offset=0,
            remedy="Fill the list that this card gave.",
        )
    values = {}
    at = 0
    for entry in dol:
        values[entry.tag] = data[at : at + entry.length]
        at += entry.length
    return values


def _fit(value: bytes | None, entry: DolEntry) -> bytes:
    if value is None or is_constructed(entry.tag):
        return bytes(entry.length)  # steps 2a and 2b
    form = format_of(entry.tag)
    if form is Format.N:
        # Steps 2c and 2d: a number keeps its right end. Not value[-length:],
        # which for length 0 would keep the whole value.
        surplus = max(0, len(value) - entry.length)
        return value[surplus:].rjust(entry.length, b"\x00")
    pad = b"\xff" if form is Format.CN else b"\x00"
    return value[: entry.length].ljust(entry.length, pad)
