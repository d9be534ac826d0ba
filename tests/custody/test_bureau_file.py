"""What a bureau gets: a CMS file that its key opens, and nobody else's, whole or not at all."""

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7EnvelopeBuilder,
    PKCS7Options,
)
from hypothesis import given
from hypothesis import strategies as st

from sesame.catalogue import Language
from sesame.custody import bureau_file
from sesame.custody.bureau_file import (
    BureauCard,
    read_bureau_file,
    read_certificate,
    read_recipient,
    write_bureau_file,
)
from sesame.custody.errors import (
    BureauCertificateUnusable,
    BureauFileDamaged,
    BureauFileExists,
    BureauFileTooNew,
    BureauFileUnusable,
    BureauKeyLocked,
    BureauKeyUnusable,
    CustodyError,
    UnsuitableCard,
)
from sesame.custody.passphrase import Passphrase
from tests.custody.bureaus import (
    FIRST,
    LAST,
    NOW,
    certificate,
    elliptic_key,
    key_usage,
    put_certificate,
    put_key,
    rsa_key,
)

SECRET = b"\x24\x47\x11\xff\xff\xff\xff\xff"
CARDS = (
    BureauCard(reference="7QK4-XM2P", language=Language.FRENCH, groupings=SECRET),
    BureauCard(reference="9BBB-22CD", language=Language.ENGLISH, groupings=bytes(300)),
)
BUREAU = certificate()
SPOILED = x509.UnrecognizedExtension(x509.KeyUsage.oid, b"no DER")


def _write(path: Path, cards: tuple[BureauCard, ...] = CARDS) -> Path:
    assert write_bureau_file(path, cards, certificate=BUREAU, at=NOW, batch="C-1") == len(cards)
    return path


def _enciphered(path: Path, plain: bytes) -> Path:
    """Another content for the same bureau."""
    builder = PKCS7EnvelopeBuilder().set_data(plain).add_recipient(BUREAU)
    sealed = builder.set_content_encryption_algorithm(AES256).encrypt(
        Encoding.DER, [PKCS7Options.Binary]
    )
    path.write_bytes(sealed)
    return path


def _lines(*lines: object) -> bytes:
    """Lines of JSON as a bank would write them, and the right last one."""
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    last = {"sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(last, separators=(",", ":")).encode() + b"\n"


HEADER = {
    "format": "sesame-bureau",
    "version": 1,
    "batch": "C-1",
    "at": "2026-11-26T15:00:00Z",
    "count": 1,
}
CARD = {"reference": "7QK4-XM2P", "language": "fr", "groupings": "244711FFFFFFFFFF"}


@pytest.mark.parametrize("cards", [CARDS, (), CARDS[:1]])
def test_what_was_written_is_read(tmp_path: Path, cards: tuple[BureauCard, ...]) -> None:
    """Batch, moment and every card in its order."""
    path = _write(tmp_path / "batch.cms", cards)
    batch = read_bureau_file(path, certificate=BUREAU, key=rsa_key())
    assert (batch.batch, batch.at, batch.cards) == ("C-1", NOW, cards)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.needs("openssl")
def test_openssl_opens_it(tmp_path: Path) -> None:
    """With the line of the how-to page; AES-256, one recipient, and the lines as documented."""
    path = _write(tmp_path / "batch.cms", CARDS[:1])
    key = put_key(tmp_path / "bureau.key", rsa_key())
    decrypt = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(path)]
    opened = subprocess.run([*decrypt, "-inkey", str(key)], capture_output=True, check=True)
    assert opened.stdout == _lines(HEADER, CARD)
    printed = ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", str(path)]
    shown = subprocess.run(printed, capture_output=True, check=True, text=True).stdout
    assert "aes-256-cbc" in shown
    assert shown.count("encryptedKey:") == 1


