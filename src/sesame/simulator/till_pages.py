"""The pages of the till: a form, and a ticket for each payment.

    GET    /caisse              the cards of the drawer, an amount, a PIN
    POST   /caisse              one payment: 303 to its ticket, or the form to be corrected
    GET    /caisse/ticket/{id}  the ticket

Each form has a ticket of its own, which is kept: a page loaded again or a button pressed twice
neither pays again nor spends another try. The PIN that was typed is in the body of the POST and
goes to the card, and nowhere else.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from babel.numbers import format_currency
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sesame.cap.profiles import BANK_CARD
from sesame.card.errors import CardError, CardInUse
from sesame.catalogue import N_, Language, translator
from sesame.emv.errors import MalformedPin
from sesame.emv.pin import Pin
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator.readers import Readers
from sesame.simulator.till import (
    HIGHEST_AMOUNT,
    UN_LENGTH,
    Counted,
    Paid,
    Purchase,
    Refusal,
    pay,
)
from sesame.web.errors import ForeignRequest
from sesame.web.forms import read_form
from sesame.web.guard import require_same_origin
from sesame.web.language import language_of
from sesame.web.rendering import Renderer

ADDRESS = "/caisse"
MOST_TICKETS = 256  # kept at once; the oldest goes first

_CARD_WAIT = 1.0  # seconds for a card that the command line is using
_ID_BYTES = 16
_LOCALES = {Language.FRENCH: "fr_FR", Language.ENGLISH: "en_GB"}
_ID = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")
_BETWEEN_DIGITS = re.compile(r"[\s€]")  # what people write around an amount
_AMOUNT = re.compile(r"([0-9]+)(?:[.,]([0-9]{1,2}))?")
_MOST_DIGITS = 9  # in front of the comma; more is too much, whatever they are


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCard:
    """A card that can be chosen; sentences are French, the template translates them."""

    name: str  # in the drawer
    title: str
    sort: str
    look: str  # a class of the style sheet
    pin: str = field(repr=False)  # what its holder knows
    path: Path | None  # of its file; None: its chip is dead
    makes_codes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Till:
    """What the till is made of."""

    readers: Readers
    renderer: Renderer
    cards: Callable[[], Sequence[TillCard]]  # read anew for each page
    clock: Clock
    random_bytes: Callable[[int], bytes]
    public_origin: str | None  # as for `require_same_origin`


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What one payment left."""

    card: str  # its name in the drawer
    title: str  # whose it is
    makes_codes: bool
    amount: int  # cents
    reason: str | None = None  # why it was refused, in French; None: it was not
    tries_left: int | None = None
    counted: Counted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """What is to be corrected in the form, field by field, in the page's language."""

    card: str | None = None
    amount: str | None = None
    pin: str | None = None

    def __bool__(self) -> bool:
        return any((self.card, self.amount, self.pin))


@dataclass(frozen=True, slots=True, kw_only=True)
class TillPage:
    """till.html: the form."""

    form: str  # its id, 32 hexadecimal digits, and later its ticket's
    cards: Sequence[TillCard]
    highest: str  # amount, as it is read
    card: str = ""  # the one that is chosen
    amount: str = ""  # as it was typed
    mistakes: Mistakes = field(default_factory=Mistakes)
    foreign: bool = False  # another site sent it
    address: str = ADDRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """ticket.html: what was paid or why not, and where the card's counter stands."""

    title: str
    amount: str
    reason: str | None  # in the page's language
    counted: Counted | None
    again: str  # address of the form, with this card
    window: int | None  # how far the counter may move between two codes; None: not to be said


_REASONS = {
    Refusal.MUTE: N_("La puce de cette carte ne répond pas."),
    Refusal.NO_PAYMENT: N_("Cette carte ne paie pas : elle ne fait que des codes Sésame."),
    Refusal.EXPIRED: N_("La carte a expiré."),
    Refusal.NOT_YET_VALID: N_("La carte n’est pas encore valable."),
    Refusal.BLOCKED: N_(
        "La carte est bloquée : il ne reste aucun essai pour son code secret, ici comme dans un "
        "lecteur. « Tout remettre à neuf » la débloque."
    ),
    Refusal.WRONG_PIN: N_("Code secret faux. Il reste {tries} essais."),
    Refusal.DECLINED: N_("La carte refuse ce paiement."),
    Refusal.UNFIT: N_("La caisse ne comprend pas ce que dit cette carte."),
}
_LAST_TRY = N_("Code secret faux. Il reste 1 essai : au prochain code faux, la carte se bloque.")
_IN_USE = N_("Un autre programme se sert de cette carte. Réessayez dans un instant.")
_DAMAGED = N_("Cette carte est abîmée. Remettez tout à neuf pour la réparer.")

_CHOOSE = N_("Choisissez une carte.")
_NO_AMOUNT = N_("Entrez le montant à payer.")
_NOT_AN_AMOUNT = N_(
    "Écrivez le montant en chiffres, sans virgule ni point pour les milliers, par exemple 1250,00."
)
_ZERO = N_("Le montant doit être d’un centime au moins.")
_TOO_MUCH = N_("Cette caisse n’encaisse pas plus de {highest}.")
_NOT_A_PIN = N_("Le code secret d’une carte a de 4 à 12 chiffres.")


