"""`sesame.bank.tally`."""

from collections import Counter

from sesame.bank.tally import Tally


def test_it_counts_by_user_code_and_cause() -> None:
    """And begins anew once they were taken."""
    tally = Tally()
    for cause in ("suspended", "suspended", "two-codes-wanted"):
        tally.add("VERA2345", cause)
    tally.add("OMAR6789", "suspended")
    assert tally.waiting() == ["VERA2345", "OMAR6789"]
    assert tally.take("VERA2345") == Counter({"suspended": 2, "two-codes-wanted": 1})
    assert tally.take("VERA2345") == Counter()
    assert tally.waiting() == ["OMAR6789"]


def test_what_could_not_be_written_is_counted_again() -> None:
    """Together with what came meanwhile."""
    tally = Tally()
    tally.add("VERA2345", "suspended")
    counts = tally.take("VERA2345")
    tally.add("VERA2345", "suspended")
    tally.put_back("VERA2345", counts)
    assert tally.take("VERA2345") == Counter({"suspended": 2})


def test_nobody_fills_the_memory() -> None:
    """Ten thousand user codes at a time; those who are counted go on counting."""
    tally = Tally()
    for number in range(10_001):
        tally.add(f"{number:08d}", "suspended")
    tally.add("00000000", "suspended")
    assert len(tally.waiting()) == 10_000
    assert tally.take("00000000") == Counter({"suspended": 2})
    assert tally.take("00010000") == Counter()
    tally.add("00010000", "suspended")
    assert tally.take("00010000") == Counter({"suspended": 1})
