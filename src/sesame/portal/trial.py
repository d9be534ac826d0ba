"""« Faites un premier essai »: how a code is made, step by step, on a drawn reader.

For anybody, signed in or not. Nothing is typed here and nothing is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sesame.catalogue import N_
from sesame.portal.cards import Card, card_of
from sesame.portal.portal import Portal
from sesame.web.drawn_reader import FACES, Drawing, Face, draw
from sesame.web.language import language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One page of the trial. French, in the catalogue."""

    face: Face
    title: str
    see: str  # what stands on the display, and why
    do: tuple[str, ...]
    of_card: Mapping[Card, str] | None = None  # done first, and said of one card only

    def do_with(self, card: Card) -> tuple[str, ...]:
        """All that is done in this step, in order."""
        return (self.of_card[card], *self.do) if self.of_card else self.do


@dataclass(frozen=True, slots=True)
class TrialStartPage:
    """trial_start.html: the two cards to choose from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStepPage:
    """trial_step.html: one step; its sentences are French, the template translates them."""

    card: Card
    number: int  # from 1
    steps: int  # of the whole trial
    title: str
    see: str
    do: tuple[str, ...]
    drawing: Drawing


STEPS = (
    Step(
        face=FACES["off"],
        title=N_("Prenez votre lecteur et votre carte"),
        see=N_("Le lecteur est éteint : son écran est vide."),
        of_card={
            Card.BANK: N_("Posez devant vous votre carte bancaire et le lecteur Sésame."),
            Card.SESAME: N_("Posez devant vous votre carte Sésame et le lecteur."),
        },
        do=(
            N_("Appuyez sur la touche Marche/arrêt, en haut à droite du clavier."),
            N_(
                "Vous pouvez aussi insérer la carte tout de suite : le lecteur s’allume alors seul."
            ),
        ),
    ),
    Step(
        face=FACES["awaiting-card"],
        title=N_("Insérez votre carte"),
        see=N_("Le lecteur est allumé. Il attend votre carte."),
        of_card={
            Card.BANK: N_("Glissez votre carte bancaire dans la fente, en haut du lecteur."),
            Card.SESAME: N_("Glissez votre carte Sésame dans la fente, en haut du lecteur."),
        },
        do=(
            N_("La puce entre la première, et elle est tournée vers le haut."),
            N_("Poussez doucement, jusqu’à ce que la carte ne bouge plus."),
        ),
    ),
    Step(
        face=FACES["reading"],
        title=N_("Patientez"),
        see=N_("Le lecteur lit votre carte. Cela dure quelques secondes."),
        do=(N_("Ne touchez à rien. Laissez la carte dans le lecteur."),),
    ),
    Step(
        face=FACES["menu"],
        title=N_("Appuyez sur la touche « Code »"),
        see=N_(
            "Le lecteur vous demande quoi faire. Il montre aussi la fin du numéro de votre carte : "
            "sur ce dessin, 1234."
        ),
        do=(N_("Appuyez sur la touche « Code », la plus large, en haut à gauche du clavier."),),
    ),
    Step(
        face=FACES["awaiting-pin"],
        title=N_("Tapez votre code secret sur le lecteur"),
        see=N_("Le lecteur demande votre code secret."),
        of_card={
            Card.BANK: N_("C’est le code à 4 chiffres de vos achats et de vos retraits d’argent."),
            Card.SESAME: N_(
                "C’est le code à 4 chiffres que vous avez reçu seul, dans une lettre à part."
            ),
        },
        do=(
            N_("Tapez ces 4 chiffres sur le clavier du lecteur, et nulle part ailleurs."),
            N_("Les touches sont rangées comme sur un téléphone. Le 0 est en bas, au milieu."),
            N_("Une erreur ? La touche « C », en bas à gauche, efface le dernier chiffre."),
        ),
    ),
    Step(
        face=FACES["pin-typed"],
        title=N_("Validez avec la touche « OK »"),
        see=N_("Quatre points sont à l’écran. Ils cachent vos chiffres aux regards."),
        do=(N_("Appuyez sur la touche verte « OK », en bas à droite."),),
    ),
    Step(
        face=FACES["verifying"],
        title=N_("La carte vérifie"),
        see=N_(
            "Votre carte compare le code secret avec le sien. Puis elle calcule : "
            "l’écran affiche un instant « CALCUL… »."
        ),
        do=(N_("Attendez un peu. Laissez la carte dans le lecteur."),),
    ),
    Step(
        face=FACES["code-shown"],
        title=N_("Votre code Sésame s’affiche"),
        see=N_(
            "Voici un code Sésame : 8 chiffres, en deux groupes de quatre. "
            "Ce dessin montre des zéros, votre lecteur montre d’autres chiffres."
        ),
        do=(
            N_("Pour une vraie connexion, vous recopiez ces chiffres dans votre banque en ligne."),
            N_("Vous avez 35 secondes. La barre sous le code montre le temps qui reste."),
            N_("Aujourd’hui, c’est un essai. Regardez le code, et laissez passer le temps."),
        ),
    ),
    Step(
        face=FACES["gone"],
        title=N_("Le code a disparu : c’est réussi"),
        see=N_("Les 35 secondes sont passées. Le lecteur s’est éteint et a oublié le code."),
        do=(
            N_("Retirez votre carte et rangez-la."),
            N_(
                "Vous n’avez pas eu le temps de tout lire ? Ce n’est pas grave : refaites un code "
                "de la même façon, aussi souvent que vous voulez."
            ),
            N_("Chaque fois, le lecteur donne un autre code. C’est normal."),
        ),
    ),
)


async def get_trial_start(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai`."""
    return portal.page(request, "trial_start.html", TrialStartPage())


async def get_trial_step(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai/{card}/{step}`; the steps count from 1."""
    card = card_of(request)
    number = _NUMBERS.get(request.path_params["step"])
    if number is None:
        raise HTTPException(404)
    step = STEPS[number - 1]
    page = TrialStepPage(
        card=card,
        number=number,
        steps=len(STEPS),
        title=step.title,
        see=step.see,
        do=step.do_with(card),
        drawing=draw(step.face, language_of(request)),
    )
    return portal.page(request, "trial_step.html", page)


_NUMBERS = {str(number): number for number in range(1, len(STEPS) + 1)}
