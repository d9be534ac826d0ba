"""What a card says of itself, read as values. Pure.

EMV 4.4 Book 3, 5.4, 6.5 and 10; docs/reference/emv-cap.md, sections 4 and 5. Every
function takes bytes that a card sent: it answers with values, or raises one of

- CardUnfit: something is missing, or contradicts itself;
- EmvError, CapError: the bytes are not what EMV or the bitmap says they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sesame.cap.errors import IpbEmpty
from sesame.cap.mode import LOGIN, NO_FLAGS, Iaf, Inputs
from sesame.cap.tds import mix
from sesame.cap.terminal_data import Scheme, terminal_data
from sesame.cap.token import BELGIAN_IPB, VISA_DEFAULT_IPB, Code, compress, to_belgian
from sesame.emv.apdu import AcType
from sesame.emv.dol import DolEntry, decode_dol, dol_length, fill
from sesame.emv.tags import Tag
from sesame.emv.tlv import leaves
from sesame.reader.errors import CardUnfit

_AFL_ENTRY = 4  # bytes
_SFIS = range(1, 31)
_AC_AT = 3
_ANSWER = 11  # bytes of CID, ATC and AC, which every bitmap can select from
_MOST_RECORDS = 64  # in an AFL; real cards have under twenty, and each takes its time
_LONGEST_DATA = 255  # bytes in a command
_MOST_DIGITS = 16  # of a code: four groups of four fill a line of the display
_LONGEST_PDOL = 0x7F  # bytes of values that the one length byte behind 83 can say
_DATE = 3  # bytes, YYMMDD
_CENTURY_TURN = 50

Record = tuple[int, int]  # SFI, number of the record in it


def primitives(data: bytes) -> dict[int, bytes]:
    """The values of *data* by tag, out of all its templates; of two, the later one."""
    return {o.tag: o.value for o in leaves(data)}


def pdol_values(fci: Mapping[int, bytes], scheme: Scheme) -> bytes:
    """What GET PROCESSING OPTIONS carries for the objects of a SELECT answer."""
    pdol = decode_dol(fci.get(Tag.PDOL, b""))
    if dol_length(pdol) > _LONGEST_PDOL:
        raise CardUnfit(f"the PDOL asks for {dol_length(pdol)} bytes: no card needs over 127")
    return fill(pdol, terminal_data(scheme))


def languages(fci: Mapping[int, bytes]) -> list[str]:
    """The codes of ISO 639-1 that the card prefers, best first."""
    text = fci.get(Tag.LANGUAGE_PREFERENCE, b"").decode("ascii", errors="replace").lower()
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def decode_options(data: bytes) -> list[Record]:
    """The records that the answer to GET PROCESSING OPTIONS (either format) names."""
    found = primitives(data)
    # Format 1 is the AIP and the AFL one behind the other, EMV 4.4 Book 3, 6.5.8.4.
    packed = found.get(Tag.RESPONSE_FORMAT_1)
    afl = found.get(Tag.AFL) if packed is None else packed[2:]
    if not afl or len(afl) % _AFL_ENTRY:
        raise CardUnfit("the AFL names no records: personalise 94 with 4 bytes an entry")
    records: list[Record] = []
    for at in range(0, len(afl), _AFL_ENTRY):
        sfi, first, last = afl[at] >> 3, afl[at + 1], afl[at + 2]
        if sfi not in _SFIS or not 1 <= first <= last:
            raise CardUnfit(f"the AFL names records {first} to {last} of SFI {sfi}")
        records += [(sfi, record) for record in range(first, last + 1)]
    if len(records) > _MOST_RECORDS:
        raise CardUnfit(f"the AFL names {len(records)} records: no card needs over {_MOST_RECORDS}")
    return records


@dataclass(frozen=True, slots=True)
class Validity:
    """From when and until when a card may be used: yyyymmdd as a number, None is unlimited."""

    effective: int | None
    expiry: int | None

    @classmethod
    def of(cls, objects: Mapping[int, bytes]) -> Self:
        """What 5F25 and 5F24 say, EMV 4.4 Book 3, 10.4.3."""
        return cls(
            effective=_date(objects.get(Tag.EFFECTIVE_DATE)),
            expiry=_date(objects.get(Tag.EXPIRY_DATE)),
        )


def _date(value: bytes | None) -> int | None:
    if value is None:
        return None
    digits = value.hex()
    if len(value) != _DATE or not digits.isdecimal():
        raise CardUnfit("a date of the card is not YYMMDD: personalise 5F24 and 5F25 as 3 bytes")
    short = int(digits)
    # Two digits of the year: EMV 4.4 Book 4, 6.7.3.
    century = 2000_00_00 if short < _CENTURY_TURN * 1_00_00 else 1900_00_00
    return century + short


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Application:
    """What the reader keeps of an application once it has read its records."""

    scheme: Scheme
    cdol1: tuple[DolEntry, ...]
    cdol2: tuple[DolEntry, ...]
    ipb: bytes  # 9F56, or what takes its place
    belgian: bool  # the number is made by the Belgian function
    iaf: Iaf
    prefix: bytes  # the PSN where the IAF asks for it, else empty
    last4: str  # digits of the card number, empty where it is not given

    @classmethod
    def of(cls, objects: Mapping[int, bytes], scheme: Scheme) -> Self:
        """Read the application out of its FCI and records, by tag."""
        _check_there(objects, Tag.CDOL1, Tag.CDOL2)
        ipb = bitmap_of(objects, scheme)
        belgian = scheme is Scheme.BANCONTACT or (ipb is None and scheme is Scheme.BELGIAN)
        if belgian:
            ipb = BELGIAN_IPB
        elif ipb is None and scheme is Scheme.VISA:
            ipb = VISA_DEFAULT_IPB
        if ipb is None:
            raise CardUnfit(f"the card has no IPB ({Tag.IPB:X}): it cannot make codes")
        if not any(ipb):
            raise IpbEmpty
        iaf = flags_of(objects, scheme)
        return cls(
            scheme=scheme,
            cdol1=_cdol(objects[Tag.CDOL1]),
            cdol2=_cdol(objects[Tag.CDOL2]),
            ipb=ipb,
            belgian=belgian,
            iaf=iaf,
            prefix=_psn(objects) if iaf & Iaf.PSN and not belgian else b"",
            last4=_last4(objects.get(Tag.PAN, b"")),
        )

    def takes(self, inputs: Inputs) -> bool:
        """Whether all that was typed enters the cryptogram; else its code is good for more."""
        return all(
            any(entry.tag == tag and entry.length >= len(value) for entry in self.cdol1)
            for tag, value in inputs.values(self.iaf).items()
            if any(value)
        )

    def cdol1_values(self, inputs: Inputs = LOGIN) -> bytes:
        """What the first GENERATE AC carries."""
        return fill(self.cdol1, terminal_data(self.scheme, inputs, self.iaf))

    def cdol2_values(self, inputs: Inputs = LOGIN) -> bytes:
        """What the second GENERATE AC carries: among it, that nobody was reached (ARC)."""
        return fill(self.cdol2, terminal_data(self.scheme, inputs, self.iaf))

    def code(self, cryptogram: "Cryptogram", inputs: Inputs = LOGIN) -> Code:
        """The digits of *cryptogram*, docs/reference/emv-cap.md, sections 7.2, 8 and 9."""
        data = cryptogram.mixed(inputs.fields) if inputs.fields else cryptogram.data
        token = compress(self.prefix + data, self.ipb)
        code = Code.of(to_belgian(token) if self.belgian else token)
        if len(code.digits) > _MOST_DIGITS:
            raise CardUnfit(f"the code has {len(code.digits)} digits, a display {_MOST_DIGITS}")
        return code


def cdol1_values(objects: Mapping[int, bytes], scheme: Scheme, inputs: Inputs) -> bytes:
    """What the first GENERATE AC carries, of a card that need not be able to make codes."""
    _check_there(objects, Tag.CDOL1)
    values = terminal_data(scheme, inputs, flags_of(objects, scheme))
    return fill(_cdol(objects[Tag.CDOL1]), values)


# Of a Belgian card's payments nobody says which are Visa's.
_VISA_PAYMENTS = frozenset({Scheme.VISA, Scheme.BELGIAN})


def bitmap_of(objects: Mapping[int, bytes], scheme: Scheme | None) -> bytes | None:
    """9F56; None where the card has none, or the application means another object by it."""
    ipb = objects.get(Tag.IPB) or None
    if ipb and scheme in _VISA_PAYMENTS and len(ipb) == 1:
        return None
    return ipb


def flags_of(objects: Mapping[int, bytes], scheme: Scheme | None) -> Iaf:
    """The first byte of 9F55; missing, or in an application that means another object: zero."""
    iaf = objects.get(Tag.IAF)
    if not iaf or (scheme in _VISA_PAYMENTS and bitmap_of(objects, scheme) is None):
        return NO_FLAGS
    return Iaf(iaf[0])


def _check_there(objects: Mapping[int, bytes], *tags: Tag) -> None:
    for tag in tags:
        if not objects.get(tag):
            raise CardUnfit(f"the card has no {tag.name} ({tag:X}): it cannot make codes")


def _cdol(data: bytes) -> tuple[DolEntry, ...]:
    dol = decode_dol(data)
    if dol_length(dol) > _LONGEST_DATA:
        raise CardUnfit(f"a CDOL asks for {dol_length(dol)} bytes, a command carries 255")
    return dol


def _psn(objects: Mapping[int, bytes]) -> bytes:
    psn = objects.get(Tag.PSN, b"")
    if len(psn) != 1:
        raise CardUnfit("b7 of the IAF asks for the PSN and the card has none: personalise 5F34")
    return psn


def _last4(pan: bytes) -> str:
    digits = pan.hex().rstrip("f")
    return digits[-4:] if digits.isdecimal() else ""


def decode_tries(data: bytes) -> int | None:
    """How many PIN tries are left; None where the card does not say it in one byte."""
    value = primitives(data).get(Tag.PIN_TRY_COUNTER, b"")
    return value[0] if len(value) == 1 else None


@dataclass(frozen=True, slots=True, repr=False)
class Cryptogram:
    """What a card answers to GENERATE AC: the stuff of a code, so it does not print itself."""

    kind: AcType | None
    data: bytes  # CID, ATC, AC and IAD in this order, 11 bytes or more

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read either format of the answer, EMV 4.4 Book 3, 6.5.5.4, but not two in one."""
        parts = [(o.tag, o.value) for o in leaves(data) if o.tag in _OF_CRYPTOGRAM]
        found = dict(parts)
        packed = found.get(Tag.RESPONSE_FORMAT_1)
        if len(found) != len(parts) or (packed is not None and len(parts) > 1):
            raise CardUnfit("GENERATE AC gave a part of its answer twice: nobody knows which holds")
        if packed is None:
            packed = b"".join(_sized(found, tag, length) for tag, length in _PARTS)
            packed += found.get(Tag.IAD, b"")
        if len(packed) < _ANSWER:
            raise CardUnfit(f"GENERATE AC gave {len(packed)} bytes: CID, ATC and AC are 11")
        return cls(AcType.of(packed[0]), packed)

    def mixed(self, fields: Sequence[str]) -> bytes:
        """The data with *fields* mixed into the AC: mode 2 with TDS."""
        return self.data[:_AC_AT] + mix(self.data[_AC_AT:_ANSWER], fields) + self.data[_ANSWER:]


_PARTS = ((Tag.CID, 1), (Tag.ATC, 2), (Tag.AC, 8))  # tag and length
_OF_CRYPTOGRAM = frozenset({Tag.RESPONSE_FORMAT_1, Tag.CID, Tag.ATC, Tag.AC, Tag.IAD})


def _sized(found: Mapping[int, bytes], tag: Tag, length: int) -> bytes:
    value = found.get(tag, b"")
    if len(value) != length:
        raise CardUnfit(f"GENERATE AC gave {len(value)} bytes of {tag.name}, it has {length}")
    return value
