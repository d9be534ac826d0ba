"""Card bureaus for the tests: keys that are made once, and certificates for them."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 26, 15, 0, tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 31, tzinfo=UTC)


@cache
def rsa_key(bits: int = 3072) -> RSAPrivateKey:
    """A key of so many bits; for one number always the same, for that takes a while."""
    return rsa.generate_private_key(65537, bits)


@cache
def elliptic_key() -> EllipticCurvePrivateKey:
    """A key for which CMS would have to agree upon one first."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    key: RSAPrivateKey | EllipticCurvePrivateKey | None = None, *extensions: x509.ExtensionType
) -> x509.Certificate:
    """A bureau's certificate, signed by itself."""
    private = key or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Façonnier d’essai")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FIRST)
        .not_valid_after(LAST)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(private, SHA256())


def key_usage(*, enciphers: bool) -> x509.KeyUsage:
    """For enciphering keys, or for signatures alone."""
    return x509.KeyUsage(
        digital_signature=not enciphers,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def put_key(path: Path, key: RSAPrivateKey | EllipticCurvePrivateKey, secret: str = "") -> Path:
    """*key* in PEM at *path*, mode 0600, under *secret* if there is one."""
    how: KeySerializationEncryption = NoEncryption()
    if secret:
        how = BestAvailableEncryption(secret.encode())
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    return path


def put_certificate(path: Path, found: x509.Certificate) -> Path:
    """*found* in PEM at *path*."""
    path.write_bytes(found.public_bytes(Encoding.PEM))
    return path
