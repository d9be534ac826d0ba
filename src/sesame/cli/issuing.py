"""`sesame issuing`: cards are made for the bureau, and four dispatches printed and posted.

docs/how-to/issue-cards.md walks through it.
"""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sesame.app import (
    check_keystore,
    institution_of,
    open_bank,
    open_custodian,
    open_keystore,
    utc_now,
)
from sesame.bank.addresses import waiting_for_second
from sesame.bank.bank import Bank
from sesame.bank.dispatching import (
    MOST_LETTERS,
    batches_to_do,
    due_counts,
    find_signer,
    record_posted,
)
from sesame.bank.errors import (
    BatchDone,
    EndlessReader,
    MalformedReader,
    MalformedStaffCode,
    MovedMeanwhile,
    NoReaderListed,
    NoSuchBatch,
    NoSuchLetter,
    NoSuchReader,
    NotAllowed,
    NothingToOrder,
    NotOnThatDay,
    ReaderListedTwice,
    ReadersMissing,
    TakesTwo,
    TooManyReaders,
    TwoOnThatDay,
    UnsuitableReaders,
)
from sesame.bank.issuing import MOST_CARDS, CardRules, NoRoom, NoticeGone, PinGone
from sesame.bank.orders import carry_out
from sesame.bank.post_days import PostDays
from sesame.bank.returned_mail import record_returned, reprint_welcome, send_again
from sesame.bank.staff import Role, parse_staff_code
from sesame.bank.stock import Correction, balances, correct, read_serials, take_in
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_
from sesame.cli.database import without_password
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.numbers import whole
from sesame.cli.result_file import refused
from sesame.cli.sentences import SENTENCES, sentence
from sesame.custody.bureau_file import read_certificate
from sesame.custody.hardening import harden
from sesame.custody.issuing import CardMaker
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.letters.errors import (
    AddressTooLong,
    BatchDestroyed,
    BatchExists,
    BatchUnreadable,
    MalformedLetter,
    Miscounted,
    NoBatch,
    OtherBatch,
    StrangeFiles,
    UnprintableText,
)
from sesame.settings import Settings, read_settings
from sesame.store.approvals import Signer
from sesame.store.dispatches import CARD, PIN, PRINTED, READER, WELCOME
from sesame.store.engine import database_path, is_postgresql
from sesame.store.schema import require_current
from sesame.web.opening import PARIS

if TYPE_CHECKING:
    from sesame.posting import LeftOut

_Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- a type

_LEFT_OUT = 3  # exit status: all but what could not be
_TOLD = 20  # left out, told one by one
_MOST_ASKED = 1_000_000  # of one run
_NO_ADDRESS = ""  # lines name none: it comes from the console

