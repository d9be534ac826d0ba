"""Issuer Application Data (9F10) in three layouts, and the Card Verification Results inside.

Visa's formats 0, 1 and 3, M/Chip 4, and the Common Core Definitions of EMV 4.4 Book 3, Annex C9;
docs/reference/emv-cap.md, sections 10.6 and 12.4. Each kind of results answers one question the
same way: `pin_verified_arqc`, without which no code may be computed.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import IntFlag, unique
from typing import Self

from sesame.emv.errors import MalformedIad

_VISA_HEAD = 0x06  # length of what follows, up to the CVR
_VISA_CVR = 3  # bytes, behind their length
_VISA_SHORTEST = 7
_VISA_LONGEST = 32
_MCHIP = 18  # bytes
_MCHIP_CVR = 6
_MCHIP_CVN = 0x10  # b8 to b4 of it; session key and counters stand in the others
_MCHIP_CVN_MASK = 0xF8
_DAC = 2
_COUNTERS = 8
_CCD = 32  # bytes
_CCD_CVR = 5
_CCD_LENGTH = 0x0F  # of either half, which it begins
_CCD_FORMAT = 0xA0  # b8 to b5 of the CCI; the cryptogram's version stands in the others
_CCD_FORMAT_MASK = 0xF0
_CCD_DISCRETIONARY = 15
_HIGHEST_BYTE = 0xFF


@unique
class Cvr(IntFlag):
    """Visa's Card Verification Results, bytes 2 to 4 as one number, first byte highest."""

    SECOND_AC_TC = 0x400000  # byte 2 b8-b7: second GENERATE AC; both clear: AAC
    SECOND_AC_NOT_REQUESTED = 0x800000
    FIRST_AC_TC = 0x100000  # byte 2 b6-b5: first GENERATE AC; both clear: AAC
    FIRST_AC_ARQC = 0x200000
    ISSUER_AUTHENTICATION_FAILED = 0x080000
    PIN_PERFORMED = 0x040000
    PIN_FAILED = 0x020000
    UNABLE_TO_GO_ONLINE = 0x010000
    LAST_ONLINE_NOT_COMPLETED = 0x008000
    PIN_TRY_LIMIT_EXCEEDED = 0x004000
    VELOCITY_EXCEEDED = 0x002000
    NEW_CARD = 0x001000
    ISSUER_AUTHENTICATION_FAILED_LAST = 0x000800
    ISSUER_AUTHENTICATION_NOT_PERFORMED = 0x000400
    APPLICATION_BLOCKED_BY_PIN = 0x000200
    SDA_FAILED_LAST = 0x000100
    SCRIPT_COUNTER = 0x0000F0  # byte 4 b8-b5: a number of commands
    SCRIPT_FAILED = 0x000008
    DDA_FAILED_LAST = 0x000004
    DDA_PERFORMED = 0x000002
    PIN_NOT_RECEIVED = 0x000001

    @property
    def pin_verified_arqc(self) -> bool:
        """Whether this is a first AC, an ARQC, behind a PIN that the card checked and found right.

        Byte 2: b8 to b5 are 1010, b3 is set, b2 and b1 are clear. Byte 3: b7 and b2 are clear.
        Byte 4: b1 is clear. All other bits may vary.
        """
        return self.value & _VISA_FIXED.value == PIN_VERIFIED_ARQC.value


# Read off the card: the first AC is an ARQC, the PIN was checked and is right.
PIN_VERIFIED_ARQC = Cvr.SECOND_AC_NOT_REQUESTED | Cvr.FIRST_AC_ARQC | Cvr.PIN_PERFORMED
_VISA_FIXED = (
    PIN_VERIFIED_ARQC
    | Cvr.SECOND_AC_TC
    | Cvr.FIRST_AC_TC
    | Cvr.PIN_FAILED
    | Cvr.UNABLE_TO_GO_ONLINE
    | Cvr.PIN_TRY_LIMIT_EXCEEDED
    | Cvr.APPLICATION_BLOCKED_BY_PIN
    | Cvr.PIN_NOT_RECEIVED
)


