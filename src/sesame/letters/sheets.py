"""The two instruction sheets: the leaflet's steps in the portal's own sentences."""

from sesame.catalogue import Language, translator
from sesame.letters.drawings import Picture, key, reader
from sesame.letters.letter import CardKind, Sheet
from sesame.letters.parts import Box, Heading, Part, Pictures, Steps, Text, paragraph
from sesame.web.institution import Institution

# What the reader shows at each step, and after the last.
_STATES = ("awaiting-card", "menu", "awaiting-pin", "pin-typed", "code-shown")


def title_of(sheet: Sheet) -> str:
    """« Mode d’emploi avec une carte bancaire »."""
    say = translator(sheet.language)
    if sheet.card is CardKind.BANK:
        return say("Mode d’emploi avec une carte bancaire")
    return say("Mode d’emploi avec une carte Sésame")


def parts_of(sheet: Sheet, institution: Institution) -> list[Part]:
    """What stands below the title."""
    say, portal = translator(sheet.language), {"portal": institution.portal}
    return [
        *_why(sheet, portal),
        Heading(say("1. Faites un premier essai")),
        paragraph(
            say(
                "Entraînez-vous avant de vous connecter. "
                "Un code d’essai que vous n’utilisez pas ne coûte rien."
            )
        ),
        _code(sheet),
        Pictures([reader(state, sheet.language) for state in _STATES], steps=4),
        paragraph(
            say(
                "L’écran montre votre code Sésame. Il a 8 chiffres, en deux groupes de quatre, "
                "plus faciles à retenir : 0000 0000."
            ),
            say(
                "Vous avez 35 secondes pour le recopier sur %(portal)s. "
                "Ensuite, le code s’efface et le lecteur s’éteint."
            )
            % portal,
        ),
        Box(
            say("Conseil pratique"),
            [
                paragraph(
                    say(
                        "Trop tard ? Ce n’est pas grave. Refaites les mêmes gestes : "
                        "le lecteur donne un nouveau code."
                    ),
                    say(
                        "Pour recopier le code, l’espace du milieu est facultatif : "
                        "0000 0000 et 00000000 conviennent tous les deux."
                    ),
                )
            ],
        ),
        *_login(sheet, portal),
        *_trouble(sheet.language),
    ]


def _why(sheet: Sheet, portal: dict[str, str]) -> list[Part]:
    say = translator(sheet.language)
    if sheet.card is CardKind.BANK:
        other = (
            say(
                "Cette feuille est pour vous si vous avez une carte bancaire de notre banque. "
                "Vous avez seulement une carte Sésame ?"
            ),
            say("Prenez le mode d’emploi avec une carte Sésame."),
        )
        objects = say(
            "Il vous faut deux objets : votre carte bancaire et le lecteur Sésame. "
            "Posez-les devant vous avant de commencer."
        )
    else:
        other = (
            say(
                "Cette feuille est pour vous si vous avez une carte Sésame. "
                "Vous utilisez une carte bancaire de notre banque ?"
            ),
            say("Prenez le mode d’emploi avec une carte bancaire."),
        )
        objects = say(
            "Il vous faut deux objets : votre carte Sésame et le lecteur. "
            "Posez-les devant vous avant de commencer."
        )
    why = say(
        "Les fraudes sur Internet augmentent. "
        "Avec ce lecteur, %(portal)s vérifie autrement que c’est bien vous."
    )
    return [
        paragraph(*other),
        Heading(say("Pourquoi un lecteur Sésame ?")),
        paragraph(why % portal, objects),
    ]


def _code(sheet: Sheet) -> Steps:
    say, language = translator(sheet.language), sheet.language
    if sheet.card is CardKind.BANK:
        card_in = say(
            "Glissez votre carte bancaire dans le lecteur, puce vers le haut. Le lecteur s’allume."
        )
        pin = say(
            "Le lecteur demande votre code secret, celui de la carte bancaire. "
            "Tapez-le sur les touches du lecteur. Ce sont vos 4 chiffres habituels, "
            "ceux des achats en magasin et des distributeurs de billets."
        )
    else:
        card_in = say(
            "Glissez votre carte Sésame dans le lecteur, puce vers le haut. Le lecteur s’allume."
        )
        pin = say(
            "Le lecteur demande votre code secret, celui de la carte Sésame. "
            "Tapez-le sur les touches du lecteur. Ces 4 chiffres sont dans une lettre à part, "
            "partie un autre jour que le lecteur et la carte."
        )
    steps: list[list[Text | Picture]] = [
        [paragraph(card_in)],
        [
            paragraph(say("Choisissez de faire un code : appuyez sur la touche « Code ».")),
            key("code", language),
        ],
        [
            paragraph(pin, say("Un chiffre de travers ? La touche « C » l’efface.")),
            key("c", language),
        ],
        [paragraph(say("Confirmez avec la touche « OK ».")), key("ok", language)],
    ]
    return Steps(steps)


def _login(sheet: Sheet, portal: dict[str, str]) -> list[Part]:
    say = translator(sheet.language)
    ways = [
        say("Ouvrez la page d’accueil de %(portal)s, puis choisissez « %(link)s ».")
        % {**portal, "link": say("Accès abonnés")},
        *(
            [
                say(
                    "Première fois avec cette carte ? Choisissez « %(link)s » "
                    "et prenez le numéro de la lettre du lecteur."
                )
                % {"link": say("Activez-la d’abord")}
            ]
            if sheet.card is CardKind.SESAME
            else []
        ),
        say("La page « %(title)s » s’ouvre. Cliquez sur l’image du lecteur Sésame.")
        % {"title": say("Accès à vos comptes")},
        say(
            "Dans « %(label)s », écrivez les 8 caractères donnés par la banque. "
            "Gardez celui que vous avez toujours eu : il ne change pas."
        )
        % {"label": say("Code utilisateur")},
        say(
            "Dans « %(label)s », écrivez les 8 chiffres affichés par votre lecteur. "
            "Puis appuyez sur « %(button)s »."
        )
        % {"label": say("Code Sésame"), "button": say("Valider")},
    ]
    heading = say(
        "2. Maintenant vous savez générer un code Sésame. "
        "Vous pouvez vous connecter à %(portal)s en toute sécurité."
    )
    opened = say(
        "Votre espace %(portal)s s’ouvre : vous avez réussi. "
        "Désormais, un code Sésame vous ouvrira vos comptes en toute sécurité."
    )
    return [
        Heading(heading % portal),
        Steps([[paragraph(way)] for way in ways]),
        paragraph(
            opened % portal,
            say("Un code sert une seule fois : faites-en un nouveau pour chaque connexion."),
            say(
                "Dès cette première réussite, oubliez votre ancien code confidentiel : "
                "il n’est plus utile."
            ),
        ),
    ]


def _trouble(language: Language) -> list[Part]:
    say = translator(language)
    answers = [
        say(
            "« CODE SECRET FAUX » : l’écran dit combien d’essais il reste. "
            "Après trois erreurs de suite, la carte se bloque."
        ),
        say("« CARTE BLOQUÉE » : retirez la carte et appelez-nous."),
        say("« PUCE VERS LE HAUT » : retirez la carte, retournez-la, puis insérez-la de nouveau."),
    ]
    return [
        Heading(say("Le lecteur affiche autre chose ?")),
        Steps([[paragraph(answer)] for answer in answers], numbered=False),
        paragraph(
            say(
                "Vous hésitez, vous avez une question, ou la connexion échoue ? "
                "Appelez-nous : nous vous aidons pas à pas."
            )
        ),
    ]
