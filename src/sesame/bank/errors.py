"""Errors of the bank. A refused code is none of them: it is an outcome, and is stored.

BankError
 ├ MalformedUserCode   what was typed is no user code
 ├ ImpossibleCode      no card of this institution makes such a code
 ├ TooBusy             too many attempts at once: nothing was judged or counted
 ├ UserCodeTaken       enrolment: somebody has this user code
 ├ CardTaken           enrolment: somebody has this card
 └ TooManyCards        enrolment: more cards than an attempt looks at
"""

from sesame.errors import SesameError


class BankError(SesameError):
    """Anything that the bank will not do."""


class MalformedUserCode(BankError):
    """A user code has eight characters, A to Z and 0 to 9."""

    def __init__(self) -> None:
        super().__init__("a user code has eight characters, A to Z and 0 to 9")


class ImpossibleCode(BankError):
    """No card of this institution makes this code: it was mistyped, and costs no try."""

    def __init__(self) -> None:
        super().__init__("no card of this institution makes such a code: it was mistyped")


class TooBusy(BankError):
    """Other attempts on the same user code came first; nothing was judged or counted."""

    def __init__(self) -> None:
        super().__init__(
            "other attempts on this user code came first: nothing was counted, try again"
        )


class UserCodeTaken(BankError):
    """The user code is somebody's already."""


class CardTaken(BankError):
    """The card (PAN and PSN) is somebody's already. The message never repeats its number."""


class TooManyCards(BankError):
    """An attempt looks at a bounded number of cards, so a customer has no more."""
