"""`sesame.custody.seal_key`: a file that nobody else reads, opens only by its passphrase."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesame.custody.errors import (
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreError,
    KeystoreExists,
    KeystoreExposed,
    KeystoreMissing,
    KeystoreWeak,
    PublicKeyUnusable,
    WeakPassphrase,
    WrongPassphrase,
)
from sesame.custody.passphrase import Passphrase
from sesame.custody.seal_key import (
    SealKey,
    create_seal_key,
    encode_public,
    open_seal_key,
    read_public,
)
from tests.custody.keystores import PASSPHRASE, QUICK, chance


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a key is."""
    _create(tmp_path / "seal.key")
    return tmp_path / "seal.key"


def _create(path: Path) -> SealKey:
    return create_seal_key(path, PASSPHRASE, random=chance("seal"), cost=QUICK)


def test_a_key_signs_and_its_public_half_verifies(file: Path, tmp_path: Path) -> None:
    """After it was written and read again, and so was the other."""
    key = open_seal_key(file, PASSPHRASE, floor=QUICK)
    public = tmp_path / "public.pem"
    public.write_bytes(encode_public(key.public))
    read_public(public).verify(key.sign(b"message"), b"message")
    assert public.read_text(encoding="ascii").startswith("-----BEGIN PUBLIC KEY-----")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_secret_is_nowhere_to_be_read(file: Path) -> None:
    """Not in the file, nor in what is printed of it."""
    secret = chance("seal")(32)
    assert secret not in file.read_bytes()
    assert secret.hex() not in file.read_text(encoding="ascii")
    assert secret.hex() not in repr(open_seal_key(file, PASSPHRASE, floor=QUICK))


def test_another_passphrase_does_not_open_it(file: Path) -> None:
    """And a weak one makes none; a file that is there is not written over."""
    with pytest.raises(WrongPassphrase):
        open_seal_key(file, Passphrase("cheval agrafe réséda pilé"), floor=QUICK)
    before = file.read_bytes()
    with pytest.raises(KeystoreExists):
        _create(file)
    assert file.read_bytes() == before
    with pytest.raises(WeakPassphrase):
        create_seal_key(file.with_name("new"), Passphrase("abc"), random=chance("x"), cost=QUICK)
    assert not file.with_name("new").exists()


def test_a_file_that_others_may_read_is_refused(file: Path) -> None:
    """And one that is not there, and one whose passphrase is tried too cheaply."""
    with pytest.raises(KeystoreWeak):
        open_seal_key(file, PASSPHRASE)
    file.chmod(0o640)
    with pytest.raises(KeystoreExposed):
        open_seal_key(file, PASSPHRASE, floor=QUICK)
    with pytest.raises(KeystoreMissing):
        open_seal_key(file.with_name("none"), PASSPHRASE, floor=QUICK)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_flipped_bit_is_refused(file: Path, data: st.DataObject) -> None:
    """Also where the file still reads well."""
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    flipped = file.with_name("flipped")
    flipped.write_bytes(content)
    flipped.chmod(0o600)
    with pytest.raises(KeystoreError):
        open_seal_key(flipped, PASSPHRASE, floor=QUICK)


def test_what_was_altered_is_told_from_what_is_damaged(file: Path) -> None:
    """A public half that is another's; a file that is none."""
    text = file.read_text(encoding="ascii")
    at = text.index('"public": "') + 11
    file.write_text(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :], "ascii")
    with pytest.raises(KeystoreAltered):
        open_seal_key(file, PASSPHRASE, floor=QUICK)
    text = file.read_text(encoding="ascii")
    file.write_text(text + "\n", "ascii")
    with pytest.raises(KeystoreDamaged, match="one spelling"):
        open_seal_key(file, PASSPHRASE, floor=QUICK)
    file.write_text("{}", "ascii")
    with pytest.raises(KeystoreDamaged):
        open_seal_key(file, PASSPHRASE, floor=QUICK)


def test_what_is_no_public_key(tmp_path: Path) -> None:
    """Nothing, something else, a key of another kind."""
    other = tmp_path / "x25519"
    other.write_bytes(
        X25519PrivateKey.from_private_bytes(bytes(32))
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "text").write_bytes(b"no key")
    for name, why in (("none", "No such file"), ("text", "PEM"), ("x25519", "another kind")):
        with pytest.raises(PublicKeyUnusable, match=why):
            read_public(tmp_path / name)
