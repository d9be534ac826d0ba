"""`/guichet/emission`: what waits for an issuer, readers in stock, mail that came back.

Cards are made and letters printed at the command line, by who holds the keys: nothing here meets
a card, a PIN or a letter's folder.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.addresses import waiting_for_second
from sesame.bank.approvals import Kind, Wish
from sesame.bank.approving import ask
from sesame.bank.card_numbers import has_card_number
from sesame.bank.dispatching import batches_to_do, due_counts
from sesame.bank.errors import (
    AskedAlready,
    MalformedUserCode,
    NoSuchCustomer,
    NoSuchLetter,
    NothingToOrder,
    NothingToRelease,
    TakesTwo,
    UnsuitableReaders,
    UnsuitableReason,
)
from sesame.bank.moments import from_row
from sesame.bank.orders import MOST_AT_ONCE, ask_for_cards, find_card, to_make, wanting
from sesame.bank.returned_mail import ask_for_another, came_back, record_returned, send_again
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff
from sesame.bank.stock import Balance, balances, is_model, read_serials, take_in
from sesame.bank.user_code import parse_user_code
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import NO_CARD_NUMBER, wrong_reason
from sesame.desk.guard import (
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
)
from sesame.desk.requests import NO_USER_CODE, REPRINT, known_from
from sesame.web.formats import when
from sesame.web.language import language_of

ISSUING = "/guichet/emission"
ASK = f"{ISSUING}/demande"
RETURNED = f"{ISSUING}/retour"
AGAIN = f"{ISSUING}/renvoi"
READERS = f"{ISSUING}/lecteurs"

KIND_NAMES: Mapping[str, str] = {
    "card": N_("lettre de la carte"),
    "pin": N_("lettre du code secret"),
    "reader": N_("colis du lecteur"),
    "welcome": N_("lettre de bienvenue"),
    "hold": N_("avis de blocage"),
    "release": N_("avis de déblocage"),
    "notice": N_("avis de changement"),
    "reminder": N_("rappel"),
}
_NOTHING_TO_ORDER = N_("Personne n’attend plus de carte ni de lecteur.")
_ASKED_ALREADY = N_("Une demande attend déjà une décision.")
_NO_LETTER = N_(
    "Aucun courrier posté ne porte cette référence, ou son retour est déjà noté. Relisez-la."
)
_NO_MODEL = N_("Écrivez le modèle comme au dos du lecteur, de 1 à 40 caractères sans accent.")
_NO_SERIALS = N_(
    "Écrivez un numéro de série par ligne, de 1 à 40 caractères sans accent ; chacun une fois."
)
_CARD_AMONG_SERIALS = N_(
    "Ce qui ressemble à un numéro de carte a été retiré de la liste\u00a0: relisez-la. Si c’est "
    "bien le numéro d’un lecteur, la commande «\u00a0sesame issuing readers\u00a0» le prend."
)
_NO_CARD = N_(
    "Cette personne n’a pas de carte Sésame qui finisse par ces chiffres. Vérifiez le code "
    "utilisateur et la carte."
)
_LAST4 = re.compile(r"[0-9]{4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLine:
    """Letters of a kind: how many this person may print today, and how many are due in all."""

    kind: str  # as the command takes it
    name: str
    may: int
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedLine:
    """A customer whose secrets wait until a second person confirms their address."""

    user_code: str
    names: str  # of the letters


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """A batch that is to be posted, or whose folder is to be destroyed."""

    id: str
    name: str
    letters: int
    made: str
    to_post: bool
    to_destroy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """A letter that came back."""

    reference: str
    name: str
    user_code: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingPage:
    """issuing.html."""

    session: SignedIn
    cards: int  # customers who want one
    readers: int  # and who want one for their bank card
    most: str  # of one request
    to_make: int
    due: tuple[DueLine, ...]
    unconfirmed: tuple[UnconfirmedLine, ...]
    unconfirmed_letters: int  # in all, also of those who are not listed
    batches: tuple[BatchLine, ...]
    stock: tuple[Balance, ...]
    returned: tuple[ReturnedLine, ...]
    ask_proof: str
    returned_proof: str
    again_proof: str
    readers_proof: str
    fields: Mapping[str, str]  # as they were typed
    errors: Mapping[str, str]
    done: str  # what was just done; else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprintPage:
    """reprint.html: the form that asks for another PIN, which takes another card."""

    session: SignedIn
    proof: str
    fields: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


def is_issuer(staff: Staff) -> bool:
    """Whether they issue."""
    return Role.ISSUER in staff.roles


@for_staff(ISSUING, may=is_issuer)
async def get_issuing(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/emission`."""
    return await _issuing(desk, request, staff)


