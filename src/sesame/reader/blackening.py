"""A recorded session without what is private in it. Pure.

Card number, track data and cardholder's name are written over where they stand, each with as many
bytes of the same kind: the session is as long as it was, is TLV where it was, and makes the same
code. First by tag, and so is every object that no tag of ours names: banks put into theirs what
they like. Then wherever else the same digits or words stand, in whatever alignment. VERIFY never
keeps its PIN, nor what is answered to it, nor does anything else of that session keep the block.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from operator import xor
from types import MappingProxyType

from sesame.emv.apdu import Ins
from sesame.emv.atr import decode_atr
from sesame.emv.errors import MalformedAtr, MalformedTlv
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, is_constructed, read_tag
from sesame.reader.recording import Exchange

_SEPARATOR = "d"  # between the card number and the rest of track 2
_SHORTEST_NUMBER = 8  # digits, below which a match would be chance
_SHORTEST_WORD = 3  # letters, likewise
_SHORTEST_BLOCK = 16  # of a PIN in hexadecimal, likewise
_LONG_LENGTH = 0x80  # b8 of the first length byte: the length's length follows

Overwrite = Callable[[bytes], bytes]


def _digits(value: bytes) -> bytes:
    """Zeros for digits; separator and filler stay."""
    return bytes.fromhex(re.sub("[0-9]", "0", value.hex()))


def _letters(value: bytes) -> bytes:
    return b"X" * len(value)


def _zeros(value: bytes) -> bytes:
    return bytes(len(value))


# EMV 4.4 Book 3, annex A; 56 and 9F6B are of contactless kernels, and met on contact cards too.
_PRIVATE: Mapping[int, Overwrite] = MappingProxyType(
    {
        Tag.PAN: _digits,
        Tag.TRACK_2: _digits,
        Tag.TRACK_2_DISCRETIONARY: _digits,
        Tag.TRACK_2_DATA: _digits,
        Tag.TRACK_1_DATA: _letters,
        Tag.TRACK_1_DISCRETIONARY: _letters,
        Tag.CARDHOLDER_NAME: _letters,
        Tag.EXTENDED_NAME: _letters,
        Tag.IBAN: _letters,
        # Whoever has the scheme's public keys reads the card number in these, or tries it out.
        Tag.SIGNED_STATIC_DATA: _zeros,
        Tag.ICC_PUBLIC_KEY_CERTIFICATE: _zeros,
        Tag.ICC_PIN_KEY_CERTIFICATE: _zeros,
    }
)
_KNOWN = frozenset(Tag)  # what is not private of these is for everybody
# What is private: objects that hold a number, and objects that hold words (and numbers too).
NUMBERS = frozenset({Tag.PAN, Tag.TRACK_2, Tag.TRACK_2_DATA, Tag.TRACK_2_DISCRETIONARY})
WORDS = frozenset(
    {
        *(Tag.TRACK_1_DATA, Tag.TRACK_1_DISCRETIONARY, Tag.IBAN),
        *(Tag.CARDHOLDER_NAME, Tag.EXTENDED_NAME),
    }
)


def without_pin(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """*exchanges*, full of zeros what VERIFY carries and is answered, wherever it stands."""
    exchanges = list(exchanges)
    blocks = {one.command.data.hex() for one in exchanges if one.command.ins == Ins.VERIFY}
    secrets = [block for block in blocks if len(block) >= _SHORTEST_BLOCK and block.strip("0")]
    return [_without(_blank(one), secrets) for one in exchanges]


def _blank(one: Exchange) -> Exchange:
    """*one*; of a VERIFY its lengths and its status word."""
    if one.command.ins != Ins.VERIFY:
        return one
    return replace(
        one,
        command=replace(one.command, data=bytes(len(one.command.data))),
        response=replace(one.response, data=bytes(len(one.response.data))),
    )


def _without(one: Exchange, secrets: Iterable[str]) -> Exchange:
    return replace(
        one,
        command=replace(one.command, data=_overwritten(one.command.data, secrets)),
        response=replace(one.response, data=_overwritten(one.response.data, secrets)),
    )


def blackened(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """*exchanges* without PIN, card number, track data and name.

    An answer that is no TLV keeps its length and its status word, and nothing else: nobody can
    say what stands in it.
    """
    exchanges = without_pin(exchanges)
    secrets = _secrets(exchanges)
    by_tag = [
        replace(one, response=replace(one.response, data=_by_tag(one.response.data)))
        for one in exchanges
    ]
    return [_without(one, secrets) for one in by_tag]


def blackened_atr(atr: bytes) -> bytes:
    """*atr* with zeros for its historical bytes: banks write there what they like.

    Some write a serial number, by which two recordings of one card would be known for that. Of
    what is no ATR the length stays.
    """
    try:
        said = decode_atr(atr)
    except MalformedAtr:
        return bytes(len(atr))
    end = said.interface_bytes + len(said.historical)
    body = atr[: said.interface_bytes] + bytes(len(said.historical))
    return body + bytes([reduce(xor, body[1:])]) * (len(atr) - end)


def _by_tag(data: bytes) -> bytes:
    try:
        places = list(_places(data))
    except MalformedTlv:
        return bytes(len(data))
    out = bytearray(data)
    for tag, start, end in places:
        if tag in _PRIVATE or tag not in _KNOWN:
            out[start:end] = _PRIVATE.get(tag, _zeros)(data[start:end])
    return bytes(out)


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, start and end of each primitive value of *data*, however deep it stands.

    Raises:
        MalformedTlv: *data* is not TLV.
    """
    decode(data)
    yield from _inside(data, 0, len(data))


