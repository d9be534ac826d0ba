"""What happens to one user code, before anybody answers: a list that can be played again.

An event holds its own luck. So it goes the same way whatever stands beside it in the list, and
a list may be made shorter until only the events are left that a failure needs.
"""

from enum import StrEnum, unique

import msgspec


@unique
class Kind(StrEnum):
    """Who does what."""

    # The customer, one thing after the other.
    PAY = "pay"  # `n` times since the last event
    TRY_OUT = "try-out"  # makes `n` codes and throws them away
    APPROACH = "approach"  # until the next code is the last of its window, or `n` beyond it
    LOGIN = "login"
    LOSE = "lose"
    FORGET_PIN = "forget-pin"
    FORGET_DEVICES = "forget-devices"
    GIVE_CODES = "give-codes"  # `n` of them, to somebody who keeps them
    # Strangers, beside the customer.
    USE_GIVEN = "use-given"
    USE_SEEN = "use-seen"  # the code that the customer signed in with last
    GUESS = "guess"  # a code, or `n` in a row
    USE_STOLEN = "use-stolen"  # a card without its PIN
    # The bank; of no user code.
    RESTORE = "restore"  # of a backup that is `n` microseconds old; `luck` says which


OF_CUSTOMER = frozenset(
    {
        Kind.PAY,
        Kind.TRY_OUT,
        Kind.APPROACH,
        Kind.LOGIN,
        Kind.LOSE,
        Kind.FORGET_PIN,
        Kind.FORGET_DEVICES,
        Kind.GIVE_CODES,
    }
)
NOBODY_IN_PARTICULAR = 1 << 40
# Of a restore's `luck`: nothing left for another host meanwhile; the copy does not say that it is
# one, and only the heartbeat outside tells.
WITHOUT_STREAM, UNMARKED = 1, 2


class Event(msgspec.Struct, frozen=True, order=True):
    """Something that begins at the moment `at`.

    `who` is a customer's number from 0; below 0 it is a user code that nobody has.
    """

    at: int
    who: int
    kind: Kind
    luck: int = 0  # seeds all that is left to chance in it
    n: int = 0
    line: str = ""  # where strangers are, who come from no place of the customer's
