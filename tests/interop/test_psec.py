"""The library psec, which knows payment systems at large, computes the same primitives."""

import psec.des
import psec.mac
import psec.pinblock
import psec.tools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.cryptogram import Padding, mac_algorithm_3, pad
from sesame.emv.errors import MalformedPin
from sesame.emv.keys import DesKey, cbc, cbc_last_block, key_check_value, odd_parity, xor
from sesame.emv.pin import Pin, decode_pin_block, pin_block
from tests.emv.strategies import bytes_of_8, des_keys, pins

# psec hands the library keys of 8 and 16 bytes, which we do not.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

blocks = st.lists(bytes_of_8, min_size=1, max_size=6).map(b"".join)


@given(des_keys, blocks)
def test_block_ciphers_agree(key: DesKey, plain: bytes) -> None:
    """Triple DES in both modes, and psec deciphers what we encipher."""
    whole = key.value + key.left
    assert key.encrypt(plain) == psec.des.encrypt_tdes_ecb(key.value, plain)
    assert psec.des.decrypt_tdes_ecb(key.value, key.encrypt(plain)) == plain
    assert cbc(whole, plain) == psec.des.encrypt_tdes_cbc(key.value, bytes(8), plain)
    assert psec.des.decrypt_tdes_cbc(key.value, bytes(8), cbc(whole, plain)) == plain


@given(des_keys)
def test_check_values_and_parity_agree(key: DesKey) -> None:
    """And an adjusted key is odd by psec's count."""
    assert key_check_value(key) == psec.des.generate_kcv(key.value, 3)
    adjusted = odd_parity(key.value)
    assert adjusted == psec.des.adjust_key_parity(key.value)
    assert all(psec.tools.odd_parity(byte) == 1 for byte in adjusted)
    assert xor(key.left, key.right) == psec.tools.xor(key.left, key.right)


@given(des_keys, st.binary(max_size=100), st.sampled_from(Padding))
def test_macs_agree(key: DesKey, message: bytes, padding: Padding) -> None:
    """The retail MAC, and the plain CBC MAC that is its body."""
    padded = pad(message, padding)
    theirs = psec.mac.generate_retail_mac(key.left, key.right, message, padding.value)
    assert mac_algorithm_3(key, padded) == theirs
    single = psec.mac.generate_cbc_mac(key.left, message, padding.value)
    assert cbc_last_block(key.left * 3, padded) == single


@given(pins)
def test_pin_blocks_agree(pin: Pin) -> None:
    """ISO 9564-1 format 2."""
    block = pin_block(pin)
    assert block == psec.pinblock.encode_pinblock_iso_2(pin.digits)
    assert psec.pinblock.decode_pinblock_iso_2(block) == pin.digits


@given(
    bytes_of_8
    | st.builds(
        lambda length, digits: bytes.fromhex(f"2{length:X}{digits}".ljust(16, "F")),
        st.integers(0, 15),
        st.text("0123456789AF", max_size=14),
    )
)
def test_the_same_blocks_are_refused(block: bytes) -> None:
    """Whatever stands in them."""
    try:
        theirs = psec.pinblock.decode_pinblock_iso_2(block)
    except ValueError:
        with pytest.raises(MalformedPin):
            decode_pin_block(block)
    else:
        assert decode_pin_block(block) == Pin(theirs)
