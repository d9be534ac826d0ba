"""Double-length DES keys, and how a card's and a session's key are derived.

EMV 4.4 Book 2, A1.3 (session key) and A1.4 (card key, options A and B).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from sesame.emv.errors import MalformedKey

_KEY = 16  # bytes
_HALF = 8
_BLOCK = 8  # bytes
_ZEROS = bytes(_BLOCK)
_ECB = modes.ECB()  # noqa: S305 -- EMV's own; holds no state, so one serves all
_CBC = modes.CBC(_ZEROS)
_INVERTED = bytes(0xFF ^ b for b in range(256))
_LETTERS_TO_DIGITS = str.maketrans("abcdef", "012345")
_PAN_DIGITS = 16  # that enter option A
_ODD_PARITY = bytes((b & 0xFE) | (1 ^ (b >> 1).bit_count() & 1) for b in range(256))
_LEFT = b"\xf0" + bytes(5)  # makes an ATC the diversifier of KL, A1.3.1
_RIGHT = b"\x0f" + bytes(5)  # and of KR


@dataclass(frozen=True, slots=True, repr=False)
class DesKey:
    """KL ‖ KR, 16 bytes; it does not print itself. Parity bits are ignored by DES.

    Raises:
        MalformedKey: not 16 bytes.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != _KEY:
            raise MalformedKey(f"a double-length DES key has 16 bytes, these are {len(self.value)}")

    @property
    def left(self) -> bytes:
        """KL, 8 bytes."""
        return self.value[:_HALF]

    @property
    def right(self) -> bytes:
        """KR, 8 bytes."""
        return self.value[_HALF:]

    def encrypt(self, blocks: bytes) -> bytes:
        """Triple DES in ECB mode: each 8 bytes of *blocks* by themselves."""
        return ecb(self.value + self.value[:_HALF], blocks)

    def __repr__(self) -> str:
        return "DesKey(…)"


class _TripleDes(Cipher[modes.ECB | modes.CBC]):
    """The library's cipher without its checks of algorithm and mode, which never differ here.

    They would be a tenth of all that a code costs (bench/crypto.py). Should a version of the
    library object, `Cipher(TripleDES(key), mode)` does the same, only slower.
    """

    def __init__(self, key: bytes, mode: modes.ECB | modes.CBC) -> None:
        # 24 bytes always: the library is giving up shorter keys (docs/decisions/0006).
        self.algorithm = TripleDES(key)
        self.mode = mode


def ecb(key: bytes, blocks: bytes) -> bytes:
    """Encrypt each 8 bytes of *blocks* under a triple DES *key* of 24 bytes."""
    return _TripleDes(key, _ECB).encryptor().update(blocks)


def cbc_last_block(key: bytes, blocks: bytes) -> bytes:
    """The last block of CBC under a triple DES *key* of 24 bytes, with a zero IV.

    *blocks* is one or more times 8 bytes.
    """
    return _TripleDes(key, _CBC).encryptor().update(blocks)[-_BLOCK:]


def odd_parity(key: bytes) -> bytes:
    """*key* with the lowest bit of each byte set so that its ones are odd in number."""
    return key.translate(_ODD_PARITY)


def key_check_value(key: DesKey) -> bytes:
    """The first 3 bytes of eight zeros encrypted: tells keys apart, gives none away."""
    return key.encrypt(_ZEROS)[:3]


def card_key_a(imk: DesKey, pan: str, psn: str = "00") -> DesKey:
    """Option A: the card's key from the digits of its PAN and PSN (two), A1.4.1.

    Of a longer number only the rightmost 16 digits of PAN ‖ PSN enter.
    """
    return _card_key(imk, (pan + psn)[-_PAN_DIGITS:].zfill(_PAN_DIGITS))


def card_key_b(imk: DesKey, pan: str, psn: str = "00") -> DesKey:
    """Option B: as A up to 16 digits of PAN, decimalised SHA-1 beyond, A1.4.2."""
    if len(pan) <= _PAN_DIGITS:
        return card_key_a(imk, pan, psn)
    digits = pan + psn
    packed = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    digest = hashlib.sha1(packed, usedforsecurity=False).hexdigest()
    decimals = "".join(c for c in digest if c.isdigit())
    letters = "".join(c for c in digest if not c.isdigit()).translate(_LETTERS_TO_DIGITS)
    return _card_key(imk, (decimals + letters)[:_PAN_DIGITS])


def common_session_key(card_key: DesKey, atc: int) -> DesKey:
    """The EMV common session key of one ATC (0 to 65535), A1.3.1."""
    return common_session_keys(card_key, [atc])[0]


def common_session_keys(card_key: DesKey, atcs: Sequence[int]) -> list[DesKey]:
    """The common session keys of several ATCs, in one pass of the cipher."""
    return [DesKey(odd_parity(value)) for value in common_session_values(card_key, atcs)]


def common_session_values(card_key: DesKey, atcs: Sequence[int]) -> list[bytes]:
    """The same as bare bytes, parity as it falls: for who uses them at once and forgets them."""
    numbers = [atc.to_bytes(2) for atc in atcs]
    keys = card_key.encrypt(b"".join([n + _LEFT + n + _RIGHT for n in numbers]))
    return [keys[at : at + _KEY] for at in range(0, len(keys), _KEY)]


def session_key(card_key: DesKey, r: bytes) -> DesKey:
    """A session key from an 8-byte diversifier *r*, whose third byte becomes F0 and 0F."""
    halves = r[:2] + b"\xf0" + r[3:] + r[:2] + b"\x0f" + r[3:]
    return DesKey(odd_parity(card_key.encrypt(halves)))


def _card_key(imk: DesKey, digits: str) -> DesKey:
    y = bytes.fromhex(digits)
    return DesKey(odd_parity(imk.encrypt(y + y.translate(_INVERTED))))