def till_routes(till: Till) -> list[Route]:
    """The three addresses."""
    tickets: dict[str, Ticket] = {}  # by the form's id
    counter = asyncio.Lock()  # one customer after the other

    async def form(request: Request) -> Response:
        page = _new_form(till, request)
        if request.method != "POST":
            return till.renderer.render(request, "till.html", page)
        try:
            require_same_origin(request, till.public_origin)
        except ForeignRequest:
            page = replace(page, card="", foreign=True)
            return till.renderer.render(request, "till.html", page, 403)
        fields = await read_form(request)
        order = _read(fields, page.cards, language_of(request))
        if isinstance(order, Mistakes):
            chosen, amount = fields.get("card", ""), fields.get("amount", "")
            page = replace(page, card=chosen, amount=amount, mistakes=order)
            return till.renderer.render(request, "till.html", page, 422)
        form_id = fields.get("form", "")
        if not _ID.fullmatch(form_id):
            form_id = page.form
        async with counter:
            if form_id not in tickets:
                tickets[form_id] = await _charge(till, order)
            if len(tickets) > MOST_TICKETS:
                del tickets[next(iter(tickets))]
        return RedirectResponse(f"{ADDRESS}/ticket/{form_id}", status_code=303)

    async def show(request: Request) -> Response:
        ticket = tickets.get(request.path_params["id"])
        if ticket is None:
            raise HTTPException(404)
        page = _ticket_page(ticket, language_of(request))
        return till.renderer.render(request, "ticket.html", page)

    return [
        Route(ADDRESS, form, methods=["GET", "POST"]),
        Route(f"{ADDRESS}/ticket/{{id}}", show),
    ]


def euros(cents: int, language: Language) -> str:
    """An amount as it is read: `12,50 €` or `€12.50`, with spaces that do not break."""
    text: str = format_currency(Decimal(cents) / 100, "EUR", locale=_LOCALES[language])
    return text


# ── What the form carries ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Order:
    card: TillCard
    amount: int  # cents
    pin: Pin


def _read(
    fields: Mapping[str, str], cards: Sequence[TillCard], language: Language
) -> _Order | Mistakes:
    _ = translator(language)
    card = next((card for card in cards if card.name == fields.get("card")), None)
    amount = _read_amount(fields.get("amount", ""))
    pin = _read_pin(fields.get("pin", ""))
    if card is None or isinstance(amount, str) or pin is None:
        wrong = _(amount) if isinstance(amount, str) else None
        return Mistakes(
            card=_(_CHOOSE) if card is None else None,
            amount=wrong and wrong.format(highest=euros(HIGHEST_AMOUNT, language)),
            pin=_(_NOT_A_PIN) if pin is None else None,
        )
    return _Order(card, amount, pin)


def _read_amount(typed: str) -> int | str:
    """Cents, or what is wrong, in French."""
    written = _BETWEEN_DIGITS.sub("", typed)
    if not written:
        return _NO_AMOUNT
    parts = _AMOUNT.fullmatch(written)
    if parts is None:
        return _NOT_AN_AMOUNT
    whole, rest = parts[1].lstrip("0"), parts[2] or ""
    if len(whole) > _MOST_DIGITS:
        return _TOO_MUCH
    cents = int(whole + rest.ljust(2, "0"))
    if cents == 0:
        return _ZERO
    return cents if cents <= HIGHEST_AMOUNT else _TOO_MUCH


def _read_pin(typed: str) -> Pin | None:
    try:
        return Pin(typed.strip())
    except MalformedPin:
        return None


# ── One payment ──────────────────────────────────────────────────────────────────────────────────


async def _charge(till: Till, order: _Order) -> Ticket:
    card = order.card
    slot = VirtualSlot(card.path or Path(), _CARD_WAIT, upside_down=card.path is None)
    purchase = Purchase(
        amount=order.amount, today=till.clock.today(), un=till.random_bytes(UN_LENGTH)
    )
    ticket = Ticket(
        card=card.name, title=card.title, makes_codes=card.makes_codes, amount=order.amount
    )
    try:
        async with till.readers.taken(card.name):
            outcome = await asyncio.to_thread(pay, slot, order.pin, purchase)
    except CardInUse:
        return replace(ticket, reason=_IN_USE)
    except CardError:
        return replace(ticket, reason=_DAMAGED)
    if isinstance(outcome, Paid):
        return replace(ticket, counted=outcome.card)
    reason = _LAST_TRY if outcome.tries_left == 1 else _REASONS[outcome.why]
    return replace(ticket, reason=reason, tries_left=outcome.tries_left, counted=outcome.card)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


def _new_form(till: Till, request: Request) -> TillPage:
    return TillPage(
        form=till.random_bytes(_ID_BYTES).hex(),
        cards=till.cards(),
        highest=euros(HIGHEST_AMOUNT, language_of(request)),
        card=request.query_params.get("carte", ""),
    )


def _ticket_page(ticket: Ticket, language: Language) -> TicketPage:
    reason = ticket.reason
    if reason is not None:
        reason = translator(language)(reason).format(tries=ticket.tries_left)
    return TicketPage(
        title=ticket.title,
        amount=euros(ticket.amount, language),
        reason=reason,
        counted=ticket.counted,
        again=f"{ADDRESS}?carte={ticket.card}",
        window=BANK_CARD.window if ticket.makes_codes and reason is None else None,
    )
