"""Who is staff; the form that asks for somebody new; and the page of the first officers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind, may_ask
from sesame.bank.approving import ask_for_staff
from sesame.bank.errors import (
    CardTaken,
    IncompatibleRoles,
    MalformedStaffCode,
    NoSuchCustomer,
    PersonTaken,
    SecretRefused,
    UnsuitableReason,
)
from sesame.bank.staff import Role, parse_staff_code, shown
from sesame.bank.staffing import (
    Member,
    Staff,
    all_members,
    close_member,
    enrol_officer,
    find_member,
)
from sesame.catalogue import N_, translator
from sesame.custody.errors import KeyMissing, ProfileUnknown, WrongUsage
from sesame.desk.desk import Desk
from sesame.desk.forms import Mistake, read_person, wrong_reason
from sesame.desk.guard import (
    FIRST_ACCESS,
    PEOPLE,
    REQUESTS,
    ROLE_NAMES,
    TWO_CODES,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
    roles_said,
    sees_people,
)
from sesame.web.errors import MalformedForm
from sesame.web.forms import read_form
from sesame.web.guard import require_same_origin
from sesame.web.language import language_of
from sesame.web.tickets import (
    BROWSER_LENGTH,
    FORM_ID_LENGTH,
    FormTicket,
    read_browser,
    read_ticket,
)

NEW = f"{PEOPLE}/nouveau"
CLOSE = f"{PEOPLE}/fermer"

_CARD_TAKEN = N_("Cette carte est déjà celle de quelqu’un. Prenez-en une autre.")
_PERSON_TAKEN = N_(
    "Cette personne a déjà un compte ouvert, ou demandé. Fermez-le d’abord s’il est de trop."
)
_CARD_OF_ANOTHER_KEY = N_(
    "Les clés de cette banque ne font pas de telles cartes : voyez le réglage card_key du guichet."
)
_NO_SECRET = N_(
    "Ce secret ne vaut pas, ou plus : il sert une fois, pendant 24 heures, et un plus récent le "
    "remplace. Faites-en imprimer un autre."
)
_ROLES_APART = N_(
    "Ces rôles ne vont pas ensemble, ou aucun n’est coché : personne ne tient à la fois la carte "
    "et son code secret, ni ne demande et accorde."
)
_STATES = {
    "waits": N_("En attente d’un accord"),
    "open": N_("Ouvert"),
    "closed": N_("Fermé"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member of staff as they are read."""

    code: str
    name: str
    personnel_number: str
    roles: str
    state: str
    closed_reason: str
    may_close: bool


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """people.html: who is, was or is to become staff."""

    session: SignedIn
    members: tuple[MemberLine, ...]
    may_hire: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePage:
    """close.html: whose account is to be closed, and why. It is closed by a second click."""

    session: SignedIn
    proof: str
    code: str
    name: str
    roles: str
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleChoice:
    """One role to be ticked."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """hire.html and first_access.html: a person and their card. The card's number never again."""

    action: str
    proof: str
    session: SignedIn | None = None
    form: str = ""  # of first_access.html, hex
    roles: tuple[RoleChoice, ...] = ()  # of hire.html
    name: str = ""
    personnel_number: str = ""
    psn: str = "01"
    reason: str = ""
    english: bool = False
    bank_card: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)


