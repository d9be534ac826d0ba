"""How many cards of a bank each issuer key has: what is asked before one is destroyed."""

from collections import Counter

from sesame.app import ForeignKeystore
from sesame.catalogue import N_
from sesame.cli.sentences import SENTENCES
from sesame.custody.census import count_cards
from sesame.custody.sealing import Seal
from sesame.settings import Settings
from sesame.store.cards import SealedCardRow, seal_context, sealed_cards
from sesame.store.engine import Store, open_store

_PAGE = 10_000  # cards read at once

SENTENCES[ForeignKeystore] = N_(
    "{path}\u00a0: ce trousseau n’est pas celui avec lequel cette base a été faite. "
    "Indiquez l’autre trousseau, ou l’autre base."
)


async def count_bank(seal: Seal, settings: Settings) -> Counter[str]:
    """The number of the bank's cards by the label of their issuer key.

    Raises:
        SealBroken: *seal* is not the bank's.
        StoreUnavailable: the database does not answer.
    """
    store = open_store(settings.database, settings.store_options())
    try:
        return await _count_all(seal, store)
    finally:
        await store.close()


async def _count_all(seal: Seal, store: Store) -> Counter[str]:
    counted: Counter[str] = Counter()
    last: SealedCardRow | None = None
    while True:
        page = await store.read(lambda connection, last=last: sealed_cards(connection, last, _PAGE))  # type: ignore[misc]  # of this turn
        if not page:
            return counted
        counted += count_cards(
            seal,
            ((card.sealed, seal_context(card.user_code, card.card_number)) for card in page),
        )
        last = page[-1]
