"""Keys and their derivation, by the vectors and by what must hold for all keys."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedKey, MalformedTree, WrongLength
from sesame.emv.keys import (
    TREE_B2_H16,
    TREE_B4_H8,
    DesKey,
    Tree,
    card_key_a,
    card_key_b,
    cbc,
    cbc_last_block,
    common_session_key,
    common_session_keys,
    common_session_values,
    ecb,
    key_check_value,
    mastercard_session_key,
    odd_parity,
    session_key,
    tree_session_key,
    visa_script_key,
    xor,
)
from tests.emv.strategies import atcs, bytes_of_8, des_keys, digits
from tests.vectors.reading import says, vectors

OPTIONS = {"A": card_key_a, "B": card_key_b}
CHAINS = vectors("cryptogram", "chain")
PROFILES = vectors("profiles", "profile")
TO_CODES = vectors("end_to_end", "end_to_end")
ALLOWED_TREES = st.builds(
    lambda tree, iv: Tree(tree.branch, tree.height, iv),
    st.sampled_from([TREE_B2_H16, TREE_B4_H8]),
    st.binary(min_size=16, max_size=16),
)


def key(vector: dict[str, Any], name: str) -> DesKey:
    """A key of a vector."""
    return DesKey(bytes.fromhex(vector[name]))


def tree(vector: dict[str, Any]) -> Tree:
    """The tree of a vector."""
    return Tree(vector["branch"], vector["height"], bytes.fromhex(vector["iv"]))


# How a vector's session key is derived of its card's key, its ATC and its UN.
METHODS: dict[str, Callable[[dict[str, Any], DesKey, int, bytes], DesKey]] = {
    "none": lambda _v, card_key, _atc, _un: card_key,
    "common": lambda _v, card_key, atc, _un: common_session_key(card_key, atc),
    "mastercard": lambda _v, card_key, atc, un: mastercard_session_key(card_key, atc, un),
    "tree": lambda v, card_key, atc, _un: tree_session_key(card_key, atc, tree(v)),
    "visa-scripts": lambda _v, card_key, atc, _un: visa_script_key(card_key, atc),
}


@pytest.mark.parametrize("vector", vectors("des", "ecb"), ids=says)
def test_single_des_is_triple_des_with_equal_keys(vector: dict[str, str]) -> None:
    """Each block by itself; the last block of CBC with one block is the same."""
    single = bytes.fromhex(vector["key"]) * 3
    plain, cipher = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["cipher"])
    assert ecb(single, plain) == cipher
    assert cbc_last_block(single, plain[:8]) == cipher[:8]


@pytest.mark.parametrize(
    "vector", vectors("keys", "card_key") + CHAINS + PROFILES + TO_CODES, ids=says
)
def test_card_keys(vector: dict[str, str]) -> None:
    """Options A and B, and the check value where the source gives it."""
    derive = OPTIONS[vector["option"]]
    card_key = derive(key(vector, "imk"), vector["pan"], vector["psn"])
    assert card_key == key(vector, "card_key")
    kcv = vector.get("kcv", vector.get("card_kcv"))
    assert kcv is None or key_check_value(card_key) == bytes.fromhex(kcv)


@pytest.mark.parametrize("vector", vectors("keys", "session_key"), ids=says)
def test_session_keys(vector: dict[str, Any]) -> None:
    """The common one, those of the tree, and that of Visa's scripts."""
    derive = METHODS[vector["method"]]
    atc = int(vector["atc"], 16)
    assert derive(vector, key(vector, "card_key"), atc, b"") == key(vector, "sk")


@pytest.mark.parametrize("vector", vectors("otp", "otp"), ids=says)
def test_trees_of_any_shape(vector: dict[str, Any]) -> None:
    """A calculator walks down trees that EMV2000 does not have."""
    sk = tree_session_key(key(vector, "card_key"), int(vector["atc"], 16), tree(vector))
    assert sk == key(vector, "sk")


@pytest.mark.parametrize("vector", PROFILES + TO_CODES, ids=says)
def test_session_keys_of_profiles(vector: dict[str, Any]) -> None:
    """None, the common one, M/Chip's and the tree, as the profile has it."""
    transaction = vector.get("tags", {"9F36": vector.get("atc"), "9F37": vector.get("un")})
    atc, un = int(transaction["9F36"], 16), bytes.fromhex(transaction["9F37"])
    sk = METHODS[vector["session"]](vector, key(vector, "card_key"), atc, un)
    assert sk == key(vector, "sk")
    assert "sk_kcv" not in vector or key_check_value(sk) == bytes.fromhex(vector["sk_kcv"])


