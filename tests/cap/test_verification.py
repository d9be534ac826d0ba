"""Which ATC a code can claim, and which one it was."""

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import (
    Candidates,
    KeyedCard,
    Pair,
    PairCandidates,
    candidates,
    match,
    match_pairs,
    pair_candidates,
)
from sesame.emv.cryptogram import Padding, application_cryptogram, cryptograms_by_atc
from sesame.emv.iad import Cvr, VisaIad
from sesame.emv.keys import DesKey, card_key_b, common_session_key
from tests.cap.strategies import make_profile, profiles
from tests.emv.strategies import des_keys
from tests.vectors.reading import vectors

CARD_KEY = DesKey(bytes.fromhex("8A6DCE9DC429B00BCDEF8A29DF7FE346"))
DKI = 7
# The fewest AC bits that a profile may have: 1 constant, 8 of the ATC, 16 of the AC.
SIXTEEN = make_profile(bytes.fromhex("80 00FF 000000000000FFFF"))

dkis = st.integers(0, 0xFF)
used_atcs = st.integers(1, 0xFFFF)


def cryptogram(profile: Profile, card_key: DesKey, atc: int, cvr: Cvr) -> bytes:
    """The AC of a card that says *cvr*."""
    iad = VisaIad(dki=DKI, cvn=profile.version.cvn, cvr=cvr).encode()
    message = profile.message_head + atc.to_bytes(2) + iad
    return application_cryptogram(common_session_key(card_key, atc), message, Padding.METHOD_2)


def make_code(
    profile: Profile, card_key: DesKey, atc: int, *, dki: int = DKI, cvr: Cvr | None = None
) -> Code:
    """The code that a reader shows of a card that says *cvr*."""
    said = Cvr(profile.cvr) if cvr is None else cvr
    iad = VisaIad(dki=dki, cvn=profile.version.cvn, cvr=said).encode()
    message = profile.message_head + atc.to_bytes(2) + iad
    sk = common_session_key(card_key, atc)
    ac = application_cryptogram(sk, message, Padding.METHOD_2)
    return Code(f"{profile.token(dki, atc, ac):08d}")


# ── candidates ───────────────────────────────────────────────────────────────────────────────────


def model(profile: Profile, last_atc: int) -> dict[int, Candidates]:
    """By looking at every ATC there is: what each low part can mean."""
    window = profile.window
    near = {a & window: a for a in range(last_atc + 1, min(last_atc + window, 0xFFFF) + 1)}
    behind = {a & window: a for a in range(max(1, last_atc - window), last_atc + 1)}
    return {low: Candidates(near.get(low), behind.get(low)) for low in range(window + 1)}


def code_of(profile: Profile, low: int, *, ac: int = 0) -> Code:
    """A code whose ATC bits are *low*."""
    return Code(f"{profile.constant | low << profile.ac_bits | ac:08d}")


@pytest.mark.parametrize("profile", [SESAME_CARD, BANK_CARD], ids=lambda p: p.name)
def test_candidates_at_the_edges(profile: Profile) -> None:
    """Near stands in (last, last + window], behind in [1, last]; the low bits agree.

    Every low part, around both ends and in the middle of 16 bits.
    """
    reach = profile.window + 9
    for last_atc in (*range(reach), *range(0x7FFC, 0x8004), *range(0xFFFF - reach, 0x10000)):
        for low, expected in model(profile, last_atc).items():
            found = candidates(profile, last_atc, code_of(profile, low))
            assert found == expected, (last_atc, low)


@given(profiles, st.integers(0, 0xFFFF), st.integers(0, 99_999_999))
def test_candidates_of_any_code(profile: Profile, last_atc: int, number: int) -> None:
    """A code out of the profile's range has candidates too; it will not match."""
    low = number >> profile.ac_bits & profile.window
    found = candidates(profile, last_atc, Code(f"{number:08d}"))
    assert found == model(profile, last_atc)[low]


