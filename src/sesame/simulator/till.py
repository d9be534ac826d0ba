"""The till of a shop: one payment with a chip card, as an EMV terminal makes it.

EMV 4.4 Book 1, 12 (selection), and Book 3, 10 (the steps in their order). The terminal is
attended and asks the bank about every payment. Pure but for the slot: time and chance come in as
arguments.

The bank that it asks is the demonstration's. It has no keys, checks no cryptogram, and approves
whatever a card asks about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag, auto, unique
from types import MappingProxyType

from sesame.cap.terminal_data import AIDS, ALL_AIDS
from sesame.card.memory import DIRECTORY_NAME
from sesame.emv.apdu import (
    AcType,
    Command,
    Sw,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
    tries_left,
    verify,
)
from sesame.emv.dol import decode_dol, fill
from sesame.emv.errors import CardRefused, EmvError
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode
from sesame.reader.application import (
    Cryptogram,
    Validity,
    decode_options,
    decode_tries,
    primitives,
)
from sesame.reader.errors import CardIsMute, CardUnfit
from sesame.reader.slot import Slot

HIGHEST_AMOUNT = 9_999_99  # cents
UN_LENGTH = 4  # bytes

# The applications that pay, in the order in which the terminal tries them.
PAYMENTS = tuple(aid for aid in ALL_AIDS if aid not in AIDS)

_ATC = slice(1, 3)  # where it stands in a cryptogram's data
_ATC_LENGTH = 2  # bytes
_DIRECTORY_SFIS = range(1, 11)  # Book 1, 12.2.3
_RECORDS = range(1, 256)
_PRIORITY = 0x0F  # b4 to b1 of 87; 0 is none
_NO_PRIORITY = 16  # behind all others
_CVM_RULES_AT = 8  # two amounts stand in front
_CVM_RULE = 2  # bytes: what to do, and when
_CVM_CODE = 0x3F  # b6 to b1 of a rule's first byte
_PLAINTEXT_PIN = (0x01, 0x03)  # checked by the card; 03: and a signature
_CVM_SUCCESSFUL = b"\x02"
_APPROVED = b"00"  # the ARC by which the bank says so, ISO 8583
_CENTURY = 1_00_00_00  # dates travel without it
_TVR_LENGTH = 5  # bytes

_TERMINAL: Mapping[int, bytes] = MappingProxyType(
    {
        Tag.TERMINAL_COUNTRY: bytes.fromhex("0250"),  # France
        Tag.TRANSACTION_CURRENCY: bytes.fromhex("0978"),  # euro
        Tag.TRANSACTION_TYPE: bytes.fromhex("00"),  # goods and services
        Tag.TERMINAL_TYPE: bytes.fromhex("22"),  # a merchant's, attended, can ask the bank
        Tag.TERMINAL_CAPABILITIES: bytes.fromhex("208000"),  # contacts; plaintext PIN
    }
)


class _Tvr(IntFlag):
    """Terminal Verification Results (95), five bytes as one number: Book 3, C5."""

    NO_DATA_AUTHENTICATION = 0x80_00_00_00_00
    EXPIRED = 0x40_00_00_00
    NOT_YET_EFFECTIVE = 0x20_00_00_00
    CVM_FAILED = 0x80_00_00
    PIN_TRIES_EXCEEDED = 0x20_00_00


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What is paid, and what makes this payment unlike any other."""

    amount: int  # cents, 1 to HIGHEST_AMOUNT
    today: int | None  # yyyymmdd as a number; None: the till has no date, and nothing expires
    un: bytes  # Unpredictable Number (9F37), 4 bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """What the till saw of the card."""

    last4: str  # digits of its number
    before: int  # its ATC when it went in
    after: int  # and with this payment


@dataclass(frozen=True, slots=True)
class Paid:
    """The bank approves and the card has completed: a TC."""

    card: Counted


