"""« Espace Coop@net »: what a signed-in customer sees, and how they leave."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.sessions import Means, Session, end_session, read_session
from sesame.catalogue import N_, Language, translator
from sesame.portal.accounts import Account, demonstration_accounts
from sesame.portal.guard import Purpose, signed_in, to_login
from sesame.portal.portal import Portal
from sesame.portal.signed_in import SPACE, SignedIn, past, session_frame, show
from sesame.web.formats import amount, short_day
from sesame.web.forms import read_form
from sesame.web.guard import require_proof, require_same_origin
from sesame.web.language import language_of
from sesame.web.opening import PARIS

_OPENED = {
    Means.ACTIVATION: N_(
        "Votre carte est activée. Si elle en remplace une autre, celle-ci ne fait plus de codes : "
        "coupez-la en deux à travers la puce."
    ),
    Means.RELEASE: N_(
        "Vos codes Sésame sont débloqués. Le numéro de déblocage a servi : jetez-le."
    ),
}


@dataclass(frozen=True, slots=True)
class MovementLine:
    """One line of an account as it is read."""

    day: str
    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class AccountLines:
    """One account as it is read."""

    name: str
    ending: str
    balance: str
    movements: tuple[MovementLine, ...]


@dataclass(frozen=True, slots=True)
class SpacePage:
    """space.html: who is signed in, what this login changed, and the demonstration accounts."""

    session: SignedIn
    name: str
    last_login: str | None  # « le lundi 2 mars à 14 h 32 »; None at the first login
    erased_old_code: bool  # by this login
    opened: str | None  # what it did to a card, where it did something
    accounts: tuple[AccountLines, ...]


@dataclass(frozen=True, slots=True)
class SignedOutPage:
    """signed_out.html: nothing but what every page shows."""


async def get_space(portal: Portal, request: Request) -> Response:
    """`GET /espace`."""
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request)
    return show(portal, request, "space.html", _space_page(portal, request, session))


async def get_signed_out(portal: Portal, request: Request) -> Response:
    """`GET /deconnexion`: where the sign-out button leads; back to the space if one is in."""
    token = portal.session_cookie.read(request)
    if token is not None and await read_session(portal.bank, token, touch=False) is not None:
        return RedirectResponse(SPACE, status_code=303)
    response = portal.page(request, "signed_out.html", SignedOutPage())
    if token is not None:
        _take_along(portal, response)
    return response


async def post_sign_out(portal: Portal, request: Request) -> Response:
    """`POST /deconnexion`: end the session, if there is one still."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    token = portal.session_cookie.read(request)
    if token is not None:
        require_proof(fields, token, Purpose.SIGN_OUT)
        # Whoever makes tokens up has no commit of their own.
        if await read_session(portal.bank, token, touch=False) is not None:
            await end_session(portal.bank, token)
    return to_signed_out(portal, had_session=token is not None)


def to_signed_out(portal: Portal, *, had_session: bool = True) -> Response:
    """Lead to the page that says so, and take along what this browser had."""
    response = RedirectResponse("/deconnexion", status_code=303)
    if had_session:
        _take_along(portal, response)
    return response


def _take_along(portal: Portal, response: Response) -> None:
    portal.session_cookie.delete(response)
    # Forms that were opened before are void: who comes next to this computer starts anew.
    portal.browser_cookie.delete(response)


def _space_page(portal: Portal, request: Request, session: Session) -> SpacePage:
    language = language_of(request)
    last = session.last_login
    now = portal.bank.now()
    today = now.astimezone(PARIS).date()
    accounts = demonstration_accounts(session.user_code, today)
    return SpacePage(
        session=session_frame(portal, request, session, SPACE),
        name=session.name,
        last_login=None if last is None else past(last, language, now=now),
        erased_old_code=session.erased_old_code,
        opened=translator(language)(_OPENED[session.means]) if session.means in _OPENED else None,
        accounts=tuple(_lines(account, language) for account in accounts),
    )


def _lines(account: Account, language: Language) -> AccountLines:
    say = translator(language)
    return AccountLines(
        name=say(account.name),
        ending=account.ending,
        balance=amount(account.cents, language),
        movements=tuple(
            MovementLine(short_day(line.day), say(line.label), amount(line.cents, language))
            for line in account.movements
        ),
    )
