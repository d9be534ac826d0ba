"""Who may see what: the session behind a request, or the way to the login form."""

import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum, unique
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.sessions import Session, read_session
from sesame.portal.portal import Portal
from sesame.web.errors import ForeignRequest

LOGIN = "/acces/sesame"
TWO_CODES = "/acces/deux-codes"
OLD_CODE = "/acces/ancien-code"
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


def proof(token: str, purpose: Purpose) -> str:
    """What this session's button for *purpose* sends, so that no other site can press it."""
    return hmac.digest(token.encode(), purpose.encode(), hashlib.sha256).hex()


def require_proof(fields: Mapping[str, str], token: str, purpose: Purpose) -> None:
    """Let pass what this session's own button sends.

    Raises:
        ForeignRequest: the proof is missing, of another session or for something else.
    """
    if not hmac.compare_digest(fields.get("proof", "").encode(), proof(token, purpose).encode()):
        raise ForeignRequest(f"no proof to {purpose} in this session: open the page again")
