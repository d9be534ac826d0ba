"""`sesame staff bootstrap`: the printed page by which a first security officer comes in.

What cards they come with, `sesame staff cards` makes: `staff_cards`.
"""

import argparse
import secrets
from datetime import datetime

from sesame.app import utc_now
from sesame.bank.errors import OfficersEnough
from sesame.bank.staffing import prepare_bootstrap
from sesame.catalogue import N_
from sesame.cli.audit_inputs import add_database, with_store
from sesame.cli.database import without_password
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.cli.staff_cards import add_action
from sesame.store.engine import Store

SENTENCES.update(
    {
        OfficersEnough: N_(
            "Deux responsables de la sécurité se sont déjà connectés\u00a0: ce sont eux qui "
            "ouvrent les autres comptes, au guichet."
        ),
    }
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `staff` and its action to the tree of commands."""
    parser = commands.add_parser("staff", help=say("Faire entrer les premiers du personnel"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser(
        "bootstrap",
        help=say("Imprimer la page qui fait entrer un premier responsable de la sécurité"),
    )
    add_database(action)
    action.set_defaults(run=run)
    add_action(actions)


def run(arguments: argparse.Namespace) -> int:
    """Make a one-time secret, and print the page.

    Raises:
        SesameError: two officers have signed in, or the database cannot be had.
    """

    async def prepare(store: Store) -> tuple[str, datetime]:
        return await prepare_bootstrap(store, now=utc_now, random_bytes=secrets.token_bytes)

    secret, until = with_store(without_password(arguments.database), prepare)
    lines = (
        say("GUICHET — PREMIER ACCÈS D’UN RESPONSABLE DE LA SÉCURITÉ"),
        "",
        say("Secret à usage unique\u00a0: {secret}").format(secret=secret),
        say("Valable jusqu’au {until} (temps universel), pour une seule personne.").format(
            until=f"{until:%Y-%m-%d %H:%M}"
        ),
        "",
        say("1. Remettez cette page en main propre à la personne, et à elle seule."),
        say(
            "2. Elle ouvre /guichet/premier-acces et tape ce secret, son nom, son matricule et sa "
            "carte."
        ),
        say("3. Elle note son code d’agent, puis se connecte avec deux codes de suite."),
        say("4. Elle détruit cette page. Le secret ne sert plus\u00a0; il est inutile à d’autres."),
        say(
            "Il faut deux responsables\u00a0: imprimez une seconde page quand la première a servi."
        ),
    )
    print("\n".join(lines))
    return 0
