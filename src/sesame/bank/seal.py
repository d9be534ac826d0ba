"""A seal: what a minute's heads were, signed by a key that no server has.

A seal is JSON as audit lines are; its signature is Ed25519 (RFC 8032) over a domain prefix and
the seal's bytes. docs/reference/audit.md has both byte by byte, docs/decisions/0026 the reasons.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesame.bank.audit import moment
from sesame.bank.errors import FalseSeal

NO_SEAL = bytes(32)  # stands before the first one
_DOMAIN = b"sesame-audit-1\x00seal\x00"
_HASH = msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a seal says."""

    v: Literal[1] = 1
    number: Annotated[int, msgspec.Meta(ge=1)]
    prev: Annotated[str, _HASH]  # of the seal before; zeros in the first one
    at: str  # when it was made, by the sealer's clock, as lines write a moment
    count: Annotated[int, msgspec.Meta(ge=0)]  # heads: leaves of the tree
    lines: Annotated[int, msgspec.Meta(ge=0)]  # that came with it
    root: Annotated[str, _HASH]
    key: Annotated[str, _HASH]  # fingerprint of the key that signs


class SignedSeal(msgspec.Struct, frozen=True):
    """A seal's bytes and its signature (64 bytes)."""

    text: bytes
    signature: bytes

    @property
    def seal(self) -> Seal:
        """What it says.

        Raises:
            FalseSeal: it is no seal, or not in its one spelling.
        """
        try:
            seal = _decode(self.text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise FalseSeal("it is damaged, or no seal at all") from None
        if _encode(seal) != self.text:
            raise FalseSeal(f"number {seal.number} is not written as seals are")
        return seal

    @property
    def hash(self) -> bytes:
        """What the next seal carries as `prev` (32 bytes)."""
        return hashlib.sha256(_DOMAIN + self.text).digest()


def new_seal(  # noqa: PLR0913 -- each by name
    *, number: int, prev: bytes, at: datetime, count: int, lines: int, root: bytes, key: bytes
) -> bytes:
    """A seal before it is signed: its bytes."""
    return _encode(
        Seal(
            number=number,
            prev=prev.hex(),
            at=moment(at),
            count=count,
            lines=lines,
            root=root.hex(),
            key=key.hex(),
        )
    )


def to_sign(text: bytes) -> bytes:
    """What the signature of a seal covers."""
    return _DOMAIN + text


def fingerprint(key: Ed25519PublicKey) -> bytes:
    """SHA-256 of the public key's 32 bytes."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()


def check_seal(signed: SignedSeal, key: Ed25519PublicKey) -> Seal:
    """What *signed* says, which *key* has signed.

    Raises:
        FalseSeal: it is damaged, or another key's.
    """
    seal = signed.seal
    if seal.key != fingerprint(key).hex():
        raise FalseSeal(f"number {seal.number} names another key: is it the right public key?")
    try:
        key.verify(signed.signature, to_sign(signed.text))
    except InvalidSignature:
        raise FalseSeal(f"the signature of number {seal.number} is not right") from None
    return seal


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Seal).decode
