"""Rank tests in plain Python: is there a difference between paired measurements, and how large?

Times have long tails and no known distribution, so nothing here asks for one.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import NormalDist, median
from typing import NamedTuple

_NORMAL = NormalDist()


class Compared(NamedTuple):
    """What the differences of pairs say."""

    p: float  # two-sided: how likely is this, or more, where there is no difference
    middle: float  # the median difference
    low: float  # and where it lies with 99 %
    high: float


def signed_rank(differences: Sequence[float]) -> float:
    """The two-sided p of Wilcoxon's signed-rank test, by its normal approximation.

    For some twenty differences and more. Those that are zero are left out; equal ones share
    their ranks, and the variance knows it.
    """
    ordered = sorted((abs(one), one > 0) for one in differences if one)
    n = len(ordered)
    if not n:
        return 1.0
    positive = 0.0
    variance = n * (n + 1) * (2 * n + 1) / 24
    rank = 0
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        signs = [sign for _, sign in group]
        ties = len(signs)
        positive += sum(signs) * (rank + (ties + 1) / 2)
        variance -= (ties**3 - ties) / 48
        rank += ties
    expected = n * (n + 1) / 4
    # Half a step towards the middle: ranks are whole numbers, the normal curve is not.
    distance = max(0.0, abs(positive - expected) - 0.5)
    return min(1.0, 2 * _NORMAL.cdf(-distance / math.sqrt(variance)))


def compare(one: Sequence[float], other: Sequence[float]) -> Compared:
    """*one* against *other*, measured in pairs (some hundred of them at least)."""
    differences = sorted(a - b for a, b in zip(one, other, strict=True))
    n = len(differences)
    # The bounds of a median are two of the values themselves, by the binomial distribution.
    half = _NORMAL.inv_cdf(0.995) * math.sqrt(n) / 2
    low, high = max(0, math.floor(n / 2 - half)), min(n - 1, math.ceil(n / 2 + half))
    return Compared(
        signed_rank(differences), median(differences), differences[low], differences[high]
    )


def holm(chances: Sequence[float]) -> list[float]:
    """*chances* (p of each of many tests) raised so that one false alarm among all is as rare.

    Holm's correction: no assumption of how the tests hang together.
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    raised = [0.0] * len(chances)
    highest = 0.0
    for place, number in enumerate(order):
        highest = max(highest, min(1.0, chances[number] * (len(chances) - place)))
        raised[number] = highest
    return raised
