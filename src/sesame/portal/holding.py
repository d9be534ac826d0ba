"""« Bloquer vos codes Sésame »: a customer holds their own cards, sees a number once, and no more.

Open to a session of the old code too: it may look, and stop what it cannot start.
"""

import re
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.activation import spell_number
from sesame.bank.errors import NothingToHold
from sesame.bank.holding import hold_own, may_hold
from sesame.bank.origin import Door, Origin, source_address
from sesame.portal.guard import Purpose, signed_in, to_login
from sesame.portal.portal import Portal
from sesame.portal.signed_in import SignedIn, session_frame, show
from sesame.web.errors import ForeignRequest
from sesame.web.forms import read_form
from sesame.web.guard import proof, require_proof, require_same_origin
from sesame.web.tickets import FORM_ID_LENGTH

HOLDING = "/espace/bloquer"
_FORM_ID = re.compile(rf"[0-9a-f]{{{2 * FORM_ID_LENGTH}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPage:
    """hold.html: what holding means, and its one button, where there is something to hold."""

    session: SignedIn
    possible: bool
    form: str  # the form's id, hex
    proof: str  # hex


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPage:
    """held.html: that it is done, and the number that lifts it."""

    session: SignedIn
    number: str = field(repr=False)  # « 1234-5678 »


async def get_hold(portal: Portal, request: Request) -> Response:
    """`GET /espace/bloquer`."""
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request)
    page = HoldPage(
        session=session_frame(portal, request, session, HOLDING),
        possible=await may_hold(portal.bank, session),
        form=portal.random_bytes(FORM_ID_LENGTH).hex(),
        proof=proof(portal.session_cookie.read(request) or "", Purpose.HOLD),
    )
    return show(portal, request, "hold.html", page)


async def post_hold(portal: Portal, request: Request) -> Response:
    """`POST /espace/bloquer`: hold, and show the number. The same form again shows it again."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request, back=HOLDING)
    require_proof(fields, portal.session_cookie.read(request) or "", Purpose.HOLD)
    if not _FORM_ID.fullmatch(fields.get("form", "")):
        raise ForeignRequest("the form is not ours: open it again")
    origin = Origin(Door.PORTAL, source_address(request.client.host if request.client else ""))
    try:
        held = await hold_own(portal.bank, session, origin, bytes.fromhex(fields["form"]))
    except NothingToHold:
        return await get_hold(portal, request)
    page = HeldPage(
        session=session_frame(portal, request, session, HOLDING),
        number=spell_number(held.number),
    )
    return show(portal, request, "held.html", page)
