"""Switching over from the old code: how far everybody is, who is not ready, and their reminders."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.errors import MalformedUserCode, NotAllowed
from sesame.bank.moments import from_row
from sesame.bank.switching import (
    MAY_REMIND,
    Board,
    Reason,
    Standing,
    Way,
    read_board,
    remind,
    who_stands,
)
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_, translator
from sesame.desk.customer import address_of_customer
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    CAMPAIGN,
    Purpose,
    SignedIn,
    address_of,
    button,
    forbidden,
    frame,
    read_pressed,
    sees_customers,
    signed_in,
    to_login,
)
from sesame.web.errors import ForeignRequest
from sesame.web.formats import when
from sesame.web.guard import proof, require_proof
from sesame.web.language import language_of

WHO = f"{CAMPAIGN}/clients"
REMIND = f"{CAMPAIGN}/rappels"

_PAGE = 50
_REMINDED = "say how many reminders were written"
WAYS: Mapping[Way, str] = {
    Way.OLD_ONLY: N_("Ancien code seulement"),
    Way.BOTH: N_("Les deux codes"),
    Way.SESAME_ONLY: N_("Code Sésame seulement"),
    Way.NONE: N_("Aucun accès pour l’instant"),
}
REASONS: Mapping[Reason, str] = {
    Reason.RETURNED: N_("Un courrier est revenu : adresse à vérifier"),
    Reason.HELD: N_("Carte bloquée, aucune autre commandée"),
    Reason.NOT_ORDERED: N_("Aucune carte commandée"),
    Reason.NOT_POSTED: N_("Carte pas encore postée"),
    Reason.READER_NOT_POSTED: N_("Lecteur pas encore posté"),
    Reason.NOT_ACTIVATED: N_("Carte postée, pas encore activée"),
    Reason.NEVER_TRIED: N_("N’a jamais essayé de code Sésame"),
    Reason.TRIED_AND_FAILED: N_("A essayé un code Sésame, sans succès"),
    Reason.OLD_CODE_TO_COME: N_("Ancien code pas encore repris"),
}
_READY = N_("Prêt : l’ancien code n’existe plus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """So many customers stand there."""

    said: str
    many: int
    address: str  # of the list of them; "" where they are ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All whose account the same opens."""

    way: str
    many: int
    share: int  # percent, rounded down
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage:
    """campaign.html: the board."""

    session: SignedIn
    customers: int
    parts: tuple[Part, ...]
    may_remind: bool
    remind_proof: str
    reminded: int | None  # letters that were just planned


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """A customer who stands there. `reminded` says when they were last reminded; or ""."""

    code: str
    name: str
    reminded: str
    address: str  # of their page; "" for who may not look at it


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoPage:
    """campaign_who.html: the customers behind one number of the board."""

    session: SignedIn
    way: str
    reason: str
    customers: tuple[CustomerLine, ...]
    further: str  # address of the next page; "" where this is the last


async def get_campaign(desk: Desk, request: Request) -> Response:
    """`GET /guichet/passage`: the board."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, CAMPAIGN)
    board = await read_board(desk.bank)
    page = CampaignPage(
        session=frame(desk, request, staff, CAMPAIGN),
        customers=board.customers,
        parts=tuple(_part(board, way, request) for way in Way),
        may_remind=bool(staff.roles & MAY_REMIND),
        remind_proof=button(desk, request, Purpose.REMIND),
        reminded=_reminded(desk, request),
    )
    return desk.page(request, "campaign.html", page)


async def get_who(desk: Desk, request: Request) -> Response:
    """`GET /guichet/passage/clients?acces=…&raison=…`: who stands there."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, CAMPAIGN)
    asked = request.query_params
    try:
        standing = Standing(Way(asked.get("acces", "")), Reason(asked.get("raison", "")))
    except ValueError:
        raise HTTPException(404) from None
    after = _after(asked.get("apres", ""))
    found = await who_stands(desk.bank, standing, after=after, most=_PAGE + 1)
    language, say = language_of(request), translator(language_of(request))
    now = desk.bank.now()
    shown = found[:_PAGE]
    page = WhoPage(
        session=frame(desk, request, staff, CAMPAIGN),
        way=say(WAYS[standing.way]),
        reason=say(REASONS[Reason(asked["raison"])]),
        customers=tuple(
            CustomerLine(
                one.user_code,
                one.name,
                ""
                if one.reminded_at is None
                else when(from_row(one.reminded_at), language, now=now),
                address_of_customer(one.user_code) if sees_customers(staff) else "",
            )
            for one in shown
        ),
        further=_who(standing, shown[-1].user_code) if len(found) > _PAGE else "",
    )
    return desk.page(request, "campaign_who.html", page)


async def post_remind(desk: Desk, request: Request) -> Response:
    """`POST /guichet/passage/rappels`: have a letter written to everybody who could switch."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, CAMPAIGN)
    await read_pressed(desk, request, Purpose.REMIND)
    try:
        planned = await remind(desk.bank, staff, address=address_of(request))
    except NotAllowed:
        return forbidden(desk, request)
    proven = proof(desk.session_cookie.read(request) or "", f"{_REMINDED} {planned}")
    query = urlencode({"rappels": planned, "preuve": proven})
    return RedirectResponse(f"{CAMPAIGN}?{query}", status_code=303)


def _reminded(desk: Desk, request: Request) -> int | None:
    """How many letters this session has just had written; None where a link says so of itself."""
    asked = request.query_params
    planned, token = asked.get("rappels", ""), desk.session_cookie.read(request) or ""
    try:
        require_proof({"proof": asked.get("preuve", "")}, token, f"{_REMINDED} {planned}")
    except ForeignRequest:
        return None
    return int(planned)


def _after(typed: str) -> UserCode | None:
    """Behind whose user code the page begins; None at the beginning.

    Raises:
        HTTPException: 404, it is no user code.
    """
    try:
        return parse_user_code(typed) if typed else None
    except MalformedUserCode:
        raise HTTPException(404) from None


def _part(board: Board, way: Way, request: Request) -> Part:
    say = translator(language_of(request))
    many = board.of_way(way)
    lines = [
        Line(
            said=say(_READY if standing.reason is None else REASONS[standing.reason]),
            many=count,
            address="" if standing.reason is None else _who(standing),
        )
        for standing, count in board.counts.items()
        if standing.way is way
    ]
    return Part(
        way=say(WAYS[way]),
        many=many,
        share=100 * many // max(1, board.customers),
        lines=tuple(sorted(lines, key=lambda line: -line.many)),
    )


def _who(standing: Standing, after: str = "") -> str:
    query = {"acces": standing.way, "raison": standing.reason or ""}
    if after:
        query["apres"] = after
    return f"{WHO}?{urlencode(query)}"
