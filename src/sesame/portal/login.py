"""The ways in: one code Sésame, two of them in a row, or the old code; one attempt a form.

303 where it is accepted; the same page again with 422 where it is refused (one wording for
every cause) or mistyped (in words of its own, no try spent), 429 while access is suspended,
503 where nothing could be judged.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.bank import Bank
from sesame.bank.errors import TooBusy
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.sessions import end_session
from sesame.bank.verification import (
    Accepted,
    Attempt,
    Outcome,
    Refused,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.catalogue import N_, translator
from sesame.custody.errors import CustodyError
from sesame.portal.devices import read_devices, with_device
from sesame.portal.formats import until as until_when
from sesame.portal.forms import (
    BROWSER_LENGTH,
    FORM_ID_LENGTH,
    FormTicket,
    Mistake,
    Typed,
    harmless,
    read_browser,
    read_old_code,
    read_sesame,
    read_ticket,
    read_two_codes,
)
from sesame.portal.guard import ENDED, LOGIN, OLD_CODE, TWO_CODES, UNKNOWN
from sesame.portal.portal import Portal
from sesame.store.errors import StoreUnavailable
from sesame.web.forms import read_form
from sesame.web.guard import internal_path, require_same_origin
from sesame.web.language import language_of

_AFTERWARDS = "/espace"
_RETRY = 2  # seconds
_log = logging.getLogger("sesame")


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: its address, its page, how it is read, and its own sentences (French)."""

    path: str
    template: str
    read: Callable[[Bank, Mapping[str, str]], Typed | Mistake]
    refused: str
    two_codes_wanted: str


