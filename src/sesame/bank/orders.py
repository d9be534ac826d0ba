"""Who is to have a card: many at once by two persons' word, or one in the place of another.

An order is a row that says so; `sesame.bank.issuing` makes its card, `sesame.bank.dispatching`
posts what belongs to it. What many customers are to be sent is asked for by an issuer and granted
by an officer; the grant is carried out afterwards, in commits of a few hundred, and for each
customer once (docs/decisions/0036).
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum, unique
from functools import partial

from sesame.bank.approvals import Asked, Kind, Wish
from sesame.bank.approving import ask, granted_since
from sesame.bank.bank import Bank
from sesame.bank.dispatching import new_references, plan_dispatches, to_be_told
from sesame.bank.errors import NothingToOrder
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.post_days import PostDays
from sesame.bank.staff import BANK_ITSELF, shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from sesame.store.buckets import bucket_of
from sesame.store.cards import living_card
from sesame.store.dispatches import READER, WELCOME, DispatchRow
from sesame.store.issuing import take_orders
from sesame.store.orders import BANK, SESAME, Wanting, count_to_make, count_wanting, who_wants

ORDERED = "card-ordered"  # the event of a line
MOST_AT_ONCE = 10_000  # customers of one request: their codes stand in it
_A_COMMIT = 200  # orders of one commit: logins of the same customers wait for it
# A grant that nobody carried out for so long is none any more.
GRANT_GOOD_FOR = timedelta(days=30)
_CODE = 8  # characters of a user code
_NO_ADDRESS = ""  # it comes from the institution itself
_LISTS = {"cards": SESAME, "readers": BANK}  # of a request's payload, and what is ordered


@unique
class Reason(StrEnum):
    """Why a card is ordered."""

    FIRST = "first"
    RENEWAL = "renewal"
    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    RETURNED = "returned"  # its letter came back, and the address was looked at again
    PIN = "pin"  # the PIN is forgotten: our cards take no script, so another card comes
    COUNTER = "counter"  # handed over; neither made nor posted from here


async def wanting(bank: Bank) -> Mapping[str, int]:
    """How many customers are to be sent something for the first time, by kind of order."""
    counts = await bank.store.read(count_wanting)
    return {kind: counts.get(kind, 0) for kind in (SESAME, BANK)}


async def to_make(bank: Bank) -> int:
    """How many cards are ordered and not made."""
    return await bank.store.read(count_to_make)


async def find_card(bank: Bank, user_code: UserCode, last4: str) -> int | None:
    """The number of this customer's Sésame card that lives and ends with *last4*; or None."""
    key = (bucket_of(user_code), user_code)
    return await bank.store.read(lambda connection: living_card(connection, key, last4))


async def ask_for_cards(bank: Bank, by: Staff, *, reason: str, address: str) -> Asked:
    """Ask that all who want a card, or a reader for theirs, be sent it: `MOST_AT_ONCE` at most.

    Raises:
        NothingToOrder: nobody does.
        NotAllowed, UnsuitableReason, AskedAlready, TooBusy, StoreUnavailable: as `ask`.
    """
    found = await bank.store.read(lambda connection: who_wants(connection, most=MOST_AT_ONCE))
    if not found:
        raise NothingToOrder
    wish = Wish(Kind.ISSUE, BANK_ITSELF, issue_payload(found), reason)
    return await ask(bank, by, wish, address=address)


def issue_payload(wanted: Sequence[Wanting]) -> Mapping[str, str | int]:
    """What a request for *wanted* says: whom, how many, and a digest of whom (SHA-256, hex)."""
    lists = {
        name: "".join(one.user_code for one in wanted if one.kind == kind)
        for name, kind in _LISTS.items()
    }
    digest = hashlib.sha256("|".join(lists[name] for name in sorted(lists)).encode())
    return {
        "count": len(wanted),
        "digest": digest.hexdigest(),
        **lists,
    }


def counts_of(asked: Asked) -> tuple[int, int]:
    """How many cards, and how many readers for cards, *asked* is about."""
    cards, readers = (len(str(asked.payload[name])) // _CODE for name in _LISTS)
    return cards, readers


async def carry_out(bank: Bank, post: PostDays) -> int:
    """Order what was granted and is not ordered yet; how many orders that were.

    Who has the card is planned a reader with it, and the welcome letter.

    It can be cut off and called again, by several at once too: whoever has an order is passed
    over, and each is written behind a step of the customer's row.

    Raises:
        TooBusy, StoreUnavailable: what was ordered before stays.
    """
    ordered = 0
    for asked in await granted_since(bank, Kind.ISSUE, bank.now() - GRANT_GOOD_FOR):
        for name, kind in _LISTS.items():
            listed = str(asked.payload[name])
            codes = [UserCode(listed[at : at + _CODE]) for at in range(0, len(listed), _CODE)]
            for at in range(0, len(codes), _A_COMMIT):
                ordered += await _order_some(bank, asked, kind, codes[at : at + _A_COMMIT], post)
    return ordered


async def _order_some(
    bank: Bank, asked: Asked, kind: str, codes: Sequence[UserCode], post: PostDays
) -> int:
    keys = [(bucket_of(code), code) for code in codes]

    async def attempt() -> int:
        # Whom first, and the rows they stand behind before: an order in between moves a row.
        accesses = await asyncio.gather(*map(bank.store.read_access, codes))
        wanted = await bank.store.read(
            lambda connection: who_wants(connection, most=len(keys), among=keys)
        )
        left = {one.key for one in wanted if one.kind == kind}
        if not left:
            return 0
        now = bank.now()
        facts = {
            "kind": kind,
            "reason": Reason.FIRST.value,
            "request": asked.id.hex(),
            "by": shown(asked.requested_by),
        }
        ordered = [one for one in accesses if (one.bucket, one.user_code) in left]
        moves = [
            plan_move(access, ORDERED, facts, now=now, salt=salt_of(bank), address=_NO_ADDRESS)
            for access in ordered
        ]
        planned: list[list[DispatchRow]] = [[] for _ in ordered]
        if kind == BANK:
            told = await to_be_told(bank, ordered)
            planned = [
                await _planned(bank, access, post, tell=tell)
                for access, tell in zip(ordered, told, strict=True)
            ]
        write = partial(
            take_orders,
            moves=moves,
            planned=planned,
            kind=kind,
            reason=Reason.FIRST,
            by=asked.requested_by,
            at=to_row(now),
        )
        return await bank.store.write(write)

    return await until_taken(bank.limits.lost_swaps, attempt)


async def _planned(bank: Bank, access: Access, post: PostDays, *, tell: bool) -> list[DispatchRow]:
    """What is posted to somebody who has the card: a reader; their user code, where to *tell*."""
    kinds = [READER, WELCOME] if tell else [READER]
    return plan_dispatches(
        access,
        None,
        kinds,
        await new_references(bank, len(kinds)),
        post=post,
        day_0=post.day(bank.now()),
    )
