"""The library pyemv derives the same keys and makes the same cryptograms and templates."""

from typing import Any

import pyemv.ac
import pyemv.kd
import pyemv.mac
import pyemv.tlv
import pyemv.tools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.crypto import pyemv_cryptograms, sesame_cryptograms
from sesame.cap.profile import Profile
from sesame.cap.profiles import PROFILES, SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, match
from sesame.emv.cryptogram import (
    Padding,
    application_cryptogram,
    cryptograms_by_atc,
    mac_algorithm_3,
    pad,
)
from sesame.emv.keys import (
    TREE_B2_H16,
    TREE_B4_H8,
    DesKey,
    Tree,
    card_key_a,
    card_key_b,
    cbc,
    common_session_key,
    key_check_value,
    mastercard_session_key,
    odd_parity,
    session_key,
    tree_session_key,
    visa_script_key,
    xor,
)
from sesame.emv.tlv import Tlv, encode
from tests.emv.strategies import atcs, bytes_of_8, des_keys, digits, primitives
from tests.vectors.reading import says, vectors

# pyemv hands the library keys of 8 and 16 bytes, which we do not.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PADDINGS = {
    Padding.METHOD_1: pyemv.ac.PaddingType.VISA,
    Padding.METHOD_2: pyemv.ac.PaddingType.EMV,
}


@given(des_keys, digits(8, 19), digits(2, 2))
def test_card_keys_agree(imk: DesKey, pan: str, psn: str) -> None:
    """Options A and B, numbers of all lengths."""
    assert card_key_a(imk, pan, psn).value == pyemv.kd.derive_icc_mk_a(imk.value, pan, psn)
    assert card_key_b(imk, pan, psn).value == pyemv.kd.derive_icc_mk_b(imk.value, pan, psn)


@given(des_keys, atcs, bytes_of_8)
def test_session_keys_agree(card_key: DesKey, atc: int, r: bytes) -> None:
    """The common session key, and one of any diversifier."""
    by_atc = pyemv.kd.derive_common_sk(card_key.value, atc.to_bytes(2) + bytes(6))
    assert common_session_key(card_key, atc).value == by_atc
    assert session_key(card_key, r).value == pyemv.kd.derive_common_sk(card_key.value, r)


@given(des_keys, atcs, st.binary(min_size=4, max_size=4))
def test_session_keys_of_schemes_agree(card_key: DesKey, atc: int, un: bytes) -> None:
    """M/Chip's, of ATC and UN, and Visa's for scripts."""
    number = atc.to_bytes(2)
    mchip = pyemv.kd.derive_common_sk(card_key.value, number + bytes(2) + un)
    assert mastercard_session_key(card_key, atc, un).value == mchip
    assert visa_script_key(card_key, atc).value == pyemv.kd.derive_visa_sm_sk(
        card_key.value, number
    )


@given(
    des_keys,
    atcs,
    st.sampled_from([TREE_B2_H16, TREE_B4_H8, Tree(6, 10), Tree(3, 11)]),
    st.binary(min_size=16, max_size=16),
)
def test_keys_of_trees_agree(card_key: DesKey, atc: int, shape: Tree, iv: bytes) -> None:
    """The two of EMV2000 and others that are large enough for pyemv, of any IV."""
    ours = tree_session_key(card_key, atc, Tree(shape.branch, shape.height, iv))
    assert ours.value == pyemv.kd.derive_emv2000_tree_sk(
        card_key.value, atc.to_bytes(2), shape.height, shape.branch, iv
    )


@given(des_keys, st.binary(max_size=10).map(lambda b: b * 8), bytes_of_8)
def test_chained_blocks_agree(key: DesKey, blocks: bytes, block: bytes) -> None:
    """Triple DES in CBC, and the exclusive or."""
    theirs = pyemv.tools.encrypt_tdes_cbc(key.value, bytes(8), blocks)
    assert cbc(key.value + key.left, blocks) == theirs
    assert xor(block, key.left) == pyemv.tools.xor(block, key.left)


@given(des_keys, st.binary(max_size=100), st.sampled_from(Padding))
def test_cryptograms_agree(sk: DesKey, message: bytes, padding: Padding) -> None:
    """Messages of all lengths, both paddings; the MAC itself and the cryptogram."""
    theirs = pyemv.mac.mac_iso9797_3(sk.left, sk.right, message, padding.value)
    assert mac_algorithm_3(sk, pad(message, padding)) == theirs
    ac = pyemv.ac.generate_ac(sk.value, message, PADDINGS[padding])
    assert application_cryptogram(sk, message, padding) == ac


