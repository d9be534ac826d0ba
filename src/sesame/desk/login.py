"""The ways in: a code Sésame, two in a row, or the answer to a challenge. One attempt a form.

No browser is known here: a desk's computers are shared, and whoever sits there has the card in
the hand. 303 where it is accepted; the same page again with 422, 429 or 503, as at the portal.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame import logs
from sesame.bank.challenges import Challenge, ChallengeResponse, make_challenge, read_challenge
from sesame.bank.errors import ChallengeOver, MalformedStaffCode, TooBusy
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.recovery import Asked
from sesame.bank.sessions import end_session
from sesame.bank.staff import parse_staff_code, shown
from sesame.bank.verification import (
    Accepted,
    Attempt,
    Outcome,
    Refused,
    SourceClosed,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.token import Code
from sesame.catalogue import N_, translator
from sesame.custody.errors import CustodyBusy, CustodyError
from sesame.desk.desk import Desk
from sesame.desk.forms import Mistake, read_login
from sesame.desk.guard import CHALLENGE, ENDED, HOME, LOGIN, TWO_CODES, UNKNOWN, address_of
from sesame.store.errors import StoreUnavailable
from sesame.web.formats import until as until_when
from sesame.web.forms import read_form
from sesame.web.guard import internal_path, require_same_origin
from sesame.web.language import language_of
from sesame.web.tickets import (
    BROWSER_LENGTH,
    FORM_ID_LENGTH,
    FormTicket,
    read_browser,
    read_ticket,
)

_RETRY = 2  # seconds
_ONE_CODE = "un-code"  # in the address: whoever has answered since the restore

_REFUSED = N_(
    "Connexion refusée. Vérifiez votre code d’agent, puis faites un nouveau code Sésame : un code "
    "ne sert qu’une fois."
)
_SUSPENDED = N_(
    "Par sécurité, cet accès est suspendu {until}. Si ce n’était pas vous, prévenez un responsable "
    "de la sécurité."
)
_SOURCE_CLOSED = N_(
    "Trop de codes refusés viennent de ce réseau : aucun n’est examiné {until}. Prévenez un "
    "responsable de la sécurité."
)
_WANTED = N_(
    "Par prudence, deux codes Sésame de suite sont demandés cette fois. Le code que vous venez "
    "d’entrer n’est pas perdu : entrez-le de nouveau, puis faites un second code."
)
_BUSY = N_(
    "Votre demande n’a pas pu être examinée et aucun essai n’a été compté. "
    "Réessayez dans quelques instants."
)
_UNAVAILABLE = N_(
    "Le service est momentanément indisponible. "
    "Réessayez dans quelques instants avec un nouveau code Sésame."
)
_OVER = N_(
    "Trop de temps a passé, ou ce nombre n’est plus le bon. Aucun essai n’a été compté : "
    "répondez au nouveau nombre."
)
_WHY_HERE = {
    ENDED: N_(
        "Votre session est terminée : après quelques minutes sans activité, au bout de sa durée "
        "maximale, ou parce que le compte a été fermé. Identifiez-vous pour revenir où vous étiez."
    ),
    UNKNOWN: N_("Identifiez-vous pour ouvrir cette page."),
    "bienvenue": N_(
        "Votre compte est ouvert. Notez votre code d’agent, qui est dans le champ ci-dessous, puis "
        "connectez-vous avec votre carte."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """login.html: one form, and what was wrong before. Never a code."""

    action: str  # where the form is sent: which way it is
    form: str  # the form's id, hex
    proof: str  # hex
    back: str
    staff_code: str = ""
    notice: str | None = None
    message: str | None = None
    refused: bool = False
    challenge_offered: bool = False
    challenge: Challenge | None = None
    errors: Mapping[str, str] = field(default_factory=dict)  # by field

    @property
    def two(self) -> bool:
        """Whether there are two fields for codes."""
        return self.action != LOGIN


async def get_login(desk: Desk, request: Request) -> Response:
    """`GET /guichet/connexion`, `…/deux-codes`, `…/repondre`."""
    way = request.url.path
    asked = request.query_params
    if way == LOGIN and _ONE_CODE not in asked and await _asked(desk) is Asked.FIRST:
        return RedirectResponse(f"{CHALLENGE}?{request.url.query}", status_code=303)
    browser = read_browser(desk.browser_cookie.read(request))
    if fresh := browser is None:
        browser = desk.random_bytes(BROWSER_LENGTH)
    why = _WHY_HERE.get(asked.get("motif", ""))
    page = await _new_form(desk, way, browser, asked)
    page = replace(page, notice=why and translator(language_of(request))(why))
    response = desk.page(request, "login.html", page)
    if fresh:
        desk.browser_cookie.set(response, browser.hex())
    return response


async def post_login(desk: Desk, request: Request) -> Response:
    """`POST` of the same: parse, ask once, show."""
    require_same_origin(request, desk.public_origin)
    fields = await read_form(request)
    ticket = read_ticket(fields, read_browser(desk.browser_cookie.read(request)))
    way = request.url.path
    answer = _Answer(desk, request, ticket, fields, way)
    typed = read_login(desk.bank, fields, two=way != LOGIN)
    if isinstance(typed, Mistake):
        return await answer.mistaken(typed)
    code: Code | TwoCodes | ChallengeResponse = typed.code
    try:
        if way == CHALLENGE and isinstance(code, TwoCodes):
            code = ChallengeResponse(await answer.challenge(), code)
        outcome = await verify_login(
            desk.bank,
            Attempt(
                id=ticket.id,
                user_code=typed.user_code,
                code=code,
                origin=Origin(Door.DESK, address_of(request)),
                session_seed=ticket.session_seed,
            ),
        )
    except ChallengeOver:
        return await answer.again(_OVER, 422)
    except (TooBusy, CustodyBusy):
        return await answer.again(_BUSY, 503, retry_after=_RETRY)
    except (StoreUnavailable, CustodyError) as error:
        logs.attempt_unjudged("a login could not be judged", error)
        return await answer.again(_UNAVAILABLE, 503, retry_after=_RETRY)
    return await answer.to(outcome)


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """What may become of a form that was sent. It does not print itself: it holds the code."""

    desk: Desk
    request: Request
    ticket: FormTicket
    fields: Mapping[str, str]
    way: str

    async def to(self, outcome: Outcome) -> Response:
        match outcome:
            case Accepted(session_token):
                return await self._signed_in(session_token or "")
            case Refused():
                return await self.again(_REFUSED, 422, refused=True)
            case Suspended(until):
                return await self._suspended(_SUSPENDED, until)
            case SourceClosed(until):
                return await self._suspended(_SOURCE_CLOSED, until)
            case TwoCodesWanted():
                first = await _asked(self.desk) is Asked.FIRST
                other = replace(self, way=CHALLENGE if first else TWO_CODES)
                return await other.again(_WANTED, 422, refused=True)

    async def challenge(self) -> Challenge:
        """The challenge that came back.

        Raises:
            ChallengeOver: it is, or was given to another browser.
        """
        token, bound_to = self.fields.get("challenge", ""), self.ticket.challenge_bound_to
        return await read_challenge(self.desk.bank, token, bound_to)

    async def mistaken(self, mistake: Mistake) -> Response:
        say = translator(language_of(self.request))
        page = await _new_form(self.desk, self.way, self.ticket.browser, self.fields)
        if self.way == CHALLENGE:
            with suppress(ChallengeOver):  # the reader's answer is still good
                page = replace(page, challenge=await self.challenge())
        errors = {name: say(wrong) for name, wrong in mistake.errors.items()}
        return self.desk.page(self.request, "login.html", replace(page, errors=errors), 422)

    async def again(
        self,
        message: str,
        status: int,
        *,
        refused: bool = False,
        retry_after: int | None = None,
        **places: str,
    ) -> Response:
        said = translator(language_of(self.request))(message).format(**places)
        page = await _new_form(self.desk, self.way, self.ticket.browser, self.fields)
        page = replace(page, message=said, refused=refused)
        response = self.desk.page(self.request, "login.html", page, status)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    async def _signed_in(self, token: str) -> Response:
        former = self.desk.session_cookie.read(self.request)
        if former is not None and former != token:
            with suppress(StoreUnavailable):  # that one ends by its idle time
                await end_session(self.desk.bank, former)
        back = internal_path(self.fields.get("retour", ""), HOME)
        response = RedirectResponse(back, status_code=303)
        self.desk.session_cookie.set(response, token)
        return response

    async def _suspended(self, message: str, until: datetime) -> Response:
        now = self.desk.bank.now()
        wait = max(1, ceil((until - now).total_seconds()))
        said = until_when(until, language_of(self.request), now=now)
        return await self.again(message, 429, retry_after=wait, until=said)


async def _new_form(desk: Desk, way: str, browser: bytes, fields: Mapping[str, str]) -> LoginPage:
    ticket = FormTicket(desk.random_bytes(FORM_ID_LENGTH), browser)
    page = LoginPage(
        action=way,
        form=ticket.id.hex(),
        proof=ticket.proof,
        back=internal_path(fields.get("retour", ""), HOME),
        staff_code=_harmless(fields.get("staff_code", "")),
    )
    if way == CHALLENGE:
        return replace(page, challenge=await make_challenge(desk.bank, ticket.challenge_bound_to))
    return replace(page, challenge_offered=await _asked(desk) is not Asked.NEVER)


def _harmless(typed: str) -> str:
    """The staff code, to be shown again; nothing that is none: it may be a PIN or a code."""
    try:
        return shown(parse_staff_code(typed))
    except MalformedStaffCode:
        return ""


async def _asked(desk: Desk) -> Asked:
    """Whether a challenge is asked of everybody."""
    bank = desk.bank
    return await bank.recovery.asked(bank.store, bank.limits, bank.now())
