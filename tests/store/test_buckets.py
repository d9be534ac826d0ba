"""`sesame.store.buckets`."""

from collections import Counter
from itertools import product

import pytest

from sesame.bank.user_code import ALPHABET
from sesame.store.buckets import BUCKETS, bucket_of


@pytest.mark.parametrize(
    ("user_code", "bucket"),
    [("AAAAAAAA", 3), ("00000000", 62), ("ZZZZZZZZ", 38), ("VERA2222", 13), ("23456789", 49)],
)
def test_values_are_pinned(user_code: str, bucket: int) -> None:
    """Every key in every database depends on these: they never change."""
    assert bucket_of(user_code) == bucket


def test_user_codes_spread_evenly() -> None:
    """No bucket of 64 holds twice its share, none is left out, none lies beyond."""
    user_codes = ["AAAA2" + "".join(end) for end in product(ALPHABET, repeat=3)]
    filled = Counter(map(bucket_of, user_codes))
    share = len(user_codes) / BUCKETS
    assert set(filled) == set(range(64))
    assert share / 2 < min(filled.values())
    assert max(filled.values()) < share * 2
