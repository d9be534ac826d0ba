"""A new activation number for a customer whose card waits: the adviser asks, the post brings it."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.errors import MalformedUserCode, NotAllowed, NothingToSend
from sesame.bank.new_number import may_send, send_new_number, waiting_cards
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    Purpose,
    SignedIn,
    address_of,
    button,
    forbidden,
    frame,
    read_pressed,
    signed_in,
    to_login,
)
from sesame.web.errors import MalformedForm
from sesame.web.formats import when
from sesame.web.language import language_of

NEW_NUMBER = "/guichet/client/{user_code}/activation"
_ORDER = re.compile(r"[1-9][0-9]{0,4}")
_UNCHECKED = N_("Cochez la case quand vous avez reconnu la personne. Rien n’a été demandé.")
_NOTHING = N_(
    "Cette carte n’attend plus son activation, ou une lettre est déjà à imprimer. Rien n’a été "
    "demandé."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """One card that waits, as it is read."""

    order: int
    last4: str
    until: str
    over: bool
    planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumberPage:
    """new_number.html: the cards that wait, and the button for each."""

    session: SignedIn
    action: str
    proof: str
    user_code: str
    cards: tuple[WaitingLine, ...]
    error: str | None = None
    unticked: int | None = None  # the order of the card whose box was not ticked
    sent: str | None = None  # the reference of the letter


async def get_new_number(desk: Desk, request: Request) -> Response:
    """`GET /guichet/client/{user_code}/activation`."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, request.url.path)
    if not may_send(staff):
        return forbidden(desk, request)
    return await _show(desk, request, staff)


async def post_new_number(desk: Desk, request: Request) -> Response:
    """`POST` of the same: plan one more letter of the reader."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, request.url.path)
    fields = await read_pressed(desk, request, Purpose.NEW_NUMBER)
    if not may_send(staff):
        return forbidden(desk, request)
    if not _ORDER.fullmatch(fields.get("order", "")):
        raise MalformedForm("the field order is no order's number", status=400)
    order = int(fields["order"])
    if not fields.get("checked"):
        return await _show(desk, request, staff, error=_UNCHECKED, unticked=order)
    try:
        sent = await send_new_number(
            desk.bank, staff, _user_code(request), order, address=address_of(request)
        )
    except NotAllowed:
        return forbidden(desk, request)
    except NothingToSend:
        return await _show(desk, request, staff, error=_NOTHING)
    return await _show(desk, request, staff, sent=sent)


def _user_code(request: Request) -> UserCode:
    try:
        return parse_user_code(request.path_params["user_code"])
    except MalformedUserCode:
        raise MalformedForm("the address names no customer", status=404) from None


async def _show(  # noqa: PLR0913 -- the request, who sent it, and what came of it
    desk: Desk,
    request: Request,
    staff: Staff,
    *,
    error: str | None = None,
    unticked: int | None = None,
    sent: str | None = None,
) -> Response:
    user_code, now, language = _user_code(request), desk.bank.now(), language_of(request)
    page = NewNumberPage(
        session=frame(desk, request, staff, request.url.path),
        action=NEW_NUMBER.format(user_code=user_code),
        proof=button(desk, request, Purpose.NEW_NUMBER),
        user_code=user_code,
        cards=tuple(
            WaitingLine(
                order=card.order_number,
                last4=card.last4,
                until=when(card.until, language, now=now),
                over=now >= card.until,
                planned=card.planned,
            )
            for card in await waiting_cards(desk.bank, user_code)
        ),
        error=error and translator(language)(error),
        unticked=unticked,
        sent=sent,
    )
    return desk.page(request, "new_number.html", page, 422 if error else 200)
