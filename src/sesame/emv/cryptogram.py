"""The Application Cryptogram: ISO/IEC 9797-1 MAC algorithm 3 over the transaction.

EMV 4.4 Book 2, 8.1 and A1.2.1.
"""

from collections.abc import Sequence
from enum import IntEnum, unique

from sesame.emv.keys import DesKey, cbc_last_block, common_session_values, ecb

_BLOCK = 8  # bytes
_ATC = 2


@unique
class Padding(IntEnum):
    """How a message is brought to whole blocks, ISO/IEC 9797-1, 6.3."""

    METHOD_1 = 1  # zeros, none if it fits; an empty message becomes one block
    METHOD_2 = 2  # 80, then zeros: always adds


def pad(message: bytes, padding: Padding) -> bytes:
    """*message* as whole blocks of 8 bytes."""
    if padding is Padding.METHOD_2:
        message += b"\x80"
    short = -len(message) % _BLOCK if message else _BLOCK
    return message + bytes(short)


def application_cryptogram(sk: DesKey, message: bytes, padding: Padding) -> bytes:
    """The 8-byte AC of *message* under session key *sk*."""
    return mac_algorithm_3(sk, pad(message, padding))


def cryptograms_by_atc(
    card_key: DesKey, atcs: Sequence[int], *, before: bytes, after: bytes
) -> list[bytes]:
    """The 8-byte AC of *before* ‖ ATC ‖ *after* for each of *atcs* (0 to 65535).

    Each under the common session key of its ATC, with padding method 2. One call for all
    candidates of a code, so that what they share is made once.
    """
    padded = pad(before + bytes(_ATC) + after, Padding.METHOD_2)[len(before) + _ATC :]
    keys = common_session_values(card_key, atcs)
    return [
        _retail_mac(key, before + atc.to_bytes(_ATC) + padded)
        for atc, key in zip(atcs, keys, strict=True)
    ]


def mac_algorithm_3(key: DesKey, blocks: bytes) -> bytes:
    """The "retail MAC", 8 bytes: single DES under KL, the last block under KL, KR, KL.

    *blocks* is one or more times 8 bytes.
    """
    return _retail_mac(key.value, blocks)


def _retail_mac(key: bytes, blocks: bytes) -> bytes:
    kl, last = key[:_BLOCK], blocks[-_BLOCK:]
    if len(blocks) > _BLOCK:
        # Single DES is triple DES with three equal keys (docs/decisions/0007).
        x = int.from_bytes(cbc_last_block(kl * 3, blocks[:-_BLOCK]))
        last = (x ^ int.from_bytes(last)).to_bytes(_BLOCK)
    return ecb(key + kl, last)
