"""Commands, responses and status words between a terminal and a card.

EMV 4.4 Book 1, 9.4 and 11; Book 3, 6. Short lengths only, as EMV uses them. Commands
that send and await data are built without Le: what T=0 and T=1 make of that is for the
slot to know.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from sesame.emv.errors import MalformedApdu
from sesame.emv.tags import Tag
from sesame.emv.tlv import encode_one

_HEADER = 4
_HIGHEST_BYTE = 0xFF
_HIGHEST_SW = 0xFFFF
_SW = 2  # bytes
_LONGEST_DATA = 255
_LONGEST_ANSWER = 256  # written as Le = 00


@unique
class Ins(IntEnum):
    """Instruction bytes, EMV 4.4 Book 3, 6.5."""

    VERIFY = 0x20
    SELECT = 0xA4
    GET_PROCESSING_OPTIONS = 0xA8
    GENERATE_AC = 0xAE
    READ_RECORD = 0xB2
    GET_RESPONSE = 0xC0
    GET_DATA = 0xCA


@unique
class Cla(IntEnum):
    """Class bytes: ISO/IEC 7816-4's own commands and EMV's."""

    ISO = 0x00
    EMV = 0x80


@unique
class Sw(IntEnum):
    """Status words SW1-SW2, EMV 4.4 Book 3, 6.3.5, and ISO/IEC 7816-4."""

    OK = 0x9000
    APPLICATION_BLOCKED = 0x6283
    WRONG_LENGTH = 0x6700
    PIN_BLOCKED = 0x6983
    REFERENCE_DATA_UNUSABLE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    WRONG_P1_P2 = 0x6A86
    DATA_OBJECT_NOT_FOUND = 0x6A88
    INS_UNKNOWN = 0x6D00
    CLA_UNKNOWN = 0x6E00


PIN_WRONG = 0x63C0  # 63Cx: x tries are left


def tries_left(sw: int) -> int | None:
    """The x of status word 63Cx, or None where *sw* is another one."""
    return sw & 0x0F if sw & 0xFFF0 == PIN_WRONG else None


@unique
class AcType(IntEnum):
    """Which cryptogram is asked, or was made: b8 and b7 of P1 and of the CID.

    EMV 4.4 Book 3, 6.5.5.
    """

    AAC = 0x00  # declined
    TC = 0x40  # approved offline
    ARQC = 0x80  # ask the bank

    @classmethod
    def of(cls, byte: int) -> "AcType | None":
        """The type that b8 and b7 of *byte* name; 11 names none."""
        return _AC_TYPES.get(byte & 0xC0)


_AC_TYPES = {int(kind): kind for kind in AcType}

CDA_REQUESTED = 0x10  # b5 of P1: a combined signature is wanted


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A command: four header bytes, up to 255 of data, and Le (1 to 256) where an answer is due.

    Raises:
        MalformedApdu: a header field is no byte, or data or Le is out of these bounds.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        for byte in (self.cla, self.ins, self.p1, self.p2):
            if not 0 <= byte <= _HIGHEST_BYTE:
                raise MalformedApdu(f"{byte:X} in the header: CLA, INS, P1 and P2 are a byte each")
        if len(self.data) > _LONGEST_DATA:
            raise MalformedApdu(f"{len(self.data)} bytes of data: a short command holds 255")
        if self.le is not None and not 1 <= self.le <= _LONGEST_ANSWER:
            raise MalformedApdu(f"Le is {self.le}: a short command asks for 1 to 256 bytes")

    def encode(self) -> bytes:
        """The bytes of ISO/IEC 7816-3, 12.1, cases 1 to 4."""
        header = bytes([self.cla, self.ins, self.p1, self.p2])
        body = bytes([len(self.data)]) + self.data if self.data else b""
        return header + body + (b"" if self.le is None else bytes([self.le % _LONGEST_ANSWER]))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a short command of 4 to 261 bytes.

        Raises:
            MalformedApdu: under four bytes, or Lc does not fit what follows.
        """
        if len(raw) < _HEADER:
            raise MalformedApdu(f"a command of {len(raw)} bytes: CLA INS P1 P2 are four")
        cla, ins, p1, p2 = raw[:_HEADER]
        rest = raw[_HEADER:]
        if not rest:
            return cls(cla, ins, p1, p2)
        if len(rest) == 1:
            return cls(cla, ins, p1, p2, le=rest[0] or _LONGEST_ANSWER)
        lc, body = rest[0], rest[1:]
        if lc == 0 or len(body) not in (lc, lc + 1):
            raise MalformedApdu(
                f"Lc is {lc} and {len(body)} bytes follow it: as many must, or one more for Le"
            )
        le = (body[lc] or _LONGEST_ANSWER) if len(body) == lc + 1 else None
        return cls(cla, ins, p1, p2, body[:lc], le)

    @property
    def name(self) -> str:
        """The instruction's name as EMV spells it, or its byte."""
        try:
            return Ins(self.ins).name.replace("_", " ")
        except ValueError:
            return f"INS {self.ins:02X}"

    def __repr__(self) -> str:
        # No data: VERIFY carries the PIN.
        header = f"{self.cla:02X} {self.ins:02X} {self.p1:02X} {self.p2:02X}"
        return f"Command({self.name}: {header}, {len(self.data)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """An answer: up to 256 bytes of data and the status word.

    Raises:
        MalformedApdu: over 256 bytes, or a status word that is not two bytes.
    """

    sw: int
    data: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.sw <= _HIGHEST_SW:
            raise MalformedApdu(f"status word {self.sw:X}: SW1 SW2 are two bytes")
        if len(self.data) > _LONGEST_ANSWER:
            raise MalformedApdu(f"{len(self.data)} bytes of data: a short answer holds 256")

    @property
    def ok(self) -> bool:
        """Whether the status word is 9000."""
        return self.sw == Sw.OK

    def encode(self) -> bytes:
        """Data, SW1, SW2."""
        return self.data + self.sw.to_bytes(_SW)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read an answer of 2 to 258 bytes.

        Raises:
            MalformedApdu: fewer or more.
        """
        if len(raw) < _SW:
            raise MalformedApdu(f"an answer of {len(raw)} bytes: SW1 SW2 are two")
        return cls(int.from_bytes(raw[-_SW:]), raw[:-_SW])

    def __repr__(self) -> str:
        # No data: a record holds the card number.
        return f"Response({self.sw:04X}, {len(self.data)} bytes)"


