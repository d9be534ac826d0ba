"""The page about one customer: who, their cards and letters, how their access stands, the timeline.

Whoever opens it leaves a line of their own first (docs/decisions/0038). What can be done stands in
`ACTIONS`, a line each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.approvals import RULES
from sesame.bank.dossier import CardInDossier, Dossier, Standing, read_dossier, read_timeline
from sesame.bank.errors import MalformedUserCode
from sesame.bank.looking import note_look
from sesame.bank.moments import from_row
from sesame.bank.staff import BANK_ITSELF, Role, shown
from sesame.bank.staffing import Staff, all_members
from sesame.bank.user_code import parse_user_code
from sesame.catalogue import N_, Language, translator
from sesame.desk.call import FORMS
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    CUSTOMER,
    SEARCH,
    SignedIn,
    address_of,
    for_staff,
    frame,
    sees_customers,
)
from sesame.desk.requests import ABOUT, CARD_FORMS
from sesame.desk.timeline_words import LETTERS, REASONS, Speaker
from sesame.store.customer_view import HoldShown, NoticeShown, OrderShown, ReaderShown
from sesame.store.details import DetailsRow
from sesame.store.dispatches import DispatchRow
from sesame.web.formats import short_day, until, when
from sesame.web.language import language_of
from sesame.web.opening import PARIS
from sesame.web.problems import ProblemPage

_ADVISERS = frozenset({Role.ADVISER})


@dataclass(frozen=True, slots=True)
class Action:
    """Something that some roles may do for a customer: a link, with `{user_code}` in its place."""

    label: str
    address: str
    roles: frozenset[Role]
    needs_address: bool = False  # that the customer has one, by an import
    needs_waiting: bool = False  # a card that waits for its activation


ACTIONS: tuple[Action, ...] = (
    *(Action(label, f"{CUSTOMER}/{end}", _ADVISERS) for end, label in FORMS),
    Action(N_("Changer l’adresse"), f"{CUSTOMER}/adresse", _ADVISERS, needs_address=True),
    Action(
        N_("Nouveau numéro d’activation"), f"{CUSTOMER}/activation", _ADVISERS, needs_waiting=True
    ),
    *(
        Action(label, f"{address}?{ABOUT}={{user_code}}", RULES[kind].asked_by)
        for kind, label, address in CARD_FORMS
    ),
)

NOBODY = ProblemPage(
    N_("Personne n’a ce code utilisateur"),
    N_(
        "Relisez-le avec la personne qui appelle. Rien n’est gardé ici de ce qui est tenté sur un "
        "code que personne n’a, ni de qui a été effacé."
    ),
    N_("Chercher un abonné"),
    SEARCH,
)
_CARD_STATES: Mapping[str, str] = {
    "active": N_("En service"),
    "held": N_("Bloquée"),
    "waiting": N_("À activer"),
    "retired": N_("Retirée pour toujours"),
}
CARD_KINDS: Mapping[str, str] = {
    "bank": N_("Carte bancaire"),
    "sesame": N_("Carte Sésame"),
    "none": N_("Aucune carte"),
}
_READERS: Mapping[str, str] = {
    "stock": N_("en stock"),
    "sent": N_("envoyé"),
    "returned": N_("revenu"),
    "discarded": N_("mis au rebut"),
}
_FORMATS: Mapping[str, str] = {
    "normal": N_("lettres ordinaires"),
    "large-print": N_("lettres en grands caractères"),
}
_LANGUAGES: Mapping[str, str] = {"fr": N_("français"), "en": N_("anglais")}
_EMAIL: Mapping[str, str] = {
    "new": N_("à envoyer"),
    "due": N_("à envoyer"),
    "sent": N_("envoyé par courriel"),
    "failed": N_("courriel non remis"),
    "none": N_("sans courriel"),
}
# What notices tell of, by the event; of one that is not here the event itself is shown.
NOTICES: Mapping[str, str] = {
    "hold": N_("Blocage d’une carte"),
    "release": N_("Levée d’un blocage"),
    "opposition": N_("Opposition"),
    "suspension-lifted": N_("Suspension levée"),
    "activation": N_("Activation d’une carte"),
    "order": N_("Carte commandée"),
    "card-ordered": N_("Carte commandée"),
    "renewal": N_("Renouvellement d’une carte"),
    "number-reissued": N_("Nouveau numéro d’activation"),
    "card-retired": N_("Carte retirée"),
    "reprint": N_("Nouveau code secret"),
    "counter-order": N_("Carte à remettre au guichet"),
    "card-handed-over": N_("Carte remise au guichet"),
    "address-changed": N_("Adresse changée"),
    "email-changed": N_("Courriel changé"),
    "old-code": N_("Fin de l’ancien code"),
    "devices-forgotten": N_("Navigateurs connus oubliés"),
    "mail-returned": N_("Courrier revenu"),
    "mail-returned-held": N_("Courrier revenu, carte bloquée"),
    "resync": N_("Carte remise au pas"),
    "counter-lowered": N_("Compteur d’une carte corrigé"),
    "bank-card-given": N_("Carte bancaire ajoutée"),
    "bank-card-replaced": N_("Carte bancaire remplacée"),
}
_TRIES = N_("Essais restants : {tries}, et {known} de plus sur un navigateur connu.")
_TRIES_KNOWN_SUSPENDED = N_(
    "Essais restants : {tries}. Ceux des navigateurs connus sont suspendus {until}."
)
_SUSPENDED = N_("Suspendu {until}, puis l’accès se rouvre seul.")
_SUSPENDED_BUT_KNOWN = N_("Sur un navigateur connu, essais restants : {known}.")
_TWO_CODES = N_("Un seul code ne suffit plus : deux codes de suite sont demandés.")
_REHEARSALS = N_("« Premier essai » : assez de codes faux pour aujourd’hui.")
_REPLAYED = N_("Un code qui avait déjà servi a été présenté {when} : un tiers a pu le recueillir.")
_OLD_CODE = N_("L’ancien code sert encore ; le premier code Sésame accepté l’effacera.")
_OLD_CODE_TO_COME = N_("Un ancien code doit encore être fourni ; il n’y en a pas encore.")
_SESAME_ONLY = N_("Sésame seulement : il n’y a pas, ou plus, d’ancien code.")
_SIGNED_IN = N_("Dernière connexion {when}.")
_NEVER = N_("Jamais connecté.")
_COUNTS = N_("Sessions ouvertes : {sessions}. Navigateurs connus : {devices}.")
_SINCE = N_("Depuis le {day}, compteur {atc}")
_EXPIRES = N_("expire le {day}")
_UNSURE = N_("à confirmer par une réponse à la banque, depuis une restauration")
_BY_LETTER = N_("lettre {letter}")
_HELD_BY_OWNER = N_("Bloquée par l’abonné {when}")
_HELD_AGAIN = N_("Bloquée {when}, et de nouveau après une restauration\u00a0: {reason}")
_HELD_BY_DESK = N_("Bloquée par {name} {when} : {reason}")
_ORDERED = N_("{kind}, {reason}, commandée {when} par {name}")
_ORDER_STATES: Mapping[str, str] = {
    "cancelled": N_("annulée {when}"),
    "activated": N_("activée {when}"),
    "waiting": N_("faite, à activer {until}"),
    "made": N_("faite {when}"),
    "ordered": N_("à faire"),
}
_DISPATCH_STATES: Mapping[str, str] = {
    "voided": N_("annulé {when}"),
    "returned": N_("revenu {when}"),
    "posted": N_("posté {when}"),
    "printed": N_("imprimé {when}, à poster"),
    "due": N_("à imprimer à partir du {day}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLines:
    """A card as it is read."""

    title: str  # kind and masked number
    state: str
    facts: str
    hold: str  # by whom and why; empty where nobody holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLines:
    """What happened once: a sentence or several, when, who, by which way."""

    when: str
    sentences: tuple[str, ...]
    by: str
    door: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """customer.html: everything staff need of one customer, and nothing secret."""

    session: SignedIn
    name: str
    user_code: str
    language: str
    letters: str
    address: tuple[str, ...] = field(repr=False)
    email: str = field(repr=False)
    reference: str
    access: tuple[str, ...]
    cards: tuple[CardLines, ...]
    orders: tuple[str, ...]
    dispatches: tuple[str, ...]
    readers: tuple[str, ...]
    notices: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]  # what, and where it is done
    timeline: tuple[EntryLines, ...]
    older: str  # where earlier entries stand; empty where there are none
    is_latest: bool  # the timeline begins with the latest


@for_staff(may=sees_customers)
async def get_customer(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/client/{user_code}`: `?avant=` a version shows what was before it."""
    here = request.url.path
    try:
        user_code = parse_user_code(request.path_params["user_code"])
    except MalformedUserCode:
        return desk.page(request, "problem.html", NOBODY, 404)
    dossier = await read_dossier(desk.bank, user_code)
    if dossier is None:
        return desk.page(request, "problem.html", NOBODY, 404)
    await note_look(desk.bank, staff, user_code, address_of(request))
    page = await _page(desk, request, staff, dossier, here)
    return desk.page(request, "customer.html", page)


