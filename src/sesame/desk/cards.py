"""Cards as staff read them: their kind, how they end, and whether they work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sesame.bank.customers import CardKind
from sesame.catalogue import N_
from sesame.store.cards import CardState
from sesame.store.help_line import Named, NamedCard

KINDS: Mapping[str, str] = {
    CardKind.BANK: N_("Carte bancaire ••••{last4}"),
    CardKind.SESAME: N_("Carte Sésame ••••{last4}"),
}
STATES: Mapping[CardState, str] = {
    CardState.ACTIVE: N_("en service"),
    CardState.HELD: N_("bloquée"),
    CardState.WAITING: N_("à activer"),
    CardState.RETIRED: N_("retirée pour toujours"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """One card as it is read. `chosen` ticks it in a form."""

    number: int
    name: str
    state: str
    lives: bool
    chosen: bool = False


def card_lines(
    named: Named, say: Callable[[str], str], chosen: frozenset[int] = frozenset()
) -> tuple[CardLine, ...]:
    """The cards of a customer, first to last."""
    return tuple(
        CardLine(
            number=card.number,
            name=card_name(card, say),
            state=say(STATES[card.state]),
            lives=card.state is not CardState.RETIRED,
            chosen=card.number in chosen,
        )
        for card in named.cards
    )


def card_name(card: NamedCard, say: Callable[[str], str]) -> str:
    """« Carte Sésame ••••1234 »."""
    return say(KINDS[card.kind]).format(last4=card.last4)
