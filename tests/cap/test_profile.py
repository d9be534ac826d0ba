"""Profiles: what is derived from one, and what none may say."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.errors import ProfileError
from sesame.cap.profile import BANK_CARD, PROFILES, SESAME_CARD, Profile, answer
from sesame.cap.token import Code
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, VisaIad
from tests.cap.strategies import make_profile, profiles
from tests.emv.strategies import atcs, bytes_of_8
from tests.vectors.reading import vectors


@pytest.mark.parametrize(
    ("profile", "atc_bits", "ac_bits", "window"),
    [(SESAME_CARD, 5, 20, 31), (BANK_CARD, 8, 17, 255)],
    ids=["Sésame card", "bank card"],
)
def test_the_cards_that_we_issue(
    profile: Profile, atc_bits: int, ac_bits: int, window: int
) -> None:
    """26 bits: a constant one, so that each code has eight digits and no leading zero."""
    assert PROFILES[profile.name] is profile
    assert (profile.bits, profile.atc_bits, profile.ac_bits) == (26, atc_bits, ac_bits)
    assert profile.window == window
    assert profile.constant == profile.constant_mask == 1 << 25
    assert [t for t in (0, 33554431, 33554432, 67108863, 67108864) if profile.fits(t)] == [
        33554432,
        67108863,
    ]
    assert profile.message(0x07, 0x1234) == bytes.fromhex(
        "000000000000 000000000000 0000 8000000000 0000 010101 00 000000001000 1234 06071203A48000"
    )


@pytest.mark.parametrize(
    "vector", vectors("code", "code"), ids=lambda v: f"{v['profile']}-{v['atc']}"
)
def test_the_codes_of_issued_cards_stay(vector: dict[str, Any]) -> None:
    """From the cryptogram to the digits; from the key on in test_verification.py."""
    profile = PROFILES[vector["profile"]]
    token = profile.token(vector["dki"], vector["atc"], bytes.fromhex(vector["ac"]))
    assert token == Code(vector["code"]).token


@given(profiles, st.integers(0, 0xFF), atcs, bytes_of_8)
def test_a_token_is_of_the_profile_that_made_it(
    profile: Profile, dki: int, atc: int, ac: bytes
) -> None:
    """It holds the constant, the ATC's low bits and as many of the AC as the profile says."""
    token = profile.token(dki, atc, ac)
    assert profile.fits(token)
    assert token >> profile.ac_bits & profile.window == atc & profile.window
    constant = token >> profile.ac_bits + profile.atc_bits
    assert constant == profile.constant >> profile.ac_bits + profile.atc_bits
    assert profile.ac_bits + profile.atc_bits + profile.constant_mask.bit_count() == profile.bits
    assert not profile.fits(token + (1 << profile.bits))
    if profile.constant_mask:
        assert not profile.fits(token ^ profile.constant_mask)


@given(profiles, st.integers(0, 0xFF), atcs)
def test_a_message_ends_with_the_whole_iad(profile: Profile, dki: int, atc: int) -> None:
    """29 bytes, AIP, ATC, IAD: CVN 18."""
    message = profile.message(dki, atc)
    assert len(message) == 40
    assert message[29:31] == profile.aip
    assert message[31:33] == atc.to_bytes(2)
    iad = VisaIad.decode(message[33:])
    assert (iad.dki, iad.cvn, iad.cvr) == (dki, 0x12, profile.cvr)


@given(atcs, bytes_of_8)
def test_an_answer_is_an_arqc(atc: int, ac: bytes) -> None:
    """CID, ATC, AC."""
    assert answer(atc, ac) == b"\x80" + atc.to_bytes(2) + ac


@pytest.mark.parametrize("iaf", [0x00, 0x80, 0xA0])
def test_recorded_flags_are_accepted(iaf: int) -> None:
    """Amount and currency belong to another mode: they change no login code."""
    assert replace_in(SESAME_CARD, iaf=iaf).iaf == iaf


