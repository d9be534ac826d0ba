"""Issuer scripts and PIN changes, by the vectors and by what must hold for all of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import WrongLength
from sesame.emv.keys import (
    DesKey,
    card_key_a,
    card_key_b,
    key_check_value,
    session_key,
    visa_script_key,
    xor,
)
from sesame.emv.pin import Pin, pin_block
from sesame.emv.scripts import (
    encipher_ccd,
    encipher_mchip,
    encipher_visa,
    script_mac,
    visa_pin_block,
)
from tests.emv.strategies import bytes_of_8, des_keys, pins
from tests.vectors.reading import says, vectors

OPTIONS = {"A": card_key_a, "B": card_key_b}
ENCIPHER = {"ccd": encipher_ccd, "mchip": encipher_mchip, "visa": encipher_visa}


def card_key(vector: dict[str, Any], name: str) -> DesKey:
    """The card's key that comes of the issuer's key *name*."""
    derive = OPTIONS[vector["option"]]
    return derive(DesKey(bytes.fromhex(vector[name])), vector["pan"], vector["psn"])


def script_key(vector: dict[str, Any], name: str) -> DesKey:
    """The session key for scripts that comes of the issuer's key *name*."""
    key = card_key(vector, name)
    if "r" in vector:
        return session_key(key, bytes.fromhex(vector["r"]))
    return visa_script_key(key, int(vector["atc"], 16))


@pytest.mark.parametrize("vector", vectors("scripts", "mac"), ids=says)
def test_script_macs(vector: dict[str, Any]) -> None:
    """From the issuer's key on."""
    sk = script_key(vector, "imk_smi")
    assert card_key(vector, "imk_smi").value == bytes.fromhex(vector["card_key_smi"])
    assert sk.value == bytes.fromhex(vector["sk_smi"])
    assert script_mac(sk, bytes.fromhex(vector["header"])) == bytes.fromhex(vector["mac"])


@pytest.mark.parametrize("vector", vectors("profiles", "profile"), ids=says)
def test_script_macs_of_profiles(vector: dict[str, Any]) -> None:
    """Most bind the script to the transaction that it answers."""
    script, atc = vector["script"], vector["tags"]["9F36"]
    diversifier = {"visa-scripts": {"atc": atc}, "arqc": {"r": vector["ac"]}}[script["session"]]
    sk = script_key(vector | diversifier, "imk_smi")
    assert sk.value == bytes.fromhex(script["sk"])
    assert key_check_value(sk)[:2] == bytes.fromhex(script["kcv"])
    bound_to = bytes.fromhex(atc + vector["ac"]) if script["bound"] else b""
    header = bytes.fromhex(script["header"])
    assert header + bound_to == bytes.fromhex(script["message"])
    assert script_mac(sk, header, bound_to=bound_to) == bytes.fromhex(script["mac"])


@pytest.mark.parametrize("vector", vectors("scripts", "pin_change"), ids=says)
def test_pin_changes(vector: dict[str, Any]) -> None:
    """The block, enciphered, and the MAC over it."""
    sk_smc, sk_smi = script_key(vector, "imk_smc"), script_key(vector, "imk_smi")
    assert sk_smc.value == bytes.fromhex(vector["sk_smc"])
    assert sk_smi.value == bytes.fromhex(vector["sk_smi"])
    new = Pin(vector["pin"])
    if vector["scheme"] == "visa":
        current = Pin(vector["current_pin"]) if "current_pin" in vector else None
        block = visa_pin_block(card_key(vector, "imk"), new, current)
    else:
        block = pin_block(new)
    assert block == bytes.fromhex(vector["pin_block"])
    enciphered = ENCIPHER[vector["scheme"]](sk_smc, block)
    assert enciphered == bytes.fromhex(vector["enciphered"])
    header = bytes.fromhex(vector["header"])
    assert script_mac(sk_smi, header, enciphered) == bytes.fromhex(vector["mac"])


@given(des_keys, st.binary(max_size=40))
def test_what_each_scheme_pads(key: DesKey, data: bytes) -> None:
    """M/Chip what is not whole blocks, CCD always, Visa behind a byte of length."""
    whole = -len(data) // 8 * -8
    assert len(encipher_mchip(key, data)) == whole
    assert len(encipher_ccd(key, data)) == (len(data) // 8 + 1) * 8
    assert len(encipher_visa(key, data)) == ((len(data) + 1) // 8 + 1) * 8
    if len(data) % 8:
        assert encipher_mchip(key, data) == encipher_ccd(key, data)


@given(des_keys, pins, pins)
def test_the_current_pin_is_mixed_into_visas_block(key: DesKey, new: Pin, current: Pin) -> None:
    """From its first byte on, which is where the new one has its length."""
    without, mixed = visa_pin_block(key, new), visa_pin_block(key, new, current)
    assert without[0] == len(new.digits)
    assert xor(without, mixed).hex() == current.digits.ljust(16, "0")


@given(des_keys, st.binary(min_size=5, max_size=5), st.binary(max_size=40), bytes_of_8)
def test_a_script_belongs_to_its_transaction(
    key: DesKey, header: bytes, data: bytes, arqc: bytes
) -> None:
    """ATC and ARQC enter the MAC behind the header and are not sent."""
    bound_to = b"\x00\x1c" + arqc
    assert script_mac(key, header, data, bound_to=bound_to) == script_mac(
        key, header, bound_to + data
    )


@pytest.mark.parametrize(
    ("header", "bound_to", "message"),
    [(4, 0, "command header of 4 bytes: it has 5"), (5, 8, "ATC and ARQC of 8 bytes")],
)
def test_lengths(header: int, bound_to: int, message: str) -> None:
    """They stand one behind the other, so that one's surplus would be the next one's."""
    with pytest.raises(WrongLength, match=message):
        script_mac(DesKey(bytes(16)), bytes(header), bound_to=bytes(bound_to))


def test_a_length_is_one_byte() -> None:
    """Visa's data begin with it."""
    assert len(encipher_visa(DesKey(bytes(16)), bytes(255))) == 264
    with pytest.raises(WrongLength, match="script data of 256 bytes: it has 0 to 255"):
        encipher_visa(DesKey(bytes(16)), bytes(256))