def _inside(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    while at < end:
        if data[at] == 0x00:
            at += 1
            continue
        tag, at = read_tag(data, at)
        length = data[at]
        at += 1
        if length & _LONG_LENGTH:
            count = length & ~_LONG_LENGTH
            length, at = int.from_bytes(data[at : at + count]), at + count
        if is_constructed(tag):
            yield from _inside(data, at, at + length)
        else:
            yield tag, at, at + length
        at += length


def _secrets(exchanges: Iterable[Exchange]) -> list[str]:
    """What must not stand anywhere, as hexadecimal digits, the longest first."""
    found: set[str] = set()
    for one in exchanges:
        try:
            places = list(_places(one.response.data))
        except MalformedTlv:
            continue
        for tag, start, end in places:
            value = one.response.data[start:end]
            if tag in NUMBERS:
                found |= _spellings_of_number(value)
            if tag in WORDS:
                found |= _spellings_of_words(value)
    told = (secret for secret in found if secret.strip("0"))
    return sorted(told, key=lambda secret: (-len(secret), secret))


def _spellings_of_number(value: bytes) -> set[str]:
    """A number and what stands behind its separator, in BCD and in characters."""
    parts = value.hex().rstrip("f").split(_SEPARATOR)
    long = {part for part in parts if len(part) >= _SHORTEST_NUMBER and part.isdecimal()}
    return {spelled for part in long for spelled in (part, part.encode().hex())}


def _spellings_of_words(value: bytes) -> set[str]:
    """Words in large and small letters, and numbers as above."""
    text = value.decode("latin-1")
    words = re.findall(rf"[^\W\d_]{{{_SHORTEST_WORD},}}", text)
    numbers = re.findall(rf"[0-9]{{{_SHORTEST_NUMBER},}}", text)
    spelled = {form for word in words for form in (word, word.upper(), word.lower(), word.title())}
    characters = {form.encode("latin-1", "replace").hex() for form in spelled}
    return characters | set(numbers) | {number.encode().hex() for number in numbers}


def _overwritten(data: bytes, secrets: Iterable[str]) -> bytes:
    """*data* with zeros wherever one of *secrets* stands, in whatever alignment."""
    spelled = data.hex()
    # Zeros may complete another one. Each step leaves fewer other digits, so it ends.
    while found := next((secret for secret in secrets if secret in spelled), None):
        spelled = spelled.replace(found, "0" * len(found))
    return bytes.fromhex(spelled)
