"""What a custodian answers once it has the cards: the same work whatever is asked.

`cards` are always two, decoys where there are fewer, each with whether its key is its own: so
every custodian computes the same number of cryptograms for a code, and reports none of a decoy,
of what fills up, or of a card whose issuer key is not there.
"""

from collections.abc import Iterable

from sesame.cap.verification import Card, match, match_pairs
from sesame.custody.custodian import (
    ATCS_PER_CARD,
    KEYLESS,
    NO_ATC,
    Fit,
    Inquiry,
    PairFit,
    PairInquiry,
)


def answer(inquiry: Inquiry, cards: Iterable[tuple[Card, bool]]) -> tuple[Fit, ...]:
    """The fits of *inquiry*, its cards in order and decoys behind them."""
    fits: list[Fit] = []
    for place, (card, keyed) in enumerate(cards):
        asked = inquiry.questions[place].atcs if place < len(inquiry.questions) else ()
        atcs = asked + (NO_ATC,) * (ATCS_PER_CARD - len(asked))
        found = match(card, atcs, inquiry.code, inquiry.inputs)
        if not keyed:
            fits.append(Fit(place, NO_ATC))
            continue
        # What was found at the ATCs behind those asked for is dropped.
        fits += [Fit(place, atc) for atc, fit in zip(asked, found, strict=False) if fit]
    return tuple(fits)


def answer_pairs(inquiry: PairInquiry, cards: Iterable[tuple[Card, bool]]) -> tuple[PairFit, ...]:
    """The same for two codes in a row."""
    fits: list[PairFit] = []
    for place, (card, keyed) in enumerate(cards):
        asked = inquiry.questions[place].pairs if place < len(inquiry.questions) else ()
        pairs = asked + (KEYLESS,) * (inquiry.reach - len(asked))
        found = match_pairs(card, pairs, inquiry.first, inquiry.second, inquiry.inputs)
        if not keyed:
            fits.append(PairFit(place, KEYLESS))
            continue
        fits += [PairFit(place, pair) for pair, fit in zip(asked, found, strict=False) if fit]
    return tuple(fits)
