"""What the bank may ask of its keys, whoever keeps them.

A code and sealed cards go in, which candidates fit comes out. No key and no cryptogram
crosses this interface, and the mask is never the caller's: a service that took one would
be an oracle that gives a cryptogram away bit by bit (docs/reference/emv-cap.md, section
12.6). So a file, an HSM and a service that answers only "match" can all stand behind it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum, unique
from typing import Protocol, runtime_checkable

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profiles import PROFILES
from sesame.cap.token import Code
from sesame.cap.verification import HIGHEST_ATC, NEXT_WITHIN, REACH, Pair
from sesame.custody.errors import MalformedInquiry, ProfileUnknown, UnsuitableCard, UnsuitableKey
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan

CARDS_PER_CODE = 2
ATCS_PER_CARD = 2  # near and behind
CRYPTOGRAMS_PER_CODE = CARDS_PER_CODE * ATCS_PER_CARD  # always, so that work tells nothing

NO_ATC = 0  # the first transaction of a card has 1
KEYLESS: Pair = (NO_ATC, NO_ATC)
HIGHEST_DKI = 0xFF  # one byte
LONGEST_PAN = 16  # digits; option B derives longer ones otherwise, and we issue none

_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PSN = re.compile(r"[0-9]{2}")


@unique
class KeyUsage(StrEnum):
    """What a key is for. It is bound to the key when the key is made."""

    ISSUER_AC = "issuer-ac"  # issuer master key of a CAP application: derives card keys
    ISSUER_PAYMENT = "issuer-payment"  # the same of a payment application
    SEAL = "seal"  # AES-256-GCM of registered cards
    PAN_INDEX = "pan-index"  # HMAC-SHA256 that finds a PAN
    AUDIT = "audit"  # HMAC-SHA256 of audit lines
    SESSION = "session"  # HMAC-SHA256 of session tokens


@dataclass(frozen=True, slots=True)
class KeyRef:
    """A key by its label, for example `dpa-01`: what may be said of it outside custody."""

    label: str

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.label):
            raise UnsuitableKey(
                "a key's label has 1 to 32 small letters, digits and hyphens, no hyphen first"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRecord:
    """What custody must know of a card to predict its codes."""

    pan: Pan  # at most 16 digits
    psn: str  # two digits
    profile: str  # a name in `cap.profiles.PROFILES`
    key: KeyRef  # the issuer key its own key was derived from
    dki: int  # one byte, as in the card's IAD

    def __post_init__(self) -> None:
        if len(self.pan.digits) > LONGEST_PAN:
            raise UnsuitableCard("we issue card numbers of at most 16 digits")
        if not _PSN.fullmatch(self.psn):
            raise UnsuitableCard("a PAN sequence number (5F34) has two digits")
        if self.profile not in PROFILES:
            raise ProfileUnknown(self.profile)
        if not 0 <= self.dki <= HIGHEST_DKI:
            raise UnsuitableCard("a derivation key index is one byte")


@dataclass(frozen=True, slots=True)
class Registered:
    """A card as the bank stores it."""

    sealed: bytes = field(repr=False)
    pan_hash: bytes = field(repr=False)  # 32 bytes, as `pan_index` gives it


@dataclass(frozen=True, slots=True)
class Question:
    """One card and the ATCs that the code can claim for it."""

    sealed: bytes = field(repr=False)  # as `register` gave it
    context: bytes  # as it was given to `register`
    atcs: tuple[int, ...]  # 1 to 65535, at most two

    def __post_init__(self) -> None:
        if len(self.atcs) > ATCS_PER_CARD:
            raise MalformedInquiry("a card has at most two candidates: one near, one behind")
        if not all(1 <= atc <= HIGHEST_ATC for atc in self.atcs):
            raise MalformedInquiry("an ATC is a number from 1 to 65535")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One code and the cards it may come from; none at all is an inquiry too.

    `inputs` are what the bank expects to have been typed for it: nothing for a login. `known`:
    it comes from a browser that the customer has signed in with, and goes before strangers
    where custody is slow.
    """

    code: Code
    questions: tuple[Question, ...] = ()  # at most two
    inputs: Inputs = LOGIN
    known: bool = False

    def __post_init__(self) -> None:
        if len(self.questions) > CARDS_PER_CODE:
            raise MalformedInquiry("a code is asked of at most two cards")


@dataclass(frozen=True, slots=True)
class Fit:
    """The card of question number `question` (from 0) makes the code at `atc`.

    At `NO_ATC` it is no fit: custody does not have the card's issuer key, or not any more, and
    knows nothing of the card's codes.
    """

    question: int
    atc: int


