"""`sesame code`: a code at the command line, for scripts and for people."""

import argparse
import sys
from collections.abc import Mapping

from sesame.cap.mode import NO_FLAGS, Iaf, Inputs
from sesame.cap.token import Code, show
from sesame.catalogue import N_
from sesame.cli.inputs import add_inputs, binding_inputs_of, inputs_of
from sesame.cli.language import say
from sesame.cli.pin import (
    NO_TERMINAL,
    NOTHING_TYPED,
    WHAT_HAPPENS,
    add_pin,
    at_terminal,
    pin_of,
    pin_of_real_card,
    wrong_pin,
)
from sesame.cli.slots import add_card, slot_of
from sesame.cli.tracing import Trace, add_trace_code, add_tracing
from sesame.emv.pin import Pin
from sesame.reader.code import AskPin, NoCode, WrongPin, make_code
from sesame.reader.machine import State
from sesame.reader.recorder import Recorder


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `code` to the tree of commands."""
    parser = commands.add_parser("code", help=say("Générer un code Sésame avec une carte"))
    add_card(parser)
    add_inputs(parser)
    add_pin(parser)
    add_tracing(parser)
    add_trace_code(parser)
    parser.set_defaults(run=run, misused=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the code alone, or say on standard error why there is none.

    Raises:
        SesameError: what is given makes no code, the card cannot be used, or nobody gives a PIN.
    """
    inputs = inputs_of(arguments, NO_FLAGS)  # what no card would take is said before one is touched
    if arguments.pcsc is None:
        if not (arguments.pin_stdin or at_terminal()):
            arguments.misused(say(NO_TERMINAL))  # ends the program, as an option that is missing
        pin: Pin | AskPin = pin_of(arguments)
    else:
        pin = pin_of_real_card(arguments)
        print(say(WHAT_HAPPENS), file=sys.stderr)
    match _made(arguments, inputs, pin):
        case Code():
            return 0
        case WrongPin(tries_left):
            return _refuse(wrong_pin(tries_left))
        case NoCode(state):
            return _refuse(say(_NO_CODE.get(state, _UNFIT)))


def _made(
    arguments: argparse.Namespace, inputs: Inputs, pin: Pin | AskPin
) -> Code | WrongPin | NoCode:
    """What the card makes, a code printed; *inputs* are for a card without an IAF."""
    code: Code | None = None

    def choose(iaf: Iaf) -> Inputs:
        nonlocal inputs
        inputs = binding_inputs_of(arguments, iaf)
        return inputs

    trace = Trace(arguments)
    with slot_of(arguments) as slot:
        recorder = Recorder(slot, lambda: inputs)
        try:
            made = make_code(recorder, pin, inputs=choose)
            if isinstance(made, Code):
                code = made
                print(show(code.token), flush=True)  # before a trace that may fail: it is good
        finally:
            # Also of a session that broke off: then somebody wants to know why.
            trace.write(recorder, code)
    return made


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


_UNFIT = N_("Cette carte ne sait pas faire de code Sésame.")
_STOPPED = N_("Arrêté\u00a0: aucun code secret n’a été envoyé à la carte.")
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
    State.LAST_TRY: _STOPPED,
    State.AWAITING_PIN: _STOPPED,
    State.PIN_ON_PAD: _STOPPED,
    State.MENU: NOTHING_TYPED,
    State.OFF: N_("Trop de temps a passé sans réponse. Recommencez."),
}
