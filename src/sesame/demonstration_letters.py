"""What the bank of a demonstration posts to its customers: every letter, and the sheets.

The PINs are those of the simulator's file. What letters say by chance (references, a reader's
serial number, a Sésame card's activation number, the pattern over a PIN) grows from the seed of the
demonstration, so that the same day gives the same letters.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sesame.demonstration import Recipient
from sesame.letters.letter import (
    Addressee,
    CardKind,
    CardLetter,
    PinLetter,
    Posted,
    ReaderLetter,
    WelcomeLetter,
    every_sheet,
)

READER_MODEL = "Sesame R1"
_ACTIVATION_DAYS = 30
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # of references: none that is taken for another


def letters_of(recipients: Sequence[Recipient], seed: bytes, on: date) -> Iterator[Posted]:
    """All letters to *recipients*, dated *on*, and all sheets.

    No letter has the PIN of a bank card: its holder knows it, from payments.
    """
    for recipient in recipients:
        yield from _Desk(recipient, seed, on).letters()
    yield from every_sheet()


@dataclass(frozen=True, slots=True, repr=False)
class _Desk:
    """Who writes to one customer; it prints nothing."""

    recipient: Recipient
    seed: bytes
    on: date

    def letters(self) -> Iterator[Posted]:
        to, customer, on = _addressee(self.recipient), self.recipient.customer, self.on
        card = CardKind(customer.kind.value)
        activated = card is CardKind.SESAME  # a bank card signs in from the first
        yield CardLetter(to=to, reference=self._reference("card"), on=on, card=card)
        if card is CardKind.SESAME:
            yield PinLetter(
                to=to,
                reference=self._reference("pin"),
                on=on,
                card=card,
                pin=customer.pin,
                pattern=self._chance("pattern")[:16],
            )
        yield ReaderLetter(
            to=to,
            reference=self._reference("reader"),
            on=on,
            model=READER_MODEL,
            serial=f"SR1-{self._digits('serial')}",
            activation=self._digits("activation") if activated else None,
            activate_by=on + timedelta(days=_ACTIVATION_DAYS) if activated else None,
        )
        yield WelcomeLetter(
            to=to,
            reference=self._reference("welcome"),
            on=on,
            user_code=customer.user_code,
        )

    def _reference(self, kind: str) -> str:
        """`7QK4-XM2P`: of each letter another, so that none says whose the other is."""
        signs = [_SIGNS[byte % len(_SIGNS)] for byte in self._chance(f"reference of {kind}")[:8]]
        return f"{''.join(signs[:4])}-{''.join(signs[4:])}"

    def _digits(self, what: str) -> str:
        """`1234-5678`."""
        number = int.from_bytes(self._chance(what)) % 10**8
        return f"{number // 10**4:04d}-{number % 10**4:04d}"

    def _chance(self, what: str) -> bytes:
        """32 bytes, always the same for *what* of this customer."""
        told = f"{self.recipient.customer.user_code} {what}"
        return hmac.digest(self.seed, told.encode(), "sha256")


def _addressee(recipient: Recipient) -> Addressee:
    return Addressee(
        name=recipient.customer.name,
        address=recipient.address.below_name(),
        language=recipient.language,
        format=recipient.letter_format,
    )