def address_of_customer(user_code: str) -> str:
    """Where the page about that customer stands."""
    return CUSTOMER.format(user_code=user_code)


async def _page(
    desk: Desk, request: Request, staff: Staff, dossier: Dossier, here: str
) -> CustomerPage:
    before = request.query_params.get("avant", "")
    version = int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None  # noqa: PLR2004 -- digits of 63 bits
    timeline = await read_timeline(desk.bank, dossier.user_code, version)
    speaker = Speaker(
        language=language_of(request),
        now=desk.bank.now(),
        user_code=dossier.user_code,
        cards={card.number: card.last4 for card in dossier.cards},
        names={shown(one.user_code): one.name for one in await all_members(desk.bank)},
    )
    told = _Told(speaker)
    view, details = dossier.view, dossier.view.details
    return CustomerPage(
        session=frame(desk, request, staff, here),
        name=dossier.name,
        user_code=dossier.user_code,
        language=told.word(_LANGUAGES, view.language),
        letters=told.word(_FORMATS, details.letter_format) if details else "",
        address=tuple(_address(dossier.name, details)) if details else (),
        email=(details.email or "") if details else "",
        reference=(details.reference or "") if details else "",
        access=tuple(told.access(dossier)),
        cards=tuple(told.card(card, view.holds) for card in dossier.cards),
        orders=tuple(told.order(order) for order in reversed(view.orders)),
        dispatches=tuple(told.dispatch(one) for one in reversed(view.dispatches)),
        readers=tuple(told.reader(one) for one in view.readers),
        notices=tuple(told.notice(one) for one in view.notices),
        actions=tuple(_actions(staff, dossier, speaker.language)),
        timeline=tuple(
            EntryLines(
                when=speaker.when(entry),
                sentences=speaker.sentences(entry),
                by=speaker.person(entry.by) if entry.by else "",
                door=speaker.door(entry),
            )
            for entry in timeline.entries
        ),
        older="" if timeline.older is None else f"{here}?avant={timeline.older}#chronologie",
        is_latest=version is None,
    )


