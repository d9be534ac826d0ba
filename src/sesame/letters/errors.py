"""Errors of letters. None of them repeats a PIN, a user code, a name or an address.

LetterError
 ├ MalformedLetter    a value that no letter of ours has
 ├ AddressTooLong     it does not fit into the window of the envelope
 ├ UnprintableText    characters that no font of ours has
 └ BatchError
    ├ BatchExists     something stands where the batch should be written
    ├ MixedBatch      two kinds of letters, or two with one reference
    ├ NoBatch         no manifest of ours is in the folder
    ├ BatchDestroyed  it was destroyed before
    └ NotConfirmed    what is to be destroyed is not what was confirmed
       ├ OtherBatch     it is the folder of another batch
       ├ Miscounted     the batch has another number of letters
       └ StrangeFiles   the folder holds what the manifest does not name
"""

from datetime import datetime
from pathlib import Path

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


class NoBatch(BatchError):
    """What is at `path` is no manifest of a batch of ours."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}: name the folder of a batch")
        self.path = path


class BatchUnreadable(BatchError):
    """The system refuses the manifest at `path`, for `reason`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}: name the folder of a batch")
        self.path = path
        self.reason = reason


class BatchDestroyed(BatchError):
    """The letters in `folder` were destroyed at the moment `on`, ISO 8601."""

    def __init__(self, folder: Path, at: datetime) -> None:
        self.folder = folder
        self.on = at.isoformat()
        super().__init__(f"{folder}: was destroyed at {self.on}")


class NotConfirmed(BatchError):
    """The folder does not hold what was confirmed, so nothing of it was destroyed."""


class OtherBatch(NotConfirmed):
    """What is in `folder` is not the batch `batch`."""

    def __init__(self, folder: Path, batch: str) -> None:
        super().__init__(f"{folder}: is not the folder of batch {batch}: nothing was destroyed")
        self.folder = folder
        self.batch = batch


class Miscounted(NotConfirmed):
    """The batch in `folder` has so many `letters`, and not those that were `confirmed`."""

    def __init__(self, folder: Path, *, letters: int, confirmed: int) -> None:
        super().__init__(
            f"{folder}: has {letters} letters and {confirmed} are confirmed: nothing was "
            "destroyed. Count again, or print what is missing."
        )
        self.folder = folder
        self.letters = letters
        self.confirmed = confirmed


class StrangeFiles(NotConfirmed):
    """In `folder` are so many files that its manifest does not name."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(
            f"{folder}: holds {count} files that its manifest does not name: "
            "nothing was destroyed. Take them away first."
        )
        self.folder = folder
        self.count = count
