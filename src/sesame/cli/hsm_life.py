"""`sesame hsm use|retire|destroy|adopt|records`: the generations of the issuer keys in a token.

Each step is done by two persons or more, and leaves a record in the token.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from sesame.catalogue import N_
from sesame.cli.hsm_token import add_action, session_of
from sesame.cli.inputs import parse_dki
from sesame.cli.key_records import add_bank, add_deed, deed_of, in_token, record_text
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.custody.errors import (
    HsmKeyAway,
    HsmKeyLingers,
    HsmRecordsBusy,
    HsmRecordsUnsuitable,
    HsmSingleKeyAway,
    SealBroken,
)
from sesame.custody.hsm import token_seal
from sesame.custody.hsm_life import adopt, destroy, is_lingering, retire, use
from sesame.custody.hsm_records import read_records
from sesame.custody.records import Record
from sesame.errors import SesameError


class ForeignToken(SesameError):
    """The keys in the token called `label` are not those that the bank's cards were sealed with."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"token {label!r}: its keys are not those that this bank's cards were sealed with. "
            "Name the other token, or the other bank's settings"
        )
        self.label = label


SENTENCES |= {
    HsmRecordsUnsuitable: N_(
        "Les procès-verbaux que garde le jeton ne sont pas tels qu’ils ont été écrits ({problem}). "
        "Seul qui a le PIN du jeton a pu le faire\u00a0: cherchez qui."
    ),
    HsmRecordsBusy: N_(
        "Quelqu’un d’autre travaille aux clés de ce jeton, et notre procès-verbal a été retiré. "
        "Regardez «\u00a0sesame hsm list\u00a0», puis recommencez."
    ),
    HsmKeyAway: N_(
        "La clé {label} est inscrite et n’est plus dans le jeton, sans avoir été détruite. "
        "Remettez-la, d’une sauvegarde du jeton, avec l’outil de son fabricant. Seulement si elle "
        "est perdue pour de bon\u00a0: «\u00a0sesame hsm destroy {label}\u00a0»."
    ),
    HsmSingleKeyAway: N_(
        "La clé {label} (usage {usage}) est inscrite et n’est plus dans le jeton. Remettez-la, "
        "d’une sauvegarde du jeton, avec l’outil de son fabricant\u00a0: une autre ne la remplace "
        "pas."
    ),
    HsmKeyLingers: N_(
        "La clé {label} est détruite, selon son procès-verbal, et encore dans le jeton. Faites "
        "«\u00a0sesame hsm destroy {label}\u00a0»."
    ),
    ForeignToken: N_(
        "Les clés du jeton «\u00a0{label}\u00a0» ne sont pas celles avec lesquelles les cartes de "
        "cette banque ont été scellées. Indiquez l’autre jeton, ou les réglages de l’autre banque."
    ),
}


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the five actions to those of `hsm`."""
    _of_one_key(
        add_action(
            actions,
            "use",
            say("Mettre une clé en service\u00a0: les cartes neuves se font avec elle"),
            run_use,
        )
    )
    _of_one_key(
        add_action(
            actions,
            "retire",
            say("Retirer une clé\u00a0: plus de carte neuve, les codes restent vérifiés"),
            run_retire,
        )
    )
    end = add_action(
        actions,
        "destroy",
        say("Détruire une clé retirée\u00a0: les codes de ses cartes sont refusés"),
        run_destroy,
    )
    _of_one_key(end)
    add_bank(end, say("aucune banque n’a de cartes de ce jeton"))
    old = add_action(
        actions,
        "adopt",
        say("Inscrire l’index (DKI) d’une clé que le jeton avait avant ses procès-verbaux"),
        run_adopt,
    )
    _of_one_key(old)
    old.add_argument(
        "--dki",
        required=True,
        help=say("son index de dérivation, un octet hexadécimal que portent ses cartes (01)"),
    )
    add_action(actions, "records", say("Montrer ce qui a été fait aux clés"), run_records)


def run_use(arguments: argparse.Namespace) -> int:
    """Make the key the current one, and print the records.

    Raises:
        SesameError: the token does not open, or the key cannot be the current one.
    """
    deed = deed_of(arguments)
    with session_of(arguments, writes=True) as session:
        print_records(arguments, use(session, arguments.key, deed))
    return 0


def run_retire(arguments: argparse.Namespace) -> int:
    """Have no new cards made under the key, and print the record.

    Raises:
        SesameError: as `run_use`.
    """
    deed = deed_of(arguments)
    with session_of(arguments, writes=True) as session:
        print_records(arguments, retire(session, arguments.key, deed))
    return 0


def run_adopt(arguments: argparse.Namespace) -> int:
    """Put the key's generation on record, and print that.

    Raises:
        SesameError: the token does not open, the key has a DKI, or another key has this one.
    """
    deed, dki = deed_of(arguments), parse_dki(arguments.dki)
    with session_of(arguments, writes=True) as session:
        print_records(arguments, adopt(session, arguments.key, dki, deed))
    return 0


def run_destroy(arguments: argparse.Namespace) -> int:
    """Take the key out of the token, and print the record, which stays.

    Raises:
        SesameError: as `run_use`; or cards of the bank need it, or the bank has other keys.
    """
    deed = deed_of(arguments)
    cards: Counter[str] = Counter()
    with session_of(arguments, writes=True) as session:
        # What an interrupted destruction left is to go now: its cards were counted then.
        if not (arguments.no_bank or is_lingering(session, arguments.key)):
            # Here, for the store and the settings take a second to load.
            from sesame.cli.key_census import count_bank  # noqa: PLC0415
            from sesame.settings import read_settings  # noqa: PLC0415

            settings = read_settings(arguments.settings)
            try:
                cards = asyncio.run(count_bank(token_seal(session), settings))
            except SealBroken:
                raise ForeignToken(arguments.label) from None
        print_records(
            arguments,
            destroy(session, arguments.key, deed, cards=cards, given_up=arguments.give_up_cards),
        )
    print(
        say(
            "La garde des clés s’en sert encore là où elle tourne\u00a0: redémarrez-la maintenant."
        ),
        file=sys.stderr,
    )
    return 0


def run_records(arguments: argparse.Namespace) -> int:
    """Print every record, oldest first.

    Raises:
        SesameError: the token does not open, or its records are not as they were written.
    """
    with session_of(arguments) as session:
        print_records(arguments, read_records(session))
    return 0


def print_records(arguments: argparse.Namespace, records: Sequence[Record]) -> None:
    """*records* of the token that *arguments* name, each to be signed."""
    home = in_token(arguments.label, arguments.module)
    print("\n\n\n".join(record_text(record, home) for record in records))


def _of_one_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help=say("le nom de la clé"))
    add_deed(parser)
