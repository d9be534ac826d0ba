"""The MAC and the cryptogram, by the vectors and by what must hold for all messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.cryptogram import (
    Padding,
    application_cryptogram,
    cryptograms_by_atc,
    mac_algorithm_3,
    pad,
)
from sesame.emv.keys import DesKey, common_session_key, ecb
from tests.emv.strategies import atcs, des_keys
from tests.vectors.reading import says, vectors

messages = st.binary(max_size=80)
CRYPTOGRAMS = (
    vectors("cryptogram", "cryptogram")
    + vectors("cryptogram", "chain")
    + vectors("profiles", "profile")
    + vectors("end_to_end", "end_to_end")
)


@pytest.mark.parametrize("vector", vectors("des", "mac"), ids=says)
def test_mac_algorithm_3(vector: dict[str, Any]) -> None:
    """ISO/IEC 9797-1."""
    blocks = pad(bytes.fromhex(vector["message"]), Padding(vector["padding"]))
    mac = mac_algorithm_3(DesKey(bytes.fromhex(vector["key"])), blocks)
    assert mac == bytes.fromhex(vector["mac"])


@pytest.mark.parametrize("vector", CRYPTOGRAMS, ids=says)
def test_application_cryptograms(vector: dict[str, Any]) -> None:
    """Of cards, HSMs and other programs, under the session key."""
    sk = DesKey(bytes.fromhex(vector["sk"]))
    message = bytes.fromhex(vector["message"])
    ac = application_cryptogram(sk, message, Padding(vector["padding"]))
    assert ac == bytes.fromhex(vector["ac"])


@pytest.mark.parametrize("vector", vectors("otp", "otp"), ids=says)
def test_cryptograms_behind_codes(vector: dict[str, Any]) -> None:
    """Of a public calculator, under keys whose halves are equal."""
    message = bytes.fromhex(vector["terminal"] + vector["card_part"])
    sk = DesKey(bytes.fromhex(vector["sk"]))
    ac = application_cryptogram(sk, message, Padding(vector["padding"]))
    assert ac == bytes.fromhex(vector["ac"])


@pytest.mark.parametrize(
    ("message", "method_1", "method_2"),
    [
        ("", "0000000000000000", "8000000000000000"),
        ("01", "0100000000000000", "0180000000000000"),
        ("01020304050607", "0102030405060700", "0102030405060780"),
        ("0102030405060708", "0102030405060708", "01020304050607088000000000000000"),
    ],
)
def test_paddings(message: str, method_1: str, method_2: str) -> None:
    """Method 1 adds nothing to whole blocks, method 2 always adds; both make one of nothing."""
    assert pad(bytes.fromhex(message), Padding.METHOD_1).hex() == method_1
    assert pad(bytes.fromhex(message), Padding.METHOD_2).hex() == method_2


@given(messages, messages)
def test_method_2_tells_all_messages_apart(one: bytes, other: bytes) -> None:
    """Its padding can be taken off again: what is signed is not in doubt."""
    padded = pad(one, Padding.METHOD_2)
    assert padded.rstrip(b"\x00") == one + b"\x80"
    assert (padded == pad(other, Padding.METHOD_2)) is (one == other)


@given(des_keys, st.binary(min_size=8, max_size=8))
def test_one_block_is_encrypted_under_the_whole_key(key: DesKey, block: bytes) -> None:
    """Nothing comes before the last block."""
    assert mac_algorithm_3(key, block) == key.encrypt(block)


@given(st.binary(min_size=8, max_size=8), messages)
def test_equal_halves_make_a_plain_cbc_mac(half: bytes, message: bytes) -> None:
    """E_K(D_K(E_K(x))) is E_K(x)."""
    blocks, x = pad(message, Padding.METHOD_2), bytes(8)
    for at in range(0, len(blocks), 8):
        x = ecb(half * 3, bytes(a ^ b for a, b in zip(x, blocks[at : at + 8], strict=True)))
    assert mac_algorithm_3(DesKey(half + half), blocks) == x


@given(des_keys, st.lists(atcs, max_size=5), st.binary(max_size=40), st.binary(max_size=40))
def test_cryptograms_of_many_atcs_are_the_single_ones(
    card_key: DesKey, several: list[int], before: bytes, after: bytes
) -> None:
    """However long what stands before and behind the ATC is."""
    assert cryptograms_by_atc(card_key, several, before=before, after=after) == [
        application_cryptogram(
            common_session_key(card_key, atc),
            before + atc.to_bytes(2) + after,
            Padding.METHOD_2,
        )
        for atc in several
    ]