@unique
class MChipCvr(IntFlag):
    """M/Chip's Card Verification Results, 6 bytes as one number, first byte highest."""

    SECOND_AC_TC = 0x40_00_00_00_00_00  # byte 1 b8-b7: second GENERATE AC; both clear: AAC
    SECOND_AC_NOT_REQUESTED = 0x80_00_00_00_00_00
    FIRST_AC_TC = 0x10_00_00_00_00_00  # byte 1 b6-b5: first GENERATE AC; both clear: AAC
    FIRST_AC_ARQC = 0x20_00_00_00_00_00
    DATE_CHECK_FAILED = 0x08_00_00_00_00_00
    PIN_PERFORMED = 0x04_00_00_00_00_00
    PIN_ENCIPHERED = 0x02_00_00_00_00_00
    PIN_SUCCESSFUL = 0x01_00_00_00_00_00
    DDA_PERFORMED = 0x80_00_00_00_00
    CDA_IN_FIRST_AC = 0x40_00_00_00_00
    CDA_IN_SECOND_AC = 0x20_00_00_00_00
    ISSUER_AUTHENTICATION_PERFORMED = 0x10_00_00_00_00
    CIAC_DEFAULT_SKIPPED = 0x08_00_00_00_00  # on a terminal of type CAT 3
    PIN_CHANGED_OFFLINE = 0x04_00_00_00_00
    ISSUER_DISCRETIONARY = 0x03_00_00_00_00  # byte 2 b2-b1
    SCRIPT_COUNTER = 0xF0_00_00_00  # byte 3 b8-b5: the lower half of a number of commands
    PIN_TRY_COUNTER = 0x0F_00_00_00  # byte 3 b4-b1: the lower half of the tries that are left
    LAST_ONLINE_NOT_COMPLETED = 0x80_00_00
    UNABLE_TO_GO_ONLINE = 0x40_00_00
    PIN_NOT_PERFORMED = 0x20_00_00
    PIN_FAILED = 0x10_00_00
    PIN_TRY_LIMIT_EXCEEDED = 0x08_00_00
    INTERNATIONAL = 0x04_00_00
    DOMESTIC = 0x02_00_00
    TERMINAL_ERRS_ON_PIN = 0x01_00_00  # it takes an offline PIN for right that was not
    LOWER_CONSECUTIVE_EXCEEDED = 0x80_00
    UPPER_CONSECUTIVE_EXCEEDED = 0x40_00
    LOWER_CUMULATIVE_EXCEEDED = 0x20_00
    UPPER_CUMULATIVE_EXCEEDED = 0x10_00
    GO_ONLINE_NEXT = 0x08_00
    ISSUER_AUTHENTICATION_FAILED = 0x04_00
    SCRIPT_RECEIVED = 0x02_00
    SCRIPT_FAILED = 0x01_00
    LOWER_CONSECUTIVE_2_EXCEEDED = 0x80  # byte 6 b8-b3: M/Chip Advance, clear in M/Chip 4
    UPPER_CONSECUTIVE_2_EXCEEDED = 0x40
    LOWER_CUMULATIVE_2_EXCEEDED = 0x20
    UPPER_CUMULATIVE_2_EXCEEDED = 0x10
    TRANSACTION_AMOUNT_EXCEEDED = 0x08
    DAYS_OFFLINE_EXCEEDED = 0x04
    CHECK_TABLE_MATCH = 0x02
    CHECK_TABLE_NO_MATCH = 0x01

    @property
    def pin_verified_arqc(self) -> bool:
        """Whether this is a first AC, an ARQC, behind a PIN that the card checked and found right.

        Byte 1: b8 to b5 are 1010, b3 and b1 are set. Byte 4: b7 to b4 and b1 are clear. All
        other bits may vary.
        """
        return self.value & _MCHIP_FIXED.value == _MCHIP_WANTED.value


