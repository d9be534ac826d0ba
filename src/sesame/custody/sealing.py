"""The sealed card: what custody must know of a card, as the bank stores it.

`01 ‖ check value (3) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, AES-256-GCM (NIST SP
800-38D). Version and check value are authenticated with the context; the check value says
under which key the card was sealed. Inside: PAN, PSN, profile, key label and DKI as a
MessagePack array.
"""

from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sesame.custody.custodian import CardRecord
from sesame.custody.errors import SealBroken

NONCE = 12  # bytes

_VERSION = 0x01
_HEAD = 1 + 3  # bytes
_TAG = 16


class SealedCard(msgspec.Struct, array_like=True, frozen=True):
    """A card between two layers of one process; it does not print itself.

    Not a `CardRecord`: what the tag vouches for is not checked again at every login.
    """

    pan: str
    psn: str
    profile: str
    key: str
    dki: int

    @classmethod
    def of(cls, card: CardRecord) -> Self:
        """*card* in plain fields."""
        return cls(card.pan.digits, card.psn, card.profile, card.key.label, card.dki)

    def __repr__(self) -> str:
        return "SealedCard(…)"


class Seal:
    """The key that seals (32 bytes) and its check value (3 bytes)."""

    def __init__(self, key: bytes, check_value: bytes) -> None:
        self._cipher = AESGCM(key)
        self._head = bytes([_VERSION]) + check_value

    def close(self, card: SealedCard, context: bytes, nonce: bytes) -> bytes:
        """*card* sealed for *context*. A *nonce* (12 bytes) must never come again."""
        plain = _encode(card)
        return self._head + nonce + self._cipher.encrypt(nonce, plain, self._head + context)

    def open(self, sealed: bytes, context: bytes) -> SealedCard:
        """The card in *sealed*.

        Raises:
            SealBroken: too short, of a newer version, under another key, altered, or
                sealed for another context.
        """
        head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + NONCE]
        if head != self._head:
            raise SealBroken(self._why_not(sealed))
        try:
            plain = self._cipher.decrypt(nonce, sealed[_HEAD + NONCE :], head + context)
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise SealBroken("altered, or moved here from another row") from None
        return _decode(plain)

    def _why_not(self, sealed: bytes) -> str:
        if len(sealed) < _HEAD + NONCE + _TAG:
            return f"{len(sealed)} bytes are too few"
        if sealed[0] != _VERSION:
            return f"version {sealed[0]} is not known here"
        return (
            f"sealed under key {sealed[1:_HEAD].hex().upper()}, this keystore's is "
            f"{self._head[1:].hex().upper()}: is it the keystore of this database?"
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SealedCard).decode
