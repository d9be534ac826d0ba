"""« Espace Coop@net »: what a signed-in customer sees, and how they leave."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.sessions import Session, end_session
from sesame.catalogue import N_, Language, translator
from sesame.portal.accounts import Account, demonstration_accounts
from sesame.portal.formats import amount, short_day, time, when
from sesame.portal.guard import sign_out_proof, signed_in, to_login
from sesame.portal.portal import Portal
from sesame.web.errors import ForeignRequest
from sesame.web.forms import read_form
from sesame.web.guard import require_same_origin
from sesame.web.language import language_of
from sesame.web.opening import PARIS

_TODAY = N_("aujourd’hui à\u00a0{time}")


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
    """space.html: who is signed in, until when, and the demonstration accounts."""

    name: str
    last_login: str | None  # « le lundi 2 mars à 14 h 32 »; None at the first login
    idle_minutes: int
    idle_until: str  # « à 14 h 32 »
    ends_at: str  # likewise
    accounts: tuple[AccountLines, ...]
    sign_out_proof: str


@dataclass(frozen=True, slots=True)
class SignedOutPage:
    """signed_out.html: nothing but what every page shows."""


async def get_space(portal: Portal, request: Request) -> Response:
    """`GET /espace`."""
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request)
    token = portal.session_cookie.read(request) or ""
    return portal.page(
        request, "space.html", _space_page(portal, session, token, language_of(request))
    )


async def get_signed_out(portal: Portal, request: Request) -> Response:
    """`GET /deconnexion`: where the sign-out button leads."""
    return portal.page(request, "signed_out.html", SignedOutPage())


async def post_sign_out(portal: Portal, request: Request) -> Response:
    """`POST /deconnexion`: end the session, if there is one still."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    token = portal.session_cookie.read(request)
    response = RedirectResponse("/deconnexion", status_code=303)
    if token is not None:
        proof = fields.get("proof", "")
        if not hmac.compare_digest(proof.encode(), sign_out_proof(token).encode()):
            raise ForeignRequest("this sign-out button is of another session")
        await end_session(portal.bank, token)
        portal.session_cookie.delete(response)
        # Forms that were opened before are void: who comes next to this computer starts anew.
        portal.browser_cookie.delete(response)
    return response


def _space_page(portal: Portal, session: Session, token: str, language: Language) -> SpacePage:
    last = session.last_login
    now = portal.bank.now()
    today = now.astimezone(PARIS).date()
    accounts = demonstration_accounts(session.user_code, today)
    return SpacePage(
        name=session.name,
        last_login=None if last is None else _past(last, language, now),
        idle_minutes=int(portal.bank.limits.session_idle.total_seconds()) // 60,
        idle_until=when(session.idle_until, language, now=now),
        ends_at=when(session.ends_at, language, now=now),
        accounts=tuple(_lines(account, language) for account in accounts),
        sign_out_proof=sign_out_proof(token),
    )


def _past(moment: datetime, language: Language, now: datetime) -> str:
    if moment.astimezone(PARIS).date() == now.astimezone(PARIS).date():
        return translator(language)(_TODAY).format(time=time(moment, language))
    return when(moment, language, now=now)


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