@pytest.mark.parametrize("vector", [v for v in CHAINS if "r" in v], ids=says)
def test_session_keys_of_any_diversifier(vector: dict[str, str]) -> None:
    """Its third byte is overwritten; an ATC with zeros or a UN makes a card's session keys."""
    r = bytes.fromhex(vector["r"])
    sk = session_key(key(vector, "card_key"), r)
    assert sk == key(vector, "sk")
    if "sk_kcv" in vector:
        assert key_check_value(sk) == bytes.fromhex(vector["sk_kcv"])
    if "csk" in vector:
        assert common_session_key(key(vector, "card_key"), int.from_bytes(r[:2])) == sk
    if "un" in vector:
        un, atc = bytes.fromhex(vector["un"]), int(vector["atc"], 16)
        assert mastercard_session_key(key(vector, "card_key"), atc, un) == sk


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


@given(des_keys, atcs)
def test_without_a_un_the_key_is_the_common_one(card_key: DesKey, atc: int) -> None:
    """R is the ATC and zeros then."""
    assert mastercard_session_key(card_key, atc, bytes(4)) == common_session_key(card_key, atc)


@pytest.mark.parametrize("length", [0, 3, 5, 8])
def test_a_un_has_four_bytes(length: int) -> None:
    """Five would make a key that no card has."""
    with pytest.raises(WrongLength, match=f"UN of {length} bytes: it has 4"):
        mastercard_session_key(DesKey(bytes(16)), 1, bytes(length))


@pytest.mark.parametrize("length", [1, 7, 9])
def test_a_key_encrypts_whole_blocks(length: int) -> None:
    """What is left of a block would stay in the cipher, and begin the next answer."""
    key = DesKey(bytes(16))
    with pytest.raises(WrongLength, match=f"of {length} bytes: it has a multiple of 8"):
        key.encrypt(bytes(length))
    assert key.encrypt(bytes(8)) == DesKey(bytes(16)).encrypt(bytes(8))


@given(des_keys, st.integers(0, 0xFFFE), ALLOWED_TREES)
def test_neighbours_in_a_tree_have_keys_of_their_own(
    card_key: DesKey, atc: int, shape: Tree
) -> None:
    """Whether they hang from one key or not."""
    assert tree_session_key(card_key, atc, shape) != tree_session_key(card_key, atc + 1, shape)


@given(des_keys, st.integers(0, 0xFFFF), st.integers(2, 5), st.integers(1, 6))
def test_a_small_tree_gives_two_atcs_one_key(
    card_key: DesKey, atc: int, branch: int, height: int
) -> None:
    """Which is why EMV2000 has none: the highest digits of the ATC do not enter."""
    shape = Tree(branch, height)
    low = atc % branch**height
    assert tree_session_key(card_key, atc, shape) == tree_session_key(card_key, low, shape)


def test_two_shapes_are_allowed() -> None:
    """Of any IV."""
    assert all(shape.allowed for shape in (TREE_B2_H16, TREE_B4_H8, Tree(4, 8, b"\xf0" * 16)))
    assert not any(shape.allowed for shape in (Tree(2, 6), Tree(6, 10), Tree(16, 2), Tree(8, 4)))


@pytest.mark.parametrize(
    ("branch", "height", "iv", "message"),
    [
        (1, 16, 16, "1 branches and 16 levels"),
        (257, 2, 16, "257 branches and 2 levels"),
        (2, 0, 16, "2 branches and 0 levels"),
        (2, 16, 8, "has 16 bytes, these are 8"),
    ],
)
def test_a_tree_that_cannot_be(branch: int, height: int, iv: int, message: str) -> None:
    """Too few branches or levels, more branches than a byte counts, another IV."""
    with pytest.raises(MalformedTree, match=message):
        Tree(branch, height, bytes(iv))


@given(des_keys, atcs)
def test_visas_script_key_differs_in_four_bytes(card_key: DesKey, atc: int) -> None:
    """The ATC in the last two of KL, its inverse in those of KR; parity aside."""
    sk = visa_script_key(card_key, atc)
    mixed = xor(odd_parity(card_key.value), sk.value)
    number = int.from_bytes(mixed) & ~int.from_bytes(b"\x01" * 16)
    inverse = atc ^ 0xFFFF
    assert number == ((atc & 0xFEFE) << 64 | inverse & 0xFEFE)


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
    assert cbc_last_block(des_key, b"".join(blocks)) == cbc(des_key, b"".join(blocks))[-8:] == x


@pytest.mark.parametrize("length", [0, 8, 15, 17, 24])
def test_a_key_has_sixteen_bytes(length: int) -> None:
    """Neither single nor triple length; the message gives none of them away."""
    with pytest.raises(MalformedKey, match=f"has 16 bytes, these are {length}"):
        DesKey(bytes(length))
