"""What a reader answers to a card's DOLs; the bank that predicts uses the same values.

docs/reference/emv-cap.md, section 6. Reader and bank must agree byte for byte, for
these values enter the cryptogram.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from functools import lru_cache
from types import MappingProxyType

from sesame.cap.mode import LOGIN, NO_FLAGS, Iaf, Inputs
from sesame.emv.dol import DolEntry, fill
from sesame.emv.tags import Tag


@unique
class Scheme(StrEnum):
    """Whose terminal data a reader sends; chosen by the application that it finds."""

    DPA = "DPA"  # Visa's application for codes
    CAP = "CAP"  # MasterCard's
    VISA = "VISA"  # payments, as the three below
    MAESTRO = "MAESTRO"
    MASTERCARD = "MC"
    BANCONTACT = "BANCONTACT"
    BELGIAN = "BE"  # a Belgian card's Visa, Maestro or Bancontact payments


DPA_AID = bytes.fromhex("A0000000038002")
CAP_AID = bytes.fromhex("A0000000048002")

# Each in the order in which readers try them (docs/reference/emv-cap.md, section 4.1).
AIDS: Mapping[bytes, Scheme] = MappingProxyType({DPA_AID: Scheme.DPA, CAP_AID: Scheme.CAP})
# A card with none of the two makes codes only for a bank that knows its payment application.
ALL_AIDS: Mapping[bytes, Scheme] = MappingProxyType(
    {
        **AIDS,
        bytes.fromhex("D056000666111010"): Scheme.BANCONTACT,
        bytes.fromhex("A0000000032010"): Scheme.VISA,  # Electron
        bytes.fromhex("A0000000031010"): Scheme.VISA,
        bytes.fromhex("A0000000041010"): Scheme.MASTERCARD,
        bytes.fromhex("A0000000043060"): Scheme.MAESTRO,
    }
)

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

_BELGIUM = bytes.fromhex("0056")
_BELGIAN_BANKS = b"BKS056"
_BELGIAN_PAYMENTS = frozenset({Scheme.VISA, Scheme.MAESTRO})

# Objects that are not named here are zeros, as `fill` makes them.
_EVERYWHERE: Mapping[int, bytes] = {
    Tag.ARC: b"Z3",  # unable to go online, declined
    Tag.TVR: bytes.fromhex("8000000000"),  # offline data authentication not performed
    Tag.TRANSACTION_DATE: bytes(3),
    Tag.TERMINAL_CAPABILITIES: bytes.fromhex("208000"),  # contacts; plaintext PIN
    Tag.CVM_RESULTS: bytes(3),
    Tag.TERMINAL_TYPE: bytes.fromhex("34"),  # cardholder operated, unattended, online
}
_VISA_DATE: Mapping[int, bytes] = {Tag.TRANSACTION_DATE: bytes.fromhex("010101")}
_PIN_BY_CARD: Mapping[int, bytes] = {Tag.CVM_RESULTS: bytes.fromhex("010002")}  # and it was right
_READER_TYPE: Mapping[int, bytes] = {Tag.TERMINAL_TYPE: bytes.fromhex("37")}  # in no EMV table
_FORCED_ONLINE: Mapping[int, bytes] = {
    Tag.ARC: b"Z1",  # declined
    Tag.TVR: bytes.fromhex("8000000800"),  # and: merchant forced the transaction online
}
_BELGIAN = {**_EVERYWHERE, **_READER_TYPE, **_FORCED_ONLINE}
_VALUES: Mapping[Scheme, Mapping[int, bytes]] = {
    Scheme.DPA: {**_EVERYWHERE, **_VISA_DATE, **_PIN_BY_CARD},
    Scheme.CAP: {**_EVERYWHERE, **_PIN_BY_CARD},
    Scheme.VISA: {**_EVERYWHERE, **_VISA_DATE, **_READER_TYPE},
    Scheme.MAESTRO: _EVERYWHERE,
    Scheme.MASTERCARD: _EVERYWHERE,  # never recorded: as its sister
    Scheme.BANCONTACT: _BELGIAN,
    Scheme.BELGIAN: _BELGIAN,
}


def scheme_of(scheme: Scheme, fci: Mapping[int, bytes]) -> Scheme:
    """The scheme of an application whose SELECT answer holds *fci*, by tag.

    *scheme* is what its AID says; Belgian cards get other data for their payments.
    """
    belgian = fci.get(Tag.CARDHOLDER_NATIONALITY) == _BELGIUM and fci.get(
        Tag.BELGIAN_ISSUER, b""
    ).startswith(_BELGIAN_BANKS)
    return Scheme.BELGIAN if belgian and scheme in _BELGIAN_PAYMENTS else scheme


def terminal_data(
    scheme: Scheme, inputs: Inputs = LOGIN, iaf: Iaf = NO_FLAGS
) -> Mapping[int, bytes]:
    """The reader's values of every object that it has one for, by tag."""
    return MappingProxyType({**_VALUES[scheme], **inputs.values(iaf)})


@lru_cache(maxsize=64)  # a login's is asked for with every code
def standard_elements(scheme: Scheme, inputs: Inputs = LOGIN, iaf: Iaf = NO_FLAGS) -> bytes:
    """The 29 bytes of terminal data in a cryptogram's message."""
    return fill(STANDARD_ELEMENTS, terminal_data(scheme, inputs, iaf))