def test_nothing_of_a_card_is_seen_from_outside(tmp_path: Path) -> None:
    """Neither as bytes nor as digits; nor in what prints itself, nor in an error."""
    sealed = _write(tmp_path / "batch.cms").read_bytes()
    for shown in (SECRET, SECRET.hex().upper().encode(), b"7QK4", b"C-1"):
        assert shown not in sealed
    assert "BureauCard object" in repr(CARDS[0])
    batch = read_bureau_file(tmp_path / "batch.cms", certificate=BUREAU, key=rsa_key())
    assert "BureauBatch object" in repr(batch)
    spoiled = _enciphered(tmp_path / "spoiled", _lines(HEADER, CARD | {"pin": "4711"}))
    with pytest.raises(BureauFileDamaged) as refused:
        read_bureau_file(spoiled, certificate=BUREAU, key=rsa_key())
    assert "4711" not in str(refused.value)
    assert refused.value.__suppress_context__
    assert "244711" not in repr(bureau_file._Line("ABC", Language.FRENCH, "244711"))  # noqa: SLF001 -- a name of that file


def test_another_bureau_does_not_open_it(tmp_path: Path) -> None:
    """By its certificate; and the right certificate is of no use without its key."""
    path = _write(tmp_path / "batch.cms")
    other = certificate()
    with pytest.raises(BureauFileDamaged, match="not for this certificate"):
        read_bureau_file(path, certificate=other, key=rsa_key())
    with pytest.raises(BureauFileDamaged):
        read_bureau_file(path, certificate=BUREAU, key=rsa_key(2048))


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    """Nor a link that leads nowhere; and no half of a file stays behind."""
    path = _write(tmp_path / "batch.cms")
    before = path.read_bytes()
    with pytest.raises(BureauFileExists):
        _write(path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BureauFileExists):
        _write(tmp_path / "link")
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["batch.cms", "link"]


def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    """A folder that is none; a disk that is full at the last moment."""
    with pytest.raises(BureauFileUnusable, match="No such file"):
        _write(tmp_path / "none" / "batch.cms")
    full = OSError(28, "No space left on device")
    for answers in ([full], [None, full]):  # for the file, for its folder
        with (
            patch.object(os, "fsync", side_effect=answers),
            pytest.raises(BureauFileUnusable, match="No space left"),
        ):
            _write(tmp_path / "batch.cms")
        assert list(tmp_path.iterdir()) == []


def test_an_interrupted_file_is_not_there(tmp_path: Path) -> None:
    """Ctrl-C when it has its name already, and its folder is not safely on disk."""
    with (
        patch.object(os, "fsync", side_effect=[None, KeyboardInterrupt]),
        pytest.raises(KeyboardInterrupt),
    ):
        _write(tmp_path / "batch.cms")
    assert list(tmp_path.iterdir()) == []


def test_what_no_bureau_could_read_is_not_written(tmp_path: Path) -> None:
    """A batch over the bound of those who read; one that just reaches it is fine."""
    size = len(_write(tmp_path / "batch.cms").read_bytes())
    with (
        patch.object(bureau_file, "LARGEST", size - 1),
        pytest.raises(BureauFileUnusable, match="smaller batches"),
    ):
        _write(tmp_path / "large.cms")
    assert not (tmp_path / "large.cms").exists()
    with patch.object(bureau_file, "LARGEST", size):
        _write(tmp_path / "large.cms")
        read_bureau_file(tmp_path / "large.cms", certificate=BUREAU, key=rsa_key())


