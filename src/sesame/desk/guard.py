"""Who may see what: the session behind a request, what it may do, and the way to the login."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import wraps
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind, may_ask
from sesame.bank.errors import NotAllowed
from sesame.bank.origin import source_address
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff, read_staff_session
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.web.formats import when
from sesame.web.forms import read_form
from sesame.web.guard import proof, require_proof, require_same_origin
from sesame.web.language import language_of
from sesame.web.problems import ProblemPage

HOME = "/guichet"
LOGIN = "/guichet/connexion"
TWO_CODES = "/guichet/deux-codes"
CHALLENGE = "/guichet/repondre"
FIRST_ACCESS = "/guichet/premier-acces"
SIGN_OUT = "/guichet/deconnexion"
REQUESTS = "/guichet/demandes"
PEOPLE = "/guichet/personnel"
SEARCH = "/guichet/recherche"
CUSTOMER = "/guichet/client/{user_code}"
CAMPAIGN = "/guichet/passage"
ENDED = "session"
UNKNOWN = "connexion"

ROLE_NAMES: Mapping[Role, str] = {
    Role.ADVISER: N_("Conseiller"),
    Role.ISSUER: N_("Émission des cartes"),
    Role.OFFICER: N_("Responsable de la sécurité"),
    Role.AUDITOR: N_("Auditeur"),
}
_FORBIDDEN = ProblemPage(
    N_("Votre rôle ne le permet pas"),
    N_(
        "Cette page, ou cette action, revient à d’autres que vous. Rien n’a été changé. "
        "Si votre travail en a besoin, parlez-en à un responsable de la sécurité."
    ),
    N_("Revenir au guichet"),
    HOME,
)


@unique
class Purpose(StrEnum):
    """What a button does; the proof of one is none of another."""

    SIGN_OUT = "sign out of the desk"
    LIFT = "ask for a lift"
    DECIDE = "decide"
    HIRE = "ask for staff"
    CLOSE = "close an account"
    SEARCH = "search for a customer"
    SET_HOURS = "set hours of a day"
    TAKE_HOURS_BACK = "take hours of a day back"
    NEW_NUMBER = "send a new activation number"
    ADDRESS = "change an address"
    CONFIRM = "ask for an address to be confirmed"
    ISSUE = "ask for cards"
    RETURNED = "note returned mail"
    AGAIN = "send again"
    READERS = "take readers in"
    REPRINT = "ask for another PIN"
    NUMBER = "ask for a number"
    SHOW = "show a number"
    HELP = "help a customer"
    REMIND = "have reminders written"
    LIMIT = "ask for a limit"
    LOWER = "ask for a lower counter"
    BANK_CARDS = "ask for bank cards"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """signed_in.html: who is signed in, and how long. The proof is hex."""

    here: str  # where the link that prolongs leads
    name: str
    roles: str
    idle_minutes: int
    idle_until: str  # « à 14 h 32 »
    ends_at: str  # likewise
    sign_out_proof: str
    sees_people: bool
    sees_customers: bool
    issues: bool


Handler = Callable[[Desk, Request], Awaitable[Response]]
StaffHandler = Callable[[Desk, Request, Staff], Awaitable[Response]]


def for_staff(
    back: str | None = None, *, may: Callable[[Staff], bool] = lambda _staff: True
) -> Callable[[StaffHandler], Handler]:
    """Have a handler answer members of staff who *may*; others are refused.

    Who is not signed in is sent to the login, which leads *back*, or where it is None to the
    address that was asked for.
    """

    def guarded(handler: StaffHandler) -> Handler:
        @wraps(handler)
        async def answer(desk: Desk, request: Request) -> Response:
            staff = await signed_in(desk, request)
            if staff is None:
                return to_login(desk, request, back or request.url.path)
            if not may(staff):
                return forbidden(desk, request)
            try:
                return await handler(desk, request, staff)
            except NotAllowed:  # so found the statement that was to write
                return forbidden(desk, request)

        return answer

    return guarded


def asks_for(kind: Kind) -> Callable[[Staff], bool]:
    """Whether somebody may ask for *kind*."""
    return lambda staff: may_ask(kind, staff.roles)


async def signed_in(desk: Desk, request: Request) -> Staff | None:
    """Who sent *request*, their idle time begun anew."""
    token = desk.session_cookie.read(request)
    return None if token is None else await read_staff_session(desk.bank, token)


def to_login(desk: Desk, request: Request, back: str) -> Response:
    """Send *request* to the login, which says why and leads *back*."""
    had_one = desk.session_cookie.read(request) is not None
    query = urlencode({"retour": back, "motif": ENDED if had_one else UNKNOWN})
    response = RedirectResponse(f"{LOGIN}?{query}", status_code=303)
    if had_one:
        desk.session_cookie.delete(response)
    return response


def forbidden(desk: Desk, request: Request) -> Response:
    """Refuse what the role does not allow, and say so."""
    return desk.page(request, "problem.html", _FORBIDDEN, 403)


async def read_pressed(desk: Desk, request: Request, purpose: Purpose) -> dict[str, str]:
    """The fields of a form of ours that somebody signed in sent.

    Raises:
        ForeignRequest: another site's page sent it, or it is no form of this session.
        MalformedForm: it is no form.
    """
    require_same_origin(request, desk.public_origin)
    fields = await read_form(request)
    require_proof(fields, desk.session_cookie.read(request) or "", purpose)
    return fields


def frame(desk: Desk, request: Request, staff: Staff, here: str) -> SignedIn:
    """What the page at *here* has around it."""
    language, now = language_of(request), desk.bank.now()
    return SignedIn(
        here=here,
        name=staff.name,
        roles=roles_said(staff.roles, request),
        idle_minutes=int(desk.bank.limits.session_idle.total_seconds()) // 60,
        idle_until=when(staff.idle_until, language, now=now),
        ends_at=when(staff.ends_at, language, now=now),
        sign_out_proof=button(desk, request, Purpose.SIGN_OUT),
        sees_people=sees_people(staff),
        sees_customers=sees_customers(staff),
        issues=Role.ISSUER in staff.roles,
    )


def button(desk: Desk, request: Request, purpose: Purpose) -> str:
    """What this session's button for *purpose* sends."""
    return proof(desk.session_cookie.read(request) or "", purpose)


def roles_said(roles: frozenset[Role], request: Request) -> str:
    """*roles* in the reader's language."""
    say = translator(language_of(request))
    return ", ".join(say(ROLE_NAMES[role]) for role in sorted(roles))


def sees_people(staff: Staff) -> bool:
    """Whether they see who is staff, and everybody's requests."""
    return bool(staff.roles & {Role.OFFICER, Role.AUDITOR})


def sees_customers(staff: Staff) -> bool:
    """Whether they may look customers up. Issuers see what they send, on pages of their own."""
    return bool(staff.roles & {Role.ADVISER, Role.OFFICER, Role.AUDITOR})


def address_of(request: Request) -> str:
    """Where *request* came from, as lines have it."""
    return source_address(request.client.host if request.client else "")
