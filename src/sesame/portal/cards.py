"""The two kinds of card that the pages for learners are written for, by their addresses."""

from enum import StrEnum, unique

from starlette.exceptions import HTTPException
from starlette.requests import Request


@unique
class Card(StrEnum):
    """What somebody holds; the value is its part of an address."""

    BANK = "carte-bancaire"
    SESAME = "carte-sesame"

    @property
    def other(self) -> "Card":
        """Where the instructions send those who hold the other one."""
        return Card.SESAME if self is Card.BANK else Card.BANK


def card_of(request: Request) -> Card:
    """The card that the address of *request* names.

    Raises:
        HTTPException: 404, there is no such kind.
    """
    try:
        return Card(request.path_params["card"])
    except ValueError:
        raise HTTPException(404) from None
