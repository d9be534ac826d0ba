"""`sesame.bank.limits`: what the law and the layers below allow."""

from datetime import timedelta

from sesame.bank.limits import Limits
from sesame.custody.custodian import CARDS_PER_CODE


def test_no_threshold_is_laxer_than_the_rts() -> None:
    """RTS art. 4(3)(b) and (d): five failures in a row, five minutes without activity."""
    limits = Limits()
    assert 1 <= limits.failures_in_a_row <= 5
    assert limits.session_idle <= timedelta(minutes=5)
    assert limits.suspension > timedelta(0)


def test_an_attempt_looks_at_as_many_cards_as_custody_does() -> None:
    """More would be refused there, fewer would be seen in the time."""
    assert Limits().cards == CARDS_PER_CODE
