"""The ways in: a code Sésame, two in a row, the answer to a challenge, or the old code.

One attempt a form. Those that also ask for a number stand in `sesame.portal.opening`.

303 where it is accepted; the same page again with 422 where it is refused (one wording for
every cause) or mistyped (in words of its own, no try spent), 429 while access is suspended or
too much was refused to this address, 503 where nothing could be judged.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame import logs
from sesame.bank.activation import NumberUse, WithNumber
from sesame.bank.bank import Bank
from sesame.bank.challenges import Challenge, ChallengeResponse, make_challenge, read_challenge
from sesame.bank.errors import ChallengeOver, TooBusy
from sesame.bank.matching import TwoCodes
from sesame.bank.old_code import OldCode
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.recovery import Asked
from sesame.bank.sessions import end_session
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
from sesame.portal.devices import read_devices, with_device
from sesame.portal.forms import (
    Mistake,
    Typed,
    harmless,
    read_old_code,
    read_sesame,
    read_two_codes,
)
from sesame.portal.guard import (
    ACTIVATION_CHALLENGE,
    CHALLENGE,
    ENDED,
    LOGIN,
    OLD_CODE,
    RELEASE_CHALLENGE,
    TWO_CODES,
    UNKNOWN,
)
from sesame.portal.portal import Portal
from sesame.store.errors import StoreUnavailable
from sesame.web.drawn_reader import FACES, Drawing, Next, draw
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

_AFTERWARDS = "/espace"
_RETRY = 2  # seconds
_ONE_CODE = "un-code"  # in the address: whoever has answered since the restore
_PRESS_ANSWER = replace(FACES["menu"], next=Next.RESPOND)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: its address, its page, how it is read, and its own sentences (French)."""

    path: str
    template: str
    read: Callable[[Bank, Mapping[str, str]], Typed | Mistake]
    refused: str
    two_codes_wanted: str
    reads_two: bool = False
    asks: bool = False  # a challenge, whose answer comes back
    use: NumberUse | None = None  # of a number beside the code
    single: str = LOGIN  # the address of the way by one code
    # In its place where one code is not enough: two codes, or while a challenge is asked of all.
    two: "Way | None" = None
    asking: "Way | None" = None