@pytest.mark.parametrize("vector", vectors("atc", "atc"), ids=lambda v: f"{v['last']}-{v['first']}")
def test_the_smallest_atc_above_the_last(vector: dict[str, Any]) -> None:
    """By the vectors; where their ATC is outside our window, it is none of ours.

    The window is one short of all low parts: the low part of the last accepted ATC says
    "already used" and nothing else. A profile without ATC bits cannot be built.
    """
    profile = {5: SESAME_CARD, 8: BANK_CARD}.get(vector["low_bits"])
    if profile is None:
        assert vector["low_bits"] == 0
        return
    found = candidates(profile, vector["last"], code_of(profile, vector["low"]))
    if vector["first"] - vector["last"] <= profile.window:
        assert found.near == vector["first"]
    else:
        assert found == Candidates(near=None, behind=vector["last"])


def test_a_new_card_has_nothing_behind() -> None:
    """Its first transaction has ATC 1; ATC 0 was never used."""
    assert candidates(SESAME_CARD, 0, code_of(SESAME_CARD, 0)) == Candidates(None, None)
    assert candidates(SESAME_CARD, 0, code_of(SESAME_CARD, 1)) == Candidates(1, None)


def test_the_atc_does_not_wrap() -> None:
    """Behind the highest there is none, or session keys would come again."""
    assert candidates(SESAME_CARD, 65535, code_of(SESAME_CARD, 0)) == Candidates(None, 65504)
    assert candidates(SESAME_CARD, 65534, code_of(SESAME_CARD, 31)) == Candidates(65535, 65503)


# ── pair_candidates ──────────────────────────────────────────────────────────────────────────────


def pairs_by_search(
    profile: Profile, last_atc: int, lows: tuple[int, int], *, near_only: bool
) -> PairCandidates:
    """By looking at every pair of ATCs that two codes in a row may come from."""
    window = profile.window
    size = window + 1

    def pairs(firsts: Iterable[int]) -> Iterable[Pair]:
        return (
            (first, second)
            for first in firsts
            if first & window == lows[0]
            for second in range(first + 1, min(first + 8, 0xFFFF) + 1)
            if second & window == lows[1]
        )

    reach = window if near_only else 64 * size
    ahead = tuple(pairs(range(last_atc + 1, min(last_atc + reach, 0xFFFF) + 1)))
    # The last one whose second code is used already, among as many as its low bits tell apart.
    used = [
        pair
        for pair in pairs(range(max(1, last_atc - window - 8), last_atc + 1))
        if last_atc - window <= pair[1] <= last_atc
    ]
    return PairCandidates(ahead, used[-1] if used else None)


@pytest.mark.parametrize("profile", [SESAME_CARD, BANK_CARD], ids=lambda p: p.name)
@pytest.mark.parametrize("distance", range(1, 9))
def test_two_codes_claim_64_pairs_ahead_and_one_behind(profile: Profile, distance: int) -> None:
    """The nearest first, each a window further; all of them at the same distance."""
    size, last, low = profile.window + 1, 20_000, 5
    codes = code_of(profile, low), code_of(profile, low + distance)
    found = pair_candidates(profile, last, *codes)
    assert len(found.ahead) == 64
    firsts = [first for first, _ in found.ahead]
    assert firsts == list(range(firsts[0], firsts[0] + 64 * size, size))
    assert last < firsts[0] <= last + size
    assert all(second - first == distance for first, second in found.ahead)
    assert found.behind is not None
    assert last - size < found.behind[1] <= last
    near = pair_candidates(profile, last, *codes, near_only=True)
    assert near == PairCandidates(found.ahead[:1], found.behind)


@pytest.mark.parametrize("distance", [0, 9, 10, 31, -1, -8])
def test_other_distances_are_no_pair(distance: int) -> None:
    """The same code twice, one too far behind the other, or the second before the first."""
    codes = code_of(SESAME_CARD, 10), code_of(SESAME_CARD, (10 + distance) % 32)
    assert pair_candidates(SESAME_CARD, 500, *codes) == PairCandidates((), None)


