"""The instructions: one sheet for those with a bank card, one for those with a Sésame card."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sesame.portal.cards import Card, card_of
from sesame.portal.portal import Portal
from sesame.web.drawn_reader import FACES, Drawing, draw
from sesame.web.language import language_of

_LARGE = "grands"  # ?caracteres=grands


@dataclass(frozen=True, slots=True)
class InstructionsIndexPage:
    """instructions_index.html: the two sheets to choose from."""


@dataclass(frozen=True, slots=True)
class InstructionsPage:
    """instructions.html: one sheet, on one side of A4 unless its letters are large."""

    card: Card
    large: bool
    drawing: Drawing  # the reader that has made a code

    @property
    def bank(self) -> bool:
        """Whether the sheet is for a bank card."""
        return self.card is Card.BANK


async def get_instructions_index(portal: Portal, request: Request) -> Response:
    """`GET /mode-d-emploi`."""
    return portal.page(request, "instructions_index.html", InstructionsIndexPage())


async def get_instructions(portal: Portal, request: Request) -> Response:
    """`GET /mode-d-emploi/{card}`, with `?caracteres=grands` in large print."""
    page = InstructionsPage(
        card=card_of(request),
        large=request.query_params.get("caracteres") == _LARGE,
        drawing=draw(FACES["code-shown"], language_of(request)),
    )
    return portal.page(request, "instructions.html", page)
