"""Profiles: what is derived from one, and what none may say."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.errors import ProfileError
from sesame.cap.mode import Iaf
from sesame.cap.profile import Profile, answer
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.cap.token import BELGIAN_IPB, VISA_DEFAULT_IPB, Code
from sesame.emv.cryptogram_version import MCHIP_10, MCHIP_12, VERSIONS
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, MChipCvr, VisaIad
from sesame.emv.keys import Tree
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
    assert replace_in(SESAME_CARD, iaf=Iaf(iaf)).iaf == iaf


def replace_in(profile: Profile, **changes: object) -> Profile:
    """*profile* built again with *changes*."""
    return replace(profile, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"aid": bytes(4)}, "the AID of sesame-card-2 has 4 bytes", "personalise 84 with 5 to 16"),
        ({"aid": bytes(17)}, "has 17 bytes", "personalise 84 with 5 to 16"),
        ({"iaf": Iaf(0x01)}, "the IAF of sesame-card-2 is 01", "personalise 9F55 as one byte"),
        ({"iaf": Iaf(0x100)}, "is 100", "personalise 9F55 as one byte"),
        ({"cvr": MChipCvr(0xA50003040000)}, "is no Cvr", "lays the IAD out as VISA"),
        ({"iad_rest": bytes(26)}, "makes an IAD of 33 bytes", "personalise 9F10 as visa-18 lays"),
        (
            {"version": MCHIP_10, "cvr": MChipCvr(0xA50003040000)},
            "makes an IAD of 8 bytes",
            "personalise 9F10 as mchip-10 lays it out",
        ),
        (
            {
                "version": replace(MCHIP_12, tree=Tree(branch=2, height=6)),
                "cvr": MChipCvr(0xA50003040000),
                "iad_rest": bytes(10),
            },
            "the tree of sesame-card-2 is too small",
            "personalise branch 2 and height 16",
        ),
        ({"varying": Cvr.PIN_PERFORMED}, "PIN performed, PIN right", "so, for nothing else"),
        ({"varying": Cvr.PIN_FAILED}, "PIN performed, PIN right", "so, for nothing else"),
        (
            {"varying": Cvr.NEW_CARD | Cvr.SCRIPT_FAILED | Cvr.VELOCITY_EXCEEDED},
            "3 bits of the CVR of sesame-card-2 vary unseen",
            "shows them through the IPB; 4 variants",
        ),
        ({"varying": 1 << 24}, "that the CVR has not", "it has 3 bytes"),
        ({"version": VERSIONS["visa-22"]}, "cannot be read", "Personalise CVN 18"),
        ({"belgian": True}, "is not what the Belgian function takes", "name 0000FF"),
        ({"ipb": VISA_DEFAULT_IPB}, "selects 33 bits:", "personalise 9F56 with 16 to 26"),
        (
            {"iaf": Iaf.PSN},
            "bits of the ATC that are not its lowest",
            "personalise 9F56 with the lowest",
        ),
        (
            {"iaf": Iaf.PSN, "ipb": "00 80 001F 00000000000FFFFF"},
            "puts the PSN in front",
            "personalise 9F55 with b7 clear",
        ),
        (
            {"iaf": Iaf.AMOUNT_ONLY},
            "wants none",
            "personalise 9F55 with b6 clear, or with b8 set too",
        ),
        ({"aip": b"\x10"}, "the AIP of sesame-card-2 has 1 bytes", "personalise 82 with 2"),
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
        changes = changes | {"ipb": bytes.fromhex(changes["ipb"])}
    with pytest.raises(ProfileError, match=problem) as caught:
        replace_in(SESAME_CARD, **changes)
    assert re.search(remedy, str(caught.value))
    assert "sesame-card-2" in str(caught.value)


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


def test_a_profile_foresees_every_variant() -> None:
    """Bits that vary unseen are tried both ways, bits that the code shows as it shows them."""
    unseen = replace(SESAME_CARD, varying=Cvr.NEW_CARD | Cvr.SCRIPT_FAILED)
    cvrs = {VisaIad.decode(iad).cvr for iad in unseen.iads(1, bytes(7))}
    assert len(list(unseen.iads(1, bytes(7)))) == len(cvrs) == 4
    assert all(cvr & ~(Cvr.NEW_CARD | Cvr.SCRIPT_FAILED) == SESAME_CARD.cvr for cvr in cvrs)
    assert list(SESAME_CARD.iads(1, bytes(7))) == [SESAME_CARD.iad(1)]
    shown = PROFILES["cap-natwest"]
    for seen in (0, Cvr.LAST_ONLINE_NOT_COMPLETED):
        disclosed = bytes(4) + int(seen).to_bytes(3)
        (iad,) = shown.iads(1, disclosed)
        assert VisaIad.decode(iad).cvr == PIN_VERIFIED_ARQC | seen


def test_the_bits_of_a_code_go_back_to_their_places() -> None:
    """The PSN in front, the answer, the IAD behind it."""
    dutch = PROFILES["cap-dutch"]
    shown = dutch.selected(dutch.token(1, 0x0123, bytes(7) + b"\x09", psn="02"))
    assert (shown.psn, shown.answer[:3], shown.answer[-1]) == (b"\x02", b"\x00\x00\x03", 0x09)
    assert dutch.psn_mask == b"\x03"
    assert not any(shown.iad)
    assert len(shown.iad) == dutch.iad_length == 18
    natwest = PROFILES["cap-natwest"]
    assert natwest.selected(natwest.token(1, 1, bytes(8))).iad == bytes.fromhex("00000000008000")
    assert natwest.iad_mask == bytes.fromhex("00000000008000")
    assert SESAME_CARD.psn_mask == b""


@given(profiles, atcs, bytes_of_8)
def test_a_code_holds_the_low_bits_of_its_atc(profile: Profile, atc: int, ac: bytes) -> None:
    """Wherever in the token they stand."""
    assert profile.atc_bits_of(profile.token(1, atc, ac)) == atc & profile.window


def test_the_bits_of_a_code_do_not_print() -> None:
    """Whoever reads them can put the code together again."""
    printed = repr(SESAME_CARD.selected(SESAME_CARD.token(1, 0x1234, bytes.fromhex("AB" * 8))))
    assert "b'" not in printed
    assert "171" not in printed


def test_a_belgian_profile() -> None:
    """Its numbers fit where the function leads back to a token."""
    belgian = replace(SESAME_CARD, name="be", belgian=True, ipb=BELGIAN_IPB)
    number = belgian.token(1, 0x1234, bytes.fromhex("1234567890ABCDEF"))
    assert number == 53780079
    assert belgian.fits(number)
    assert belgian.selected(number).answer[1:3] == b"\x00\x34"
    assert belgian.atc_bits_of(number) == 0x34
    assert not belgian.fits(70_000_000)
    assert belgian.atc_bits_of(70_000_000) == 0
    assert not any(belgian.selected(70_000_000).answer)