_SUSPENDED = N_(
    "Par sécurité, l’accès est suspendu {until}. Vous n’avez rien à faire ; "
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
_WANTED = N_(
    "Par prudence, deux codes Sésame de suite sont demandés cette fois. Le code que vous venez "
    "d’entrer n’est pas perdu : entrez-le de nouveau, puis faites un second code."
)
_SESAME = Way(
    path=LOGIN,
    template="login.html",
    read=read_sesame,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur, puis générez un nouveau code "
        "Sésame : un code ne sert qu’une fois."
    ),
    two_codes_wanted=_WANTED,
)
_TWO_CODES = Way(
    path=TWO_CODES,
    template="two_codes.html",
    read=read_two_codes,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur, puis faites deux nouveaux codes "
        "de suite, avec la même carte, et entrez-les dans l’ordre."
    ),
    two_codes_wanted=_WANTED,
)
_OLD_CODE = Way(
    path=OLD_CODE,
    template="old_code.html",
    read=read_old_code,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur et votre ancien code confidentiel. "
        "Si vous vous êtes déjà connecté avec Sésame, l’ancien code ne sert plus : prenez votre "
        "lecteur."
    ),
    two_codes_wanted=N_(
        "Par prudence, l’ancien code ne suffit pas en ce moment. Réessayez dans une heure, ou "
        "connectez-vous avec deux codes Sésame de suite, ou depuis un ordinateur où vous vous êtes "
        "déjà connecté, ou appelez-nous."
    ),
)
_WHY_HERE = {
    ENDED: N_(
        "Votre session est terminée : après quelques minutes sans activité, au bout de sa durée "
        "maximale, ou parce qu’on y a mis fin. Identifiez-vous pour revenir où vous étiez."
    ),
    UNKNOWN: N_("Identifiez-vous pour ouvrir cette page."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """login.html, two_codes.html and old_code.html: one form, and what was wrong before.

    Never a code.
    """

    action: str  # where the form is sent
    form: str  # the form's id, hex
    proof: str  # hex
    back: str  # where to go once signed in
    user_code: str = ""  # as typed
    shared: bool = False  # a shared computer, which is not to be known
    notice: str | None = None  # why the visitor was sent here
    message: str | None = None  # what became of the attempt
    refused: bool = False  # then the way by two codes is offered
    user_code_error: str | None = None
    code_error: str | None = None
    next_code_error: str | None = None

    @property
    def error(self) -> bool:
        """Whether the title begins with « Erreur »."""
        return bool(self.message) or self.mistaken

    @property
    def mistaken(self) -> bool:
        """Whether a field is to be corrected."""
        return bool(self.user_code_error or self.code_error or self.next_code_error)


async def get_codes(portal: Portal, request: Request) -> Response:
    """`GET /acces/sesame`."""
    return _empty(portal, request, _SESAME)


async def post_codes(portal: Portal, request: Request) -> Response:
    """`POST /acces/sesame`."""
    return await _attempt(portal, request, _SESAME)


async def get_two_codes(portal: Portal, request: Request) -> Response:
    """`GET /acces/deux-codes`."""
    return _empty(portal, request, _TWO_CODES)


async def post_two_codes(portal: Portal, request: Request) -> Response:
    """`POST /acces/deux-codes`."""
    return await _attempt(portal, request, _TWO_CODES)


async def get_old_code(portal: Portal, request: Request) -> Response:
    """`GET /acces/ancien-code`."""
    return _empty(portal, request, _OLD_CODE)


async def post_old_code(portal: Portal, request: Request) -> Response:
    """`POST /acces/ancien-code`."""
    return await _attempt(portal, request, _OLD_CODE)


def _empty(portal: Portal, request: Request, way: Way) -> Response:
    browser = read_browser(portal.browser_cookie.read(request))
    if fresh := browser is None:
        browser = portal.random_bytes(BROWSER_LENGTH)
    page = _new_form(portal, way, browser, request.query_params)
    if why := _WHY_HERE.get(request.query_params.get("motif", "")):
        page = replace(page, notice=translator(language_of(request))(why))
    response = portal.page(request, way.template, page)
    if fresh:
        portal.browser_cookie.set(response, browser.hex())
    return response


async def _attempt(portal: Portal, request: Request, way: Way) -> Response:
    """Parse, ask once, show."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    ticket = read_ticket(fields, read_browser(portal.browser_cookie.read(request)))
    answer = _Answer(portal, request, ticket.browser, fields, way)
    typed = way.read(portal.bank, fields)
    if isinstance(typed, Mistake):
        return answer.mistaken(typed)
    devices = read_devices(portal.device_cookie.read(request))
    address = source_address(request.client.host if request.client else "")
    attempt = Attempt(
        id=ticket.id,
        user_code=typed.user_code,
        code=typed.code,
        origin=Origin(Door.PORTAL, address, devices),
        session_seed=ticket.session_seed,
        device_seed=None if fields.get("shared") else ticket.device_seed,
    )
    try:
        outcome = await verify_login(portal.bank, attempt)
    except TooBusy:
        return answer.again(_BUSY, 503, retry_after=_RETRY)
    except (StoreUnavailable, CustodyError) as error:
        # The type alone: what these errors say is for who looks into the database.
        _log.error("a login could not be judged: %s", type(error).__name__)
        return answer.again(_UNAVAILABLE, 503, retry_after=_RETRY)
    if isinstance(outcome, Accepted):
        await _end_former(portal, request, outcome)
    return answer.to(outcome, devices)


async def _end_former(portal: Portal, request: Request, outcome: Accepted) -> None:
    """End the session that this browser had: nobody holds two, or somebody else's, unseen."""
    former = portal.session_cookie.read(request)
    if former is not None and former != outcome.session_token:
        with suppress(StoreUnavailable):  # the login stands; that one ends by its idle time
            await end_session(portal.bank, former)


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """What may become of a form that was sent: the way in, or the same page with a new form.

    It does not print itself: the fields hold the code.
    """

    portal: Portal
    request: Request
    browser: bytes
    fields: Mapping[str, str]
    way: Way

    def to(self, outcome: Outcome, devices: tuple[bytes, ...]) -> Response:
        match outcome:
            case Accepted(session_token, device):
                # There is a token: a seed was given.
                return self.signed_in(session_token or "", devices, device)
            case Refused():
                return self.again(self.way.refused, 422, refused=True)
            case Suspended(until):
                return self.suspended(until)
            case TwoCodesWanted():
                return self.two_codes_wanted()

    def signed_in(
        self, session_token: str, devices: tuple[bytes, ...], device: bytes | None
    ) -> Response:
        response = RedirectResponse(_back(self.fields), status_code=303)
        self.portal.session_cookie.set(response, session_token)
        if device is not None:
            self.portal.device_cookie.set(response, with_device(devices, device))
        return response

    def mistaken(self, mistake: Mistake) -> Response:
        form = self._new_form()
        page = replace(
            form,
            user_code=mistake.swapped or form.user_code,
            user_code_error=mistake.user_code and self._say(mistake.user_code),
            code_error=mistake.code and self._say(mistake.code),
            next_code_error=mistake.next_code and self._say(mistake.next_code),
        )
        return self.portal.page(self.request, self.way.template, page, 422)

    def suspended(self, until: datetime) -> Response:
        now = self.portal.bank.now()
        wait = ceil((until - now).total_seconds())
        return self.again(
            _SUSPENDED,
            429,
            retry_after=max(wait, 1),
            until=until_when(until, language_of(self.request), now=now),
        )

    def two_codes_wanted(self) -> Response:
        """The form for two codes; the old code stays where it is, its page says what else."""
        way = _TWO_CODES if self.way is _SESAME else self.way
        return replace(self, way=way).again(self.way.two_codes_wanted, 422, refused=True)

    def again(
        self,
        message: str,
        status: int,
        *,
        refused: bool = False,
        retry_after: int | None = None,
        **places: str,
    ) -> Response:
        said = self._say(message).format(**places)
        page = replace(self._new_form(), message=said, refused=refused)
        response = self.portal.page(self.request, self.way.template, page, status)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _new_form(self) -> LoginPage:
        """Where the user code stands still, and the code never."""
        form = _new_form(self.portal, self.way, self.browser, self.fields)
        typed = self.fields.get("user_code", "")
        return replace(
            form,
            user_code=harmless(self.portal.bank, typed),
            shared=bool(self.fields.get("shared")),
        )

    def _say(self, sentence: str) -> str:
        return translator(language_of(self.request))(sentence)


def _new_form(portal: Portal, way: Way, browser: bytes, fields: Mapping[str, str]) -> LoginPage:
    ticket = FormTicket(portal.random_bytes(FORM_ID_LENGTH), browser)
    return LoginPage(action=way.path, form=ticket.id.hex(), proof=ticket.proof, back=_back(fields))


def _back(fields: Mapping[str, str]) -> str:
    """Where the form leads: `retour`, if that is a page of ours."""
    return internal_path(fields.get("retour", ""), _AFTERWARDS)
