"""How many cards of the bank each issuer key still has.

Only whoever holds the keys can tell: the label of a card's issuer key is under the seal.
"""

from collections import Counter
from collections.abc import Iterable

from sesame.custody.sealing import Seal


def count_cards(seal: Seal, cards: Iterable[tuple[bytes, bytes]]) -> Counter[str]:
    """The number of *cards*, each sealed and with its context, by the label of its issuer key.

    Raises:
        SealBroken: one does not open under *seal*.
    """
    return Counter(seal.open(sealed, context).key for sealed, context in cards)
