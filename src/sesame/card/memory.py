"""What a chip keeps: all that personalisation fixes, and the three counters that move.

EMV 4.4 Book 1, 10 to 12 (files, directory, FCI); Book 3, 5 and 7 (records, data
elements). Build a value and it is right: the checks of docs/reference/emv-cap.md,
section 14.1, are made here, and the chip relies on them.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique
from functools import cached_property, lru_cache

from sesame.cap.terminal_data import AIDS, STANDARD_ELEMENTS
from sesame.cap.verification import HIGHEST_ATC
from sesame.card.errors import PersonalisationError
from sesame.emv.atr import decode_atr
from sesame.emv.cryptogram_version import VISA_18
from sesame.emv.dol import DolEntry, decode_dol, dol_length
from sesame.emv.errors import MalformedAtr, MalformedDol, MalformedTlv
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, encode, encode_one, find

DIRECTORY_NAME = b"1PAY.SYS.DDF01"  # the Payment System Environment, Book 1, 12.2.2
DIRECTORY_SFI = 1
LONGEST_ANSWER = 255  # bytes of data; Le could ask for 256, no EMV length does
SHORTEST_AID, LONGEST_AID = 5, 16  # bytes

_HIGHEST_SFI = 30
_HIGHEST_RECORD = 255
_HIGHEST_PRIORITY = 15
_HIGHEST_CVR = 0xFFFFFF
_HIGHEST_TRIES = 15  # 63Cx has four bits for them
_LONGEST_COMMAND = 255  # bytes of data
_LONGEST_PDOL = 127  # bytes of data: template 83 with a length of one byte
_LANGUAGES = range(1, 5)  # how many fit 5F2D
_YEARS = range(2000, 2050)  # what a year of two digits means, Book 4, 6.7.3
_ANY_BYTE = range(256)

_PLAINTEXT_PIN_RULES = frozenset({0x01, 0x03})  # by the card; the same, with a signature
_RULE_CODE = 0x3F  # b6 to b1 of a CVM rule's first byte
_RULES_AT = 8  # two amounts stand in front

_LABEL = re.compile(r"[ -~]{1,16}")
_NAME = re.compile(r"[ -~]{2,26}")
_PSN = re.compile(r"[0-9]{2}")
_LANGUAGE = re.compile(r"[a-z]{2}")

# The bits of the CVR that the chip sees for itself; all others are personalised.
OBSERVED = (
    PIN_VERIFIED_ARQC
    | Cvr.SECOND_AC_TC
    | Cvr.FIRST_AC_TC
    | Cvr.PIN_FAILED
    | Cvr.UNABLE_TO_GO_ONLINE
    | Cvr.PIN_TRY_LIMIT_EXCEEDED
)


@unique
class CardKind(StrEnum):
    """What a card is for."""

    BANK = "bank"  # payments and codes: payments move the ATC too
    SESAME = "sesame"  # codes and nothing else
    PAYMENT = "payment"  # payments only: no reader makes a code with it


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One record of a file: its place, and its template `70` as READ RECORD gives it.

    `sfi` is 1 to 30, `number` 1 to 255, `value` at most 255 bytes.
    """

    sfi: int
    number: int
    value: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.sfi <= _HIGHEST_SFI or not 1 <= self.number <= _HIGHEST_RECORD:
            raise PersonalisationError(
                f"record {self.number} of SFI {self.sfi}: "
                "an SFI is 1 to 30, a record's number 1 to 255"
            )
        if len(self.value) > LONGEST_ANSWER:
            raise PersonalisationError(
                f"{self!r} has {len(self.value)} bytes: personalise at most {LONGEST_ANSWER}, "
                "and put the rest into another record"
            )
        try:
            objects = decode(self.value)
        except MalformedTlv as error:
            raise PersonalisationError(f"{self!r} is not TLV: {error}") from None
        if [o.tag for o in objects] != [Tag.RECORD_TEMPLATE]:
            raise PersonalisationError(f"{self!r} is not one template 70: put its objects in one")

    def __repr__(self) -> str:
        # No value: it may hold the card number.
        return f"Record({self.sfi}.{self.number})"


