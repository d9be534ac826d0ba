"""`sesame audit create-key|seal|verify|export|evidence`: the audit chains, from outside a server.

None of it changes the bank's database. The key that seals is in a file and a process of its own.
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.app import open_custodian
from sesame.bank.audit_chain import Kind
from sesame.bank.auditing import Report, audit, audit_one, vouch_for
from sesame.bank.beside import Vouch
from sesame.bank.errors import (
    ExportUnusable,
    FalseSeal,
    NoSuchCustomer,
)
from sesame.bank.evidence import evidence_of
from sesame.bank.export import audit_export, lines_of_export, write_export
from sesame.bank.retention import Rules, is_too_young_to_be_first
from sesame.bank.seal import Seal, fingerprint
from sesame.bank.sealing import FolderShipping, PipeShipping, Round, Sealer, follow
from sesame.bank.stream import earliest_seal, latest_seal, read_ends
from sesame.cli import retention
from sesame.cli.audit_inputs import (
    add_database,
    add_stream,
    add_user_code,
    open_database,
    stream_of,
    user_code_of,
    with_store,
)
from sesame.cli.audit_words import KINDS, words
from sesame.cli.database import without_password
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.numbers import HIGHEST_64, whole
from sesame.cli.passphrase import add_passphrase_file, ask_passphrase
from sesame.cli.sentences import sentence
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import KeystoreExists
from sesame.custody.seal_key import (
    SealKey,
    create_seal_key,
    encode_public,
    open_seal_key,
    read_public,
)
from sesame.meters import SealerMeters
from sesame.monitoring.textfile import MetricsUnwritable, write_textfile
from sesame.settings import read_settings
from sesame.store.engine import Store
from sesame.store.errors import (
    SegmentLost,
    SegmentTaken,
    StoreUnavailable,
    StreamUnreadable,
)
from sesame.store.ledger import Ledger

# Beside those of `Kind`: what is wrong with the seals themselves.
SEAL_LOST = 17
FALSE_SEAL = 18
_TOLD = 20  # findings that are told one by one
_ATTEMPT = 32  # hexadecimal digits of an attempt's id
_EVERY = 60  # seconds
_MOST_SECONDS = 3600  # less often is no exposure to speak of
_MOST_MINUTES = 366 * 24 * 60  # nor what has not been sealed for a year


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `audit` and its actions to the tree of commands."""
    parser = commands.add_parser(
        "audit", help=say("Sceller, contrôler et produire le journal des connexions")
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_create_key(actions)
    _add_seal(actions)
    _add_verify(actions)
    _add_export(actions)
    _add_evidence(actions)
    retention.add_actions(actions)


_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type


# ── The key ──────────────────────────────────────────────────────────────────────────────────────


def _add_create_key(actions: _Actions) -> None:
    action = actions.add_parser("create-key", help=say("Créer la clé qui scelle"))
    action.add_argument("file", type=Path, metavar="FILE", help=say("le fichier de la clé"))
    action.add_argument(
        "--public",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("où écrire la clé publique, pour qui contrôle (PEM)"),
    )
    add_passphrase_file(action)
    action.set_defaults(run=run_create_key)


def run_create_key(arguments: argparse.Namespace) -> int:
    """Make the key, and say by what its public half is known.

    Raises:
        SesameError: a file is there already, or cannot be written; the passphrase is weak.
    """
    for path in (arguments.file, arguments.public):
        if os.path.lexists(path):
            raise KeystoreExists(path)  # before somebody thinks up a passphrase
    passphrase = ask_passphrase(arguments, twice=True)
    key = create_seal_key(arguments.file, passphrase, random=secrets.token_bytes)
    try:
        arguments.public.write_bytes(encode_public(key.public))
    except OSError as refusal:
        arguments.file.unlink()  # nobody could verify what it would seal
        raise ExportUnusable(arguments.public, str(refusal.strerror)) from None
    print(say("{path}\u00a0: la clé est créée.").format(path=arguments.file))
    print(say("Empreinte à publier\u00a0: {key}").format(key=fingerprint(key.public).hex()))
    return 0


# ── Sealing ──────────────────────────────────────────────────────────────────────────────────────


def _add_seal(actions: _Actions) -> None:
    action = actions.add_parser("seal", help=say("Sceller ce qui est nouveau, et l’expédier"))
    add_database(action)
    action.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help=say("la clé qui scelle")
    )
    action.add_argument(
        "--ledger",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le registre de ce qui est scellé, que cette commande tient"),
    )
    action.add_argument(
        "--to",
        required=True,
        metavar="FOLDER",
        help=say("le dossier, ailleurs que sur cette machine\u202f; - pour la sortie standard"),
    )
    action.add_argument(
        "--every",
        type=whole(1, _MOST_SECONDS),
        metavar="SECONDS",
        help=say("sceller sans fin, une fois par tant de secondes (60)\u202f; sinon une fois"),
        nargs="?",
        const=_EVERY,
    )
    action.add_argument(
        "--metrics",
        type=Path,
        metavar="FILE",
        help=say("écrire dans ce fichier (.prom) quand fut fait le dernier sceau, pour Prometheus"),
    )
    add_passphrase_file(action)
    action.set_defaults(run=run_seal)