@for_staff(PEOPLE, may=sees_people)
async def get_people(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/personnel`: for security officers and auditors."""
    page = PeoplePage(
        session=frame(desk, request, staff, PEOPLE),
        members=tuple(_line(one, staff, request) for one in await all_members(desk.bank)),
        may_hire=may_ask(Kind.NEW_STAFF, staff.roles),
    )
    return desk.page(request, "people.html", page)


@for_staff(PEOPLE, may=lambda staff: Role.OFFICER in staff.roles)
async def get_close(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/personnel/fermer`: whose, and why; nothing is closed yet."""
    return await _closing(desk, request, staff, request.query_params.get("agent", ""))


@for_staff(PEOPLE, may=lambda staff: Role.OFFICER in staff.roles)
async def post_close(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/personnel/fermer`: close an account, at once."""
    fields = await read_pressed(desk, request, Purpose.CLOSE)
    code, reason = fields.get("member", ""), fields.get("reason", "")
    try:
        address = address_of(request)
        await close_member(desk.bank, staff, parse_staff_code(code), address, reason=reason)
    except MalformedStaffCode:
        raise MalformedForm("the field member is no staff code", status=400) from None
    except UnsuitableReason as wrong:
        return await _closing(desk, request, staff, code, reason, wrong_reason(wrong))
    except NoSuchCustomer:
        pass  # closed already: the list says so
    return RedirectResponse(PEOPLE, status_code=303)


async def _closing(  # noqa: PLR0913, PLR0917 -- whose, what was typed, and what is wrong with it
    desk: Desk, request: Request, staff: Staff, typed: str, reason: str = "", wrong: str = ""
) -> Response:
    """The page that asks why, and once more; back to the list where there is nothing to close."""
    try:
        member = await find_member(desk.bank, parse_staff_code(typed))
    except MalformedStaffCode:
        member = None
    if member is None or not _may_close(member, staff):
        return RedirectResponse(PEOPLE, status_code=303)
    say = translator(language_of(request))
    page = ClosePage(
        session=frame(
            desk, request, staff, f"{CLOSE}?{urlencode({'agent': shown(member.user_code)})}"
        ),
        proof=button(desk, request, Purpose.CLOSE),
        code=shown(member.user_code),
        name=member.name,
        roles=roles_said(member.roles, request),
        reason=reason,
        errors={"reason": say(wrong)} if wrong else {},
    )
    return desk.page(request, "close.html", page, 422 if wrong else 200)


@for_staff(NEW, may=asks_for(Kind.NEW_STAFF))
async def get_new(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/personnel/nouveau`."""
    return desk.page(request, "hire.html", _hire_page(desk, request, staff, {}, {}))


@for_staff(NEW, may=asks_for(Kind.NEW_STAFF))
async def post_new(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/personnel/nouveau`: ask; another security officer decides."""
    fields = await read_pressed(desk, request, Purpose.HIRE)
    person = read_person(fields, desk.card_key, desk.card_dki)
    roles = frozenset(role for role in Role if fields.get(f"role-{role}"))
    errors = dict(person.errors) if isinstance(person, Mistake) else {}
    if not isinstance(person, Mistake):
        try:
            await ask_for_staff(
                desk.bank,
                staff,
                person,
                roles,
                reason=fields.get("reason", ""),
                address=address_of(request),
            )
        except (CardTaken, KeyMissing, WrongUsage, ProfileUnknown) as error:
            errors["pan"] = _card_error(error)
        except PersonTaken:
            errors["personnel_number"] = _PERSON_TAKEN
        except IncompatibleRoles:
            errors["roles"] = _ROLES_APART
        except UnsuitableReason as wrong:
            errors["reason"] = wrong_reason(wrong)
        else:
            return RedirectResponse(REQUESTS, status_code=303)
    page = _hire_page(desk, request, staff, fields, errors)
    return desk.page(request, "hire.html", page, 422)


async def get_first_access(desk: Desk, request: Request) -> Response:
    """`GET /guichet/premier-acces`: for whoever holds a printed secret."""
    browser = read_browser(desk.browser_cookie.read(request))
    if fresh := browser is None:
        browser = desk.random_bytes(BROWSER_LENGTH)
    page = _first_page(desk, request, browser, {}, {})
    response = desk.page(request, "first_access.html", page)
    if fresh:
        desk.browser_cookie.set(response, browser.hex())
    return response


async def post_first_access(desk: Desk, request: Request) -> Response:
    """`POST /guichet/premier-acces`: enrol a security officer, and lead to their first login."""
    require_same_origin(request, desk.public_origin)
    fields = await read_form(request)
    ticket = read_ticket(fields, read_browser(desk.browser_cookie.read(request)))
    person = read_person(fields, desk.card_key, desk.card_dki)
    errors = dict(person.errors) if isinstance(person, Mistake) else {}
    if not isinstance(person, Mistake):
        try:
            code = await enrol_officer(
                desk.bank, fields.get("secret", ""), person, address_of(request)
            )
        except SecretRefused:
            errors["secret"] = _NO_SECRET
        except PersonTaken:
            errors["personnel_number"] = _PERSON_TAKEN
        except (CardTaken, KeyMissing, WrongUsage, ProfileUnknown) as error:
            errors["pan"] = _card_error(error)
        else:
            query = urlencode({"staff_code": shown(code), "motif": "bienvenue"})
            return RedirectResponse(f"{TWO_CODES}?{query}", status_code=303)
    page = _first_page(desk, request, ticket.browser, fields, errors)
    return desk.page(request, "first_access.html", page, 422)


def _card_error(error: Exception) -> str:
    return _CARD_TAKEN if isinstance(error, CardTaken) else _CARD_OF_ANOTHER_KEY


def _line(member: Member, staff: Staff, request: Request) -> MemberLine:
    closed = member.closed_at is not None
    state = "closed" if closed else "waits" if member.begun_at is None else "open"
    return MemberLine(
        code=shown(member.user_code),
        name=member.name,
        personnel_number=member.personnel_number,
        closed_reason=member.closed_reason,
        roles=roles_said(member.roles, request),
        state=translator(language_of(request))(_STATES[state]),
        may_close=_may_close(member, staff),
    )


def _may_close(member: Member, staff: Staff) -> bool:
    """Whether *staff* may close that account: not their own, and not twice."""
    open_to = member.closed_at is None and member.user_code != staff.user_code
    return open_to and Role.OFFICER in staff.roles


def _hire_page(
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> PersonPage:
    say = translator(language_of(request))
    page = _person_page(request, NEW, button(desk, request, Purpose.HIRE), fields, errors)
    return replace(
        page,
        session=frame(desk, request, staff, NEW),
        roles=tuple(
            RoleChoice(role, say(ROLE_NAMES[role]), bool(fields.get(f"role-{role}")))
            for role in Role
        ),
    )


def _first_page(
    desk: Desk,
    request: Request,
    browser: bytes,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> PersonPage:
    ticket = FormTicket(desk.random_bytes(FORM_ID_LENGTH), browser)
    page = _person_page(request, FIRST_ACCESS, ticket.proof, fields, errors)
    return replace(page, form=ticket.id.hex())


def _person_page(
    request: Request,
    action: str,
    proof: str,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> PersonPage:
    say = translator(language_of(request))
    return PersonPage(
        action=action,
        proof=proof,
        name=fields.get("name", ""),
        personnel_number=fields.get("personnel_number", ""),
        psn=fields.get("psn", "01")[:2],
        reason=fields.get("reason", ""),
        english=fields.get("language") == "en",
        bank_card=fields.get("kind") == "bank",
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
