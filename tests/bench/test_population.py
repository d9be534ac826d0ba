"""The customers of a measurement."""

from collections import Counter

from bench.population import STRIDE, USER_CODES, user_code
from sesame.bank.user_code import check_character
from sesame.store.buckets import BUCKETS, bucket_of


def test_no_user_code_comes_twice() -> None:
    """Nor from any others: an odd step has no divisor that a power of two has."""
    assert len({user_code(number) for number in range(100_000)}) == 100_000
    assert STRIDE % 2
    assert USER_CODES & (USER_CODES - 1) == 0
    assert USER_CODES == 32**7


def test_user_codes_are_such_as_a_bank_gives() -> None:
    """Seven characters and the one that checks them, also at the last number."""
    for number in (0, 1, 20_000, USER_CODES - 1):
        code = user_code(number)
        assert len(code) == 8
        assert code[-1] == check_character(code[:-1])


def test_user_codes_spread() -> None:
    """Over all buckets, and over all first characters, as chance would have it."""
    codes = [user_code(number) for number in range(6400)]
    buckets = Counter(bucket_of(code) for code in codes)
    assert len(buckets) == BUCKETS
    assert max(buckets.values()) < 150
    firsts = Counter(code[0] for code in codes)
    assert len(firsts) == 32
    assert max(firsts.values()) - min(firsts.values()) < 20
