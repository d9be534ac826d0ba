"""Answer to Reset: what a card says of its transmission when it gets power.

ISO/IEC 7816-3, 8.2; EMV 4.4 Book 1, 8. A chip alone decides which protocol it speaks.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from functools import reduce
from operator import xor

from sesame.emv.errors import MalformedAtr

DIRECT = 0x3B  # TS: the convention in which the card's bits come
INVERSE = 0x3F
LONGEST_ATR = 33  # bytes

_PRESENT = 0xF0  # b8 to b5 of T0 and of each TD: which of TA, TB, TC and TD follow
_LOW = 0x0F  # the rest: historical bytes in T0, a protocol in TD
_TD = 0x80  # b8: a TD follows, and after it more
_LONGEST_HISTORICAL = 15  # bytes

# What EMV calls the basic ATR: TB1 and TC1 are zero; T=1 names itself twice (TD1, TD2), takes
# 254 bytes a block (TA3) and has the waiting times that EMV allows at most (TB3).
_BASIC_T0 = (0x60, bytes.fromhex("0000"))
_BASIC_T1 = (0xE0, bytes.fromhex("0000 81 31 FE 45"))


@unique
class Protocol(IntEnum):
    """How commands travel: in single bytes (T=0) or in blocks (T=1)."""

    T0 = 0
    T1 = 1


@dataclass(frozen=True, slots=True)
class Atr:
    """What an ATR says."""

    convention: int  # `DIRECT` or `INVERSE`
    protocol: int  # the first one offered, 0 to 15; EMV uses those of `Protocol`
    historical: bytes  # 0 to 15 bytes, which the issuer chooses
    protocols: tuple[int, ...]  # all that are offered, each once
    interface_bytes: int  # how many stand before the historical ones, TS and T0 among them


def encode_atr(protocol: Protocol, historical: bytes) -> bytes:
    """The basic ATR of EMV for *protocol* alone; with T=1 the check byte TCK ends it.

    Raises:
        MalformedAtr: over 15 historical bytes.
    """
    if len(historical) > _LONGEST_HISTORICAL:
        raise MalformedAtr(f"{len(historical)} historical bytes: there are at most 15")
    present, interface = _BASIC_T0 if protocol is Protocol.T0 else _BASIC_T1
    body = bytes([present | len(historical)]) + interface + historical
    check = b"" if protocol is Protocol.T0 else bytes([reduce(xor, body)])
    return bytes([DIRECT]) + body + check


def decode_atr(raw: bytes) -> Atr:
    """Read an ATR of 2 to 33 bytes.

    Raises:
        MalformedAtr: it ends too early or too late, or TCK does not fit.
    """
    if not 2 <= len(raw) <= LONGEST_ATR:  # noqa: PLR2004 -- TS and T0
        raise MalformedAtr(f"an ATR has 2 to 33 bytes, this one {len(raw)}")
    if raw[0] not in (DIRECT, INVERSE):
        raise MalformedAtr(f"TS is {raw[0]:02X}: it is 3B or 3F")
    protocols, historical_at = _interface(raw)
    historical_end = historical_at + (raw[1] & _LOW)
    # TCK is there unless T=0 is the only protocol.
    checked = any(protocol != Protocol.T0 for protocol in protocols)
    if len(raw) != historical_end + checked:
        raise MalformedAtr(f"{len(raw)} bytes where T0 and TD promise {historical_end + checked}")
    if checked and reduce(xor, raw[1:]) != 0:
        raise MalformedAtr("TCK does not fit the bytes before it")
    first = protocols[0] if protocols else Protocol.T0
    offered = tuple(dict.fromkeys(protocols or [Protocol.T0]))
    return Atr(raw[0], first, raw[historical_at:historical_end], offered, historical_at)


def _interface(raw: bytes) -> tuple[list[int], int]:
    """The protocols that TD1, TD2, … name, and where the interface bytes end."""
    protocols = []
    at = 1  # T0 says what is in the first group of them, each TD what is in the next
    while raw[at] & _TD:
        at += (raw[at] & _PRESENT).bit_count()  # a TD is the last of its group
        if at >= len(raw):
            raise MalformedAtr("it ends before its interface bytes do")
        protocols.append(raw[at] & _LOW)
    return protocols, at + 1 + (raw[at] & _PRESENT).bit_count()
