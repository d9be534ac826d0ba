"""Rows as a decision reads them, and what custody may find, written short."""

from msgspec.structs import replace

from sesame.bank.matching import Match, Matches
from sesame.bank.moments import to_row
from sesame.store.access import Access, State
from sesame.store.cards import CardRow, CardState
from tests.bank.branch import NINE


def card(number: int = 1, state: CardState = CardState.ACTIVE, last_atc: int = 10) -> CardRow:
    """A card of the Sésame profile."""
    return CardRow(number, state, "sesame-card-1", b"sealed", last_atc)


def access(*cards: CardRow, **changes: object) -> Access:
    """A customer's row, last moved at nine; *changes* are of its state."""
    state = State(stepped_at=to_row(NINE))
    return Access(
        user_code="VERA2345",
        version=7,
        enrolled=True,
        state=replace(state, **changes),
        cards=cards or (card(),),
    )


def near(*found: tuple[int, int]) -> Matches:
    """The code fits above the last ATC."""
    return Matches(tuple(Match(*pair) for pair in found), ())


def behind(*found: tuple[int, int]) -> Matches:
    """The code fits at or below the last ATC."""
    return Matches((), tuple(Match(*pair) for pair in found))