@dataclass(frozen=True, kw_only=True, repr=False)
class Application:
    """One application: what it says of itself, and the key that its cryptograms need."""

    aid: bytes  # 5 to 16 bytes
    label: str  # 1 to 16 characters of ASCII
    priority: int  # 1 to 15, 1 first
    aip: bytes  # 82, 2 bytes
    pdol: bytes = b""  # 9F38; empty where GPO needs no data
    records: tuple[Record, ...]
    cvn: int  # one byte
    dki: int  # one byte
    cvr: Cvr  # what every CVR says beside what the chip observes
    mk_ac: DesKey  # the card's own key
    strict: bool  # AAC where the PIN was not verified

    def __post_init__(self) -> None:
        self._check_names()
        self._check_cryptogram()
        self._check_lists()
        places = [(record.sfi, record.number) for record in self.records]
        if len(set(places)) < len(places):
            raise PersonalisationError(f"{self!r} has two records in one place: renumber one")
        if not any(rule & _RULE_CODE in _PLAINTEXT_PIN_RULES for rule in self._cvm_rules()):
            raise PersonalisationError(
                f"{self!r} has no CVM rule for a plaintext PIN: personalise 8E with 01 or 03"
            )

    @cached_property
    def cdol1(self) -> tuple[DolEntry, ...]:
        """What the first GENERATE AC wants (8C)."""
        return decode_dol(self._object(Tag.CDOL1))

    @cached_property
    def cdol2(self) -> tuple[DolEntry, ...]:
        """What the second GENERATE AC wants (8D)."""
        return decode_dol(self._object(Tag.CDOL2))

    @cached_property
    def pays(self) -> bool:
        """Whether it may answer a TC: one that makes codes never does.

        It makes codes by the name under which readers look for them, or by an IPB (9F56).
        """
        named = any(self.aid.startswith(aid) for aid in AIDS)
        return not named and self._found(Tag.IPB) is None

    @cached_property
    def afl(self) -> bytes:
        """94: four bytes for each run of neighbouring records, Book 3, 10.2.

        The last byte, records in offline authentication, is 0: we have none.
        """
        runs: list[tuple[int, int, int]] = []
        for sfi, number in sorted((record.sfi, record.number) for record in self.records):
            first = number
            if runs and (runs[-1][0], runs[-1][2]) == (sfi, number - 1):
                _, first, _ = runs.pop()
            runs.append((sfi, first, number))
        return b"".join(bytes([sfi << 3, first, last, 0]) for sfi, first, last in runs)

    def fci(self, languages: tuple[str, ...]) -> bytes:
        """The answer to SELECT, Book 1, 11.3.4."""
        about = [
            Tlv(Tag.APPLICATION_LABEL, self.label.encode()),
            Tlv(Tag.APPLICATION_PRIORITY, bytes([self.priority])),
        ]
        if self.pdol:
            about.append(Tlv(Tag.PDOL, self.pdol))
        return _fci(self.aid, tuple(about), languages)

    def _object(self, tag: Tag) -> bytes:
        value = self._found(tag)
        if value is None:
            raise PersonalisationError(f"{self!r} has no {tag:X}: personalise it in a record")
        return value

    def _found(self, tag: Tag) -> bytes | None:
        objects = (o for record in self.records for o in decode(record.value))
        return find(objects, tag)

    def _cvm_rules(self) -> bytes:
        """The first byte of each rule of the CVM list."""
        return self._object(Tag.CVM_LIST)[_RULES_AT::2]

    def _check_names(self) -> None:
        if not SHORTEST_AID <= len(self.aid) <= LONGEST_AID:
            raise PersonalisationError(f"an AID has 5 to 16 bytes, this one {len(self.aid)}")
        if not _LABEL.fullmatch(self.label) or not 1 <= self.priority <= _HIGHEST_PRIORITY:
            raise PersonalisationError(
                f"{self!r}: personalise a label (50) of 1 to 16 characters of ASCII "
                "and a priority (87) of 1 to 15"
            )

    def _check_cryptogram(self) -> None:
        if len(self.aip) != 2:  # noqa: PLR2004 -- tag 82
            raise PersonalisationError(f"{self!r}: the AIP (82) has 2 bytes")
        if self.cvn != VISA_18.cvn or self.dki not in _ANY_BYTE:
            raise PersonalisationError(
                f"{self!r}: the chip computes CVN {VISA_18.cvn:02X} (common session key, whole "
                "IAD) under a derivation key index of one byte"
            )
        if self.cvr & OBSERVED or not 0 <= self.cvr <= _HIGHEST_CVR:
            raise PersonalisationError(
                f"{self!r} fixes bits of the CVR that the chip observes, or that it has not: AC "
                "kinds, PIN, try limit and going online are not personalised"
            )

    def _check_lists(self) -> None:
        try:
            lists = (decode_dol(self.pdol), self.cdol1, self.cdol2)
        except MalformedDol as error:
            raise PersonalisationError(f"{self!r}: {error}") from None
        bounds = (_LONGEST_PDOL, _LONGEST_COMMAND, _LONGEST_COMMAND)
        if any(dol_length(dol) > most for dol, most in zip(lists, bounds, strict=True)):
            raise PersonalisationError(
                f"{self!r} asks for more than a command holds: personalise shorter lists, "
                "9F38 for 127 bytes, 8C and 8D for 255"
            )
        if self.cdol1[: len(STANDARD_ELEMENTS)] != STANDARD_ELEMENTS:
            raise PersonalisationError(
                f"{self!r}: personalise a CDOL1 (8C) that begins with the eight standard "
                "elements, or reader and bank disagree on the cryptogram"
            )

    def __repr__(self) -> str:
        return f"Application({self.aid.hex().upper()})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardData:
    """What is one card's own, beside its keys. It does not print its secrets."""

    name: str  # as on the card: 2 to 26 characters of ASCII
    pan: Pan
    psn: str = "00"  # two digits
    pin: Pin
    languages: tuple[str, ...] = ("fr", "en")  # one to four, the preferred one first
    effective: date
    expiry: date

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise PersonalisationError(
                "the name on a card has 2 to 26 characters of ASCII: write it without accents"
            )
        if not _PSN.fullmatch(self.psn):
            raise PersonalisationError("a PAN sequence number (5F34) has two digits")
        if len(self.languages) not in _LANGUAGES or not all(
            _LANGUAGE.fullmatch(language) for language in self.languages
        ):
            raise PersonalisationError(
                "personalise one to four languages (5F2D) of two small letters each"
            )
        if self.effective > self.expiry or not all(
            day.year in _YEARS for day in (self.effective, self.expiry)
        ):
            raise PersonalisationError(
                "a card is good from one day (5F25) to a later one (5F24), both in 2000 to 2049"
            )

    def __repr__(self) -> str:
        return f"CardData({self.pan!r})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardImage:
    """Everything that personalisation fixed. It does not print its secrets."""

    kind: CardKind
    data: CardData
    pin_try_limit: int  # 1 to 15
    atr: bytes  # of ISO/IEC 7816-3, 8.2: 2 to 33 bytes
    applications: tuple[Application, ...]  # in the order of the directory

    def __post_init__(self) -> None:
        if not 1 <= self.pin_try_limit <= _HIGHEST_TRIES:
            raise PersonalisationError("a PIN try limit is 1 to 15")
        try:
            decode_atr(self.atr)
        except MalformedAtr as error:
            raise PersonalisationError(f"the ATR is none: {error}") from None
        if not self.applications:
            raise PersonalisationError("a card without an application: personalise one at least")
        for application in self.applications:
            self._check_answers(application)

    @property
    def directory_fci(self) -> bytes:
        """The answer to SELECT of the directory, Book 1, 11.3.4."""
        about = (Tlv(Tag.SFI, bytes([DIRECTORY_SFI])),)
        return _fci(DIRECTORY_NAME, about, self.data.languages)

    @property
    def directory(self) -> tuple[Record, ...]:
        """The directory's records, one application in each, Book 1, 12.2.3."""
        return tuple(
            Record(DIRECTORY_SFI, number, encode_one(Tag.RECORD_TEMPLATE, _entry(application)))
            for number, application in enumerate(self.applications, start=1)
        )

    def _check_answers(self, application: Application) -> None:
        fci = application.fci(self.data.languages)
        # Its answer to GPO: template 80, a length of one or two bytes, the AIP, the AFL.
        longest = max(len(fci), len(application.afl) + 5)
        if longest > LONGEST_ANSWER:
            raise PersonalisationError(
                f"{application!r} does not fit into its answers: personalise a shorter PDOL "
                "(9F38), or records with fewer gaps between their numbers"
            )

    def __repr__(self) -> str:
        return f"CardImage({self.kind}, {self.data.pan!r})"


