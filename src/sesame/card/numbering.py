"""Numbers of the cards that we issue, and the name that is printed on one. Pure.

A Sésame card pays nowhere, and its number is in no scheme's directory. ISO/IEC 7812-1 gives the
numbers that begin with 9, followed by the digits of a country (ISO 3166-1, France has 250), to
what that country's own standards body assigns: no scheme has a card there. docs/limits.md says
what that is good for.
"""

import re
import unicodedata
from collections.abc import Callable

from sesame.card.errors import NameUnprintable, PersonalisationError
from sesame.emv.pan import Pan, luhn_digit

SESAME_PREFIX = "9250"
DIGITS = 16
LONGEST_NAME = 26  # characters, EMV 5F20
_SHORTEST_NAME = 2

_NATIONAL = re.compile(r"9[0-9]{3,8}")
_CHANCE = 16  # bytes: of so many a remainder is as good as even, within 2⁻⁹¹

# What no decomposition gives.
_LETTERS = str.maketrans(
    {
        "Œ": "OE",
        "Æ": "AE",
        "ẞ": "SS",
        "Ø": "O",
        "Ł": "L",
        "Đ": "D",
        "Ð": "D",
        "Þ": "TH",
        "Ħ": "H",
        "Ŧ": "T",
        "Ŋ": "N",
        "’": "'",
        "\u2018": "'",
        "\u02bc": "'",
        "\u2010": "-",  # and U+2011, which is decomposed to it
    }
)
_NOT_PRINTED = re.compile(r"[^ A-Z0-9'./-]+")


def check_prefix(prefix: str) -> None:
    """Have cards numbered under *prefix*, 4 to 9 digits of which the first is a 9.

    Raises:
        PersonalisationError: a number of it could be another issuer's card.
    """
    if not _NATIONAL.fullmatch(prefix):
        raise PersonalisationError(
            f"the prefix {prefix!r} of Sésame cards: give 4 to 9 digits, 9 first and a country "
            "(ISO 3166-1) behind it, as 9250; every other number may be somebody's payment card"
        )


def draw_number(prefix: str, random: Callable[[int], bytes]) -> Pan:
    """A number of 16 digits: *prefix*, a serial by chance, Luhn's digit.

    By chance, so that nobody counts the bank's cards by theirs, or guesses the next one. Of
    370,000 cards with eleven free digits two are alike with a chance of one half: the bank refuses
    a number that it has (by its `pan_hash`), and draws again.

    Args:
        prefix: as `check_prefix` wants it.
        random: so many bytes of chance.

    Raises:
        PersonalisationError: as `check_prefix`.
    """
    check_prefix(prefix)
    free = DIGITS - 1 - len(prefix)
    payload = f"{prefix}{int.from_bytes(random(_CHANCE)) % 10**free:0{free}d}"
    return Pan(payload + luhn_digit(payload))


def printed_name(name: str) -> str:
    """*name* as a card shows it: capitals without accents, 2 to 26 of them.

    A longer one ends with its last whole word that fits, or in the middle of its first.

    Raises:
        NameUnprintable: no two letters of it are Latin.
    """
    plain = unicodedata.normalize("NFKD", name.upper().translate(_LETTERS))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)
    words = _NOT_PRINTED.sub(" ", letters).split()
    printed = ""
    for word in words:
        longer = f"{printed} {word}".strip()
        if len(longer) > LONGEST_NAME:
            break
        printed = longer
    printed = printed or " ".join(words)[:LONGEST_NAME]
    if len(printed) < _SHORTEST_NAME:
        raise NameUnprintable
    return printed
