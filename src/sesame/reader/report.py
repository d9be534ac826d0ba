"""What an inspected card can do, as a value that may be shown to anybody. Pure.

It holds no card number, not even its last digits, no name, no track data, no full date and no
cryptogram: who reads it cannot make a code of it, nor find the cardholder. It is written as JSON
member by member (docs/reference/card-report.md), so its names are a schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Self

from sesame.cap.mode import Mode
from sesame.cap.terminal_data import Scheme

SCHEMA = "sesame-card-report/1"


@unique
class Severity(StrEnum):
    """What a finding means for whoever wants a code."""

    FAULT = "fault"  # no code, or none that a bank should accept
    WARNING = "warning"  # a code, and something to see to
    NOTE = "note"


@unique
class Kind(StrEnum):
    """What was found. Each has a sentence that says what it is and what to do."""

    severity: Severity

    def __new__(cls, name: str, severity: Severity) -> Self:
        """A kind is its name; how much it matters goes with it."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.severity = severity
        return kind

    # Of the card
    MUTE = "mute", Severity.FAULT  # nothing answers
    GONE = "gone", Severity.FAULT  # it has answered, and then no more
    CARD_BLOCKED = "card-blocked", Severity.FAULT
    NO_APPLICATION = "no-application", Severity.FAULT
    NO_CODE_APPLICATION = "no-code-application", Severity.WARNING  # payments only
    NO_DIRECTORY = "no-directory", Severity.NOTE
    CONTACTLESS_DIRECTORY = "contactless-directory", Severity.WARNING  # and no other one
    DIRECTORY_ORDER = "directory-order", Severity.NOTE  # codes are not the last that it lists
    ATR_MALFORMED = "atr-malformed", Severity.NOTE
    DIRECTORY_MALFORMED = "directory-malformed", Severity.WARNING
    RECORDING = "recording", Severity.NOTE  # what was not recorded may be there
    RECORDING_MADE_UP = "recording-made-up", Severity.NOTE  # only the cryptogram was recorded
    NOT_REPLAYED = "not-replayed", Severity.NOTE  # the transaction is not as we would make it

    # Of an application: how it opens
    LISTED_AND_ABSENT = "listed-and-absent", Severity.WARNING
    APPLICATION_BLOCKED = "application-blocked", Severity.FAULT
    SELECT_REFUSED = "select-refused", Severity.FAULT
    FCI_MALFORMED = "fci-malformed", Severity.FAULT
    NAME_DIFFERS = "name-differs", Severity.WARNING
    UNKNOWN_APPLICATION = "unknown-application", Severity.NOTE
    UNKNOWN_WITH_BITMAP = "unknown-with-bitmap", Severity.WARNING
    OPTIONS_REFUSED = "options-refused", Severity.FAULT  # GET PROCESSING OPTIONS
    OPTIONS_MALFORMED = "options-malformed", Severity.FAULT
    PDOL_MALFORMED = "pdol-malformed", Severity.FAULT

    # Its records
    RECORDS_CLOSED = "records-closed", Severity.NOTE  # until a transaction begins
    RECORD_MALFORMED = "record-malformed", Severity.WARNING
    RECORD_MISSING = "record-missing", Severity.WARNING
    RECORD_NOT_NAMED = "record-not-named", Severity.NOTE  # it is there, and not in the AFL
    CDOL_MISSING = "cdol-missing", Severity.FAULT
    CDOL_MALFORMED = "cdol-malformed", Severity.FAULT
    CDOL_TOO_LONG = "cdol-too-long", Severity.FAULT
    CDOL1_ODD = "cdol1-odd", Severity.WARNING  # does not begin with the eight elements
    CDOL1_MORE = "cdol1-more", Severity.NOTE
    CDOL2_WITHOUT_ARC = "cdol2-without-arc", Severity.WARNING
    NO_CHALLENGE = "no-challenge", Severity.WARNING  # the UN does not enter
    NO_AMOUNT = "no-amount", Severity.WARNING  # the IAF wants one and it does not enter
    CVM_LIST_MISSING = "cvm-list-missing", Severity.WARNING
    CVM_LIST_MALFORMED = "cvm-list-malformed", Severity.WARNING
    NO_PIN_RULE = "no-pin-rule", Severity.WARNING
    NO_VERIFICATION = "no-verification", Severity.WARNING  # the AIP announces none
    PAN_MISSING = "pan-missing", Severity.NOTE
    DATE_MALFORMED = "date-malformed", Severity.FAULT
    EXPIRED = "expired", Severity.FAULT
    NOT_YET_VALID = "not-yet-valid", Severity.FAULT

    # The bitmap and the flags
    BITMAP_MISSING = "bitmap-missing", Severity.FAULT
    BITMAP_OF_VISA = "bitmap-of-visa", Severity.NOTE  # the reader's own
    BELGIAN_FUNCTION = "belgian-function", Severity.NOTE
    BITMAP_EMPTY = "bitmap-empty", Severity.FAULT
    BITMAP_PAST_THE_DATA = "bitmap-past-the-data", Severity.FAULT
    FEW_BITS = "few-bits", Severity.FAULT
    MANY_BITS = "many-bits", Severity.WARNING
    NO_ATC_BITS = "no-atc-bits", Severity.FAULT
    ATC_BITS_NOT_LOWEST = "atc-bits-not-lowest", Severity.FAULT
    FEW_AC_BITS = "few-ac-bits", Severity.FAULT
    IAD_BITS = "iad-bits", Severity.NOTE
    PSN_BITS_MISSING = "psn-bits-missing", Severity.FAULT  # the IAF puts it in front
    PSN_MISSING = "psn-missing", Severity.FAULT
    IAF_MISSING = "iaf-missing", Severity.NOTE
    IAF_LONG = "iaf-long", Severity.NOTE
    IAF_RESERVED = "iaf-reserved", Severity.WARNING
    IAF_NO_AMOUNT = "iaf-no-amount", Severity.WARNING  # b6 without b8

    # The counters
    PIN_BLOCKED = "pin-blocked", Severity.FAULT
    LAST_TRY = "last-try", Severity.WARNING
    TRIES_UNKNOWN = "tries-unknown", Severity.NOTE
    ATC_NEAR_ITS_END = "atc-near-its-end", Severity.WARNING
    ATC_AT_ITS_END = "atc-at-its-end", Severity.FAULT

    # The transaction
    PIN_NOT_ASKED = "pin-not-asked", Severity.FAULT  # the tries are not those agreed to
    WRONG_PIN = "wrong-pin", Severity.WARNING
    VERIFY_REFUSED = "verify-refused", Severity.FAULT
    DECLINED = "declined", Severity.FAULT  # an AAC
    APPROVED = "approved", Severity.FAULT  # a TC, which nobody may give for a code
    AC_REFUSED = "ac-refused", Severity.FAULT
    AC_MALFORMED = "ac-malformed", Severity.FAULT
    IAD_UNKNOWN = "iad-unknown", Severity.WARNING
    CVN_UNKNOWN = "cvn-unknown", Severity.WARNING
    PIN_NOT_IN_CVR = "pin-not-in-cvr", Severity.FAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that somebody should know; `facts` are the places of its sentence."""

    kind: Kind
    aid: str | None = None  # of the application that it is about; None: of the card
    facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.kind.severity


@unique
class Role(StrEnum):
    """What an application is to a reader of codes."""

    CODES = "codes"  # CAP's or DPA's
    CAP_STYLE = "cap-style"  # of payments, on a card without one for codes
    PAYMENT = "payment"  # of payments, beside one for codes
    UNKNOWN = "unknown"  # no reader looks for it


@unique
class Verdict(StrEnum):
    """The report in one word."""

    CODES = "codes"  # it makes codes
    CAP_STYLE = "cap-style"  # it does through its payments, for a bank that knows them
    CLOSED = "closed"  # its records are not read before a transaction
    NONE = "none"  # it makes none
    UNKNOWN = "unknown"  # it did not answer to the end


@dataclass(frozen=True, slots=True, kw_only=True)
class AtrReport:
    """What the card says when it gets power.

    Its historical bytes are not there: the issuer chooses them, and some write a serial number.
    """

    convention: str  # direct, inverse
    protocols: tuple[str, ...]  # that it offers: T=0, T=1
    interface: str  # hexadecimal, from TS up to the historical bytes
    historical_bytes: int  # how many follow


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the card's directory."""

    aid: str
    label: str | None
    priority: int | None  # 1 first


