"""`sesame database`: the tables, made and changed by the role that owns them; backups; replays.

A server of a bank on PostgreSQL changes no table: its role may not.
"""

import argparse
import asyncio
import re
from pathlib import Path
from urllib.parse import unquote

from sesame.app import notice_restore, open_bank, open_custodian
from sesame.bank.errors import StreamAltered, TooBusy
from sesame.bank.replay import Replayed, replay
from sesame.bank.stream import read_stream
from sesame.catalogue import N_
from sesame.cli import audit_words  # noqa: F401 -- the sentences of a stream's errors
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.custody.seal_key import read_public
from sesame.errors import SesameError
from sesame.settings import read_settings
from sesame.store.backup import back_up
from sesame.store.errors import (
    BackupFailed,
    FileTampered,
    RowHeld,
    SchemaAhead,
    SchemaBehind,
    StandbyBehind,
    StoreUnavailable,
    UrlUnusable,
)
from sesame.store.roles import WEB_ROLE
from sesame.store.schema import NEWEST, migrate, revisions

_PASSWORD = re.compile(r"//.*:.*@|[?&](ssl)?password=")


class PasswordInUrl(SesameError):
    """The URL holds a password, which every user of the machine could read."""

    def __init__(self) -> None:
        super().__init__(
            "a password does not belong on a command line: put it into a file that PGPASSFILE names"
        )