def _actions(staff: Staff, dossier: Dossier, language: Language) -> Iterator[tuple[str, str]]:
    say, view = translator(language), dossier.view
    for action in ACTIONS:
        possible = (view.details is not None or not action.needs_address) and (
            view.waits or not action.needs_waiting
        )
        if possible and action.roles & staff.roles:
            yield say(action.label), action.address.format(user_code=dossier.user_code)


def _address(name: str, details: DetailsRow) -> Iterator[str]:
    """The lines of a letter, without those that are empty."""
    lines = (name, details.line_2, details.line_3, details.line_4, details.line_5)
    city = f"{details.postcode} {details.city}"
    yield from (line for line in (*lines, city) if line)
    if details.country != "FR":
        yield details.country


def standing_said(standing: Standing, speaker: Speaker) -> Iterator[str]:
    """How many tries are left, or until when there are none, and what else is asked for."""
    say = translator(speaker.language)

    def end(moment: datetime) -> str:
        return until(moment, speaker.language, now=speaker.now)

    tries, known = standing.tries, standing.known_tries
    if standing.suspended_until is not None:
        yield say(_SUSPENDED).format(until=end(standing.suspended_until))
        if known:
            yield say(_SUSPENDED_BUT_KNOWN).format(known=known)
    elif standing.known_suspended_until is not None:
        ends = end(standing.known_suspended_until)
        yield say(_TRIES_KNOWN_SUSPENDED).format(tries=tries, until=ends)
    else:
        yield say(_TRIES).format(tries=tries, known=known)
    if standing.two_codes:
        yield say(_TWO_CODES)
    if standing.rehearsals_over:
        yield say(_REHEARSALS)