@given(des_keys, st.lists(atcs, min_size=1, max_size=4), st.integers(0, 0xFF))
def test_the_cryptograms_of_a_code_agree(card_key: DesKey, several: list[int], dki: int) -> None:
    """What `match` computes for all candidates at once."""
    ours = cryptograms_by_atc(
        card_key, several, before=SESAME_CARD.message_head, after=SESAME_CARD.iad(dki)
    )
    assert ours == [
        pyemv.ac.generate_ac(
            pyemv.kd.derive_common_sk(card_key.value, atc.to_bytes(2) + bytes(6)),
            SESAME_CARD.message(dki, atc),
            pyemv.ac.PaddingType.EMV,
        )
        for atc in several
    ]


@given(des_keys)
def test_check_values_and_parity_agree(key: DesKey) -> None:
    """The first 3 bytes of eight zeros encrypted."""
    assert key_check_value(key) == pyemv.tools.key_check_digits(key.value, 3)
    assert odd_parity(key.value) == pyemv.tools.adjust_key_parity(key.value)


@given(st.lists(primitives, max_size=6, unique_by=lambda o: o.tag))
def test_templates_agree(objects: list[Tlv]) -> None:
    """What we write pyemv reads, and writes alike."""
    raw = encode([Tlv(0x70, encode(objects))])
    tree = {"70": {f"{o.tag:X}".zfill(2): o.value for o in objects}}
    assert pyemv.tlv.decode(raw) == tree
    assert pyemv.tlv.encode(tree) == raw


@pytest.mark.parametrize(
    "vector", vectors("code", "code"), ids=lambda v: f"{v['profile']}-{v['atc']}"
)
def test_the_codes_of_issued_cards(vector: dict[str, Any]) -> None:
    """tests/vectors/code.toml made again, the bits picked one by one."""
    card_key, atc = _card_key(vector), vector["atc"]
    terminal = "0000000000000000000000000000800000000000000101010000000000"
    ac = _cryptogram(card_key, vector["dki"], atc, terminal)
    assert ac == bytes.fromhex(vector["ac"])
    assert _shown(PROFILES[vector["profile"]], atc, ac) == vector["code"]
    card = KeyedCard(PROFILES[vector["profile"]], vector["dki"], vector["psn"], DesKey(card_key))
    assert match(card, [atc], Code(vector["code"])) == [True]


@pytest.mark.parametrize("vector", vectors("code", "typed"), ids=says)
def test_the_codes_of_what_was_typed(vector: dict[str, Any]) -> None:
    """The same for those behind a challenge, an amount or fields, and the login's after each."""
    profile, card_key, atc = PROFILES[vector["profile"]], _card_key(vector), vector["atc"]
    ac = _cryptogram(card_key, vector["dki"], atc, vector["terminal"])
    assert ac == bytes.fromhex(vector["ac"])
    if "fields" in vector:
        # The cryptogram is a DES key, thrice, of a CBC whose last block counts.
        nibbles = "F".join(vector["fields"])
        whole = bytes.fromhex(nibbles + "F" * (len(nibbles) % 2)) + b"\x80"
        padded = whole + bytes(-len(whole) % 8)
        ac = pyemv.tools.encrypt_tdes_cbc(ac * 2, bytes(8), padded)[-8:]
        assert ac == bytes.fromhex(vector["mixed_ac"])
    assert _shown(profile, atc, ac) == vector["code"]
    login = "0000000000000000000000000000800000000000000101010000000000"
    following = _cryptogram(card_key, vector["dki"], atc + 1, login)
    assert _shown(profile, atc + 1, following) == vector["next"]


def _card_key(vector: dict[str, Any]) -> bytes:
    return pyemv.kd.derive_icc_mk_b(bytes.fromhex(vector["imk"]), vector["pan"], vector["psn"])


def _cryptogram(card_key: bytes, dki: int, atc: int, terminal: str) -> bytes:
    """Of *terminal*, the values of the CDOL1, and the data of our own cards."""
    sk = pyemv.kd.derive_common_sk(card_key, atc.to_bytes(2) + bytes(6))
    own = f"1000{atc:04X}06{dki:02X}1203A48000"
    return pyemv.ac.generate_ac(sk, bytes.fromhex(terminal + own), pyemv.ac.PaddingType.EMV)


def _shown(profile: Profile, atc: int, ac: bytes) -> str:
    answer = "".join(f"{byte:08b}" for byte in b"\x80" + atc.to_bytes(2) + ac)
    ipb = "".join(f"{byte:08b}" for byte in profile.ipb)
    selected = "".join(bit for bit, wanted in zip(answer, ipb, strict=True) if wanted == "1")
    return f"{int(selected, 2):08d}"


@pytest.mark.parametrize("count", [1, 4])
def test_the_benchmark_compares_the_same_work(count: int) -> None:
    """Both sides end with the same cryptograms."""
    assert sesame_cryptograms(count) == pyemv_cryptograms(count)
