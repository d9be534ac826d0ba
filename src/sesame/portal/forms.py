"""How what people typed into a login form becomes codes.

Each form is one attempt (`sesame.web.tickets`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sesame.bank.activation import parse_number
from sesame.bank.bank import Bank
from sesame.bank.errors import (
    ImpossibleCode,
    MalformedNumber,
    MalformedOldCode,
    MalformedUserCode,
)
from sesame.bank.matching import TwoCodes, check_possible
from sesame.bank.old_code import OldCode, parse_old_code
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.cap.errors import MalformedCode
from sesame.cap.token import Code, parse_code
from sesame.catalogue import N_


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, read."""

    user_code: UserCode
    code: Code | TwoCodes | OldCode
    number: str = field(default="", repr=False)  # of activation or release, eight digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What was typed cannot be judged; no try is spent. French, for the page to translate."""

    user_code: str | None = None  # what is wrong with that field
    code: str | None = None  # with the code, or the old code
    next_code: str | None = None  # with the second of two codes
    number: str | None = None  # with the number of activation or release
    swapped: UserCode | None = None  # the two stood in each other's place: the user code


NOT_A_USER_CODE = N_("Votre code utilisateur a 8 caractères, chiffres ou lettres sans accent.")
NOT_A_CODE = N_(
    "Un code Sésame a 8 chiffres : ceux que votre lecteur affiche. "
    "N’entrez jamais ici le code secret de votre carte."
)
IMPOSSIBLE = N_(
    "Ce nombre n’est pas un code Sésame : il a sans doute été mal recopié. "
    "Relisez l’écran de votre lecteur."
)
SWAPPED = N_(
    "Les deux champs étaient inversés. Votre code utilisateur est maintenant à sa place : "
    "entrez de nouveau votre code Sésame."
)
USER_CODE_AGAIN = N_(
    "C’est votre code utilisateur que vous avez entré ici. Le code Sésame, ce sont les 8 chiffres "
    "que votre lecteur affiche après la touche « Code »."
)
CODE_AGAIN = N_(
    "C’est le code Sésame que vous avez entré ici. Le numéro qui est demandé ne vient pas du "
    "lecteur : il est écrit sur papier."
)
SAME_TWICE = N_(
    "Les deux codes sont les mêmes. Éteignez le lecteur, rallumez-le, faites un second code "
    "et entrez-le ici."
)
NOT_THE_USER_CODE = N_(
    "C’est votre code utilisateur que vous avez entré ici. L’ancien code confidentiel est celui "
    "que vous aviez choisi ou reçu avant Sésame."
)
NOT_AN_OLD_CODE = N_("Entrez votre ancien code confidentiel : 128 caractères au plus.")


def read_sesame(bank: Bank, fields: Mapping[str, str]) -> Typed | Mistake:
    """A user code and a code Sésame, in every spelling that people use."""
    typed_user_code, typed_code = fields.get("user_code", ""), fields.get("code", "")
    user_code, code = _user_code(typed_user_code), _code(typed_code)
    if code is None and _code(typed_user_code) and (swapped := _user_code(typed_code)):
        return Mistake(code=SWAPPED, swapped=swapped)
    wrong = _wrong_code(bank, typed_code, user_code)
    if user_code is None or code is None or wrong:
        return Mistake(user_code=None if user_code else NOT_A_USER_CODE, code=wrong)
    return Typed(user_code, code)


def read_two_codes(bank: Bank, fields: Mapping[str, str]) -> Typed | Mistake:
    """A user code and two codes Sésame, one made after the other."""
    user_code = _user_code(fields.get("user_code", ""))
    typed = [fields.get(name, "") for name in ("code", "next_code")]
    first, second = (_code(text) for text in typed)
    wrong, next_wrong = (_wrong_code(bank, text, user_code) for text in typed)
    if wrong is None and first == second:
        next_wrong = SAME_TWICE
    if user_code is None or first is None or second is None or wrong or next_wrong:
        missing = None if user_code else NOT_A_USER_CODE
        return Mistake(user_code=missing, code=wrong, next_code=next_wrong)
    return Typed(user_code, TwoCodes(first, second))


def with_number(
    read: Callable[[Bank, Mapping[str, str]], Typed | Mistake], malformed: str
) -> Callable[[Bank, Mapping[str, str]], Typed | Mistake]:
    """What *read* reads, and a number beside it, of which *malformed* says what it is (French)."""

    def read_both(bank: Bank, fields: Mapping[str, str]) -> Typed | Mistake:
        typed, number = read(bank, fields), _number(fields.get("number", ""))
        if number is not None and number == _digits(fields.get("code", "")):
            wrong: str | None = CODE_AGAIN
        else:
            wrong = malformed if number is None else None
        if isinstance(typed, Mistake):
            return replace(typed, number=wrong)
        return Mistake(number=wrong) if number is None or wrong else replace(typed, number=number)

    return read_both


def read_old_code(_bank: Bank, fields: Mapping[str, str]) -> Typed | Mistake:
    """A user code and the password used before."""
    user_code, typed = _user_code(fields.get("user_code", "")), fields.get("old_code", "")
    if user_code is not None and _user_code(typed) == user_code:
        return Mistake(code=NOT_THE_USER_CODE)
    try:
        old_code = parse_old_code(typed)
    except MalformedOldCode:
        old_code = None
    if user_code is None or old_code is None:
        return Mistake(
            user_code=None if user_code else NOT_A_USER_CODE,
            code=None if old_code else NOT_AN_OLD_CODE,
        )
    return Typed(user_code, old_code)


def read_rehearsed_code(bank: Bank, fields: Mapping[str, str], user_code: UserCode) -> Code | str:
    """A code Sésame of a customer who is signed in, or what is wrong with it (French)."""
    typed = fields.get("code", "")
    wrong, code = _wrong_code(bank, typed, user_code), _code(typed)
    return wrong or code or NOT_A_CODE


def harmless(bank: Bank, typed: str) -> str:
    """The user code in the first field, to be shown again; "" where there is none.

    A PIN is not one; eight digits that may be a code Sésame are not shown either.
    """
    user_code = _user_code(typed)
    if user_code is None:
        return ""
    # What remains of it is asked, not what was typed: other signs may stand around a code.
    code = _code(user_code)
    if code is not None:
        try:
            check_possible(bank, code)
        except ImpossibleCode:
            return user_code
        return ""
    return user_code


def _wrong_code(bank: Bank, typed: str, user_code: UserCode | None) -> str | None:
    """What is wrong with what stands in the field of a code; None where it can be judged."""
    code, other = _code(typed), _user_code(typed)
    # With one letter it is rather a code with an O for a zero.
    if other is not None and (other == user_code or sum(map(str.isalpha, other)) > 1):
        return USER_CODE_AGAIN
    if code is None:
        return NOT_A_CODE
    try:
        check_possible(bank, code)
    except ImpossibleCode:
        return IMPOSSIBLE
    return None


def _number(typed: str) -> str | None:
    try:
        return parse_number(typed)
    except MalformedNumber:
        return None


def _digits(typed: str) -> str | None:
    code = _code(typed)
    return None if code is None else code.digits


def _user_code(typed: str) -> UserCode | None:
    try:
        return parse_user_code(typed)
    except MalformedUserCode:
        return None


def _code(typed: str) -> Code | None:
    try:
        return parse_code(typed)
    except MalformedCode:
        return None
