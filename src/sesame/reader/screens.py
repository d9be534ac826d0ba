"""The words on the display, in every language; a small display of three lines.

The sentences of docs/reference/requirements.md, 4.2, with the accents that French capitals have.
Nothing here repeats a code: a face shows `Screen.code` large, and under no other name.
"""

from collections.abc import Mapping

from babel.numbers import format_decimal, get_decimal_symbol

from sesame.catalogue import N_, Language, translator
from sesame.reader.machine import SHOWN, Screen, State

WIDTH = 20  # characters
HEIGHT = 3  # lines

# One sentence a screen; a line ends where the display's does.
_WORDS: Mapping[State, str] = {
    State.AWAITING_CARD: N_("LECTEUR SÉSAME\nINSÉREZ VOTRE CARTE"),
    State.READING: N_("LECTEUR SÉSAME\nPATIENTEZ…"),
    State.MENU: N_("CHOISISSEZ\nUNE FONCTION"),
    State.AWAITING_CHALLENGE: N_("NOMBRE À RECOPIER ?"),
    State.AWAITING_AMOUNT: N_("MONTANT ?"),
    State.AWAITING_PAYEE: N_("BÉNÉFICIAIRE ?"),
    State.CONFIRMING: N_("{amount}\n→ {payee}\nSIGNER POUR VALIDER"),
    State.LAST_TRY: N_("DERNIER ESSAI\nAPPUYEZ SUR OK"),
    State.AWAITING_PIN: N_("CODE SECRET ?"),
    State.PIN_ON_PAD: N_("CODE SECRET ?\nTAPEZ-LE SUR LE\nCLAVIER DU LECTEUR"),
    State.VERIFYING: N_("VÉRIFICATION…"),
    State.COMPUTING: N_("CALCUL…"),
    State.WRONG_PIN: N_("CODE SECRET FAUX\nRESTE {tries} ESSAIS\nAPPUYEZ SUR OK"),
    State.CODE_SHOWN: N_("CODE SÉSAME"),
    State.RESPONSE_SHOWN: N_("RÉPONSE SÉSAME"),
    State.SIGNATURE_SHOWN: N_("SIGNATURE SÉSAME"),
    State.CARD_BLOCKED: N_("CARTE BLOQUÉE\nAPPELEZ VOTRE BANQUE"),
    State.CARD_MUTE: N_("CARTE ILLISIBLE\nPUCE VERS LE HAUT"),
    State.CARD_UNKNOWN: N_("CARTE NON RECONNUE\nRETIREZ LA CARTE"),
    State.CARD_UNFIT: N_("CARTE INUTILISABLE\nAPPELEZ VOTRE BANQUE"),
    State.CARD_REFUSED: N_("LA CARTE A REFUSÉ\nRECOMMENCEZ"),
    State.CARD_EXPIRED: N_("CARTE EXPIRÉE\nRETIREZ LA CARTE"),
    State.CARD_NOT_YET_VALID: N_("CARTE PAS ENCORE\nVALABLE\nRETIREZ LA CARTE"),
    State.CARD_REMOVED: N_("CARTE RETIRÉE"),
    State.BATTERY_WEAK: N_("PILE FAIBLE\nAPPUYEZ SUR OK"),
    State.BATTERY_EMPTY: N_("PILE VIDE\nREMPLACEZ LA PILE"),
}
# Their first line ends in the middle of what they say, in every language.
_GOES_ON = frozenset({State.MENU, State.CARD_NOT_YET_VALID})
_PERHAPS_LAST = N_("ESSAIS INCONNUS\nPEUT-ÊTRE LE DERNIER\nAPPUYEZ SUR OK")
_LAST_WRONG_PIN = N_("CODE SECRET FAUX\nDERNIER ESSAI\nAPPUYEZ SUR OK")
_CLEAN = N_("CARTE ILLISIBLE\nNETTOYEZ LA PUCE")
_REPLACE = N_("CARTE À REMPLACER\nAPPELEZ VOTRE BANQUE")
_CARD = N_("CARTE …{last4}")
_EUROS = N_("{amount} €")
_NOTHING = "0,00"  # where no amount has been typed
_TOO_SHORT: Mapping[State, str] = {
    State.AWAITING_CHALLENGE: N_("1 À 8 CHIFFRES"),
    State.AWAITING_PAYEE: N_("IL FAUT 8 CHIFFRES"),
    State.AWAITING_PIN: N_("4 CHIFFRES"),
}
_ZERO = N_("PAS ZÉRO")
_TOO_LONG = N_("TROP LONG")
_ENDING = N_("C POUR EFFACER")
_OF_THE_ACCOUNT = N_("8 DERNIERS CHIFFRES")
_TYPED = frozenset(
    {
        State.AWAITING_CHALLENGE,
        State.AWAITING_AMOUNT,
        State.AWAITING_PAYEE,
        State.AWAITING_PIN,
    }
)
_CLEAN_AFTER = 3  # times that the chip was mute


