"""What takes two persons: who asked for what, the form that asks, and the second person's word."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.addresses import find_standing
from sesame.bank.approvals import Asked, Barred, Kind, Verdict, Wish, barred, may_ask, unseen
from sesame.bank.approving import ask, decide, find_held_card, recent_requests
from sesame.bank.bank import Bank
from sesame.bank.desk_limits import desk_limits
from sesame.bank.errors import (
    AskedAlready,
    MalformedUserCode,
    NoSuchCustomer,
    NothingToRelease,
    Undecided,
    UnsuitableReason,
)
from sesame.bank.lowering import still_falls
from sesame.bank.moments import to_row
from sesame.bank.staff import is_staff_code, shown
from sesame.bank.staffing import Staff, all_members
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_, Language, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import wrong_reason
from sesame.desk.guard import (
    CUSTOMER,
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
    sees_customers,
    sees_people,
)
from sesame.desk.request_words import WORDED, reason_of
from sesame.web.errors import MalformedForm
from sesame.web.formats import until, when
from sesame.web.language import language_of
from sesame.web.problems import ProblemPage

LIFT = f"{REQUESTS}/levee"
NUMBER = f"{REQUESTS}/numero"
REPRINT = f"{REQUESTS}/code-secret"
COUNTER = f"{REQUESTS}/compteur"
DECIDE = f"{REQUESTS}/decider"
LIST = f"{REQUESTS}/liste"
ABOUT = "abonne"  # of whom a form that asks is, in its address
# What is asked for by a form of its own that names a card.
CARD_FORMS: tuple[tuple[Kind, str, str], ...] = (
    (Kind.LIFT_HOLD, N_("Demander la levée d’un blocage"), LIFT),
    (Kind.REPRINT_PIN, N_("Demander un nouveau code secret"), REPRINT),
    (Kind.SHOW_NUMBER, N_("Demander à voir le numéro d’une carte"), NUMBER),
    (Kind.COUNTER, N_("Demander d’abaisser un compteur"), COUNTER),
)

_ID = re.compile(r"[0-9a-f]{32}")
LAST4 = re.compile(r"[0-9]{4}")
_VERDICTS: Mapping[Verdict, str] = {
    Verdict.APPROVED: N_("Accordée par {name} {when}"),
    Verdict.REFUSED: N_("Refusée par {name} {when}"),
}
_EXPIRED = N_("Trop ancienne : personne n’a décidé à temps. Refaites la demande si elle tient.")
_OWN = N_("C’est votre demande : une autre personne en décide.")
_WAITS = N_("En attente d’un responsable de la sécurité, {until}")
_BARRED: Mapping[str, str] = {
    Barred.SAME_PERSON: N_(
        "Cette demande est la vôtre. Deux personnes sont nécessaires : une autre que vous en "
        "décide. Rien n’a été changé."
    ),
    Barred.NO_RIGHT: N_("Votre rôle ne permet pas d’en décider. Rien n’a été changé."),
    Barred.EXPIRED: N_("Cette demande est trop ancienne. Rien n’a été changé."),
    Barred.DECIDED: N_("Quelqu’un en a déjà décidé : voyez la liste. Rien n’a été changé."),
    Barred.ASKER_GONE: N_(
        "Qui l’a demandé n’a plus de compte ouvert, ou plus ce rôle. Refusez la demande ; si elle "
        "tient, une autre personne la refait. Rien n’a été changé."
    ),
    Barred.NOBODY: N_("Cette demande n’existe pas. Rien n’a été changé."),
}
_NOTHING = N_(
    "Il n’y a plus rien à accorder : la carte n’est plus bloquée ou l’est de nouveau, un de ses "
    "codes a été accepté, l’adresse a encore changé, ou le compte est fermé. Rien n’a été changé."
)
_UNDECIDED = N_("La décision n’a pas été prise")
_BACK = N_("Voir les demandes")
NO_USER_CODE = N_("Un code utilisateur a 8 caractères, chiffres ou lettres sans accent.")
ASKED_ALREADY = N_("Une demande pour cette carte attend déjà une décision.")
NO_CARD = N_(
    "Cette personne n’a pas de carte qui finisse par ces chiffres. Vérifiez le code utilisateur et "
    "la carte."
)
_STILL_FALLS = N_("Aucun code de cette carte n’a été accepté depuis son inscription.")
_FALLS_NO_MORE = N_(
    "La carte n’est plus où elle en était à la demande : il n’y a plus rien à accorder."
)
_NO_HELD_CARD = N_(
    "Cette personne n’a pas de carte bloquée qui finisse par ces chiffres. Vérifiez le code "
    "utilisateur et la carte."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLines:
    """One request as it is read. `id` is hex; `may_decide` shows the two buttons."""

    id: str
    title: str
    about: str  # name and code
    listed: str = ""  # address of the list of all whom it is about
    dossier: str = ""  # address of the customer's page, for who may look at it
    details: tuple[str, ...]  # sentences, as its kind has them
    address: tuple[str, ...] = field(
        default=(), repr=False
    )  # the lines that a PIN is to be sent to
    overtaken: bool = False  # it was changed again since
    may_see: bool = False  # the number that it was about, now
    by: str
    at: str
    reason: str
    state: str
    may_decide: bool


@dataclass(frozen=True, slots=True)
class RequestsPage:
    """requests.html: what waits, and what was decided lately."""

    session: SignedIn
    waiting: tuple[RequestLines, ...]
    over: tuple[RequestLines, ...]
    decide_proof: str
    show_proof: str
    may_ask: tuple[tuple[str, str], ...]  # what, and where it is asked for
    all_of_them: bool  # or one's own only


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRequestPage:
    """lift.html and number.html: a form that asks for something about a card of a customer."""

    session: SignedIn
    proof: str
    user_code: str = ""
    last4: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardForm:
    """Such a form: what it asks for, where it stands, and which cards it may name."""

    kind: Kind
    address: str
    purpose: Purpose
    template: str
    find: Callable[[Bank, UserCode, str], Awaitable[int | None]]  # by user code and last digits
    no_card: str  # French

    def show(
        self,
        desk: Desk,
        request: Request,
        staff: Staff,
        fields: Mapping[str, str],
        errors: Mapping[str, str],
    ) -> Response:
        """The form with what was typed, and what was wrong with it (French), by field."""
        say = translator(language_of(request))
        page = CardRequestPage(
            session=frame(desk, request, staff, self.address),
            proof=button(desk, request, self.purpose),
            user_code=fields.get("user_code", "") if "user_code" not in errors else "",
            last4=fields.get("last4", "")[:4],
            reason=fields.get("reason", ""),
            errors={name: say(wrong) for name, wrong in errors.items()},
        )
        return desk.page(request, self.template, page, 422 if errors else 200)

    async def send(self, desk: Desk, request: Request, staff: Staff) -> Response:
        """Ask for what was typed, or say what is wrong with it."""
        fields = await read_pressed(desk, request, self.purpose)
        wish = await self._wish(desk.bank, fields)
        if isinstance(wish, Wish):
            try:
                await ask(desk.bank, staff, wish, address=address_of(request))
            except UnsuitableReason as wrong:
                wish = {"reason": wrong_reason(wrong)}
            except AskedAlready:
                wish = {"last4": ASKED_ALREADY}
            except NothingToRelease:
                wish = {"last4": self.no_card}
            else:
                return RedirectResponse(REQUESTS, status_code=303)
        return self.show(desk, request, staff, fields, wish)

    async def _wish(self, bank: Bank, fields: Mapping[str, str]) -> Wish | dict[str, str]:
        """What the form asks for, or what is wrong with it, by field (French)."""
        last4 = fields.get("last4", "").strip()
        try:
            user_code = parse_user_code(fields.get("user_code", ""))
        except MalformedUserCode:
            return {"user_code": NO_USER_CODE}
        card = None
        if LAST4.fullmatch(last4):
            card = await self.find(bank, user_code, last4)
        if card is None:
            return {"last4": self.no_card}
        return Wish(self.kind, user_code, {"card": card}, fields.get("reason", ""))


_LIFT_FORM = CardForm(
    kind=Kind.LIFT_HOLD,
    address=LIFT,
    purpose=Purpose.LIFT,
    template="lift.html",
    find=find_held_card,
    no_card=_NO_HELD_CARD,
)


def asked_for(staff: Staff, language: Language) -> Iterator[tuple[str, str]]:
    """What *staff* may ask for about a card: what it is called, and where its form stands."""
    say = translator(language)
    for kind, label, address in CARD_FORMS:
        if may_ask(kind, staff.roles):
            yield say(label), address


def known_from(request: Request) -> dict[str, str]:
    """The field that the address of a form has filled in: whom it is about, or nothing."""
    try:
        return {"user_code": parse_user_code(request.query_params.get(ABOUT, ""))}
    except MalformedUserCode:
        return {}


@for_staff(REQUESTS)
async def get_requests(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes`: officers and auditors see everybody's, others their own."""
    now = desk.bank.now()
    within = (await desk_limits(desk.bank)).number_shown_within
    seen = await recent_requests(desk.bank, None if sees_people(staff) else staff.user_code)
    names: Mapping[str, str] = {
        member.user_code: member.name for member in await all_members(desk.bank)
    }
    open_ones = [asked.verdict is None and now < asked.expires_at for asked in seen]
    lines = [
        await _as_it_stands(
            desk, request, asked, _lines(desk, request, asked, staff, names, within)
        )
        if waits
        else _lines(desk, request, asked, staff, names, within)
        for asked, waits in zip(seen, open_ones, strict=True)
    ]
    split = list(zip(lines, open_ones, strict=True))
    page = RequestsPage(
        session=frame(desk, request, staff, REQUESTS),
        waiting=tuple(line for line, waits in split if waits),
        over=tuple(line for line, waits in split if not waits),
        decide_proof=button(desk, request, Purpose.DECIDE),
        show_proof=button(desk, request, Purpose.SHOW),
        may_ask=tuple(asked_for(staff, language_of(request))),
        all_of_them=sees_people(staff),
    )
    return desk.page(request, "requests.html", page)