_MCHIP_WANTED = (
    MChipCvr.SECOND_AC_NOT_REQUESTED
    | MChipCvr.FIRST_AC_ARQC
    | MChipCvr.PIN_PERFORMED
    | MChipCvr.PIN_SUCCESSFUL
)
_MCHIP_FIXED = (
    _MCHIP_WANTED
    | MChipCvr.SECOND_AC_TC
    | MChipCvr.FIRST_AC_TC
    | MChipCvr.UNABLE_TO_GO_ONLINE
    | MChipCvr.PIN_NOT_PERFORMED
    | MChipCvr.PIN_FAILED
    | MChipCvr.PIN_TRY_LIMIT_EXCEEDED
    | MChipCvr.TERMINAL_ERRS_ON_PIN
)


@unique
class CcdCvr(IntFlag):
    """CCD's Card Verification Results, 5 bytes as one number, first byte highest; Annex C9.3."""

    SECOND_AC_TC = 0x40_00_00_00_00  # byte 1 b8-b7: second GENERATE AC; both clear: AAC
    SECOND_AC_NOT_REQUESTED = 0x80_00_00_00_00
    FIRST_AC_TC = 0x10_00_00_00_00  # byte 1 b6-b5: first GENERATE AC; both clear: AAC
    FIRST_AC_ARQC = 0x20_00_00_00_00
    CDA_PERFORMED = 0x08_00_00_00_00
    DDA_PERFORMED = 0x04_00_00_00_00
    ISSUER_AUTHENTICATION_NOT_PERFORMED = 0x02_00_00_00_00
    ISSUER_AUTHENTICATION_FAILED = 0x01_00_00_00_00
    PIN_TRY_COUNTER = 0xF0_00_00_00  # byte 2 b8-b5: the lower half of the tries that are left
    PIN_PERFORMED = 0x08_00_00_00
    PIN_FAILED = 0x04_00_00_00
    PIN_TRY_LIMIT_EXCEEDED = 0x02_00_00_00
    LAST_ONLINE_NOT_COMPLETED = 0x01_00_00_00
    LOWER_COUNT_EXCEEDED = 0x80_00_00
    UPPER_COUNT_EXCEEDED = 0x40_00_00
    LOWER_AMOUNT_EXCEEDED = 0x20_00_00
    UPPER_AMOUNT_EXCEEDED = 0x10_00_00
    ISSUER_DISCRETIONARY = 0x0F_00_00  # byte 3 b4-b1
    SCRIPT_COUNTER = 0xF0_00  # byte 4 b8-b5: a number of commands
    SCRIPT_FAILED = 0x08_00
    DATA_AUTHENTICATION_FAILED_LAST = 0x04_00
    GO_ONLINE_NEXT = 0x02_00
    UNABLE_TO_GO_ONLINE = 0x01_00
    RESERVED = 0xFF  # byte 5

    @property
    def pin_verified_arqc(self) -> bool:
        """Whether this is a first AC, an ARQC, behind a PIN that the card checked and found right.

        Byte 1: b8 to b5 are 1010. Byte 2: b4 is set, b3 and b2 are clear. Byte 4: b1 is clear.
        All other bits may vary.
        """
        return self.value & _CCD_FIXED.value == _CCD_WANTED.value


