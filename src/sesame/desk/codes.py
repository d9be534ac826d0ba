"""Codes that a customer reads out: what each way is for, and what the adviser says then.

A code that is typed here is used up and opens nothing; the page never shows it again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.bank import Bank
from sesame.bank.calls import Call
from sesame.bank.errors import ImpossibleCode, NotAllowed
from sesame.bank.matching import Cause, TwoCodes, check_possible
from sesame.bank.origin import Door
from sesame.bank.read_out import (
    EXPLAINED,
    IN_STEP,
    REHEARSED,
    Answer,
    Taken,
    Weighed,
    bring_into_step,
    explain_code,
    rehearse_together,
)
from sesame.bank.verification import Suspended
from sesame.cap.errors import MalformedCode
from sesame.cap.token import Code, parse_code
from sesame.catalogue import N_, Language, translator
from sesame.desk.call import DonePage, Helper, HelpFrame, find_helper, help_frame, read_call
from sesame.desk.desk import Desk
from sesame.desk.forms import SAME_TWICE
from sesame.desk.guard import SignedIn, forbidden
from sesame.web.formats import until, when
from sesame.web.language import language_of

_NOT_A_CODE = N_(
    "Un code Sésame a 8 chiffres : ceux que le lecteur affiche. Faites-les relire deux par deux."
)
_IMPOSSIBLE = N_(
    "Aucune carte ne fait ce nombre : il a été mal lu ou mal entendu. Rien n’est compté ; "
    "faites-le relire."
)
_SUSPENDED = N_(
    "L’accès est suspendu {until} : aucun code n’est jugé. Levez d’abord la suspension."
)
_ENOUGH = N_(
    "Assez de codes ont été essayés aujourd’hui : celui-ci n’a pas été vérifié. Faites expliquer "
    "un code, ou reprenez demain."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to have codes judged, in French."""

    title: str
    lead: str  # what it is for
    hint: str  # at the field: what becomes of the code
    button: str
    two: bool = False


CODES: Mapping[str, Way] = {
    "code": Way(
        title=N_("Expliquer un code"),
        lead=N_(
            "De quelle carte il vient, et s’il a servi. Pour comprendre un refus, ou une carte "
            "trouvée."
        ),
        hint=N_(
            "Il est consommé : il ne sert plus à rien et n’ouvre rien. S’il ne vient d’aucune "
            "carte de cette personne, il compte comme un essai manqué."
        ),
        button=N_("Expliquer ce code"),
    ),
    "deux-codes": Way(
        title=N_("Remettre une carte au pas avec deux codes"),
        lead=N_(
            "Pour une carte qui a beaucoup servi ailleurs. La personne peut le faire elle-même, "
            "sur la page « Entrez deux codes de suite » de Coop@net."
        ),
        hint=N_(
            "Les deux codes sont consommés : ils remettent la carte au pas et ne servent à rien "
            "d’autre. Ils n’ouvrent aucune session, ni ici ni sur Coop@net. Faux, ils comptent "
            "comme un essai manqué."
        ),
        button=N_("Remettre au pas"),
        two=True,
    ),
    "essai": Way(
        title=N_("Faire un essai ensemble"),
        lead=N_(
            "La personne fait un code pendant que vous l’aidez ; la page dit s’il est juste. C’est "
            "le « premier essai » de Coop@net."
        ),
        hint=N_(
            "Il est consommé et n’ouvre rien. Un code faux ne coûte aucun essai de connexion ; "
            "cinq faux par jour au plus."
        ),
        button=N_("Vérifier ce code"),
    ),
}