def run_seal(arguments: argparse.Namespace) -> int:
    """Seal once, or until a signal ends it; what does not go on from the seals is told.

    Raises:
        SesameError: key or ledger cannot be used; once: neither can database, folder, or the file
            of the metrics.
    """
    url = without_password(arguments.database)
    key = open_seal_key(arguments.key, ask_passphrase(arguments))
    ledger = Ledger.open(arguments.ledger)
    try:
        return asyncio.run(_seal(arguments, url, key, ledger))
    finally:
        ledger.close()


async def _seal(arguments: argparse.Namespace, url: str, key: SealKey, ledger: Ledger) -> int:
    to = (
        PipeShipping(sys.stdout.buffer)
        if arguments.to == "-"
        else FolderShipping(Path(arguments.to))
    )
    store = open_database(url)
    sealer = Sealer(store=store, ledger=ledger, key=key, shipping=to, now=lambda: datetime.now(UTC))
    try:
        if arguments.every is None:
            return await _seal_once(sealer, arguments.metrics)
        await _go_on(sealer, arguments.every, arguments.metrics)
        return 0
    finally:
        await store.close()


async def _seal_once(sealer: Sealer, metrics: Path | None) -> int:
    done = await sealer.seal()
    status = _tell_round(done)
    if metrics is not None and done.at is not None:
        meters = SealerMeters()
        meters.last_seal.put(done.at.timestamp())
        write_textfile(metrics, meters.all())
    return status


