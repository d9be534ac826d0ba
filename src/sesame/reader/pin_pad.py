"""How a reader with keys of its own is asked to take a PIN. Pure.

PC/SC part 10: the reader tells its features, each with a control code; the structure of
FEATURE_VERIFY_PIN_DIRECT says where in a VERIFY command the digits go, and the reader sends the
command by itself. Numbers of several bytes are little-endian there.
"""

import struct
from collections.abc import Mapping

from sesame.emv.apdu import Command

FEATURE_VERIFY_PIN_DIRECT = 0x06
PARAMETERS_REFUSED = 0x6B80  # what a reader answers that cannot ask as it is told: part 10, 2.6.1
PATIENCE = 30  # seconds to the first key, and as many for them all

_FEATURE = struct.Struct(">BBI")  # tag, length, control code: this one is big-endian
_CODE_LENGTH = 4  # bytes
_SHORTEST_PIN, _LONGEST_PIN = 4, 12  # digits
_HEAD = struct.Struct("<BBBBBHBBHB3sI")

# Counted in bytes (b8) the digits begin behind one byte (b7 to b4), from the left (b3), two
# of them a byte (b2 and b1).
_FORMAT = 0x80 | 1 << 3 | 0x01
# How many there are is said in four bits, and the digits have seven bytes.
_BLOCK = 4 << 4 | 7
# These four bits begin four bits behind the start: the right half of the first byte.
_LENGTH_AT = 4
_ENDED_BY_KEY = 0x02  # the holder ends it with OK, however many digits there are
_ONE_MESSAGE, _FIRST_MESSAGE = 1, 0  # the reader's own words, such as « PIN? »
_LANGUAGES: Mapping[str, int] = {"fr": 0x040C, "en": 0x0409}


def features(answer: bytes) -> dict[int, int]:
    """The control codes by feature, out of a reader's answer; what is cut is left out."""
    whole = len(answer) // _FEATURE.size * _FEATURE.size
    entries = _FEATURE.iter_unpack(answer[:whole])
    return {tag: code for tag, length, code in entries if length == _CODE_LENGTH}


def pin_verify(command: Command, language: str) -> bytes:
    """The structure that has a PIN of 4 to 12 digits put into the empty block of *command*.

    Args:
        command: VERIFY with `sesame.emv.pin.EMPTY_PIN_BLOCK`.
        language: in which the reader's display asks, `fr` or `en`.
    """
    apdu = command.encode()
    head = _HEAD.pack(
        PATIENCE,  # bTimeOut
        PATIENCE,  # bTimeOut2
        _FORMAT,  # bmFormatString
        _BLOCK,  # bmPINBlockString
        _LENGTH_AT,  # bmPINLengthFormat
        _SHORTEST_PIN << 8 | _LONGEST_PIN,  # wPINMaxExtraDigit
        _ENDED_BY_KEY,  # bEntryValidationCondition
        _ONE_MESSAGE,  # bNumberMessage
        _LANGUAGES[language],  # wLangId
        _FIRST_MESSAGE,  # bMsgIndex
        bytes(3),  # bTeoPrologue: of T=1, and the reader knows it
        len(apdu),  # ulDataLength
    )
    return head + apdu
