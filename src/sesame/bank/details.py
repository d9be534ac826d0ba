"""What the institution's letters need of a customer."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Self

from babel import Locale

from sesame.postal import LetterFormat
from sesame.store.addresses import AddressRow
from sesame.store.details import DetailsRow

HOME = "FR"  # what a letter that stays in the country does not name


@unique
class WantedCard(StrEnum):
    """The card that somebody has, or is to be sent."""

    BANK = "bank"
    SESAME = "sesame"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PostalAddress:
    """Where letters go, as the French post counts its lines (NF Z 10-011); it prints nothing.

    Line 1 is the name, line 6 postcode and city. What there is none of is empty.
    """

    line_2: str = ""  # flat, floor, staircase
    line_3: str = ""  # building, entrance
    line_4: str = ""  # number and street
    line_5: str = ""  # hamlet, post-office box
    postcode: str
    city: str
    country: str = "FR"  # ISO 3166-1, two letters

    def __repr__(self) -> str:
        return "PostalAddress()"

    @classmethod
    def of(cls, row: AddressRow) -> Self:
        """As the store has it."""
        return cls(**row._asdict())

    def row(self) -> AddressRow:
        """As the store writes it."""
        return AddressRow(*(getattr(self, name) for name in AddressRow._fields))

    def below_name(self) -> tuple[str, ...]:
        """The lines of a window below the name; the country's name in capitals, abroad."""
        inner = (self.line_2, self.line_3, self.line_4, self.line_5)
        city = f"{self.postcode} {self.city}".strip()
        country = "" if self.country == HOME else country_name(self.country)
        return (*filter(None, inner), city, *filter(None, (country,)))


def country_name(code: str) -> str:
    """The country of that *code* (ISO 3166-1) as the French post reads it: French, in capitals."""
    return str(Locale("fr").territories.get(code, code)).upper()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Details:
    """What stands of a customer beside their name and language; it prints nothing."""

    address: PostalAddress
    letter_format: LetterFormat
    card_kind: WantedCard
    email: str | None = None
    old_code_to_come: bool = False  # their old code is set elsewhere, later
    reference: str | None = None  # the institution's own number for them

    def __repr__(self) -> str:
        return "Details()"

    def row(self) -> DetailsRow:
        """As the store writes it."""
        return DetailsRow(
            **self.address.row()._asdict(),
            letter_format=self.letter_format,
            email=self.email,
            card_kind=self.card_kind,
            old_code_to_come=self.old_code_to_come,
            reference=self.reference,
        )