async def _go_on(sealer: Sealer, every: int, metrics: Path | None) -> None:
    """Seal every so many seconds; what may pass is told, and tried again at the next round."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    while not ended.is_set():
        began = time.monotonic()
        try:
            await _seal_once(sealer, metrics)
        except (StoreUnavailable, StreamUnreadable, SegmentTaken, MetricsUnwritable) as error:
            print(sentence(error), file=sys.stderr, flush=True)
        left = max(0.0, every - (time.monotonic() - began))
        try:
            async with asyncio.timeout(left):
                await ended.wait()
        except TimeoutError:
            pass


def _tell_round(done: Round) -> int:
    """Whose chain does not go on, on standard error; the exit status."""
    for finding in done.findings[:_TOLD]:
        print(words(finding), file=sys.stderr)
    if not done.findings:
        return 0
    print(
        say(
            "Non scellé, car cela contredit ce qui l’était\u00a0: {count}. Faites «\u00a0sesame "
            "audit verify\u00a0»."
        ).format(count=len(done.findings)),
        file=sys.stderr,
        flush=True,
    )
    return min(finding.kind for finding in done.findings)


# ── Verifying ────────────────────────────────────────────────────────────────────────────────────


def _add_verify(actions: _Actions) -> None:
    action = actions.add_parser(
        "verify", help=say("Contrôler le journal d’une base, ou d’un export")
    )
    action.add_argument(
        "source",
        metavar="URL|EXPORT",
        help=say("la base, sans mot de passe\u202f; ou le dossier ou fichier tar d’un export"),
    )
    add_stream(action)
    action.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help=say("garder ici ce qui a été lu des sceaux, pour la prochaine fois"),
    )
    add_user_code(action)
    action.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help=say("les réglages d’un serveur, dont la garde des clés répond des codes acceptés"),
    )
    action.add_argument(
        "--seal-within",
        type=whole(1, _MOST_MINUTES),
        metavar="MINUTES",
        help=say("le dernier sceau ne doit pas être plus ancien"),
    )
    action.set_defaults(run=run_verify)


def run_verify(arguments: argparse.Namespace) -> int:
    """Say what was found; the exit status says it too.

    Raises:
        SesameError: database, export, key or folder cannot be read; nobody has the user code.
    """
    key = None if arguments.public_key is None else read_public(arguments.public_key)
    if (arguments.stream or arguments.seal_within) and key is None:
        raise Unusable(say("Pour contrôler des sceaux, donnez --public-key."))
    try:
        if "://" in arguments.source:
            report = _verify_database(arguments, key)
        else:
            report = _verify_export(arguments, key)
    except (FalseSeal, SegmentLost) as error:
        print(sentence(error), file=sys.stderr)
        return FALSE_SEAL if isinstance(error, FalseSeal) else SEAL_LOST
    lost = key is not None and _tell_lost(report, arguments)
    _tell(report, with_seals=key is not None, with_macs=arguments.settings is not None)
    status = _tell_found(report, with_all_seals=not lost)
    return min(status or SEAL_LOST, SEAL_LOST) if lost else status


def _tell_lost(report: Report, arguments: argparse.Namespace) -> bool:
    """Say from where to where the seals go, and whether some were taken away at either end."""
    _tell_latest(report.latest)
    earliest, latest, now = report.earliest, report.latest, datetime.now(UTC)
    if latest is None:
        return True
    lost = False
    rules = Rules() if arguments.settings is None else retention.rules_in(arguments.settings)
    if earliest is not None and is_too_young_to_be_first(
        earliest.number, datetime.fromisoformat(earliest.at), now=now, rules=rules
    ):
        lost = True
        print(
            say(
                "Le premier sceau qui soit là est le n°\u00a0{number}, et il a moins de {days} "
                "jours\u00a0: ce n’est pas la règle de conservation qui a ôté les précédents. "
                "Cherchez-les dans une autre copie."
            ).format(number=earliest.number, days=rules.lines.days)
        )
    most = arguments.seal_within
    if most is not None and datetime.fromisoformat(latest.at) < now - timedelta(minutes=most):
        lost = True
        print(
            say(
                "Le dernier sceau a plus de {minutes} minutes\u00a0: le scellement est arrêté, ou "
                "les derniers fichiers ont été ôtés."
            ).format(minutes=most)
        )
    return lost


def _tell_latest(seal: Seal | None) -> None:
    """How far the seals go: whoever takes the latest away is seen by that alone."""
    if seal is None:
        print(
            say(
                "Aucun sceau n’est là\u00a0: rien n’a été comparé à ce qui fut scellé. Vérifiez le "
                "dossier, ou cherchez les sceaux dans une autre copie."
            )
        )
        return
    at = datetime.fromisoformat(seal.at).strftime("%Y-%m-%d %H:%M:%S")
    print(
        say("Dernier sceau\u00a0: n°\u00a0{number}, du {at} (UTC).").format(
            number=seal.number, at=at
        )
    )


def _verify_export(arguments: argparse.Namespace, key: Ed25519PublicKey | None) -> Report:
    if arguments.user_code is not None or arguments.ledger is not None:
        raise Unusable(say("--user-code et --ledger ne vont qu’avec une base, non avec un export."))
    source = Path(arguments.source)
    report = audit_export(source, key, arguments.stream)
    if arguments.settings is not None and not report.damaged:

        async def look() -> None:
            async with _vouching(arguments.settings) as vouch:
                await vouch_for(lines_of_export(source), vouch, report)

        asyncio.run(look())
    return report


def _verify_database(arguments: argparse.Namespace, key: Ed25519PublicKey | None) -> Report:
    url = without_password(arguments.source)
    if key is not None and arguments.stream is None:
        raise Unusable(say("Une base n’a pas de sceaux en elle\u00a0: donnez --stream."))
    user_code = user_code_of(arguments)
    with _ledger(arguments, key) as ledger:

        async def look(store: Store) -> Report:
            if arguments.settings is None:
                return await look_with(store, None)
            async with _vouching(arguments.settings) as vouch:
                return await look_with(store, vouch)

        async def look_with(store: Store, vouch: Vouch | None) -> Report:
            if user_code:
                return await audit_one(store, ledger, user_code, key, vouch)
            return await audit(store, ledger, key, vouch)

        report = with_store(url, look)
    if user_code and not report.customers:
        raise NoSuchCustomer
    if key is not None and arguments.stream is not None:
        report.earliest = earliest_seal(arguments.stream, key)
        report.latest = latest_seal(arguments.stream, key)
        report.tell_cut_off(read_ends(arguments.stream, key))
    return report


@asynccontextmanager
async def _vouching(settings: Path) -> AsyncIterator[Vouch]:
    """Custody's MAC of a line, by the keys that the settings at *settings* name."""
    custodian = open_custodian(read_settings(settings))
    try:
        yield partial(custodian.mac, KeyUsage.AUDIT)
    finally:
        await custodian.close()


