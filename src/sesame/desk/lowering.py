"""A counter that began too high: an adviser asks that it be lowered, an officer decides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind
from sesame.bank.errors import AskedAlready, MalformedUserCode, NotLowered, UnsuitableReason
from sesame.bank.lowering import Unlowered, ask_to_lower
from sesame.bank.staffing import Staff
from sesame.bank.user_code import parse_user_code
from sesame.cap.verification import HIGHEST_ATC
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import wrong_reason
from sesame.desk.guard import (
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
)
from sesame.desk.requests import (
    ASKED_ALREADY,
    COUNTER,
    LAST4,
    NO_CARD,
    NO_USER_CODE,
    known_from,
)
from sesame.web.language import language_of

_NUMBER = re.compile(r"[0-9]{1,5}")
_NO_VALUE = N_("Un compteur est un nombre entier de 0 à 65535.")
_WHY: Mapping[str, tuple[str, str]] = {  # the field, and what is wrong with it
    Unlowered.NO_CARD: ("last4", NO_CARD),
    Unlowered.NOTHING: (
        "last4",
        N_("Il n’y a rien à abaisser : l’inscription de cette carte n’a pas fixé de compteur."),
    ),
    Unlowered.ACCEPTED: (
        "last4",
        N_(
            "Un code de cette carte a déjà été accepté au-dessus. Le compteur ne passe jamais sous "
            "le dernier accepté."
        ),
    ),
    Unlowered.UNSURE: (
        "last4",
        N_(
            "Une sauvegarde a été restaurée depuis : la banque ne sait plus si un code de cette "
            "carte a été accepté. Le compteur reste où il est."
        ),
    ),
    Unlowered.NOT_LOWER: ("to", N_("Ce nombre n’est pas plus bas que le compteur attendu.")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoweringPage:
    """lowering.html: the form that asks."""

    session: SignedIn
    proof: str
    user_code: str = ""
    last4: str = ""
    to: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@for_staff(COUNTER, may=asks_for(Kind.COUNTER))
async def get_lowering(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/compteur`."""
    return _page(desk, request, staff, known_from(request), {})


@for_staff(COUNTER, may=asks_for(Kind.COUNTER))
async def post_lowering(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/compteur`: ask; a security officer decides."""
    fields = await read_pressed(desk, request, Purpose.LOWER)
    errors = await _ask(desk, request, staff, fields)
    if not errors:
        return RedirectResponse(REQUESTS, status_code=303)
    return _page(desk, request, staff, fields, errors)


async def _ask(
    desk: Desk, request: Request, staff: Staff, fields: Mapping[str, str]
) -> dict[str, str]:
    """Ask for what was typed; what is wrong with it, by field (French), where it cannot be."""
    last4, to = (fields.get(name, "").strip() for name in ("last4", "to"))
    try:
        user_code = parse_user_code(fields.get("user_code", ""))
    except MalformedUserCode:
        return {"user_code": NO_USER_CODE}
    errors = {}
    if not LAST4.fullmatch(last4):
        errors["last4"] = NO_CARD
    if not _NUMBER.fullmatch(to) or int(to) > HIGHEST_ATC:
        errors["to"] = _NO_VALUE
    if errors:
        return errors
    reason, address = fields.get("reason", ""), address_of(request)
    try:
        await ask_to_lower(
            desk.bank, staff, user_code, last4, int(to), reason=reason, address=address
        )
    except NotLowered as not_lowered:
        name, errors[name] = _WHY[not_lowered.why]
    except UnsuitableReason as wrong:
        errors["reason"] = wrong_reason(wrong)
    except AskedAlready:
        errors["last4"] = ASKED_ALREADY
    return errors


def _page(
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    say = translator(language_of(request))
    page = LoweringPage(
        session=frame(desk, request, staff, COUNTER),
        proof=button(desk, request, Purpose.LOWER),
        user_code=fields.get("user_code", "") if "user_code" not in errors else "",
        last4=fields.get("last4", "")[:4],
        to=fields.get("to", "")[:5],
        reason=fields.get("reason", ""),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
    return desk.page(request, "lowering.html", page, 422 if errors else 200)
