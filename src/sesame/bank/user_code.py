"""User codes: eight characters that the bank gave, an identifier and not a secret.

The portal treats every eight characters of A to Z and 0 to 9 alike; the check character
of those we generate serves desk and import.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NewType

from sesame.bank.errors import MalformedUserCode

UserCode = NewType("UserCode", str)

# Without 0 O 1 I: read aloud and copied by hand. 32 characters, so that a byte's low
# five bits choose one without bias.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LENGTH = 8
_EXPONENT = re.compile(r"[0-9]+E[0-9]+")
_USER_CODE = re.compile(r"[A-Z0-9]{8}")


def parse_user_code(typed: str) -> UserCode:
    """Read a user code as people type it: any case, spaces of every kind, line ends.

    Raises:
        MalformedUserCode: what remains is not eight characters of A to Z and 0 to 9.
    """
    if _USER_CODE.fullmatch(typed):
        return UserCode(typed)
    kept = "".join(c for c in typed if unicodedata.category(c)[0] not in "ZC")
    # Not upper() alone: it would turn other letters, a long s say, into ours.
    user_code = kept.upper() if kept.isascii() else ""
    if not _USER_CODE.fullmatch(user_code):
        raise MalformedUserCode
    return UserCode(user_code)


def generate_user_code(random_bytes: Callable[[int], bytes]) -> UserCode:
    """Make a new user code: seven characters by chance and their check character.

    None that a spreadsheet takes for a number with an exponent, and writes otherwise.
    """
    while True:
        chosen = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes(_LENGTH - 1))
        user_code = UserCode(chosen + check_character(chosen))
        if not _EXPONENT.fullmatch(user_code):
            return user_code


def has_check_character(user_code: UserCode) -> bool:
    """Whether *user_code* is one of those that are generated: of `ALPHABET`, rightly ended."""
    return set(user_code) <= set(ALPHABET) and check_character(user_code[:-1]) == user_code[-1]


def check_character(characters: str) -> str:
    """The character behind *characters* (of `ALPHABET`) that finds one wrong or two swapped.

    Luhn's check over 32 characters (ISO/IEC 7812-1, Annex B, for another base). Like
    Luhn's, it misses one pair of neighbours that change places: the first and the last
    of the alphabet, 2 and Z.
    """
    size = len(ALPHABET)
    total = 0
    for place, character in enumerate(reversed(characters)):
        doubled = ALPHABET.index(character) * (2 - place % 2)
        total += doubled // size + doubled % size
    return ALPHABET[-total % size]
