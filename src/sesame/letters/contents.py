"""What each kind of letter says.

The name stands in the window of the envelope and nowhere else, so the greeting has none.
"""

from collections.abc import Callable
from datetime import date
from functools import singledispatch

from babel.dates import format_date

from sesame.catalogue import Language, translator
from sesame.letters import sheets
from sesame.letters.letter import (
    Actor,
    CardKind,
    CardLetter,
    HoldNotice,
    Letter,
    Notice,
    PinLetter,
    Posted,
    ReaderLetter,
    ReleaseNotice,
    ReminderLetter,
    Sheet,
    WelcomeLetter,
)
from sesame.letters.parts import Box, Contents, Fact, Part, Secret, Steps, Text, paragraph
from sesame.letters.scrambling import pattern_of
from sesame.postal import LetterFormat
from sesame.web.institution import Institution, spaced
from sesame.web.notice_words import notice_words
from sesame.web.week import week_in_words

_LOCALES = {Language.FRENCH: "fr_FR", Language.ENGLISH: "en_GB"}


def contents_of(posted: Posted, institution: Institution) -> Contents:
    """Everything that stands on the pages of *posted*."""
    language, size, address, facts = _head(posted)
    say = translator(language)
    title, parts = _body(posted, institution)
    return Contents(
        language=language,
        large=size is LetterFormat.LARGE_PRINT,
        title=title,
        sender=say(institution.name),
        address=address,
        facts=facts,
        parts=parts,
        help=_help(institution, language),
        help_title=say("Besoin d’aide ?"),
        pages=say("Page {page} sur {pages}"),
        salt="" if isinstance(posted, Sheet) else posted.salt.hex(),
    )


def _head(posted: Posted) -> tuple[Language, LetterFormat, list[str], list[Fact]]:
    if isinstance(posted, Sheet):
        return posted.language, posted.format, [], []
    language, say = posted.to.language, translator(posted.to.language)
    facts = [
        Fact(say("Date"), _day(posted.on, language)),
        Fact(say("Référence du courrier"), posted.reference),
    ]
    return language, posted.to.format, [posted.to.name, *posted.to.address], facts


def _day(day: date, language: Language) -> str:
    """`3 mars 2026`, `1er mars 2026` or `3 March 2026`, without a place to break."""
    text = format_date(day, "d MMMM y", locale=_LOCALES[language])
    if language is Language.FRENCH and day.day == 1:
        text = text.replace("1 ", "1er ", 1)
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _help(institution: Institution, language: Language) -> list[Text]:
    say = translator(language)
    return [
        paragraph(
            say("Assistance téléphonique : {number}.").format(number=spaced(institution.telephone)),
            say("Quand on vous répond : %(keys)s.") % {"keys": say(institution.keys_to_press)},
            say(institution.tariff),
            say("Horaires : %(hours)s.") % {"hours": week_in_words(institution.hours, language)},
        ),
        paragraph(
            say("Carte perdue ou volée ? Jour et nuit : {number}.").format(
                number=spaced(institution.lost_cards)
            ),
            say("Nous ne vous demanderons jamais votre code secret ni un code Sésame."),
        ),
    ]


@singledispatch
def _body(posted: Letter | Sheet, institution: Institution) -> tuple[str, list[Part]]:
    """The title of *posted*, and what stands below it."""
    raise NotImplementedError(type(posted).__name__)


@_body.register
def _(posted: Sheet, institution: Institution) -> tuple[str, list[Part]]:
    return sheets.title_of(posted), sheets.parts_of(posted, institution)


@_body.register
def _(posted: CardLetter, institution: Institution) -> tuple[str, list[Part]]:
    say = translator(posted.to.language)
    bank = posted.card is CardKind.BANK
    title = say("Votre carte bancaire") if bank else say("Votre carte Sésame")
    what = (
        say("Voici votre carte bancaire. Elle paie, et avec le lecteur elle fait vos codes Sésame.")
        if bank
        else say("Voici votre carte Sésame. Elle ne paie pas : elle ne fait que des codes.")
    )
    apart = say(
        "Par sécurité, rien d’autre n’est dans cette enveloppe. Le code secret de la carte, "
        "le lecteur et votre code utilisateur arrivent chacun dans un envoi à part."
    )
    return title, [
        paragraph(say("Bonjour,")),
        paragraph(what, apart),
        Steps(
            [
                [paragraph(say("Détachez la carte de cette feuille."))],
                [
                    paragraph(
                        say(
                            "Attendez le lecteur : son courrier porte le numéro d’activation. "
                            "Sans lui, la carte n’ouvre rien sur {portal}."
                        ).format(portal=institution.portal)
                    )
                ],
                [
                    paragraph(
                        say(
                            "Suivez ensuite le mode d’emploi : il montre chaque geste, du premier "
                            "essai à la première connexion."
                        )
                    )
                ],
            ]
        ),
        paragraph(
            say(
                "La carte manque, ou l’enveloppe était ouverte ? Appelez-nous : "
                "nous la bloquons et vous en envoyons une autre."
            )
        ),
    ]


