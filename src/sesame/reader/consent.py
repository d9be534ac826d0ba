"""When a PIN may be tried: the last try is spent only by whoever agrees to that. Pure.

A card need not say how many tries are left (EMV 4.4 Book 3, 7.3). Then any may be the last.
"""


def may_be_last(tries_left: int | None) -> bool:
    """Whether a wrong PIN may block a card with *tries_left*; None: it does not say."""
    return tries_left is None or tries_left == 1


def covers(agreed: int | None, tries_left: int | None) -> bool:
    """Whether a PIN may be sent to a card with *tries_left* by whoever agreed to *agreed*.

    Who agreed to what may be the last try has agreed to any; everybody else to no fewer tries
    than they were told, and to none that may be the last. Where no try is left, nobody has.
    """
    if tries_left == 0:
        return False
    if may_be_last(agreed):
        return True
    return tries_left is not None and not may_be_last(tries_left) and tries_left >= (agreed or 0)