@contextmanager
def _ledger(arguments: argparse.Namespace, key: Ed25519PublicKey | None) -> Iterator[Ledger | None]:
    """What the stream says was sealed; None where there is no stream."""
    if key is None or arguments.stream is None:
        yield None
        return
    with TemporaryDirectory(prefix="sesame-audit-") as folder:
        ledger = Ledger.open(arguments.ledger or Path(folder) / "ledger")
        try:
            follow(ledger, arguments.stream, key)
            yield ledger
        finally:
            ledger.close()


def _tell(report: Report, *, with_seals: bool, with_macs: bool) -> None:
    for file, row in report.damaged[:_TOLD]:
        print(
            say("{file}, rangée {row}\u00a0: elle n’est pas telle qu’elle a été écrite.").format(
                file=file, row=row
            )
        )
    for finding in report.findings[:_TOLD]:
        print(words(finding))
    print(
        say(
            "Abonnés\u00a0: {customers}. Lignes\u00a0: {lines}. Abonnés sous sceau\u00a0: {sealed}."
        ).format(customers=report.customers, lines=report.lines, sealed=report.sealed)
    )
    if report.pruned:
        print(
            say("Abonnés dont le début a été ôté selon la règle\u00a0: {pruned}.").format(
                pruned=report.pruned
            )
        )
    if with_macs:
        print(
            say("Acceptations dont la garde des clés répond\u00a0: {vouched}.").format(
                vouched=report.vouched
            )
        )
    if report.requests:
        print(
            say("Demandes à deux comparées au journal\u00a0: {requests}.").format(
                requests=report.requests
            )
        )
    if not with_seals:
        print(
            say(
                "Sans les sceaux, une fin ôtée avec sa trace, une histoire récrite et une "
                "sauvegarde ancienne ne se voient pas\u00a0: donnez --stream et --public-key."
            )
        )
    elif report.sealed < report.customers:
        print(
            say(
                "Abonnés sous aucun sceau\u00a0: {count}. Leurs lignes sont trop récentes, ou "
                "leurs sceaux ne sont plus là\u202f; pour eux, il en va comme sans sceaux."
            ).format(count=report.customers - report.sealed)
        )


