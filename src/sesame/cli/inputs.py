"""What a code is made for, as options of a command: the reader's key, and what is typed."""

import argparse
from collections.abc import Mapping

from sesame.cap.errors import InputFault, MalformedInputs
from sesame.cap.mode import Iaf, Inputs, Mode, parse_amount, signature, wants_currency
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.errors import Worded

_EURO = "978"
# By the reader's keys, and by what the recorded sessions call them.
_MODES = {
    "code": Mode.M2,
    "respond": Mode.M3,
    "sign": None,  # mode 1 or TDS: the card's IAF says which
    "m1": Mode.M1,
    "tds": Mode.TDS,
}


FAULTS: Mapping[InputFault, str] = {
    InputFault.CHALLENGE: N_("un défi a huit chiffres au plus, et rien d’autre"),
    InputFault.AMOUNT: N_("un montant a douze chiffres au plus, centimes compris"),
    InputFault.CURRENCY: N_(
        "une monnaie a les trois chiffres d’ISO 4217\u00a0; 978 est celle de l’euro"
    ),
    InputFault.FIELD: N_("un nombre à signer a de un à dix chiffres, et rien d’autre"),
    InputFault.NO_CHALLENGE_HERE: N_("ce mode ne prend pas de défi, --mode respond en prend un"),
    InputFault.NO_AMOUNT_HERE: N_("ce mode ne prend ni montant ni monnaie, --mode sign les prend"),
    InputFault.FIELDS: N_("il faut de un à dix nombres à signer, et il y en a {count}"),
    InputFault.NO_FIELDS_HERE: N_("ce mode ne prend pas de nombre à signer, --mode tds en prend"),
    InputFault.SPELLING: N_(
        "un montant s’écrit 1234,56, avec dix chiffres au plus avant la virgule"
    ),
    InputFault.NOTHING_TO_PAY: N_(
        "signer un montant nul ferait un code bon pour tout, donnez-en un par --amount"
    ),
    InputFault.NO_PAYEE: N_(
        "une signature nomme son bénéficiaire par --payee, de un à huit chiffres"
    ),
}


class Unusable(Worded):
    """What was asked cannot be worked out. The message is for people, in their language."""


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add `--mode` and what is typed in it to a command."""
    parser.add_argument(
        "--mode",
        default="code",
        choices=_MODES,
        metavar="MODE",
        help=say(
            "la touche\u00a0: code (M2), respond (M3), sign (M1 ou M2+TDS, selon la carte)\u202f; "
            "ou m1, tds"
        ),
    )
    parser.add_argument("--challenge", default="", metavar="DIGITS", help=say("le défi tapé"))
    parser.add_argument("--amount", metavar="EUROS", help=say("le montant tapé\u00a0: 1250,00"))
    parser.add_argument("--currency", metavar="DIGITS", help=say("sa monnaie, ISO 4217 (978)"))
    parser.add_argument(
        "--payee", default="", metavar="DIGITS", help=say("les derniers chiffres du bénéficiaire")
    )
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="DIGITS",
        help=say("un nombre signé (mode tds), dans l’ordre\u00a0; à répéter"),
    )


def inputs_of(arguments: argparse.Namespace, iaf: Iaf) -> Inputs:
    """What *arguments* give to a card with *iaf*: the mode takes all of it, or refuses.

    Raises:
        Unusable: something is no number of its kind, or the mode has no place for it.
    """
    mode = _MODES[arguments.mode]
    try:
        amount = parse_amount(arguments.amount or "0")
        if mode is None:
            _refuse_beside(arguments, "challenge", "field")
            return signature(
                iaf, amount=amount, payee=arguments.payee, currency=arguments.currency or _EURO
            )
        _refuse_beside(arguments, "payee")
        currency = arguments.currency or ""
        if mode is Mode.M1 and wants_currency(iaf):
            currency = currency or _EURO
        return Inputs(
            mode=mode,
            challenge=arguments.challenge,
            amount=amount,
            currency=currency,
            fields=tuple(arguments.field),
        )
    except MalformedInputs as error:
        raise Unusable(
            say("Ce qui a été tapé n’en est pas\u00a0: {why}.").format(
                why=say(FAULTS[error.fault]).format(count=error.count)
            )
        ) from None


def binding_inputs_of(arguments: argparse.Namespace, iaf: Iaf) -> Inputs:
    """As `inputs_of`, and all of it enters the code of a card with *iaf*.

    Raises:
        Unusable: as there; or a code of another mode, or of less, would be the same.
    """
    inputs = inputs_of(arguments, iaf)
    if not inputs.binds(iaf):
        raise Unusable(
            say(
                "Ce qui a été tapé n’entre pas, ou pas en entier, dans le cryptogramme de cette "
                "carte\u00a0: aucun code n’est fait. Essayez un autre mode."
            )
        )
    return inputs


def _refuse_beside(arguments: argparse.Namespace, *names: str) -> None:
    for name in names:
        if getattr(arguments, name):
            raise Unusable(
                say("--mode {mode} ne prend pas --{name}.").format(mode=arguments.mode, name=name)
            )


def parse_dki(text: str) -> int:
    """A derivation key index as it is typed: one byte in hexadecimal.

    Raises:
        Unusable: it is none.
    """
    try:
        (dki,) = bytes.fromhex(text)
    except ValueError:
        raise Unusable(say("Un DKI est un octet en hexadécimal\u00a0: 01.")) from None
    return dki
