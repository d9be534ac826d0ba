"""« Premier essai »: a customer of the old code checks a code Sésame before they depend on it.

It costs no try of the login. A right code is used up by it, and the page says so.
"""

import re
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame import logs
from sesame.bank.errors import TooBusy
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.rehearsal import Rehearsed, rehearse
from sesame.bank.sessions import Session
from sesame.catalogue import N_, translator
from sesame.custody.errors import CustodyBusy, CustodyError
from sesame.portal.forms import read_rehearsed_code
from sesame.portal.guard import OLD_CODE, Purpose, signed_in, to_login
from sesame.portal.portal import Portal
from sesame.portal.signed_in import SignedIn, session_frame, show
from sesame.store.errors import StoreUnavailable
from sesame.web.errors import ForeignRequest
from sesame.web.forms import read_form
from sesame.web.guard import proof, require_proof, require_same_origin
from sesame.web.language import language_of
from sesame.web.tickets import FORM_ID_LENGTH

REHEARSAL = "/premier-essai/verifier"
BRAVO = "/premier-essai/bravo"
_RETRY = "2"  # seconds
_FORM_ID = re.compile(rf"[0-9a-f]{{{2 * FORM_ID_LENGTH}}}")
_ENOUGH = N_(
    "C’est assez pour l’instant : plusieurs codes n’étaient pas justes. Réessayez dans 24 heures, "
    "ou appelez-nous et nous chercherons ensemble."
)
_NOT_CHECKED = N_(
    "Votre code n’a pas pu être vérifié et rien n’a été compté. Réessayez dans quelques instants."
)
_PERHAPS_CHECKED = N_(
    "Le service est momentanément indisponible. "
    "Réessayez dans quelques instants avec un nouveau code Sésame."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalPage:
    """rehearsal.html: one field, and what became of the code before. Never a code."""

    session: SignedIn
    form: str  # the form's id, hex
    proof: str  # hex
    wrong: bool = False  # the code was not right: what to look at is listed
    message: str | None = None  # it was not checked
    code_error: str | None = None  # it was mistyped

    @property
    def error(self) -> bool:
        """Whether the title begins with « Erreur »."""
        return bool(self.wrong or self.message or self.code_error)


@dataclass(frozen=True, slots=True)
class BravoPage:
    """bravo.html: nothing but what every signed-in page shows."""

    session: SignedIn


@dataclass(frozen=True, slots=True)
class NoRehearsalPage:
    """no_rehearsal.html: likewise."""

    session: SignedIn


async def get_rehearsal(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai/verifier`."""
    session = await signed_in(portal, request)
    if session is None or not session.view_only:
        return _elsewhere(portal, request, session)
    return show(portal, request, "rehearsal.html", _form(portal, request, session))


async def get_bravo(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai/bravo`: where a right code leads."""
    session = await signed_in(portal, request)
    if session is None or not session.view_only:
        return _elsewhere(portal, request, session)
    page = BravoPage(session_frame(portal, request, session, BRAVO, form=OLD_CODE))
    return show(portal, request, "bravo.html", page)


async def post_rehearsal(portal: Portal, request: Request) -> Response:
    """`POST /premier-essai/verifier`: check one code."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    session = await signed_in(portal, request)
    if session is None or not session.view_only:
        return _elsewhere(portal, request, session)
    require_proof(fields, portal.session_cookie.read(request) or "", Purpose.REHEARSE)
    if not _FORM_ID.fullmatch(fields.get("form", "")):
        raise ForeignRequest("the form is not ours: open it again")
    form = _form(portal, request, session)
    say = translator(language_of(request))
    code = read_rehearsed_code(portal.bank, fields, session.user_code)
    if isinstance(code, str):
        page = replace(form, code_error=say(code))
        return show(portal, request, "rehearsal.html", page, 422)
    origin = Origin(Door.PORTAL, source_address(request.client.host if request.client else ""))
    attempt = bytes.fromhex(fields["form"])
    try:
        outcome = await rehearse(portal.bank, session.user_code, code, origin, attempt)
    except (TooBusy, StoreUnavailable, CustodyError) as error:
        sentence = _NOT_CHECKED
        if not isinstance(error, TooBusy | CustodyBusy):
            logs.attempt_unjudged("a code could not be checked", error)
            sentence = _PERHAPS_CHECKED
        page = replace(form, message=say(sentence))
        response = show(portal, request, "rehearsal.html", page, 503)
        response.headers["Retry-After"] = _RETRY
        return response
    match outcome:
        case Rehearsed.RIGHT:
            return RedirectResponse(BRAVO, status_code=303)
        case Rehearsed.WRONG:
            return show(portal, request, "rehearsal.html", replace(form, wrong=True), 422)
        case Rehearsed.ENOUGH:
            page = replace(form, message=say(_ENOUGH))
            return show(portal, request, "rehearsal.html", page, 429)


def _elsewhere(portal: Portal, request: Request, session: Session | None) -> Response:
    """Nobody is signed in, or with Sésame already: there is nothing to check."""
    if session is None:
        return to_login(portal, request, form=OLD_CODE, back=REHEARSAL)
    page = NoRehearsalPage(session_frame(portal, request, session, REHEARSAL))
    return show(portal, request, "no_rehearsal.html", page)


def _form(portal: Portal, request: Request, session: Session) -> RehearsalPage:
    token = portal.session_cookie.read(request) or ""
    return RehearsalPage(
        session=session_frame(portal, request, session, REHEARSAL, form=OLD_CODE),
        form=portal.random_bytes(FORM_ID_LENGTH).hex(),
        proof=proof(token, Purpose.REHEARSE),
    )