@dataclass(frozen=True, slots=True)
class DolItem:
    """An object that the card asks for."""

    tag: str
    length: int  # bytes


@dataclass(frozen=True, slots=True)
class CvmRule:
    """A rule of the CVM list, Book 3, 10.5: what is done, and when."""

    code: int  # b6 to b1 of its first byte
    condition: int  # its second byte
    otherwise_next: bool  # b7: where it fails, the next one is tried


@unique
class OfflinePin(StrEnum):
    """How a reader without a network may have the PIN checked, by the rules of the CVM list."""

    PLAINTEXT = "plaintext"  # as readers of codes do
    ENCIPHERED = "enciphered"  # in no other way
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class AipBit:
    """A bit of the AIP that is set."""

    name: str  # RESERVED where EMV names none
    byte: int  # 1 or 2
    bit: int  # 8 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The IAF (9F55), explained."""

    value: str | None  # hexadecimal, its first byte; None where the card has none: as 00
    amount: bool  # mode 1 takes one
    currency: bool  # and a currency
    psn: bool  # the PSN stands in front of the answer


@unique
class Part(StrEnum):
    """Where in the card's answer bits are taken from, in this order."""

    PSN = "psn"
    CID = "cid"
    ATC = "atc"
    AC = "ac"
    IAD = "iad"
    BEYOND = "beyond"  # past everything that an answer may hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Neighbouring bits that the bitmap takes from one part of the answer."""

    part: Part
    byte: int  # of the part, from 1, in which it begins
    bit: int  # of that byte, 8 to 1
    bits: int  # how many
    shift: int  # what they spell counts 2**shift in the number
    names: tuple[str, ...] = ()  # what they say, where that is known: bits of the CVR


