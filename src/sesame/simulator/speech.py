"""What the reader says aloud: its display in sentence case, the code digit by digit.

The page hands it to the screen reader of whoever uses one (WCAG 2.2, 4.1.3).
"""

import re

from sesame.catalogue import N_, Language, translator
from sesame.reader.machine import TIME_OUT, Screen, State
from sesame.reader.screens import lines

_OFF = N_("Le lecteur est éteint.")
_CODE = N_("Votre code Sésame\u00a0: {digits}. Vous avez {seconds}\u00a0secondes.")
_TYPED = N_("Chiffres saisis\u00a0: {typed}.")
_CODE_GOES = N_("Encore {seconds}\u00a0secondes.")
_READER_GOES = N_("Le lecteur s’éteint dans {seconds}\u00a0secondes.")

_CAPITALS = {"ok": "OK", "pin": "PIN", "sésame": "Sésame"}  # which sentences keep
_KEPT = re.compile(rf"\b({'|'.join(_CAPITALS)})\b")


def speak(screen: Screen) -> str:
    """The sentence for what *screen* shows."""
    _ = translator(screen.language)
    match screen:
        case Screen(state=State.OFF):
            return _(_OFF)
        case Screen(code=str(code)):
            digits = ", ".join(" ".join(group) for group in code.split())
            return _(_CODE).format(digits=digits, seconds=int(TIME_OUT))
        case Screen(state=State.AWAITING_PIN, typed=typed, too_short=False) if typed:
            return _(_TYPED).format(typed=typed)
    said = ", ".join(line for line in lines(screen) if line.strip("•"))
    said = said.replace("?,", "?").capitalize()
    return _KEPT.sub(lambda word: _CAPITALS[word[0]], said)


def speak_time(seconds: int, state: State, language: Language) -> str:
    """The warning that so many *seconds* are left in *state*."""
    sentence = _CODE_GOES if state is State.CODE_SHOWN else _READER_GOES
    return translator(language)(sentence).format(seconds=seconds)
