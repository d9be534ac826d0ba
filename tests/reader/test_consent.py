"""The last try is spent by whoever agrees to it, and by nobody else."""

import pytest

from sesame.reader.consent import covers, may_be_last


def test_what_may_be_the_last_try() -> None:
    """One, and what a card does not tell."""
    assert [left for left in (None, 0, 1, 2, 15) if may_be_last(left)] == [None, 1]


@pytest.mark.parametrize("agreed", [None, 1])
def test_who_agreed_to_the_last_try_agreed_to_any(agreed: int | None) -> None:
    """But to none of a blocked card."""
    assert [left for left in (None, 0, 1, 2, 15) if covers(agreed, left)] == [None, 1, 2, 15]


@pytest.mark.parametrize(
    ("agreed", "left"), [(2, None), (2, 1), (2, 0), (3, 2), (0, 1), (0, 0), (0, None)]
)
def test_who_agreed_to_more_did_not_agree_to_fewer(agreed: int, left: int | None) -> None:
    """Nor to what may be the last, told or not."""
    assert not covers(agreed, left)


@pytest.mark.parametrize(("agreed", "left"), [(2, 2), (2, 3), (3, 3), (0, 2)])
def test_as_many_as_were_told(agreed: int, left: int) -> None:
    """Or more."""
    assert covers(agreed, left)
