"""The login form: user code and code Sésame, one attempt a form.

303 where the code is accepted; the same page again with 422 where it is refused (one wording
for every cause) or mistyped (in words of its own, no try spent), 429 while access is suspended,
503 where nothing could be judged.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.errors import TooBusy
from sesame.bank.verification import (
    Accepted,
    Attempt,
    Door,
    Origin,
    Refused,
    Suspended,
    verify_login,
)
from sesame.catalogue import N_, translator
from sesame.custody.errors import CustodyError
from sesame.portal.formats import end_time
from sesame.portal.forms import (
    BROWSER_LENGTH,
    FORM_ID_LENGTH,
    FormTicket,
    Mistake,
    harmless,
    read_browser,
    read_codes,
    read_ticket,
)
from sesame.portal.guard import ENDED, UNKNOWN
from sesame.portal.portal import Portal
from sesame.store.errors import StoreUnavailable
from sesame.web.forms import read_form
from sesame.web.guard import internal_path, require_same_origin
from sesame.web.language import language_of

_TEMPLATE = "login.html"
_AFTERWARDS = "/espace"
_RETRY = 2  # seconds
_log = logging.getLogger("sesame")

_REFUSED = N_(
    "Connexion refusée. Vérifiez votre code utilisateur, puis générez un nouveau code Sésame : "
    "un code ne sert qu’une fois."
)
_SUSPENDED = N_(
    "Par sécurité, l’accès est suspendu jusqu’à {until}. Vous n’avez rien à faire ; "
    "si ce n’était pas vous, appelez-nous."
)
_BUSY = N_(
    "Votre demande n’a pas pu être examinée et aucun essai n’a été compté. "
    "Réessayez dans quelques instants."
)
_UNAVAILABLE = N_(
    "Le service est momentanément indisponible. "
    "Réessayez dans quelques instants avec un nouveau code Sésame."
)
_WHY_HERE = {
    ENDED: N_(
        "Votre session est terminée : elle se ferme d’elle-même après un moment sans activité. "
        "Identifiez-vous pour revenir où vous étiez."
    ),
    UNKNOWN: N_("Identifiez-vous pour ouvrir cette page."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SesamePage:
    """login.html: one form, and what was wrong with the one before. Never a code."""

    form: str  # the form's id, hex
    proof: str  # hex
    back: str  # where to go once signed in
    user_code: str = ""  # as typed
    notice: str | None = None  # why the visitor was sent here
    message: str | None = None  # what became of the attempt
    user_code_error: str | None = None
    code_error: str | None = None

    @property
    def error(self) -> bool:
        """Whether the title begins with « Erreur »."""
        return bool(self.message or self.user_code_error or self.code_error)


async def get_codes(portal: Portal, request: Request) -> Response:
    """`GET /acces/sesame`."""
    browser = read_browser(portal.browser_cookie.read(request))
    if fresh := browser is None:
        browser = portal.random_bytes(BROWSER_LENGTH)
    page = _new_form(portal, browser, request.query_params)
    if why := _WHY_HERE.get(request.query_params.get("motif", "")):
        page = replace(page, notice=translator(language_of(request))(why))
    response = portal.page(request, _TEMPLATE, page)
    if fresh:
        portal.browser_cookie.set(response, browser.hex())
    return response


async def post_codes(portal: Portal, request: Request) -> Response:
    """`POST /acces/sesame`: parse, ask once, show."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    ticket = read_ticket(fields, read_browser(portal.browser_cookie.read(request)))
    answer = _Answer(portal, request, ticket.browser, fields)
    codes = read_codes(portal.bank, fields.get("user_code", ""), fields.get("code", ""))
    if isinstance(codes, Mistake):
        return answer.mistaken(codes)
    attempt = Attempt(
        id=ticket.id,
        user_code=codes.user_code,
        code=codes.code,
        origin=Origin(Door.PORTAL, request.client.host if request.client else ""),
        session_seed=ticket.session_seed,
    )
    try:
        outcome = await verify_login(portal.bank, attempt)
    except TooBusy:
        return answer.again(_BUSY, 503, retry_after=_RETRY)
    except (StoreUnavailable, CustodyError) as error:
        # The type alone: what these errors say is for who looks into the database.
        _log.error("a login could not be judged: %s", type(error).__name__)
        return answer.again(_UNAVAILABLE, 503, retry_after=_RETRY)
    match outcome:
        case Accepted(session_token):
            return answer.signed_in(session_token or "")  # there is one: a seed was given
        case Refused():
            return answer.again(_REFUSED, 422)
        case Suspended(until):
            return answer.suspended(until)


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """What may become of a form that was sent: the way in, or the same page with a new form.

    It does not print itself: the fields hold the code.
    """

    portal: Portal
    request: Request
    browser: bytes
    fields: Mapping[str, str]

    def signed_in(self, session_token: str) -> Response:
        response = RedirectResponse(_back(self.fields), status_code=303)
        self.portal.session_cookie.set(response, session_token)
        return response

    def mistaken(self, mistake: Mistake) -> Response:
        form = self._new_form()
        page = replace(
            form,
            user_code=mistake.swapped or form.user_code,
            user_code_error=mistake.user_code and self._say(mistake.user_code),
            code_error=mistake.code and self._say(mistake.code),
        )
        return self.portal.page(self.request, _TEMPLATE, page, 422)

    def suspended(self, until: datetime) -> Response:
        wait = ceil((until - self.portal.bank.now()).total_seconds())
        return self.again(
            _SUSPENDED,
            429,
            retry_after=max(wait, 1),
            until=end_time(until, language_of(self.request)),
        )

    def again(
        self, message: str, status: int, *, retry_after: int | None = None, **places: str
    ) -> Response:
        page = replace(self._new_form(), message=self._say(message).format(**places))
        response = self.portal.page(self.request, _TEMPLATE, page, status)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _new_form(self) -> SesamePage:
        """Where the user code stands still, and the code never."""
        form = _new_form(self.portal, self.browser, self.fields)
        typed = self.fields.get("user_code", "")
        return replace(form, user_code=harmless(self.portal.bank, typed))

    def _say(self, sentence: str) -> str:
        return translator(language_of(self.request))(sentence)


def _new_form(portal: Portal, browser: bytes, fields: Mapping[str, str]) -> SesamePage:
    ticket = FormTicket(portal.random_bytes(FORM_ID_LENGTH), browser)
    return SesamePage(form=ticket.id.hex(), proof=ticket.proof, back=_back(fields))


def _back(fields: Mapping[str, str]) -> str:
    """Where the form leads: `retour`, if that is a page of ours."""
    return internal_path(fields.get("retour", ""), _AFTERWARDS)