def test_a_pair_at_the_ends_of_the_counter() -> None:
    """The second ATC is 65535 at most; the first one is 1 at least."""

    def pair(last: int, first: int, second: int, *, near_only: bool = False) -> PairCandidates:
        codes = code_of(SESAME_CARD, first & 31), code_of(SESAME_CARD, second & 31)
        return pair_candidates(SESAME_CARD, last, *codes, near_only=near_only)

    assert pair(65_533, 65_534, 65_535).ahead == ((65_534, 65_535),)
    assert pair(65_534, 65_535, 65_536).ahead == ()
    assert pair(65_535, 65_536, 65_537).ahead == ()
    assert pair(65_535, 65_534, 65_535) == PairCandidates((), (65_534, 65_535))
    assert len(pair(65_535 - 63 * 32, 0, 1).ahead) == 63
    assert pair(0, 1, 2).behind is None
    assert pair(1, 1, 2).behind is None
    assert pair(2, 1, 2).behind == (1, 2)
    # Single codes stop one short of a whole turn of the low bits, and so does this.
    assert pair(100, 132, 133, near_only=True).ahead == ()
    assert pair(100, 131, 139, near_only=True).ahead == ((131, 139),)


@settings(max_examples=300)
@given(profiles, st.data())
def test_pair_candidates_are_those_of_a_search(profile: Profile, data: st.DataObject) -> None:
    """For all profiles, low bits and last ATCs, the ends of the counter more often."""
    window = profile.window
    edges = st.one_of(st.integers(0, 600), st.integers(0xFFFF - 600, 0xFFFF))
    last = data.draw(st.one_of(edges, st.integers(0, 0xFFFF)))
    low = data.draw(st.integers(0, window))
    apart = st.integers(-2, 11).map(lambda distance: (low + distance) & window)
    following = data.draw(st.one_of(apart, st.integers(0, window)))
    codes = code_of(profile, low), code_of(profile, following)
    # A window of fewer low bits than the distance can be tells distances no more apart.
    assume(window >= 8)
    near_only = data.draw(st.booleans())
    found = pair_candidates(profile, last, *codes, near_only=near_only)
    assert found == pairs_by_search(profile, last, (low, following), near_only=near_only)


@given(profiles, dkis, des_keys, st.integers(1, 0xFFFF - 8), st.integers(1, 8), st.data())
def test_two_codes_match_where_they_were_made(  # noqa: PLR0913, PLR0917 -- a card and two codes
    profile: Profile, dki: int, card_key: DesKey, atc: int, distance: int, data: st.DataObject
) -> None:
    """From anywhere within the reach; and never the other way round, or half of them."""
    assume(profile.window >= 8)
    reach = 64 * (profile.window + 1)
    last = data.draw(st.integers(max(0, atc - reach), atc - 1))
    first, second = (make_code(profile, card_key, at, dki=dki) for at in (atc, atc + distance))
    assert (atc, atc + distance) in pair_candidates(profile, last, first, second).ahead
    pair = [(atc, atc + distance)]
    assert match_pairs(KeyedCard(profile, dki, "00", card_key), pair, first, second) == [True]
    wrong = Code(f"{second.token ^ 1:08d}")
    assert match_pairs(KeyedCard(profile, dki, "00", card_key), pair, first, wrong) == [False]
    wrong = Code(f"{first.token ^ 1:08d}")
    assert match_pairs(KeyedCard(profile, dki, "00", card_key), pair, wrong, second) == [False]
    assert match_pairs(KeyedCard(profile, dki, "00", card_key), pair, second, first) == [False]
    assert match_pairs(KeyedCard(profile, dki, "00", card_key), [], first, second) == []


# ── match ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "vector", vectors("code", "code"), ids=lambda v: f"{v['profile']}-{v['atc']}"
)
def test_issued_cards_sign_in(vector: dict[str, Any]) -> None:
    """From the issuer's key to the digits."""
    imk = DesKey(bytes.fromhex(vector["imk"]))
    card_key = card_key_b(imk, vector["pan"], vector["psn"])
    profile, code = PROFILES[vector["profile"]], Code(vector["code"])
    assert make_code(profile, card_key, vector["atc"], dki=vector["dki"]) == code
    found = candidates(profile, vector["atc"] - 1, code)
    assert found.near == vector["atc"]
    card = KeyedCard(profile, vector["dki"], vector["psn"], card_key)
    assert match(card, [vector["atc"]], code) == [True]