SENTENCES.update(
    {
        NotAllowed: N_(
            "Ce code d’agent n’est pas celui d’une personne chargée de l’émission\u00a0: rien n’a "
            "été fait."
        ),
        MalformedStaffCode: N_(
            "Un code d’agent a sept caractères, lettres et chiffres, et le dernier vérifie les "
            "autres\u00a0: relisez-le, il n’y a ni 0, ni 1, ni I, ni O."
        ),
        NoSuchBatch: N_("{batch}\u00a0: aucun lot de lettres ne porte ce numéro."),
        BatchDone: N_("Lot {batch}\u00a0: c’est déjà fait, le {on}. Rien n’a été changé."),
        NotOnThatDay: N_(
            "Lot {batch}\u00a0: il n’a pu être posté que du {first} au {last}. Vérifiez la date."
        ),
        TwoOnThatDay: N_(
            "Lot {batch}\u00a0: un autre envoi aux mêmes clients est parti le {day}. Postez un "
            "autre jour ce qui suit, et notez alors le lot\u00a0: {references}."
        ),
        ReadersMissing: N_(
            "Il manque {missing} lecteurs en stock pour {wanted} colis\u00a0: rien n’a été "
            "imprimé. Entrez des lecteurs en stock, ou imprimez moins de colis par --most."
        ),
        MovedMeanwhile: N_(
            "Quelqu’un d’autre a changé ces lettres, ces lecteurs ou ces commandes entre-temps"
            "\u00a0: rien n’est gardé. Relancez la commande."
        ),
        NoSuchLetter: N_(
            "{reference}\u00a0: aucune lettre postée ne porte cette référence, ou son retour est "
            "déjà noté. Relisez-la."
        ),
        NothingToOrder: N_("Il n’y a rien à envoyer\u00a0: rien n’attend, ou c’est déjà fait."),
        TakesTwo: N_(
            "Le code secret était imprimé\u00a0: une autre carte, avec un autre code secret, "
            "demande deux personnes. Demandez-la au guichet, «\u00a0Émission\u00a0», où un "
            "responsable de la sécurité décide."
        ),
        NoRoom: N_(
            "Cette personne a déjà {living} cartes qui servent ou attendent : celle-ci se fait "
            "quand l’une est retirée, par l’activation de sa remplaçante ou à sa date de fin."
        ),
        NoticeGone: N_("L’avis qu’elle annonce n’existe plus."),
        PinGone: N_(
            "Son code secret n’existe plus : «\u00a0Demander un nouveau code secret\u00a0», au "
            "guichet, commande une autre carte."
        ),
        AddressTooLong: N_(
            "Nom et adresse n’entrent pas dans la fenêtre de l’enveloppe : au guichet, "
            "raccourcissez la ligne la plus longue de l’adresse, ou répartissez-la."
        ),
        MalformedLetter: N_(
            "Le nom ou l’adresse ne font pas une lettre\u00a0: au guichet, écrivez l’adresse en "
            "six lignes au plus, nom et pays compris."
        ),
        UnprintableText: N_(
            "Nom ou adresse ont des caractères qui ne s’impriment pas : au guichet, écrivez "
            "l’adresse en lettres latines, grecques ou cyrilliques."
        ),
        MalformedReader: N_(
            "Ligne {line}\u00a0: écrivez un numéro de série et, si vous voulez, une virgule et le "
            "modèle, de 1 à 40 caractères chacun, sans accents."
        ),
        EndlessReader: N_(
            "Ligne {line}\u00a0: elle est bien trop longue pour un numéro de série, ou un "
            "guillemet n’est pas fermé avant elle."
        ),
        ReaderListedTwice: N_("Ligne {line}\u00a0: {serial} y est une seconde fois. Ôtez-en une."),
        TooManyReaders: N_("Il y a plus de {most} lecteurs\u00a0: entrez-les en plusieurs listes."),
        NoReaderListed: N_("Il n’y a pas de numéro de série\u00a0: écrivez-en un par ligne."),
        NoBatch: N_(
            "{path}\u00a0: ce n’est pas le bordereau d’un lot de lettres. Nommez le dossier du lot."
        ),
        BatchUnreadable: N_(
            "{path}\u00a0: le système refuse ({reason}). Nommez le dossier d’un lot de lettres."
        ),
        BatchDestroyed: N_("{folder}\u00a0: ce lot est déjà détruit, depuis le {on}."),
        OtherBatch: N_(
            "{folder}\u00a0: ce n’est pas le dossier du lot {batch}. Rien n’a été détruit."
        ),
        Miscounted: N_(
            "{folder}\u00a0: ce lot a {letters} lettres, et {confirmed} sont dites sur papier. "
            "Rien n’a été détruit\u00a0: recomptez, ou imprimez ce qui manque."
        ),
        StrangeFiles: N_(
            "{folder}\u00a0: {count} fichiers ne sont pas au bordereau. Rien n’a été "
            "détruit\u00a0: ôtez-les d’abord."
        ),
        NoSuchReader: N_("Lecteur {serial}\u00a0: inconnu, ou pas là d’où il devrait partir."),
    }
)


def add_parser(commands: _Actions) -> None:
    """Add `issuing` and its actions to the tree of commands."""
    parser = commands.add_parser(
        "issuing", help=say("Faire faire les cartes, imprimer et poster les lettres")
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_make(actions)
    _add_letters(actions)
    _add_sheets(actions)
    _add_posted(actions)
    _add_destroy(actions)
    _add_returned(actions)
    _add_again(actions)
    _add_welcome(actions)
    _add_readers(actions)
    _add_reader(actions)
    _add_status(actions)


def _action(
    actions: _Actions, name: str, help_text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=help_text)
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le fichier des réglages (TOML)"),
    )
    action.add_argument(
        "--database",
        metavar="URL",
        help=say("la base, au nom du rôle qui émet les cartes\u202f; sans mot de passe"),
    )
    action.add_argument("--by", required=True, metavar="STAFFCODE", help=say("votre code d’agent"))
    action.set_defaults(run=run)
    return action


