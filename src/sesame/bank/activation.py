"""Numbers of eight digits that customers type beside a code: of activation, and of release.

An activation number goes with the reader, in its parcel. With a code of the waiting card it
proves, once, that card, PIN and reader arrived with one and the same person. The bank keeps a
keyed hash of it, which is one order's and no other's.
"""

import asyncio
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from functools import partial

from msgspec.structs import replace

from sesame.bank.bank import Bank
from sesame.bank.challenges import ChallengeResponse
from sesame.bank.errors import MalformedNumber
from sesame.bank.matching import Cause, Matches, TwoCodes, Verdict, asked_cards, judge
from sesame.bank.moments import to_row
from sesame.cap.token import Code
from sesame.custody.custodian import KeyUsage
from sesame.store.access import Access
from sesame.store.cards import CardState, Key
from sesame.store.holds import find_own_holds
from sesame.store.opening import OpenedCard
from sesame.store.orders import find_activations

_DIGITS = 8
_HALF = _DIGITS // 2
_NUMBER = re.compile(r"[0-9]{8}")
_BETWEEN = "-\u2010\u2011\u2012\u2013\u2014\u2212."  # hyphens and dashes as people type them
_TOTAL = 10**_DIGITS
_CHANCE = 8  # bytes: 2⁶⁴ leaves a bias of 10⁻¹¹
_NO_ORDER = 0  # the first has 1


@unique
class NumberUse(StrEnum):
    """What a number typed beside a code lets the code's card do."""

    ACTIVATION = "activation"  # sign in from now on
    RELEASE = "release"  # sign in again, after its owner's own hold


# Whose cards are looked at, and first which of them.
_ASKED_FIRST: Mapping[NumberUse, tuple[CardState, ...]] = {
    NumberUse.ACTIVATION: (CardState.WAITING, CardState.ACTIVE, CardState.HELD),
    NumberUse.RELEASE: (CardState.HELD, CardState.ACTIVE, CardState.WAITING),
}


@dataclass(frozen=True, slots=True, repr=False)
class WithNumber:
    """What proves that a card is there, and the number (eight digits) that opens it."""

    use: NumberUse
    number: str
    code: Code | TwoCodes | ChallengeResponse

    def __repr__(self) -> str:
        return f"WithNumber({self.use}, …)"


@dataclass(frozen=True, slots=True)
class Openings:
    """The cards that a number opens, each with what the database must still say of it.

    `late`: the numbers of those whose activation it would have been, had it come in time.
    """

    cards: Mapping[int, OpenedCard] = field(default_factory=dict)
    late: frozenset[int] = frozenset()


def make_number(random_bytes: Callable[[int], bytes]) -> str:
    """A new number, by chance, as letters and pages have it: `1234-5678`."""
    return spell_number(number_of(random_bytes(_CHANCE)))


def parse_number(typed: str) -> str:
    """The eight digits of a number as people type it: with or without hyphens and spaces.

    Raises:
        MalformedNumber: what remains is not eight digits.
    """
    kept = "".join(c for c in typed if c not in _BETWEEN and unicodedata.category(c)[0] not in "ZC")
    if not _NUMBER.fullmatch(kept):
        raise MalformedNumber
    return kept


async def activation_hash(bank: Bank, key: Key, order_number: int, number: str) -> bytes:
    """What the bank keeps of the activation *number* of an order (32 bytes).

    A MAC by custody, so that whoever reads the database cannot try all the numbers there are;
    over the order's place, so that no hash serves in another row.

    Raises:
        MalformedNumber: *number* is none.
    """
    bucket, user_code = key
    digits = parse_number(number)
    of_order = f"activation|{bucket}|{user_code}|{order_number}|{digits}"
    return await bank.custodian.mac(KeyUsage.SESSION, of_order.encode())


def spell_number(digits: str) -> str:
    """Eight digits as letters and pages have them: `1234-5678`."""
    return f"{digits[:_HALF]}-{digits[_HALF:]}"


def number_of(mac: bytes) -> str:
    """Eight digits that follow from a MAC (32 bytes): pure."""
    return f"{int.from_bytes(mac[:_CHANCE]) % _TOTAL:0{_DIGITS}d}"


