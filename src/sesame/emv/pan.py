"""The card number (PAN): digits, Luhn's check, masking.

ISO/IEC 7812-1, Annex B; EMV 4.4 Book 3, Annex A (5A).
"""

import re
from dataclasses import dataclass
from typing import Self

from sesame.emv.errors import MalformedPan

_DIGITS = re.compile(r"[0-9]{8,19}")


@dataclass(frozen=True, slots=True, repr=False)
class Pan:
    """A card number of 8 to 19 digits that passes Luhn's check; it does not print itself.

    Raises:
        MalformedPan: other characters, another length, or Luhn's check fails.
    """

    digits: str

    def __post_init__(self) -> None:
        if not _DIGITS.fullmatch(self.digits):
            raise MalformedPan("a card number has 8 to 19 digits and nothing else")
        if luhn_digit(self.digits[:-1]) != self.digits[-1]:
            raise MalformedPan("the card number fails Luhn's check: a digit was mistyped")

    @property
    def last4(self) -> str:
        """The four digits that may be shown."""
        return self.digits[-4:]

    def encode(self) -> bytes:
        """The value of 5A: BCD, an F behind an odd number of digits."""
        return bytes.fromhex(self.digits + "F" * (len(self.digits) % 2))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the value of 5A: up to 10 bytes, filled with F.

        Raises:
            MalformedPan: as for the digits themselves.
        """
        return cls(value.hex().rstrip("f"))

    def __repr__(self) -> str:
        return f"Pan(…{self.last4})"


def luhn_digit(digits: str) -> str:
    """The digit that makes *digits* pass Luhn's check when it stands behind them."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 - place % 2)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)
