"""Where a command finds its card: in a file, or in a reader of this computer."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.language import language_of, say
from sesame.cli.sentences import SENTENCES
from sesame.reader.errors import (
    AnswerMalformed,
    CardIsMute,
    CardPulled,
    NoCard,
    NoCommonProtocol,
    NoReader,
    PadUnfit,
    PcscLibraryMissing,
    ReaderBusy,
    ReaderUnknown,
    ReaderUnplugged,
    ServiceAbsent,
    ServiceFails,
    ServiceForbids,
    ServiceHangs,
    SeveralCards,
    shown_name,
)
from sesame.reader.pcsc_slot import PcscSlot
from sesame.reader.virtual_slot import VirtualSlot

WAIT = 60  # seconds for somebody to find a card and put it in
_LONGEST_WAIT = 3600
# A reader beside ours gives the card back after 35 seconds without a key.
FILE_WAIT = 45.0  # seconds


def add_card(parser: argparse.ArgumentParser) -> None:
    """Add a card file, or `--pcsc` in its place, to a command."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "card", type=Path, nargs="?", metavar="CARDFILE", help=say("le fichier de la carte")
    )
    add_pcsc(parser, source)


def _seconds(text: str) -> float:
    """A time that ends: `inf` and `nan` do not."""
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise ValueError
    return seconds


def add_pcsc(parser: argparse.ArgumentParser, source: argparse._ActionsContainer) -> None:
    """Add `--pcsc` to the sources of cards, and `--wait` to the command."""
    source.add_argument(
        "--pcsc",
        nargs="?",
        const="",
        metavar="NAME",
        help=say(
            "la carte du lecteur de ce nom (ou numéro), branché à l’ordinateur\u202f; sans nom, de "
            "celui qui a une carte"
        ),
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT,
        metavar="SECONDS",
        help=say("combien de temps attendre une carte avec --pcsc"),
    )


def slot_of(
    arguments: argparse.Namespace, *, file_wait: float = FILE_WAIT
) -> VirtualSlot | PcscSlot:
    """The slot that *arguments* name; *file_wait* is for a card file in use elsewhere."""
    if arguments.pcsc is None:
        return VirtualSlot(arguments.card, wait=file_wait)
    seconds = arguments.wait

    def ask_for_card(readers: Sequence[str]) -> None:
        sentence = say(
            "Insérez la carte, puce vers le haut ({seconds:.0f}\u00a0s)\u00a0: {readers}."
        )
        print(
            sentence.format(seconds=seconds, readers=", ".join(map(shown_name, readers))),
            file=sys.stderr,
        )

    language = language_of(os.environ)
    return PcscSlot(arguments.pcsc, wait=seconds, language=language, tell=ask_for_card)


SENTENCES |= {
    CardIsMute: N_(
        "La carte ne répond pas. Retirez-la, remettez-la puce vers le haut, et nettoyez la puce."
    ),
    PcscLibraryMissing: N_(
        "La bibliothèque pyscard manque ({reason}). Sous Debian\u00a0: «\u00a0apt-get install gcc "
        "libpcsclite-dev python3-dev\u00a0», puis «\u00a0pip install pyscard\u00a0»."
    ),
    ServiceAbsent: N_(
        "Le service PC/SC ne répond pas. Sous Debian\u00a0: «\u00a0apt-get install pcscd\u00a0», "
        "puis «\u00a0systemctl start pcscd\u00a0», ou «\u00a0pcscd --foreground\u00a0» dans un "
        "autre terminal."
    ),
    ServiceForbids: N_(
        "Le service PC/SC refuse cet utilisateur. Ouvrez une session sur la machine elle-même, ou "
        "ajoutez une règle de polkit pour org.debian.pcsc-lite."
    ),
    ServiceHangs: N_(
        "Rien ne répond depuis {seconds} secondes ({call}). Retirez la carte et recommencez\u202f; "
        "si cela dure, débranchez le lecteur et relancez pcscd."
    ),
    ServiceFails: N_(
        "Le service PC/SC refuse {call} (erreur {code}). Débranchez le lecteur, rebranchez-le, et "
        "recommencez."
    ),
    NoReader: N_(
        "Aucun lecteur n’est branché. Branchez-en un\u202f; s’il l’est déjà, son pilote manque "
        "peut-être\u00a0: «\u00a0apt-get install libccid\u00a0»."
    ),
    ReaderUnknown: N_(
        "Aucun lecteur ne s’appelle {name}. Donnez un numéro ou une partie d’un nom, parmi\u00a0: "
        "{readers}."
    ),
    SeveralCards: N_(
        "Il y a une carte dans plusieurs lecteurs. Donnez le numéro de l’un d’eux, après --pcsc, "
        "parmi\u00a0: {readers}."
    ),
    ReaderBusy: N_(
        "{reader}\u00a0: un autre programme se sert de la carte. Fermez-le, puis recommencez."
    ),
    ReaderUnplugged: N_("{reader}\u00a0: le lecteur a été débranché. Rebranchez-le."),
    NoCard: N_(
        "Aucune carte en {seconds} secondes. Insérez-la, puce vers le haut, et recommencez. "
        "Lecteurs\u00a0: {readers}."
    ),
    CardPulled: N_(
        "{reader}\u00a0: la carte a été retirée trop tôt. Remettez-la et recommencez\u00a0: elle "
        "dit combien d’essais du code secret il lui reste."
    ),
    NoCommonProtocol: N_(
        "{reader}\u00a0: cette carte ne parle ni T=0 ni T=1. Ce n’est pas une carte bancaire."
    ),
    PadUnfit: N_(
        "{reader}\u00a0: le clavier de ce lecteur ne sait pas prendre le code secret de cette "
        "carte. Prenez un autre lecteur\u00a0: la carte y dira combien d’essais il reste."
    ),
    AnswerMalformed: N_(
        "Ce qui est revenu n’est pas une réponse de carte ({problem}). Nettoyez la puce et "
        "recommencez."
    ),
}
