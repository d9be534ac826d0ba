"""Finding a customer: one field for whatever whoever calls can say.

Sent as a form, so that no name stands in an address. Exactly one hit leads straight there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.errors import TooVague, WholeNumber
from sesame.bank.search import Hits, read_query, search
from sesame.bank.staffing import Staff
from sesame.catalogue import N_, translator
from sesame.desk.customer import address_of_customer
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    SEARCH,
    Purpose,
    SignedIn,
    button,
    for_staff,
    frame,
    read_pressed,
    sees_customers,
)
from sesame.web.language import language_of

_VAGUE = N_("Entrez un peu plus : deux lettres d’un nom au moins, ou quatre chiffres.")
_WHOLE = N_(
    "C’est peut-être un numéro de carte entier : ne le demandez pas et ne l’entrez nulle part. "
    "Ses quatre derniers chiffres suffisent."
)
_LONGEST = 120  # characters that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class HitLines:
    """Somebody who was found, as a list tells them apart."""

    name: str
    user_code: str
    address: str
    place: str
    cards: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """search.html: the field, and who was found; `found` is None before anything was asked."""

    session: SignedIn
    proof: str
    typed: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    found: tuple[HitLines, ...] | None = None
    more: bool = False


@for_staff(SEARCH, may=sees_customers)
async def get_search(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/recherche`."""
    page = SearchPage(
        session=frame(desk, request, staff, SEARCH), proof=button(desk, request, Purpose.SEARCH)
    )
    return desk.page(request, "search.html", page)


@for_staff(SEARCH, may=sees_customers)
async def post_search(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/recherche`: 303 where it can be one person only."""
    fields = await read_pressed(desk, request, Purpose.SEARCH)
    typed = fields.get("search", "")[:_LONGEST]
    hits, wrong = Hits((), more=False), ""
    try:
        hits = await search(desk.bank, read_query(typed))
    except TooVague:
        wrong = _VAGUE
    except WholeNumber:
        wrong, typed = _WHOLE, ""  # not even back to who typed it
    if len(hits.found) == 1:
        return RedirectResponse(address_of_customer(hits.found[0].user_code), status_code=303)
    say = translator(language_of(request))
    page = SearchPage(
        session=frame(desk, request, staff, SEARCH),
        proof=button(desk, request, Purpose.SEARCH),
        typed=typed,
        errors={"search": say(wrong)} if wrong else {},
        found=None if wrong else tuple(_lines(hits)),
        more=hits.more,
    )
    return desk.page(request, "search.html", page, 422 if wrong else 200)


def _lines(hits: Hits) -> list[HitLines]:
    return [
        HitLines(
            name=one.name,
            user_code=one.user_code,
            address=address_of_customer(one.user_code),
            place=one.place,
            cards=tuple(f"••••{last4}" for last4 in one.last4),
        )
        for one in hits.found
    ]
