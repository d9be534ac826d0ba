"""From a key to the digits and back, for every card layout and every mode."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sesame.cap.mode import LOGIN, Iaf, Inputs, Mode
from sesame.cap.profile import Profile
from sesame.cap.profiles import PROFILES, SESAME_CARD
from sesame.cap.tds import mix
from sesame.cap.terminal_data import ALL_AIDS
from sesame.cap.token import BELGIAN_IPB, Code, compress
from sesame.cap.verification import KeyedCard, candidates, first_candidate, match
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.cryptogram_version import VERSIONS, VISA_22, CryptogramVersion, IadLayout
from sesame.emv.iad import PIN_VERIFIED_ARQC, CcdCvr, Cvr, MChipCvr
from sesame.emv.keys import DesKey, Tree, tree_session_key
from tests.custody.codes import make_code
from tests.emv.strategies import des_keys
from tests.vectors.reading import vectors

CARD_KEY = DesKey(bytes.fromhex("8A6DCE9DC429B00BCDEF8A29DF7FE346"))
DKI = 7
PSN = "02"

PIN_GOOD: dict[IadLayout, Cvr | MChipCvr | CcdCvr] = {
    IadLayout.VISA: PIN_VERIFIED_ARQC,
    IadLayout.MCHIP: MChipCvr(0xA50003040000),
    IadLayout.CCD: CcdCvr(0xA038000000),
}
REST = {
    IadLayout.VISA: b"",
    IadLayout.MCHIP: bytes(10),
    IadLayout.CCD: bytes(8) + b"\x0f" + bytes(15),
}


def of_version(version: CryptogramVersion) -> Profile:
    """A Sésame card whose cryptograms follow *version*."""
    layout = version.layout
    return replace(
        SESAME_CARD,
        name=version.name,
        version=version,
        cvr=PIN_GOOD[layout],
        iad_rest=REST[layout],
    )


LAYOUTS = (
    *PROFILES.values(),
    *(of_version(version) for version in VERSIONS.values() if version is not VISA_22),
    replace(SESAME_CARD, name="belgian", belgian=True, ipb=BELGIAN_IPB),
)

challenges = st.from_regex(r"[0-9]{0,8}", fullmatch=True)
fields = st.lists(st.from_regex(r"[0-9]{1,10}", fullmatch=True), min_size=1, max_size=10)
inputs_of_any_mode = st.one_of(
    st.just(LOGIN),
    st.builds(Inputs, mode=st.just(Mode.M3), challenge=challenges),
    st.builds(
        Inputs,
        mode=st.just(Mode.M1),
        challenge=challenges,
        amount=st.integers(0, 10**12 - 1),
        currency=st.sampled_from(["", "978", "826"]),
    ),
    st.builds(Inputs, mode=st.just(Mode.TDS), fields=fields.map(tuple)),
)


def meaning(inputs: Inputs) -> tuple[object, ...]:
    """What a person means by *inputs*: zeros in front of a challenge are nothing."""
    return (inputs.mode, inputs.un, inputs.amount, int(inputs.currency or 0), inputs.fields)


@pytest.mark.parametrize("profile", LAYOUTS, ids=lambda p: p.name)
@given(inputs_of_any_mode, des_keys, st.integers(1, 0xFFFF), st.integers(0, 254))
@settings(max_examples=15)
def test_a_code_of_every_mode_verifies(
    profile: Profile, inputs: Inputs, card_key: DesKey, atc: int, behind: int
) -> None:
    """For what was typed, at its own ATC, seen from any last ATC of the window.

    Not where the card cannot tell it from another mode: there nothing verifies.
    """
    card = KeyedCard(profile, DKI, PSN, card_key)
    code = make_code(card_key, profile, atc=atc, dki=DKI, psn=PSN, inputs=inputs)
    assert match(card, [atc], code, inputs) == [profile.binds(inputs)]
    last = max(0, atc - 1 - behind % profile.window)
    assert candidates(profile, last, code).near == atc


@pytest.mark.parametrize("profile", LAYOUTS, ids=lambda p: p.name)
@given(inputs_of_any_mode, inputs_of_any_mode)
@settings(max_examples=15)
def test_no_other_inputs_verify(profile: Profile, typed: Inputs, expected: Inputs) -> None:
    """Another mode, challenge, amount, currency, or other fields in any order.

    Whatever was typed, also where the card sees none of it. Two whole cryptograms that differ
    share the bits of a code with 2⁻¹⁶ at worst: those are left out.
    """
    assume(meaning(typed) != meaning(expected))
    card = KeyedCard(profile, DKI, PSN, CARD_KEY)
    acs = [make_whole_cryptogram(profile, inputs, atc=33) for inputs in (typed, expected)]
    code = make_code(CARD_KEY, profile, atc=33, dki=DKI, psn=PSN, inputs=typed)
    if acs[0] != acs[1] and agree_by_chance(profile, *acs):
        return
    if can_be_meant(profile, typed):
        assert match(card, [33], code, expected) == [False]


def can_be_meant(profile: Profile, typed: Inputs) -> bool:
    """Whether our reader makes a code of *typed*: it drops nothing that the card does not take.

    Else the code is rightly that of what is left: a login's, or a response's.
    """
    return profile.binds(typed)


@pytest.mark.parametrize("profile", LAYOUTS, ids=lambda p: p.name)
@given(inputs_of_any_mode)
@settings(max_examples=15)
def test_a_login_code_signs_nothing(profile: Profile, expected: Inputs) -> None:
    """Nor does it answer anything; and no signature or response is a login."""
    assume(expected.mode is not Mode.M2)
    card = KeyedCard(profile, DKI, PSN, CARD_KEY)
    acs = [make_whole_cryptogram(profile, inputs, atc=33) for inputs in (LOGIN, expected)]
    if acs[0] != acs[1] and agree_by_chance(profile, *acs):
        return
    login = make_code(CARD_KEY, profile, atc=33, dki=DKI, psn=PSN)
    assert match(card, [33], login, expected) == [False]
    if profile.binds(expected):
        other = make_code(CARD_KEY, profile, atc=33, dki=DKI, psn=PSN, inputs=expected)
        assert match(card, [33], other) == [False]


def make_whole_cryptogram(profile: Profile, inputs: Inputs, *, atc: int) -> bytes:
    """All 64 bits, of which a code holds 16 or more."""
    version = profile.version
    message = profile.message(DKI, atc, inputs)
    sk = version.session_key(CARD_KEY, atc, inputs.un)
    ac = application_cryptogram(sk, message, version.padding)
    return mix(ac, inputs.fields) if inputs.fields else ac


def agree_by_chance(profile: Profile, one: bytes, other: bytes) -> bool:
    """Whether two different cryptograms share all the bits that a code holds."""
    mask = (profile.answer_mask & (1 << 64) - 1).to_bytes(8)
    return compress(one, mask) == compress(other, mask)


@given(fields, st.randoms(use_true_random=False))
def test_the_order_of_fields_counts(typed: list[str], chance: random.Random) -> None:
    """Amount and payee exchanged are another signature."""
    other = list(typed)
    chance.shuffle(other)
    assume(other != typed)
    assert mix(bytes(range(8)), typed) != mix(bytes(range(8)), other)


@pytest.mark.parametrize("profile", LAYOUTS, ids=lambda p: p.name)
@pytest.mark.parametrize("psn", ["00", "01", "03", "12"])
def test_the_psn_counts_where_it_is_shown(profile: Profile, psn: str) -> None:
    """The bits that the bitmap takes of it, and nothing where the IAF does not ask for it."""
    code = make_code(CARD_KEY, profile, atc=5, dki=DKI, psn=psn)
    card = KeyedCard(profile, DKI, PSN, CARD_KEY)
    shown = bool(profile.iaf & Iaf.PSN)
    same = (int(psn, 16) ^ int(PSN, 16)) & 3 == 0
    assert match(card, [5], code) == [same or not shown]


@pytest.mark.parametrize("profile", LAYOUTS, ids=lambda p: p.name)
def test_every_bit_of_the_cvr_counts(profile: Profile) -> None:
    """But for those that vary: no other PIN result, and no other kind of cryptogram, verifies.

    Fixed keys: by chance one of some 400 comparisons succeeds with 2⁻¹⁶, and then always.
    """
    card = KeyedCard(profile, DKI, PSN, CARD_KEY)
    for bit in range(8 * profile.version.layout.cvr_length):
        cvr = profile.cvr ^ 1 << bit
        code = make_code(CARD_KEY, profile, atc=9, dki=DKI, psn=PSN, cvr=cvr)
        assert match(card, [9], code) == [bool(profile.varying & 1 << bit)], hex(cvr)


# ── Vectors ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vector", vectors("atc", "atc"), ids=lambda v: v["id"])
def test_the_first_candidate(vector: dict[str, Any]) -> None:
    """Whatever the number of low bits; without any it is the next ATC."""
    assert first_candidate(vector["last"], vector["low_bits"], vector["low"]) == vector["first"]


@pytest.mark.parametrize("vector", vectors("otp", "otp"), ids=lambda v: v["id"])
def test_the_public_calculator(vector: dict[str, Any]) -> None:
    """From the card's key over the session key and the cryptogram to the digits."""
    atc = bytes.fromhex(vector["atc"])
    tree = Tree(vector["branch"], vector["height"], bytes.fromhex(vector["iv"]))
    sk = tree_session_key(DesKey(bytes.fromhex(vector["card_key"])), int.from_bytes(atc), tree)
    assert sk.value == bytes.fromhex(vector["sk"])
    message = bytes.fromhex(vector["terminal"] + vector["card_part"])
    ac = application_cryptogram(sk, message, Padding(vector["padding"]))
    assert ac == bytes.fromhex(vector["ac"])
    data = bytes.fromhex(vector["cid"]) + atc + ac + bytes.fromhex(vector["iad"])
    assert Code.of(compress(data, bytes.fromhex(vector["ipb"]))) == Code(vector["code"])


