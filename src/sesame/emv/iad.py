"""Issuer Application Data (9F10) of Visa's layout, and the CVR inside it.

Layout of Visa IAD formats 0, 1 and 3; docs/reference/emv-cap.md, section 10.6.
"""

from dataclasses import dataclass
from enum import IntFlag, unique
from typing import Self

from sesame.emv.errors import MalformedIad

_HEAD = 0x06  # length of what follows, up to the CVR
_CVR_LENGTH = 0x03
_CVR_BYTES = 3
_SHORTEST = 7  # bytes
_LONGEST = 32
_HIGHEST_BYTE = 0xFF
_HIGHEST_CVR = 0xFFFFFF


@unique
class Cvr(IntFlag):
    """Card Verification Results, bytes 2 to 4 as one number, first byte highest."""

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


# Read off the card: the first AC is an ARQC, the PIN was checked and is right.
PIN_VERIFIED_ARQC = Cvr.SECOND_AC_NOT_REQUESTED | Cvr.FIRST_AC_ARQC | Cvr.PIN_PERFORMED


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
        if not (0 <= self.dki <= _HIGHEST_BYTE and 0 <= self.cvn <= _HIGHEST_BYTE):
            raise MalformedIad(f"DKI {self.dki:X}, CVN {self.cvn:X}: they are one byte each")
        if self.cvr > _HIGHEST_CVR:
            raise MalformedIad(f"CVR {self.cvr:X}: bytes 2 to 4 of it are three")
        if _SHORTEST + len(self.discretionary) > _LONGEST:
            raise MalformedIad(
                f"{len(self.discretionary)} bytes of discretionary data: an IAD has room for 25"
            )

    def encode(self) -> bytes:
        """The value of 9F10."""
        head = bytes([_HEAD, self.dki, self.cvn, _CVR_LENGTH])
        return head + self.cvr.to_bytes(_CVR_BYTES) + self.discretionary

    @classmethod
    def decode(cls, iad: bytes) -> Self:
        """Read 9F10.

        Raises:
            MalformedIad: under 7 or over 32 bytes, or the two length bytes of the
                layout stand elsewhere.
        """
        if not _SHORTEST <= len(iad) <= _LONGEST:
            raise MalformedIad(f"an IAD of {len(iad)} bytes, Visa's have 7 to 32")
        if iad[0] != _HEAD or iad[3] != _CVR_LENGTH:
            raise MalformedIad(
                f"the IAD begins {iad[:4].hex(' ').upper()}, Visa's with 06, DKI, CVN, 03"
            )
        cvr = Cvr(int.from_bytes(iad[4:7]))
        return cls(dki=iad[1], cvn=iad[2], cvr=cvr, discretionary=iad[7:])
