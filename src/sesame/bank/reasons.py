"""Why somebody does something that they answer for: a sentence of their own. Pure."""

from sesame.bank.errors import UnsuitableReason

SHORTEST_REASON = 5  # characters
LONGEST_REASON = 200


def check_reason(typed: str) -> str:
    """A reason as it is written: one line, no blanks around it.

    Raises:
        UnsuitableReason: it is too short or too long, or holds control characters.
    """
    reason = " ".join(typed.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise UnsuitableReason(SHORTEST_REASON, LONGEST_REASON)
    return reason