@dataclass(frozen=True, slots=True)
class Counters:
    """What moves while the card lives. All applications of a card share them."""

    atc: int  # of the last transaction, 0 to 65535
    pin_tries_left: int  # 0 to 15; at 0 the PIN is blocked
    last_online_atc: int = 0  # of the last payment that the bank approved, 0 to 65535

    def __post_init__(self) -> None:
        atcs = (self.atc, self.last_online_atc)
        if not all(0 <= atc <= HIGHEST_ATC for atc in atcs):
            raise PersonalisationError("an ATC is 0 to 65535")
        if not 0 <= self.pin_tries_left <= _HIGHEST_TRIES:
            raise PersonalisationError("a PIN try counter is 0 to 15")


@lru_cache(maxsize=64)  # of few kinds of card: nothing in it is a card's own
def _fci(name: bytes, about: tuple[Tlv, ...], languages: tuple[str, ...]) -> bytes:
    language = Tlv(Tag.LANGUAGE_PREFERENCE, "".join(languages).encode())
    proprietary = encode_one(Tag.FCI_PROPRIETARY, encode([*about, language]))
    return encode_one(Tag.FCI_TEMPLATE, encode_one(Tag.DF_NAME, name) + proprietary)


def _entry(application: Application) -> bytes:
    about = [
        Tlv(Tag.AID, application.aid),
        Tlv(Tag.APPLICATION_LABEL, application.label.encode()),
        Tlv(Tag.APPLICATION_PRIORITY, bytes([application.priority])),
    ]
    return encode_one(Tag.APPLICATION_TEMPLATE, encode(about))
