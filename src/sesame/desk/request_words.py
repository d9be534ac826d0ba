"""What each kind of request says on the page where it is decided."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sesame.bank.approvals import Asked, Kind
from sesame.bank.limits import Changeable, stands_for
from sesame.bank.moments import from_row
from sesame.bank.orders import counts_of
from sesame.bank.staff import read_roles, shown
from sesame.catalogue import N_
from sesame.desk.guard import ROLE_NAMES
from sesame.desk.timeline_words import REASONS
from sesame.store.holds import HeldBy, reason_key
from sesame.web.formats import short_day
from sesame.web.opening import PARIS

Say = Callable[[str], str]

_CARD = N_("Carte qui finit par {last4}")
_NUMBER = N_("Matricule : {number}")
_ROLES = N_("Rôles : {roles}")

_DIGEST = 12  # characters that are shown
_GROUP = 8  # characters, where a digest is shown whole and compared by eye or ear

_PIN_WAITS = N_(
    "La lettre du code secret attend. Rappelez l’abonné au numéro que la banque connaît, et "
    "comparez."
)
_ADDRESS_CHECKED = N_(
    "Courrier revenu, adresse vérifiée\u00a0: une autre carte, avec un autre code secret"
)

LIMIT_NAMES: Mapping[Changeable, str] = {
    Changeable.LIFTS_OF_CUSTOMER: N_("Suspensions levées pour un même abonné, en 24 heures"),
    Changeable.LIFTS_OF_ADVISER: N_("Suspensions levées par un même conseiller, en 24 heures"),
    Changeable.NUMBER_SHOWN_WITHIN: N_(
        "Minutes pour voir le numéro d’une carte une fois la demande accordée"
    ),
}


def _about_person(asked: Asked, _say: Say) -> str:
    return f"{asked.payload['name']} ({shown(asked.subject)})"


def _card(asked: Asked, say: Say) -> Iterator[str]:
    yield say(_CARD).format(last4=asked.payload["last4"])


def _hold(asked: Asked, say: Say) -> Iterator[str]:
    yield from _card(asked, say)
    held = asked.payload
    if held.get("held_by") is None:
        yield say(N_("La banque n’a pas noté qui l’a bloquée, ni pourquoi."))
        return
    day = short_day(from_row(int(held["hold"])).astimezone(PARIS).date())
    if held["held_by"] == HeldBy.OWNER:  # who says no reason
        yield say(N_("Bloquée par son titulaire le {day}.")).format(day=day)
        return
    name = f"{held['held_by_name']} ({shown(str(held['held_by_code']))})"
    key = reason_key(str(held["hold_reason"]))
    reason = REASONS.get(key, key)
    yield say(N_("Bloquée par {name} le {day}\u00a0: {reason}.")).format(
        name=name, day=day, reason=say(reason)
    )


def _new_staff(asked: Asked, say: Say) -> Iterator[str]:
    if number := asked.payload.get("personnel_number"):
        yield say(_NUMBER).format(number=number)
    yield from _card(asked, say)
    roles = sorted(read_roles(str(asked.payload["roles"])))
    yield say(_ROLES).format(roles=", ".join(say(ROLE_NAMES[role]) for role in roles))


def _address(_asked: Asked, say: Say) -> Iterator[str]:
    yield say(_PIN_WAITS)


def _many(asked: Asked, say: Say) -> str:
    return say(N_("liste de {count}")).format(count=asked.payload["count"])


def _issue(asked: Asked, say: Say) -> Iterator[str]:
    cards, readers = counts_of(asked)
    yield say(
        N_("Cartes à faire : {cards}. Lecteurs pour des cartes bancaires : {readers}.")
    ).format(cards=cards, readers=readers)
    yield say(N_("Empreinte de la liste : {digest}…")).format(
        digest=str(asked.payload["digest"])[:_DIGEST]
    )


def _limit_name(asked: Asked, say: Say) -> str:
    limit = stands_for(asked.payload["limit"])
    return "" if limit is None else say(LIMIT_NAMES[limit])


def _limit(asked: Asked, say: Say) -> Iterator[str]:
    yield say(N_("Aujourd’hui : {before}. Demandé : {value}.")).format(
        before=asked.payload["before"], value=asked.payload["value"]
    )


def _reprint(asked: Asked, say: Say) -> Iterator[str]:
    yield from _card(asked, say)
    if reference := asked.payload.get("returned"):
        yield say(
            N_(
                "Son courrier {reference} est revenu, le code secret était imprimé\u00a0: la carte "
                "ne sert plus. Une autre carte et un autre code secret partent, à l’adresse qui a "
                "été vérifiée."
            )
        ).format(reference=reference)
        return
    yield say(
        N_(
            "La carte cesse de servir tout de suite. Une autre carte et un autre code secret "
            "partent, à l’adresse que la banque connaît."
        )
    )


def _counter(asked: Asked, say: Say) -> Iterator[str]:
    yield from _card(asked, say)
    yield say(N_("Le compteur attendu passe de {before} à {to}.")).format(
        before=asked.payload["from"], to=asked.payload["to"]
    )


def _file(asked: Asked, say: Say) -> str:
    count = asked.payload["count"]
    if count == 1:
        return say(N_("fichier d’une ligne"))
    return say(N_("fichier de {count} lignes")).format(count=count)


def _bank_cards(asked: Asked, say: Say) -> Iterator[str]:
    digest = str(asked.payload["sha256"])
    groups = [digest[at : at + _GROUP] for at in range(0, len(digest), _GROUP)]
    yield say(N_("Empreinte SHA-256 du fichier : {digest}")).format(digest=" ".join(groups))
    yield say(
        N_(
            "À comparer en entier à celle que le service des cartes a donnée par un autre moyen "
            "que le fichier."
        )
    )
    yield say(
        N_(
            "Les cartes du fichier font alors des codes Sésame ; celles qu’elles remplacent n’en "
            "font plus."
        )
    )


def reason_of(asked: Asked, say: Say) -> str:
    """Why it was *asked* for: as a person wrote it, or in our words where they pressed a button."""
    pressed = asked.kind is Kind.REPRINT_PIN and "returned" in asked.payload
    return say(_ADDRESS_CHECKED) if pressed else asked.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """The words of a kind. `title` is French, for the page to translate."""

    title: str
    about: Callable[[Asked, Say], str] = _about_person
    details: Callable[[Asked, Say], Iterator[str]] = _card


WORDED: Mapping[Kind, Worded] = {
    Kind.LIFT_HOLD: Worded(title=N_("Lever le blocage d’une carte"), details=_hold),
    Kind.NEW_STAFF: Worded(title=N_("Ouvrir un compte d’agent"), details=_new_staff),
    Kind.SHOW_NUMBER: Worded(title=N_("Montrer le numéro d’une carte")),
    Kind.ADDRESS: Worded(
        title=N_("Envoyer le code secret à une adresse changée"), details=_address
    ),
    Kind.LIMITS: Worded(
        title=N_("Changer une limite du guichet"), about=_limit_name, details=_limit
    ),
    Kind.COUNTER: Worded(title=N_("Abaisser le compteur attendu d’une carte"), details=_counter),
    Kind.BANK_CARDS: Worded(
        title=N_("Donner des cartes bancaires à des abonnés"), about=_file, details=_bank_cards
    ),
    Kind.ISSUE: Worded(title=N_("Envoyer cartes et lecteurs"), about=_many, details=_issue),
    Kind.REPRINT_PIN: Worded(
        title=N_("Un nouveau code secret, donc une nouvelle carte"), details=_reprint
    ),
}
