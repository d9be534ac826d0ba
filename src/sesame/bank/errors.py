"""Errors of the bank. A refused code is none of them: it is an outcome, and is stored.

BankError
 ├ MalformedUserCode   what was typed is no user code
 ├ MalformedOldCode    what was typed is no old code
 ├ ImpossibleCode      no card of this institution makes such a code
 ├ SameCodeTwice       two codes in a row were asked for
 ├ TooBusy             too many attempts at once: nothing was judged or counted
 ├ UserCodeTaken       enrolment: somebody has this user code
 ├ CardTaken           enrolment: somebody has this card
 ├ TooManyCards        enrolment: more cards than an attempt looks at
 ├ UnsuitableOldCode   enrolment: an old code's hash that costs more or less than ours
 └ NotEnrolled         enrolment of many: nobody was, for some cannot be
"""

from collections.abc import Mapping

from sesame.errors import SesameError

_NAMED = 10  # of those who cannot be enrolled; the error has all of them


class BankError(SesameError):
    """Anything that the bank will not do."""


class MalformedUserCode(BankError):
    """A user code has eight characters, A to Z and 0 to 9."""

    def __init__(self) -> None:
        super().__init__("a user code has eight characters, A to Z and 0 to 9")


class MalformedOldCode(BankError):
    """An old code has 1 to 128 characters."""

    def __init__(self) -> None:
        super().__init__("an old code has 1 to 128 characters")


class SameCodeTwice(BankError):
    """Two codes in a row are two different ones; this costs no try."""

    def __init__(self) -> None:
        super().__init__("the two codes are the same: make a second one and send both")


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


class UnsuitableOldCode(BankError):
    """The hash of an old code was made otherwise than ours, so that its time would tell."""

    def __init__(self) -> None:
        super().__init__(
            "the old code's hash is no argon2id of our parameters: "
            "make it with sesame.bank.old_code.OldCodes.hash"
        )


class NotEnrolled(BankError):
    """Nobody of a batch was enrolled. `refused` says who cannot be, by place from 0, and why."""

    def __init__(self, refused: Mapping[int, BankError]) -> None:
        named = [f"number {place + 1}: {why}" for place, why in sorted(refused.items())[:_NAMED]]
        more = [f"and {len(refused) - _NAMED} more"] if len(refused) > _NAMED else []
        super().__init__(
            f"nobody was enrolled. Take these out, or mend them: {'; '.join([*named, *more])}"
        )
        self.refused = refused