def replace_in(profile: Profile, **changes: object) -> Profile:
    """*profile* built again with *changes*."""
    return replace(profile, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"aid": bytes(4)}, "the AID of sesame-card-1 has 4 bytes", "personalise 84 with 5 to 16"),
        ({"aid": bytes(17)}, "has 17 bytes", "personalise 84 with 5 to 16"),
        ({"iaf": 0x01}, "the IAF of sesame-card-1 is 01", "personalise 9F55 as one byte"),
        ({"iaf": 0x100}, "is 100", "personalise 9F55 as one byte"),
        ({"iaf": 0x40}, "puts the PSN in front", "personalise 9F55 with b7 clear"),
        ({"iaf": 0x20}, "wants none", "personalise 9F55 with b6 clear, or with b8 set too"),
        ({"aip": b"\x10"}, "the AIP of sesame-card-1 has 1 bytes", "personalise 82 with 2"),
        ({"cvn": 0x0A}, "the CVN of sesame-card-1 is 0A", "personalise 12"),
        ({"cvr": Cvr(0)}, "does not say: ARQC", "Personalise a card that says so"),
        ({"ipb": "00 001F 00000000000003FF"}, "selects 15 bits:", "personalise 9F56 with 16 to 26"),
        ({"ipb": "80 001F 00000000001FFFFF"}, "selects 27 bits:", "personalise 9F56 with 16 to 26"),
        (
            {"ipb": "80 001F 000000000007FFFF 00000000000000 80"},
            "bits past the card's 18 bytes",
            "personalise 9F56 with no bit set there",
        ),
        (
            {"ipb": "80 001F 000000000007FFFF 00000000008000"},
            "selects bits of the IAD",
            "personalise 9F56 with no bit set there, spend them on the AC",
        ),
        (
            {"ipb": "80 0000 00000000000FFFFF"},
            "selects no bit of the ATC",
            "personalise 9F56 with its lowest",
        ),
        (
            {"ipb": "80 001E 00000000000FFFFF"},
            "bits of the ATC that are not its lowest",
            "personalise 9F56 with the lowest",
        ),
        (
            {"ipb": "80 011F 000000000007FFFF"},
            "bits of the ATC that are not its lowest",
            "personalise 9F56 with the lowest",
        ),
        (
            {"ipb": "80 00FF 0000000000007FFF"},
            "selects 15 bits of the AC",
            "personalise 9F56 with 16 at least",
        ),
    ],
)
def test_a_profile_that_no_card_should_carry(
    changes: dict[str, Any], problem: str, remedy: str
) -> None:
    """The message says which card, what is wrong and what to personalise instead."""
    if isinstance(changes.get("ipb"), str):
        changes = {"ipb": bytes.fromhex(changes["ipb"])}
    with pytest.raises(ProfileError, match=problem) as caught:
        replace_in(SESAME_CARD, **changes)
    assert re.search(remedy, str(caught.value))
    assert "sesame-card-1" in str(caught.value)


@pytest.mark.parametrize(
    "bit",
    [
        Cvr.SECOND_AC_TC,
        Cvr.SECOND_AC_NOT_REQUESTED,
        Cvr.FIRST_AC_TC,
        Cvr.FIRST_AC_ARQC,
        Cvr.PIN_PERFORMED,
        Cvr.PIN_FAILED,
        Cvr.UNABLE_TO_GO_ONLINE,
        Cvr.PIN_TRY_LIMIT_EXCEEDED,
        Cvr.APPLICATION_BLOCKED_BY_PIN,
        Cvr.PIN_NOT_RECEIVED,
    ],
    ids=lambda bit: bit.name,
)
def test_nothing_but_a_right_pin_can_be_expected(bit: Cvr) -> None:
    """docs/reference/emv-cap.md, section 12.4: no such profile can be built."""
    with pytest.raises(ProfileError, match="PIN performed, PIN right"):
        make_profile(SESAME_CARD.ipb, PIN_VERIFIED_ARQC ^ bit)
