"""What must be true of any bytes that are taken for a card's data groupings."""

from collections.abc import Iterator

from sesame.card.cps import decode_groupings, encode_groupings
from sesame.card.errors import MalformedGroupings
from tests.card.cards import NEW, sesame_image

CARD = encode_groupings(sesame_image(), NEW)

_EDIT = 4  # bytes that say where an edit is and how long


def decode_or_refuse(data: bytes) -> None:
    """*data* are a card's one spelling, or the one error that the reader of them knows."""
    try:
        card = decode_groupings(data)
    except MalformedGroupings:
        return
    assert encode_groupings(*card) == data


def meet(data: bytes) -> None:
    """Any bytes as groupings: as they are, or as edits of a card whose lengths stay right.

    An odd first byte means the former. An edit is the number of a grouping, a place in its value,
    how many bytes go there and how many come, and these.
    """
    if data[:1] and data[0] % 2:
        decode_or_refuse(data[1:])
        return
    groupings = cut(CARD)
    for where, place, gone, new in _edits(data[1:]):
        name, value = groupings[where % len(groupings)]
        at = place % (len(value) + 1)
        groupings[where % len(groupings)] = name, value[:at] + new + value[at + gone :]
    decode_or_refuse(joined(groupings))


def cut(data: bytes) -> list[tuple[str, bytes]]:
    """The groupings by their names, as docs/reference/emv-cap.md, 14.2, has them."""
    found = []
    while data:
        name, length, data = data[:2].hex().upper(), data[2], data[3:]
        assert length != 0xFF
        found.append((name, data[:length]))
        data = data[length:]
    return found


def joined(groupings: list[tuple[str, bytes]]) -> bytes:
    """The contrary; a value of 255 bytes and more has a longer length."""
    whole = b""
    for name, value in groupings:
        length = bytes([len(value)]) if len(value) < 0xFF else b"\xff" + len(value).to_bytes(2)
        whole += bytes.fromhex(name) + length + value
    return whole


def _edits(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    while len(data) >= _EDIT:
        where, place, gone, comes = data[:_EDIT]
        yield where, place, gone % 16, data[_EDIT : _EDIT + comes % 16]
        data = data[_EDIT + comes % 16 :]