@unique
class BitmapSource(StrEnum):
    """Whose bitmap it is."""

    CARD = "card"
    VISA = "visa-default"  # the reader's, for Visa cards that have none
    BELGIAN = "belgian"  # the Belgian function's


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitmap:
    """The bitmap (9F56) that applies, explained."""

    source: BitmapSource
    value: str  # hexadecimal
    bits: int
    digits: int  # of the largest number, eight at least: zeros fill it up
    constant_bits: int  # of PSN and CID, the same in every code
    atc_bits: int
    ac_bits: int
    iad_bits: int
    leads_with_one: bool  # a constant 1 comes first: no code has zeros in front
    iad_layout: str | None  # by which the IAD's bits are named; None: by none
    iad_presumed: bool  # that layout is a guess from the application's name
    runs: tuple[Run, ...]


@unique
class Function(StrEnum):
    """What a reader offers."""

    CODE = "code"
    RESPOND = "respond"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether a function works with the card, and by which mode of CAP."""

    function: Function
    works: bool
    mode: Mode | None  # None where it does not
    amount: bool = False  # the card itself takes an amount
    currency: bool = False


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A profile that we know and that the card is like; `differs` names what is not alike."""

    profile: str
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CvrBit:
    """A bit, or a number of several bits, of the CVR that is not 0."""

    name: str
    byte: int  # of the CVR, from 1: of Visa's its length is the first
    bit: int  # the highest
    number: int  # 1, or what several bits spell


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptogramReport:
    """The answer to the first GENERATE AC, without the cryptogram itself."""

    kind: str | None  # ARQC, AAC, TC; None: no such kind
    atc: int
    iad_bytes: int
    layout: str | None = None  # of the IAD: visa, mchip, ccd; None: not one that we know
    dki: str | None = None
    cvn: str | None = None  # the byte
    recipes: tuple[str, ...] = ()  # that we know by this byte
    cvr: str | None = None
    cvr_bits: tuple[CvrBit, ...] = ()
    first_ac: str | None = None  # as the CVR says it
    second_ac: str | None = None
    pin: str | None = None  # right, wrong, not-checked
    pin_verified: bool | None = None  # a first ARQC behind a PIN that was right
    answer_format: int | None = None  # 1: packed behind 80; 2: TLV in 77


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationReport:
    """One application."""

    aid: str
    select_sw: str  # what SELECT was answered with: 9000 where it opens
    label: str | None = None
    preferred_name: str | None = None
    role: Role
    scheme: Scheme | None = None  # whose column of terminal data applies
    belgian: bool = False
    priority: int | None = None
    languages: tuple[str, ...] = ()
    tries_left: int | None = None
    atc: int | None = None
    last_online_atc: int | None = None
    records: int = 0  # that were read
    closed: bool = False  # its records are not read before a transaction
    aip: str | None = None
    aip_bits: tuple[AipBit, ...] = ()
    options_format: int | None = None  # of the answer that held it: as the cryptogram's
    issuer_country: str | None = None  # ISO 3166-1, three digits
    effective: str | None = None  # yyyy-mm
    expiry: str | None = None
    psn: str | None = None
    pan_digits: int | None = None  # how many the card number has
    pdol: tuple[DolItem, ...] = ()
    cdol1: tuple[DolItem, ...] = ()
    cdol2: tuple[DolItem, ...] = ()
    cvm: tuple[CvmRule, ...] = ()
    cvm_amounts: tuple[int, int] | None = None  # X and Y, in the smallest unit
    offline_pin: OfflinePin | None = None  # None: the card has no list that can be read
    flags: Flags | None = None
    bitmap: Bitmap | None = None
    abilities: tuple[Ability, ...] = ()
    resembles: tuple[Resemblance, ...] = ()
    cryptogram: CryptogramReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A card."""

    verdict: Verdict
    recorded: bool  # a session was played, no card was there
    atr: AtrReport | None  # None: nobody knows it, or it cannot be read
    directory: tuple[Listed, ...] | None  # None: it has none
    contactless: bool  # the directory is the one for readers without contacts
    applications: tuple[ApplicationReport, ...]
    findings: tuple[Finding, ...]
