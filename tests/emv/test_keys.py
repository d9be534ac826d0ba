"""Keys and their derivation, by the vectors and by what must hold for all keys."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedKey
from sesame.emv.keys import (
    DesKey,
    card_key_a,
    card_key_b,
    cbc_last_block,
    common_session_key,
    common_session_keys,
    common_session_values,
    ecb,
    key_check_value,
    odd_parity,
    session_key,
)
from tests.emv.strategies import atcs, bytes_of_8, des_keys, digits
from tests.vectors.reading import says, vectors

OPTIONS = {"A": card_key_a, "B": card_key_b}
CHAINS = vectors("cryptogram", "chain")


def key(vector: dict[str, Any], name: str) -> DesKey:
    """A key of a vector."""
    return DesKey(bytes.fromhex(vector[name]))


@pytest.mark.parametrize("vector", vectors("des", "ecb"), ids=says)
def test_single_des_is_triple_des_with_equal_keys(vector: dict[str, str]) -> None:
    """Each block by itself; the last block of CBC with one block is the same."""
    single = bytes.fromhex(vector["key"]) * 3
    plain, cipher = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["cipher"])
    assert ecb(single, plain) == cipher
    assert cbc_last_block(single, plain[:8]) == cipher[:8]


@pytest.mark.parametrize("vector", vectors("keys", "card_key") + CHAINS, ids=says)
def test_card_keys(vector: dict[str, str]) -> None:
    """Options A and B, and the check value where the source gives it."""
    derive = OPTIONS[vector["option"]]
    card_key = derive(key(vector, "imk"), vector["pan"], vector["psn"])
    assert card_key == key(vector, "card_key")
    kcv = vector.get("kcv", vector.get("card_kcv"))
    assert kcv is None or key_check_value(card_key) == bytes.fromhex(kcv)


@pytest.mark.parametrize("vector", vectors("keys", "session_key"), ids=says)
def test_common_session_key(vector: dict[str, str]) -> None:
    """EMV 4.4 Book 2, A1.3.1."""
    atc = int(vector["atc"], 16)
    assert common_session_key(key(vector, "card_key"), atc) == key(vector, "sk")


@pytest.mark.parametrize("vector", [v for v in CHAINS if "r" in v], ids=says)
def test_session_keys_of_any_diversifier(vector: dict[str, str]) -> None:
    """Its third byte is overwritten; an ATC and zeros make the common session key."""
    r = bytes.fromhex(vector["r"])
    sk = session_key(key(vector, "card_key"), r)
    assert sk == key(vector, "sk")
    if "sk_kcv" in vector:
        assert key_check_value(sk) == bytes.fromhex(vector["sk_kcv"])
    if "csk" in vector:
        assert common_session_key(key(vector, "card_key"), int.from_bytes(r[:2])) == sk


@given(des_keys, digits(8, 16), digits(2, 2))
def test_up_to_sixteen_digits_the_options_agree(imk: DesKey, pan: str, psn: str) -> None:
    """All cards that we issue have such numbers."""
    assert card_key_a(imk, pan, psn) == card_key_b(imk, pan, psn)


@given(des_keys, digits(8, 19))
def test_a_card_without_psn_has_psn_00(imk: DesKey, pan: str) -> None:
    """5F34 may be absent."""
    assert card_key_a(imk, pan) == card_key_a(imk, pan, "00")
    assert card_key_b(imk, pan) == card_key_b(imk, pan, "00")


@given(des_keys, digits(8, 14).map(lambda pan: pan.rjust(14, "0")), digits(2, 2))
def test_a_short_number_is_filled_with_zeros_on_the_left(imk: DesKey, pan: str, psn: str) -> None:
    """Numbers that differ by leading zeros have one key: no two such cards may exist."""
    assert card_key_a(imk, pan.lstrip("0"), psn) == card_key_a(imk, pan, psn)


@given(des_keys, st.lists(atcs, max_size=6))
def test_many_session_keys_are_the_single_ones(card_key: DesKey, several: list[int]) -> None:
    """In order; the bare values differ from them in parity only."""
    keys = common_session_keys(card_key, several)
    assert keys == [common_session_key(card_key, atc) for atc in several]
    values = common_session_values(card_key, several)
    assert [odd_parity(value) for value in values] == [sk.value for sk in keys]


@given(st.binary(max_size=32))
def test_odd_parity_moves_the_lowest_bits_only(value: bytes) -> None:
    """Each byte gets an odd number of ones."""
    adjusted = odd_parity(value)
    assert all(byte.bit_count() % 2 == 1 for byte in adjusted)
    assert [byte & 0xFE for byte in adjusted] == [byte & 0xFE for byte in value]


@given(des_keys, bytes_of_8)
def test_des_ignores_parity(des_key: DesKey, block: bytes) -> None:
    """A key and its parity-adjusted form encrypt alike, so their check values agree."""
    adjusted = DesKey(odd_parity(des_key.value))
    assert adjusted.encrypt(block) == des_key.encrypt(block)
    assert key_check_value(adjusted) == key_check_value(des_key)


@given(bytes_of_8, st.binary(min_size=1, max_size=4).map(lambda b: b * 8))
def test_equal_halves_are_single_des(half: bytes, blocks: bytes) -> None:
    """Public vectors have such keys: they work like any other."""
    des_key = DesKey(half + half)
    assert des_key.left == des_key.right == half
    assert des_key.encrypt(blocks) == ecb(half * 3, blocks)


@given(st.binary(min_size=24, max_size=24), st.lists(bytes_of_8, min_size=1, max_size=5))
def test_cbc_chains_its_blocks(des_key: bytes, blocks: list[bytes]) -> None:
    """Each block is mixed with the cipher of the one before, the first with zeros."""
    x = bytes(8)
    for block in blocks:
        x = ecb(des_key, bytes(a ^ b for a, b in zip(x, block, strict=True)))
    assert cbc_last_block(des_key, b"".join(blocks)) == x


@pytest.mark.parametrize("length", [0, 8, 15, 17, 24])
def test_a_key_has_sixteen_bytes(length: int) -> None:
    """Neither single nor triple length; the message gives none of them away."""
    with pytest.raises(MalformedKey, match=f"has 16 bytes, these are {length}"):
        DesKey(bytes(length))
