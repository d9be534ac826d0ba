"""Why somebody does something that they answer for: a sentence of their own. Pure."""

import re
import unicodedata

from sesame.bank.card_numbers import has_card_number
from sesame.bank.errors import MisleadingReason, UnsuitableReason

SHORTEST_REASON = 5  # characters
LONGEST_REASON = 200
_LEADS = re.compile(
    r"""\d{4} | \d(?:[\s./()+-]*\d){5}  # a number, « 24/12 » not yet
    | @ | :// | www\. | [a-z0-9-]{2}\.[a-z]{2}""",
    re.VERBOSE,
)


def check_reason(typed: str) -> str:
    """A reason as it is written: one line, no blanks around it.

    Whoever decides reads it, and an auditor years later: no card's number is kept so.

    Raises:
        UnsuitableReason: it is too short or too long, or holds control characters or a card's
            number; says which.
    """
    reason = " ".join(typed.split())
    if has_card_number(reason):
        raise UnsuitableReason(SHORTEST_REASON, LONGEST_REASON, card_number=True)
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise UnsuitableReason(SHORTEST_REASON, LONGEST_REASON)
    return reason


def check_told_reason(typed: str) -> str:
    """A reason that all customers read, at the login too: as `check_reason`, and leads nowhere.

    Who reads it there trusts it as the bank's own word. Numbers to call and addresses stand in
    the settings, which no one person at the desk writes.

    Raises:
        MisleadingReason: it holds a number to call (four digits in a row, or six with signs
            between them) or an address of the web or of e-mail.
        UnsuitableReason: as `check_reason`.
    """
    reason = check_reason(typed)
    if _LEADS.search(unicodedata.normalize("NFKC", reason).casefold()):
        raise MisleadingReason
    return reason
