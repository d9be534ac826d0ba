"""`sesame code`: the reader without a face, for scripts.

The PIN comes through standard input, never as an argument, which every user of the
machine could read in the list of processes.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from sesame.cap.token import Code, show
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.emv.errors import MalformedPin
from sesame.emv.pin import Pin
from sesame.reader.code import NoCode, WrongPin, make_code
from sesame.reader.machine import State
from sesame.reader.virtual_slot import VirtualSlot

# A reader beside ours gives the card back after 35 seconds without a key.
_WAIT = 45.0  # seconds


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `code` to the tree of commands."""
    parser = commands.add_parser("code", help=say("Générer un code Sésame avec une carte"))
    parser.add_argument("card", type=Path, metavar="CARDFILE", help=say("le fichier de la carte"))
    parser.add_argument(
        "--pin-stdin",
        action="store_true",
        required=True,
        help=say("lire le code secret de la carte sur l’entrée standard"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the code alone, or say on standard error why there is none."""
    try:
        pin = Pin(sys.stdin.readline().strip())
    except MalformedPin:
        return _refuse(say("Le code secret d’une carte a de 4 à 12 chiffres."))
    match make_code(VirtualSlot(arguments.card, wait=_WAIT), pin):
        case Code() as code:
            print(show(code.token))
            return 0
        case WrongPin(tries_left=1):
            return _refuse(
                say(
                    "Code secret faux. Il reste 1 essai\u00a0: au prochain code faux, la carte se "
                    "bloque."
                )
            )
        case WrongPin(tries_left):
            return _refuse(
                say("Code secret faux. Il reste {tries} essais.").format(tries=tries_left)
            )
        case NoCode(state):
            return _refuse(say(_NO_CODE.get(state, _UNFIT)))


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


_UNFIT = N_("Cette carte ne sait pas faire de code Sésame.")
_NO_CODE: Mapping[State, str] = {
    State.CARD_BLOCKED: N_(
        "Il reste 0 essai\u00a0: le code secret de la carte est bloqué. Adressez-vous à votre "
        "banque."
    ),
    State.CARD_MUTE: N_("La carte ne répond pas."),
    State.CARD_UNKNOWN: N_("Cette carte n’a pas d’application qui fasse des codes Sésame."),
    State.CARD_EXPIRED: N_("La carte a expiré."),
    State.CARD_NOT_YET_VALID: N_("La carte n’est pas encore valable."),
    State.CARD_REFUSED: N_("La carte a refusé de faire un code."),
    State.OFF: N_("La carte a mis trop de temps à répondre. Recommencez."),
}
