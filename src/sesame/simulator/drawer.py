"""The drawer of demonstration cards: whose they are, and what their holders know.

The bank stores no PIN, so the demonstration keeps its own in a file of the
simulator, `simulator.json` in the data folder, mode 0600.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Any

import msgspec

from sesame.simulator.errors import DrawerDamaged

FILE_NAME = "simulator.json"


@unique
class Kind(StrEnum):
    """What a customer holds; the values are those of `sesame demo --list`."""

    BANK = "bank"
    SESAME = "sesame"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCustomer:
    """A customer of the demonstration, with everything that a real one knows by heart."""

    name: str
    user_code: str  # as the bank spells it, 8 characters
    kind: Kind
    card: Path  # of the card file
    pin: str = field(repr=False)
    old_code: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStaff:
    """A member of staff of the demonstration, with a Sésame card for the desk."""

    name: str
    role: str  # French, in the catalogue
    staff_code: str  # as they type it, 7 characters
    card: Path
    pin: str = field(repr=False)


@unique
class Oddity(StrEnum):
    """Cards that belong to no customer: what a reader meets besides."""

    PAYMENT_ONLY = "payment-only"  # a bank card of another bank: no application that makes codes
    MUTE = "mute"  # the chip is dead
    EXPIRED = "expired"
    BLOCKED = "blocked"  # no PIN try is left


@dataclass(frozen=True, slots=True, kw_only=True)
class OddCard:
    """A card that makes no code. `card` is None for one whose chip is dead."""

    oddity: Oddity
    card: Path | None = None
    pin: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawer:
    """All demonstration cards, in the order in which the page shows them."""

    customers: tuple[DemoCustomer, ...] = ()
    odd_cards: tuple[OddCard, ...] = ()
    staff: tuple[DemoStaff, ...] = ()

    def card(self, name: str) -> Path | None:
        """The file of the card that the page calls *name*, None for a dead chip.

        Names are user codes, staff codes and the oddities: what comes from a browser never
        becomes part of a path.

        Raises:
            KeyError: the drawer has no such card.
        """
        return dict(self._named())[name]

    def _named(self) -> Iterator[tuple[str, Path | None]]:
        yield from ((customer.user_code, customer.card) for customer in self.customers)
        yield from ((member.staff_code, member.card) for member in self.staff)
        yield from ((odd.oddity.value, odd.card) for odd in self.odd_cards)


def load(path: Path) -> Drawer:
    """Read the drawer from *path*; card files are named relative to its folder.

    Raises:
        DrawerDamaged: the file is missing or is not what `save` writes.
    """

    def card_path(_kind: type, text: str) -> Path:
        return path.parent / text

    try:
        return msgspec.json.decode(path.read_bytes(), type=Drawer, dec_hook=card_path)
    except FileNotFoundError:
        raise DrawerDamaged(path, "the file is missing") from None
    except (msgspec.MsgspecError, ValueError, TypeError):
        # Not chained: msgspec quotes what it read, and here stand PINs.
        raise DrawerDamaged(path, "the file is not a drawer of cards") from None


def save(drawer: Drawer, path: Path) -> None:
    """Write *drawer* to *path*, which only its owner may read; the folder holds the cards.

    Raises:
        ValueError: a card lies outside the folder.
    """

    def relative(card: Any) -> str:  # noqa: ANN401 -- msgspec asks with whatever it does not know
        return Path(card).relative_to(path.parent).as_posix()

    content = msgspec.json.format(msgspec.json.encode(drawer, enc_hook=relative))
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
