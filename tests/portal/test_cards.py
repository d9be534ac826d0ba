"""Two kinds of card, and no third."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sesame.portal.cards import Card, card_of


def _request(card: str) -> Request:
    return Request({"type": "http", "path_params": {"card": card}})


@pytest.mark.parametrize("card", Card)
def test_the_address_names_the_card(card: Card) -> None:
    """And the other one is the other one."""
    assert card_of(_request(card.value)) is card
    assert card.other is not card
    assert card.other.other is card


@pytest.mark.parametrize("card", ["", "carte", "Carte-bancaire", "bank"])
def test_another_card_is_not_found(card: str) -> None:
    """404, as for every address that does not exist."""
    with pytest.raises(HTTPException) as raised:
        card_of(_request(card))
    assert raised.value.status_code == 404
