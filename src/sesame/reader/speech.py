"""What the reader says aloud: its display in sentence case, digits one by one.

Nothing is said that the display does not show, but how many tries are left; of a PIN, how many
digits there are. A face hands the sentences to a voice, or to the screen reader of whoever uses
one (WCAG 2.2, 4.1.3).
"""

import re
from collections.abc import Mapping

from babel.numbers import get_decimal_symbol

from sesame.catalogue import N_, Language, translator
from sesame.reader.machine import SHOWN, Screen, State
from sesame.reader.screens import ending, grouped, note, phrases, typed

# Said otherwise than it is shown.
_WHOLE: Mapping[State, str] = {
    State.OFF: N_("Le lecteur est éteint."),
    State.PIN_ON_PAD: N_("Tapez le code secret sur le clavier du lecteur."),
}
_PERHAPS_LAST = N_(
    "La carte ne dit pas combien d’essais il reste, c’est peut-être le dernier. Appuyez sur OK."
)
_CODE: Mapping[State, str] = {
    State.CODE_SHOWN: N_("Votre code Sésame\u00a0: {digits}."),
    State.RESPONSE_SHOWN: N_("Votre réponse Sésame\u00a0: {digits}."),
    State.SIGNATURE_SHOWN: N_("Votre signature Sésame\u00a0: {digits}."),
}
_LASTS = N_("Vous avez {seconds}\u00a0secondes.")
_TYPED: Mapping[State, str] = {
    State.AWAITING_CHALLENGE: N_("Nombre à recopier\u00a0: {typed}."),
    State.AWAITING_AMOUNT: N_("Montant\u00a0: {typed}."),
    State.AWAITING_PAYEE: N_("Bénéficiaire\u00a0: {typed}."),
    State.AWAITING_PIN: N_("Chiffres saisis\u00a0: {typed}."),
}
_COMMA = N_("{number} virgule")
_CONFIRM = N_("{amount} vers {payee}. Signer pour valider.")
_EURO, _EUROS = N_("{number}\u00a0euro"), N_("{number}\u00a0euros")
_CENT, _CENTS = N_("{number}\u00a0centime"), N_("{number}\u00a0centimes")
_AND = N_("{euros} et {cents}")
_TRIES = N_("Essais du code secret qui restent\u00a0: {tries}.")
_TRIES_UNKNOWN = N_("La carte ne dit pas combien d’essais du code secret il reste.")
_CODE_GOES = N_("Encore {seconds}\u00a0secondes.")
_READER_GOES = N_("Le lecteur s’éteint dans {seconds}\u00a0secondes.")

_CAPITALS = {"ok": "OK", "pin": "PIN", "sésame": "Sésame"}  # which sentences keep
_LONG_NUMBER = re.compile(r"\d{3,}")  # the end of a card's
_KEPT = re.compile(rf"\b({'|'.join(_CAPITALS)})\b", re.IGNORECASE)


def speak(screen: Screen) -> str:
    """The sentence for what *screen* shows.

    A code is said with the time that it lasts; enlarged, without, for some of it has gone.
    """
    _ = translator(screen.language)
    match screen:
        case Screen(state=state) if state in _WHOLE:
            return _(_WHOLE[state])
        case Screen(state=State.LAST_TRY, tries_left=None):
            return _(_PERHAPS_LAST)
        case Screen(code=str(code)):
            return _shown(screen, code)
        case Screen(state=State.CONFIRMING):
            amount = _money(screen.amount, screen.language)
            return _(_CONFIRM).format(amount=amount, payee=_digits(grouped(screen.payee)))
        case Screen(typed=0, entered=""):
            return _in_sentence_case(screen)
    said = _(_TYPED[screen.state]).format(typed=_entered(screen))
    refused = screen.too_short or screen.zero or screen.too_long
    return f"{said} {note(screen).capitalize()}." if refused else said


def speak_tries(screen: Screen) -> str:
    """How many tries are left, where *screen* asks for the PIN; nothing anywhere else.

    The display does not show it: this is for whoever puts in a card that they need.
    """
    if screen.state not in (State.AWAITING_PIN, State.PIN_ON_PAD):
        return ""
    _ = translator(screen.language)
    if screen.tries_left is None:
        return _(_TRIES_UNKNOWN)
    return _(_TRIES).format(tries=screen.tries_left)


def speak_time(seconds: int, state: State, language: Language) -> str:
    """The warning that so many *seconds* are left in *state*."""
    sentence = _CODE_GOES if state in SHOWN else _READER_GOES
    return translator(language)(sentence).format(seconds=seconds)


def _shown(screen: Screen, code: str) -> str:
    _ = translator(screen.language)
    said = _(_CODE[screen.state]).format(digits=_digits(code))
    if screen.large:
        return said
    if screen.lasts is None:
        return f"{said} {ending(screen).capitalize()}."
    return said + " " + _(_LASTS).format(seconds=screen.lasts)


def _in_sentence_case(screen: Screen) -> str:
    """The lines of the display, without what has been typed."""
    hidden = typed(screen)
    said = ", ".join(phrase for phrase in phrases(screen) if phrase != hidden)
    said = said.replace("?,", "?").capitalize()
    said = _LONG_NUMBER.sub(lambda digits: _digits(digits[0]), said)
    return _KEPT.sub(lambda word: _CAPITALS[word[0].lower()], said)


def _digits(text: str) -> str:
    """One by one, with a pause between groups."""
    return ", ".join(" ".join(group) for group in text.split())


def _entered(screen: Screen) -> str:
    """A challenge or payee digit by digit, an amount as the number so far; of a PIN how many."""
    if screen.state is State.AWAITING_PIN:
        return str(screen.typed)
    if screen.state is not State.AWAITING_AMOUNT:
        return _digits(screen.entered)
    euros, comma, cents = screen.entered.partition(",")
    if comma and not cents:
        return translator(screen.language)(_COMMA).format(number=euros)
    return screen.entered.replace(",", get_decimal_symbol(screen.language))


def _money(amount: int, language: Language) -> str:
    """An *amount* of cents in words that need no punctuation."""
    _ = translator(language)
    euros, cents = divmod(amount, 100)
    said_euros = _(_EURO if euros == 1 else _EUROS).format(number=euros)
    said_cents = _(_CENT if cents == 1 else _CENTS).format(number=cents)
    if not cents:
        return said_euros
    return _(_AND).format(euros=said_euros, cents=said_cents) if euros else said_cents
