"""« Que voyez-vous ? »: each display of the reader, what it means, and what to do next.

The displays are the rows of docs/reference/requirements.md, 4.2; each has a page of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sesame.catalogue import N_
from sesame.portal.cards import Card, card_of
from sesame.portal.portal import Portal
from sesame.web.drawn_reader import FACES, Drawing, draw
from sesame.web.language import language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said of one display. French, in the catalogue."""

    name: str  # its part of the address
    face: str  # of FACES
    title: str
    meaning: str
    do: tuple[str, ...]
    of_card: Mapping[Card, str] | None = None  # done last, and said of one card only
    step: int  # of the trial, where one goes on
    calm: bool = True  # a display of the usual way, not one that stops somebody

    def do_with(self, card: Card) -> tuple[str, ...]:
        """All that is to be done, in order."""
        return (*self.do, self.of_card[card]) if self.of_card else self.do


@dataclass(frozen=True, slots=True)
class DisplayLine:
    """One display in the list, and its address."""

    name: str
    drawing: Drawing
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplaysPage:
    """displays.html: all displays to choose from."""

    card: Card
    calm: tuple[DisplayLine, ...]
    others: tuple[DisplayLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPage:
    """answer.html: one display; its sentences are French, the template translates them."""

    card: Card
    title: str
    meaning: str
    do: tuple[str, ...]
    step: int
    drawing: Drawing


_CALL = N_("Appelez-nous : le numéro est sur cette page.")
_TAKE_OUT = N_("Retirez la carte.")
_BACK_TO_MENU = N_("Appuyez sur « C » jusqu’à ce que l’écran affiche « CHOISISSEZ ».")
_THEN_CODE = N_("Pour vous connecter, appuyez ensuite sur la touche « Code ».")
_NO_DICTATION = N_("Quelqu’un vous dicte des chiffres au téléphone ? Raccrochez et appelez-nous.")
_ONE_MORE_ERROR = N_("Une erreur de plus, et la carte se bloque.")
_LAST_TRY_ADVICE = (
    N_("Cherchez d’abord votre code secret, tranquillement. Rien ne presse."),
    N_("Vous en êtes sûr ? Appuyez sur « OK », puis tapez-le lentement."),
    N_("Vous n’êtes pas sûr ? Retirez la carte et appelez-nous avant d’essayer."),
)
_WHICH_PIN = {
    Card.BANK: N_("Le bon code est celui de vos achats et de vos retraits avec cette carte."),
    Card.SESAME: N_("Le bon code est celui de la lettre envoyée à part, pour cette carte Sésame."),
}

ANSWERS = (
    Answer(
        name="ecran-vide",
        face="off",
        title=N_("L’écran est vide"),
        meaning=N_(
            "Le lecteur est éteint. Il s’éteint seul quand personne ne s’en sert pendant "
            "35 secondes. Cela ne casse rien."
        ),
        do=(
            N_("Insérez votre carte, ou appuyez sur la touche Marche/arrêt."),
            N_("L’écran reste vide ? La pile est sans doute vide. Changez-la, ou appelez-nous."),
        ),
        step=1,
    ),
    Answer(
        name="inserez-votre-carte",
        face="awaiting-card",
        title=N_("Le lecteur attend votre carte"),
        meaning=N_("Tout va bien : le lecteur est allumé."),
        do=(N_("Insérez votre carte, puce vers le haut."),),
        step=2,
    ),
    Answer(
        name="patientez",
        face="reading",
        title=N_("Le lecteur lit la carte"),
        meaning=N_("Tout va bien. Cela dure quelques secondes."),
        do=(N_("Attendez, sans retirer la carte."),),
        step=3,
    ),
    Answer(
        name="choisissez",
        face="menu",
        title=N_("Le lecteur vous laisse choisir"),
        meaning=N_(
            "Tout va bien. Le lecteur a reconnu votre carte : il montre la fin de son numéro."
        ),
        do=(N_("Appuyez sur la touche « Code »."),),
        step=4,
    ),
    Answer(
        name="code-secret",
        face="awaiting-pin",
        title=N_("Le lecteur demande votre code secret"),
        meaning=N_("Tout va bien. Chaque chiffre tapé devient un point à l’écran."),
        do=(N_("Tapez vos 4 chiffres sur le lecteur, puis appuyez sur « OK »."),),
        of_card=_WHICH_PIN,
        step=5,
    ),
    Answer(
        name="4-chiffres",
        face="pin-too-short",
        title=N_("Il manque un chiffre"),
        meaning=N_("Vous avez validé trop tôt. Aucun essai n’est compté."),
        do=(N_("Tapez le chiffre qui manque, puis appuyez sur « OK »."),),
        step=5,
        calm=False,
    ),
    Answer(
        name="nombre-a-recopier",
        face="awaiting-challenge",
        title=N_("Le lecteur demande un nombre"),
        meaning=N_("Vous avez appuyé sur la touche « Répondre »."),
        do=(_BACK_TO_MENU, _THEN_CODE, _NO_DICTATION),
        step=4,
    ),
    Answer(
        name="montant",
        face="awaiting-amount",
        title=N_("Le lecteur demande un montant"),
        meaning=N_("Vous avez appuyé sur la touche « Signer ». Elle sert pour un virement."),
        do=(_BACK_TO_MENU, _THEN_CODE, _NO_DICTATION),
        step=4,
    ),
    Answer(
        name="beneficiaire",
        face="awaiting-payee",
        title=N_("Le lecteur demande le compte du bénéficiaire"),
        meaning=N_("C’est le compte qui reçoit l’argent. Ses 8 derniers chiffres suffisent."),
        do=(_BACK_TO_MENU, _THEN_CODE, _NO_DICTATION),
        step=4,
    ),
    Answer(
        name="confirmation",
        face="confirming",
        title=N_("Le lecteur montre ce que vous allez signer"),
        meaning=N_("L’écran affiche le montant, puis les 8 derniers chiffres du compte."),
        do=(
            N_("C’est bien ce que vous voulez payer ? Appuyez sur « Signer »."),
            N_("Un chiffre est faux ? Appuyez sur « C » pour revenir au montant."),
            _NO_DICTATION,
        ),
        step=4,
    ),
    Answer(
        name="verification",
        face="verifying",
        title=N_("La carte vérifie votre code secret"),
        meaning=N_("Tout va bien. La carte compare ce que vous avez tapé."),
        do=(N_("Attendez, sans retirer la carte."),),
        step=7,
    ),
    Answer(
        name="calcul",
        face="computing",
        title=N_("La carte calcule"),
        meaning=N_("Votre code secret était juste. La carte prépare votre code Sésame."),
        do=(N_("Attendez, sans retirer la carte."),),
        step=7,
    ),
    Answer(
        name="code-sesame",
        face="code-shown",
        title=N_("Votre code Sésame est là"),
        meaning=N_("C’est réussi. Le code reste affiché 35 secondes."),
        do=(
            N_("Pour un essai, vous n’avez plus rien à faire."),
            N_("Pour vous connecter, recopiez les 8 chiffres. Vous pouvez omettre l’espace."),
            N_("Le code a disparu trop vite ? Faites-en un autre, cela ne coûte rien."),
        ),
        step=8,
    ),
    Answer(
        name="reponse-sesame",
        face="response-shown",
        title=N_("Votre réponse Sésame est là"),
        meaning=N_("Elle répond au nombre que vous avez tapé, et ne sert à rien d’autre."),
        do=(
            N_("Recopiez ses 8 chiffres dans la page qui vous a donné le nombre."),
            N_("Pour vous connecter, il faut un code Sésame : recommencez avec « Code »."),
        ),
        step=4,
    ),
    Answer(
        name="signature-sesame",
        face="signature-shown",
        title=N_("Votre signature Sésame est là"),
        meaning=N_("Elle vaut pour ce montant et ce compte, et pour rien d’autre."),
        do=(
            N_("Recopiez ses 8 chiffres dans la page de votre virement."),
            N_("Pour vous connecter, il faut un code Sésame : recommencez avec « Code »."),
        ),
        step=4,
    ),
    Answer(
        name="code-secret-faux",
        face="wrong-pin",
        title=N_("Le code secret est faux"),
        meaning=N_(
            "La carte a refusé les 4 chiffres. Le lecteur dit combien d’essais il reste. "
            "Un code juste remet le compte à zéro."
        ),
        do=(N_("Appuyez sur « OK », puis tapez de nouveau votre code secret, lentement."),),
        of_card=_WHICH_PIN,
        step=5,
        calm=False,
    ),
    Answer(
        name="code-secret-faux-dernier-essai",
        face="last-wrong-pin",
        title=N_("Le code secret est faux, il reste un essai"),
        meaning=_ONE_MORE_ERROR,
        do=_LAST_TRY_ADVICE,
        of_card=_WHICH_PIN,
        step=5,
        calm=False,
    ),
    Answer(
        name="dernier-essai",
        face="last-try",
        title=N_("C’est le dernier essai"),
        meaning=N_(
            "Un code faux a été tapé plusieurs fois avec cette carte. "
            "Une erreur de plus, et la carte se bloque."
        ),
        do=_LAST_TRY_ADVICE,
        of_card=_WHICH_PIN,
        step=5,
        calm=False,
    ),
    Answer(
        name="essais-inconnus",
        face="last-try-perhaps",
        title=N_("Le lecteur ne sait pas combien d’essais il reste"),
        meaning=N_(
            "Cette carte ne le dit pas. C’est peut-être le dernier essai : une erreur pourrait "
            "bloquer la carte."
        ),
        do=_LAST_TRY_ADVICE,
        of_card=_WHICH_PIN,
        step=5,
        calm=False,
    ),
    Answer(
        name="carte-bloquee",
        face="card-blocked",
        title=N_("Votre carte est bloquée"),
        meaning=N_(
            "Trop de codes secrets faux ont été tapés, ou la banque a bloqué la carte. "
            "Votre argent reste en sécurité."
        ),
        do=(
            _TAKE_OUT,
            _CALL,
            N_("Un conseiller vous dira comment obtenir une carte qui fonctionne."),
        ),
        of_card={
            Card.BANK: N_("En attendant, cette carte peut aussi être refusée dans les magasins."),
            Card.SESAME: N_("Une carte bancaire, si vous en avez une, n’est pas touchée."),
        },
        step=1,
        calm=False,
    ),
    Answer(
        name="carte-illisible",
        face="card-mute",
        title=N_("Le lecteur ne lit pas la carte"),
        meaning=N_("Le plus souvent, la carte est à l’envers ou mal enfoncée."),
        do=(
            _TAKE_OUT,
            N_("Tournez la puce vers le haut : vous devez la voir en tenant le lecteur."),
            N_("Insérez la carte de nouveau, la puce en premier, jusqu’au fond."),
        ),
        step=2,
        calm=False,
    ),
    Answer(
        name="nettoyez-la-puce",
        face="chip-to-clean",
        title=N_("La puce est peut-être sale"),
        meaning=N_("Le lecteur a essayé trois fois sans réussir à lire la carte."),
        do=(
            _TAKE_OUT,
            N_("Essuyez la puce avec un chiffon doux et sec. N’utilisez pas d’eau."),
            N_("Insérez la carte de nouveau, puce vers le haut."),
        ),
        step=2,
        calm=False,
    ),
    Answer(
        name="carte-a-remplacer",
        face="card-to-replace",
        title=N_("La carte ne fonctionne plus"),
        meaning=N_("Même nettoyée, la puce ne répond pas. Elle est sans doute usée."),
        do=(_TAKE_OUT, _CALL, N_("Nous vous enverrons une autre carte.")),
        step=1,
        calm=False,
    ),
    Answer(
        name="carte-non-reconnue",
        face="card-unknown",
        title=N_("Cette carte n’est pas faite pour ce lecteur"),
        meaning=N_(
            "C’est sans doute une autre carte à puce : carte de santé, carte d’une autre banque…"
        ),
        do=(_TAKE_OUT,),
        of_card={
            Card.BANK: N_("Insérez la carte bancaire que notre banque vous a donnée."),
            Card.SESAME: N_("Insérez la carte Sésame que notre banque vous a donnée."),
        },
        step=2,
        calm=False,
    ),
    Answer(
        name="carte-inutilisable",
        face="card-unfit",
        title=N_("Cette carte ne peut pas faire de code"),
        meaning=N_("Le lecteur connaît cette sorte de carte. Mais il lui manque quelque chose."),
        do=(_TAKE_OUT, _CALL),
        step=1,
        calm=False,
    ),
    Answer(
        name="pas-de-code",
        face="card-refused",
        title=N_("La carte a refusé de faire un code"),
        meaning=N_("Cela peut arriver une fois. Ce n’est pas une erreur de votre part."),
        do=(
            _TAKE_OUT,
            N_("Insérez-la de nouveau et recommencez."),
            N_("Le même message revient ? Appelez-nous."),
        ),
        step=2,
        calm=False,
    ),
    Answer(
        name="carte-expiree",
        face="card-expired",
        title=N_("La carte est trop ancienne"),
        meaning=N_("Sa date de fin, écrite sur la carte, est passée."),
        do=(
            _TAKE_OUT,
            N_("Prenez votre nouvelle carte."),
            N_("Vous ne l’avez pas reçue ? Appelez-nous."),
        ),
        step=1,
        calm=False,
    ),
    Answer(
        name="carte-pas-encore-valable",
        face="card-not-yet-valid",
        title=N_("La carte ne sert pas encore"),
        meaning=N_("Cette carte est neuve : sa date de début n’est pas encore venue."),
        do=(
            _TAKE_OUT,
            N_("Gardez votre carte précédente jusqu’à cette date."),
            N_("Un doute ? Appelez-nous."),
        ),
        step=1,
        calm=False,
    ),
    Answer(
        name="carte-retiree",
        face="card-removed",
        title=N_("La carte est sortie trop tôt"),
        meaning=N_("Votre carte n’a rien. Seul ce que vous aviez tapé est oublié."),
        do=(N_("Insérez la carte de nouveau et recommencez."),),
        step=2,
        calm=False,
    ),
    Answer(
        name="pile-faible",
        face="battery-weak",
        title=N_("La pile faiblit"),
        meaning=N_("Le lecteur peut encore faire un code, mais bientôt plus."),
        do=(
            N_("Appuyez sur « OK » pour continuer cette fois."),
            N_("Ensuite, changez la pile, ou demandez-nous un autre lecteur."),
            N_("Tous les lecteurs Sésame conviennent à votre carte."),
        ),
        step=1,
        calm=False,
    ),
    Answer(
        name="pile-vide",
        face="battery-empty",
        title=N_("La pile est vide"),
        meaning=N_("Le lecteur ne commence plus rien, pour ne pas abîmer votre carte."),
        do=(
            N_("Retirez la carte, puis changez la pile."),
            N_("Vous n’avez pas de pile ? Demandez-nous un autre lecteur."),
            N_("Tous les lecteurs Sésame conviennent à votre carte."),
        ),
        step=1,
        calm=False,
    ),
)


async def get_displays(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai/{card}/ecrans`."""
    language = language_of(request)

    def lines(*, calm: bool) -> tuple[DisplayLine, ...]:
        return tuple(
            DisplayLine(answer.name, draw(FACES[answer.face], language), answer.title)
            for answer in ANSWERS
            if answer.calm is calm
        )

    page = DisplaysPage(card=card_of(request), calm=lines(calm=True), others=lines(calm=False))
    return portal.page(request, "displays.html", page)


async def get_answer(portal: Portal, request: Request) -> Response:
    """`GET /premier-essai/{card}/ecrans/{display}`."""
    card = card_of(request)
    answer = _BY_NAME.get(request.path_params["display"])
    if answer is None:
        raise HTTPException(404)
    page = AnswerPage(
        card=card,
        title=answer.title,
        meaning=answer.meaning,
        do=answer.do_with(card),
        step=answer.step,
        drawing=draw(FACES[answer.face], language_of(request)),
    )
    return portal.page(request, "answer.html", page)


_BY_NAME = {answer.name: answer for answer in ANSWERS}
