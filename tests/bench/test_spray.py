"""The spray, in small: its luck is what is to be expected, and its owners get in.

The sprayer knows all but eight bits of each code, so that a few thousand guesses have luck to
count; everything else is as in `make spray`.
"""

import math
from collections.abc import Callable

import pytest

from bench.population import USER_CODES, user_code
from bench.spray import Campaign, Told, live, report, without_limits
from bench.spray_store import number_of
from sesame.bank.limits import Limits

_LIMITS = Limits()
_CAMPAIGN = Campaign(
    customers=3000, guesses=3000, hours=0.25, addresses=60, owners=120, unknown_bits=8
)
_SURE = 1e-6  # what chance may go beyond, on either side


@pytest.fixture(scope="module")
def lived() -> Callable[[str], Told]:
    """Each day once for all tests."""
    days = {"alone": live(_CAMPAIGN, without_limits()), "ours": live(_CAMPAIGN, _LIMITS)}
    return days.__getitem__


@pytest.mark.parametrize("bank", ["alone", "ours"])
def test_luck_is_what_is_to_be_expected(lived: Callable[[str], Told], bank: str) -> None:
    """Of the guesses that were judged, within what chance does."""
    told = lived(bank)
    least, most = _within(told.judged, _CAMPAIGN.chance)
    assert least <= told.guesses["lucky"] <= most
    assert sum(told.guesses.values()) == _CAMPAIGN.guesses


def test_a_bank_that_looks_at_each_user_code_alone_judges_all(
    lived: Callable[[str], Told],
) -> None:
    """One guess each is below every limit: this is what the switch is for."""
    told = lived("alone")
    assert told.judged == _CAMPAIGN.guesses
    assert told.guesses["lucky"] > 0


def test_ours_judges_no_more_than_it_says(lived: Callable[[str], Told]) -> None:
    """As many as the hour's floor, and what comes within one look at the counts."""
    told = lived("ours")
    in_a_look = 5 * _CAMPAIGN.guesses / (_CAMPAIGN.hours * 3600)
    assert 0 < told.judged <= _LIMITS.hour_floor + 1 + in_a_look
    assert told.guesses["two codes wanted"] == _CAMPAIGN.guesses - told.judged


def test_no_owner_is_refused(lived: Callable[[str], Told]) -> None:
    """Known devices with one code, others with two, also at the sprayer's own address."""
    owners = lived("ours").owners
    assert not [words for words in owners if words.startswith("not in")]
    assert owners["in with one code"] >= _CAMPAIGN.owners // 2 * _CAMPAIGN.logins
    assert owners["in with two codes, unknown device"] > 0
    assert owners["in with two codes, unknown device, at the sprayer's address"] > 0


def test_one_address_alone_does_not_have_everybody_asked_for_two_codes() -> None:
    """It is asked itself; owners elsewhere notice nothing."""
    campaign = Campaign(customers=900, guesses=900, hours=0.1, addresses=1, owners=60)
    told = live(campaign, _LIMITS)
    limits = _LIMITS.source
    assert limits is not None
    # Each of two servers counts by itself for a second at most.
    assert limits.two_codes_above < told.judged <= limits.two_codes_above + 1 + 5
    assert "in with two codes, unknown device" not in told.owners


def test_the_same_seed_gives_the_same_day() -> None:
    """And another one another day."""
    campaign = Campaign(customers=300, guesses=300, hours=0.05, owners=40, addresses=7)
    first, again = (live(campaign, _LIMITS) for _ in range(2))
    assert report(campaign, first) == report(campaign, again)


def test_numbers_come_back_from_user_codes() -> None:
    """And none from a user code that no number makes."""
    for number in (0, 1, 999_999, USER_CODES - 1):
        assert number_of(user_code(number)) == number
    assert number_of("NEMO2222") is None


def test_the_chance_of_a_guess() -> None:
    """A whole code of a bank card: 2⁻¹⁷, and an ATC in the window."""
    assert Campaign(customers=1, guesses=1).chance == pytest.approx(2**-17, rel=0.005)
    assert Campaign(customers=1, guesses=1, unknown_bits=17).chance == 2**-17


def _within(times: int, chance: float) -> tuple[int, int]:
    """Between what numbers of hits chance stays, but for `_SURE` on either side."""
    below, hits, least = 0.0, 0, 0
    while below < 1 - _SURE:
        below += math.comb(times, hits) * chance**hits * (1 - chance) ** (times - hits)
        least += below < _SURE
        hits += 1
    return least, hits