async def release_hash(bank: Bank, key: Key, number: str) -> bytes:
    """What the bank keeps of the release *number* of the customer at *key* (32 bytes).

    Raises:
        MalformedNumber: *number* is none.
    """
    bucket, user_code = key
    digits = parse_number(number)
    return await bank.custodian.mac(
        KeyUsage.SESSION, f"release|{bucket}|{user_code}|{digits}".encode()
    )


def looked_at(access: Access, use: NumberUse, most: int) -> Access:
    """*access* with the cards that a code for *use* is tried with: pure."""
    return replace(access, cards=asked_cards(access, most, first=_ASKED_FIRST[use]))


async def find_openings(bank: Bank, access: Access, typed: WithNumber, now: datetime) -> Openings:
    """The cards of *access* that the number opens; as much work for a user code that nobody has.

    Raises:
        StoreUnavailable, CustodyUnavailable: that cannot be told now.
    """
    if typed.use is NumberUse.RELEASE:
        return await _find_releases(bank, access, typed.number)
    key = (access.bucket, access.user_code)
    asked = looked_at(access, typed.use, bank.limits.cards)
    waiting = {c.card_number for c in asked.cards if c.state == CardState.WAITING}
    orders = await bank.store.read(partial(find_activations, key=key))
    orders = [order for order in orders if order.card_number in waiting][: bank.limits.cards]
    numbers = [order.order_number for order in orders]
    numbers += [_NO_ORDER] * (bank.limits.cards - len(numbers))
    hashes = await asyncio.gather(
        *(activation_hash(bank, key, number, typed.number) for number in numbers)
    )
    right = [
        order
        for order, made in zip(orders, hashes, strict=False)  # those of no order come last
        if hmac.compare_digest(order.activation_hash, made)
    ]
    at = to_row(now)
    live = {card.card_number for card in access.cards if card.state != CardState.RETIRED}
    return Openings(
        cards={
            order.card_number: OpenedCard(
                card_number=order.card_number,
                was=CardState.WAITING,
                order_number=order.order_number,
                number_hash=order.activation_hash,
                retires=order.replaces if order.replaces in live else None,
            )
            for order in right
            if at < order.activation_until
        },
        late=frozenset(order.card_number for order in right if at >= order.activation_until),
    )


async def _find_releases(bank: Bank, access: Access, number: str) -> Openings:
    key = (access.bucket, access.user_code)
    held = {card.card_number for card in access.cards if card.state == CardState.HELD}
    holds = await bank.store.read(partial(find_own_holds, key=key))
    made = await release_hash(bank, key, number)
    return Openings(
        cards={
            hold.card_number: OpenedCard(
                card_number=hold.card_number, was=CardState.HELD, number_hash=hold.release_hash
            )
            for hold in holds
            if hold.card_number in held and hmac.compare_digest(hold.release_hash, made)
        }
    )


def judge_opening(
    access: Access, matches: Matches, openings: Openings, *, fresh: bool = False
) -> Verdict:
    """What a code with a number is worth, which fits at *matches* and opens *openings*: pure.

    Right where the code is one of a card that the number opens. One that is right for a login, or
    would be but for its card, opens nothing by that.
    """
    sure = {card.card_number for card in access.cards if card.sure or fresh}
    opened = {m.card_number for m in matches.near if m.card_number in openings.cards}
    plain = judge(access, matches, fresh=fresh)
    if opened & sure:
        active = {card.card_number for card in access.cards if card.state == CardState.ACTIVE}
        moved = (opened | active) & sure
        advance = tuple(found for found in matches.near if found.card_number in moved)
        return Verdict(None, advance, opens=_opened(openings, opened & sure))
    if opened:
        return Verdict(Cause.CARD_UNSURE, again=plain.again)
    if plain.cause is None:
        return Verdict(Cause.NOTHING_TO_OPEN)
    if plain.cause is Cause.CARD_NOT_ACTIVE:
        late = any(found.card_number in openings.late for found in matches.near)
        cause = Cause.NUMBER_EXPIRED if late else Cause.NUMBER_WRONG
        return Verdict(cause, again=plain.again)
    return plain


def _opened(openings: Openings, proved: set[int]) -> tuple[OpenedCard, ...]:
    """What is opened: a hold's cards together, of which one is there; else what was proved."""
    released = [one for one in openings.cards.values() if one.was is CardState.HELD]
    return tuple(released or (openings.cards[number] for number in sorted(proved)))
