"""`tests.ranks`: whoever measures must be measured."""

import random
from collections.abc import Sequence
from itertools import product

import pytest

from tests.ranks import compare, holm, signed_rank


def exactly(differences: Sequence[float]) -> float:
    """The two-sided p of the signed-rank test, by all signs that there could be."""
    sizes = sorted(abs(one) for one in differences)
    ranks = [sum(size <= one for size in sizes) for one in (abs(d) for d in differences)]
    middle = sum(ranks) / 2
    seen = abs(sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0) - middle)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product([False, True], repeat=len(ranks))
    ]
    return sum(abs(one - middle) >= seen for one in sums) / len(sums)


@pytest.mark.parametrize("seed", range(6))
def test_the_approximation_is_close_to_the_exact_test(seed: int) -> None:
    """Fourteen differences without ties, shifted a little more by each seed."""
    chance = random.Random(seed)  # noqa: S311 -- a test that repeats
    differences = [chance.gauss(0.15 * seed, 1) for _ in range(14)]
    assert signed_rank(differences) == pytest.approx(exactly(differences), abs=0.02)


def test_a_published_example() -> None:
    """Darwin's fifteen pairs of maize: 96 of 120 is the sum, p is 0.041 (Fisher 1935, exact)."""
    pairs = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert signed_rank(pairs) == pytest.approx(0.041, abs=0.004)


def test_nothing_is_no_difference() -> None:
    """Nor is what is as often more as less."""
    assert signed_rank([]) == 1
    assert signed_rank([0, 0, 0]) == 1
    assert signed_rank([-2, -1, 1, 2]) == 1


def test_false_alarms_are_as_rare_as_said() -> None:
    """1,000 comparisons of what is alike, with the long tails of times: 5 % below 0.05."""
    chance = random.Random(7)  # noqa: S311 -- a test that repeats
    alarms = 0
    for _ in range(1000):
        one, other = ([chance.lognormvariate(0, 1) for _ in range(60)] for _ in range(2))
        found = compare(one, other)
        alarms += found.p < 0.05
        assert found.low <= found.middle <= found.high
    assert 30 <= alarms <= 72  # a binomial of 1,000 and 0.05, three deviations


def test_a_shift_is_found_and_measured() -> None:
    """A tenth of what the times vary, in two thousand pairs."""
    chance = random.Random(8)  # noqa: S311 -- a test that repeats
    noise = [(chance.lognormvariate(0, 1), chance.lognormvariate(0, 1)) for _ in range(2000)]
    found = compare([one + 0.2 for one, _ in noise], [other for _, other in noise])
    assert found.p < 1e-6
    assert found.low < 0.2 < found.high


def test_holm() -> None:
    """The smallest four times, the next three times, never below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