@unique
class Refusal(Enum):
    """Why nothing was paid."""

    MUTE = auto()  # nothing answers
    NO_PAYMENT = auto()  # the card has no application that pays
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    BLOCKED = auto()  # no PIN try is left
    WRONG_PIN = auto()
    DECLINED = auto()  # by the card
    UNFIT = auto()  # what the card says lacks something, or contradicts itself


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was paid. A transaction that had begun is declined, and has moved the ATC."""

    why: Refusal
    tries_left: int | None = None  # with a wrong PIN, 1 to 15
    card: Counted | None = None  # where a transaction had begun and was declined


def pay(slot: Slot, pin: Pin, purchase: Purchase) -> Paid | Refused:
    """Pay *purchase* with the card in *slot*; a wrong *pin* costs the card one try.

    The card has no power before, and none after. Whatever a card answers becomes a refusal.

    Raises:
        SesameError: the slot could not do its work, for another reason than a mute card.
    """
    try:
        slot.power_on()
        fci = _select(slot)
        if fci is None:
            return Refused(Refusal.NO_PAYMENT)
        return _pay(_begin(slot, fci, purchase), pin, purchase.today)
    except CardIsMute:
        return Refused(Refusal.MUTE)
    except CardRefused:
        return Refused(Refusal.DECLINED)
    except (CardUnfit, EmvError):
        return Refused(Refusal.UNFIT)
    finally:
        slot.power_off()


# ── Selection, Book 1, 12 ────────────────────────────────────────────────────────────────────────


def _select(slot: Slot) -> dict[int, bytes] | None:
    """Select the application to pay with: what it says of itself, or None where none pays.

    What the card lists is tried first, then what the terminal knows.
    """
    for aid in _listed(slot) or PAYMENTS:
        answer = slot.transmit(select(aid))
        if answer.ok:
            fci = primitives(answer.data)
            if not fci.get(Tag.DF_NAME, b"").startswith(aid):
                raise CardUnfit("the card selected another application than was named")
            return fci
    return None


def _listed(slot: Slot) -> list[bytes]:
    """The AIDs of the card's directory that pay, the one that it prefers first."""
    answer = slot.transmit(select(DIRECTORY_NAME))
    if not answer.ok:
        return []  # a card need not have one
    sfi = int.from_bytes(primitives(answer.data).get(Tag.SFI, b""))
    if sfi not in _DIRECTORY_SFIS:
        raise CardUnfit(f"the directory says SFI {sfi}: personalise 88 with 1 to 10")
    entries: list[tuple[int, bytes]] = []
    for number in _RECORDS:
        record = slot.transmit(read_record(sfi, number))
        if not record.ok:
            break
        entries += _entries(record.data)
    return [aid for _, aid in sorted(entries, key=lambda entry: entry[0])]


def _entries(record: bytes) -> Iterator[tuple[int, bytes]]:
    """Priority and AID of each application in a directory's record that pays."""
    for template in decode(record):
        for entry in template.children() if template.tag == Tag.RECORD_TEMPLATE else ():
            if entry.tag != Tag.APPLICATION_TEMPLATE:
                continue
            found = primitives(entry.value)
            aid = found.get(Tag.AID, b"")
            priority = int.from_bytes(found.get(Tag.APPLICATION_PRIORITY, b"")) & _PRIORITY
            if aid.startswith(PAYMENTS):
                yield priority or _NO_PRIORITY, aid


# ── The transaction, Book 3, 10 ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)
class _Transaction:
    """A transaction that has begun. It does not print the card's number."""

    slot: Slot
    objects: Mapping[int, bytes]  # what the card says of itself
    values: Mapping[int, bytes]  # what the terminal says
    pan: Pan
    before: int

    def ask(self, kind: AcType, dol: Tag, seen: Mapping[int, bytes]) -> Cryptogram:
        """Ask for *kind*: the card gives it or declines with an AAC, Book 3, 9.3."""
        data = fill(decode_dol(self.objects[dol]), {**self.values, **seen})
        cryptogram = Cryptogram.decode(_answer(self.slot, generate_ac(kind, data)))
        if cryptogram.kind not in {kind, AcType.AAC}:
            raise CardUnfit(f"asked for {kind.name} the card gave what it may not give")
        return cryptogram

    def decline(self, why: Refusal, tvr: _Tvr, tries_left: int | None = None) -> Refused:
        """End what has only begun, and tell the card what was seen."""
        declined = self.ask(AcType.AAC, Tag.CDOL1, _results(tvr))
        return Refused(why, tries_left, self.counted(declined))

    def counted(self, cryptogram: Cryptogram) -> Counted:
        """What the ticket says of the card."""
        return Counted(self.pan.last4, self.before, _atc(cryptogram))


