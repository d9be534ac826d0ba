"""`sesame.bank.limits`: what the law and the layers below allow."""

from datetime import timedelta

from sesame.bank.limits import Limits
from sesame.custody.custodian import CARDS_PER_CODE


def test_no_threshold_is_laxer_than_the_rts() -> None:
    """RTS art. 4(3)(b) and (d): five failures in a row, five minutes without activity."""
    limits = Limits()
    sides = (limits.open_side, limits.reserved_side)
    assert all(side.tries >= 1 for side in sides)
    assert sum(side.tries for side in sides) <= 5
    assert all(suspension > timedelta(0) for side in sides for suspension in side.suspensions)
    assert limits.pressed_suspension > timedelta(0)
    assert limits.session_idle <= timedelta(minutes=5)


def test_an_attempt_looks_at_as_many_cards_as_custody_does() -> None:
    """More would be refused there, fewer would be seen in the time."""
    assert Limits().cards == CARDS_PER_CODE