def _tell_found(report: Report, *, with_all_seals: bool) -> int:
    """How many of each kind there are; the exit status."""
    if Kind.ROLLED_BACK in report.found:
        _tell_rolled_back(report)
    if not report.found:
        print(say("Tout est entier.") if with_all_seals else say("Ce qui est là est entier."))
        return 0
    for kind, count in sorted(report.found.items()):
        print(say("{what}\u00a0: {count}").format(what=say(KINDS[kind]), count=count))
    return min(report.found)


def _tell_rolled_back(report: Report) -> None:
    """What is known of chains that end before what was sealed, and what cannot be."""
    if report.customers <= 1:
        print(
            say(
                "D’un seul journal, une sauvegarde ancienne et une fin coupée avec sa trace ne se "
                "distinguent pas\u00a0: contrôlez toute la base."
            )
        )
        return
    print(
        say(
            "À cinq minutes près, aucun journal n’a de lignes plus récentes que celles qui "
            "manquent ainsi et d’avant la dernière restauration\u00a0: c’est ce que laisse une "
            "sauvegarde ancienne. Qui couperait toutes les fins depuis un moment laisserait la "
            "même chose."
        )
    )


# ── Export and evidence ──────────────────────────────────────────────────────────────────────────


def _add_export(actions: _Actions) -> None:
    action = actions.add_parser(
        "export", help=say("Copier le journal, pour le contrôler sans la base")
    )
    add_database(action)
    action.add_argument(
        "target", type=Path, metavar="TARGET", help=say("un nouveau dossier, ou fichier .tar")
    )
    add_stream(action)
    add_user_code(action)
    action.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> int:
    """Write the export, and say how many lines are in it.

    Raises:
        SesameError: something cannot be read or written.
    """
    url, user_code = without_password(arguments.database), user_code_of(arguments)
    stream = stream_of(arguments)

    async def write(store: Store) -> int:
        return await write_export(store, arguments.target, user_code=user_code, stream=stream)

    count = with_store(url, write)
    print(say("{path}\u00a0: {count} lignes.").format(path=arguments.target, count=count))
    return 0


def _add_evidence(actions: _Actions) -> None:
    action = actions.add_parser("evidence", help=say("Produire la preuve d’une connexion"))
    add_database(action)
    action.add_argument("target", type=Path, metavar="TARGET", help=say("un nouveau fichier"))
    add_user_code(action, required=True)
    which = action.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", type=whole(1, HIGHEST_64), help=say("le numéro de la ligne"))
    which.add_argument(
        "--attempt", type=_attempt, metavar="HEX", help=say("l’identifiant de la tentative")
    )
    add_stream(action, required=True)
    action.set_defaults(run=run_evidence)


def run_evidence(arguments: argparse.Namespace) -> int:
    """Write the evidence file of one login.

    Raises:
        SesameError: there is no such login, it is not sealed, or the file cannot be written.
    """
    url, user_code = without_password(arguments.database), user_code_of(arguments)
    key = read_public(arguments.public_key)
    login = arguments.version if arguments.attempt is None else arguments.attempt

    async def make(store: Store) -> bytes:
        return await evidence_of(store, user_code, login, stream=arguments.stream, key=key)

    evidence = with_store(url, make)
    try:
        arguments.target.touch(mode=0o600, exist_ok=False)  # it names a person
        try:
            arguments.target.write_bytes(evidence)
        except OSError:
            arguments.target.unlink()
            raise
    except OSError as refusal:
        raise ExportUnusable(arguments.target, str(refusal.strerror)) from None
    print(say("{path}\u00a0: la preuve est écrite.").format(path=arguments.target))
    print(say("Empreinte de la clé\u00a0: {key}").format(key=fingerprint(key).hex()))
    return 0


def _attempt(text: str) -> bytes:
    if len(text) != _ATTEMPT:
        raise argparse.ArgumentTypeError(f"{_ATTEMPT} × 0-9 a-f")
    return bytes.fromhex(text)
