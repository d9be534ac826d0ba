"""The sealed card, byte by byte."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sesame.custody.errors import SealBroken
from sesame.custody.sealing import Seal, SealedCard

KEY = bytes(range(32))
CIPHER = AESGCM(KEY)
CHECK_VALUE = bytes.fromhex("C0FFEE")
NONCE = bytes(12)
CARD = SealedCard(pan="4761730000000011", psn="01", profile="bank-card-1", key="dpa-01", dki=7)


def test_the_layout() -> None:
    """Version, check value, nonce, ciphertext and tag; the head is authenticated with the context.

    Inside, a MessagePack array: what another program reads of it.
    """
    sealed = Seal(CIPHER, CHECK_VALUE).close(CARD, b"context", NONCE)
    head = bytes.fromhex("01 C0FFEE")
    assert sealed[:16] == head + NONCE
    plain = AESGCM(KEY).decrypt(NONCE, sealed[16:], head + b"context")
    assert plain == (b"\x95\xb04761730000000011\xa201\xabbank-card-1\xa6dpa-01\x07")


def test_what_was_sealed_opens() -> None:
    """With the same key and context, and a context may be empty."""
    seal = Seal(CIPHER, CHECK_VALUE)
    for context in (b"", b"7|K4XW29PM|1"):
        assert seal.open(seal.close(CARD, context, NONCE), context) == CARD


def test_another_keystore_is_named() -> None:
    """Whoever opened the wrong keystore reads both check values."""
    sealed = Seal(CIPHER, CHECK_VALUE).close(CARD, b"", NONCE)
    with pytest.raises(SealBroken, match=r"key C0FFEE, this keystore's is BADBAD"):
        Seal(CIPHER, bytes.fromhex("BADBAD")).open(sealed, b"")


def test_a_later_version_is_named() -> None:
    """Not "altered": the row is good, the program is old."""
    sealed = Seal(CIPHER, CHECK_VALUE).close(CARD, b"", NONCE)
    with pytest.raises(SealBroken, match="version 2 is not known"):
        Seal(CIPHER, CHECK_VALUE).open(b"\x02" + sealed[1:], b"")


def test_what_is_cut_short_is_named() -> None:
    """Down to nothing at all; a nonce and a tag at least, nothing is deciphered before."""
    sealed = Seal(CIPHER, CHECK_VALUE).close(CARD, b"", NONCE)
    for length in (0, 1, 3, 4, 10, 16, 31):
        with pytest.raises(SealBroken, match=f"{length} bytes are too few"):
            Seal(CIPHER, CHECK_VALUE).open(sealed[:length], b"")
    for length in (32, len(sealed) - 1):
        with pytest.raises(SealBroken, match="altered"):
            Seal(CIPHER, CHECK_VALUE).open(sealed[:length], b"")


def test_what_no_card_fills_is_named() -> None:
    """An HSM is not asked to decipher what somebody put into the database to keep it busy."""
    sealed = Seal(CIPHER, CHECK_VALUE).close(CARD, b"", NONCE)
    for length, problem in ((1024, "altered"), (1025, "1025 bytes are too many")):
        with pytest.raises(SealBroken, match=problem):
            Seal(CIPHER, CHECK_VALUE).open(sealed.ljust(length), b"")


def test_an_open_card_does_not_print_itself() -> None:
    """Its number least of all."""
    assert repr(CARD) == "SealedCard(…)"
