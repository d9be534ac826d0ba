"""Errors of the reader.

ReaderError
 ├ CardIsMute    nothing answers in the slot
 └ CardUnfit     the card answers, and cannot make a code that we could read
"""

from sesame.errors import SesameError


class ReaderError(SesameError):
    """Anything wrong between the reader and a card."""


class CardIsMute(ReaderError):
    """No answer: the card lies the wrong way round, is gone, or its chip is dead."""

    def __init__(self) -> None:
        super().__init__(
            "no answer from the card: insert it chip first, chip up, and clean the chip"
        )


class CardUnfit(ReaderError):
    """What the card says of itself lacks something, or contradicts itself."""