def _add_most(action: argparse.ArgumentParser, most: int) -> None:
    action.add_argument(
        "--most",
        type=whole(1, _MOST_ASKED),
        default=most,
        metavar="N",
        help=say("N au plus\u202f; sinon {most}").format(most=most),
    )


# ── Cards ────────────────────────────────────────────────────────────────────────────────────────


def _add_make(actions: _Actions) -> None:
    action = _action(
        actions, "make", say("Faire les cartes commandées, pour le façonnier"), run_make
    )
    action.add_argument(
        "--bureau",
        type=Path,
        required=True,
        metavar="CERTFILE",
        help=say("le certificat du façonnier"),
    )
    action.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=say("le nouveau fichier pour lui")
    )
    _add_most(action, MOST_CARDS)


def run_make(arguments: argparse.Namespace) -> int:
    """Carry out what was granted, then make the cards; exit status 3 where some were left out.

    Raises:
        SesameError: see `carry_out` and `write_cards`.
    """
    posting = _posting()
    certificate = read_certificate(arguments.bureau, at=utc_now())
    office = _Office(arguments)

    async def make(bank: Bank, by: Signer) -> int:
        ordered = await carry_out(bank, office.post)
        if ordered:
            print(say("Commandes passées sur accord\u00a0: {count}.").format(count=ordered))
        made = await posting.write_cards(
            bank,
            CardMaker(bank.custodian),
            by,
            rules=office.rules,
            post=office.post,
            certificate=certificate,
            file=arguments.out,
            most=arguments.most,
        )
        if made is None:
            print(
                say(
                    "{path}\u00a0: une commande interrompue avait déjà fait ces cartes\u202f; son "
                    "fichier est entier, et a maintenant son nom. Relancez pour la suite."
                ).format(path=arguments.out)
            )
            return 0
        for one in made.refused[:_TOLD]:
            print(
                say("Commande {order} de {user_code}\u00a0: pas de carte. {why}").format(
                    order=one.order_number, user_code=one.user_code, why=sentence(one.why)
                )
            )
        if not made.cards:
            print(say("Aucune carte n’est à faire."))
        else:
            print(
                say("Lot {batch}\u00a0: {count} cartes dans {path}.").format(
                    batch=made.batch, count=made.cards, path=arguments.out
                )
            )
        return _LEFT_OUT if made.refused else 0

    return _writing(arguments.out, lambda: office.do(make))


# ── Letters ──────────────────────────────────────────────────────────────────────────────────────


def _add_letters(actions: _Actions) -> None:
    action = _action(actions, "letters", say("Imprimer un lot de lettres"), run_letters)
    action.add_argument(
        "kind",
        choices=PRINTED,
        metavar="KIND",
        help=say("card, pin, reader, welcome, hold, release, notice ou reminder"),
    )
    action.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=say("le nouveau dossier des lettres"),
    )
    _add_most(action, MOST_LETTERS)