@given(profiles, dkis, des_keys, used_atcs, st.integers(1, 0xFFFF))
def test_a_code_matches_where_it_was_made(
    profile: Profile, dki: int, card_key: DesKey, atc: int, behind: int
) -> None:
    """Alone, twice, and whichever place it has; seen from any last ATC of the window."""
    code = make_code(profile, card_key, atc, dki=dki)
    assert match(KeyedCard(profile, dki, "00", card_key), [atc], code) == [True]
    assert match(KeyedCard(profile, dki, "00", card_key), [atc, atc], code) == [True, True]
    assert match(KeyedCard(profile, dki, "00", card_key), [], code) == []
    last = max(0, atc - 1 - behind % profile.window)
    assert candidates(profile, last, code).near == atc
    assert candidates(profile, atc, code).behind == atc


@given(profiles, dkis, des_keys, st.lists(used_atcs, min_size=1, max_size=4), st.data())
def test_match_is_the_comparison_of_tokens(
    profile: Profile, dki: int, card_key: DesKey, atcs: list[int], data: st.DataObject
) -> None:
    """For codes that are right, nearly right, of another range, and any others."""
    right = make_code(profile, card_key, data.draw(st.sampled_from(atcs)), dki=dki).token
    nearly = st.integers(0, 26).map(lambda bit: right ^ 1 << bit)
    beyond = st.integers(1, 99_999_999 >> profile.bits).map(lambda n: right + (n << profile.bits))
    typed = st.one_of(st.just(right), nearly, beyond, st.integers(0, 99_999_999))
    code = Code(f"{data.draw(typed.filter(lambda token: token <= 99_999_999)):08d}")
    expected = [make_code(profile, card_key, atc, dki=dki) == code for atc in atcs]
    assert match(KeyedCard(profile, dki, "00", card_key), atcs, code) == expected


def test_a_code_beyond_the_bits_does_not_match() -> None:
    """Its token has the right bits, and one more in front that no card can make."""
    profile = make_profile(bytes.fromhex("00 001F 000000000000FFFF"))
    code = make_code(profile, CARD_KEY, 9)
    assert match(KeyedCard(profile, DKI, "00", CARD_KEY), [9], code) == [True]
    beyond = Code(f"{code.token + (1 << profile.bits):08d}")
    assert candidates(profile, 8, beyond).near == 9
    assert match(KeyedCard(profile, DKI, "00", CARD_KEY), [9], beyond) == [False]


def mutations(cvr: Cvr, card_key: DesKey, atc: int) -> Iterable[tuple[str, Cvr, DesKey, int]]:
    """Everything that differs in one bit, but for the parity bits, which DES ignores."""
    for bit in range(24):
        yield f"CVR bit {bit}", Cvr(cvr ^ 1 << bit), card_key, atc
    number = int.from_bytes(card_key.value)
    for bit in range(128):
        if bit % 8:
            yield f"key bit {bit}", cvr, DesKey((number ^ 1 << bit).to_bytes(16)), atc
    for bit in range(16):
        yield f"ATC bit {bit}", cvr, card_key, atc ^ 1 << bit


@given(des_keys, used_atcs)
@settings(max_examples=20)
def test_every_mutation_makes_another_cryptogram(card_key: DesKey, atc: int) -> None:
    """One bit of the CVR, of the key or of the ATC, and all 64 bits are drawn anew.

    By chance two of the 153 cryptograms agree with 2⁻⁵⁰ an example: that this test fails
    without a cause is not to be expected in the life of the project.
    """
    cvr = Cvr(SESAME_CARD.cvr)
    seen = {cryptogram(SESAME_CARD, card_key, atc, cvr)}
    changed = list(mutations(cvr, card_key, atc))
    seen |= {cryptogram(SESAME_CARD, key, number, other) for _, other, key, number in changed}
    assert len(seen) == 1 + len(changed)


@pytest.mark.parametrize("profile", [SESAME_CARD, BANK_CARD], ids=lambda p: p.name)
@pytest.mark.parametrize("atc", [1, 255, 40_000])
def test_no_mutation_signs_in(profile: Profile, atc: int) -> None:
    """A code of another PIN result, key or ATC does not match the card that it claims.

    Nor does the right code match another key or ATC. Keys and ATCs are fixed: by chance one
    of these 1,680 comparisons would succeed with 0.7 % (2⁻²⁰ or 2⁻¹⁷ each), and then
    always. None does.
    """
    right = make_code(profile, CARD_KEY, atc)
    for what, cvr, key, number in mutations(Cvr(profile.cvr), CARD_KEY, atc):
        made = make_code(profile, key, number, cvr=cvr)
        assert match(KeyedCard(profile, DKI, "00", CARD_KEY), [atc], made) == [False], what
        if cvr == profile.cvr:
            assert match(KeyedCard(profile, DKI, "00", key), [number], right) == [False], what


