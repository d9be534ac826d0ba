"""Errors of the card: making one, and the file that keeps it.

CardError
 ├ PersonalisationError   data that no card should carry
 │  └ NameUnprintable       a name without Latin letters
 ├ MalformedGroupings     bytes that are not a card as a bureau gets it
 └ CardFileError          the file: its path, and what to do
    ├ CardFileMissing     there is none
    ├ CardFileExists      there is one already
    ├ CardFileGone        it was deleted, or replaced, while it was in a reader
    ├ CardFileExposed     others than its owner may read it
    ├ CardFileDamaged     its bytes are not those that were written
    ├ CardFileTooNew      a later version of this program wrote it
    ├ CardFileUnusable    the system does not let us read or write it
    ├ CardKeyMissing      the key that opens it is not beside it
    └ CardInUse           another program holds the card

The chip itself raises nothing: it answers with a status word.
"""

import shlex
from pathlib import Path

from sesame.errors import SesameError


class CardError(SesameError):
    """Anything wrong with a virtual card."""


class PersonalisationError(CardError):
    """The card would contradict itself; the message says what to personalise instead."""


class NameUnprintable(PersonalisationError):
    """A card shows Latin letters, and the name has no two of them."""

    def __init__(self) -> None:
        super().__init__(
            "the name has no two letters that a card can show: order it with a name in Latin ones"
        )


class MalformedGroupings(CardError):
    """The bytes are not the data groupings of a Sésame card; no value of theirs is said."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"data groupings: {problem}. Have the file made anew")
        self.problem = problem


class CardFileError(CardError):
    """Anything wrong with the file *path*. Its content is what it was."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class CardFileMissing(CardFileError):
    """There is no card file, or no folder to put it in."""


class CardFileExists(CardFileError):
    """A card is made in a file of its own; this one is taken."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "this card exists already: reissue it, or choose another name")


class CardFileGone(CardFileError):
    """The file was deleted while its card was in a reader, or another one has its name now."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "this file was deleted, or another card put in its place, while its card was in a "
            "reader. Nothing was written: use the card that is there now, or reissue it",
        )


class CardFileExposed(CardFileError):
    """The file, or the key beside it, can be read by others than its owner."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, f"others may read this file: run  chmod 600 {shlex.quote(str(path))}"
        )


class CardFileDamaged(CardFileError):
    """The bytes are not those that were written."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "this card file is damaged, or is none. It was left as it is: put a new card in "
            "its place, not an old copy, which would make old codes again",
        )


class CardFileTooNew(CardFileError):
    """A later version of this program wrote the file."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            path,
            f"this card file has version {version}, newer than this program knows. It was left "
            "as it is: install the program that wrote it",
        )


class CardFileUnusable(CardFileError):
    """The system refused: permission, a full disk, a broken one."""

    def __init__(self, path: Path, refusal: OSError) -> None:
        super().__init__(path, f"cannot be used: {refusal.strerror}")
        self.reason = refusal.strerror


class CardKeyMissing(CardFileError):
    """The key that the card is encrypted under is not in its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "this is not the key of the cards here, or there is none: put the folder's card.key "
            "back, or reissue the cards",
        )


class CardInUse(CardFileError):
    """Another program, or another part of this one, holds the card."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "this card is in another reader: take it out there, and try again")