def run_letters(arguments: argparse.Namespace) -> int:
    """Print the letters of a kind that are due; exit status 3 where some were left out.

    Raises:
        SesameError: see `print_letters`.
    """
    posting = _posting()
    from sesame.cli.page_progress import (  # noqa: PLC0415 -- a library that no server needs
        counted_progress,
        interrupted_by_sigterm,
    )

    office = _Office(arguments)
    folder = Path(os.path.abspath(arguments.folder))  # noqa: PTH100 -- a link is no folder

    async def letters(bank: Bank, by: Signer) -> int:
        with counted_progress() as (begun, written):
            printed = await posting.print_letters(
                bank,
                arguments.kind,
                by,
                post=office.post,
                institution=institution_of(office.settings.institution),
                maker=CardMaker(bank.custodian) if arguments.kind == PIN else None,
                folder=folder,
                most=arguments.most,
                begun=begun,
                written=written,
            )
        if printed is None:
            print(
                say(
                    "{path}\u00a0: une commande interrompue avait déjà imprimé ce lot\u202f; il "
                    "est entier, et a maintenant son nom. Relancez pour la suite."
                ).format(path=arguments.folder)
            )
            return 0
        _tell_left_out(printed.left_out)
        if not printed.letters:
            print(say("Aucune lettre de cette sorte n’est à imprimer par vous aujourd’hui."))
        else:
            print(
                say("Lot {batch}\u00a0: {count} lettres dans {path}.").format(
                    batch=printed.batch, count=printed.letters, path=arguments.folder
                )
            )
        may, due = (await due_counts(bank, by.user_code, office.post))[arguments.kind]
        if due:
            print(
                say(
                    "Encore dues\u00a0: {due}, dont {may} pour vous aujourd’hui. Les autres "
                    "attendent un envoi en route, un autre jour ou une autre personne."
                ).format(due=due, may=may)
            )
        return _LEFT_OUT if printed.left_out else 0

    with interrupted_by_sigterm():
        return _writing(arguments.folder, lambda: office.do(letters))


def _add_sheets(actions: _Actions) -> None:
    action = actions.add_parser(
        "sheets", help=say("Écrire les modes d’emploi, à joindre aux lecteurs")
    )
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le fichier des réglages (TOML)"),
    )
    action.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=say("le nouveau dossier des modes d’emploi"),
    )
    action.set_defaults(run=run_sheets)


def run_sheets(arguments: argparse.Namespace) -> int:
    """Write the instruction sheets with the names and numbers of the settings; nothing of anybody.

    Raises:
        SesameError: see `read_settings` and `write_sheets`; or Typst is missing.
    """
    posting = _posting()
    from sesame.cli.page_progress import (  # noqa: PLC0415 -- a library that no server needs
        counted_progress,
        interrupted_by_sigterm,
    )

    institution = institution_of(read_settings(arguments.settings).institution)
    folder = Path(os.path.abspath(arguments.folder))  # noqa: PTH100 -- a link is no folder

    def sheets() -> int:
        with interrupted_by_sigterm(), counted_progress() as (_, written):
            count = posting.write_sheets(folder, institution=institution, written=written)
        print(
            say("{path} : {count} modes d’emploi, à joindre aux lecteurs.").format(
                path=arguments.folder, count=count
            )
        )
        return 0

    return _writing(arguments.folder, sheets)


def _tell_left_out(left_out: "Sequence[LeftOut]") -> None:
    for one in left_out[:_TOLD]:
        print(
            say("{reference}\u00a0: pas imprimée. {why}").format(
                reference=one.reference, why=sentence(one.why)
            )
        )
    if len(left_out) > _TOLD:
        print(say("et {more} autres.").format(more=len(left_out) - _TOLD))


def _add_posted(actions: _Actions) -> None:
    action = _action(actions, "posted", say("Noter qu’un lot a été posté"), run_posted)
    action.add_argument("batch", metavar="BATCH", help=say("le numéro du lot"))
    action.add_argument(
        "--date", metavar="DAY", help=say("quel jour\u00a0: 2026-03-02\u202f; sinon, aujourd’hui")
    )


def run_posted(arguments: argparse.Namespace) -> int:
    """Write down that a batch was posted; say what was to be taken out, and what went before.

    Raises:
        SesameError: see `record_posted`.
    """
    office = _Office(arguments)
    try:
        day = None if arguments.date is None else date.fromisoformat(arguments.date)
    except ValueError:
        raise Unusable(say("--date\u00a0: écrivez un jour comme 2026-03-02.")) from None

    async def posted(bank: Bank, by: Signer) -> int:
        done = await record_posted(bank, arguments.batch, by, day, office.post)
        print(say("Lot {batch}\u00a0: posté.").format(batch=arguments.batch))
        if done.voided:
            print(
                say(
                    "Ces lettres sont annulées et ne devaient pas partir\u00a0: vérifiez "
                    "qu’elles ont été ôtées de la pile et détruites."
                )
            )
            print("\n".join(f"  {reference}" for reference in done.voided))
        if done.given_before:
            print(
                say(
                    "Ces cartes ont été remises au guichet avant ce jour\u00a0: la date de leur "
                    "remise reste, et les jours jusqu’au code secret se comptent depuis elle."
                )
            )
            print("\n".join(f"  {reference}" for reference in done.given_before))
        return 0

    return office.do(posted)