@_body.register
def _(posted: PinLetter, institution: Institution) -> tuple[str, list[Part]]:
    del institution
    say = translator(posted.to.language)
    bank = posted.card is CardKind.BANK
    title = (
        say("Le code secret de votre carte bancaire")
        if bank
        else say("Le code secret de votre carte Sésame")
    )
    return title, [
        paragraph(
            say(
                "Le cadre est brouillé exprès. Posez dessus le filtre rouge joint à ce courrier : "
                "les chiffres de votre code secret apparaissent."
            )
        ),
        Secret(digits=posted.pin, pattern=pattern_of(posted.pattern)),
        Steps(
            [
                [paragraph(say("Apprenez ce code par cœur, puis détruisez cette feuille."))],
                [
                    paragraph(
                        say(
                            "Ne le donnez à personne, ni à un proche, ni à nous. "
                            "Tapez-le sur les touches du lecteur, jamais sur un site."
                        )
                    )
                ],
                [paragraph(say("Après trois erreurs de suite, la carte se bloque."))],
            ],
            numbered=False,
        ),
        paragraph(
            say(
                "L’enveloppe était ouverte ou déchirée ? N’utilisez pas la carte et appelez-nous "
                "avec la référence de ce courrier."
            )
        ),
    ]


@_body.register
def _(posted: ReaderLetter, institution: Institution) -> tuple[str, list[Part]]:
    say = translator(posted.to.language)
    reader, number = posted.serial is not None, posted.activation is not None
    title = say("Votre lecteur Sésame") if reader else say("Votre numéro d’activation")
    return title, [
        paragraph(say("Bonjour,")),
        *(_reader(posted, say) if reader else []),
        *([Fact(say("Numéro d’activation"), posted.activation or "")] if number else []),
        *(_activation(posted, institution) if number else []),
        *(_back_of_reader(say) if reader else []),
    ]


def _reader(posted: ReaderLetter, say: Callable[[str], str]) -> list[Part]:
    return [
        paragraph(
            say(
                "Voici le lecteur qui fait vos codes Sésame avec votre carte. "
                "Il ne garde rien de vous : tous les lecteurs font les mêmes codes."
            )
        ),
        Fact(say("Modèle du lecteur"), posted.model or ""),
        Fact(say("Numéro de série"), posted.serial or ""),
    ]


def _activation(posted: ReaderLetter, institution: Institution) -> list[Part]:
    language, say = posted.to.language, translator(posted.to.language)
    assert posted.activate_by is not None  # noqa: S101 -- it stands beside its number
    return [
        paragraph(
            say(
                "Quand vous aurez la carte et son code secret, ouvrez la page de connexion de "
                "{portal} et choisissez «\u00a0Activez-la d’abord\u00a0». Vous y entrez un code "
                "Sésame de cette carte, et le numéro d’activation."
            ).format(portal=institution.portal),
            say("Il sert une seule fois, jusqu’au {day}.").format(
                day=_day(posted.activate_by, language)
            ),
        )
    ]


def _back_of_reader(say: Callable[[str], str]) -> list[Part]:
    return [
        paragraph(
            say(
                "Le numéro de série est au dos du lecteur. Ce n’est pas le même ? Appelez-nous "
                "avant de vous servir du lecteur."
            )
        )
    ]


@_body.register
def _(posted: WelcomeLetter, institution: Institution) -> tuple[str, list[Part]]:
    say = translator(posted.to.language)
    return say("Bienvenue sur {portal}").format(portal=institution.portal), [
        paragraph(say("Bonjour,")),
        paragraph(
            say(
                "Voici votre code utilisateur. Il dit qui vous êtes quand vous ouvrez {portal}."
            ).format(portal=institution.portal)
        ),
        Fact(say("Code utilisateur"), posted.user_code),
        paragraph(
            say(
                "Il a 8 caractères et ne change jamais, même avec une nouvelle carte. "
                "Majuscules ou minuscules, les deux conviennent."
            )
        ),
        *(
            [
                paragraph(
                    say(
                        "Il sert dès maintenant avec votre ancien code confidentiel, pour "
                        "consulter vos comptes, jusqu’à votre premier code Sésame."
                    )
                )
            ]
            if posted.old_code
            else []
        ),
        paragraph(
            say(
                "À lui seul, il n’ouvre rien : il faut aussi un code Sésame, que font ensemble "
                "votre carte et le lecteur. Gardez cette lettre, à l’écart de la carte."
            )
        ),
    ]