BY_CVN = {
    (version.layout, version.cvn): version
    for version in VERSIONS.values()
    if version.name != "visa-22"
}


@pytest.mark.parametrize("vector", vectors("end_to_end", "end_to_end"), ids=lambda v: v["id"])
def test_from_the_issuer_key_to_the_code(vector: dict[str, Any]) -> None:
    """Made by parts, and verified by the profile that the card's data make.

    The one that is to be refused was made without the PIN: no profile of it can be built, and
    that of the right PIN does not fit it.
    """
    profile, iad = profile_of(vector)
    version, inputs = profile.version, typed(vector, profile.iaf)
    assert profile.head(inputs) == bytes.fromhex(vector["terminal"] + vector["aip"])
    imk = DesKey(bytes.fromhex(vector["imk"]))
    card_key = version.card_key(imk, vector["pan"], vector["psn"])
    assert card_key.value == bytes.fromhex(vector["card_key"])
    atc = int(vector["atc"], 16)
    code = Code(vector["code"])
    made = make_code(
        *(card_key, profile),
        atc=atc,
        dki=dki_of(iad),
        psn=vector["psn"],
        cvr=cvr_of(profile, iad),
        inputs=inputs,
    )
    assert made == code
    card = KeyedCard(profile, dki_of(iad), vector["psn"], card_key)
    assert match(card, [atc], code, inputs) == [not vector.get("refused", False)]