def test_a_card_that_cannot_be_sent_stops_the_file(tmp_path: Path) -> None:
    """Two of one reference; a batch without a name; what no letter is called."""
    with pytest.raises(UnsuitableCard, match="two cards have one reference"):
        _write(tmp_path / "batch.cms", (CARDS[0], CARDS[0]))
    for batch in ("", "a b", "x" * 25, "é"):
        with pytest.raises(UnsuitableCard, match="a batch is called"):
            write_bureau_file(
                tmp_path / "batch.cms", CARDS, certificate=BUREAU, at=NOW, batch=batch
            )
    for reference in ("", "AB", "7qk4-xm2p", "../../X", "7QK4-XM2P\n"):
        with pytest.raises(UnsuitableCard, match="whose reference"):
            BureauCard(reference=reference, language=Language.FRENCH, groupings=b"x")
    for groupings in (b"", bytes(4097)):
        with pytest.raises(UnsuitableCard, match="1 to 4096"):
            BureauCard(reference="7QK4-XM2P", language=Language.FRENCH, groupings=groupings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\n",
        b"no JSON\n",
        b"\xff\n",
        b"[" * 100_000,
        _lines(HEADER),
        _lines(CARD),
        _lines(HEADER, CARD, CARD),
        _lines(HEADER | {"count": 2}, CARD),
        _lines(HEADER | {"count": 2}, CARD, CARD),
        _lines(HEADER | {"at": "2026-11-26"}, CARD),
        _lines(HEADER | {"batch": ""}, CARD),
        _lines(HEADER | {"version": 0}, CARD),
        _lines(HEADER | {"format": "another"}, CARD),
        _lines(HEADER, CARD | {"language": "de"}),
        _lines(HEADER, CARD | {"reference": "/etc"}),
        _lines(HEADER, CARD | {"groupings": "244"}),
        _lines(HEADER, CARD | {"groupings": "24ff"}),
        _lines(HEADER, CARD | {"groupings": ""}),
        _lines(HEADER, {"reference": "7QK4-XM2P"}),
        _lines(HEADER, CARD)[:-1],
        _lines(HEADER, CARD) + b"\n",
        _lines(HEADER, CARD).replace(b"244711", b"244712"),
        _lines(HEADER, CARD).replace(b'"fr"', b'"en"'),
        _lines(HEADER, CARD).replace(b",", b", "),
    ],
)
def test_what_no_bank_wrote_is_refused(tmp_path: Path, plain: bytes) -> None:
    """Though it was enciphered for us: anybody can do that. Not a card of it is made."""
    path = _enciphered(tmp_path / "batch.cms", plain)
    with pytest.raises(BureauFileDamaged, match="what is in it"):
        read_bureau_file(path, certificate=BUREAU, key=rsa_key())


def test_what_is_written_by_hand_is_taken(tmp_path: Path) -> None:
    """The lines above are refused for what is wrong with them, not for who wrote them."""
    path = _enciphered(tmp_path / "batch.cms", _lines(HEADER, CARD))
    batch = read_bureau_file(path, certificate=BUREAU, key=rsa_key())
    assert batch.cards == CARDS[:1]


def test_a_newer_file_says_so(tmp_path: Path) -> None:
    """Whatever else a later version has in its first line."""
    path = _enciphered(tmp_path / "batch.cms", _lines(HEADER | {"version": 2, "more": 1}, CARD))
    with pytest.raises(BureauFileTooNew, match="version 2"):
        read_bureau_file(path, certificate=BUREAU, key=rsa_key())


def test_what_is_damaged_or_none_is_refused(tmp_path: Path) -> None:
    """Bytes changed, the file cut, no file, a folder, far too large.

    A few bytes in front, as CMS's own version, decide nothing: then the cards are the same.
    """
    path = _write(tmp_path / "batch.cms")
    sealed = path.read_bytes()
    unharmed = 0
    for at in range(0, len(sealed), 17):
        path.write_bytes(sealed[:at] + bytes([sealed[at] ^ 0x41]) + sealed[at + 1 :])
        try:
            assert read_bureau_file(path, certificate=BUREAU, key=rsa_key()).cards == CARDS
            unharmed += 1
        except BureauFileDamaged:
            pass
    assert unharmed < 5
    for length in range(0, len(sealed), 97):
        path.write_bytes(sealed[:length])
        with pytest.raises(BureauFileDamaged):
            read_bureau_file(path, certificate=BUREAU, key=rsa_key())
    for none in (tmp_path / "none", tmp_path):
        with pytest.raises(BureauFileUnusable):
            read_bureau_file(none, certificate=BUREAU, key=rsa_key())
    path.write_bytes(sealed)
    with (
        patch.object(bureau_file, "LARGEST", len(sealed) - 1),
        pytest.raises(BureauFileUnusable, match="over"),
    ):
        read_bureau_file(path, certificate=BUREAU, key=rsa_key())


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """In our own words."""
    path = tmp_path_factory.getbasetemp() / "any.cms"
    path.write_bytes(data)
    with pytest.raises(BureauFileDamaged):
        read_bureau_file(path, certificate=BUREAU, key=rsa_key())