@for_staff(ISSUING, may=is_issuer)
async def post_ask(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/emission/demande`: ask; a security officer decides."""
    fields = await read_pressed(desk, request, Purpose.ISSUE)
    try:
        await ask_for_cards(
            desk.bank, staff, reason=fields.get("reason", ""), address=address_of(request)
        )
    except UnsuitableReason as wrong:
        return await _issuing(desk, request, staff, fields, {"reason": wrong_reason(wrong)})
    except NothingToOrder:
        return await _issuing(desk, request, staff, fields, {"reason": _NOTHING_TO_ORDER})
    except AskedAlready:
        return await _issuing(desk, request, staff, fields, {"reason": _ASKED_ALREADY})
    return RedirectResponse(REQUESTS, status_code=303)


@for_staff(ISSUING, may=is_issuer)
async def post_returned(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/emission/retour`: a letter came back, and what it was part of stops."""
    fields = await read_pressed(desk, request, Purpose.RETURNED)
    reference = "".join(fields.get("reference", "").split()).upper()
    try:
        came = await record_returned(
            desk.bank, reference, staff.signer, address=address_of(request)
        )
    except NoSuchLetter:
        return await _issuing(desk, request, staff, fields, {"reference": _NO_LETTER})
    if came.retired:
        done = N_(
            "Le retour est noté. La carte ne servira jamais\u00a0: une autre est à commander."
        )
    elif came.withdrawn:
        done = N_("Le retour est noté. Le numéro d’activation de cet envoi ne vaut plus rien.")
    elif came.held:
        done = N_(
            "Le retour est noté. La carte est bloquée\u00a0: lever le blocage demande deux "
            "personnes."
        )
    else:
        done = N_("Le retour est noté. Rien d’autre ne part, hors les avis de changement.")
    return await _issuing(desk, request, staff, done=done)


@for_staff(ISSUING, may=is_issuer)
async def post_again(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/emission/renvoi`: the address was looked at, and it is sent once more."""
    fields = await read_pressed(desk, request, Purpose.AGAIN)
    try:
        await send_again(
            desk.bank,
            fields.get("reference", ""),
            staff.signer,
            desk.post_days,
            address=address_of(request),
        )
    except TakesTwo:
        return await _ask_for_another(desk, request, staff, fields.get("reference", ""))
    except (NoSuchLetter, NothingToOrder):
        done = N_("Il n’y a rien à renvoyer, ou c’est déjà prévu. Rien n’a été changé.")
        return await _issuing(desk, request, staff, done=done, status=409)
    done = N_("Le renvoi est prévu.")
    return await _issuing(desk, request, staff, done=done, status=200)


async def _ask_for_another(desk: Desk, request: Request, staff: Staff, reference: str) -> Response:
    try:
        await ask_for_another(
            desk.bank, reference, staff, desk.post_days, address=address_of(request)
        )
    except (NoSuchLetter, NothingToOrder):
        done = N_("Il n’y a rien à renvoyer, ou c’est déjà prévu. Rien n’a été changé.")
        return await _issuing(desk, request, staff, done=done, status=409)
    return RedirectResponse(REQUESTS, status_code=303)


@for_staff(ISSUING, may=is_issuer)
async def post_readers(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/emission/lecteurs`: take readers into stock, as they were typed."""
    fields = await read_pressed(desk, request, Purpose.READERS)
    model = " ".join(fields.get("model", "").split())
    if has_card_number(model) or not is_model(model):
        wrong = NO_CARD_NUMBER if has_card_number(model) else _NO_MODEL
        return await _issuing(desk, request, staff, fields, {"model": wrong})
    serials = fields.get("serials", "").splitlines()
    if any(map(has_card_number, serials)):
        return await _issuing(desk, request, staff, fields, {"serials": _CARD_AMONG_SERIALS})
    try:
        readers = read_serials(serials, model)
    except UnsuitableReaders:
        return await _issuing(desk, request, staff, fields, {"serials": _NO_SERIALS})
    await take_in(desk.bank, readers, staff.signer)
    return RedirectResponse(f"{ISSUING}#stock-title", status_code=303)


@for_staff(REPRINT, may=asks_for(Kind.REPRINT_PIN))
async def get_reprint(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/code-secret`."""
    return _reprint(desk, request, staff, known_from(request), {}, 200)


@for_staff(REPRINT, may=asks_for(Kind.REPRINT_PIN))
async def post_reprint(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/code-secret`: ask; a security officer decides."""
    fields = await read_pressed(desk, request, Purpose.REPRINT)
    try:
        user_code = parse_user_code(fields.get("user_code", ""))
    except MalformedUserCode:
        return _reprint(desk, request, staff, fields, {"user_code": NO_USER_CODE})
    last4 = fields.get("last4", "").strip()
    card = await find_card(desk.bank, user_code, last4) if _LAST4.fullmatch(last4) else None
    if card is None:
        return _reprint(desk, request, staff, fields, {"last4": _NO_CARD})
    wish = Wish(Kind.REPRINT_PIN, user_code, {"card": card}, fields.get("reason", ""))
    try:
        await ask(desk.bank, staff, wish, address=address_of(request))
    except UnsuitableReason as wrong:
        return _reprint(desk, request, staff, fields, {"reason": wrong_reason(wrong)})
    except AskedAlready:
        return _reprint(desk, request, staff, fields, {"last4": _ASKED_ALREADY})
    except (NothingToRelease, NoSuchCustomer):
        return _reprint(desk, request, staff, fields, {"last4": _NO_CARD})
    return RedirectResponse(REQUESTS, status_code=303)


def _reprint(  # noqa: PLR0913, PLR0917 -- the request, who sent it, and what it said
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 422,
) -> Response:
    say = translator(language_of(request))
    page = ReprintPage(
        session=frame(desk, request, staff, REPRINT),
        proof=button(desk, request, Purpose.REPRINT),
        # Not even back to who typed it: it may be a PIN.
        fields={**fields, "user_code": ""} if "user_code" in errors else fields,
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
    return desk.page(request, "reprint.html", page, status)


async def _issuing(  # noqa: PLR0913 -- the request, who sent it, and what it said
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    *,
    done: str = "",
    status: int | None = None,
) -> Response:
    bank, language = desk.bank, language_of(request)
    say, now = translator(language), desk.bank.now()
    counts = await wanting(bank)
    due = await due_counts(bank, staff.user_code, desk.post_days)
    wait, unconfirmed = await waiting_for_second(bank)
    page = IssuingPage(
        session=frame(desk, request, staff, ISSUING),
        cards=counts["sesame"],
        readers=counts["bank"],
        most=f"{MOST_AT_ONCE:,}".replace(",", "\u202f"),
        to_make=await to_make(bank),
        due=tuple(
            DueLine(kind=kind, name=say(KIND_NAMES[kind]), may=may, due=all_of_them)
            for kind, (may, all_of_them) in due.items()
        ),
        unconfirmed=tuple(
            UnconfirmedLine(
                user_code=user_code,
                names=", ".join(say(KIND_NAMES[kind]) for _, kind in theirs),
            )
            for user_code, theirs in groupby(unconfirmed, key=itemgetter(0))
        ),
        unconfirmed_letters=wait,
        batches=tuple(
            BatchLine(
                id=row.id,
                name=say(KIND_NAMES.get(row.kind, row.kind)),
                letters=row.letters,
                made=when(from_row(row.made_at), language, now=now),
                to_post=row.posted_at is None,
                to_destroy=row.destroyed_at is None,
            )
            for row in await batches_to_do(bank)
        ),
        stock=tuple(await balances(bank)),
        returned=tuple(
            ReturnedLine(
                reference=row.reference,
                name=say(KIND_NAMES.get(row.kind, row.kind)),
                user_code=row.user_code,
                at=when(from_row(row.returned_at or 0), language, now=now),
            )
            for row in await came_back(bank)
        ),
        ask_proof=button(desk, request, Purpose.ISSUE),
        returned_proof=button(desk, request, Purpose.RETURNED),
        again_proof=button(desk, request, Purpose.AGAIN),
        readers_proof=button(desk, request, Purpose.READERS),
        fields=fields or {},
        errors={name: say(wrong) for name, wrong in (errors or {}).items()},
        done=say(done) if done else "",
    )
    return desk.page(request, "issuing.html", page, status or (422 if errors else 200))