def _begin(slot: Slot, fci: Mapping[int, bytes], purchase: Purchase) -> _Transaction:
    """Initiate application processing, and read application data: Book 3, 10.1 and 10.2."""
    before = primitives(_answer(slot, get_data(Tag.ATC))).get(Tag.ATC, b"")
    if len(before) != _ATC_LENGTH:
        raise CardUnfit("the card does not say its ATC (9F36) in two bytes")
    values = {
        **_TERMINAL,
        Tag.AMOUNT_AUTHORISED: bytes.fromhex(f"{purchase.amount:012d}"),
        Tag.UN: purchase.un,
        Tag.TRANSACTION_DATE: bytes.fromhex(f"{(purchase.today or 0) % _CENTURY:06d}"),
    }
    pdol_values = fill(decode_dol(fci.get(Tag.PDOL, b"")), values)
    options = _answer(slot, get_processing_options(pdol_values))
    objects = dict(fci)
    for sfi, record in decode_options(options):
        objects |= primitives(_answer(slot, read_record(sfi, record)))
    # Those that every card must have, Book 3, 7.2; without the list no PIN is asked.
    for tag in (Tag.CDOL1, Tag.CDOL2, Tag.EXPIRY_DATE, Tag.PAN, Tag.CVM_LIST):
        if not objects.get(tag):
            raise CardUnfit(f"the card has no {tag.name} ({tag:X}): it cannot pay")
    pan = Pan.decode(objects[Tag.PAN])
    return _Transaction(slot, objects, values, pan, int.from_bytes(before))


def _pay(begun: _Transaction, pin: Pin, today: int | None) -> Paid | Refused:
    """Dates, PIN, the bank, and the card's last word: Book 3, 10.4 to 10.11."""
    rule = _pin_rule(begun.objects[Tag.CVM_LIST])
    refused = _check_dates(begun, today) or _check_pin(begun, pin)
    if refused is not None:
        return refused
    seen = _results(_Tvr(0)) | {Tag.CVM_RESULTS: rule + _CVM_SUCCESSFUL}
    asked = begun.ask(AcType.ARQC, Tag.CDOL1, seen)
    if asked.kind is AcType.AAC:
        return Refused(Refusal.DECLINED, card=begun.counted(asked))
    # Here a real terminal sends the ARQC to the bank, and waits for its word.
    completed = begun.ask(AcType.TC, Tag.CDOL2, seen | {Tag.ARC: _APPROVED})
    if _atc(completed) != _atc(asked):
        raise CardUnfit("the card counted within a transaction: its two ATCs differ")
    if completed.kind is AcType.AAC:
        return Refused(Refusal.DECLINED, card=begun.counted(completed))
    return Paid(begun.counted(completed))


def _check_dates(begun: _Transaction, today: int | None) -> Refused | None:
    validity = Validity.of(begun.objects)
    if today is None:
        return None
    if validity.expiry is not None and validity.expiry < today:
        return begun.decline(Refusal.EXPIRED, _Tvr.EXPIRED)
    if validity.effective is not None and today < validity.effective:
        return begun.decline(Refusal.NOT_YET_VALID, _Tvr.NOT_YET_EFFECTIVE)
    return None


def _check_pin(begun: _Transaction, pin: Pin) -> Refused | None:
    """Let the card compare the PIN, Book 3, 10.5.1."""
    said = begun.slot.transmit(get_data(Tag.PIN_TRY_COUNTER))  # a card need not say it
    if said.ok and decode_tries(said.data) == 0:
        return begun.decline(Refusal.BLOCKED, _Tvr.CVM_FAILED | _Tvr.PIN_TRIES_EXCEEDED)
    answer = begun.slot.transmit(verify(pin_block(pin)))
    left = tries_left(answer.sw)
    if left == 0 or answer.sw in {Sw.PIN_BLOCKED, Sw.REFERENCE_DATA_UNUSABLE}:
        return begun.decline(Refusal.BLOCKED, _Tvr.CVM_FAILED | _Tvr.PIN_TRIES_EXCEEDED)
    if left is not None:
        return begun.decline(Refusal.WRONG_PIN, _Tvr.CVM_FAILED, left)
    if not answer.ok:
        raise CardRefused(answer.sw, "VERIFY")
    return None


def _pin_rule(cvm_list: bytes) -> bytes:
    """The first rule (2 bytes) by which the card checks a plaintext PIN, Book 3, 10.5."""
    for at in range(_CVM_RULES_AT, len(cvm_list) - 1, _CVM_RULE):
        if cvm_list[at] & _CVM_CODE in _PLAINTEXT_PIN:
            return cvm_list[at : at + _CVM_RULE]
    raise CardUnfit("no rule of the CVM list (8E) lets the card check a plaintext PIN")


def _results(tvr: _Tvr) -> dict[int, bytes]:
    return {Tag.TVR: (tvr | _Tvr.NO_DATA_AUTHENTICATION).to_bytes(_TVR_LENGTH)}


def _atc(cryptogram: Cryptogram) -> int:
    return int.from_bytes(cryptogram.data[_ATC])


def _answer(slot: Slot, command: Command) -> bytes:
    """The data that *slot*'s card answers to *command*.

    Raises:
        CardRefused: its status word is not 9000.
    """
    answer = slot.transmit(command)
    if not answer.ok:
        raise CardRefused(answer.sw, command.name)
    return answer.data
