"""The library pyemv answers cryptograms and writes scripts as we do."""

import pyemv.ac
import pyemv.sm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.arpc import arpc_method_1, arpc_method_2
from sesame.emv.keys import DesKey
from sesame.emv.pin import Pin, pin_block
from sesame.emv.scripts import (
    encipher_ccd,
    encipher_mchip,
    encipher_visa,
    script_mac,
    visa_pin_block,
)
from tests.emv.strategies import bytes_of_8, des_keys, pins

# pyemv hands the library keys of 8 and 16 bytes, which we do not.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@given(
    des_keys,
    bytes_of_8,
    st.binary(min_size=2, max_size=2),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=8),
)
def test_arpcs_agree(sk: DesKey, arqc: bytes, arc: bytes, csu: bytes, proprietary: bytes) -> None:
    """Methods 1 and 2, with and without proprietary data."""
    assert arpc_method_1(sk, arqc, arc) == pyemv.ac.generate_arpc_1(sk.value, arqc, arc)
    assert arpc_method_2(sk, arqc, csu, proprietary) == pyemv.ac.generate_arpc_2(
        sk.value, arqc, csu, proprietary
    )


@given(
    des_keys,
    st.binary(min_size=5, max_size=5),
    st.just(b"") | st.binary(min_size=10, max_size=10),
    st.binary(max_size=40),
)
def test_script_macs_agree(sk: DesKey, header: bytes, bound_to: bytes, data: bytes) -> None:
    """Bound to a transaction or not, with data or without."""
    theirs = pyemv.sm.generate_command_mac(sk.value, header + bound_to + data)
    assert script_mac(sk, header, data, bound_to=bound_to) == theirs


@given(des_keys, st.binary(min_size=1, max_size=60))
def test_enciphered_data_agree(sk: DesKey, data: bytes) -> None:
    """Three schemes, three ways to pad."""
    kinds = pyemv.sm.EncryptionType
    for ours, kind in (
        (encipher_ccd, kinds.EMV),
        (encipher_mchip, kinds.MASTERCARD),
        (encipher_visa, kinds.VISA),
    ):
        assert ours(sk, data) == pyemv.sm.encrypt_command_data(sk.value, data, kind)


@given(des_keys, pins, st.none() | pins)
def test_pin_blocks_agree(card_key: DesKey, new: Pin, current: Pin | None) -> None:
    """ISO format 2, and Visa's with and without the current PIN."""
    assert pin_block(new) == pyemv.sm.format_iso9564_2_pin_block(new.digits)
    theirs = pyemv.sm.format_vis_pin_block(
        card_key.value, new.digits, current.digits if current else None
    )
    assert visa_pin_block(card_key, new, current) == theirs
