"""`sesame.bank.planning`: chances and simulations agree with what can be worked out otherwise."""

from dataclasses import replace
from math import exp
from random import Random

import pytest

from sesame.bank.limits import Limits
from sesame.bank.planning import DAYS, Habits, Layout, guessing, lose_step
from sesame.cap.mode import LOGIN
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, candidates, match
from sesame.emv.iad import Cvr
from sesame.emv.keys import DesKey

_LIMITS = Limits()
BANK, SESAME = Layout.of(BANK_CARD), Layout.of(SESAME_CARD)


def test_our_cards() -> None:
    """Twenty-six bits each, one of them constant."""
    assert Layout(other_bits=1, atc_bits=8, ac_bits=17, window=255) == BANK
    assert Layout(other_bits=1, atc_bits=5, ac_bits=20, window=31) == SESAME


@pytest.mark.parametrize(("window", "many"), [(1, 1), (31, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_a_window_wider_than_its_bits_is_hit_more_often(window: int, many: int) -> None:
    """By each ATC that has the same low bits as another one."""
    layout = Layout(other_bits=1, atc_bits=5, ac_bits=20, window=window)
    assert layout.candidates == many
    assert layout.hit == many / 2**20


def test_what_a_bank_cannot_foresee_is_guessed_at_too() -> None:
    """A profile whose CVR has bits that vary unseen: each doubles what a guess is worth."""
    layout = Layout.of(replace(BANK_CARD, varying=Cvr.NEW_CARD | Cvr.SCRIPT_FAILED))
    assert layout.variants == 4
    assert layout.hit == 4 * BANK.hit
    assert guessing(layout, 1, _LIMITS).by_pairs == pytest.approx(
        16 * guessing(BANK, 1, _LIMITS).by_pairs, rel=1e-3
    )


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_among_its_others(name: str) -> None:
    """So that a plan of it can be made and drawn."""
    layout = Layout.of(PROFILES[name])
    assert layout in layout.others()


def test_what_the_documents_say() -> None:
    """`docs/limits.md` and design: 1 in 14,564 in thirty days for a bank card, and so on."""
    bank, sesame = guessing(BANK, 1, _LIMITS), guessing(SESAME, 1, _LIMITS)
    assert 1 / bank.a_try == 2**17
    assert round(1 / bank.a_month) == 14_564
    assert round(1 / sesame.a_month) == 116_509
    assert round(1 / bank.a_cycle) == 43_691
    assert bank.a_year == pytest.approx(109.5 / 2**17, rel=1e-3)
    # Three pairs a minute: what is hopeless is not slow.
    assert bank.by_pairs == pytest.approx(3 * DAYS * 24 * 60 / 2**34, rel=1e-3)


def test_two_cards_are_hit_twice_as_often() -> None:
    """Or a little less, where both are."""
    one, two = guessing(BANK, 1, _LIMITS), guessing(BANK, 2, _LIMITS)
    assert two.a_try == pytest.approx(2 * one.a_try - one.a_try**2)
    assert two.by_pairs == pytest.approx(2 * one.by_pairs, rel=1e-3)


def test_a_guess_is_worth_what_the_verifier_makes_of_it() -> None:
    """The chance is that of `cap.verification`: so many random codes, so many that fit."""
    chance = Random(6)  # noqa: S311 -- guesses, not secrets
    profile, tries, last = BANK_CARD, 2_000, 1_000
    card = KeyedCard(profile, 1, "00", DesKey(bytes(range(16))))
    hits = 0
    for _ in range(tries):
        # All but nine bits of the AC are right already: else nobody could wait for a hit.
        atc = last + chance.randrange(1, profile.window + 1)
        right = profile.token(1, atc, _cryptogram(card, atc))
        code = Code(f"{right & ~0x1FF | chance.getrandbits(9):08d}")
        near = candidates(profile, last, code).near
        assert near == atc
        hits += match(card, [atc], code)[0]
    share = 2**BANK.ac_bits / 2**9 * BANK.hit * tries
    assert hits == pytest.approx(share, abs=4 * share**0.5)


def _cryptogram(card: KeyedCard, atc: int) -> bytes:
    profile = card.profile
    (ac,) = profile.version.cryptograms(
        card.key, [atc], before=profile.head(LOGIN), un=LOGIN.un, iad=profile.iad(card.dki)
    )
    return bytes(ac)


def test_every_layout_of_as_many_bits() -> None:
    """From one bit of the ATC to the fewest of the AC that a profile may have."""
    others = list(BANK.others())
    assert [other.atc_bits for other in others] == list(range(1, 10))
    assert {other.atc_bits + other.ac_bits for other in others} == {25}
    assert all(other.window == 2**other.atc_bits - 1 for other in others)
    assert BANK in others


# ── Losing step ──────────────────────────────────────────────────────────────────────────────────


def test_step_is_lost_as_often_as_worked_out() -> None:
    """With customers all alike: two kinds of events that come at any time, by their odds.

    Before the next login `window` unseen ones come first with q ** window.
    """
    layout = Layout(other_bits=1, atc_bits=3, ac_bits=22, window=7)
    habits = Habits(logins=0.5, payments=1.2, unused=0.3, evenness=1e9)
    lived = lose_step(layout, habits, Random(4), customers=3_000)  # noqa: S311 -- a model
    assert lived.logins == pytest.approx(3_000 * 0.5 * DAYS, rel=0.01)
    odds = 1.5 / (1.5 + 0.5)
    assert lived.lost / lived.logins == pytest.approx(odds**7, rel=0.02)
    assert lived.touched == 3_000


def test_what_two_codes_do_not_find_is_counted() -> None:
    """The first of them may claim so many windows."""
    layout = Layout(other_bits=1, atc_bits=1, ac_bits=24, window=1)
    habits = Habits(logins=0.5, payments=50.0, unused=0.0, evenness=1e9)
    lived = lose_step(layout, habits, Random(4), customers=400)  # noqa: S311 -- a model
    odds = 1.0 / 1.01
    assert lived.beyond / lived.logins == pytest.approx(odds**128, rel=0.02)
    assert lived.beyond_a_year == 1000 * lived.beyond / 400


def test_a_card_with_payments_needs_the_wider_window() -> None:
    """Our two layouts, each with the card that it is for; and the other way round."""
    shopping = Habits(logins=0.3, payments=1.5, unused=0.05)
    alone = Habits(logins=0.3, payments=0.0, unused=0.05)

    def lost(layout: Layout, habits: Habits) -> float:
        return lose_step(layout, habits, Random(1), customers=2_000).lost_a_year  # noqa: S311 -- a model

    assert lost(BANK, shopping) < 30
    assert lost(SESAME, alone) < 1
    assert lost(SESAME, shopping) > 1_000
    assert lost(SESAME, replace(alone, payments=0.5)) > lost(SESAME, alone)


def test_nothing_unseen_loses_nothing() -> None:
    """Whatever the window."""
    habits = Habits(logins=1.0, payments=0.0, unused=0.0)
    layout = Layout(other_bits=1, atc_bits=1, ac_bits=24, window=1)
    assert lose_step(layout, habits, Random(1), customers=50).lost == 0  # noqa: S311 -- a model


def test_the_same_seed_is_the_same_year() -> None:
    """And another one another."""
    habits = Habits(logins=0.3, payments=1.5, unused=0.05)
    first, again, other = (
        lose_step(SESAME, habits, Random(seed), customers=300)  # noqa: S311 -- a model
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_a_chance_so_small_that_one_minus_it_is_one() -> None:
    """Is not taken for none."""
    layout = Layout(other_bits=0, atc_bits=2, ac_bits=40, window=3)
    assert guessing(layout, 1, _LIMITS).a_month == pytest.approx(9 * 2.0**-40)
    assert guessing(layout, 1, _LIMITS).by_pairs > 0


def test_many_tries_are_not_more_than_certain() -> None:
    """Odds of independent tries: one bit, three tries."""
    layout = Layout(other_bits=0, atc_bits=2, ac_bits=1, window=3)
    assert guessing(layout, 1, _LIMITS).a_cycle == 1 - 0.5**3
    assert guessing(layout, 1, _LIMITS).a_year == pytest.approx(1 - exp(-75), abs=1e-12)
