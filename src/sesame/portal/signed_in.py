"""What every page of a signed-in customer has around it: how long, where to, and an alarm.

These pages alone run a script, which warns a minute before the session ends. What it does is
a comfort: the limit stands on the page as text, and the server ends the session by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sesame.bank.sessions import Session, read_session
from sesame.catalogue import N_, Language, translator
from sesame.portal.guard import ENDED, LOGIN, Purpose, login_address
from sesame.portal.portal import Portal
from sesame.web.formats import time, when
from sesame.web.forms import read_form
from sesame.web.guard import proof, require_proof, require_same_origin
from sesame.web.headers import CSP_WITH_SCRIPT
from sesame.web.language import language_of
from sesame.web.opening import PARIS
from sesame.web.problems import ProblemPage

SPACE = "/espace"
_TODAY = N_("aujourd’hui à\u00a0{time}")
_VIEW_ONLY = ProblemPage(
    N_("Pas avec l’ancien code"),
    N_(
        "Cette connexion s’est faite avec votre ancien code confidentiel : elle sert à consulter "
        "vos comptes, et rien n’a été changé. Pour le faire, connectez-vous avec un code Sésame, "
        "ou appelez-nous."
    ),
    N_("Revenir à votre espace"),
    SPACE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """signed_in.html: the session as its pages show it. The proofs are hex."""

    here: str  # where a login leads back to, and the link that prolongs without script
    view_only: bool
    replayed: str | None  # when somebody presented a used code while this session was open
    idle_minutes: int
    idle_until: str  # « à 14 h 32 »
    ends_at: str  # likewise
    left: int  # seconds
    last: bool  # nothing prolongs it any more
    login: str  # where the script leads once it is over
    prolong_proof: str
    sign_out_proof: str
    end_all_proof: str


def session_frame(
    portal: Portal, request: Request, session: Session, here: str, *, form: str = LOGIN
) -> SignedIn:
    """What the page at *here* has around it; *form* is the login that leads back to it."""
    language = language_of(request)
    token = portal.session_cookie.read(request) or ""
    now, replayed = portal.bank.now(), session.replayed_at
    return SignedIn(
        here=here,
        view_only=session.view_only,
        replayed=None if replayed is None else past(replayed, language, now=now),
        idle_minutes=int(portal.bank.limits.session_idle.total_seconds()) // 60,
        idle_until=when(session.idle_until, language, now=now),
        ends_at=when(session.ends_at, language, now=now),
        left=_left(portal, session),
        last=_is_last(session),
        login=login_address(here, ENDED, form=form),
        prolong_proof=proof(token, Purpose.PROLONG),
        sign_out_proof=proof(token, Purpose.SIGN_OUT),
        end_all_proof=proof(token, Purpose.END_ALL),
    )


def show(
    portal: Portal, request: Request, template: str, page: object, status: int = 200
) -> Response:
    """Show *page*, which has a session around it and may run our script."""
    response = portal.page(request, template, page, status)
    # Here and on no other answer: where people sign in, no script runs at all.
    response.headers["Content-Security-Policy"] = CSP_WITH_SCRIPT
    return response


def show_view_only(portal: Portal, request: Request) -> Response:
    """Refuse what a session of the old code may not do, and say why."""
    return portal.page(request, "problem.html", _VIEW_ONLY, 403)


def past(moment: datetime, language: Language, *, now: datetime) -> str:
    """`aujourd’hui à 14 h 32`, `le lundi 2 mars à 14 h 32`: what was, and when."""
    if moment.astimezone(PARIS).date() == now.astimezone(PARIS).date():
        return translator(language)(_TODAY).format(time=time(moment, language))
    return when(moment, language, now=now)


async def get_left(portal: Portal, request: Request) -> Response:
    """`GET /espace/reste`: how long the session holds. Looking is no activity."""
    return _tell_left(portal, await _session(portal, request, touch=False))


async def post_left(portal: Portal, request: Request) -> Response:
    """`POST /espace/reste`: the customer is there, and the idle time begins anew."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    session = await _session(portal, request, touch=False)
    if session is not None:
        require_proof(fields, portal.session_cookie.read(request) or "", Purpose.PROLONG)
        session = await _session(portal, request, touch=True)
    return _tell_left(portal, session)


async def _session(portal: Portal, request: Request, *, touch: bool) -> Session | None:
    token = portal.session_cookie.read(request)
    return None if token is None else await read_session(portal.bank, token, touch=touch)


def _tell_left(portal: Portal, session: Session | None) -> Response:
    """Whole seconds, 0 where there is no session; and whether nothing prolongs it any more."""
    if session is None:
        return JSONResponse({"seconds": 0, "last": True})
    return JSONResponse({"seconds": _left(portal, session), "last": _is_last(session)})


def _left(portal: Portal, session: Session) -> int:
    """Rounded up: who waits so long finds it over."""
    return max(0, ceil((session.idle_until - portal.bank.now()).total_seconds()))


def _is_last(session: Session) -> bool:
    return session.idle_until == session.ends_at