def _add_destroy(actions: _Actions) -> None:
    action = _action(
        actions, "destroy", say("Détruire le dossier d’un lot, une fois sur papier"), run_destroy
    )
    action.add_argument("batch", metavar="BATCH", help=say("le numéro du lot"))
    action.add_argument(
        "--printed",
        type=int,
        required=True,
        metavar="N",
        help=say("combien de lettres sont sur papier\u00a0: comptez-les"),
    )
    action.add_argument(
        "--folder", type=Path, required=True, metavar="FOLDER", help=say("le dossier du lot")
    )


def run_destroy(arguments: argparse.Namespace) -> int:
    """Destroy the letters of a batch; the sealed PINs of the database go with them.

    Raises:
        SesameError: see `destroy_letters`.
    """
    posting = _posting()
    office = _Office(arguments)

    async def destroy(bank: Bank, by: Signer) -> int:
        await posting.destroy_letters(
            bank,
            arguments.batch,
            by,
            folder=arguments.folder,
            printed=arguments.printed,
            post=office.post,
        )
        print(say("Lot {batch}\u00a0: détruit, le bordereau reste.").format(batch=arguments.batch))
        return 0

    return _writing(arguments.folder, lambda: office.do(destroy))


# ── Mail that came back ──────────────────────────────────────────────────────────────────────────

_LETTERS = {
    CARD: N_("lettre de la carte"),
    PIN: N_("lettre du code secret"),
    READER: N_("colis du lecteur"),
    WELCOME: N_("lettre de bienvenue"),
    "hold": N_("avis de blocage"),
    "release": N_("avis de déblocage"),
    "notice": N_("avis de changement"),
    "reminder": N_("lettre de rappel"),
}


def _add_returned(actions: _Actions) -> None:
    action = _action(
        actions, "returned", say("Noter qu’un courrier est revenu (NPAI)"), run_returned
    )
    action.add_argument("reference", metavar="REFERENCE", help=say("la référence du courrier"))


def run_returned(arguments: argparse.Namespace) -> int:
    """Write returned mail down, and say what it stopped.

    Raises:
        SesameError: see `record_returned`.
    """

    async def returned(bank: Bank, by: Signer) -> int:
        reference = _reference(arguments)
        came = await record_returned(bank, reference, by, address=_NO_ADDRESS)
        kind = say(_LETTERS[came.kind]) if came.kind in _LETTERS else came.kind
        print(
            say(
                "{reference} ({kind})\u00a0: retour noté. Rien d’autre ne part, hors les avis de "
                "changement."
            ).format(reference=reference, kind=kind)
        )
        if came.retired:
            print(say("La carte ne servira jamais\u00a0: une autre sera à commander."))
        if came.withdrawn:
            print(say("Le numéro d’activation ne vaut plus rien."))
        if came.held:
            print(
                say(
                    "Cartes bloquées\u00a0: {count}. Lever le blocage demande deux personnes, au "
                    "guichet."
                ).format(count=came.held)
            )
        print(
            say(
                "Quand l’adresse aura été vérifiée\u00a0: sesame issuing again {reference} "
                "--address-checked"
            ).format(reference=reference)
        )
        return 0

    return _Office(arguments).do(returned)


def _add_again(actions: _Actions) -> None:
    action = _action(
        actions, "again", say("Renvoyer ce qui est revenu, l’adresse vérifiée"), run_again
    )
    action.add_argument("reference", metavar="REFERENCE", help=say("la référence du courrier"))
    action.add_argument(
        "--address-checked",
        action="store_true",
        required=True,
        help=say("dire que l’adresse a été vérifiée auprès du client"),
    )