@dataclass(frozen=True, slots=True)
class _Told:
    """Rows in sentences."""

    speaker: Speaker

    def word(self, words: Mapping[str, str], value: str) -> str:
        """The word for *value*; of a later version the value itself."""
        return self._say(words.get(value, value))

    def access(self, dossier: Dossier) -> Iterator[str]:
        """How the access stands."""
        yield from standing_said(dossier.standing, self.speaker)
        if dossier.replayed_at is not None:
            yield self._say(_REPLAYED).format(when=self._when(dossier.replayed_at))
        details = dossier.view.details
        if dossier.has_old_code:
            yield self._say(_OLD_CODE)
        elif details is not None and details.old_code_to_come and dossier.signed_in_at is None:
            yield self._say(_OLD_CODE_TO_COME)
        else:
            yield self._say(_SESAME_ONLY)
        if dossier.signed_in_at is None:
            yield self._say(_NEVER)
        else:
            yield self._say(_SIGNED_IN).format(when=self._when(dossier.signed_in_at))
        view = dossier.view
        yield self._say(_COUNTS).format(sessions=view.sessions, devices=view.devices)

    def card(self, card: CardInDossier, holds: Sequence[HoldShown]) -> CardLines:
        """A card, and who holds it."""
        facts = [self._say(_SINCE).format(day=_day(card.since), atc=card.last_atc)]
        if card.expires is not None:
            facts.append(self._say(_EXPIRES).format(day=short_day(card.expires)))
        if not card.sure:
            facts.append(self._say(_UNSURE))
        hold = next((one for one in holds if one.card_number == card.number), None)
        return CardLines(
            title=f"{self.word(CARD_KINDS, card.kind)} ••••{card.last4}",
            state=self.word(_CARD_STATES, card.state),
            facts=", ".join(facts),
            hold="" if hold is None else self._hold(hold),
        )

    def _hold(self, hold: HoldShown) -> str:
        name, at = self.speaker.person(shown(hold.by_code)), self._when(from_row(hold.at))
        if hold.by == "owner":  # who says no reason
            return self._say(_HELD_BY_OWNER).format(when=at)
        reason = self.word(REASONS, hold.reason)
        if hold.by_code == BANK_ITSELF:  # by a replay: who it was, the line says
            return self._say(_HELD_AGAIN).format(when=at, reason=reason)
        return self._say(_HELD_BY_DESK).format(name=name, when=at, reason=reason)

    def order(self, order: OrderShown) -> str:
        """An order, and how far it is."""
        ordered = self._say(_ORDERED).format(
            kind=self.word(CARD_KINDS, order.kind),
            reason=self.word(REASONS, order.reason),
            when=self._when(from_row(order.ordered_at)),
            name=self.speaker.person(shown(order.ordered_by)),
        )
        return f"{ordered} – {self._order_state(order)}"

    def _order_state(self, order: OrderShown) -> str:
        for state, at in (
            ("cancelled", order.cancelled_at),
            ("activated", order.activated_at),
            ("waiting", order.activation_until),
            ("made", order.personalised_at),
        ):
            if at is not None:
                moment = from_row(at)
                return self._say(_ORDER_STATES[state]).format(
                    when=self._when(moment), until=self._until(moment)
                )
        return self._say(_ORDER_STATES["ordered"])

    def dispatch(self, one: DispatchRow) -> str:
        """A letter or parcel, by the reference that stands on it, and where it is."""
        serial = f", {one.reader_serial}" if one.reader_serial else ""
        return (
            f"{one.reference} – {self.word(LETTERS, one.kind)}{serial} – "
            f"{self._dispatch_state(one)}"
        )

    def _dispatch_state(self, one: DispatchRow) -> str:
        for state, at in (
            ("voided", one.voided_at),
            ("returned", one.returned_at),
            ("posted", one.posted_at),
            ("printed", one.printed_at),
        ):
            if at is not None:
                return self._say(_DISPATCH_STATES[state]).format(when=self._when(from_row(at)))
        return self._say(_DISPATCH_STATES["due"]).format(day=_day(from_row(one.due_at)))

    def reader(self, one: ReaderShown) -> str:
        """A reader by its serial number."""
        state, at = self.word(_READERS, one.state), self._when(from_row(one.changed_at))
        return f"{one.serial} ({one.model}) – {state} {at}"

    def notice(self, one: NoticeShown) -> str:
        """What they were told, or are to be."""
        state, at = self.word(_EMAIL, one.email_state), self._when(from_row(one.at))
        letter = (
            "" if one.letter is None else f", {self._say(_BY_LETTER).format(letter=one.letter)}"
        )
        return f"{self.word(NOTICES, one.event)} – {at} – {state}{letter}"

    def _say(self, sentence: str) -> str:
        return translator(self.speaker.language)(sentence)

    def _when(self, moment: datetime) -> str:
        return when(moment, self.speaker.language, now=self.speaker.now)

    def _until(self, moment: datetime) -> str:
        return until(moment, self.speaker.language, now=self.speaker.now)


def _day(moment: datetime) -> str:
    local: date = moment.astimezone(PARIS).date()
    return short_day(local)
