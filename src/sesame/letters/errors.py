"""Errors of letters. None of them repeats a PIN, a user code, a name or an address.

LetterError
 ├ MalformedLetter    a value that no letter of ours has
 ├ AddressTooLong     it does not fit into the window of the envelope
 ├ UnprintableText    characters that no font of ours has
 └ BatchError
    ├ BatchExists     something stands where the batch should be written
    ├ MixedBatch      two kinds of letters, or two with one reference
    └ NotConfirmed    what is to be destroyed is not what was confirmed
"""

from sesame.errors import SesameError


class LetterError(SesameError):
    """A letter that cannot be written, or a batch that cannot be kept."""


class MalformedLetter(LetterError):
    """A value that no letter of ours has."""


class AddressTooLong(LetterError):
    """Name and address do not fit into the window, in letters that a sorting machine reads."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"letter {reference}: name and address do not fit into the window of the envelope. "
            "Shorten the longest line, or spread it over the six lines that an address may have."
        )


class UnprintableText(LetterError):
    """No font of ours has these characters."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"letter {reference}: our fonts lack characters of the name or address. "
            "Write both in Latin, Greek or Cyrillic letters."
        )


class BatchError(LetterError):
    """A folder of letters is not what it should be."""


class BatchExists(BatchError):
    """Something stands where the batch should be written."""


class MixedBatch(BatchError):
    """A batch holds one kind of letter, and each reference once."""


class NotConfirmed(BatchError):
    """The folder does not hold what was confirmed, so nothing of it was destroyed."""
