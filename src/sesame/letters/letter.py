"""The letters, as values: each kind has what stands in it and no field for anything else.

No letter has a PAN. A PIN stands in a `PinLetter`, a user code in a `WelcomeLetter`, an activation
number in a `ReaderLetter`, and in no other: what is never put together cannot be stolen together.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum, unique
from secrets import token_bytes

from sesame.catalogue import Language
from sesame.letters.errors import MalformedLetter
from sesame.postal import LONGEST_NAME, MOST_LINES, LetterFormat, fits_window, unseen
from sesame.web.notice_words import WORDS

_REFERENCE = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{1,22})[A-Z0-9]")
_PIN = re.compile(r"[0-9]{4,12}")
_WORD = re.compile(r"[!-~][ -~]{0,38}[!-~]|[!-~]")  # printable ASCII, 1 to 40
_PATTERN = 16  # bytes


@unique
class CardKind(StrEnum):
    """Which card a letter is about."""

    BANK = "bank"
    SESAME = "sesame"


@unique
class Actor(StrEnum):
    """Who held or released a customer's codes."""

    OWNER = "owner"
    DESK = "desk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whom a letter is for, as the envelope's window shows it, and how it is written."""

    name: str = field(repr=False)
    address: tuple[str, ...] = field(repr=False)  # 1 to 5 lines below the name
    language: Language = Language.FRENCH
    format: LetterFormat = LetterFormat.NORMAL

    def __post_init__(self) -> None:
        """Refuse what is no name and address.

        Raises:
            MalformedLetter: a line is empty, overlong or has control characters; too many lines.
        """
        if not fits_window(self.address):
            raise MalformedLetter(
                f"an address has 1 to {MOST_LINES - 1} lines below the name, "
                f"not {len(self.address)}"
            )
        for line in (self.name, *self.address):
            if not line.strip() or len(line) > LONGEST_NAME:
                raise MalformedLetter(
                    f"a line of name or address has 1 to {LONGEST_NAME} characters, "
                    f"not {len(line.strip())}"
                )
            if unseen(line) is not None:
                raise MalformedLetter("a line of name or address holds a control character")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What every letter has."""

    to: Addressee
    reference: str  # 3 to 24 of A–Z, 0–9 and hyphens: says nothing of customer, card or user code
    on: date
    # Random bytes that leave with it: without them its SHA-256, which the manifest keeps, cannot be
    # tried out with all activation numbers there are. `write_batch` gives them to who has none.
    salt: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Refuse a reference of another form.

        Raises:
            MalformedLetter: likewise.
        """
        if not _REFERENCE.fullmatch(self.reference):
            raise MalformedLetter(
                "the reference of a letter is 3 to 24 of A-Z, 0-9 and, inside, hyphens"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLetter(Letter):
    """Carries the card."""

    card: CardKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLetter(Letter):
    """The only place of a PIN outside the chip."""

    card: CardKind
    pin: str = field(repr=False)  # 4 to 12 digits
    # The scrambling pattern grows from it. As it leaves with the letter, the letter's SHA-256,
    # which the manifest keeps, cannot be tried out with all the PINs there are.
    pattern: bytes = field(default_factory=lambda: token_bytes(_PATTERN), repr=False)  # 16 bytes

    def __post_init__(self) -> None:
        """Refuse what is no PIN.

        Raises:
            MalformedLetter: likewise; its message does not repeat it.
        """
        Letter.__post_init__(self)
        if not _PIN.fullmatch(self.pin):
            raise MalformedLetter(f"letter {self.reference}: a PIN has 4 to 12 digits")
        if len(self.pattern) != _PATTERN:
            raise MalformedLetter(f"letter {self.reference}: a pattern grows from 16 bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLetter(Letter):
    """Goes with the reader, in its parcel; or brings an activation number to who has a reader."""

    serial: str | None = None  # printable ASCII, 1 to 40, as on its back; None: no reader comes
    model: str | None = None  # likewise
    # Likewise: what the first login asks for. None: it asks for nothing, as of a bank card.
    activation: str | None = field(default=None, repr=False)
    activate_by: date | None = None

    def __post_init__(self) -> None:
        """Refuse what would not be read as it is meant.

        Raises:
            MalformedLetter: likewise.
        """
        Letter.__post_init__(self)
        pairs = ((self.serial, self.model), (self.activation, self.activate_by))
        if not all((one is None) == (other is None) for one, other in pairs):
            raise MalformedLetter(
                f"letter {self.reference}: a reader has a serial number and a model, an "
                "activation number a day until when it serves"
            )
        words = [word for word in (self.serial, self.model, self.activation) if word is not None]
        if not words or not all(map(_WORD.fullmatch, words)):
            raise MalformedLetter(
                f"letter {self.reference}: serial number, model and activation number are "
                "1 to 40 printable characters each"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomeLetter(Letter):
    """Opens the access: the user code."""

    user_code: str = field(repr=False)  # 8 of A–Z and 0–9
    old_code: bool = False  # it opens their space with an old code, until the first code Sésame

    def __post_init__(self) -> None:
        """Refuse what is no user code.

        Raises:
            MalformedLetter: likewise; its message does not repeat it.
        """
        Letter.__post_init__(self)
        if not re.fullmatch(r"[A-Z0-9]{8}", self.user_code):
            raise MalformedLetter(f"letter {self.reference}: a user code is 8 of A-Z and 0-9")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldNotice(Letter):
    """The customer's codes are held since a day."""

    since: date
    by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNotice(Letter):
    """They are free again."""

    since: date
    by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Letter):
    """Any other change that the customer has to hear of."""

    event: str  # one of `sesame.web.notice_words.WORDS`
    since: date

    def __post_init__(self) -> None:
        """Refuse an event that there are no words for.

        Raises:
            MalformedLetter: likewise.
        """
        Letter.__post_init__(self)
        if self.event not in WORDS:
            raise MalformedLetter(
                f"letter {self.reference}: there are no words for the event {self.event!r}: write "
                "them into sesame.web.notice_words"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderLetter(Letter):
    """The customer could use codes Sésame, and still has the old code."""

    activated: bool  # the card may sign in; else it waits for its activation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How a code is made and used, for one kind of card; the same for everybody."""

    card: CardKind
    language: Language = Language.FRENCH
    format: LetterFormat = LetterFormat.NORMAL


Posted = (
    CardLetter
    | PinLetter
    | ReaderLetter
    | WelcomeLetter
    | HoldNotice
    | ReleaseNotice
    | Notice
    | ReminderLetter
    | Sheet
)

_KINDS: dict[type[Posted], str] = {
    CardLetter: "card",
    PinLetter: "pin",
    ReaderLetter: "reader",
    WelcomeLetter: "welcome",
    HoldNotice: "hold",
    ReleaseNotice: "release",
    Notice: "notice",
    ReminderLetter: "reminder",
    Sheet: "sheet",
}


def kind_of(posted: Posted) -> str:
    """`card`, `pin`, `reader`, `welcome`, `hold`, `release`, `notice`, `reminder` or `sheet`."""
    return _KINDS[type(posted)]


def name_of(posted: Posted) -> str:
    """What identifies it among those of its kind, in errors and in the names of files."""
    if isinstance(posted, Sheet):
        return f"{posted.card}-{posted.language}-{posted.format}"
    return posted.reference