def lines(screen: Screen) -> tuple[str, ...]:
    """What the display says, line by line; nothing when it is switched off.

    At most three lines of 20 characters, without the code.
    """
    if screen.state is State.OFF:
        return ()
    _ = translator(screen.language)
    amount = f"{screen.amount // 100},{screen.amount % 100:02}"
    words = _(_sentence(screen)).format(
        tries=screen.tries_left, amount=euros(amount, screen.language), payee=grouped(screen.payee)
    )
    said = words.split("\n")
    if screen.state in _TYPED:
        said.append(typed(screen))
        if below := note(screen):
            said.append(below)
    if screen.state is State.MENU and screen.last4:
        said.append(_(_CARD).format(last4=screen.last4))
    return tuple(said)


def phrases(screen: Screen) -> tuple[str, ...]:
    """The same as `lines`, undivided where a line ends only because the display does."""
    said = lines(screen)
    return (" ".join(said[:2]), *said[2:]) if screen.state in _GOES_ON else said


def ending(screen: Screen) -> str:
    """What stands below a code that no time ends; nothing elsewhere."""
    stays = screen.state in SHOWN and screen.lasts is None
    return translator(screen.language)(_ENDING) if stays else ""


def grouped(digits: str) -> str:
    """Eight *digits* four by four, as codes are, to be compared with others."""
    return f"{digits[:4]} {digits[4:]}"


def note(screen: Screen) -> str:
    """What stands below the digits: why they were refused, or which are meant."""
    words = _note(screen)
    return translator(screen.language)(words) if words else ""


def typed(screen: Screen) -> str:
    """What has been typed, as the display shows it; of a PIN only dots."""
    match screen.state:
        case State.AWAITING_PIN:
            return "•" * screen.typed
        case State.AWAITING_AMOUNT:
            return euros(screen.entered or _NOTHING, screen.language)
    return screen.entered


def euros(typed: str, language: Language) -> str:
    """An amount as *language* writes it; *typed* has a comma and cents, or none yet."""
    whole, comma, cents = typed.partition(",")
    sign = get_decimal_symbol(language) if comma else ""
    amount = format_decimal(int(whole), locale=language) + sign + cents
    return translator(language)(_EUROS).format(amount=amount)


def _note(screen: Screen) -> str:
    if screen.too_short:
        return _TOO_SHORT[screen.state]
    if screen.zero:
        return _ZERO
    if screen.too_long:
        return _TOO_LONG
    return _OF_THE_ACCOUNT if screen.state is State.AWAITING_PAYEE else ""


def _sentence(screen: Screen) -> str:
    match screen:
        case Screen(state=State.LAST_TRY, tries_left=None):
            return _PERHAPS_LAST
        case Screen(state=State.WRONG_PIN, tries_left=1):
            return _LAST_WRONG_PIN
        case Screen(state=State.CARD_MUTE, mute_times=times) if times > _CLEAN_AFTER:
            return _REPLACE
        case Screen(state=State.CARD_MUTE, mute_times=times) if times == _CLEAN_AFTER:
            return _CLEAN
    return _WORDS[screen.state]