def run_again(arguments: argparse.Namespace) -> int:
    """Order or plan anew what came back.

    Raises:
        SesameError: see `send_again`.
    """
    office = _Office(arguments)

    async def again(bank: Bank, by: Signer) -> int:
        reference = _reference(arguments)
        kind = await send_again(bank, reference, by, office.post, address=_NO_ADDRESS)
        said = (
            say("{reference}\u00a0: une autre carte est commandée.")
            if kind == CARD
            else say("{reference}\u00a0: l’envoi est prévu de nouveau.")
        )
        print(said.format(reference=reference))
        return 0

    return office.do(again)


def _add_welcome(actions: _Actions) -> None:
    action = _action(
        actions, "welcome", say("Renvoyer son code utilisateur à un client"), run_welcome
    )
    action.add_argument("user_code", metavar="CODE", help=say("le code utilisateur"))


def run_welcome(arguments: argparse.Namespace) -> int:
    """Plan another welcome letter.

    Raises:
        SesameError: see `reprint_welcome`.
    """
    user_code = parse_user_code(arguments.user_code)

    async def welcome(bank: Bank, by: Signer) -> int:
        reference = await reprint_welcome(bank, user_code, by, address=_NO_ADDRESS)
        print(say("{reference}\u00a0: prévue pour aujourd’hui.").format(reference=reference))
        return 0

    return _Office(arguments).do(welcome)


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────

_MODEL = "Sesame R1"


def _add_readers(actions: _Actions) -> None:
    action = _action(actions, "readers", say("Entrer des lecteurs en stock"), run_readers)
    action.add_argument(
        "file", type=Path, metavar="FILE", help=say("numéros de série, un par ligne\u202f; ou CSV")
    )
    action.add_argument(
        "--model",
        default=_MODEL,
        help=say("leur modèle, sauf si la ligne le dit\u202f; sinon {model}").format(model=_MODEL),
    )


def run_readers(arguments: argparse.Namespace) -> int:
    """Take a list of readers into stock, whole or not at all, and print the balance.

    Raises:
        SesameError: see `read_serials` and `take_in`.
    """
    try:
        lines = arguments.file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise refused(arguments.file, error) from None
    except UnicodeDecodeError:
        raise Unusable(
            say("{path}\u00a0: ce n’est pas du texte en UTF-8.").format(path=arguments.file)
        ) from None
    try:
        readers = read_serials(lines, arguments.model)
    except UnsuitableReaders as error:
        raise Unusable(
            say("{path}\u00a0: rien n’est entré. {why}").format(
                path=arguments.file, why=sentence(error)
            )
        ) from None

    async def take(bank: Bank, by: Signer) -> int:
        new = await take_in(bank, readers, by)
        print(
            say("Lecteurs entrés\u00a0: {new}. Déjà connus\u00a0: {known}.").format(
                new=new, known=len(readers) - new
            )
        )
        await _tell_balance(bank)
        return 0

    return _Office(arguments).do(take)


def _add_reader(actions: _Actions) -> None:
    action = _action(actions, "reader", say("Corriger où est un lecteur"), run_reader)
    action.add_argument("serial", metavar="SERIAL", help=say("son numéro de série"))
    action.add_argument(
        "correction",
        choices=[one.value for one in Correction],
        metavar="CORRECTION",
        help=say("return (revenu), restock (remis en stock) ou discard (au rebut)"),
    )


def run_reader(arguments: argparse.Namespace) -> int:
    """Put right where a reader is, and print the balance.

    Raises:
        SesameError: see `correct`.
    """

    async def move(bank: Bank, by: Signer) -> int:
        await correct(bank, arguments.serial, Correction(arguments.correction), by)
        await _tell_balance(bank)
        return 0

    return _Office(arguments).do(move)


async def _tell_balance(bank: Bank) -> None:
    for model in await balances(bank):
        print(
            say(
                "{model}\u00a0: entrés {came_in} = en stock {stock} + envoyés {sent} + revenus "
                "{returned} + au rebut {discarded}"
            ).format(
                model=model.model,
                came_in=model.came_in,
                stock=model.stock,
                sent=model.sent,
                returned=model.returned,
                discarded=model.discarded,
            )
        )


# ── What is to be done ───────────────────────────────────────────────────────────────────────────