def test_a_wrong_or_missing_pin_never_signs_in() -> None:
    """What a card says when the PIN was wrong, or when VERIFY never reached it."""
    for cvr in (
        Cvr(SESAME_CARD.cvr) | Cvr.PIN_FAILED,
        Cvr(SESAME_CARD.cvr) & ~Cvr.PIN_PERFORMED,
        Cvr(SESAME_CARD.cvr) & ~Cvr.PIN_PERFORMED | Cvr.PIN_NOT_RECEIVED,
        Cvr(SESAME_CARD.cvr) & ~Cvr.FIRST_AC_ARQC,
    ):
        code = make_code(SESAME_CARD, CARD_KEY, 33, cvr=cvr)
        assert match(KeyedCard(SESAME_CARD, DKI, "00", CARD_KEY), [33, 1], code) == [False, False]


def test_another_issuer_key_index_is_another_card() -> None:
    """The DKI is in the IAD, and the whole IAD is authenticated."""
    code = make_code(SESAME_CARD, CARD_KEY, 33, dki=DKI)
    assert match(KeyedCard(SESAME_CARD, DKI + 1, "00", CARD_KEY), [33], code) == [False]


# ── guessing ─────────────────────────────────────────────────────────────────────────────────────


def test_of_all_guesses_at_one_atc_one_is_right() -> None:
    """A guess at one candidate succeeds with 2⁻¹⁶, exactly: all 65,536 are tried.

    Nothing is drawn, so nothing fails by chance. The profile has 16 bits of the AC, the
    fewest that are allowed; with 20 and 17 the same holds, it only takes longer.
    """
    atc = 40_000
    low = atc & SIXTEEN.window
    card = KeyedCard(SIXTEEN, DKI, "00", CARD_KEY)
    right = [
        ac
        for ac in range(1 << SIXTEEN.ac_bits)
        if match(card, [atc], code_of(SIXTEEN, low, ac=ac)) == [True]
    ]
    code = make_code(SIXTEEN, CARD_KEY, atc)
    assert right == [code.token & 0xFFFF]


def tail(count: int, trials: int, chance: float) -> float:
    """How likely *count* or more successes in *trials* are; their exact binomial sum."""
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * math.log(chance)
            + (trials - k) * math.log1p(-chance)
        )
        for k in range(count, trials + 1)
    )


def test_guesses_succeed_at_the_predicted_rate() -> None:
    """Random guesses for random keys and ATCs agree in 8 bits with 2⁻⁸, no more, no less.

    To see a rate of 2⁻¹⁶ would take millions of cryptograms, so each guess is compared on
    the first and on the last 8 of the profile's 16 AC bits. 156 agreements of 40,000 are
    expected of each half, 94 to 226 are accepted.

    False alarm: were the seed not fixed, below 10⁻⁶ a half. Power: if one bit of the eight
    were known to who guesses, 312 would be expected, and this test be content with less
    than 10⁻⁶. Both are computed below, not believed.
    """
    trials, fewest, most = 40_000, 94, 226
    assert tail(most + 1, trials, 2**-8) + 1 - tail(fewest, trials, 2**-8) < 1e-6
    assert 1 - tail(most + 1, trials, 2**-7) < 1e-6
    chance = random.Random(20_261_123)  # noqa: S311 -- a test that repeats
    agreements = {"first": 0, "last": 0}
    for _ in range(trials // 20):
        card_key = DesKey(chance.randbytes(16))
        atcs = [chance.randint(1, 0xFFFF) for _ in range(20)]
        for atc, ac in zip(
            atcs,
            cryptograms_by_atc(card_key, atcs, before=SIXTEEN.message_head, after=SIXTEEN.iad(DKI)),
            strict=True,
        ):
            guess = chance.getrandbits(SIXTEEN.ac_bits)
            difference = (SIXTEEN.token(DKI, atc, ac) ^ guess) & 0xFFFF
            agreements["first"] += difference >> 8 == 0
            agreements["last"] += difference & 0xFF == 0
    assert all(fewest <= count <= most for count in agreements.values()), agreements
