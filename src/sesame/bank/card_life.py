"""When a card's life ends, and what comes before that. Pure.

A Sésame card of ours is good through a day that stands on it, and its counter (ATC) has two bytes
that never begin anew: both are looked at in time, so that another card is there before.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique

from sesame.bank.limits import Limits
from sesame.store.aging import AgingCard
from sesame.store.cards import CardState


@unique
class Act(StrEnum):
    """What is to be done for a card."""

    RENEW = "renew"  # order another in its place
    RETIRE = "retire"


@unique
class Why(StrEnum):
    """And why; lines say so."""

    EXPIRY = "expiry"  # its last day is near, or over
    COUNTER = "counter"  # it has made so many codes
    SUCCEEDED = "succeeded"  # the card that replaces it has signed in


@dataclass(frozen=True, slots=True)
class Due:
    """What is due for a card."""

    act: Act
    why: Why


def due(card: AgingCard, today: date, limits: Limits) -> Due | None:
    """What is due for *card* on the day *today*; None: nothing.

    A card is renewed once, while it is active: what is held, or waits, is nobody's way in yet.
    """
    last_day = None if card.expires_on is None else date.fromisoformat(card.expires_on)
    if card.succeeded:
        return Due(Act.RETIRE, Why.SUCCEEDED)
    if last_day is not None and today > last_day:
        return Due(Act.RETIRE, Why.EXPIRY)
    if card.state != CardState.ACTIVE or card.replaced:
        return None
    if last_day is not None and last_day - today <= limits.renew_before:
        return Due(Act.RENEW, Why.EXPIRY)
    return Due(Act.RENEW, Why.COUNTER) if card.last_atc > limits.renew_above else None
