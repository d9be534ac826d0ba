"""`sesame verify`: which ATC a code comes from, or why it comes from none.

For researchers and integrators who hold the keys. It opens a keystore, changes nothing and
counts nothing. Card number and code come through the terminal or standard input, never as
arguments, which every user of the machine could read in the list of processes.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from sesame.cap.errors import MalformedCode
from sesame.cap.profiles import PROFILES
from sesame.cap.token import Code, parse_number
from sesame.cap.verification import HIGHEST_ATC
from sesame.catalogue import N_
from sesame.cli.inputs import Unusable, add_inputs, inputs_of, parse_dki
from sesame.cli.language import say
from sesame.cli.passphrase import add_passphrase_file, ask_passphrase
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.errors import UnsuitableCard
from sesame.custody.explain import Explanation, Outcome, explain
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.emv.apdu import read_record, select
from sesame.emv.errors import MalformedPan
from sesame.emv.pan import Pan
from sesame.emv.tags import Tag
from sesame.reader.application import primitives
from sesame.reader.virtual_slot import VirtualSlot

_RECORDS = range(1, 256)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the tree of commands."""
    parser = commands.add_parser(
        "verify", help=say("Dire de quel compteur vient un code, ou pourquoi d’aucun")
    )
    parser.add_argument("keystore", type=Path, metavar="KEYSTORE", help=say("le trousseau"))
    parser.add_argument(
        "--key", default="dpa-01", metavar="LABEL", help=say("la clé d’émetteur (dpa-01)")
    )
    parser.add_argument(
        "--profile",
        required=True,
        choices=sorted(PROFILES),
        metavar="PROFILE",
        help=say("le profil de la carte\u00a0: {names}").format(names=", ".join(sorted(PROFILES))),
    )
    parser.add_argument(
        "--last-atc",
        required=True,
        type=int,
        metavar="ATC",
        help=say("le dernier compteur accepté, 0 pour une carte neuve"),
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="CARDFILE",
        help=say("lire le numéro et le PSN dans ce fichier de carte"),
    )
    parser.add_argument("--psn", default="00", help=say("le PSN de la carte, deux chiffres (00)"))
    parser.add_argument(
        "--dki", help=say("le DKI de la carte, un octet hexadécimal (celui de la clé)")
    )
    add_inputs(parser)
    add_passphrase_file(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the ATC, or say on standard error why there is none.

    Raises:
        SesameError: the keystore does not open, or what was given makes no question.
    """
    profile = PROFILES[arguments.profile]
    inputs = inputs_of(arguments, profile.iaf)
    last_atc = arguments.last_atc
    if not 0 <= last_atc <= HIGHEST_ATC:
        raise Unusable(say("Un compteur (ATC) va de 0 à 65535."))
    keystore = Keystore.open(arguments.keystore, ask_passphrase(arguments))
    pan, psn = _card(arguments, profile.aid)
    dki = _dki_of(keystore, arguments.key) if arguments.dki is None else parse_dki(arguments.dki)
    key = KeyRef(arguments.key)
    try:
        record = CardRecord(pan=pan, psn=psn, profile=profile.name, key=key, dki=dki)
    except UnsuitableCard:
        raise Unusable(
            say("Il faut un numéro de carte de seize chiffres au plus, et un PSN de deux chiffres.")
        ) from None
    code = _ask_code()
    custodian = KeystoreCustodian(keystore, profiles=PROFILES)
    found = asyncio.run(explain(custodian, record, last_atc, code, inputs))
    return _report(found, last_atc, profile.window)


def _report(found: Explanation, last_atc: int, window: int) -> int:
    if found.outcome is Outcome.FITS:
        print(say("Code bon. Compteur (ATC)\u00a0: {atc}").format(atc=found.atc))
        return 0
    sentence = say(_WHY_NOT[found.outcome])
    print(sentence.format(atc=found.atc, last=last_atc, window=window), file=sys.stderr)
    return 1


_WHY_NOT: Mapping[Outcome, str] = {
    Outcome.USED: N_(
        "Code déjà utilisé, ou dépassé\u00a0: son compteur (ATC) est {atc}, le dernier accepté "
        "est {last}."
    ),
    Outcome.AHEAD: N_(
        "Code trop en avance\u00a0: son compteur (ATC) est {atc}, à plus de {window} du dernier "
        "accepté ({last}). Deux codes de suite seraient acceptés."
    ),
    Outcome.LOST: N_(
        "Code perdu\u00a0: son compteur (ATC) est {atc}, trop loin du dernier accepté ({last}) "
        "même pour deux codes de suite. Remplacez la carte."
    ),
    Outcome.UNBOUND: N_(
        "Rien à vérifier\u00a0: ce qui a été tapé n’entre pas, ou pas en entier, dans le "
        "cryptogramme de cette carte. Un code d’un autre mode serait le même."
    ),
    Outcome.LOGIN_CODE: N_(
        "C’est un code de connexion, au compteur (ATC) {atc}\u00a0: rien n’a été tapé dans le "
        "lecteur."
    ),
    Outcome.IMPOSSIBLE: N_("Aucune carte de ce profil n’affiche un tel nombre."),
    Outcome.WRONG: N_(
        "Code faux\u00a0: aucun compteur ne le donne. Autre carte, autre clé, autre profil, ou "
        "autre chose de tapé\u00a0?"
    ),
}


def _card(arguments: argparse.Namespace, aid: bytes) -> tuple[Pan, str]:
    """The card's number and PSN: out of its file, or typed."""
    if arguments.card is None:
        try:
            return Pan(_ask(say("Numéro de la carte\u00a0: "))), arguments.psn
        except MalformedPan:
            raise Unusable(
                say("Ce n’est pas un numéro de carte\u00a0: de 8 à 19 chiffres, sans espaces.")
            ) from None
    with VirtualSlot(arguments.card) as slot:
        slot.power_on()
        slot.transmit(select(aid))
        # Without GET PROCESSING OPTIONS, which would move the counter.
        found: dict[int, bytes] = {}
        for number in _RECORDS:
            answer = slot.transmit(read_record(1, number))
            if not answer.ok:
                break
            found |= primitives(answer.data)
    if Tag.PAN not in found or Tag.PSN not in found:
        raise Unusable(say("Cette carte n’a pas l’application de ce profil."))
    return Pan.decode(found[Tag.PAN]), found[Tag.PSN].hex()


def _dki_of(keystore: Keystore, label: str) -> int:
    """That of the key of *label*; any, where there is none: that is said when the key is used."""
    return next((key.dki or 0 for key in keystore.keys if key.label == label), 0)


def _ask_code() -> Code:
    try:
        return parse_number(_ask(say("Code\u00a0: ")))
    except MalformedCode:
        raise Unusable(say("Un code est un nombre, avec ou sans espaces.")) from None


def _ask(question: str) -> str:
    """The next line of standard input; at a terminal it is asked for."""
    if sys.stdin.isatty():
        print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
