"""Tokens of SoftHSM2: one folder for a process of tests, for its module is loaded once."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sesame.custody import hsm_keys
from sesame.custody.cryptoki import SHA_1, Session, load
from sesame.custody.hsm_keys import generate_standard, unwrap, wrapping_key
from sesame.custody.hsm_sessions import Login
from sesame.custody.hsm_tokens import make_token
from sesame.custody.key import Key
from sesame.custody.passphrase import Passphrase

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = Passphrase("agrafe réséda")
# All that SoftHSM2 takes.
OAEP = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303 -- for OAEP it will do
OFFICER_PIN = Passphrase("cheval pile")


@cache
def softhsm() -> Path:
    """The module, set up to keep its tokens in a folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="sesame softhsm "))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    lines = (
        f"directories.tokendir = {folder / 'tokens'}",
        "objectstore.backend = file",
        "log.level = ERROR",
    )
    settings.write_text("\n".join(lines))
    os.environ["SOFTHSM2_CONF"] = str(settings)
    load(MODULE).initialize_anew()  # some test of the bench may have had it before
    return MODULE


def new_token(label: str, *, keys: Sequence[Key] = (), demo: bool = True) -> Login:
    """A token with the standard keys, and *keys* of elsewhere."""
    login = empty_token(label)
    session = login.open(writes=True)
    generate_standard(session, demo=demo)
    carry_in(session, keys)
    session.close()
    return login


def empty_token(label: str) -> Login:
    """A token in which nothing is."""
    module = softhsm()
    make_token(module, label, officer_pin=OFFICER_PIN, pin=PIN)
    return Login(load(module), label, PIN)


def copy_tokens(folder: Path) -> Path:
    """All tokens of this process as they are, copied into *folder*; SoftHSM2's settings for them.

    For who may not read those of this process.
    """
    settings = Path(os.environ["SOFTHSM2_CONF"])
    shutil.copytree(settings.parent / "tokens", folder / "tokens")
    copied = folder / settings.name
    said = settings.read_text(encoding="utf-8")
    copied.write_text(said.replace(str(settings.parent), str(folder)), encoding="utf-8")
    return copied


@contextmanager
def pulled_out() -> Iterator[None]:
    """SoftHSM2's tokens are folders: without them its slots are empty."""
    tokens = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
    aside = tokens.with_name("in a drawer")
    tokens.rename(aside)
    tokens.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(tokens)
        aside.rename(tokens)


def carry_in(session: Session, keys: Sequence[Key]) -> None:
    """Bring *keys* of elsewhere into the token, as their home would wrap them."""
    for key in keys:
        unwrap(
            *(session, key.label, key.usage, wrapped_for(session, key)),
            expected=key.check_value,
            hashed=SHA_1,
        )


def wrapped_for(session: Session, key: Key) -> bytes:
    """*key* of elsewhere, enciphered for the token's wrapping key."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hsm_keys, "_WRAPPING_BITS", 2048)  # made in a quarter of the time
        public = load_pem_public_key(wrapping_key(session))
    assert isinstance(public, RSAPublicKey)
    return public.encrypt(key.value, OAEP)
