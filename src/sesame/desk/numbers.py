"""The number of a card in clear: asked for here, agreed to by an officer, and shown once."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind, Unseen
from sesame.bank.approving import find_card, find_request
from sesame.bank.errors import NotShown
from sesame.bank.revealing import reveal_number
from sesame.bank.staffing import Staff
from sesame.catalogue import N_
from sesame.custody.errors import WrongUsage
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    for_staff,
    frame,
    read_pressed,
)
from sesame.desk.requests import NO_CARD, NUMBER, CardForm, known_from, read_request_id
from sesame.web.problems import ProblemPage

SHOW = f"{REQUESTS}/voir"

_GROUP = 4  # digits
_FORM = CardForm(
    kind=Kind.SHOW_NUMBER,
    address=NUMBER,
    purpose=Purpose.NUMBER,
    template="number.html",
    find=find_card,
    no_card=NO_CARD,
)
_NOT_SHOWN = N_("Le numéro n’est pas montré")
_BACK = N_("Voir les demandes")
_WHY: Mapping[str, str] = {
    Unseen.NOBODY: N_("Cette demande n’existe pas, ou la carte n’est plus là."),
    Unseen.NOT_YOURS: N_("Seule la personne qui l’a demandé voit ce numéro."),
    Unseen.NOT_GRANTED: N_("Cette demande n’est pas accordée."),
    Unseen.LATE: N_("L’accord est trop ancien : refaites la demande si elle tient."),
    Unseen.SEEN: N_("Le numéro a déjà été montré une fois. Refaites la demande si elle tient."),
}
_NOT_HERE = N_(
    "Le service des clés ne dit aucun numéro à ce guichet : voyez le réglage revealers. L’accord "
    "n’est pas consommé."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPage:
    """shown.html: the only page that ever has a number. It is not kept, and does not come again."""

    session: SignedIn
    groups: tuple[str, ...]
    about: str

    def __repr__(self) -> str:
        return "ShownPage()"


@for_staff(NUMBER, may=asks_for(Kind.SHOW_NUMBER))
async def get_number(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/numero`."""
    return _FORM.show(desk, request, staff, known_from(request), {})


@for_staff(NUMBER, may=asks_for(Kind.SHOW_NUMBER))
async def post_number(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/numero`: ask; a security officer decides."""
    return await _FORM.send(desk, request, staff)


@for_staff(REQUESTS)
async def get_show(_desk: Desk, _request: Request, _staff: Staff) -> Response:
    """`GET /guichet/demandes/voir`: nothing is shown again; where the language is changed there."""
    return RedirectResponse(REQUESTS, status_code=303)


@for_staff(REQUESTS)
async def post_show(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/voir`: show the number to whoever asked, once."""
    fields = await read_pressed(desk, request, Purpose.SHOW)
    approval = read_request_id(fields)
    if desk.revealing is None:
        return _not_shown(desk, request, _NOT_HERE)
    try:
        pan = await reveal_number(
            desk.bank, desk.revealing, staff, approval, address=address_of(request)
        )
    except NotShown as not_shown:
        return _not_shown(desk, request, _WHY[not_shown.why])
    except WrongUsage:
        return _not_shown(desk, request, _NOT_HERE)
    asked = await find_request(desk.bank, approval)
    digits = pan.digits
    page = ShownPage(
        session=frame(desk, request, staff, REQUESTS),
        groups=tuple(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP)),
        about="" if asked is None else str(asked.payload["name"]),
    )
    return desk.page(request, "shown.html", page)


def _not_shown(desk: Desk, request: Request, why: str) -> Response:
    page = ProblemPage(_NOT_SHOWN, why, _BACK, REQUESTS)
    return desk.page(request, "problem.html", page, 403)
