"""Who may see what: the session behind a request, or the way to the login form."""

import hashlib
import hmac
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.sessions import Session, read_session
from sesame.portal.portal import Portal

LOGIN = "/acces/sesame"
TWO_CODES = "/acces/deux-codes"
OLD_CODE = "/acces/ancien-code"
ENDED = "session"  # why somebody is sent to the login form: the session is over
UNKNOWN = "connexion"  # or there was none


async def signed_in(portal: Portal, request: Request) -> Session | None:
    """The session of whoever sent *request*, its idle time begun anew."""
    token = portal.session_cookie.read(request)
    return None if token is None else await read_session(portal.bank, token)


def to_login(portal: Portal, request: Request) -> Response:
    """Send *request* to the login form, which says why and leads back here."""
    had_one = portal.session_cookie.read(request) is not None
    query = {"retour": request.url.path, "motif": ENDED if had_one else UNKNOWN}
    response = RedirectResponse(f"{LOGIN}?{urlencode(query)}", status_code=303)
    if had_one:
        portal.session_cookie.delete(response)
    return response


def sign_out_proof(token: str) -> str:
    """What the sign-out button of this session sends, so that no other site can press it."""
    return hmac.digest(token.encode(), b"sign out", hashlib.sha256).hex()
