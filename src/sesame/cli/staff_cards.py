"""`sesame staff cards`: Sésame cards for those who work at the desk, made by the bureau.

Staff need a card before anybody is staff, so these are of no order and of nobody: a number, a PIN,
and no row in the database. What makes one of them open anything is that two persons enrol it.
"""

import argparse
import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sesame.app import desk_of, open_keystore, utc_now
from sesame.bank.dispatching import new_reference
from sesame.bank.issuing import CardRules
from sesame.card.errors import PersonalisationError
from sesame.card.numbering import draw_number
from sesame.catalogue import Language
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.sentences import sentence
from sesame.custody.bureau_file import BureauCard, read_certificate, write_bureau_file
from sesame.custody.custodian import KeyUsage
from sesame.custody.hardening import harden
from sesame.custody.issuing import CardMaker, CardOrder, MadeCard
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.settings import Settings, read_settings
from sesame.web.opening import PARIS

_PSN = "01"
_MOST = 50  # of one file
_NO_ROW = b"a card of staff, before it is anybody's"


@dataclass(frozen=True, slots=True, repr=False)
class _Page:
    """What one person is given. It prints nothing of itself."""

    name: str
    reference: str
    made: MadeCard
    pin: str


def add_action(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `cards` to the actions of `staff`."""
    action = actions.add_parser(
        "cards", help=say("Faire des cartes Sésame pour le personnel, par le façonnier")
    )
    action.add_argument("names", nargs="+", metavar="NAME", help=say("leurs noms"))
    action.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help=say("le fichier des réglages (TOML)"),
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
    action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the bureau's file, then print a page for each person.

    Raises:
        SesameError: the settings, the keys, the certificate or the file do not serve, or no card
            can show one of the names; nothing was written.
    """
    harden()  # before there is anything to hide
    settings = read_settings(arguments.settings)
    at = utc_now()
    certificate = read_certificate(arguments.bureau, at=at)
    if len(arguments.names) > _MOST:
        raise Unusable(say("{most} cartes au plus par fichier.").format(most=_MOST))
    pages = asyncio.run(_make(settings, arguments.names))
    batch = new_reference(secrets.token_bytes)
    cards = [
        BureauCard(
            reference=page.reference, language=Language.FRENCH, groupings=page.made.groupings
        )
        for page in pages
    ]
    count = write_bureau_file(arguments.out, cards, certificate=certificate, at=at, batch=batch)
    print(
        say("Lot {batch}\u00a0: {count} cartes dans {path}.").format(
            batch=batch, count=count, path=arguments.out
        )
    )
    for page in pages:
        print("\n" + "\n".join(_lines(page)))
    return 0


async def _make(settings: Settings, names: Sequence[str]) -> list[_Page]:
    custodian = KeystoreIssuingCustodian(open_keystore(settings))
    try:
        own, current = desk_of(settings), custodian.current(KeyUsage.ISSUER_AC)
        if (current.ref.label, current.dki) != (own.card_key, own.card_dki):
            raise Unusable(
                say(
                    "Les cartes neuves se font avec la clé {label} (DKI {dki:02x}), et le guichet "
                    "attend celles de {card_key} (DKI {card_dki:02x})\u00a0: mettez-les d’accord "
                    "par card_key et card_dki, sous [desk]."
                ).format(
                    label=current.ref.label,
                    dki=current.dki,
                    card_key=own.card_key,
                    card_dki=own.card_dki,
                )
            )
        maker = CardMaker(custodian)
        return [await _make_one(settings, maker, name) for name in names]
    finally:
        await custodian.close()


async def _make_one(settings: Settings, maker: CardMaker, name: str) -> _Page:
    issuing = settings.issuing
    rules = CardRules(prefix=issuing.card_prefix, years=issuing.card_years)
    today = utc_now().astimezone(PARIS).date()
    order = CardOrder(
        pan=draw_number(rules.prefix, secrets.token_bytes),
        psn=_PSN,
        name=name,
        language=Language.FRENCH,
        effective=rules.effective(today),
        expiry=rules.expiry(today),
        context=_NO_ROW,
    )
    try:
        made = await maker.make(order)
    except PersonalisationError as error:
        raise Unusable(
            say("{name}\u00a0: aucune carte ne peut porter ce nom. {why}").format(
                name=name, why=sentence(error)
            )
        ) from None
    pin = maker.open_pin(made.sealed_pin, _NO_ROW)
    return _Page(name, new_reference(secrets.token_bytes), made, pin)


def _lines(page: _Page) -> Sequence[str]:
    """The page of one person: what the bank does not keep, and nobody can print again."""
    digits = page.made.record.pan.digits
    number = " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))
    return (
        say("GUICHET — CARTE SÉSAME DE {name}").format(name=page.name),
        say("Référence de la carte\u00a0: {reference}").format(reference=page.reference),
        say("Numéro de la carte\u00a0: {number}").format(number=number),
        say("Numéro d’ordre de la carte\u00a0: {psn}").format(psn=_PSN),
        say("Code secret\u00a0: {pin}").format(pin=page.pin),
        say(
            "Remettez cette page en main propre, et la carte un autre jour, par quelqu’un d’autre."
        ),
        say("Elle sert à ouvrir le compte\u00a0; détruisez-la ensuite. La banque n’en garde rien."),
    )