SENTENCES.update(
    {
        PasswordInUrl: N_(
            "Un mot de passe n’a pas sa place sur une ligne de commande, que d’autres peuvent "
            "lire. Mettez-le dans un fichier et nommez celui-ci dans PGPASSFILE."
        ),
        StoreUnavailable: N_(
            "La base de données ne répond pas, ou refuse ({reason}). Vérifiez que c’est la bonne "
            "et qu’elle marche, la place sur son disque, les droits de ce rôle\u202f; après une "
            "mise à jour de Sésame, faites «\u00a0sesame database migrate\u00a0»."
        ),
        RowHeld: N_(
            "Un autre programme tient la ligne de ce client\u00a0: rien n’a été écrit. Cherchez "
            "une transaction restée ouverte (pg_stat_activity)."
        ),
        FileTampered: N_(
            "La base a des lignes qu’aucun programme de Sésame n’écrit\u00a0: quelqu’un a modifié "
            "ce fichier. Gardez-le tel qu’il est, et comparez-le à une sauvegarde."
        ),
        StandbyBehind: N_(
            "La base {name} n’a pas attendu que son serveur de secours ait ce qui a été écrit. "
            "S’il n’est plus là, ôtez-le de synchronous_standby_names."
        ),
        UrlUnusable: N_(
            "L’adresse de la base a une valeur que son pilote ne prend pas\u00a0: regardez chacune "
            "de celles qui suivent «\u00a0?\u00a0»."
        ),
        SchemaBehind: N_(
            "La base n’a pas les tables de cette version\u00a0: au nom du rôle à qui elles "
            "appartiennent, faites «\u00a0sesame database migrate\u00a0»."
        ),
        SchemaAhead: N_(
            "Une version plus récente de Sésame a fait cette base, qui reste telle qu’elle est. "
            "Installez cette version."
        ),
        TooBusy: N_(
            "D’autres ont écrit au même endroit au même moment\u00a0: la commande n’est pas allée "
            "à son terme. Relancez-la."
        ),
        BackupFailed: N_("Aucune sauvegarde n’a été faite\u00a0: {path}\u00a0: {reason}"),
        StreamAltered: N_(
            "La ligne {version} de {user_code} n’est pas telle que cette banque l’a écrite. "
            "Cherchez qui a modifié le flux et prenez-en une autre copie\u00a0: ce qui la précède "
            "a été rejoué."
        ),
    }
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `database` and its action to the tree of commands."""
    parser = commands.add_parser("database", help=say("Entretenir la base de données"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_migrate(actions)
    _add_backup(actions)
    _add_replay(actions)


def _add_migrate(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser(
        "migrate", help=say("Mettre les tables à jour, pendant que des serveurs tournent")
    )
    _add_url(action)
    action.add_argument(
        "--to",
        choices=revisions(),
        default=NEWEST,
        metavar="REVISION",
        help=say("s’arrêter à cette version des tables, ou y revenir"),
    )
    action.set_defaults(run=run)


def _add_backup(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser(
        "backup",
        help=say("Copier la base, pendant que des serveurs tournent, dans un nouveau fichier"),
    )
    _add_url(action)
    action.add_argument(
        "file", type=Path, metavar="FILE", help=say("le fichier à faire\u00a0; rien n’est remplacé")
    )
    action.set_defaults(run=run_backup)


def _add_replay(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser(
        "replay",
        help=say("Rejouer dans une base restaurée ce que le flux d’audit sait de la suite"),
    )
    action.add_argument(
        "folder", type=Path, metavar="FOLDER", help=say("le dossier du flux d’audit")
    )
    action.add_argument(
        "--public-key",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("la clé publique de qui scelle le flux"),
    )
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le fichier des réglages (TOML)"),
    )
    action.set_defaults(run=run_replay)


def _add_url(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "url",
        metavar="URL",
        help=say("la base, au nom du rôle à qui sont ses tables\u00a0; sans mot de passe"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Migrate, and say so.

    Raises:
        SesameError: the URL holds a password, or see `migrate`.
    """
    migrate(without_password(arguments.url), to=arguments.to)
    print(
        say(
            "Les tables sont à jour, et le rôle {role}, s’il existe, a les droits qu’il lui faut."
        ).format(role=WEB_ROLE)
    )
    return 0


def without_password(url: str) -> str:
    """*url*, as it came on the command line.

    Raises:
        PasswordInUrl: it holds a password.
    """
    if _PASSWORD.search(unquote(url)):
        raise PasswordInUrl
    return url


def run_backup(arguments: argparse.Namespace) -> int:
    """Make a backup, and say so.

    Raises:
        SesameError: the URL holds a password, or see `back_up`.
    """
    back_up(without_password(arguments.url), arguments.file)
    print(
        say(
            "{file}\u00a0: la sauvegarde est faite. Dans la base qui en sera restaurée, chaque "
            "carte répondra d’abord à un défi."
        ).format(file=arguments.file)
    )
    return 0


def run_replay(arguments: argparse.Namespace) -> int:
    """Replay the stream, and say what came of it.

    Raises:
        SesameError: see `replay`, `read_settings` and `open_custodian`.
    """
    done = asyncio.run(_replay(arguments))
    print(
        say(
            "Lignes rejouées\u00a0: {taken}\u00a0; déjà là\u00a0: {known}\u00a0; compteurs de "
            "carte relevés\u00a0: {raised}\u00a0; cartes bloquées ou retirées de nouveau\u00a0: "
            "{closed}\u00a0; remises en service\u00a0: {opened}."
        ).format(
            taken=done.taken,
            known=done.known,
            raised=done.raised,
            closed=done.closed,
            opened=done.opened,
        )
    )
    _tell(
        say(
            "Leur histoire a continué autrement, seules leurs cartes ont suivi (compteurs, "
            "blocages)\u00a0:"
        ),
        done.forked,
    )
    _tell(
        say(
            "Leur compteur abaissé à deux est resté où il était\u00a0; rejouez tout le flux au nom "
            "du rôle à qui sont les tables\u00a0:"
        ),
        done.left,
    )
    _tell(
        say("Inconnus de cette base, à inscrire de nouveau s’ils étaient clients\u00a0:"),
        done.missing,
    )
    return 0


async def _replay(arguments: argparse.Namespace) -> Replayed:
    settings = read_settings(arguments.settings)
    key = read_public(arguments.public_key)
    custodian = open_custodian(settings)
    await notice_restore(settings, custodian)
    bank = open_bank(settings, custodian)
    try:
        return await replay(bank, read_stream(arguments.folder, key))
    finally:
        await bank.store.close()


def _tell(what: str, user_codes: frozenset[str]) -> None:
    if user_codes:
        print(what, ", ".join(sorted(user_codes)))
