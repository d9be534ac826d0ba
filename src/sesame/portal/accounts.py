"""Demonstration accounts: fictional, made from the user code, the same at every visit.

The bank of this project knows cards, not money. These figures only give the signed-in page
something to show.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

from sesame.catalogue import N_


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of an account; cents, negative where money leaves."""

    day: date
    label: str  # French, in the catalogue
    cents: int


@dataclass(frozen=True, slots=True)
class Account:
    """A fictional account and its latest movements, newest first."""

    name: str  # French, in the catalogue
    ending: str  # last four digits of its number
    cents: int
    movements: tuple[Movement, ...] = ()


# What comes and goes, with what it usually amounts to, in cents.
_PERSONAL = (
    (N_("Salaire"), 218_400),
    (N_("Loyer"), -74_000),
    (N_("Marché des producteurs"), -3_850),
    (N_("Électricité"), -6_200),
    (N_("Librairie du Canal"), -2_490),
    (N_("Remboursement de soins"), 2_650),
)
_ASSOCIATION = (
    (N_("Cotisations des adhérents"), 64_000),
    (N_("Location de la salle"), -18_000),
    (N_("Subvention de la commune"), 150_000),
    (N_("Assurance de l’association"), -21_300),
    (N_("Buvette de la fête d’été"), 43_720),
    (N_("Achat d’instruments"), -38_900),
)
_MOVEMENTS = 4


def demonstration_accounts(user_code: str, today: date) -> tuple[Account, ...]:
    """Two accounts for *user_code*: of a person, or of an association."""
    chance = hashlib.sha256(b"demonstration accounts\x00" + user_code.encode()).digest()
    association = bool(chance[0] % 2)
    usual = _ASSOCIATION if association else _PERSONAL
    movements = []
    for place in range(_MOVEMENTS):
        label, cents = usual[(chance[1] + place) % len(usual)]
        spread = cents * chance[2 + place] // 1024  # up to a quarter more
        day = today - timedelta(days=1 + 3 * place + chance[6 + place] % 3)
        movements.append(Movement(day, label, cents + spread))
    first = N_("Compte de l’association") if association else N_("Compte courant")
    balance = 50_000 + _number(chance[16:19]) % 900_000
    savings = _number(chance[24:27]) % 2_000_000
    return (
        Account(first, _ending(chance[20:22]), balance, tuple(movements)),
        Account(N_("Livret solidaire"), _ending(chance[22:24]), savings),
    )


def _ending(two: bytes) -> str:
    return f"{_number(two) % 10_000:04d}"


def _number(some: bytes) -> int:
    return int.from_bytes(some)
