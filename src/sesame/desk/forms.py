"""How what staff type becomes codes, cards and people, or a sentence that says what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sesame.bank.bank import Bank
from sesame.bank.card_numbers import has_card_number
from sesame.bank.customers import CardKind
from sesame.bank.errors import (
    ImpossibleCode,
    MalformedPersonnelNumber,
    MalformedStaffCode,
    UnsuitableReason,
)
from sesame.bank.matching import TwoCodes, check_possible
from sesame.bank.staff import parse_personnel_number, parse_staff_code
from sesame.bank.staffing import NewStaff
from sesame.bank.user_code import UserCode
from sesame.cap.errors import MalformedCode
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code, parse_code
from sesame.catalogue import N_, Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.errors import UnsuitableCard
from sesame.emv.errors import MalformedPan
from sesame.emv.pan import Pan

NOT_A_STAFF_CODE = N_(
    "Votre code d’agent a 7 caractères, lettres et chiffres. Relisez-le : un caractère est faux, "
    "ou il en manque un."
)
NOT_A_CODE = N_(
    "Un code Sésame a 8 chiffres : ceux que votre lecteur affiche. "
    "N’entrez jamais ici le code secret de votre carte."
)
IMPOSSIBLE = N_(
    "Ce nombre n’est pas un code Sésame : il a sans doute été mal recopié. "
    "Relisez l’écran de votre lecteur."
)
SAME_TWICE = N_(
    "Les deux codes sont les mêmes. Éteignez le lecteur, rallumez-le, faites un second code "
    "et entrez-le ici."
)
NOT_A_NAME = N_("Entrez le prénom et le nom : 2 à 120 caractères.")
NOT_A_NUMBER = N_("Un matricule a 1 à 20 lettres, chiffres, points, barres ou traits d’union.")
NOT_A_CARD = N_(
    "Ce numéro de carte est faux : il a 16 chiffres au plus, et l’un d’eux est sans doute mal "
    "recopié."
)
NOT_A_PSN = N_("Le numéro d’ordre de la carte a 2 chiffres, 01 le plus souvent.")
NO_CARD_NUMBER = N_(
    "Cela ressemble à un numéro de carte, qui n’a rien à faire ici. Récrivez ce champ sans lui."
)
_NO_REASON = N_("Dites pourquoi, en une phrase : 5 à 200 caractères.")
_NO_NUMBER_IN_REASON = N_(
    "Cela ressemble à un numéro de carte, que personne ne doit relire ici. Récrivez la raison sans "
    "lui\u00a0: les quatre derniers chiffres suffisent."
)
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Typed:
    """A login as it was typed, read."""

    user_code: UserCode
    code: Code | TwoCodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What was typed cannot be judged; no try is spent. French, for the page to translate."""

    errors: Mapping[str, str] = field(default_factory=dict)  # by field


def read_login(bank: Bank, fields: Mapping[str, str], *, two: bool) -> Typed | Mistake:
    """A staff code and a code Sésame, or *two* of them in a row."""
    errors = {}
    user_code = None
    try:
        user_code = parse_staff_code(fields.get("staff_code", ""))
    except MalformedStaffCode:
        errors["staff_code"] = NOT_A_STAFF_CODE
    names = ("code", "next_code") if two else ("code",)
    codes = []
    for name in names:
        try:
            code = parse_code(fields.get(name, ""))
            check_possible(bank, code)
            codes.append(code)
        except MalformedCode:
            errors[name] = NOT_A_CODE
        except ImpossibleCode:
            errors[name] = IMPOSSIBLE
    if not errors and two and codes[0] == codes[1]:
        errors["next_code"] = SAME_TWICE
    if user_code is None or errors:
        return Mistake(errors=errors)
    return Typed(user_code, TwoCodes(*codes) if two else codes[0])


def read_person(fields: Mapping[str, str], key: KeyRef, dki: int) -> NewStaff | Mistake:
    """Somebody to become staff, with a card made under issuer key *key* of index *dki*."""
    errors = {}
    name = " ".join(fields.get("name", "").split())
    if has_card_number(name):
        errors["name"] = NO_CARD_NUMBER
    elif not 1 < len(name) <= _LONGEST_NAME or not name.isprintable():
        errors["name"] = NOT_A_NAME
    kind = CardKind.BANK if fields.get("kind") == CardKind.BANK else CardKind.SESAME
    profile = BANK_CARD if kind is CardKind.BANK else SESAME_CARD
    psn = fields.get("psn", "").strip()
    pan = None
    try:
        pan = Pan("".join(fields.get("pan", "").split()))
        CardRecord(pan=pan, psn="00", profile=profile.name, key=key, dki=dki)
    except (MalformedPan, UnsuitableCard):
        errors["pan"] = NOT_A_CARD
    if not (psn.isascii() and psn.isdecimal() and len(psn) == 2):  # noqa: PLR2004 -- digits
        errors["psn"] = NOT_A_PSN
    typed, number = fields.get("personnel_number", ""), ""
    try:
        number = parse_personnel_number(typed)
    except MalformedPersonnelNumber:
        wrong = NO_CARD_NUMBER if has_card_number(typed) else NOT_A_NUMBER
        errors["personnel_number"] = wrong
    if pan is None or errors:
        return Mistake(errors=errors)
    return NewStaff(
        name=name,
        personnel_number=number,
        language=Language.ENGLISH if fields.get("language") == "en" else Language.FRENCH,
        kind=kind,
        record=CardRecord(pan=pan, psn=psn, profile=profile.name, key=key, dki=dki),
    )


def wrong_reason(unsuitable: UnsuitableReason) -> str:
    """What is wrong with a reason, and what to do."""
    return _NO_NUMBER_IN_REASON if unsuitable.card_number else _NO_REASON


def without_card_number(typed: str) -> str:
    """What was typed, to be shown again; nothing of it where it holds a card's number."""
    return "" if has_card_number(typed) else typed


def lines_without_card_number(typed: str) -> str:
    """Likewise, where each line stands for itself."""
    return "\n".join(map(without_card_number, typed.splitlines()))
