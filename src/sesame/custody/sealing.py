"""The sealed card: what custody must know of a card, as the bank stores it; and the sealed PIN.

`01 ‖ check value (3) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, AES-256-GCM (NIST SP
800-38D). Version and check value are authenticated with the context; the check value says
under which key the card was sealed. Inside: PAN, PSN, profile, key label and DKI as a
MessagePack array.

A PIN that waits for its letter is sealed alike, `50` in the place of `01`. Both are of one key, and
neither opens as the other, whatever their contexts: the first byte is authenticated
(docs/decisions/0035-why-is-a-pin-sealed-until-its-letter.md).
"""

from typing import Protocol, Self

import msgspec
from cryptography.exceptions import InvalidTag

from sesame.cap.profiles import SESAME_CARD
from sesame.custody.custodian import CardRecord
from sesame.custody.errors import PinSealBroken, SealBroken
from sesame.emv.pin import Pin

NONCE = 12  # bytes

_VERSION = 0x01
_PIN_MARK = 0x50  # where a card has its version: no version of it will have this number
_HEAD = 1 + 3  # bytes
_TAG = 16
_LONGEST = 1024  # bytes; a sealed card has about 80
_PIN = 4  # digits
SEALED_PIN = _HEAD + NONCE + _PIN + _TAG  # bytes, of every PIN that we draw


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


# What stands where a card is missing, so that as much work is done. No key is called so.
DECOY = SealedCard(pan="0000000000000000", psn="00", profile=SESAME_CARD.name, key="", dki=0)


class Cipher(Protocol):
    """AES-256-GCM under one key, wherever that is: `AESGCM` of the library, or an HSM."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """*data* enciphered, and a tag of 16 bytes behind it."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """The contrary.

        Raises:
            InvalidTag: something was altered.
        """
        ...


class Seal:
    """What seals, and the check value (3 bytes) of its key."""

    def __init__(self, cipher: Cipher, check_value: bytes) -> None:
        self._cipher = cipher
        self._head = bytes([_VERSION]) + check_value

    def close(self, card: SealedCard, context: bytes, nonce: bytes) -> bytes:
        """*card* sealed for *context*. A *nonce* (12 bytes) must never come again."""
        plain = _encode(card)
        return self._head + nonce + self._cipher.encrypt(nonce, plain, self._head + context)

    def open(self, sealed: bytes, context: bytes) -> SealedCard:
        """The card in *sealed*.

        Raises:
            SealBroken: too short or too long, of a newer version, under another key, altered, or
                sealed for another context.
        """
        head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + NONCE]
        if head != self._head or not _HEAD + NONCE + _TAG <= len(sealed) <= _LONGEST:
            raise SealBroken(self._why_not(sealed))
        try:
            plain = self._cipher.decrypt(nonce, sealed[_HEAD + NONCE :], head + context)
        except InvalidTag:
            raise SealBroken("altered, or moved here from another row") from None
        return _decode(plain)

    def _why_not(self, sealed: bytes) -> str:
        if len(sealed) < _HEAD + NONCE + _TAG:
            return f"{len(sealed)} bytes are too few"
        if len(sealed) > _LONGEST:
            return f"{len(sealed)} bytes are too many"
        if sealed[0] != _VERSION:
            return f"version {sealed[0]} is not known here"
        return (
            f"sealed under key {sealed[1:_HEAD].hex().upper()}, this keystore's is "
            f"{self._head[1:].hex().upper()}: is it the keystore of this database?"
        )


class PinSeal:
    """What seals a PIN until its letter is printed, under the key that seals cards."""

    def __init__(self, cipher: Cipher, check_value: bytes) -> None:
        self._cipher = cipher
        self._head = bytes([_PIN_MARK]) + check_value

    def close(self, pin: Pin, context: bytes, nonce: bytes) -> bytes:
        """*pin*, of four digits, sealed for *context*; the *nonce* (12 bytes) never comes again."""
        plain = pin.digits.encode()
        return self._head + nonce + self._cipher.encrypt(nonce, plain, self._head + context)

    def open(self, sealed: bytes, context: bytes) -> Pin:
        """The PIN in *sealed*.

        Raises:
            PinSealBroken: of another length, no PIN at all, under another key, altered, or sealed
                for another context.
        """
        head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + NONCE]
        if len(sealed) != SEALED_PIN or head[:1] != self._head[:1]:
            raise PinSealBroken("it is none")
        if head != self._head:
            raise PinSealBroken(
                f"under key {head[1:].hex().upper()}, this keystore's is "
                f"{self._head[1:].hex().upper()}: is it the keystore of this database?"
            )
        try:
            plain = self._cipher.decrypt(nonce, sealed[_HEAD + NONCE :], head + context)
        except InvalidTag:
            raise PinSealBroken("altered, or moved here from another row") from None
        return Pin(plain.decode())


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SealedCard).decode
