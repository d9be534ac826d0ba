"""Every recipe for a cryptogram that is publicly known."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.cryptogram_version import (
    MCHIP_12,
    MCHIP_13,
    VERSIONS,
    VISA_10,
    CardKeyOption,
    CryptogramVersion,
    IadLayout,
    SessionKeyMethod,
    Tail,
)
from sesame.emv.iad import decode_iad
from sesame.emv.keys import DesKey, common_session_key, odd_parity, tree_session_key
from tests.emv.strategies import atcs, des_keys
from tests.vectors.reading import says, vectors

# The vectors' own names; Interac's layout is none of ours.
NAMES = {
    "cvn-visa-10": "visa-10",
    "cvn-visa-18": "visa-18",
    "cvn-visa-22": "visa-22",
    "cvn-mc-16": "mchip-10",
    "cvn-mc-17": "mchip-11",
    "cvn-mc-20": "mchip-14",
    "cvn-mc-21": "mchip-15",
}
REST = {
    IadLayout.VISA: b"",
    IadLayout.MCHIP: bytes(10),
    IadLayout.CCD: bytes(8) + b"\x0f" + bytes(15),
}
PUBLISHED = [vector for vector in vectors("profiles", "profile") if vector["id"] in NAMES]


def iad_of(version: CryptogramVersion, tail: dict[str, str]) -> bytes:
    """An IAD that ends the message with *tail*; what the message leaves out is FF."""
    if "IAD" in tail:
        return bytes.fromhex(tail["IAD"])
    closing = bytes.fromhex(next(iter(tail.values())))
    if version.layout is IadLayout.VISA:
        return bytes([0x06, 0xFF, version.cvn]) + closing
    cvr, counters = closing[:6], closing[6:] or b"\xff" * 8
    return bytes([0xFF, version.cvn]) + cvr + b"\xff\xff" + counters


@pytest.mark.parametrize("vector", PUBLISHED, ids=says)
def test_what_a_payment_hsm_computes(vector: dict[str, Any]) -> None:
    """From the issuer's key to the cryptogram."""
    version = VERSIONS[NAMES[vector["id"]]]
    assert version.cvn == int(vector["cvn"], 16)
    card_key = version.card_key(DesKey(bytes.fromhex(vector["imk"])), vector["pan"], vector["psn"])
    assert card_key.value == bytes.fromhex(vector["card_key"])
    tags = {tag: bytes.fromhex(value) for tag, value in vector["tags"].items()}
    atc, un = int.from_bytes(tags["9F36"]), tags["9F37"]
    assert version.session_key(card_key, atc, un).value == bytes.fromhex(vector["sk"])
    iad = iad_of(version, vector["tail"])
    message = bytes.fromhex(vector["message"])
    assert message.endswith(tags["9F36"] + version.closing(iad))
    before = message[: -len(version.closing(iad)) - 2]
    assert version.padding is Padding(vector["padding"])
    (ac,) = version.cryptograms(card_key, [atc], before=before, un=un, iad=iad)
    assert ac == bytes.fromhex(vector["ac"])


def test_all_published_recipes_are_there() -> None:
    """docs/reference/emv-cap.md, section 10.5: each row of its table."""
    assert len(PUBLISHED) == len(NAMES)
    assert set(VERSIONS) - set(NAMES.values()) == {"mchip-12", "mchip-13", "ccd"}
    assert [(v.cvn, v.session, v.tail) for v in (MCHIP_12, MCHIP_13)] == [
        (0x12, SessionKeyMethod.TREE, Tail.CVR),
        (0x13, SessionKeyMethod.TREE, Tail.CVR_AND_COUNTERS),
    ]
    ccd = VERSIONS["ccd"]
    assert (ccd.cvn, ccd.option, ccd.session, ccd.tail) == (
        0xA5,
        CardKeyOption.B,
        SessionKeyMethod.COMMON,
        Tail.IAD,
    )


@given(
    imk=des_keys,
    number=st.integers(10**7, 10**19 - 1),
    version=st.sampled_from([*VERSIONS.values()]),
)
def test_a_card_key_is_its_diversifier_enciphered(
    imk: DesKey, number: int, version: CryptogramVersion
) -> None:
    """In one step of sixteen bytes: so an HSM can make it without giving it away."""
    diversifier = version.card_diversifier(str(number), "01")
    assert len(diversifier) == 16
    card_key = version.card_key(imk, str(number), "01")
    assert card_key.value == odd_parity(imk.encrypt(diversifier))


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@given(des_keys, st.lists(atcs, max_size=4), st.binary(min_size=4, max_size=4))
def test_several_cryptograms_are_single_ones(
    version: CryptogramVersion, card_key: DesKey, numbers: list[int], un: bytes
) -> None:
    """In their order, each under its own session key."""
    layout = version.layout
    iad = layout.encode(0x11, version.cvn, 0, REST[layout])
    made = version.cryptograms(card_key, numbers, before=b"\x01" * 31, un=un, iad=iad)
    assert made == [
        application_cryptogram(
            version.session_key(card_key, atc, un),
            b"\x01" * 31 + atc.to_bytes(2) + version.closing(iad),
            version.padding,
        )
        for atc in numbers
    ]


@given(des_keys, atcs, st.binary(min_size=4, max_size=4))
def test_where_the_session_key_comes_from(card_key: DesKey, atc: int, un: bytes) -> None:
    """Nowhere, from the ATC, from the tree."""
    assert VISA_10.session_key(card_key, atc, un) == card_key
    assert MCHIP_12.session_key(card_key, atc, un) == tree_session_key(card_key, atc, MCHIP_12.tree)
    common = VERSIONS["mchip-14"].session_key(card_key, atc, un)
    assert common == common_session_key(card_key, atc)


@pytest.mark.parametrize("layout", IadLayout)
def test_a_layout_writes_what_can_be_read(layout: IadLayout) -> None:
    """DKI, CVN and CVR stand where `decode_iad` looks for them."""
    cvn = {IadLayout.VISA: 0x0A, IadLayout.MCHIP: 0x10, IadLayout.CCD: 0xA5}[layout]
    cvr = layout.cvr(0xA1 << 8 * (layout.cvr_length - 1) | 0x10)
    iad = layout.encode(0x33, cvn, cvr, REST[layout])
    read = decode_iad(iad)
    assert (read.dki, read.cvn, read.cvr) == (0x33, cvn, cvr)
    assert type(read.cvr) is layout.cvr
