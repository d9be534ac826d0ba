"""Errors of custody. None carries a key, a passphrase, a code or a card number.

CustodyError
 ├ KeystoreError           something about one file; `path` says which
 │  ├ KeystoreMissing        no such file
 │  ├ KeystoreExists         a new keystore never replaces a file
 │  ├ KeystoreExposed        other users of the machine may read it
 │  ├ KeystoreInaccessible   the operating system refuses
 │  ├ KeystoreTooNew         written by a later version of this program
 │  ├ KeystoreDamaged        not as it was written, or not a keystore
 │  │  └ KeystoreAltered     somebody changed it and made the checksum fit
 │  ├ KeystoreWeak           a passphrase could be guessed faster than we allow
 │  └ WrongPassphrase        the file is whole, the passphrase is another
 ├ PassphraseUnreadable    the file that should hold the passphrase cannot be read
 ├ PassphraseExposed       other users of the machine may read that file
 ├ MalformedPassphrase     not one line of text
 ├ WeakPassphrase          too short or too plain to protect a new keystore
 ├ UnsuitableKey           wrong length, halves alike, or a label that is taken
 ├ KeyMissing              custody has no key of that label
 ├ WrongUsage              there is such a key, and it is not for this
 ├ UnsuitableCard          card data that custody cannot register
 ├ MalformedInquiry        more cards or candidates than one code may have
 ├ SealBroken              a sealed card was altered, moved, or comes from another keystore
 └ ProfileUnknown          a sealed card of a profile that this program does not have
"""

from pathlib import Path

from sesame.errors import SesameError


class CustodyError(SesameError):
    """Anything wrong with keys, their file, or what was sealed under them."""


class KeystoreError(CustodyError):
    """The keystore file at `path` cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"keystore {path}: {problem}")
        self.path = path


class KeystoreMissing(KeystoreError):
    """There is no file at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "no such file. Give its path, or make one: sesame keys create FILE")


class KeystoreExists(KeystoreError):
    """Something stands at `path` already. Keys in use must not be lost to a new keystore."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "exists already. Choose another path, or move that file away")


class KeystoreExposed(KeystoreError):
    """The file's `mode` lets other users in."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            path,
            f"mode {mode:04o} lets other users read or change it. Ask who could have copied it, "
            "then run chmod 600 on it",
        )
        self.mode = mode


class KeystoreInaccessible(KeystoreError):
    """The operating system refuses; `reason` is in its own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"{reason}. Check its folder, its owner and the space left")
        self.reason = reason


class KeystoreTooNew(KeystoreError):
    """The file has a format `version` that this program does not know."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            path, f"format version {version} is newer than this program. Install a later sesame"
        )
        self.version = version


class KeystoreDamaged(KeystoreError):
    """The file is not as it was written; `problem` says where that showed."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, f"{problem}. Put back a copy; nothing was changed")
        self.problem = problem


class KeystoreAltered(KeystoreDamaged):
    """The checksum fits and the seal does not: no accident does that."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "somebody changed it, and its checksum with it")


class KeystoreWeak(KeystoreError):
    """The file's cost of trying a passphrase is below the floor, and it is no demonstration."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "its argon2id cost is below the floor, which only demonstration keystores may be. "
            "Make a new keystore",
        )


class WrongPassphrase(KeystoreError):
    """The file is whole and the passphrase does not open it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the passphrase does not open it. Check capital letters and layout")


class PassphraseUnreadable(CustodyError):
    """The passphrase file at `path` cannot be read; `reason` is in the system's own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"passphrase file {path}: {reason}. Check its path and its owner")
        self.path = path
        self.reason = reason


class PassphraseExposed(CustodyError):
    """The `mode` of the passphrase file at `path` lets other users in."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            f"passphrase file {path}: mode {mode:04o} lets other users read or change it. Run "
            "chmod 600 on it, and make a new keystore if somebody could have read it"
        )
        self.path = path
        self.mode = mode


class MalformedPassphrase(CustodyError):
    """The passphrase is no line of text. The message never repeats it."""

    def __init__(self) -> None:
        super().__init__(
            "a passphrase is one line of text in UTF-8, without control characters: "
            "take away line ends and tabs, or save the file as UTF-8"
        )


class WeakPassphrase(CustodyError):
    """A new keystore wants more. The message never repeats the passphrase."""

    def __init__(self, *, shortest: int, different: int) -> None:
        super().__init__(
            f"the passphrase is too weak: use {shortest} characters or more, at least {different} "
            "of them different. Four words drawn by lot will do"
        )
        self.shortest = shortest
        self.different = different


class UnsuitableKey(CustodyError):
    """The key cannot stand in a keystore."""


class KeyMissing(CustodyError):
    """Custody has no key of `label`."""

    def __init__(self, label: str) -> None:
        super().__init__(f"custody has no key {label!r}. Is this the keystore of these cards?")
        self.label = label


class WrongUsage(CustodyError):
    """A key was asked to do what it is not for. Usage is bound to a key for ever."""


class UnsuitableCard(CustodyError):
    """The card's data contradict the profile, or EMV."""


class MalformedInquiry(CustodyError):
    """An inquiry has at most two cards with at most two candidates each."""


class SealBroken(CustodyError):
    """A sealed card does not open.

    From `Custodian.match`, `inquiry` and `question` count from 0 and say which one.
    """

    def __init__(
        self, problem: str, *, inquiry: int | None = None, question: int | None = None
    ) -> None:
        place = "" if inquiry is None else f" (inquiry {inquiry}, question {question})"
        super().__init__(f"sealed card{place}: {problem}. Do not use the row; look at its history")
        self.problem = problem
        self.inquiry = inquiry
        self.question = question

    def asked(self, *, inquiry: int, question: int) -> "SealBroken":
        """The same error, with its place in what the custodian was asked."""
        return SealBroken(self.problem, inquiry=inquiry, question=question)


class ProfileUnknown(CustodyError):
    """The sealed card names a profile that this custody does not hold."""

    def __init__(self, profile: str) -> None:
        super().__init__(f"no profile {profile!r} here: was the card registered by a later sesame?")
        self.profile = profile
