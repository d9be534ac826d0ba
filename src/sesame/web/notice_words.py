"""What a customer is told of a change on another channel: the same words in e-mail and letter.

As little as makes its owner sit up: an e-mail is an open channel, and a letter is opened by
others. No name, no user code, no number of a card or of an account, and nothing to click.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sesame.catalogue import N_, Language, translator
from sesame.web.institution import Institution, spaced


@dataclass(frozen=True, slots=True)
class _Words:
    """French, for the reader's language; `{portal}` is the online bank's name."""

    title: str
    sentence: str
    alarms: bool = True  # whether to say what to do if it was not its owner's doing


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """A notice as it is read."""

    title: str
    sentences: tuple[str, ...]  # of one paragraph
    alarm: str  # a paragraph: what to do if they did not ask for it; or nothing


# By event, as `sesame.bank.notices` names it; a test compares.
WORDS: Mapping[str, _Words] = {
    "hold": _Words(
        N_("Vos codes Sésame sont bloqués"),
        N_("Depuis, aucun code Sésame n’ouvre vos comptes sur {portal}."),
    ),
    "release": _Words(
        N_("Vos codes Sésame servent de nouveau"),
        N_("Un code Sésame ouvre de nouveau vos comptes sur {portal}."),
    ),
    "opposition": _Words(
        N_("Une carte a été mise en opposition pour {portal}"),
        N_(
            "Les codes Sésame de cette carte n’ouvrent plus vos comptes, et toutes vos connexions "
            "à {portal} ont été fermées."
        ),
    ),
    "suspension-lifted": _Words(
        N_("Votre accès à {portal} a été rouvert"),
        N_("Il était suspendu après plusieurs codes refusés. Un conseiller a levé la suspension."),
    ),
    "activation": _Words(
        N_("Votre carte est activée pour {portal}"),
        N_("Ses codes Sésame ouvrent désormais vos comptes sur {portal}."),
    ),
    "order": _Words(
        N_("Une carte est commandée pour vous"),
        N_("Elle arrive par courrier. Son code secret arrive à part."),
    ),
    "renewal": _Words(
        N_("Votre carte va être remplacée"),
        N_(
            "La nouvelle arrive par courrier. L’ancienne fait vos codes Sésame jusqu’à la première "
            "utilisation de la nouvelle."
        ),
    ),
    "counter-order": _Words(
        N_("Une carte Sésame est préparée pour vous au guichet"),
        N_("Vous la recevez en main propre. Son code secret et ce qui l’active vont par courrier."),
    ),
    "card-handed-over": _Words(
        N_("Une carte Sésame vous a été remise au guichet"),
        N_("Elle ne sert qu’avec son code secret et ce qui l’active, qui vont par courrier."),
    ),
    "address-changed": _Words(
        N_("Votre adresse postale a changé chez nous"),
        N_("Nos prochains courriers vont à la nouvelle adresse."),
    ),
    "email-changed": _Words(
        N_("Votre adresse électronique a changé chez nous"),
        N_("Nos prochains messages vont à la nouvelle adresse."),
    ),
    "old-code": _Words(
        N_("Votre ancien code confidentiel ne sert plus"),
        N_(
            "Il est effacé depuis votre première connexion à {portal} avec un code Sésame\u00a0: "
            "seuls les codes Sésame ouvrent vos comptes."
        ),
    ),
    "devices-forgotten": _Words(
        N_("Vos appareils connus ont été oubliés"),
        N_("{portal} ne reconnaît plus aucun des appareils de vos connexions passées."),
    ),
    "mail-returned": _Words(
        N_("Un courrier pour vous nous est revenu"),
        N_(
            "La poste n’a pas pu vous le remettre. Appelez-nous pour vérifier votre adresse\u202f; "
            "jusque-là, nous n’envoyons plus ni carte ni code secret."
        ),
        alarms=False,
    ),
    "mail-returned-held": _Words(
        N_("Un courrier pour vous nous est revenu, et vos codes Sésame sont bloqués"),
        N_(
            "La poste n’a pas pu vous remettre le colis de votre lecteur\u00a0: par prudence, "
            "votre carte ne fait plus de codes Sésame pour {portal}. Appelez-nous pour vérifier "
            "votre adresse\u202f; deux personnes lèvent alors le blocage."
        ),
        alarms=False,
    ),
    "reprint": _Words(
        N_("Une nouvelle carte, avec un nouveau code secret, est commandée pour vous"),
        N_("L’ancienne carte ne fait plus de codes Sésame pour {portal}."),
    ),
    "resync": _Words(
        N_("Votre carte a été remise en phase"),
        N_("Un conseiller l’a fait avec deux codes Sésame, qui ne servent plus à rien d’autre."),
    ),
    "card-retired": _Words(
        N_("Une carte ne fait plus de codes Sésame"),
        N_("Elle est arrivée à sa date, ou une autre la remplace sur {portal}."),
        alarms=False,
    ),
    "number-reissued": _Words(
        N_("Un nouveau numéro d’activation part par la poste"),
        N_("Un conseiller l’a demandé pour vous. Personne ne vous le dira au téléphone."),
    ),
    "counter-lowered": _Words(
        N_("Le compteur de votre carte a été corrigé chez nous"),
        N_("Il était trop haut. Les prochains codes Sésame de cette carte servent sur {portal}."),
    ),
    "bank-card-given": _Words(
        N_("Une carte bancaire fait des codes Sésame pour vous"),
        N_("Ses codes ouvrent désormais vos comptes sur {portal}. Rien d’autre ne change."),
    ),
    "bank-card-replaced": _Words(
        N_("Une nouvelle carte bancaire fait des codes Sésame pour vous"),
        N_(
            "Ses codes ouvrent désormais vos comptes sur {portal}. Ceux de la carte qu’elle "
            "remplace ne les ouvrent plus."
        ),
    ),
    "other": _Words(
        N_("Votre accès à {portal} a été modifié"),
        N_("Appelez-nous pour en savoir plus."),
    ),
}

_ALARM = N_(
    "Ce n’est pas vous qui l’avez demandé\u202f? Appelez-nous tout de suite au {number}. Hors de "
    "nos horaires, appelez jour et nuit le {lost_cards}."
)
_NEVER = N_(
    "Nous ne mettons jamais de lien dans nos messages, et nous ne vous demandons jamais votre code "
    "secret ni un code Sésame."
)


def notice_words(event: str, institution: Institution, language: Language) -> NoticeWords:
    """What is said of *event*, one of `WORDS`."""
    say, words = translator(language), WORDS[event]
    alarm = say(_ALARM).format(
        number=spaced(institution.telephone), lost_cards=spaced(institution.lost_cards)
    )
    return NoticeWords(
        title=say(words.title).format(portal=institution.portal),
        sentences=(say(words.sentence).format(portal=institution.portal),),
        alarm=alarm if words.alarms else "",
    )


def no_links(language: Language) -> str:
    """What every e-mail says of itself, and a reader may hold false ones against."""
    return translator(language)(_NEVER)
