"""What stands beside a customer's chain: custody's MACs in it, and the last ATCs of their cards.

An accepted line says which ATC of which card it took, so no last ATC may be lower than what its
chain says; and it bears a MAC of custody, which nobody can make who owns no more than the tables.
The first line says what cards began with, and a line of two persons where one begins lower: there
the last ATC stands, or above, and what is kept of the beginning says the same.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from sesame.bank.audit import BEGIN_CARDS, USE_CODES, unsealed
from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.moments import from_row, to_row
from sesame.bank.staff import shown
from sesame.store.chains import LastAtc

# Custody's MAC (32 bytes) over a line that has none yet.
Vouch = Callable[[bytes], Awaitable[bytes]]

# As the one spelling of a line has them.
_ACCEPTED = b'"outcome":"accepted"'
_BEGINS = (*(f'"event":"{event}"'.encode() for event in sorted(BEGIN_CARDS)), b'"lowered":[[')
# Lines that custody is asked about together: those who sign in meanwhile wait for so many MACs.
_AT_ONCE = 8


class _Said(msgspec.Struct, frozen=True):
    """What an accepted line says."""

    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    cards: tuple[tuple[int, str, int], ...] = ()  # number, how it was found, ATC
    mac: str = ""


class _Began(msgspec.Struct, frozen=True):
    """What a line says of what cards begin with."""

    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    cards: tuple[tuple[int, str, int], ...] = ()  # number, profile, ATC
    about: str = ""
    lowered: tuple[tuple[int, int, int], ...] = ()  # number, from, to

    def of(self, user_code: str) -> Iterator[tuple[int, int]]:
        """Numbers and ATCs of the cards of *user_code* that begin so."""
        if self.event in BEGIN_CARDS:
            yield from ((number, atc) for number, _, atc in self.cards)
        elif self.about == shown(user_code):
            yield from ((number, to) for number, _, to in self.lowered)


class _Waiting(NamedTuple):
    """A line that custody is to vouch for."""

    user_code: str
    version: int
    unsealed: bytes
    mac: str


class _Taken(NamedTuple):
    """That a line took an ATC of a card."""

    at: int
    atc: int
    version: int


class Beside:
    """What the lines of some customers say of their cards and of custody, as they come by."""

    def __init__(self, vouch: Vouch | None, *, with_cards: bool = True) -> None:
        """Without *vouch* no MAC is looked at; without cards, what a line took is not kept."""
        self._vouch = vouch
        self._with_cards = with_cards
        self._waiting: list[_Waiting] = []
        # By user code and number of the card; each ATC is lower than the one before it.
        self._taken: dict[tuple[str, int], list[_Taken]] = {}
        self._begun: dict[tuple[str, int], _Taken] = {}  # likewise: the last beginning
        self._false: dict[str, int] = {}  # versions, by user code
        self.vouched = 0  # lines

    async def look(self, user_code: str, version: int, line: bytes) -> None:
        """Look at the next line of a customer, by version.

        Raises:
            CustodyError: custody was to be asked, and does not answer.
        """
        said = _read(line)
        if said is None:
            if self._with_cards and any(mark in line for mark in _BEGINS):
                self._begin(user_code, version, line)
            return
        if self._with_cards:
            for number, _, atc in said.cards:
                self._take(user_code, number, _Taken(to_row(said.at), atc, version))
        if self._vouch is not None:
            await self._have_vouched(self._vouch, user_code, version, line, said.mac)

    async def findings(self, cards: Iterable[LastAtc]) -> list[Finding]:
        """What is wrong, where *cards*, read after the lines, are as they are.

        Of each customer the first line that custody does not vouch for; of those that took
        the highest ATC of a card, or had it begin, beyond its last one, the first; and of those
        that had a card begin otherwise than is kept of it. A card that is younger than a line is
        another card.

        Raises:
            CustodyError: as `look`.
        """
        if self._vouch is not None:
            await self._ask(self._vouch)
        cards = list(cards)
        lowered = _firsts(
            (card.user_code, taken.version)
            for card in cards
            for taken in (*self._taken_of(card), *self._beginning_of(card))
            if taken.atc > card.last_atc
        )
        otherwise = _firsts(
            (card.user_code, began.version)
            for card in cards
            for began in self._beginning_of(card)
            if card.begun not in {None, began.atc}
        )
        kinds = {
            Kind.FALSE_MAC: self._false,
            Kind.ATC_LOWERED: lowered,
            Kind.DISAGREES: otherwise,
        }
        return [
            Finding(kind, user_code, version)
            for kind, found in kinds.items()
            for user_code, version in found.items()
        ]

    def _taken_of(self, card: LastAtc) -> Iterator[_Taken]:
        taken = self._taken.get((card.user_code, card.card_number), ())
        return (one for one in taken if one.at >= card.since)

    def _beginning_of(self, card: LastAtc) -> Iterator[_Taken]:
        """One, or none where no line says it any more."""
        began = self._begun.get((card.user_code, card.card_number))
        if began is not None and began.at >= card.since:
            yield began

    def _begin(self, user_code: str, version: int, line: bytes) -> None:
        """Take in what *line* says of beginnings; one that cannot be read is the chain's matter."""
        try:
            said = _decode_beginning(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for number, atc in said.of(user_code):
            self._begun[user_code, number] = _Taken(to_row(said.at), atc, version)

    def _take(self, user_code: str, number: int, new: _Taken) -> None:
        taken = self._taken.setdefault((user_code, number), [])
        while taken and taken[-1].atc <= new.atc:
            taken.pop()
        taken.append(new)

    async def _have_vouched(
        self, vouch: Vouch, user_code: str, version: int, line: bytes, mac: str
    ) -> None:
        try:
            asked = unsealed(line)
        except msgspec.DecodeError:
            asked = b""
        if not (mac and asked):
            self._be_false(user_code, version)
            return
        self._waiting.append(_Waiting(user_code, version, asked, mac))
        if len(self._waiting) >= _AT_ONCE:
            await self._ask(vouch)

    async def _ask(self, vouch: Vouch) -> None:
        """Have custody vouch for the lines that wait."""
        waiting, self._waiting = self._waiting, []
        macs = await asyncio.gather(*(vouch(one.unsealed) for one in waiting))
        for (user_code, version, _, mac), made in zip(waiting, macs, strict=True):
            if hmac.compare_digest(made.hex().encode(), mac.encode()):
                self.vouched += 1
            else:
                self._be_false(user_code, version)

    def _be_false(self, user_code: str, version: int) -> None:
        self._false[user_code] = min(version, self._false.get(user_code, version))


def _read(line: bytes) -> _Said | None:
    """What *line* says, if it says that something was accepted."""
    if _ACCEPTED not in line:
        return None
    try:
        said = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE
    return said if said.event in USE_CODES else None


def _firsts(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The lowest version of each user code."""
    firsts: dict[str, int] = {}
    for user_code, version in found:
        firsts[user_code] = min(version, firsts.get(user_code, version))
    return firsts


_decode = msgspec.json.Decoder(_Said).decode
_decode_beginning = msgspec.json.Decoder(_Began).decode
# It says that something was accepted, not as this bank says it: no MAC can be right.
_UNREADABLE = _Said("login", from_row(0))
