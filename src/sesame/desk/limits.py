"""The limits that the desk keeps: officers and auditors look, one officer asks, another decides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind, may_ask
from sesame.bank.desk_limits import LimitToday, ask_for_limit, limits_today
from sesame.bank.errors import AskedAlready, NothingToRelease, UnsuitableReason
from sesame.bank.limits import BOUNDS, stands_for
from sesame.bank.staff import shown
from sesame.bank.staffing import Staff, all_members
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import wrong_reason
from sesame.desk.guard import (
    HOME,
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
    sees_people,
)
from sesame.desk.request_words import LIMIT_NAMES
from sesame.web.formats import when
from sesame.web.language import language_of

LIMITS = f"{HOME}/limites"

_NUMBER = re.compile(r"[0-9]{1,3}")
_NO_LIMIT = N_("Choisissez la limite à changer.")
_NO_VALUE = N_("Un nombre entier entre les bornes de cette limite, autre que celui d’aujourd’hui.")
_ASKED_ALREADY = N_(
    "Un changement de limite attend déjà une décision : une limite se change après l’autre."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """A limit as it is read. `name` is what its choice sends."""

    name: str
    said: str
    value: int
    least: int
    most: int
    since: str  # « le mardi 3 mars à 14 h 32 »; empty where it is the program's
    asked_by: str  # name and staff code
    agreed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPage:
    """limits.html: each limit, and the form that asks for another value."""

    session: SignedIn
    limits: tuple[LimitLine, ...]
    may_ask: bool
    proof: str
    limit: str = ""
    value: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@for_staff(LIMITS, may=sees_people)
async def get_limits(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/limites`: for security officers and auditors."""
    return await _page(desk, request, staff, {}, {})


@for_staff(LIMITS, may=asks_for(Kind.LIMITS))
async def post_limits(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/limites`: ask; another security officer decides."""
    fields = await read_pressed(desk, request, Purpose.LIMIT)
    limit, typed = stands_for(fields.get("limit")), fields.get("value", "").strip()
    if limit is None:
        return await _page(desk, request, staff, fields, {"limit": _NO_LIMIT})
    if not _NUMBER.fullmatch(typed):
        return await _page(desk, request, staff, fields, {"value": _NO_VALUE})
    try:
        await ask_for_limit(
            desk.bank,
            staff,
            limit,
            int(typed),
            reason=fields.get("reason", ""),
            address=address_of(request),
        )
    except NothingToRelease:
        errors = {"value": _NO_VALUE}
    except UnsuitableReason as wrong:
        errors = {"reason": wrong_reason(wrong)}
    except AskedAlready:
        errors = {"limit": _ASKED_ALREADY}
    else:
        return RedirectResponse(REQUESTS, status_code=303)
    return await _page(desk, request, staff, fields, errors)


async def _page(
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    """The page with what was typed, and what was wrong with it (French), by field."""
    say = translator(language_of(request))
    names: Mapping[str, str] = {
        member.user_code: member.name for member in await all_members(desk.bank)
    }
    page = LimitsPage(
        session=frame(desk, request, staff, LIMITS),
        limits=tuple(_line(desk, request, one, names) for one in await limits_today(desk.bank)),
        may_ask=may_ask(Kind.LIMITS, staff.roles),
        proof=button(desk, request, Purpose.LIMIT),
        limit=fields.get("limit", ""),
        value=fields.get("value", "")[:3],
        reason=fields.get("reason", ""),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
    return desk.page(request, "limits.html", page, 422 if errors else 200)


def _line(desk: Desk, request: Request, one: LimitToday, names: Mapping[str, str]) -> LimitLine:
    language, bounds = language_of(request), BOUNDS[one.limit]

    def named(code: str) -> str:
        return f"{names.get(code, '')} ({shown(code)})"

    return LimitLine(
        name=one.limit,
        said=translator(language)(LIMIT_NAMES[one.limit]),
        value=one.value,
        least=bounds.least,
        most=bounds.most,
        since="" if one.since is None else when(one.since, language, now=desk.bank.now()),
        asked_by=named(one.asked_by),
        agreed_by=named(one.agreed_by),
    )
