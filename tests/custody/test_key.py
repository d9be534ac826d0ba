"""Keys: length and usage bound to each other, values that do not print themselves."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import UnsuitableKey
from sesame.custody.key import ISSUER_USAGES, Key, generate_key, standard_keys
from tests.custody.keystores import IMK, NOW, chance, issuer_key


def test_check_value_of_a_published_key() -> None:
    """08D7B4, as payment modules show it."""
    assert issuer_key("dpa-01").check_value.hex().upper() == "08D7B4"


def test_check_value_of_other_keys() -> None:
    """The first 3 bytes of SHA-256 over our text, a zero byte and the key."""
    key = Key(label="audit-01", usage=KeyUsage.AUDIT, value=bytes(32), created=NOW)
    whole = hashlib.sha256(b"sesame key check value\x00" + bytes(32)).digest()
    assert key.check_value == whole[:3]


@pytest.mark.parametrize("usage", KeyUsage)
def test_the_length_goes_with_the_usage(usage: KeyUsage) -> None:
    """16 bytes for double-length DES, 32 for AES-256 and HMAC, nothing between."""
    key = generate_key("key-01", usage, now=NOW, random=chance("length"))
    assert len(key.value) == (16 if usage in ISSUER_USAGES else 32)
    for value in (b"", key.value[:-1], key.value + b"\x00", bytes(24)):
        with pytest.raises(UnsuitableKey, match="bytes"):
            replace(key, value=value)


def test_halves_alike_are_refused() -> None:
    """Triple DES of equal halves is single DES; parity bits make no difference."""
    for value in (IMK[:8] * 2, bytes(8) + b"\x01" * 8):
        with pytest.raises(UnsuitableKey, match="halves are alike"):
            issuer_key("dpa-01", value)


def test_generated_issuer_keys_have_odd_parity() -> None:
    """As a payment module wants them, should they ever go into one."""
    key = generate_key("dpa-01", KeyUsage.ISSUER_AC, now=NOW, random=chance("parity"))
    assert all(byte.bit_count() % 2 for byte in key.value)


def test_a_key_knows_when_it_was_made() -> None:
    """In a time zone, or the time means nothing."""
    with pytest.raises(UnsuitableKey, match="time zone"):
        replace(issuer_key("dpa-01"), created=datetime(2025, 3, 14))  # noqa: DTZ001 -- the point


@pytest.mark.parametrize("label", ["", "DPA", "a b", "é", "-a"])
def test_labels_are_plain(label: str) -> None:
    """They stand in settings, tables and commands."""
    with pytest.raises(UnsuitableKey, match="label"):
        issuer_key(label)


def test_the_standard_keys_cover_every_usage() -> None:
    """Each by its own chance; without payments where it is no demonstration."""
    demo = standard_keys(demo=True, now=NOW, random=chance("standard"))
    assert {key.usage for key in demo} == set(KeyUsage)
    assert len({key.value for key in demo}) == len(demo)
    real = standard_keys(demo=False, now=NOW, random=chance("standard"))
    assert {key.usage for key in real} == set(KeyUsage) - {KeyUsage.ISSUER_PAYMENT}
    assert {key.created for key in real} == {NOW}
    assert NOW.tzinfo is UTC


def test_a_key_does_not_print_itself() -> None:
    """Label, usage and check value do."""
    assert repr(issuer_key("dpa-01")) == "Key(dpa-01, issuer-ac, 08D7B4)"
