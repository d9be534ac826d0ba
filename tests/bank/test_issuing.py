"""What is decided of a card before it is made."""

from datetime import date

import pytest

from sesame.bank.issuing import CardRules


@pytest.mark.parametrize(
    ("made", "effective", "expiry"),
    [
        (date(2026, 8, 25), date(2026, 8, 24), date(2030, 8, 31)),
        (date(2026, 3, 1), date(2026, 2, 28), date(2030, 3, 31)),
        (date(2026, 12, 31), date(2026, 12, 30), date(2030, 12, 31)),
        (date(2027, 1, 1), date(2026, 12, 31), date(2031, 1, 31)),
        (date(2024, 2, 29), date(2024, 2, 28), date(2028, 2, 29)),
    ],
)
def test_a_card_is_good_at_once_and_to_the_end_of_a_month(
    made: date, effective: date, expiry: date
) -> None:
    """At once in every zone: it may be yesterday yet where it is read."""
    rules = CardRules(years=4)
    assert rules.effective(made) == effective
    assert rules.expiry(made) == expiry
