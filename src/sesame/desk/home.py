"""The first page of somebody signed in, and the way out. An adviser's begins with who may call."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import barred
from sesame.bank.approving import recent_requests
from sesame.bank.callers import MOST_PAGES, Caller, likely_callers
from sesame.bank.sessions import end_session
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff, read_staff_session
from sesame.catalogue import N_, translator
from sesame.desk.customer import address_of_customer, standing_said
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    HOME,
    LOGIN,
    Purpose,
    SignedIn,
    for_staff,
    frame,
    read_pressed,
)
from sesame.desk.issuing import is_issuer
from sesame.desk.requests import asked_for
from sesame.desk.timeline_words import Speaker
from sesame.web.formats import when
from sesame.web.language import language_of

SPANS = (1, 4, 24)  # hours to choose from, the first by default

_TIMES = N_("Refus dans cet intervalle : {times}.")
_SINCE = N_("A pu se connecter depuis, {when}.")
_HOUR = N_("la dernière heure")
_HOURS = N_("les {hours} dernières heures")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLines:
    """Somebody who is likely calling now."""

    name: str
    user_code: str
    address: str
    when: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallersLines:
    """Those of one page, how far back they are looked for, and where the others stand."""

    callers: tuple[CallerLines, ...]
    span: str
    spans: tuple[tuple[str, str], ...]  # others to choose, and their addresses
    more: str  # the address of the next page; empty on the last
    before: str  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """home.html: who may call, what waits for this person, and what they may do."""

    session: SignedIn
    callers: CallersLines | None  # an adviser's alone
    waiting: int  # requests that they may decide on
    may_ask: tuple[tuple[str, str], ...]  # what, and where it is asked for
    issues: bool


@for_staff(HOME)
async def get_home(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet`: for advisers `?depuis=` hours (1, 4 or 24) and `?page=`."""
    now = desk.bank.now()
    waiting = sum(
        barred(asked, staff.user_code, staff.roles, now) is None
        for asked in await recent_requests(desk.bank)
    )
    page = HomePage(
        session=frame(desk, request, staff, HOME),
        callers=await _callers(desk, request) if Role.ADVISER in staff.roles else None,
        waiting=waiting,
        may_ask=tuple(asked_for(staff, language_of(request))),
        issues=is_issuer(staff),
    )
    return desk.page(request, "home.html", page)


async def post_sign_out(desk: Desk, request: Request) -> Response:
    """`POST /guichet/deconnexion`: end the session, if there is one still."""
    await read_pressed(desk, request, Purpose.SIGN_OUT)
    token = desk.session_cookie.read(request)
    if token is not None and await read_staff_session(desk.bank, token) is not None:
        await end_session(desk.bank, token)
    response = RedirectResponse(LOGIN, status_code=303)
    desk.session_cookie.delete(response)
    # Forms that were opened before are void: who comes next to this computer starts anew.
    desk.browser_cookie.delete(response)
    return response


async def _callers(desk: Desk, request: Request) -> CallersLines:
    hours = _one_of(request.query_params.get("depuis", ""), SPANS)
    number = _one_of(request.query_params.get("page", ""), range(1, MOST_PAGES + 1))
    found = await likely_callers(desk.bank, span=timedelta(hours=hours), page=number)
    return CallersLines(
        callers=tuple(_lines(desk, request, caller) for caller in found.callers),
        span=_span(request, hours),
        spans=tuple((_span(request, other), _place(other, 1)) for other in SPANS if other != hours),
        more=_place(hours, number + 1) if found.more else "",
        before=_place(hours, number - 1) if number > 1 else "",
    )


def _lines(desk: Desk, request: Request, caller: Caller) -> CallerLines:
    language = language_of(request)
    say = translator(language)
    speaker = Speaker(
        language=language,
        now=desk.bank.now(),
        user_code=caller.user_code,
        cards=caller.cards,
        names={},
    )
    sentences = [*speaker.sentences(caller.last)[:1], *standing_said(caller.standing, speaker)]
    if caller.times > 1:
        sentences.append(say(_TIMES).format(times=caller.times))
    if caller.signed_in_since is not None:
        at = when(caller.signed_in_since, language, now=speaker.now)
        sentences.append(say(_SINCE).format(when=at))
    return CallerLines(
        name=caller.name,
        user_code=caller.user_code,
        address=address_of_customer(caller.user_code),
        when=speaker.when(caller.last),
        sentences=tuple(sentences),
    )


def _span(request: Request, hours: int) -> str:
    say = translator(language_of(request))
    return say(_HOUR) if hours == 1 else say(_HOURS).format(hours=hours)


def _place(hours: int, page: int) -> str:
    return f"{HOME}?{urlencode({'depuis': hours, 'page': page})}#appels"


def _one_of(typed: str, known: "tuple[int, ...] | range") -> int:
    """What the address asks for, if it is *known*; else the first of them."""
    numbers = {str(number): number for number in known}
    return numbers.get(typed, known[0])