_CCD_WANTED = CcdCvr.SECOND_AC_NOT_REQUESTED | CcdCvr.FIRST_AC_ARQC | CcdCvr.PIN_PERFORMED
_CCD_FIXED = (
    _CCD_WANTED
    | CcdCvr.SECOND_AC_TC
    | CcdCvr.FIRST_AC_TC
    | CcdCvr.PIN_FAILED
    | CcdCvr.PIN_TRY_LIMIT_EXCEEDED
    | CcdCvr.UNABLE_TO_GO_ONLINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisaIad:
    """`06 ‖ DKI ‖ CVN ‖ 03 ‖ CVR (3) ‖ discretionary`, 7 to 32 bytes.

    `dki` and `cvn` are one byte each; `discretionary` (0 to 25 bytes) begins with its
    own length byte where present.

    Raises:
        MalformedIad: `dki` or `cvn` is no byte, `cvr` is not three, or more than 25 follow.
    """

    dki: int
    cvn: int
    cvr: Cvr
    discretionary: bytes = b""

    def __post_init__(self) -> None:
        _check_bytes(self.dki, self.cvn)
        _check_cvr(self.cvr, _VISA_CVR)
        if _VISA_SHORTEST + len(self.discretionary) > _VISA_LONGEST:
            raise MalformedIad(
                f"{len(self.discretionary)} bytes of discretionary data: an IAD has room for 25"
            )

    def encode(self) -> bytes:
        """The value of 9F10."""
        head = bytes([_VISA_HEAD, self.dki, self.cvn, _VISA_CVR])
        return head + self.cvr.to_bytes(_VISA_CVR) + self.discretionary

    @classmethod
    def decode(cls, iad: bytes) -> Self:
        """Read 9F10.

        Raises:
            MalformedIad: under 7 or over 32 bytes, or the two length bytes of the
                layout stand elsewhere.
        """
        if not _VISA_SHORTEST <= len(iad) <= _VISA_LONGEST:
            raise MalformedIad(f"an IAD of {len(iad)} bytes, Visa's have 7 to 32")
        if iad[0] != _VISA_HEAD or iad[3] != _VISA_CVR:
            raise MalformedIad(
                f"the IAD begins {iad[:4].hex(' ').upper()}, Visa's with 06, DKI, CVN, 03"
            )
        cvr = Cvr(int.from_bytes(iad[4:7]))
        return cls(dki=iad[1], cvn=iad[2], cvr=cvr, discretionary=iad[7:])


@dataclass(frozen=True, slots=True, kw_only=True)
class MChipIad:
    """`DKI ‖ CVN ‖ CVR (6) ‖ DAC or IDN (2) ‖ counters (8)`, 18 bytes.

    `dki` and `cvn` are one byte each, the CVN 10 to 17; `dac_or_idn` is the Data Authentication
    Code or the ICC Dynamic Number.

    Raises:
        MalformedIad: one of them is out of these bounds, or of another length.
    """

    dki: int
    cvn: int
    cvr: MChipCvr
    dac_or_idn: bytes = bytes(_DAC)
    counters: bytes = bytes(_COUNTERS)

    def __post_init__(self) -> None:
        _check_bytes(self.dki, self.cvn)
        if self.cvn & _MCHIP_CVN_MASK != _MCHIP_CVN:
            raise MalformedIad(f"CVN {self.cvn:02X}: M/Chip has 10 to 17")
        _check_cvr(self.cvr, _MCHIP_CVR)
        _check_length("DAC or IDN", self.dac_or_idn, _DAC)
        _check_length("counters", self.counters, _COUNTERS)

    def encode(self) -> bytes:
        """The value of 9F10."""
        cvr = self.cvr.to_bytes(_MCHIP_CVR)
        return bytes([self.dki, self.cvn]) + cvr + self.dac_or_idn + self.counters

    @classmethod
    def decode(cls, iad: bytes) -> Self:
        """Read 9F10.

        Raises:
            MalformedIad: not 18 bytes, or a CVN that is not M/Chip's.
        """
        if len(iad) != _MCHIP:
            raise MalformedIad(f"an IAD of {len(iad)} bytes, M/Chip's have 18")
        cvr = MChipCvr(int.from_bytes(iad[2:8]))
        return cls(dki=iad[0], cvn=iad[1], cvr=cvr, dac_or_idn=iad[8:10], counters=iad[10:])


@dataclass(frozen=True, slots=True, kw_only=True)
class CcdIad:
    """`0F ‖ CCI ‖ DKI ‖ CVR (5) ‖ counters (8) ‖ 0F ‖ issuer discretionary (15)`, 32 bytes.

    `cci` is the Common Core Identifier, A0 to AF: format A, and the cryptogram's version, of
    which 5 is triple DES. EMV 4.4 Book 3, Annex C9.

    Raises:
        MalformedIad: one of them is out of these bounds, or of another length.
    """

    cci: int = 0xA5
    dki: int
    cvr: CcdCvr
    counters: bytes = bytes(_COUNTERS)
    discretionary: bytes = bytes(_CCD_DISCRETIONARY)

    def __post_init__(self) -> None:
        _check_bytes(self.dki, self.cci)
        if self.cci & _CCD_FORMAT_MASK != _CCD_FORMAT:
            raise MalformedIad(f"CCI {self.cci:02X}: CCD has A0 to AF")
        _check_cvr(self.cvr, _CCD_CVR)
        _check_length("counters", self.counters, _COUNTERS)
        _check_length("issuer discretionary data", self.discretionary, _CCD_DISCRETIONARY)

    @property
    def cvn(self) -> int:
        """The CCI, which says what the CVN says in other layouts."""
        return self.cci

    def encode(self) -> bytes:
        """The value of 9F10."""
        first = bytes([_CCD_LENGTH, self.cci, self.dki]) + self.cvr.to_bytes(_CCD_CVR)
        return first + self.counters + bytes([_CCD_LENGTH]) + self.discretionary

    @classmethod
    def decode(cls, iad: bytes) -> Self:
        """Read 9F10.

        Raises:
            MalformedIad: not 32 bytes, a half that does not begin with its length, or a CCI of
                another format.
        """
        if len(iad) != _CCD:
            raise MalformedIad(f"an IAD of {len(iad)} bytes, CCD's have 32")
        if iad[0] != _CCD_LENGTH or iad[16] != _CCD_LENGTH:
            raise MalformedIad(
                f"the halves of the IAD begin {iad[0]:02X} and {iad[16]:02X}, CCD's with 0F"
            )
        cvr = CcdCvr(int.from_bytes(iad[3:8]))
        return cls(cci=iad[1], dki=iad[2], cvr=cvr, counters=iad[8:16], discretionary=iad[17:])


def decode_iad(iad: bytes) -> VisaIad | MChipIad | CcdIad:
    """Read 9F10 of whichever layout it has.

    M/Chip's has no mark but the CVN. 18 bytes that could be either are taken for Visa's: it says
    two lengths of its own, and an M/Chip card would need the DKI 06 and nothing but the issuer's
    two bits in byte 2 of its CVR.

    Raises:
        MalformedIad: it has none of the three.
    """
    for layout in (VisaIad, CcdIad, MChipIad):
        with suppress(MalformedIad):
            return layout.decode(iad)
    raise MalformedIad(
        f"an IAD of {len(iad)} bytes that begins {iad[:4].hex(' ').upper()}: Visa's begin with 06,"
        " DKI, CVN, 03; CCD's with 0F and A in 32 bytes; M/Chip's have a CVN of 10 to 17 in 18"
    )


def _check_bytes(dki: int, cvn: int) -> None:
    if not (0 <= dki <= _HIGHEST_BYTE and 0 <= cvn <= _HIGHEST_BYTE):
        raise MalformedIad(f"DKI {dki:X}, CVN {cvn:X}: they are one byte each")


def _check_cvr(cvr: int, length: int) -> None:
    if cvr >> 8 * length:
        raise MalformedIad(f"CVR {cvr:X}: it has {length} bytes")


def _check_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise MalformedIad(f"{name} of {len(value)} bytes: the layout has {length}")
