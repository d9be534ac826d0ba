"""The modes of CAP, and what a person types for each.

docs/reference/emv-cap.md, sections 6 and 7. Reader and bank make the same values of the same
inputs, for these values enter the cryptogram.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum, unique
from types import MappingProxyType

from sesame.cap.errors import InputFault, MalformedInputs
from sesame.emv.tags import Tag

LONGEST_CHALLENGE = 8  # digits: the UN has 4 bytes
LONGEST_AMOUNT = 12  # digits, in minor units: 9F02 has 6 bytes
MOST_FIELDS = 10
LONGEST_FIELD = 10  # digits

_AMOUNT = re.compile(r"([0-9]{1,10})(?:[.,]([0-9]{1,2}))?")
_CHALLENGE = re.compile(r"[0-9]{0,8}")
_CURRENCY = re.compile(r"[0-9]{3}")
_FIELD = re.compile(r"[0-9]{1,10}")


@unique
class Mode(StrEnum):
    """What a code is made for; the values are those of the recorded sessions."""

    M1 = "M1"  # sign: a challenge or a payee, and the amount where the IAF asks for it
    M2 = "M2"  # identify: nothing is typed; our « Code »
    TDS = "M2+TDS"  # sign: numbers that the reader mixes into the cryptogram
    M3 = "M3"  # respond: a challenge


@unique
class Iaf(IntFlag):
    """Issuer Authentication Flags (9F55), first byte; b5 to b1 are reserved."""

    AMOUNT = 0x80  # b8: mode 1 takes an amount
    PSN = 0x40  # b7: the PSN stands in front of the answer
    AMOUNT_ONLY = 0x20  # b6: and no currency


NO_FLAGS = Iaf(0)  # where a card has no 9F55: neither amount nor PSN


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What was typed for one code, as digits; the PIN is not among it.

    Nothing at all in mode 1, and an empty challenge in mode 3, make the command of mode 2: the
    card cannot tell these apart, nor can the code (docs/reference/emv-cap.md, section 7).

    Raises:
        MalformedInputs: what the mode has no place for, or what is no number of its length.
    """

    mode: Mode = Mode.M2
    challenge: str = ""  # 0 to 8 digits; modes 1 and 3
    amount: int = 0  # in minor units, 0 to 999999999999; mode 1
    currency: str = ""  # ISO 4217, three digits, or empty; mode 1
    fields: tuple[str, ...] = ()  # 1 to 10 numbers of 1 to 10 digits; mode 2 with TDS

    def __post_init__(self) -> None:
        if not _CHALLENGE.fullmatch(self.challenge):
            raise MalformedInputs(InputFault.CHALLENGE)
        if not 0 <= self.amount < 10**LONGEST_AMOUNT:
            raise MalformedInputs(InputFault.AMOUNT)
        if self.currency and not _CURRENCY.fullmatch(self.currency):
            raise MalformedInputs(InputFault.CURRENCY)
        if not all(_FIELD.fullmatch(text) for text in self.fields):
            raise MalformedInputs(InputFault.FIELD)
        self._check_mode()

    def _check_mode(self) -> None:
        if self.challenge and self.mode not in (Mode.M1, Mode.M3):
            raise MalformedInputs(InputFault.NO_CHALLENGE_HERE, mode=self.mode)
        if (self.amount or self.currency) and self.mode is not Mode.M1:
            raise MalformedInputs(InputFault.NO_AMOUNT_HERE, mode=self.mode)
        if self.mode is Mode.TDS and not 1 <= len(self.fields) <= MOST_FIELDS:
            raise MalformedInputs(InputFault.FIELDS, count=len(self.fields))
        if self.fields and self.mode is not Mode.TDS:
            raise MalformedInputs(InputFault.NO_FIELDS_HERE, mode=self.mode)

    @property
    def un(self) -> bytes:
        """The Unpredictable Number (4 bytes): the challenge as BCD, zeros before it."""
        return bytes.fromhex(self.challenge.zfill(LONGEST_CHALLENGE))

    def binds(self, iaf: Iaf) -> bool:
        """Whether a code can be told from one of another mode, and of less.

        In mode 1 the card must take the amount, and there must be one; in mode 3 the challenge
        must not be zero. Else the card's command is that of another mode, and so is the code
        (docs/reference/emv-cap.md, section 7).
        """
        match self.mode:
            case Mode.M1:
                takes_currency = wants_currency(iaf) or not self.currency
                return bool(iaf & Iaf.AMOUNT and self.amount) and takes_currency
            case Mode.M3:
                return any(self.un)
        return True

    def values(self, iaf: Iaf) -> Mapping[int, bytes]:
        """What they put into a card's DOLs, by tag; *iaf* says whether the amount enters."""
        return MappingProxyType(
            {
                Tag.UN: self.un,
                **({Tag.AMOUNT_AUTHORISED: self._amount()} if iaf & Iaf.AMOUNT else {}),
                **({Tag.TRANSACTION_CURRENCY: self._currency()} if wants_currency(iaf) else {}),
            }
        )

    def _amount(self) -> bytes:
        return bytes.fromhex(f"{self.amount:0{LONGEST_AMOUNT}d}")

    def _currency(self) -> bytes:
        return bytes.fromhex(self.currency.zfill(4))


LOGIN = Inputs()  # our « Code »


def parse_amount(typed: str) -> int:
    """An amount as people write it, `1250`, `12,5` or `12.50`, in minor units.

    Raises:
        MalformedInputs: anything else, or more than ten digits before the point.
    """
    found = _AMOUNT.fullmatch(typed)
    if found is None:
        raise MalformedInputs(InputFault.SPELLING)
    return int(found[1] + (found[2] or "").ljust(2, "0"))


def wants_currency(iaf: Iaf) -> bool:
    """Whether mode 1 takes a currency beside the amount."""
    return bool(iaf & Iaf.AMOUNT and not iaf & Iaf.AMOUNT_ONLY)


def signature(iaf: Iaf, *, amount: int, payee: str, currency: str) -> Inputs:
    """What « Signer » asks of a card: mode 1 where it takes an amount, else mode 2 with TDS.

    Args:
        iaf: of the card.
        amount: in minor units, 1 or more.
        payee: the last digits of the payee's account, 1 to 8.
        currency: of the amount, ISO 4217, three digits; used where the IAF asks for it.

    Raises:
        MalformedInputs: nothing to pay, or what `Inputs` refuses.
    """
    if amount < 1:
        raise MalformedInputs(InputFault.NOTHING_TO_PAY)
    if not payee:
        raise MalformedInputs(InputFault.NO_PAYEE)
    if iaf & Iaf.AMOUNT:
        money = currency if wants_currency(iaf) else ""
        return Inputs(mode=Mode.M1, challenge=payee, amount=amount, currency=money)
    return Inputs(mode=Mode.TDS, fields=(str(amount), payee))