@_body.register
def _(posted: HoldNotice, institution: Institution) -> tuple[str, list[Part]]:
    language, say = posted.to.language, translator(posted.to.language)
    day = _day(posted.since, language)
    who = (
        say("Vous avez bloqué vos codes Sésame le {day}.").format(day=day)
        if posted.by is Actor.OWNER
        else say("Nos conseillers ont bloqué vos codes Sésame le {day}.").format(day=day)
    )
    return say("Vos codes Sésame sont bloqués"), [
        paragraph(say("Bonjour,")),
        paragraph(
            who,
            say("Depuis, aucun code Sésame n’ouvre vos comptes sur {portal}.").format(
                portal=institution.portal
            ),
        ),
        _not_payments(institution, language),
        paragraph(
            say(
                "Ce n’est pas vous qui l’avez demandé, ou vous voulez les débloquer ? Appelez-nous."
            )
        ),
    ]


@_body.register
def _(posted: ReleaseNotice, institution: Institution) -> tuple[str, list[Part]]:
    language, say = posted.to.language, translator(posted.to.language)
    day = _day(posted.since, language)
    who = (
        say("Vous avez débloqué vos codes Sésame le {day}.").format(day=day)
        if posted.by is Actor.OWNER
        else say("Nos conseillers ont débloqué vos codes Sésame le {day}.").format(day=day)
    )
    return say("Vos codes Sésame servent de nouveau"), [
        paragraph(say("Bonjour,")),
        paragraph(
            who,
            say("Un code Sésame ouvre de nouveau vos comptes sur {portal}.").format(
                portal=institution.portal
            ),
        ),
        paragraph(
            say(
                "Ce n’est pas vous qui l’avez demandé ? Appelez-nous tout de suite : "
                "nous les bloquons de nouveau."
            )
        ),
    ]


@_body.register
def _(posted: Notice, institution: Institution) -> tuple[str, list[Part]]:
    language, say = posted.to.language, translator(posted.to.language)
    words = notice_words(posted.event, institution, language)
    done = say("C’était le {day}.").format(day=_day(posted.since, language))
    parts: list[Part] = [paragraph(say("Bonjour,")), paragraph(done, *words.sentences)]
    return words.title, [*parts, paragraph(words.alarm)] if words.alarm else parts


@_body.register
def _(posted: ReminderLetter, institution: Institution) -> tuple[str, list[Part]]:
    say, portal = translator(posted.to.language), institution.portal
    ready = say("Votre carte et votre lecteur sont prêts : il reste à vous connecter une fois.")
    sent = say("Votre carte est chez vous : il reste à l’activer, en une seule connexion.")
    at_hand = say("Gardez près de vous le numéro d’activation, dans l’envoi du lecteur.")
    try_out = say("Faites un premier essai : un code avec le lecteur, pour rien.")
    sign_in = say(
        "Ouvrez {portal}, cliquez sur le lecteur Sésame, entrez votre code utilisateur puis un "
        "nouveau code Sésame."
    ).format(portal=portal)
    activate = say(
        "Ouvrez la page de connexion de {portal} et choisissez «\u00a0Activez-la d’abord\u00a0»"
        "\u00a0: vous y entrez votre code utilisateur, un nouveau code Sésame et ce numéro."
    ).format(portal=portal)
    steps = [try_out, sign_in] if posted.activated else [try_out, at_hand, activate]
    return say("Passez au code Sésame"), [
        paragraph(say("Bonjour,")),
        paragraph(ready if posted.activated else sent),
        Steps([[paragraph(step)] for step in steps]),
        paragraph(
            say(
                "Votre ancien code marche jusqu’à cette première connexion réussie, et plus après."
            ),
            say("Rien ne presse, et rien ne s’arrête à une date."),
        ),
        paragraph(say("La carte, son code secret ou le lecteur vous manque ? Appelez-nous.")),
    ]


def _not_payments(institution: Institution, language: Language) -> Box:
    say = translator(language)
    return Box(
        say("Vos paiements"),
        [
            paragraph(
                say(
                    "Seuls vos codes Sésame sont bloqués. Vos paiements ne le sont pas : "
                    "si votre carte est perdue ou volée, appelez l’opposition, {number}."
                ).format(number=spaced(institution.lost_cards))
            )
        ],
    )
