"""What a reader answers to a card's DOLs; the bank that predicts uses the same values.

docs/reference/emv-cap.md, section 6. Reader and bank must agree byte for byte, for
these values enter the cryptogram.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from types import MappingProxyType

from sesame.emv.dol import DolEntry, fill
from sesame.emv.tags import Tag


@unique
class Scheme(StrEnum):
    """Whose terminal data a reader sends; chosen by the application it finds."""

    DPA = "DPA"


DPA_AID = bytes.fromhex("A0000000038002")

# In the order in which readers try them (docs/reference/emv-cap.md, section 4.1).
AIDS: Mapping[bytes, Scheme] = MappingProxyType({DPA_AID: Scheme.DPA})

# The eight elements that enter every cryptogram, in this order: 29 bytes.
STANDARD_ELEMENTS = (
    DolEntry(Tag.AMOUNT_AUTHORISED, 6),
    DolEntry(Tag.AMOUNT_OTHER, 6),
    DolEntry(Tag.TERMINAL_COUNTRY, 2),
    DolEntry(Tag.TVR, 5),
    DolEntry(Tag.TRANSACTION_CURRENCY, 2),
    DolEntry(Tag.TRANSACTION_DATE, 3),
    DolEntry(Tag.TRANSACTION_TYPE, 1),
    DolEntry(Tag.UN, 4),
)

_UNABLE_TO_GO_ONLINE_DECLINED = b"Z3"

# Objects that are not named here are zeros, as `fill` makes them.
_VALUES: Mapping[Scheme, Mapping[int, bytes]] = {
    Scheme.DPA: MappingProxyType(
        {
            Tag.ARC: _UNABLE_TO_GO_ONLINE_DECLINED,
            Tag.TVR: bytes.fromhex("8000000000"),  # offline data authentication not performed
            Tag.TRANSACTION_DATE: bytes.fromhex("010101"),
            Tag.TERMINAL_CAPABILITIES: bytes.fromhex("208000"),  # contacts; plaintext PIN
            Tag.CVM_RESULTS: bytes.fromhex("010002"),  # plaintext PIN by the card, successful
            Tag.TERMINAL_TYPE: bytes.fromhex("34"),  # cardholder operated, unattended, online
        }
    ),
}


def terminal_data(scheme: Scheme) -> Mapping[int, bytes]:
    """The reader's values of every object it has one for, by tag."""
    return _VALUES[scheme]


def standard_elements(scheme: Scheme) -> bytes:
    """The 29 bytes of terminal data in a cryptogram's message."""
    return fill(STANDARD_ELEMENTS, terminal_data(scheme))