_FRESH: Mapping[str, str] = {
    EXPLAINED: N_("Ce code est juste et n’avait jamais servi. Il est consommé à l’instant."),
    IN_STEP: N_("La carte est au pas. Ce qui a été lu est consommé."),
    REHEARSED: N_("Bravo, ce code est juste. Il est consommé à l’instant."),
}
_FRESH_NEXT = N_(
    "Faites-lui faire un nouveau code et se connecter par elle-même sur Coop@net. Ne lui demandez "
    "pas ce code-là."
)
_CARD = N_("Carte ••••{last4}, compteur {atc}.")
_CAUSES: Mapping[Cause, str] = {
    Cause.WRONG: N_(
        "Ce code ne vient d’aucune des cartes de cet abonné, ou il a été mal lu ou mal entendu."
    ),
    Cause.USED: N_("Ce code est le dernier que nous ayons accepté : il ne sert qu’une fois."),
    Cause.OVERTAKEN: N_("Ce code est ancien : un code plus récent a été accepté depuis."),
    Cause.CARD_NOT_ACTIVE: N_(
        "Ce code est juste, mais la carte ne peut pas se connecter : elle est bloquée, ou pas "
        "encore activée. Le code est consommé."
    ),
    Cause.CARD_UNSURE: N_(
        "Ce code vient de sa carte, mais la base a été restaurée depuis : il a pu déjà servir."
    ),
    Cause.KEY_MISSING: N_(
        "Nous ne pouvons pas vérifier les codes de cette carte : la clé qui l’a faite n’est "
        "plus là."
    ),
}
_NEXT: Mapping[Cause, str] = {
    Cause.WRONG: N_(
        "Faites relire le code deux par deux. Puis : est-ce bien sa carte dans le lecteur, et la "
        "touche « Code » ? Un lecteur qui affiche « CODE SECRET FAUX » ne fait pas de code juste."
    ),
    Cause.USED: N_("Faites-lui éteindre le lecteur et faire un nouveau code."),
    Cause.OVERTAKEN: N_(
        "Faites-lui éteindre le lecteur et faire un nouveau code. S’il n’avait jamais été entré, "
        "demandez qui d’autre a pu voir la carte ou un code noté."
    ),
    Cause.CARD_NOT_ACTIVE: N_(
        "Regardez l’état de ses cartes. Une carte se débloque à deux personnes ; une carte neuve "
        "s’active sur Coop@net."
    ),
    Cause.CARD_UNSURE: N_(
        "Sur Coop@net, la page « Répondre » donne un nombre à taper dans le lecteur : la réponse "
        "remet la carte en service."
    ),
    Cause.KEY_MISSING: N_(
        "Prévenez un responsable de la sécurité : une autre carte est à commander."
    ),
}
_USED_BY = N_("Il a servi {when}, pour {what}.")
_OVERTAKEN_BY = N_("Un code plus récent de la même carte a été accepté {when}, pour {what}.")
_BEFORE = N_("Il a été fait avant que cette carte soit enregistrée ici.")
_NOT_KEPT = N_("Quand il a servi, ou a été dépassé, n’est plus écrit.")
_WHAT: Mapping[tuple[str, str], str] = {
    ("login", Door.PORTAL): N_("une connexion à Coop@net"),
    ("login", Door.REST): N_("une connexion à un autre service"),
    ("rehearsal", Door.PORTAL): N_("un premier essai sur Coop@net"),
    ("activation", Door.PORTAL): N_("l’activation de la carte"),
    (IN_STEP, Door.DESK): N_("une remise au pas avec un conseiller"),
    (EXPLAINED, Door.DESK): N_("une explication avec un conseiller"),
    (REHEARSED, Door.DESK): N_("un essai avec un conseiller"),
}
_WHAT_ELSE = N_("une autre opération")
_COUNTED = N_("Il compte comme un essai manqué.")
_NOW_SUSPENDED = N_("C’était le dernier : l’accès est suspendu {until}.")
_RIGHT = N_("Le code est juste")
_LOOKED_AT = N_("Ce que dit ce code")
_STEPPED = N_("La carte est au pas")
_HEADINGS: Mapping[str, str] = {EXPLAINED: _RIGHT, IN_STEP: _STEPPED, REHEARSED: _RIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesPage:
    """codes.html: one field or two. What was typed never comes back."""

    help: HelpFrame
    way: Way
    message: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def session(self) -> SignedIn:
        """Who is signed in."""
        return self.help.session


async def get_codes(desk: Desk, request: Request) -> Response:
    """`GET /guichet/client/{user_code}/code`, `…/deux-codes`, `…/essai`."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    page = CodesPage(help=help_frame(desk, request, helper), way=_way(request))
    return desk.page(request, "codes.html", page)


async def post_codes(desk: Desk, request: Request) -> Response:
    """`POST` of the same: have it judged once, and say what it was."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    call, fields = await read_call(desk, request, helper)
    language, way = language_of(request), _way(request)
    say = translator(language)
    typed = read_codes(desk.bank, fields, two=way.two)
    page = CodesPage(help=help_frame(desk, request, helper), way=way)
    if isinstance(typed, dict):
        errors = {name: say(wrong) for name, wrong in typed.items()}
        page = CodesPage(help=page.help, way=way, errors=errors)
        return desk.page(request, "codes.html", page, 422)
    try:
        event, answer = await _ask(desk.bank, request, call, typed)
    except NotAllowed:
        return forbidden(desk, request)
    if isinstance(answer, Weighed):
        return _told(desk, request, helper, event, answer)
    said = say(_ENOUGH)
    if isinstance(answer, Suspended):
        end = until(answer.until, language, now=desk.bank.now())
        said = say(_SUSPENDED).format(until=end)
    page = CodesPage(help=page.help, way=way, message=said)
    return desk.page(request, "codes.html", page, 429)


def read_codes(
    bank: Bank, fields: Mapping[str, str], *, two: bool
) -> Code | TwoCodes | dict[str, str]:
    """One code or *two*, or what is wrong with them, by field (French). No try is spent."""
    errors = {}
    codes = []
    for name in ("code", "next_code") if two else ("code",):
        try:
            code = parse_code(fields.get(name, ""))
            check_possible(bank, code)
            codes.append(code)
        except MalformedCode:
            errors[name] = _NOT_A_CODE
        except ImpossibleCode:
            errors[name] = _IMPOSSIBLE
    if not errors and two and codes[0] == codes[1]:
        errors["next_code"] = SAME_TWICE
    if errors:
        return errors
    return TwoCodes(*codes) if two else codes[0]


async def _ask(
    bank: Bank, request: Request, call: Call, typed: Code | TwoCodes
) -> tuple[str, Answer]:
    """What the bank says, and the event that it is."""
    if isinstance(typed, TwoCodes):
        return IN_STEP, await bring_into_step(bank, call, typed)
    if request.url.path.endswith("/essai"):
        return REHEARSED, await rehearse_together(bank, call, typed)
    return EXPLAINED, await explain_code(bank, call, typed)


def _way(request: Request) -> Way:
    return CODES[request.url.path.rpartition("/")[2]]


def _told(desk: Desk, request: Request, helper: Helper, event: str, weighed: Weighed) -> Response:
    language, now = language_of(request), desk.bank.now()
    say = translator(language)
    cards = [say(_CARD).format(last4=last4, atc=atc) for last4, atc in weighed.cards]
    if weighed.cause is None:
        said = [say(_FRESH[event]), *cards]
        heading, then = _HEADINGS[event], _FRESH_NEXT
    else:
        said = [say(_CAUSES[weighed.cause]), *cards]
        heading, then = _LOOKED_AT, _NEXT[weighed.cause]
    if weighed.cause in {Cause.USED, Cause.OVERTAKEN}:
        said.append(_taken(weighed.taken, say, language, desk))
    if weighed.cause is Cause.WRONG and event != REHEARSED:
        said.append(say(_COUNTED))
    if weighed.suspended_until is not None:
        end = until(weighed.suspended_until, language, now=now)
        said.append(say(_NOW_SUSPENDED).format(until=end))
    page = DonePage(
        help=help_frame(desk, request, helper),
        heading=say(heading),
        well=weighed.cause is None,
        said=tuple(said),
        next=(say(then),),
    )
    return desk.page(request, "help_done.html", page)


def _taken(taken: Taken | None, say: Callable[[str], str], language: Language, desk: Desk) -> str:
    if taken is None:
        return say(_NOT_KEPT)
    if not taken.event:
        return say(_BEFORE)
    what = say(_WHAT.get((taken.event, taken.door), _WHAT_ELSE))
    at = when(taken.at, language, now=desk.bank.now())
    return say(_USED_BY if taken.same else _OVERTAKEN_BY).format(when=at, what=what)