@unique
class Reach(IntEnum):
    """How many pairs of ATCs two codes in a row are asked of, for each card; always all."""

    NEAR = 2  # the one in a single code's window, and the one behind
    FAR = REACH + 1  # all that a card can have run ahead, and the one behind


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """One card and the pairs of ATCs that two codes can claim for it."""

    sealed: bytes = field(repr=False)  # as `register` gave it
    context: bytes  # as it was given to `register`
    pairs: tuple[Pair, ...]  # each ATC 1 to 65535

    def __post_init__(self) -> None:
        if not all(1 <= atc < following <= HIGHEST_ATC for atc, following in self.pairs):
            raise MalformedInquiry("a pair is two ATCs from 1 to 65535, the second higher")
        # With one code known, pairs further apart would try another at many ATCs at once.
        if not all(following - atc <= NEXT_WITHIN for atc, following in self.pairs):
            raise MalformedInquiry(f"the ATCs of a pair are at most {NEXT_WITHIN} apart")


@dataclass(frozen=True, slots=True)
class PairInquiry:
    """Two codes in a row and the cards they may come from; none at all is an inquiry too.

    `known` as in an `Inquiry`;
    `inputs` are what the bank expects to have been typed for the first; the second is a login's.
    """

    first: Code
    second: Code
    reach: Reach
    questions: tuple[PairQuestion, ...] = ()  # at most two, of at most `reach` pairs
    known: bool = False
    inputs: Inputs = LOGIN

    def __post_init__(self) -> None:
        if len(self.questions) > CARDS_PER_CODE:
            raise MalformedInquiry("two codes are asked of at most two cards")
        if any(len(question.pairs) > self.reach for question in self.questions):
            raise MalformedInquiry(f"a card has at most {self.reach} pairs of candidates")


@dataclass(frozen=True, slots=True)
class PairFit:
    """The card of question number `question` (from 0) makes both codes at the ATCs of `pair`.

    `KEYLESS` is no fit, as `NO_ATC` is none.
    """

    question: int
    pair: Pair


class Custodian(Protocol):
    """Keys that can be used and not read.

    Where custody is not in this process, every call may also raise CustodyUnavailable: it does
    not answer now; and those for strangers CustodyBusy: too many of them wait already.
    """

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit, for each inquiry in order.

        Every inquiry costs exactly four cryptograms: for cards and candidates that are
        missing, those of a decoy. A card whose issuer key is not in this custody costs the same
        and has one `Fit`, at `NO_ATC`: one such card spoils nobody's answer.

        Raises:
            SealBroken: a sealed card was altered or is not of this context; says which.
                The whole call is without an answer.
            ProfileUnknown: a card was registered by a later version of this program.
        """
        ...

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit, for each inquiry in order; both codes or nothing.

        Every inquiry costs exactly two cards times its reach times two cryptograms: for cards
        and pairs that are missing, those of a decoy.

        Raises:
            SealBroken, ProfileUnknown: as `match`.
        """
        ...

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """*card* sealed: what the bank stores, and nobody but custody reads.

        The seal holds in *context* only, so that a row copied to another customer is
        refused: build it from the row's primary key.

        Raises:
            KeyMissing: there is no issuer key of that label.
            WrongUsage: the key is not the issuer key of a CAP application.
            ProfileUnknown: this custody takes no cards of that profile.
        """
        ...

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Each card sealed for its context, and its PAN's hash: one call for a whole batch.

        Raises:
            KeyMissing, WrongUsage, ProfileUnknown: as `register`.
        """
        ...

    async def pan_index(self, pan: Pan) -> bytes:
        """A keyed hash of *pan* (32 bytes): finds the card, tells nothing of the number."""
        ...

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """HMAC-SHA256 of *data* (32 bytes) under the key for *usage*.

        Raises:
            WrongUsage: *usage* is neither AUDIT nor SESSION.
        """
        ...

    async def close(self) -> None:
        """Let go of what has the keys, where that is elsewhere."""
        ...


@runtime_checkable
class RevealingCustodian(Custodian, Protocol):
    """A custodian that can also say a card's number. The portal's process holds none."""

    async def reveal(self, sealed: bytes, context: bytes) -> Pan:
        """The number of the card that `register` gave as *sealed* for *context*.

        Raises:
            SealBroken: it was altered, or is not of this context.
            WrongUsage: the custody process reveals nothing to this user.
        """
        ...


class IssuingCustodian(Custodian, Protocol):
    """A custodian that can also personalise cards. A process that verifies holds none."""

    async def card_key(self, card: CardRecord) -> DesKey:
        """The key that goes into the chip, derived from the card's issuer key as its profile says.

        Raises:
            KeyMissing: there is no issuer key of that label.
            WrongUsage: the key is not an issuer key.
        """
        ...
