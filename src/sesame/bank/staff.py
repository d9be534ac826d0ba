"""Members of staff: their roles, which of them go together, and the codes they are known by. Pure.

A member of staff is a subject like a customer: a row in `access`, a card, an audit chain, and
judged by the same `verify_login`. Their code is of another shape than any user code, so that
neither can be typed where the other belongs (docs/decisions/0033).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum, unique

from sesame.bank.card_numbers import has_card_number
from sesame.bank.errors import IncompatibleRoles, MalformedPersonnelNumber, MalformedStaffCode
from sesame.bank.user_code import ALPHABET, UserCode, check_character
from sesame.store.staff_mark import STAFF_MARK

_CHOSEN = 6  # characters by chance
_PERSONNEL_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,19}")
_STAFF_CODE = re.compile(rf"[{ALPHABET}]{{{_CHOSEN + 1}}}")

# The bank itself, as the subject of what no single person does. 0 is not in the alphabet: nobody
# can type it, and it has no card.
BANK_ITSELF = UserCode(STAFF_MARK + "0" * (_CHOSEN + 1))


@unique
class Role(StrEnum):
    """What a member of staff is there for."""

    ADVISER = "adviser"  # the help line: customers as they call
    ISSUER = "issuer"  # cards, PIN letters, readers
    OFFICER = "officer"  # security officer: staff, and every second signature
    AUDITOR = "auditor"  # looks at everything, changes nothing


# Pairs that nobody may hold, and why. What is not here goes together: an adviser may be an auditor,
# who has no power to examine on one's own behalf: an adviser decides nothing alone either.
INCOMPATIBLE: Mapping[frozenset[Role], str] = {
    frozenset({Role.ADVISER, Role.ISSUER}): (
        "an issuer sends card and PIN, an adviser says where letters go and hands over what "
        "activates: together that is a working card in one hand"
    ),
    frozenset({Role.ADVISER, Role.OFFICER}): (
        "an adviser blocks and asks for a block to be lifted, an officer agrees: one person would "
        "do both"
    ),
    frozenset({Role.ISSUER, Role.OFFICER}): (
        "an officer agrees to what is issued, and enrols staff: one person would order cards and "
        "let them go"
    ),
    frozenset({Role.ISSUER, Role.AUDITOR}): (
        "an auditor counts what was issued and posted, which its issuer must not do"
    ),
    frozenset({Role.OFFICER, Role.AUDITOR}): (
        "an auditor examines what officers agreed to, which no officer must do"
    ),
}


def check_roles(roles: Iterable[Role]) -> frozenset[Role]:
    """*roles*, where one person may hold them together.

    Raises:
        IncompatibleRoles: there is none, or two of them do not go together; says which and why.
    """
    held = frozenset(roles)
    if not held:
        raise IncompatibleRoles("a member of staff has at least one role")
    for pair, reason in INCOMPATIBLE.items():
        if pair <= held:
            raise IncompatibleRoles(f"{' and '.join(sorted(pair))}: {reason}")
    return held


def write_roles(roles: frozenset[Role]) -> str:
    """*roles* as a row holds them: sorted, with blanks between."""
    return " ".join(sorted(roles))


def read_roles(written: str) -> frozenset[Role]:
    """The roles of a row."""
    return frozenset(map(Role, written.split()))


def parse_personnel_number(typed: str) -> str:
    """The institution's own number of a person, in capitals, without spaces.

    Raises:
        MalformedPersonnelNumber: it is none, or a card's.
    """
    number = "".join(typed.split()).upper()
    if not _PERSONNEL_NUMBER.fullmatch(number) or has_card_number(number):
        raise MalformedPersonnelNumber
    return number


def parse_staff_code(typed: str) -> UserCode:
    """Read a staff code as people type it: any case, spaces of every kind.

    Raises:
        MalformedStaffCode: what remains is not seven characters of our alphabet, or its check
            character says that it was mistyped. That is the same for codes that nobody has.
    """
    kept = "".join(c for c in typed if unicodedata.category(c)[0] not in "ZC")
    code = kept.upper() if kept.isascii() else ""
    if not _STAFF_CODE.fullmatch(code) or check_character(code[:-1]) != code[-1]:
        raise MalformedStaffCode
    return UserCode(STAFF_MARK + code)


def generate_staff_code(random_bytes: Callable[[int], bytes]) -> UserCode:
    """Make a new one: six characters by chance and their check character, behind the mark."""
    chosen = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes(_CHOSEN))
    return UserCode(STAFF_MARK + chosen + check_character(chosen))


def is_staff_code(code: str) -> bool:
    """Whether *code* is a member of staff's, or the bank's own, and no customer's."""
    return code.startswith(STAFF_MARK)


def shown(code: str) -> str:
    """A staff code as its owner types it, without the mark; a user code as it is."""
    return code.removeprefix(STAFF_MARK)