def _add_status(actions: _Actions) -> None:
    _action(
        actions, "status", say("Dire ce qui est à imprimer, à poster et à détruire"), run_status
    )


def run_status(arguments: argparse.Namespace) -> int:
    """Print what waits for this person.

    Raises:
        SesameError: the database does not answer.
    """
    office = _Office(arguments)

    async def status(bank: Bank, by: Signer) -> int:
        for kind, (may, due) in (await due_counts(bank, by.user_code, office.post)).items():
            print(
                say("{kind:<8} à imprimer par vous\u00a0: {may}, dues en tout\u00a0: {due}").format(
                    kind=kind, may=may, due=due
                )
            )
        waiting, _ = await waiting_for_second(bank)
        if waiting:
            print(
                say(
                    "Attendent qu’une seconde personne confirme une adresse\u00a0: {count} "
                    "(leur liste est au guichet, «\u00a0Émission\u00a0»)"
                ).format(count=waiting)
            )
        for row in await batches_to_do(bank):
            todo = [
                *([say("à poster")] if row.posted_at is None else []),
                *([say("à détruire")] if row.destroyed_at is None else []),
            ]
            print(
                say("Lot {batch} ({kind}, {letters} lettres)\u00a0: {todo}").format(
                    batch=row.id, kind=row.kind, letters=row.letters, todo=", ".join(todo)
                )
            )
        await _tell_balance(bank)
        return 0

    return office.do(status)


# ── The bank behind it ───────────────────────────────────────────────────────────────────────────


class _Office:
    """The settings, and what a command does with the bank that they name."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        harden()  # before there is anything to hide
        settings = read_settings(arguments.settings)
        if arguments.database is not None:
            url = without_password(arguments.database)
            settings = msgspec.structs.replace(settings, database=url)
        if not is_postgresql(settings.database):
            path = database_path(settings.database)
            if not path.is_file():
                raise Unusable(say("{path}\u00a0: cette base n’existe pas.").format(path=path))
        self.settings = settings
        self.post = post_days(settings)
        own = settings.issuing
        self.rules = CardRules(prefix=own.card_prefix, years=own.card_years)
        self._by: UserCode = parse_staff_code(arguments.by)

    def do(self, work: Callable[[Bank, Signer], Awaitable[int]]) -> int:
        """What *work* does by whom it was named, at the bank."""
        return asyncio.run(self._do(work))

    async def _do(self, work: Callable[[Bank, Signer], Awaitable[int]]) -> int:
        settings = self.settings
        custodian = (
            KeystoreIssuingCustodian(open_keystore(settings))
            if settings.custody is None
            else open_custodian(settings)
        )
        bank = open_bank(settings, custodian)
        try:
            await bank.store.read(require_current)
            await check_keystore(settings, bank.custodian)
            return await work(bank, await find_signer(bank, self._by, Role.ISSUER))
        finally:
            await bank.store.close()
            await bank.custodian.close()


def post_days(settings: Settings) -> PostDays:
    """The days on which the institution of *settings* posts."""
    hours = settings.institution.opening_hours()
    return PostDays(
        zone=PARIS,
        is_holiday=lambda day: hours.exception(day) is not None,
        gaps=settings.issuing.gaps(),
    )


def _writing(path: Path, work: Callable[[], int]) -> int:
    """Say of what the system, or something there, refuses at *path*."""
    try:
        return work()
    except BatchExists:
        raise Unusable(
            say(
                "{path}\u00a0: il y a déjà quelque chose ici, qui reste tel quel. Choisissez un "
                "autre nom."
            ).format(path=path)
        ) from None
    except OSError as error:
        raise refused(Path(error.filename or path), error) from None


def _posting() -> ModuleType:
    """`sesame.posting`, which sets letters.

    Raises:
        Unusable: Typst is missing.
    """
    try:
        return import_module("sesame.posting")
    except ModuleNotFoundError:
        raise Unusable(
            say(
                "Les lettres demandent le paquet typst\u00a0: faites «\u00a0pip install "
                "'sesame[letters]'\u00a0»."
            )
        ) from None


def _reference(arguments: argparse.Namespace) -> str:
    return str(arguments.reference).strip().upper()