# ── Certificates and keys ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "days", "why"),
    [
        (lambda: certificate(rsa_key(2048)), 0, "2048 bits, 3072 are the fewest"),
        (lambda: certificate(elliptic_key()), 0, "another kind than RSA"),
        (lambda: BUREAU, (LAST - NOW).days + 1, "expired"),
        (lambda: BUREAU, (FIRST - NOW).days - 1, "not valid yet"),
        (lambda: certificate(None, key_usage(enciphers=False)), 0, "keyEncipherment"),
        (lambda: certificate(None, SPOILED), 0, "extensions cannot be read"),
    ],
)
def test_nothing_is_enciphered_for_such_a_certificate(
    tmp_path: Path, found: Callable[[], x509.Certificate], days: int, why: str
) -> None:
    """Weak, of another kind, out of its time, for signatures only."""
    bureau = found()
    at = NOW + timedelta(days=days)
    with pytest.raises(BureauCertificateUnusable, match=why):
        write_bureau_file(
            tmp_path / "batch.cms",
            CARDS,
            certificate=bureau,
            at=at,
            batch="C-1",
        )
    assert list(tmp_path.iterdir()) == []
    path = put_certificate(tmp_path / "bureau.pem", bureau)
    with pytest.raises(BureauCertificateUnusable, match=why) as refused:
        read_certificate(path, at=at)
    assert str(path) in str(refused.value)


def test_a_certificate_is_read_as_pem_and_as_der(tmp_path: Path) -> None:
    """One for enciphering keys too; anything else is refused with its path."""
    bureau = certificate(None, key_usage(enciphers=True))
    assert read_certificate(put_certificate(tmp_path / "pem", bureau), at=NOW) == bureau
    (tmp_path / "der").write_bytes(bureau.public_bytes(Encoding.DER))
    assert read_certificate(tmp_path / "der", at=NOW) == bureau
    (tmp_path / "text").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    for none in ("text", "none", "."):
        with pytest.raises(BureauCertificateUnusable) as refused:
            read_certificate(tmp_path / none, at=NOW)
        assert str(tmp_path / none) in str(refused.value)


def test_a_key_opens_with_its_passphrase(tmp_path: Path) -> None:
    """And not without, nor with another, nor if others could have copied it."""
    pem = put_certificate(tmp_path / "bureau.pem", BUREAU)
    bare = put_key(tmp_path / "bare.key", rsa_key())
    locked = put_key(tmp_path / "locked.key", rsa_key(), "agrafe réséda")
    right, wrong = Passphrase("agrafe réséda"), Passphrase("agrafe")
    opened = [read_recipient(bare, pem), read_recipient(locked, pem, passphrase=right)]
    for found, key in opened:
        assert found == BUREAU
        assert key.private_numbers() == rsa_key().private_numbers()
    for none in (None, Passphrase("")):
        assert read_recipient(bare, pem, passphrase=none)[0] == BUREAU
        with pytest.raises(BureauKeyLocked):
            read_recipient(locked, pem, passphrase=none)
    with pytest.raises(BureauKeyUnusable, match="another passphrase"):
        read_recipient(locked, pem, passphrase=wrong)
    with pytest.raises(BureauKeyUnusable, match="give none"):
        read_recipient(bare, pem, passphrase=right)
    bare.chmod(0o640)
    with pytest.raises(BureauKeyUnusable, match="chmod 600"):
        read_recipient(bare, pem)


def test_what_is_no_key_of_the_certificate_is_refused(tmp_path: Path) -> None:
    """Another's, another kind, no key at all, no file."""
    pem = put_certificate(tmp_path / "bureau.pem", BUREAU)
    other = put_key(tmp_path / "other.key", rsa_key(2048))
    elliptic = put_key(tmp_path / "elliptic.key", elliptic_key())
    text = tmp_path / "text"
    text.touch(mode=0o600)
    for key, why in (
        (other, "another key's"),
        (elliptic, "another kind than RSA"),
        (text, "no private key"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(BureauKeyUnusable, match=why) as refused:
            read_recipient(key, pem)
        assert isinstance(refused.value, CustodyError)
        assert refused.value.path == key