@for_staff(REQUESTS)
async def post_decide(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/decider`: the second person agrees, or does not."""
    fields = await read_pressed(desk, request, Purpose.DECIDE)
    approval = read_request_id(fields)
    if fields.get("verdict") not in set(Verdict):
        raise MalformedForm("the field verdict is missing", status=400)
    verdict = Verdict(fields["verdict"])
    try:
        await decide(desk.bank, staff, approval, verdict, address=address_of(request))
    except Undecided as undecided:
        return _not_decided(desk, request, _BARRED[undecided.why], 403)
    except NothingToRelease:
        return _not_decided(desk, request, _NOTHING, 409)
    return RedirectResponse(REQUESTS, status_code=303)


def read_request_id(fields: Mapping[str, str]) -> bytes:
    """The id (16 bytes) of the request that a form is about.

    Raises:
        MalformedForm: it has none.
    """
    if not _ID.fullmatch(fields.get("request", "")):
        raise MalformedForm("the field request is no request's id", status=400)
    return bytes.fromhex(fields["request"])


@for_staff(LIFT, may=asks_for(Kind.LIFT_HOLD))
async def get_lift(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/levee`."""
    return _LIFT_FORM.show(desk, request, staff, known_from(request), {})


@for_staff(LIFT, may=asks_for(Kind.LIFT_HOLD))
async def post_lift(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/levee`: ask; a security officer decides."""
    return await _LIFT_FORM.send(desk, request, staff)


def _not_decided(desk: Desk, request: Request, why: str, status: int) -> Response:
    return desk.page(request, "problem.html", ProblemPage(_UNDECIDED, why, _BACK, REQUESTS), status)


def _lines(  # noqa: PLR0913, PLR0917 -- what was asked, by whom it is read, and until when
    desk: Desk,
    request: Request,
    asked: Asked,
    staff: Staff,
    names: Mapping[str, str],
    within: timedelta,
) -> RequestLines:
    language, now = language_of(request), desk.bank.now()
    say, worded = translator(language), WORDED[asked.kind]
    return RequestLines(
        id=asked.id.hex(),
        title=say(worded.title),
        about=worded.about(asked, say),
        listed=list_address(asked, 0) if asked.kind is Kind.ISSUE else "",
        dossier=_dossier(asked, staff),
        details=tuple(worded.details(asked, say)),
        by=_named(names, asked.requested_by),
        at=when(asked.requested_at, language, now=now),
        reason=reason_of(asked, say),
        state=_state(asked, staff, names, language, now),
        may_decide=barred(asked, staff.user_code, staff.roles, now) is None,
        may_see=unseen(asked, staff.user_code, staff.roles, now, within=within) is None,
    )


async def _as_it_stands(
    desk: Desk, request: Request, asked: Asked, lines: RequestLines
) -> RequestLines:
    """*lines* of what waits, with what no request keeps, for it changes."""
    if asked.kind is Kind.ADDRESS:
        return await _with_address(desk, asked, lines)
    if asked.kind is Kind.COUNTER:
        found = _STILL_FALLS if await still_falls(desk.bank, asked) else _FALLS_NO_MORE
        said = translator(language_of(request))(found)
        return replace(lines, details=(*lines.details, said))
    return lines


def list_address(asked: Asked, after: int) -> str:
    """Where the customers of a request about many stand, *after* so many."""
    return f"{LIST}?{urlencode({'demande': asked.id.hex(), 'apres': after})}"


def _dossier(asked: Asked, staff: Staff) -> str:
    if not sees_customers(staff) or is_staff_code(asked.subject):
        return ""
    return CUSTOMER.format(user_code=asked.subject)


async def _with_address(desk: Desk, asked: Asked, lines: RequestLines) -> RequestLines:
    """*lines* with the address of today, which no request keeps."""
    try:
        standing = await find_standing(desk.bank, UserCode(asked.subject))
    except NoSuchCustomer:  # erased meanwhile
        return replace(lines, overtaken=True)
    if standing.changed_at is None or to_row(standing.changed_at) != asked.payload["changed"]:
        return replace(lines, overtaken=True)
    return replace(lines, address=(standing.name, *standing.address.below_name()))


def _named(names: Mapping[str, str], code: str) -> str:
    """Name and staff code of a member of staff: two of them may have one name."""
    return f"{names.get(code, '')} ({shown(code)})"


def _state(
    asked: Asked, staff: Staff, names: Mapping[str, str], language: Language, now: datetime
) -> str:
    say = translator(language)
    if asked.verdict is not None and asked.decided_at is not None:
        name = _named(names, asked.decided_by or "")
        at = when(asked.decided_at, language, now=now)
        return say(_VERDICTS[asked.verdict]).format(name=name, when=at)
    if now >= asked.expires_at:
        return say(_EXPIRED)
    if asked.requested_by == staff.user_code:
        return say(_OWN)
    return say(_WAITS).format(until=until(asked.expires_at, language, now=now))
