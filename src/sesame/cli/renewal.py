"""`sesame customers renew`: order cards before others end, and retire those that have.

Once a day, by a timer; docs/how-to/help-with-a-cards-life.md.
"""

import argparse
import secrets
from datetime import UTC, datetime

from sesame.bank.card_life import Act, Why
from sesame.bank.limits import Limits
from sesame.bank.renewal import Renewal, Renewed
from sesame.cli.audit_inputs import add_database, with_store
from sesame.cli.database import without_password
from sesame.cli.language import say
from sesame.store.engine import Store
from sesame.web.opening import PARIS

_SOME_LEFT = 3  # exit status


def add_renew(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add it to `sesame customers`."""
    action = actions.add_parser(
        "renew",
        help=say("Commander les cartes de remplacement, et retirer celles qui sont à leur fin"),
    )
    add_database(action)
    action.add_argument(
        "--dry-run", action="store_true", help=say("compter seulement, et ne rien faire")
    )
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and say how many; 3 where some are left for the next time.

    Raises:
        SesameError: the database cannot be had.
    """
    now = datetime.now(UTC)

    async def renew(store: Store) -> Renewed:
        renewal = Renewal(
            store=store,
            now=now,
            today=now.astimezone(PARIS).date(),
            random_bytes=secrets.token_bytes,
            limits=Limits(),
            dry_run=arguments.dry_run,
        )
        return await renewal.run()

    done = with_store(without_password(arguments.database), renew)
    ordered = (
        say("Cartes à commander\u00a0: {count}, dont {counter} pour leur compteur.")
        if arguments.dry_run
        else say("Cartes commandées\u00a0: {count}, dont {counter} pour leur compteur.")
    )
    counter = done.count(Act.RENEW, Why.COUNTER)
    print(ordered.format(count=done.count(Act.RENEW), counter=counter))
    retired = (
        say("Cartes à retirer\u00a0: {count}, dont {expired} arrivées à leur date.")
        if arguments.dry_run
        else say("Cartes retirées\u00a0: {count}, dont {expired} arrivées à leur date.")
    )
    expired = done.count(Act.RETIRE, Why.EXPIRY)
    print(retired.format(count=done.count(Act.RETIRE), expired=expired))
    if not done.left:
        return 0
    print(say("Laissées pour la prochaine fois\u00a0: {count}.").format(count=done.left))
    return _SOME_LEFT