_SUSPENDED = N_(
    "Par sécurité, l’accès est suspendu {until}. Vous n’avez rien à faire ; "
    "si ce n’était pas vous, appelez-nous."
)
_SOURCE_CLOSED = N_(
    "Trop de codes refusés viennent de votre réseau. Par sécurité, aucun code n’est examiné "
    "{until}, sauf sur un ordinateur où vous vous êtes déjà connecté. Votre accès n’est pas "
    "suspendu et le code que vous venez d’entrer n’est pas perdu."
)
_BUSY = N_(
    "Votre demande n’a pas pu être examinée et aucun essai n’a été compté. "
    "Réessayez dans quelques instants."
)
_UNAVAILABLE = N_(
    "Le service est momentanément indisponible. "
    "Réessayez dans quelques instants avec un nouveau code Sésame."
)
CHALLENGE_WANTED = N_(
    "Par prudence, un seul code ne suffit pas cette fois. Répondez au nombre ci-dessous."
)
WANTED = N_(
    "Par prudence, deux codes Sésame de suite sont demandés cette fois. Le code que vous venez "
    "d’entrer n’est pas perdu : entrez-le de nouveau, puis faites un second code."
)
_TWO_CODES = Way(
    path=TWO_CODES,
    template="two_codes.html",
    read=read_two_codes,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur, puis faites deux nouveaux codes "
        "de suite, avec la même carte, et entrez-les dans l’ordre."
    ),
    two_codes_wanted=WANTED,
)
_CHALLENGE = Way(
    path=CHALLENGE,
    template="challenge.html",
    read=read_two_codes,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur, puis répondez au nouveau nombre et "
        "faites un code tout de suite après, avec la même carte."
    ),
    two_codes_wanted=CHALLENGE_WANTED,
    asks=True,
)
_SESAME = Way(
    path=LOGIN,
    template="login.html",
    read=read_sesame,
    refused=N_(
        "Connexion refusée. Vérifiez votre code utilisateur, puis générez un nouveau code "
        "Sésame : un code ne sert qu’une fois."
    ),
    two_codes_wanted=WANTED,
    two=_TWO_CODES,
    asking=_CHALLENGE,
)
_OVER = N_(
    "Trop de temps a passé, ou ce nombre n’est plus le bon. Aucun essai n’a été compté : "
    "répondez au nouveau nombre."
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
    """login.html, two_codes.html, challenge.html, old_code.html, activation.html, release.html.

    One form, and what was wrong before. Never a code, nor a number.
    """

    action: str  # where the form is sent
    form: str  # the form's id, hex
    proof: str  # hex
    back: str  # where to go once signed in
    single: str  # the address of the same way by one code
    asking: str  # and by a challenge
    two: bool = False  # two codes are asked for
    user_code: str = ""  # as typed
    shared: bool = False  # a shared computer, which is not to be known
    notice: str | None = None  # why the visitor was sent here
    message: str | None = None  # what became of the attempt
    refused: bool = False  # then the way by two codes is offered
    challenge_offered: bool = False  # and that by a challenge: a backup was restored once
    challenge: Challenge | None = None  # of challenge.html
    drawing: Drawing | None = None  # likewise
    number_error: str | None = None
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
        errors = (self.user_code_error, self.number_error, self.code_error, self.next_code_error)
        return any(errors)


# Where the same is done by answering a challenge.
_ASKING = {
    None: CHALLENGE,
    NumberUse.ACTIVATION: ACTIVATION_CHALLENGE,
    NumberUse.RELEASE: RELEASE_CHALLENGE,
}


async def get_codes(portal: Portal, request: Request) -> Response:
    """`GET /acces/sesame`: after a restore it leads to the challenge, whoever asks."""
    return await empty_form(portal, request, _SESAME)


async def post_codes(portal: Portal, request: Request) -> Response:
    """`POST /acces/sesame`."""
    return await attempt_by(portal, request, _SESAME)


async def get_two_codes(portal: Portal, request: Request) -> Response:
    """`GET /acces/deux-codes`."""
    return await empty_form(portal, request, _TWO_CODES)


async def post_two_codes(portal: Portal, request: Request) -> Response:
    """`POST /acces/deux-codes`."""
    return await attempt_by(portal, request, _TWO_CODES)


async def get_challenge(portal: Portal, request: Request) -> Response:
    """`GET /acces/repondre`."""
    return await empty_form(portal, request, _CHALLENGE)


async def post_challenge(portal: Portal, request: Request) -> Response:
    """`POST /acces/repondre`."""
    return await attempt_by(portal, request, _CHALLENGE)


async def get_old_code(portal: Portal, request: Request) -> Response:
    """`GET /acces/ancien-code`."""
    return await empty_form(portal, request, _OLD_CODE)


async def post_old_code(portal: Portal, request: Request) -> Response:
    """`POST /acces/ancien-code`."""
    return await attempt_by(portal, request, _OLD_CODE)


async def empty_form(portal: Portal, request: Request, way: Way) -> Response:
    """The form of *way*, or after a restore that of the challenge in its place."""
    asking = None if _ONE_CODE in request.query_params else way.asking
    if asking is not None and await _asked(portal) is Asked.FIRST:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{asking.path}{query}", status_code=303)
    browser = read_browser(portal.browser_cookie.read(request))
    if fresh := browser is None:
        browser = portal.random_bytes(BROWSER_LENGTH)
    page = await _new_form(portal, request, way, browser, request.query_params)
    if why := _WHY_HERE.get(request.query_params.get("motif", "")):
        page = replace(page, notice=translator(language_of(request))(why))
    response = portal.page(request, way.template, page)
    if fresh:
        portal.browser_cookie.set(response, browser.hex())
    return response


async def attempt_by(portal: Portal, request: Request, way: Way) -> Response:
    """Parse, ask once, show."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    ticket = read_ticket(fields, read_browser(portal.browser_cookie.read(request)))
    answer = _Answer(portal, request, ticket.browser, fields, way)
    typed = way.read(portal.bank, fields)
    if isinstance(typed, Mistake):
        return await answer.mistaken(typed, ticket)
    code: Code | TwoCodes | ChallengeResponse | OldCode | WithNumber = typed.code
    if way.asks and isinstance(code, TwoCodes):
        try:
            challenge = await _challenge_of(portal, ticket, fields)
        except ChallengeOver:
            return await answer.again(_OVER, 422)
        code = ChallengeResponse(challenge, code)
    if way.use is not None and not isinstance(code, OldCode | WithNumber):
        code = WithNumber(way.use, typed.number, code)
    devices = read_devices(portal.device_cookie.read(request))
    address = source_address(request.client.host if request.client else "")
    attempt = Attempt(
        id=ticket.id,
        user_code=typed.user_code,
        code=code,
        origin=Origin(Door.PORTAL, address, devices),
        session_seed=ticket.session_seed,
        device_seed=None if fields.get("shared") else ticket.device_seed,
    )
    try:
        outcome = await verify_login(portal.bank, attempt)
    except ChallengeOver:  # in the meantime
        return await answer.again(_OVER, 422)
    except (TooBusy, CustodyBusy):
        return await answer.again(_BUSY, 503, retry_after=_RETRY)
    except (StoreUnavailable, CustodyError) as error:
        logs.attempt_unjudged("a login could not be judged", error)
        return await answer.again(_UNAVAILABLE, 503, retry_after=_RETRY)
    if isinstance(outcome, Accepted):
        await _end_former(portal, request, outcome)
    return await answer.to(outcome, devices)


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

    async def to(self, outcome: Outcome, devices: tuple[bytes, ...]) -> Response:
        match outcome:
            case Accepted(session_token, device):
                # There is a token: a seed was given.
                return self.signed_in(session_token or "", devices, device)
            case Refused():
                return await self.again(self.way.refused, 422, refused=True)
            case Suspended(until):
                return await self.suspended(_SUSPENDED, until)
            case SourceClosed(until):
                return await self.suspended(_SOURCE_CLOSED, until)
            case TwoCodesWanted():
                return await self.two_codes_wanted()

    def signed_in(
        self, session_token: str, devices: tuple[bytes, ...], device: bytes | None
    ) -> Response:
        response = RedirectResponse(_back(self.fields), status_code=303)
        self.portal.session_cookie.set(response, session_token)
        if device is not None:
            self.portal.device_cookie.set(response, with_device(devices, device))
        return response

    async def mistaken(self, mistake: Mistake, ticket: FormTicket) -> Response:
        form = await self._new_form()
        if self.way.asks:
            # The reader's answer is still good: what is asked stays.
            with suppress(ChallengeOver):
                same = await _challenge_of(self.portal, ticket, self.fields)
                form = replace(form, challenge=same)
        page = replace(
            form,
            user_code=mistake.swapped or form.user_code,
            user_code_error=mistake.user_code and self._say(mistake.user_code),
            number_error=mistake.number and self._say(mistake.number),
            code_error=mistake.code and self._say(mistake.code),
            next_code_error=mistake.next_code and self._say(mistake.next_code),
        )
        return self.portal.page(self.request, self.way.template, page, 422)

    async def suspended(self, message: str, until: datetime) -> Response:
        now = self.portal.bank.now()
        wait = ceil((until - now).total_seconds())
        return await self.again(
            message,
            429,
            retry_after=max(wait, 1),
            until=until_when(until, language_of(self.request), now=now),
        )

    async def two_codes_wanted(self) -> Response:
        """The form for two codes; the old code stays where it is, its page says what else.

        While a challenge is asked of everybody, its form: that is two codes as well.
        """
        way = self.way
        if way.two is not None and way.asking is not None:
            first = await _asked(self.portal) is Asked.FIRST
            way = way.asking if first else way.two
        said = way.two_codes_wanted if way.asks else self.way.two_codes_wanted
        return await replace(self, way=way).again(said, 422, refused=True)

    async def again(
        self,
        message: str,
        status: int,
        *,
        refused: bool = False,
        retry_after: int | None = None,
        **places: str,
    ) -> Response:
        said = self._say(message).format(**places)
        page = replace(await self._new_form(), message=said, refused=refused)
        response = self.portal.page(self.request, self.way.template, page, status)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    async def _new_form(self) -> LoginPage:
        """Where the user code stands still, and the code never."""
        form = await _new_form(self.portal, self.request, self.way, self.browser, self.fields)
        shown = harmless(self.portal.bank, self.fields.get("user_code", ""))
        # Where a number is asked for, eight digits may be that one, in the wrong field.
        secret = self.way.use is not None and shown.isdecimal()
        return replace(
            form,
            user_code="" if secret else shown,
            shared=bool(self.fields.get("shared")),
        )

    def _say(self, sentence: str) -> str:
        return translator(language_of(self.request))(sentence)


async def _new_form(
    portal: Portal, request: Request, way: Way, browser: bytes, fields: Mapping[str, str]
) -> LoginPage:
    ticket = FormTicket(portal.random_bytes(FORM_ID_LENGTH), browser)
    page = LoginPage(
        action=way.path,
        form=ticket.id.hex(),
        proof=ticket.proof,
        back=_back(fields),
        single=way.single,
        asking=_ASKING[way.use],
        two=way.reads_two,
        challenge_offered=not way.asks and await _asked(portal) is not Asked.NEVER,
    )
    if not way.asks:
        return page
    return replace(
        page,
        challenge=await make_challenge(portal.bank, ticket.challenge_bound_to),
        drawing=draw(_PRESS_ANSWER, language_of(request)),
    )


async def _challenge_of(portal: Portal, ticket: FormTicket, fields: Mapping[str, str]) -> Challenge:
    """The challenge that came back with *fields*.

    Raises:
        ChallengeOver: it is, or was given to another browser.
    """
    return await read_challenge(portal.bank, fields.get("challenge", ""), ticket.challenge_bound_to)


async def _asked(portal: Portal) -> Asked:
    """Whether a challenge is asked of everybody."""
    bank = portal.bank
    return await bank.recovery.asked(bank.store, bank.limits, bank.now())


def _back(fields: Mapping[str, str]) -> str:
    """Where the form leads: `retour`, if that is a page of ours."""
    return internal_path(fields.get("retour", ""), _AFTERWARDS)
