"""A key is enciphered for a wrapping key that is one, and comes out of it whole."""

import hashlib
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesame.custody.errors import WrappingKeyUnusable
from sesame.custody.hsm_keys import OAEP_HASHES
from sesame.custody.hsm_wrapping import HASHES, fingerprint, read_wrapping_key, wrap
from tests.custody.keystores import IMK, issuer_key


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    """The half that stays in a token."""
    return rsa.generate_private_key(65537, 2048)


def kept(path: Path, public: PublicKeyTypes) -> Path:
    """*public* as PEM at *path*."""
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.mark.parametrize("hashed", OAEP_HASHES)
def test_the_private_half_opens_it(private: rsa.RSAPrivateKey, hashed: str) -> None:
    """With each hash that `unwrap` knows; two wrappings of one key have nothing in common."""
    one, other = (wrap(private.public_key(), issuer_key("dpa-02"), hashed) for _ in range(2))
    assert one != other
    chosen = HASHES[hashed]
    for wrapped in (one, other):
        assert private.decrypt(wrapped, OAEP(MGF1(chosen), chosen, None)) == IMK


def test_the_fingerprint_is_of_what_the_file_holds(
    private: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    """The officers compare it with that of the HSM's side, where `sesame` need not be."""
    path = kept(tmp_path / "wrapping.pem", private.public_key())
    der = b64decode("".join(path.read_text().splitlines()[1:-1]))
    assert fingerprint(read_wrapping_key(path)) == hashlib.sha256(der).digest()


def test_what_is_no_wrapping_key(tmp_path: Path) -> None:
    """No file, no PEM, another kind of key, one that somebody could take apart."""
    path = tmp_path / "wrapping.pem"
    with pytest.raises(WrappingKeyUnusable, match=r"wrapping\.pem: No such file"):
        read_wrapping_key(path)
    path.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    with pytest.raises(WrappingKeyUnusable, match="no public key in PEM"):
        read_wrapping_key(path)
    kept(path, ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(WrappingKeyUnusable, match="another kind than RSA"):
        read_wrapping_key(path)
    kept(path, rsa.generate_private_key(65537, 1024).public_key())  # noqa: S505 -- to be refused
    with pytest.raises(WrappingKeyUnusable, match="1024 bits, 2048 are the fewest"):
        read_wrapping_key(path)
    kept(path, rsa.generate_private_key(65537, 2048).public_key())
    assert read_wrapping_key(path).key_size == 2048
