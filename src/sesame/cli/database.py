"""`sesame database migrate`: the tables, made and changed by the role that owns them.

A server of a bank on PostgreSQL changes no table: its role may not.
"""

import argparse
import re
from urllib.parse import unquote

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.errors import SesameError
from sesame.store.roles import WEB_ROLE
from sesame.store.schema import NEWEST, migrate, revisions

_PASSWORD = re.compile(r"//.*:.*@|[?&](ssl)?password=")


class PasswordInUrl(SesameError):
    """The URL holds a password, which every user of the machine could read."""

    def __init__(self) -> None:
        super().__init__(
            "a password does not belong on a command line: put it into a file that PGPASSFILE names"
        )


SENTENCES[PasswordInUrl] = N_(
    "Un mot de passe n’a pas sa place sur une ligne de commande, que d’autres peuvent lire. "
    "Mettez-le dans un fichier et nommez celui-ci dans PGPASSFILE."
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `database` and its action to the tree of commands."""
    parser = commands.add_parser("database", help=say("Entretenir la base de données"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser(
        "migrate", help=say("Mettre les tables à jour, pendant que des serveurs tournent")
    )
    action.add_argument(
        "url",
        metavar="URL",
        help=say("la base, au nom du rôle à qui sont ses tables\u00a0; sans mot de passe"),
    )
    action.add_argument(
        "--to",
        choices=revisions(),
        default=NEWEST,
        metavar="REVISION",
        help=say("s’arrêter à cette version des tables, ou y revenir"),
    )
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Migrate, and say so.

    Raises:
        SesameError: the URL holds a password, or see `migrate`.
    """
    if _PASSWORD.search(unquote(arguments.url)):
        raise PasswordInUrl
    migrate(arguments.url, to=arguments.to)
    print(
        say(
            "Les tables sont à jour, et le rôle {role}, s’il existe, a les droits qu’il lui faut."
        ).format(role=WEB_ROLE)
    )
    return 0
