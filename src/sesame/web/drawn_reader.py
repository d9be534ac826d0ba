"""The reader as pages and letters draw it: its display, its card, and the key that comes next.

A drawing holds no PIN and makes no code: what it shows are dots and zeros. Its words are those
of the reader's own display, which what draws it may not import; a test compares the two.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique

from sesame.catalogue import N_, Language, translator


@unique
class Next(StrEnum):
    """What the drawing points at."""

    ON = "on"
    CARD_IN = "card-in"
    CARD_OUT = "card-out"
    CODE = "code"
    RESPOND = "respond"
    SIGN = "sign"
    DIGITS = "digits"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One state of the reader."""

    words: tuple[str, ...] = ()  # on the display, French; none when it is switched off
    goes_on: bool = False  # the first line ends in the middle of what it says
    typed: int | None = None  # dots below the first words
    spoken: str = ""  # the words as a voice says them, where that is more than reading them
    code: bool = False  # the display shows a code and its 35 seconds
    card: bool = True  # stands in the reader
    next: Next | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A face in one language, for `drawing.html`."""

    lines: tuple[str, ...] = field(repr=False)
    code: str = field(repr=False)  # "" where none is shown
    card: bool
    next: str  # a Next, or ""
    label: str  # what somebody hears who does not see the drawing


# By the reader's own name of the state; below them, what a state shows in special cases.
FACES: Mapping[str, Face] = {
    "off": Face(card=False, next=Next.ON),
    "awaiting-card": Face(
        words=(N_("LECTEUR SÉSAME\nINSÉREZ VOTRE CARTE"),), card=False, next=Next.CARD_IN
    ),
    "reading": Face(words=(N_("LECTEUR SÉSAME\nPATIENTEZ…"),)),
    "menu": Face(
        words=(N_("CHOISISSEZ\nUNE FONCTION"), N_("CARTE …{last4}")), goes_on=True, next=Next.CODE
    ),
    "awaiting-challenge": Face(words=(N_("NOMBRE À RECOPIER ?"),), typed=0, next=Next.DIGITS),
    "awaiting-amount": Face(
        words=(N_("MONTANT ?"), N_("0,00 €")), spoken=N_("Montant ?"), next=Next.DIGITS
    ),
    "awaiting-payee": Face(
        words=(N_("BÉNÉFICIAIRE ?"), N_("8 DERNIERS CHIFFRES")), typed=0, next=Next.DIGITS
    ),
    "confirming": Face(
        words=(N_("{amount}\n→ {payee}\nSIGNER POUR VALIDER"),),
        spoken=N_("{amount} vers {payee}. Signer pour valider."),
        next=Next.SIGN,
    ),
    "last-try": Face(words=(N_("DERNIER ESSAI\nAPPUYEZ SUR OK"),), next=Next.OK),
    "last-try-perhaps": Face(
        words=(N_("ESSAIS INCONNUS\nPEUT-ÊTRE LE DERNIER\nAPPUYEZ SUR OK"),),
        spoken=N_(
            "La carte ne dit pas combien d’essais il reste, c’est peut-être le dernier. "
            "Appuyez sur OK."
        ),
        next=Next.OK,
    ),
    "awaiting-pin": Face(words=(N_("CODE SECRET ?"),), typed=0, next=Next.DIGITS),
    "verifying": Face(words=(N_("VÉRIFICATION…"),)),
    "computing": Face(words=(N_("CALCUL…"),)),
    "wrong-pin": Face(
        words=(N_("CODE SECRET FAUX\nRESTE {tries} ESSAIS\nAPPUYEZ SUR OK"),), next=Next.OK
    ),
    "code-shown": Face(words=(N_("CODE SÉSAME"),), code=True),
    "response-shown": Face(words=(N_("RÉPONSE SÉSAME"),), code=True),
    "signature-shown": Face(words=(N_("SIGNATURE SÉSAME"),), code=True),
    "card-blocked": Face(words=(N_("CARTE BLOQUÉE\nAPPELEZ VOTRE BANQUE"),), next=Next.CARD_OUT),
    "card-mute": Face(words=(N_("CARTE ILLISIBLE\nPUCE VERS LE HAUT"),), next=Next.CARD_OUT),
    "card-unknown": Face(words=(N_("CARTE NON RECONNUE\nRETIREZ LA CARTE"),), next=Next.CARD_OUT),
    "card-unfit": Face(words=(N_("CARTE INUTILISABLE\nAPPELEZ VOTRE BANQUE"),), next=Next.CARD_OUT),
    "card-refused": Face(words=(N_("LA CARTE A REFUSÉ\nRECOMMENCEZ"),), next=Next.CARD_OUT),
    "card-expired": Face(words=(N_("CARTE EXPIRÉE\nRETIREZ LA CARTE"),), next=Next.CARD_OUT),
    "card-not-yet-valid": Face(
        words=(N_("CARTE PAS ENCORE\nVALABLE\nRETIREZ LA CARTE"),),
        goes_on=True,
        next=Next.CARD_OUT,
    ),
    "card-removed": Face(words=(N_("CARTE RETIRÉE"),), card=False, next=Next.CARD_IN),
    "battery-weak": Face(words=(N_("PILE FAIBLE\nAPPUYEZ SUR OK"),), next=Next.OK),
    "battery-empty": Face(words=(N_("PILE VIDE\nREMPLACEZ LA PILE"),)),
    "pin-typed": Face(words=(N_("CODE SECRET ?"),), typed=4, next=Next.OK),
    "pin-too-short": Face(words=(N_("CODE SECRET ?"), N_("4 CHIFFRES")), typed=3, next=Next.DIGITS),
    "last-wrong-pin": Face(
        words=(N_("CODE SECRET FAUX\nDERNIER ESSAI\nAPPUYEZ SUR OK"),), next=Next.OK
    ),
    "chip-to-clean": Face(words=(N_("CARTE ILLISIBLE\nNETTOYEZ LA PUCE"),), next=Next.CARD_OUT),
    "card-to-replace": Face(
        words=(N_("CARTE À REMPLACER\nAPPELEZ VOTRE BANQUE"),), next=Next.CARD_OUT
    ),
    "gone": Face(next=Next.CARD_OUT),
}
# What stands in the places of these words, in every drawing.
TRIES = 2
LAST4 = "1234"
AMOUNT, SPOKEN_AMOUNT = N_("1 250,00 €"), N_("1250 euros")
PAYEE = "3456 7890"
CODE = "0000 0000"

_OFF = N_("Dessin du lecteur Sésame. L’écran est vide : le lecteur est éteint.")
_SHOWS = N_("Dessin du lecteur Sésame. L’écran affiche : {words}.")
_CARD = {
    True: N_("La carte est dans le lecteur."),
    False: N_("La carte est hors du lecteur, la puce est visible sur le dessus."),
}
_NEXT = {
    Next.ON: N_("Une flèche montre la touche Marche/arrêt, à droite du 3."),
    Next.CARD_IN: N_("Une flèche montre la fente pour la carte, en haut du lecteur."),
    Next.CARD_OUT: N_("Une flèche montre que la carte se retire."),
    Next.CODE: N_("Une flèche montre la touche « Code », en haut à gauche du clavier."),
    Next.RESPOND: N_("Une flèche montre la touche « Répondre », en haut au milieu du clavier."),
    Next.SIGN: N_("Une flèche montre la touche « Signer », en haut à droite du clavier."),
    Next.DIGITS: N_("Une flèche montre les touches des chiffres."),
    Next.OK: N_("Une flèche montre la touche « OK », en bas à droite du clavier."),
}
_DOTS = N_("{typed} points cachent les chiffres tapés")
_SECONDS = N_("une barre compte les 35 secondes")
_CAPITALS = {"ok": "OK", "pin": "PIN", "sésame": "Sésame"}  # which sentences keep
_KEPT = re.compile(rf"\b({'|'.join(_CAPITALS)})\b", re.IGNORECASE)


def draw(face: Face, language: Language) -> Drawing:
    """*face* with its words in *language*."""
    say = translator(language)
    lines = lines_of(face, language)
    sentences = [
        say(_SHOWS).format(words=_spoken(face, language)) if lines else say(_OFF),
        say(_CARD[face.card]),
    ]
    if face.next:
        sentences.append(say(_NEXT[face.next]))
    return Drawing(
        lines=lines,
        code=CODE if face.code else "",
        card=face.card,
        next=face.next or "",
        label=" ".join(sentences).replace("?.", "?"),
    )


def lines_of(face: Face, language: Language) -> tuple[str, ...]:
    """What the display says, line by line, without the code."""
    say = translator(language)
    places = {"tries": TRIES, "last4": LAST4, "amount": say(AMOUNT), "payee": PAYEE}
    said = [say(words).format(**places).split("\n") for words in face.words]
    if face.typed is not None:
        said.insert(1, ["•" * face.typed])
    return tuple(line for sentence in said for line in sentence)


def sentence_of(face: Face, language: Language) -> str:
    """The words of the display as a sentence: capitals are spelt out by some voices."""
    if face.spoken:
        say = translator(language)
        return say(face.spoken).format(amount=say(SPOKEN_AMOUNT), payee=_digit_by_digit(PAYEE))
    lines = [line for line in lines_of(face, language) if line.strip("•")]
    if face.goes_on:
        lines[:2] = [" ".join(lines[:2])]
    said = ", ".join(lines)
    said = said.replace("?,", "?").replace(LAST4, " ".join(LAST4)).capitalize()
    return _KEPT.sub(lambda word: _CAPITALS[word[0].lower()], said)


def _spoken(face: Face, language: Language) -> str:
    say = translator(language)
    parts = [sentence_of(face, language)]
    if face.typed:
        parts.append(say(_DOTS).format(typed=face.typed))
    if face.code:
        parts += [_digit_by_digit(CODE), say(_SECONDS)]
    return ", ".join(parts)


def _digit_by_digit(digits: str) -> str:
    return ", ".join(" ".join(group) for group in digits.split())
