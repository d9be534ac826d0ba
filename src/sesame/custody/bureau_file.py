"""The file that a card bureau gets: cards as data groupings, enciphered for it alone.

docs/reference/bureau-file.md. Outside CMS EnvelopedData (RFC 5652, 6) in DER, for one RSA key,
AES-256; inside lines of JSON, of which the last one is the SHA-256 of all before it. Card keys
and PINs are in it, so nothing of a line is ever in an error.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7EnvelopeBuilder,
    PKCS7Options,
    pkcs7_decrypt_der,
)
from msgspec import Meta, Struct

from sesame.catalogue import Language
from sesame.custody.errors import (
    BureauCertificateUnusable,
    BureauFileDamaged,
    BureauFileExists,
    BureauFileTooNew,
    BureauFileUnusable,
    BureauKeyLocked,
    BureauKeyUnusable,
    UnsuitableCard,
)
from sesame.custody.passphrase import Passphrase
from sesame.custody.whole_file import written_beside

FEWEST_BITS = 3072  # of RSA: as strong as 128 bits, NIST SP 800-57 Part 1, table 2
LARGEST = 256 * 1024 * 1024  # bytes: some 480,000 cards

_FORMAT: Final = "sesame-bureau"
_VERSION: Final = 1
_REFERENCE = r"^[0-9A-Z-]{3,24}\Z"
_BATCH = r"^[!-~]{1,24}\Z"
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LONGEST_CARD = 4096  # bytes of groupings; a card has some 300
_END = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BureauCard:
    """One card for the bureau. It prints nothing of itself.

    Raises:
        UnsuitableCard: the reference is no letter's, or the groupings are empty or longer than a
            card's.
    """

    reference: str  # of the letter that it is put into: 3 to 24 of A–Z, 0–9 and hyphens
    language: Language  # of that letter
    groupings: bytes  # as `card.cps.encode_groupings` gives them

    def __post_init__(self) -> None:
        if not re.match(_REFERENCE, self.reference):
            raise UnsuitableCard(
                "a card goes out with a letter, whose reference has 3 to 24 of A-Z, 0-9 and -"
            )
        if not 0 < len(self.groupings) <= _LONGEST_CARD:
            raise UnsuitableCard(f"a card's data groupings have 1 to {_LONGEST_CARD} bytes")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BureauBatch:
    """What a bureau's file says."""

    batch: str
    at: datetime  # when it was made, UTC, whole seconds
    cards: tuple[BureauCard, ...]


def write_bureau_file(
    path: Path,
    cards: Iterable[BureauCard],
    *,
    certificate: x509.Certificate,
    at: datetime,
    batch: str,
) -> int:
    """Write *cards* to a new file at *path*, mode 0600, for who has the key of *certificate*.

    The file is there whole or not at all, and replaces none. It says how many cards it holds.

    Args:
        path: of the new file.
        cards: none of a reference that another one has.
        certificate: the bureau's, as `read_certificate` takes it.
        at: now; aware.
        batch: what the batch is called: 1 to 24 characters of ASCII without blanks.

    Raises:
        UnsuitableCard: two cards of one reference, or a batch that is called otherwise.
        BureauCertificateUnusable: nothing may be enciphered for it, at this time.
        BureauFileExists: something stands at *path*.
        BureauFileUnusable: the system refuses, or so many cards would never be read again.
    """
    check_certificate(certificate, at=at)
    plain, count = _encode(cards, at=at, batch=batch)
    sealed = (
        PKCS7EnvelopeBuilder()
        .set_data(plain)
        .add_recipient(certificate)
        .set_content_encryption_algorithm(AES256)
        .encrypt(Encoding.DER, [PKCS7Options.Binary])
    )
    _write_new(path, sealed)
    return count


