"""Who did what to keys: taken from the command line, and printed to be signed."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.custody.ceremony import Component
from sesame.custody.key import KeyState
from sesame.custody.records import Act, Deed, Officer, Record

_ACTS = {
    Act.GENERATE: N_("Création d’une clé dans le jeton"),
    Act.UNWRAP: N_("Importation d’une clé (chiffrée pour le jeton)"),
    Act.ADOPT: N_("Inscription d’une clé qui était déjà dans le jeton"),
    Act.CEREMONY: N_("Cérémonie de clé"),
    Act.IMPORT: N_("Importation d’une clé (bloc TR-31)"),
    Act.EXPORT: N_("Exportation d’une clé (bloc TR-31)"),
    Act.WRAP: N_("Exportation d’une clé (chiffrée pour un HSM)"),
    Act.CURRENT: N_("Mise en service d’une clé"),
    Act.RETIRE: N_("Retrait d’une clé\u00a0: plus de carte neuve, les codes restent vérifiés"),
    Act.DESTROY: N_("Destruction d’une clé"),
    Act.BACKUP: N_("Sauvegarde du trousseau"),
    Act.RESTORE: N_("Restauration du trousseau"),
}
STATES = {
    KeyState.NEW: N_("nouvelle"),
    KeyState.CURRENT: N_("en service"),
    KeyState.VERIFY_ONLY: N_("vérifie seulement"),
}
_LINE = "_" * 40


def add_deed(parser: argparse.ArgumentParser) -> None:
    """Add `--officer` and `--reason` to a command."""
    parser.add_argument(
        "--officer",
        action="append",
        required=True,
        dest="officers",
        metavar="NAME,ROLE",
        help=say(
            "une personne présente et sa fonction\u00a0; une fois pour chacune, deux ou trois"
        ),
    )
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help=say("pourquoi, en une ligne")
    )


def add_bank(parser: argparse.ArgumentParser, none: str) -> None:
    """Add whose cards are counted before a key is destroyed; *none* says what having none means."""
    bank = parser.add_mutually_exclusive_group(required=True)
    bank.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help=say("les réglages de la banque, dont les cartes sont comptées"),
    )
    bank.add_argument("--no-bank", action="store_true", help=none)
    parser.add_argument(
        "--give-up-cards",
        type=int,
        default=0,
        metavar="NUMBER",
        help=say("sacrifier les cartes de cette clé\u00a0: leur nombre exact"),
    )


def deed_of(arguments: argparse.Namespace) -> Deed:
    """What *arguments* say of who is there and why, now.

    Raises:
        UnsuitableOfficers: not two different persons, each with a role, and a reason.
    """
    parts = [text.partition(",") for text in arguments.officers]
    officers = tuple(Officer(name.strip(), role.strip()) for name, _, role in parts)
    return Deed(datetime.now(UTC), officers, arguments.reason.strip())


def in_keystore(path: Path) -> tuple[str, str]:
    """What a record says of the keystore at *path*."""
    return say("Trousseau"), str(path.resolve())


def in_token(label: str, module: Path) -> tuple[str, str]:
    """What a record says of the token called *label*, reached by *module*."""
    return say("Jeton"), f"{label} ({module.absolute()})"


def record_text(
    record: Record,
    home: tuple[str, str],
    components: Sequence[Component] = (),
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """*record*, with a line for each signature.

    *home* is what the keys are in, and which: see `in_keystore` and `in_token`.
    *components* are those that the officers brought, in their order: their check values stand
    beside the names. *more* are names and values of what is known now and not kept.
    """
    facts = [
        (say("Acte"), say(_ACTS[record.act])),
        (say("Date"), record.deed.at.isoformat(timespec="seconds")),
        home,
    ]
    if record.label is not None:
        facts += [
            (say("Clé"), record.label),
            (say("Usage"), str(record.usage)),
            (say("Index de dérivation (DKI)"), "" if record.dki is None else f"{record.dki:02X}"),
            (say("Valeur de contrôle"), (record.check_value or b"").hex().upper()),
        ]
    facts += [*more, (say("Motif"), record.deed.reason)]
    width = max(len(name) for name, _ in facts)
    lines = [say("PROCÈS-VERBAL"), ""]
    lines += [f"{name:{width}}  {value}".rstrip() for name, value in facts]
    for place, officer in enumerate(record.deed.officers):
        lines += ["", f"{officer.name}, {officer.role}"]
        if components:
            lines.append(
                say("composant de valeur de contrôle {value}").format(
                    value=components[place].check_value.hex().upper()
                )
            )
        lines.append(say("Signature\u00a0: {line}").format(line=_LINE))
    return "\n".join(lines)
