"""Who may see what: the session behind a request, or the way to the login form."""

from enum import StrEnum, unique
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.sessions import Session, read_session
from sesame.portal.portal import Portal

LOGIN = "/acces/sesame"
TWO_CODES = "/acces/deux-codes"
OLD_CODE = "/acces/ancien-code"
CHALLENGE = "/acces/repondre"
ACTIVATION = "/activation"
ACTIVATION_TWO = f"{ACTIVATION}/deux-codes"
ACTIVATION_CHALLENGE = f"{ACTIVATION}/repondre"
RELEASE = "/deblocage"
RELEASE_TWO = f"{RELEASE}/deux-codes"
RELEASE_CHALLENGE = f"{RELEASE}/repondre"
ENDED = "session"  # why somebody is sent to the login form: the session is over
UNKNOWN = "connexion"  # or there was none


@unique
class Purpose(StrEnum):
    """What a button of the signed-in pages does; the proof of one is none of another."""

    SIGN_OUT = "sign out"
    PROLONG = "prolong"
    END_ONE = "end one session"
    END_OTHERS = "end other sessions"
    END_ALL = "end all sessions"
    FORGET_DEVICES = "forget devices"
    REHEARSE = "rehearse"
    HOLD = "hold"


async def signed_in(portal: Portal, request: Request) -> Session | None:
    """The session of whoever sent *request*, its idle time begun anew."""
    token = portal.session_cookie.read(request)
    return None if token is None else await read_session(portal.bank, token)


def to_login(
    portal: Portal, request: Request, *, form: str = LOGIN, back: str | None = None
) -> Response:
    """Send *request* to a login form, which says why and leads *back*, or here again."""
    had_one = portal.session_cookie.read(request) is not None
    why = ENDED if had_one else UNKNOWN
    address = login_address(back or request.url.path, why, form=form)
    response = RedirectResponse(address, status_code=303)
    if had_one:
        portal.session_cookie.delete(response)
    return response


def login_address(back: str, why: str, *, form: str = LOGIN) -> str:
    """The login form that says *why* somebody is there, and leads *back*."""
    return f"{form}?{urlencode({'retour': back, 'motif': why})}"
