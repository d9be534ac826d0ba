"""`sesame audit prune`, `prune-stream`, `prune-exports`, `hold`, `holds`, `lift`: what is kept.

By a role that may take lines away, which no server's may; docs/decisions/0029.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.errors import NoSuchHold
from sesame.bank.export import remove_export
from sesame.bank.moments import from_row, to_row
from sesame.bank.pruning import Pruned, Pruner, old_exports, old_segments, remove_segments
from sesame.bank.retention import Rules
from sesame.bank.sealing import follow
from sesame.cli.audit_inputs import add_database, add_user_code, user_code_of, with_store
from sesame.cli.audit_words import words
from sesame.cli.database import without_password
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.numbers import HIGHEST_32, whole
from sesame.cli.passphrase import add_passphrase_file, ask_passphrase
from sesame.custody.seal_key import open_seal_key, read_public
from sesame.settings import read_settings
from sesame.store.engine import Store
from sesame.store.ledger import Ledger
from sesame.store.retention import HoldRow, active_holds, add_hold, lift_hold, read_holds

_TOLD = 20  # findings that are told one by one
_NAME, _REASON = 80, 200  # characters

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type


def add_actions(actions: _Actions) -> None:
    """Add them to `sesame audit`."""
    _add_prune(actions)
    _add_prune_stream(actions)
    _add_prune_exports(actions)
    _add_hold(actions)
    _add_holds(actions)
    _add_lift(actions)


# ── Pruning ──────────────────────────────────────────────────────────────────────────────────────


def _add_prune(actions: _Actions) -> None:
    action = actions.add_parser(
        "prune", help=say("Ôter de la base ce que la règle de conservation ne garde plus")
    )
    add_database(action)
    action.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help=say("la clé qui scelle")
    )
    _add_stream(action)
    action.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help=say("garder ici ce qui a été lu des sceaux, pour la prochaine fois"),
    )
    _add_rule(action)
    add_passphrase_file(action)
    action.set_defaults(run=run_prune)


def run_prune(arguments: argparse.Namespace) -> int:
    """Prune, and say what went; the exit status tells of chains that are not whole.

    Raises:
        SesameError: database, key, folder or settings cannot be used.
    """
    url, rules = without_password(arguments.database), _rules(arguments)
    key = open_seal_key(arguments.key, ask_passphrase(arguments))
    with _followed(arguments.ledger, arguments.stream, key.public) as ledger:

        async def prune(store: Store) -> Pruned:
            pruner = Pruner(
                store=store,
                ledger=ledger,
                key=key,
                rules=rules,
                now=datetime.now(UTC),
                dry_run=arguments.dry_run,
            )
            return await pruner.prune()

        return _tell_pruned(with_store(url, prune), dry_run=arguments.dry_run)


def _tell_pruned(done: Pruned, *, dry_run: bool) -> int:
    said = (
        say("À ôter\u00a0: {lines} lignes. À effacer\u00a0: les adresses de {personal} lignes.")
        if dry_run
        else say("Ôtées\u00a0: {lines} lignes. Effacées\u00a0: les adresses de {personal} lignes.")
    )
    print(said.format(lines=done.lines, personal=done.personal))
    if done.unsealed:
        print(
            say(
                "Abonnés dont aucun sceau connu ne couvre les lignes anciennes, qui "
                "restent\u00a0: {count}."
            ).format(count=done.unsealed)
        )
    for finding in done.findings[:_TOLD]:
        print(words(finding))
    if not done.findings:
        return 0
    print(
        say(
            "Laissés tels quels, car leur journal n’est pas entier\u00a0: {count}. Faites "
            "«\u00a0sesame audit verify\u00a0»."
        ).format(count=len(done.findings))
    )
    return min(finding.kind for finding in done.findings)


def _add_prune_stream(actions: _Actions) -> None:
    action = actions.add_parser(
        "prune-stream", help=say("Ôter du flux les fichiers que la règle ne garde plus")
    )
    add_database(action)
    _add_stream(action)
    action.add_argument(
        "--public-key",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("la clé publique de qui scelle"),
    )
    action.add_argument(
        "--ledger",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le registre qui garde ce que disaient les sceaux ôtés"),
    )
    _add_rule(action)
    action.set_defaults(run=run_prune_stream)


def run_prune_stream(arguments: argparse.Namespace) -> int:
    """Remove the oldest files of the stream, and say which; holds stand in the database.

    Raises:
        SesameError: database, key, folder or settings cannot be used; a seal is not right.
    """
    url, rules = without_password(arguments.database), _rules(arguments)
    key = read_public(arguments.public_key)
    holds = _holds(url)
    with _followed(arguments.ledger, arguments.stream, key):
        before = datetime.now(UTC) - rules.lines
        old = old_segments(arguments.stream, key, before=before, holds=holds)
        if not arguments.dry_run:
            remove_segments(arguments.stream, old)
    said = (
        say("Fichiers du flux à ôter\u00a0: {count}.")
        if arguments.dry_run
        else say("Fichiers du flux ôtés\u00a0: {count}.")
    )
    print(said.format(count=len(old.numbers)))
    if old.held:
        print(say("Une conservation pour litige garde les suivants."))
    return 0


def _add_prune_exports(actions: _Actions) -> None:
    action = actions.add_parser(
        "prune-exports", help=say("Ôter d’un dossier les exports que la règle ne garde plus")
    )
    add_database(action)
    action.add_argument("folder", type=Path, metavar="FOLDER", help=say("le dossier des exports"))
    _add_rule(action)
    action.set_defaults(run=run_prune_exports)


def run_prune_exports(arguments: argparse.Namespace) -> int:
    """Remove exports of which every line is old and none is held, and say which.

    Raises:
        SesameError: database, folder, an export in it, or settings cannot be used.
    """
    url, rules = without_password(arguments.database), _rules(arguments)
    holds = _holds(url)
    before = datetime.now(UTC) - rules.lines
    for source in old_exports(arguments.folder, before=before, holds=holds):
        if arguments.dry_run:
            print(say("{path}\u00a0: serait ôté.").format(path=source))
        else:
            remove_export(source)
            print(say("{path}\u00a0: ôté.").format(path=source), flush=True)
    return 0


def _holds(url: str) -> list[HoldRow]:
    async def read(store: Store) -> list[HoldRow]:
        return await store.read(active_holds)

    return with_store(url, read)


def _add_stream(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--stream",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=say("le dossier où arrivent les sceaux"),
    )


def _add_rule(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help=say("les réglages, dont [retention]\u202f; sinon treize mois et soixante jours"),
    )
    action.add_argument(
        "--dry-run", action="store_true", help=say("dire ce qui serait ôté, et ne rien ôter")
    )


def _rules(arguments: argparse.Namespace) -> Rules:
    return Rules() if arguments.settings is None else rules_in(arguments.settings)


def rules_in(settings: Path) -> Rules:
    """What the file at *settings* says of how long what is kept.

    Raises:
        SettingsError: it cannot be read, or is wrong.
    """
    return read_settings(settings).retention.rules()


@contextmanager
def _followed(path: Path | None, stream: Path, key: Ed25519PublicKey) -> Iterator[Ledger]:
    """A ledger that knows what the stream says was sealed: at *path*, or gone afterwards."""
    with (
        TemporaryDirectory(prefix="sesame-audit-") as folder,
        Ledger.open(path or Path(folder) / "ledger") as ledger,
    ):
        follow(ledger, stream, key)
        yield ledger


# ── Legal holds ──────────────────────────────────────────────────────────────────────────────────


def _add_hold(actions: _Actions) -> None:
    action = actions.add_parser(
        "hold", help=say("Tout garder d’un abonné, ou d’une période, pour un litige")
    )
    add_database(action)
    which = action.add_mutually_exclusive_group(required=True)
    add_user_code(which)
    which.add_argument("--everybody", action="store_true", help=say("tous les abonnés"))
    for name, text in (
        ("--from", say("ce qui s’est passé à partir de ce jour (2026-12-24)")),
        ("--until", say("ce qui s’est passé jusqu’à ce jour, compris")),
    ):
        action.add_argument(name, type=_day, metavar="DAY", dest=f"{name[2:]}_day", help=text)
    _add_who_and_why(action)
    action.set_defaults(run=run_hold)


def run_hold(arguments: argparse.Namespace) -> int:
    """Set a legal hold, and say its number.

    Raises:
        SesameError: the database did not take it; a period was given for one customer.
    """
    url, user_code = without_password(arguments.database), user_code_of(arguments)
    first, last = arguments.from_day, arguments.until_day
    if user_code and (first or last):
        raise Unusable(say("Une période vaut pour tous\u00a0: donnez --everybody."))
    if first and last and last < first:
        raise Unusable(say("La période finit avant de commencer."))
    hold = HoldRow(
        user_code=user_code,
        from_at=None if first is None else to_row(first),
        until_at=None if last is None else to_row(last) + _DAY,
        set_at=to_row(datetime.now(UTC)),
        set_by=arguments.by,
        reason=arguments.reason,
    )

    async def write(store: Store) -> int:
        return await store.write(partial(add_hold, hold=hold))

    number = with_store(url, write)
    print(
        say(
            "Conservation n°\u00a0{number}\u00a0: rien de ce qu’elle couvre n’est plus ôté."
        ).format(number=number)
    )
    return 0


def _add_holds(actions: _Actions) -> None:
    action = actions.add_parser(
        "holds", help=say("Lister les conservations pour litige, levées ou non")
    )
    add_database(action)
    action.set_defaults(run=run_holds)


def run_holds(arguments: argparse.Namespace) -> int:
    """Say every legal hold that there is or was.

    Raises:
        SesameError: the database did not answer.
    """

    async def read(store: Store) -> list[HoldRow]:
        return await store.read(read_holds)

    for hold in with_store(without_password(arguments.database), read):
        print(_described(hold))
    return 0


def _described(hold: HoldRow) -> str:
    said = say("N°\u00a0{number}, {whom}, depuis le {at}, par {by}\u00a0: {reason}").format(
        number=hold.number,
        whom=hold.user_code or _period(hold),
        at=_date(hold.set_at),
        by=hold.set_by,
        reason=hold.reason,
    )
    if hold.lifted_at is None:
        return said
    lifted = say("levée le {at}, par {by}\u00a0: {reason}").format(
        at=_date(hold.lifted_at), by=hold.lifted_by, reason=hold.lifted_reason
    )
    return f"{said} — {lifted}"


def _period(hold: HoldRow) -> str:
    first = "…" if hold.from_at is None else _date(hold.from_at)
    last = "…" if hold.until_at is None else _date(hold.until_at - 1)
    return say("tous, du {first} au {last}").format(first=first, last=last)


def _add_lift(actions: _Actions) -> None:
    action = actions.add_parser("lift", help=say("Lever une conservation pour litige"))
    add_database(action)
    action.add_argument(
        "number", type=whole(1, HIGHEST_32), metavar="NUMBER", help=say("son numéro")
    )
    _add_who_and_why(action)
    action.set_defaults(run=run_lift)


def run_lift(arguments: argparse.Namespace) -> int:
    """Lift a legal hold; who did and why stays written.

    Raises:
        NoSuchHold: there is none of that number, or it was lifted before.
        SesameError: the database did not take it.
    """
    at = to_row(datetime.now(UTC))

    async def write(store: Store) -> bool:
        lift = partial(
            lift_hold, number=arguments.number, at=at, by=arguments.by, reason=arguments.reason
        )
        return await store.write(lift)

    if not with_store(without_password(arguments.database), write):
        raise NoSuchHold(arguments.number)
    print(say("Conservation n°\u00a0{number}\u00a0: levée.").format(number=arguments.number))
    return 0


def add_by(action: argparse.ArgumentParser) -> None:
    """Add `--by`: who takes the decision, which is written down."""
    action.add_argument(
        "--by",
        required=True,
        type=partial(_text, most=_NAME),
        metavar="NAME",
        help=say("qui le décide"),
    )


def _add_who_and_why(action: argparse.ArgumentParser) -> None:
    add_by(action)
    action.add_argument(
        "--reason",
        required=True,
        type=partial(_text, most=_REASON),
        metavar="TEXT",
        help=say("pourquoi, en une phrase"),
    )


_DAY = 86_400_000_000  # microseconds


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


def _date(at: int) -> str:
    return f"{from_row(at):%Y-%m-%d}"


def _text(text: str, most: int) -> str:
    if not text.strip() or len(text) > most or not text.isprintable():
        raise argparse.ArgumentTypeError(f"1 … {most}")
    return text
