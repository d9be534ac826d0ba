"""Where a command gets a card's PIN from: a pipe, or the terminal, without showing it.

Never an argument, which every user of the machine could read in the list of processes.
"""

import argparse
import getpass
import sys

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.emv.errors import MalformedPin
from sesame.emv.pin import Pin
from sesame.errors import Worded
from sesame.reader.code import Asking, AskPin, Where
from sesame.reader.consent import may_be_last
from sesame.terminal.signals import ended_in_order

# What the holder of a real card is told.
WHAT_HAPPENS = N_(
    "Un code va être fait avec cette carte. Dès qu’elle est lue, son compteur avance d’un numéro, "
    "que le code serve ou non."
)
SEEN_HERE = N_("Cet ordinateur voit passer le code secret.")
ON_PAD = N_("Tapez le code secret sur le clavier du lecteur\u00a0: cet ordinateur ne le voit pas.")


NOTHING_TYPED = N_(
    "Le clavier du lecteur dit qu’aucun code secret n’y a été tapé. Recommencez\u00a0: la carte "
    "dira combien d’essais il reste."
)


class NoPin(Worded):
    """Nobody gave a PIN. The message is for people, in their language."""


def add_pin(parser: argparse.ArgumentParser) -> None:
    """Add `--pin-stdin` and `--last-try` to a command."""
    parser.add_argument(
        "--pin-stdin",
        action="store_true",
        help=say("lire le code secret de la carte sur l’entrée standard, au lieu du terminal"),
    )
    parser.add_argument(
        "--last-try",
        action="store_true",
        help=say(
            "essayer le code secret même s’il ne reste qu’un essai, ou si la carte ne dit pas "
            "combien"
        ),
    )


