"""The PIN and the block that VERIFY carries.

EMV 4.4 Book 3, 6.5.12, table 24 (ISO 9564-1 format 2).
"""

import re
from dataclasses import dataclass

from sesame.emv.errors import MalformedPin

_DIGITS = re.compile(r"[0-9]{4,12}")
_CONTROL = 0x2  # first nibble of a plaintext block
_BLOCK = 8  # bytes
# A block that waits for its PIN: a reader with keys of its own puts length and digits in.
EMPTY_PIN_BLOCK = bytes.fromhex(f"{_CONTROL}0".ljust(2 * _BLOCK, "F"))


@dataclass(frozen=True, slots=True, repr=False)
class Pin:
    """A PIN of 4 to 12 digits; it does not print itself.

    Raises:
        MalformedPin: other characters, or another number of them.
    """

    digits: str

    def __post_init__(self) -> None:
        if not _DIGITS.fullmatch(self.digits):
            raise MalformedPin("a PIN has 4 to 12 digits and nothing else")

    def __repr__(self) -> str:
        return "Pin(****)"


def pin_block(pin: Pin) -> bytes:
    """The 8-byte block: 2, the number of digits, the digits, filled with F."""
    return bytes.fromhex(f"{_CONTROL}{len(pin.digits):X}{pin.digits}".ljust(16, "F"))


def decode_pin_block(block: bytes) -> Pin:
    """Read the digits of an 8-byte block.

    Raises:
        MalformedPin: not 8 bytes, another format than 2, a length outside 4 to 12, a
            digit that is none, or a filler other than F.
    """
    if len(block) != _BLOCK:
        raise MalformedPin(f"a PIN block of {len(block)} bytes, it has 8")
    nibbles = block.hex().upper()
    length = int(nibbles[1], 16)
    if int(nibbles[0], 16) != _CONTROL:
        raise MalformedPin("the PIN block is not of format 2")
    digits, filler = nibbles[2 : 2 + length], nibbles[2 + length :]
    if filler.strip("F"):
        raise MalformedPin("the PIN block is not filled with F")
    return Pin(digits)
