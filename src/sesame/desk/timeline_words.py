"""The timeline of a customer in words: a sentence for each clause of `sesame.bank.timeline`.

Whoever adds an event to the bank adds its sentence here, under the event's name. Places: `{card}`
the card or cards by their last digits, `{until}` a moment, and whatever else the line says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sesame.bank.approvals import Kind
from sesame.bank.helping import HANDED_OVER
from sesame.bank.origin import Door
from sesame.bank.staff import BANK_ITSELF, shown
from sesame.bank.timeline import UNREADABLE, Clause, Entry
from sesame.catalogue import N_, Language, translator
from sesame.web.formats import until, when

WORDS: Mapping[str, str] = {
    "enrolment": N_("Inscription à Coop@net."),
    "old-code-set": N_("Ancien code repris ; il était encore à venir."),
    "login-code": N_("Connexion : code accepté ({card}, compteur {atc})."),
    "login-two-codes": N_("Connexion : deux codes de suite acceptés ({card}, compteur {atc})."),
    "login-challenge": N_(
        "Connexion : réponse à la banque et code acceptés ({card}, compteur {atc})."
    ),
    "login-old-code": N_("Connexion avec l’ancien code, pour consulter seulement."),
    "wrong-code": N_(
        "Code refusé : aucune des cartes de cet abonné ne l’a fait avec le bon code secret."
    ),
    "wrong-two-codes": N_(
        "Deux codes refusés : aucune carte de cet abonné ne les a faits à la suite l’un de l’autre."
    ),
    "wrong-challenge": N_("Réponse à la banque refusée : elle ne vient pas de ce nombre."),
    "wrong-old-code": N_("Ancien code refusé : ce n’est pas le bon, ou il n’y en a plus."),
    "refused-used": N_("Code refusé : il a déjà servi."),
    "refused-used-at": N_(
        "Code refusé : il a déjà servi ({card}, compteur {atc}, dernier accepté {last_atc})."
    ),
    "refused-overtaken": N_("Code refusé : remplacé par un plus récent."),
    "refused-overtaken-at": N_(
        "Code refusé : remplacé par un plus récent ({card}, compteur {atc}, dernier accepté "
        "{last_atc})."
    ),
    "refused-card-not-active": N_(
        "Code refusé : il est juste, mais sa carte est bloquée, retirée ou pas encore activée."
    ),
    "refused-card-unsure": N_(
        "Code refusé : depuis une restauration, cette carte doit d’abord répondre à la banque."
    ),
    "refused-key-missing": N_("Code refusé : la banque n’a pas, ou plus, la clé de cette carte."),
    "refused-unknown-user-code": N_("Code refusé : personne n’avait alors ce code utilisateur."),
    "refused-number-wrong": N_("Code refusé : il est juste, mais le numéro à côté est faux."),
    "refused-number-expired": N_("Code refusé : il est juste, mais le numéro à côté a expiré."),
    "refused-nothing-to-open": N_("Code refusé : il est juste, mais sa carte sert déjà."),
    "failures-open": N_("Échecs de suite : {failures}."),
    "failures-reserved": N_("Échecs de suite sur un navigateur connu : {failures}."),
    "suspended-open": N_("Trop d’échecs : accès suspendu {until}."),
    "suspended-reserved": N_("Trop d’échecs : essais des navigateurs connus suspendus {until}."),
    "turned-away-suspended": N_(
        "Pendant la suspension, tentatives écartées sans examen : {times}."
    ),
    "turned-away-two-codes-wanted": N_(
        "Deux codes demandés, un seul donné : tentatives écartées sans examen : {times}."
    ),
    "rehearsal-accepted": N_("Premier essai : code juste ({card}, compteur {atc})."),
    "rehearsal-refused": N_("Premier essai, code à refaire."),
    "activation-accepted": N_("Carte activée ({card}, compteur {atc})."),
    "activation-refused": N_("Activation d’une carte, refusée."),
    "number-reissued": N_("Nouveau numéro d’activation à envoyer."),
    "hold": N_("Codes Sésame bloqués par l’abonné ({card}), autres sessions terminées."),
    "release-accepted": N_("Blocage levé par l’abonné ({card}, compteur {atc})."),
    "release-refused": N_("Levée d’un blocage par l’abonné, refusée."),
    "suspension-lifted": N_("Suspension levée ({reason})."),
    "opposition": N_("Opposition : {card} ({reason})."),
    "replacement": N_("Remplacement d’une carte qui sert encore ({reason})."),
    "replacement-ordered": N_("Carte de remplacement commandée."),
    "code-explained-accepted": N_(
        "Code lu au téléphone, expliqué et consommé ({card}, compteur {atc})."
    ),
    "code-explained-refused": N_("Code lu au téléphone, à expliquer."),
    "resync-accepted": N_(
        "Deux codes lus au téléphone : carte remise au pas ({card}, compteur {atc})."
    ),
    "resync-refused": N_("Deux codes lus au téléphone, pour remettre une carte au pas."),
    "rehearsed-together-accepted": N_("Essai fait ensemble : code juste ({card}, compteur {atc})."),
    "rehearsed-together-refused": N_("Essai fait ensemble, code à refaire."),
    "code-explained": N_("Code expliqué à l’abonné {about}."),
    "resync": N_("Carte de l’abonné {about} remise au pas."),
    "rehearsed-together": N_("Essai fait avec l’abonné {about}."),
    "counter-order": N_("Carte commandée, à remettre au guichet."),
    "card-handed-over": N_("Carte remise au guichet (lettre {letter})."),
    "card-ordered": N_("Carte commandée ({reason})."),
    "card-made": N_("Carte faite ({card})."),
    "renewal": N_("Carte commandée à la place d’une autre ({card}) : {why}."),
    "card-retired": N_("Carte retirée ({card}) : {why}."),
    "bank-card-given": N_("Carte bancaire ajoutée ({card}), d’après le service des cartes."),
    "bank-card-ended": N_("Carte retirée ({card}), d’après le service des cartes."),
    "bank-card-replaced": N_("Carte retirée ({card}) : la carte bancaire ajoutée la remplace."),
    "letter-ordered": N_("À envoyer : {letter}."),
    "mail-returned": N_("Courrier revenu : {letter}, référence {reference}."),
    "address-changed": N_("Adresse changée."),
    "address-pin-waits": N_("La lettre du code secret attend l’accord d’une seconde personne."),
    "number-shown": N_("Numéro entier d’une carte montré ({card}), avec l’accord de {decided_by}."),
    "sessions-ended": N_("Toutes les sessions terminées."),
    "devices-forgotten": N_("Navigateurs connus oubliés."),
    "approval-requested": N_("Demandé, à décider par une autre personne : {kind}."),
    "approval-approved": N_("Accordé : {kind}. Demandé par {asked_by}."),
    "approval-refused": N_("Refusé : {kind}. Demandé par {asked_by}."),
    "counter-lowered": N_("Compteur attendu abaissé de {before} à {to} ({card})."),
    "erased": N_("Personne effacée."),
    "staff-enrolment": N_("Compte d’agent préparé."),
    "staff-closed": N_("Compte d’agent fermé : {staff}."),
    "bootstrap-made": N_("Secret à usage unique imprimé."),
    "bootstrap-used": N_("Secret à usage unique utilisé : {staff}."),
    "cards-made": N_("Cartes faites : {cards}."),
    "letters-printed": N_("Lettres imprimées : {letters}."),
    "letters-posted": N_("Lettres postées."),
    "letters-destroyed": N_("Lettres détruites : {letters}."),
    "readers-taken-in": N_("Lecteurs entrés en stock : {readers}."),
    "reader-moved": N_("Lecteur {serial} déplacé."),
    "hours-set": N_("Horaires exceptionnels du {day}."),
    "hours-taken-back": N_("Horaires exceptionnels du {day} retirés."),
    "reminders": N_("Lettres de rappel préparées."),
    "looked": N_("Page de l’abonné {about} consultée."),
    UNREADABLE: N_("Cette ligne ne se lit pas : prévenez un auditeur."),
}
_UNKNOWN = N_(
    "Événement d’une version plus récente de ce programme : « {event} ». "
    "Cette page ne sait pas le dire."
)
KINDS: Mapping[str, str] = {
    Kind.LIFT_HOLD: N_("levée du blocage d’une carte"),
    Kind.NEW_STAFF: N_("ouverture d’un compte d’agent"),
    Kind.ISSUE: N_("envoi de cartes à plusieurs"),
    Kind.REPRINT_PIN: N_("autre carte, avec un autre code secret"),
    Kind.ADDRESS: N_("envoi du code secret à une adresse changée"),
    Kind.SHOW_NUMBER: N_("affichage du numéro entier d’une carte"),
    Kind.LIMITS: N_("changement d’une limite du guichet"),
    Kind.COUNTER: N_("abaissement du compteur attendu d’une carte"),
    Kind.BANK_CARDS: N_("cartes bancaires d’un fichier"),
}
DOORS: Mapping[str, str] = {
    Door.PORTAL: N_("sur Coop@net"),
    Door.REST: N_("par un autre service de la banque"),
    Door.DESK: N_("au guichet"),
}
REASONS: Mapping[str, str] = {
    "first": N_("première carte"),
    "renewal": N_("renouvellement"),
    "lost": N_("carte perdue"),
    "stolen": N_("carte volée"),
    "damaged": N_("carte abîmée"),
    "returned": N_("courrier revenu"),
    "pin": N_("nouveau code secret"),
    HANDED_OVER: N_("à remettre au guichet"),
    "mistyped": N_("codes mal recopiés"),
    "other-card": N_("autre carte utilisée"),
    "reader": N_("lecteur en cause"),
    "stranger": N_("essais d’un tiers"),
    "unexplained": N_("sans explication"),
    "was-retired": N_("elle était retirée pour toujours"),
    "staff-closed": N_("compte du personnel fermé"),
    "erased": N_("données effacées, à effacer de nouveau"),
}
WHY: Mapping[str, str] = {
    "expiry": N_("fin de validité"),
    "counter": N_("compteur bientôt au bout"),
    "succeeded": N_("la suivante a servi"),
}
LETTERS: Mapping[str, str] = {
    "card": N_("lettre avec la carte"),
    "pin": N_("lettre du code secret"),
    "reader": N_("colis du lecteur"),
    "welcome": N_("lettre de bienvenue"),
    "hold": N_("avis de blocage"),
    "release": N_("avis de déblocage"),
    "reminder": N_("lettre de rappel"),
    "notice": N_("avis"),
}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "kind": KINDS,
    "reason": REASONS,
    "why": WHY,
    "letter": LETTERS,
}
_CARD = N_("carte ••••{last4}")
_CARD_GONE = N_("carte n° {number}")
_NO_CARD = N_("aucune carte")
_CUSTOMER = N_("l’abonné")
_BANK = N_("la banque elle-même")  # no person: a program that runs every day
_PEOPLE = frozenset({"by", "asked_by", "decided_by", "staff"})
_MOMENTS = frozenset({"until", "expires", "suspended_until", "activation_until"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """In which language, to whom, and what the numbers of lines stand for.

    `cards` has the last four digits of the customer's cards by number; `names` those of staff by
    staff code, without its mark.
    """

    language: Language
    now: datetime
    user_code: str
    cards: Mapping[int, str]
    names: Mapping[str, str]

    def sentences(self, entry: Entry) -> tuple[str, ...]:
        """What *entry* says, a sentence a clause."""
        return tuple(self.sentence(clause) for clause in entry.clauses)

    def sentence(self, clause: Clause) -> str:
        """What *clause* says; of one that has no words here, that it has none."""
        say = translator(self.language)
        places = {name: self._filled(name, value) for name, value in clause.places.items()}
        places["card"] = self.card(clause)
        words = WORDS.get(clause.name)
        try:
            return say(words).format(**places) if words else self._unknown(clause)
        except LookupError:  # a later version says it with other places
            return self._unknown(clause)

    def card(self, clause: Clause) -> str:
        """The cards of *clause*, as their customer would know them."""
        say = translator(self.language)
        said = [
            say(_CARD).format(last4=self.cards[number])
            if number in self.cards
            else say(_CARD_GONE).format(number=number)
            for number in clause.cards
        ]
        return ", ".join(said) or say(_NO_CARD)

    def person(self, code: str) -> str:
        """Who did it: staff by name and code, customer and bank as such, others as written."""
        if code == self.user_code:
            return translator(self.language)(_CUSTOMER)
        if code == shown(BANK_ITSELF):
            return translator(self.language)(_BANK)
        return f"{self.names[code]} ({code})" if code in self.names else code

    def door(self, entry: Entry) -> str:
        """Where it came in; a door of a later version as the line has it."""
        return translator(self.language)(DOORS.get(entry.door, entry.door))

    def when(self, entry: Entry) -> str:
        """The moment of *entry*."""
        return when(entry.at, self.language, now=self.now)

    def _unknown(self, clause: Clause) -> str:
        return translator(self.language)(_UNKNOWN).format(event=clause.name)

    def _filled(self, name: str, value: str | int) -> str | int:
        if name in _PEOPLE:
            return self.person(str(value))
        if name in _VALUES:
            return translator(self.language)(_VALUES[name].get(str(value), str(value)))
        if name in _MOMENTS:
            return self._moment(str(value))
        return value

    def _moment(self, value: str) -> str:
        try:
            return until(datetime.fromisoformat(value), self.language, now=self.now)
        except (ValueError, TypeError):
            return value
