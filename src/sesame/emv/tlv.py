"""BER-TLV within the bounds of EMV: tags of up to four bytes, definite lengths.

EMV 4.4 Book 3, Annex B. `00` bytes between objects are padding.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sesame.emv.errors import MalformedTlv

_CONSTRUCTED = 0x20  # b6 of the first tag byte
_MORE_TAG_BYTES = 0x1F  # b5 to b1 all set
_BYTE = 0xFF
_LONGEST_TAG = 4  # bytes
_LONG_LENGTH = 0x80  # b8 of the first length byte: the length's length follows
_LONGEST_LENGTH = 4  # bytes
_DEEPEST = 16  # templates within templates; real cards nest five deep


@dataclass(frozen=True, slots=True, repr=False)
class Tlv:
    """One data object; a constructed one (a template) holds its children as bytes."""

    tag: int
    value: bytes

    @property
    def constructed(self) -> bool:
        """Whether the value is TLV again."""
        return is_constructed(self.tag)

    def children(self) -> list["Tlv"]:
        """The objects of a template.

        Raises:
            MalformedTlv: the value is not TLV.
        """
        return decode(self.value)

    def __repr__(self) -> str:
        # The value may hold a card number or track data.
        return f"Tlv(tag={self.tag:X}, length={len(self.value)})"


def is_constructed(tag: int) -> bool:
    """Whether objects under *tag* are templates (b6 of the first byte)."""
    first = tag
    while first > _BYTE:
        first >>= 8
    return bool(first & _CONSTRUCTED)


def decode(data: bytes) -> list[Tlv]:
    """Read the objects of *data* at this level; templates are checked to their depth.

    Raises:
        MalformedTlv: a tag or a length is cut, a length is indefinite or over four
            bytes, a value is shorter than its length says, or templates nest more
            than 16 deep.
    """
    return _objects(data, 0, [], depth=0)


def leaves(data: bytes) -> list[Tlv]:
    """The objects of *data* and of its templates that are no templates, in their order.

    Raises:
        MalformedTlv: as `decode`.
    """
    found: list[Tlv] = []
    _objects(data, 0, found, depth=0)
    return found


def encode(objects: Iterable[Tlv]) -> bytes:
    """Write *objects* one behind the other, lengths in their shortest form."""
    return b"".join(encode_one(o.tag, o.value) for o in objects)


def encode_one(tag: int, value: bytes) -> bytes:
    """Write one object: tag, shortest length, value."""
    return _tag_bytes(tag) + _length_bytes(len(value)) + value


def find(objects: Iterable[Tlv], tag: int) -> bytes | None:
    """The value of the first *tag* among *objects* and, depth first, inside templates."""
    for o in objects:
        if o.tag == tag:
            return o.value
        if o.constructed and (inner := find(o.children(), tag)) is not None:
            return inner
    return None


def read_tag(data: bytes, offset: int) -> tuple[int, int]:
    """Read a tag at *offset*: its number and the offset behind it.

    Raises:
        MalformedTlv: the tag is cut or longer than four bytes.
    """
    end = offset + 1
    if data[offset] & _MORE_TAG_BYTES != _MORE_TAG_BYTES:
        return data[offset], end
    while True:
        if end >= len(data):
            raise MalformedTlv("the tag is cut", offset=offset, remedy=_READ_AGAIN)
        end += 1
        if not data[end - 1] & 0x80:  # b8 clear: the tag's last byte
            break
        if end - offset >= _LONGEST_TAG:
            raise MalformedTlv(
                "the tag has over four bytes", offset=offset, remedy="EMV uses two at most."
            )
    return int.from_bytes(data[offset:end]), end


_READ_AGAIN = "Was the record cut? Read it again with Le=00."


def _objects(data: bytes, base: int, leaves: list[Tlv], *, depth: int) -> list[Tlv]:
    """The objects of *data*, which stands at *base* of the whole; no templates also to *leaves*."""
    if depth > _DEEPEST:
        raise MalformedTlv(
            f"templates nest over {_DEEPEST} deep", offset=base, remedy="No card does this."
        )
    objects: list[Tlv] = []
    at, end = 0, len(data)
    while at < end:
        first = data[at]
        if first == 0x00:
            at += 1
            continue
        try:
            tag, value_at = read_tag(data, at)
            length, value_at = _read_length(data, value_at)
        except MalformedTlv as error:
            raise error.moved(base) from None
        if length > end - value_at:
            raise MalformedTlv(
                f"{tag:X} says {length} bytes, {end - value_at} are left",
                offset=base + at,
                remedy=_READ_AGAIN,
            )
        at = value_at + length
        found = Tlv(tag, data[value_at:at])
        objects.append(found)
        if first & _CONSTRUCTED:
            _objects(found.value, base + value_at, leaves, depth=depth + 1)
        else:
            leaves.append(found)
    return objects


def _read_length(data: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(data):
        raise MalformedTlv("no length follows the tag", offset=offset, remedy=_READ_AGAIN)
    first = data[offset]
    if first < _LONG_LENGTH:
        return first, offset + 1
    count = first & ~_LONG_LENGTH
    if not 1 <= count <= _LONGEST_LENGTH:
        raise MalformedTlv(
            f"the length begins with {first:02X}",
            offset=offset,
            remedy="EMV lengths are definite: 00 to 7F, or 81 to 84 and that many bytes.",
        )
    end = offset + 1 + count
    if end > len(data):
        raise MalformedTlv("the length is cut", offset=offset, remedy=_READ_AGAIN)
    return int.from_bytes(data[offset + 1 : end]), end


def _length_bytes(length: int) -> bytes:
    if length < _LONG_LENGTH:
        return bytes([length])
    size = (length.bit_length() + 7) // 8
    return bytes([_LONG_LENGTH | size]) + length.to_bytes(size)


def _tag_bytes(tag: int) -> bytes:
    return tag.to_bytes(1 if tag <= _BYTE else (tag.bit_length() + 7) // 8)