def select(name: bytes) -> Command:
    """SELECT by name (an AID of 5 to 16 bytes, or a directory), first occurrence."""
    return Command(Cla.ISO, Ins.SELECT, 0x04, 0x00, name)


def get_processing_options(pdol_values: bytes = b"") -> Command:
    """GET PROCESSING OPTIONS with the PDOL's values inside template 83."""
    data = encode_one(Tag.COMMAND_TEMPLATE, pdol_values)
    return Command(Cla.EMV, Ins.GET_PROCESSING_OPTIONS, 0x00, 0x00, data)


def read_record(sfi: int, record: int) -> Command:
    """READ RECORD: P2 holds the SFI (1 to 30) and 100, "P1 is a record number"."""
    return Command(Cla.ISO, Ins.READ_RECORD, record, sfi << 3 | 0x04, le=_LONGEST_ANSWER)


def get_data(tag: int) -> Command:
    """GET DATA for a primitive object with a two-byte tag."""
    return Command(Cla.EMV, Ins.GET_DATA, tag >> 8, tag & 0xFF, le=_LONGEST_ANSWER)


def verify(pin_block: bytes) -> Command:
    """VERIFY with a plaintext PIN block of 8 bytes; P2 = 80."""
    return Command(Cla.ISO, Ins.VERIFY, 0x00, 0x80, pin_block)


def generate_ac(kind: AcType, cdol_values: bytes) -> Command:
    """GENERATE AC asking for *kind*, with the CDOL's values."""
    return Command(Cla.EMV, Ins.GENERATE_AC, kind, 0x00, cdol_values)