def at_terminal() -> bool:
    """Whether somebody can type on standard input, which may be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def pin_of(arguments: argparse.Namespace) -> Pin | AskPin:
    """The PIN that was piped in, or what asks for one at the terminal, which there is.

    Raises:
        NoPin: what was piped in is none.
    """
    if _pipes(arguments):
        return _piped()

    def ask(asking: Asking) -> Pin | None:
        if asking.wrong and asking.tries_left is not None:
            print(wrong_pin(asking.tries_left), file=sys.stderr)
        consent(asking.tries_left, given=arguments.last_try)
        return _typed()

    return ask


def pin_of_real_card(arguments: argparse.Namespace) -> AskPin:
    """As `pin_of`, for a card that somebody needs: its holder is told what becomes of it.

    Nobody is asked for a PIN that a reader takes on its own keys, and what may be the last try is
    spent only by whoever says so.

    Raises:
        NoPin: what was piped in is none. Likewise, when it is asked: the reader has keys, the
            last try is not to be spent, or there is no terminal.
    """
    piped = _piped() if _pipes(arguments) else None

    def ask(asking: Asking) -> Pin | Where | None:
        if piped and asking.wrong:
            return None
        if piped and asking.pin_pad:
            raise NoPin(say(_ON_PAD_ALONE))
        _tell(asking)
        consent(asking.tries_left, given=arguments.last_try)
        if asking.pin_pad:
            return Where.ON_PAD
        if piped:
            return piped
        if not at_terminal():
            raise NoPin(say(NO_TERMINAL))
        return _typed()

    return ask


def one_pin(arguments: argparse.Namespace, *, on_pad: bool) -> Pin | None:
    """A PIN for one try that nobody asks again for; None: it is typed on the reader's keys.

    Raises:
        NoPin: none was given, what was piped in is none or has no place, or there is no terminal.
    """
    if on_pad:
        if _pipes(arguments):
            raise NoPin(say(_ON_PAD_ALONE))
        return None
    if _pipes(arguments):
        return _piped()
    if not at_terminal():
        raise NoPin(say(NO_TERMINAL))
    pin = _typed()
    if pin is None:
        raise NoPin(say(_NOTHING_TRIED))
    return pin


def _tell(asking: Asking) -> None:
    """How the card stands, and where its PIN goes."""
    if asking.wrong and asking.tries_left is not None:
        told = wrong_pin(asking.tries_left)
    else:
        told = tries_sentence(asking.tries_left)
    where = say(ON_PAD if asking.pin_pad else SEEN_HERE)
    print(f"{told}\n{where}", file=sys.stderr)


def tries_sentence(tries_left: int | None) -> str:
    """How many tries are left, where the card says so."""
    if tries_left is None:
        return say("La carte ne dit pas combien d’essais du code secret il reste.")
    return say("Essais du code secret qui restent\u00a0: {tries}.").format(tries=tries_left)


def consent(tries_left: int | None, *, given: bool) -> None:
    """Ask whether what may be the last try may be spent, unless that is *given* already.

    Args:
        tries_left: that the card has said; None where it does not.
        given: somebody has agreed before they were asked.

    Raises:
        NoPin: it may not.
    """
    if given or not may_be_last(tries_left):
        return
    refusal, question = _LAST if tries_left == 1 else _PERHAPS_LAST
    if not at_terminal():
        raise NoPin(say(refusal))
    # Unseen, as somebody may type the PIN here; what was typed before the question is forgotten.
    if _unseen(say(question)).lower() not in _YES:
        raise NoPin(say(_NOTHING_TRIED))


def _typed() -> Pin | None:
    while True:
        typed = _unseen(say("Code secret de la carte (Entrée pour arrêter)\u00a0: "))
        if not typed:
            return None
        try:
            return Pin(typed)
        except MalformedPin:
            print(say(_NOT_A_PIN), file=sys.stderr)


def _unseen(prompt: str) -> str:
    """A line that is typed at the terminal and not shown; empty where input has ended."""
    try:
        with ended_in_order():
            return getpass.getpass(prompt).strip()
    except EOFError:
        return ""
    except UnicodeDecodeError:
        return _NO_TEXT


def _pipes(arguments: argparse.Namespace) -> bool:
    """Whether the PIN is to be read from standard input as it comes.

    Not from a terminal: that would show what is typed.
    """
    return arguments.pin_stdin and not at_terminal()


def _piped() -> Pin:
    try:
        return Pin(_line())
    except MalformedPin:
        raise NoPin(say(_NOT_A_PIN)) from None


def _line() -> str:
    """The next line of standard input, where there is one."""
    try:
        return sys.stdin.readline().strip() if sys.stdin else ""
    except UnicodeDecodeError:
        return _NO_TEXT


def wrong_pin(tries_left: int) -> str:
    """That the PIN was wrong, and how many tries are left: one at least."""
    if tries_left == 1:
        return say(
            "Code secret faux. Il reste 1 essai\u00a0: au prochain code faux, la carte se bloque."
        )
    return say("Code secret faux. Il reste {tries} essais.").format(tries=tries_left)


# What is said to whoever cannot be asked, and the question.
_LAST = (
    N_(
        "C’est le dernier essai\u00a0: un code faux bloque la carte. Pour essayer quand même, "
        "ajoutez --last-try."
    ),
    N_("C’est le dernier essai\u00a0: un code faux bloque la carte. Essayer (oui/non)\u202f? "),
)
_PERHAPS_LAST = (
    N_(
        "C’est peut-être le dernier essai\u00a0: un code faux bloquerait la carte. Pour essayer "
        "quand même, ajoutez --last-try."
    ),
    N_(
        "C’est peut-être le dernier essai\u00a0: un code faux bloquerait la carte. Essayer "
        "(oui/non)\u202f? "
    ),
)
_NO_TEXT = "\ufffd"  # bytes that are none
_ON_PAD_ALONE = N_(
    "Ce lecteur a un clavier\u00a0: le code secret s’y tape, et nulle part ailleurs. Recommencez "
    "sans --pin-stdin."
)
_NOTHING_TRIED = N_("Rien n’a été essayé.")
_YES = frozenset({"oui", "o", "yes", "y"})
NO_TERMINAL = N_(
    "Il n’y a pas de terminal où taper le code secret de la carte\u00a0: donnez --pin-stdin."
)
_NOT_A_PIN = N_("Le code secret d’une carte a de 4 à 12 chiffres.")
