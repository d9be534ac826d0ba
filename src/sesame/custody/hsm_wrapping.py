"""An issuer key enciphered for the wrapping key of a token: what `hsm_keys.unwrap` takes.

RSA-OAEP (PKCS#1 version 2.2, 7.1) with one hash for both of its uses and no label, as PKCS#11's
CKM_RSA_PKCS_OAEP has it. Knows no token: the keystore and the token need never meet.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from sesame.custody.errors import WrappingKeyUnusable
from sesame.custody.key import Key

FEWEST_BITS = 2048  # NIST SP 800-57 Part 1, table 2: not weaker than the triple DES key inside
# By the names that `hsm_keys.OAEP_HASHES` has for them.
HASHES: Mapping[str, HashAlgorithm] = {
    "sha256": SHA256(),
    "sha1": SHA1(),  # noqa: S303 -- OAEP asks of its hash nothing that SHA-1 has lost
}


def read_wrapping_key(path: Path) -> RSAPublicKey:
    """The public half of a token's wrapping key at *path*, as PEM.

    Raises:
        WrappingKeyUnusable: it cannot be read, or no key may be enciphered under it.
    """
    try:
        public = load_pem_public_key(path.read_bytes())
    except OSError as refusal:
        raise WrappingKeyUnusable(path, str(refusal.strerror)) from None
    except (ValueError, UnsupportedAlgorithm):
        raise WrappingKeyUnusable(path, "no public key in PEM") from None
    if not isinstance(public, RSAPublicKey):
        raise WrappingKeyUnusable(path, "a key of another kind than RSA")
    if public.key_size < FEWEST_BITS:
        raise WrappingKeyUnusable(path, f"{public.key_size} bits, {FEWEST_BITS} are the fewest")
    return public


def fingerprint(public: RSAPublicKey) -> bytes:
    """SHA-256 (32 bytes) of *public* as DER (SubjectPublicKeyInfo): which token it is of."""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()


def wrap(public: RSAPublicKey, key: Key, hashed: str) -> bytes:
    """The value of *key* enciphered for *public*, as long as its modulus.

    *hashed* is the name of the hash of OAEP, of `HASHES`. It is another text each time.
    """
    chosen = HASHES[hashed]
    return public.encrypt(key.value, OAEP(MGF1(chosen), chosen, None))
