"""Transaction Data Signing: the numbers that were typed, mixed into the cryptogram.

docs/reference/emv-cap.md, section 7.2. The reader does it, behind the card's back, and the bank
does the same: a CBC-MAC by single DES whose key is the cryptogram itself.
"""

from collections.abc import Sequence

from sesame.emv.cryptogram import Padding, pad
from sesame.emv.keys import cbc_last_block

_SEPARATOR = "F"


def tds_message(fields: Sequence[str]) -> bytes:
    """The *fields* (1 to 10 of 1 to 10 digits) as BCD, F between two; padded to 8 bytes or more."""
    nibbles = _SEPARATOR.join(fields)
    nibbles += _SEPARATOR * (len(nibbles) % 2)
    return pad(bytes.fromhex(nibbles), Padding.METHOD_2)


def mix(ac: bytes, fields: Sequence[str]) -> bytes:
    """What takes the place of the cryptogram *ac*: 8 bytes for 8 bytes.

    The parity bits of *ac* are not looked at: it is what the card made, and the key as it is.
    """
    return cbc_last_block(ac * 3, tds_message(fields))