def read_bureau_file(
    path: Path, *, certificate: x509.Certificate, key: RSAPrivateKey
) -> BureauBatch:
    """What the bureau's *key* opens at *path*.

    Raises:
        BureauFileUnusable: it cannot be read, or is too large.
        BureauFileDamaged: for another certificate, damaged, or of another content.
        BureauFileTooNew: a later version of this program wrote it.
    """
    try:
        with path.open("rb") as file:
            sealed = file.read(LARGEST + 1)
    except OSError as refusal:
        raise BureauFileUnusable(path, str(refusal.strerror)) from None
    if len(sealed) > LARGEST:
        raise BureauFileUnusable(path, f"over {LARGEST} bytes")
    try:
        plain = pkcs7_decrypt_der(sealed, certificate, key, [])
    except (ValueError, UnsupportedAlgorithm):
        raise BureauFileDamaged(path, "it is damaged, or not for this certificate") from None
    return _decode(path, plain)


def read_certificate(path: Path, *, at: datetime) -> x509.Certificate:
    """The bureau's certificate at *path*, as PEM or DER.

    Raises:
        BureauCertificateUnusable: it cannot be read, or as `check_certificate`.
    """
    certificate = _certificate(path)
    try:
        check_certificate(certificate, at=at)
    except BureauCertificateUnusable as refusal:
        raise BureauCertificateUnusable(refusal.problem, path) from None
    return certificate


def check_certificate(certificate: x509.Certificate, *, at: datetime) -> None:
    """Have something enciphered for *certificate* at the time *at*.

    Raises:
        BureauCertificateUnusable: another key than RSA of 3072 bits or more, expired or not yet
            valid, or for other uses only.
    """
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey):
        raise BureauCertificateUnusable("its key is another kind than RSA")
    if public.key_size < FEWEST_BITS:
        raise BureauCertificateUnusable(
            f"its key has {public.key_size} bits, {FEWEST_BITS} are the fewest"
        )
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise BureauCertificateUnusable("it has expired, or is not valid yet")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    except ValueError:
        raise BureauCertificateUnusable("its extensions cannot be read") from None
    if not usage.key_encipherment:
        raise BureauCertificateUnusable("it is not for enciphering keys (keyEncipherment)")


def read_recipient(
    key: Path, certificate: Path, *, passphrase: Passphrase | None = None
) -> tuple[x509.Certificate, RSAPrivateKey]:
    """What opens a bureau's files: its certificate, however old, and the private key as PEM.

    Raises:
        BureauKeyLocked: the key wants a passphrase, and none was given.
        BureauKeyUnusable: it cannot be read, others may read it, it is no RSA key, the
            *passphrase* is another one, or the certificate is another key's.
        BureauCertificateUnusable: it cannot be read.
    """
    private = _private_key(key, passphrase)
    found = _certificate(certificate)
    if found.public_key() != private.public_key():
        raise BureauKeyUnusable(key, f"the certificate {certificate} is another key's")
    return found, private


def _certificate(path: Path) -> x509.Certificate:
    try:
        data = path.read_bytes()
    except OSError as refusal:
        raise BureauCertificateUnusable(str(refusal.strerror), path) from None
    load = x509.load_pem_x509_certificate
    if not data.lstrip().startswith(b"-----BEGIN"):
        load = x509.load_der_x509_certificate
    try:
        certificate = load(data)
        certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise BureauCertificateUnusable("no X.509 certificate in PEM or DER", path) from None
    return certificate


def _private_key(path: Path, passphrase: Passphrase | None) -> RSAPrivateKey:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as refusal:
        raise BureauKeyUnusable(path, str(refusal.strerror)) from None
    if mode & _OTHERS:
        raise BureauKeyUnusable(path, "others may read it: run chmod 600 on it")
    secret = None if passphrase is None else passphrase.encode() or None  # an empty one is none
    try:
        key = load_pem_private_key(data, secret)
    except TypeError:
        if secret is None:
            raise BureauKeyLocked(path) from None
        raise BureauKeyUnusable(path, "it has no passphrase: give none") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BureauKeyUnusable(path, "no private key in PEM, or another passphrase") from None
    if not isinstance(key, RSAPrivateKey):
        raise BureauKeyUnusable(path, "a key of another kind than RSA")
    return key