def profile_of(vector: dict[str, Any]) -> tuple[Profile, bytes]:
    """What the card's data make, with the right PIN; and the card's own IAD."""
    iad = bytes.fromhex(vector["iad"])
    layout = IadLayout.VISA if iad[0] == 0x06 else IadLayout.MCHIP
    cvn = iad[2] if layout is IadLayout.VISA else iad[1]
    end = layout.cvr_at + layout.cvr_length
    said = int.from_bytes(iad[layout.cvr_at : end])
    aid = bytes.fromhex(vector["aid"])
    profile = Profile(
        name=vector["id"],
        aid=aid,
        scheme=ALL_AIDS[aid],
        aip=bytes.fromhex(vector["aip"]),
        version=BY_CVN[layout, cvn],
        cvr=layout.cvr(said) if not vector.get("refused") else MChipCvr(0xA50003040000),
        ipb=bytes.fromhex(vector["ipb"]),
        iaf=Iaf(int(vector["iaf"], 16)),
        iad_rest=iad[end:],
    )
    return profile, iad


def cvr_of(profile: Profile, iad: bytes) -> int:
    """What the card reported of itself."""
    layout = profile.version.layout
    return int.from_bytes(iad[layout.cvr_at : layout.cvr_at + layout.cvr_length])


def dki_of(iad: bytes) -> int:
    """The derivation key index: Visa's second byte, M/Chip's first."""
    return iad[1] if iad[0] == 0x06 else iad[0]


def typed(vector: dict[str, Any], iaf: Iaf) -> Inputs:
    """What was typed, read out of the terminal data of a vector."""
    mode = Mode(vector["mode"])
    if mode is Mode.TDS:
        return Inputs(mode=mode, fields=tuple(vector["fields"]))
    terminal = vector["terminal"]
    challenge = terminal[-8:].lstrip("0")
    if mode is Mode.M1 and iaf & Iaf.AMOUNT:
        currency = terminal[38:42].lstrip("0")
        return Inputs(mode=mode, challenge=challenge, amount=int(terminal[:12]), currency=currency)
    return Inputs(mode=mode, challenge=challenge)
