"""The key that seals the audit chain: a file of its own, for a process of its own.

Ed25519 (RFC 8032), encrypted like a keystore: argon2id of a passphrase, then AES-256-GCM over
the 32 bytes of the private key, with the rest of the file authenticated.
"""

import hmac
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from msgspec import Meta, Struct

from sesame.custody.errors import (
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreExists,
    KeystoreWeak,
    PublicKeyUnusable,
    WrongPassphrase,
)
from sesame.custody.key import Random

# One way to stretch a passphrase and to put a secret on disk.
from sesame.custody.keystore import COST, Cost, _hex, _read, _stretch, _written_beside
from sesame.custody.passphrase import Passphrase

_KEY = 32  # bytes
_SALT = 16
_NONCE = 12
_TAG = 16
_FORMAT: Final = "sesame-seal-key"


class SealKey:
    """The private key. It signs, says its public half, and does not print itself."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def public(self) -> Ed25519PublicKey:
        """What verifiers need."""
        return self._private.public_key()

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) of *message*."""
        return self._private.sign(message)


def create_seal_key(
    path: Path, passphrase: Passphrase, *, random: Random, cost: Cost = COST
) -> SealKey:
    """A new key in a new file, mode 0600. It is whole when it appears.

    Raises:
        WeakPassphrase: *passphrase* is too short or too plain.
        KeystoreExists: something stands at *path*.
        KeystoreInaccessible: the file cannot be written.
    """
    passphrase.check_strength()
    secret, salt, nonce = random(_KEY), random(_SALT), random(_NONCE)
    private = Ed25519PrivateKey.from_private_bytes(secret)
    key, check = _stretch(passphrase, salt, cost)
    file = _File(
        format=_FORMAT,
        version=1,
        public=_raw(private.public_key()).hex(),
        salt=salt.hex(),
        cost=cost,
        check=check.hex(),
        nonce=nonce.hex(),
    )
    sealed = AESGCM(key).encrypt(nonce, secret, file.header())
    file = msgspec.structs.replace(file, ciphertext=sealed.hex())
    with _written_beside(path, file.encode()) as new:
        try:
            path.hardlink_to(new)  # unlike a rename it never replaces
        except FileExistsError:
            raise KeystoreExists(path) from None
    return SealKey(private)


def open_seal_key(path: Path, passphrase: Passphrase, *, floor: Cost = COST) -> SealKey:
    """The key at *path*, whose passphrase costs at least *floor* to try.

    Raises:
        KeystoreError: it is missing, exposed, damaged, altered or too cheap to try.
        WrongPassphrase: the file is whole and *passphrase* is not its own.
    """
    data = _read(path)
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise KeystoreDamaged(path, "damaged, or no key for seals at all") from None
    if file.encode() != data:
        raise KeystoreDamaged(path, "it is not in its one spelling")
    if not file.cost.reaches(floor):
        raise KeystoreWeak(path)
    key, check = _stretch(passphrase, bytes.fromhex(file.salt), file.cost)
    if not hmac.compare_digest(check, bytes.fromhex(file.check)):
        raise WrongPassphrase(path)
    try:
        secret = AESGCM(key).decrypt(
            bytes.fromhex(file.nonce), bytes.fromhex(file.ciphertext), file.header()
        )
    except InvalidTag:
        raise KeystoreAltered(path) from None
    return SealKey(Ed25519PrivateKey.from_private_bytes(secret))


def encode_public(key: Ed25519PublicKey) -> bytes:
    """*key* for verifiers, as PEM (RFC 8410)."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public(path: Path) -> Ed25519PublicKey:
    """The public key at *path*, as PEM.

    Raises:
        PublicKeyUnusable: it cannot be read, or is none of this kind.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as refusal:
        raise PublicKeyUnusable(path, str(refusal.strerror)) from None
    except (ValueError, UnsupportedAlgorithm):
        raise PublicKeyUnusable(path, "no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PublicKeyUnusable(path, "a key of another kind than Ed25519")
    return key


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The file, its fields in their order."""

    format: Literal["sesame-seal-key"]
    version: Literal[1]
    public: Annotated[str, _hex(_KEY)]
    salt: Annotated[str, _hex(_SALT)]
    cost: Cost
    check: Annotated[str, _hex(_KEY)]  # tells a wrong passphrase from a damaged file
    nonce: Annotated[str, _hex(_NONCE)]
    ciphertext: Annotated[str, Meta(pattern=rf"^([0-9a-f]{{{2 * (_KEY + _TAG)}}})?\Z")] = ""

    def header(self) -> bytes:
        """What AES-GCM authenticates beside the key: all but the ciphertext."""
        return msgspec.json.encode(msgspec.structs.replace(self, ciphertext=""))

    def encode(self) -> bytes:
        """The one spelling of this file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