# ── The lines inside ─────────────────────────────────────────────────────────────────────────────


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    format: Literal["sesame-bureau"]
    version: Literal[1]
    batch: Annotated[str, Meta(pattern=_BATCH)]
    at: str
    count: Annotated[int, Meta(ge=0)]


class _Version(Struct, frozen=True):
    """What the first line of every version has."""

    format: Literal["sesame-bureau"]
    version: int


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    """A card."""

    reference: Annotated[str, Meta(pattern=_REFERENCE)]
    language: Language
    groupings: Annotated[str, Meta(pattern=r"^([0-9A-F]{2})+\Z", max_length=2 * _LONGEST_CARD)]

    def __repr__(self) -> str:
        return f"_Line({self.reference})"


class _Last(Struct, frozen=True, forbid_unknown_fields=True):
    """The last line."""

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


def _encode(cards: Iterable[BureauCard], *, at: datetime, batch: str) -> tuple[bytes, int]:
    """The lines, and how many are cards."""
    if not re.match(_BATCH, batch):
        raise UnsuitableCard("a batch is called by 1 to 24 characters of ASCII without blanks")
    lines, references = [], set()
    for card in cards:
        if card.reference in references:
            raise UnsuitableCard(f"two cards have one reference, {card.reference}")
        references.add(card.reference)
        lines.append(_Line(card.reference, card.language, card.groupings.hex().upper()))
    header = _Header(_FORMAT, _VERSION, batch, f"{at.astimezone(UTC):{_MOMENT}}", len(lines))
    body = _written([header, *lines])
    return body + _written([_last(body)]), len(lines)


def _written(lines: Iterable[Struct]) -> bytes:
    return b"".join(msgspec.json.encode(line) + _END for line in lines)


def _last(body: bytes) -> _Last:
    return _Last(hashlib.sha256(body).hexdigest())


def _decode(path: Path, plain: bytes) -> BureauBatch:
    first, *rest = plain.splitlines(keepends=True) or [b""]
    try:
        head = msgspec.json.decode(first, type=_Version)
        if head.version > _VERSION:
            raise BureauFileTooNew(path, head.version)
        header = msgspec.json.decode(first, type=_Header)
        cards = [msgspec.json.decode(line, type=_Line) for line in rest[:-1]]
        batch = BureauBatch(
            batch=header.batch,
            at=datetime.strptime(header.at, _MOMENT).replace(tzinfo=UTC),
            cards=tuple(
                BureauCard(
                    reference=card.reference,
                    language=card.language,
                    groupings=bytes.fromhex(card.groupings),
                )
                for card in cards
            ),
        )
        again, _ = _encode(batch.cards, at=batch.at, batch=batch.batch)
    except (msgspec.MsgspecError, ValueError, RecursionError, UnsuitableCard):
        # Their own words may carry a line.
        raise BureauFileDamaged(path, "what is in it is not as a bank writes it") from None
    if again != plain:
        raise BureauFileDamaged(path, "what is in it is not as it was written")
    return batch


# ── On the disk ──────────────────────────────────────────────────────────────────────────────────


def _write_new(path: Path, data: bytes) -> None:
    if len(data) > LARGEST:  # written, it would never be read again
        raise BureauFileUnusable(path, f"over {LARGEST} bytes: make smaller batches")
    named = False
    with _refusals(path):
        try:
            with written_beside(path, data) as new:
                path.hardlink_to(new)  # unlike a rename it never replaces
                named = True
        except BaseException:
            if named:  # who hears of an error makes the file again
                path.unlink(missing_ok=True)
            raise


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise BureauFileExists(path) from None
    except OSError as refusal:
        raise BureauFileUnusable(path, str(refusal.strerror)) from None
