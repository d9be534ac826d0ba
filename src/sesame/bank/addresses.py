"""Changing where letters to a customer go: one person's work, until a secret is to be sent there.

The customer is told at the address that stood before, and by e-mail. A PIN and an activation
number wait for a second person, however long (`sesame.store.addresses.address_is_confirmed`):
whoever has them sent to an address of their own, or hands the card over, would have two of card,
PIN and number (invariant 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sesame.bank.approvals import Asked, Kind, Wish, may_ask
from sesame.bank.approving import (
    ask,
    described,
    new_request,
    request_facts,
    request_row,
)
from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.details import PostalAddress
from sesame.bank.errors import NoSuchCustomer, NotAllowed, NothingToRelease, SameAddress
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.reasons import check_reason
from sesame.bank.staff import Role, shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.addresses import (
    address_is_confirmed,
    read_standing,
    secret_to_come,
    secrets_that_wait,
)
from sesame.store.approvals import Notice, change_address, describe_person
from sesame.store.buckets import bucket_of
from sesame.store.notices import NOTICE_ID

EVENT = "address-changed"
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Standing:
    """Where a customer's letters go, as staff see it; it prints nothing."""

    name: str
    address: PostalAddress
    changed_at: datetime | None  # at the desk
    confirmed_at: datetime | None  # by two, since then
    pin_may_go: bool  # and an activation number

    def __repr__(self) -> str:
        return "Standing()"


def may_change(staff: Staff) -> bool:
    """Whether they may change an address: no issuer, who has cards and PINs sent there."""
    return Role.ADVISER in staff.roles


def may_see(staff: Staff) -> bool:
    """Whether they may see one."""
    return may_ask(Kind.ADDRESS, staff.roles)


async def find_standing(bank: Bank, user_code: UserCode) -> Standing:
    """Where that customer's letters go.

    Raises:
        NoSuchCustomer: nobody has the user code, or no address is known.
    """
    key = (bucket_of(user_code), user_code)
    who, row, confirmed = await bank.store.read(
        lambda connection: (
            describe_person(connection, key, 0),
            read_standing(connection, key),
            address_is_confirmed(connection, key),
        )
    )
    if who is None or row is None:
        raise NoSuchCustomer
    changed = None if row.changed_at is None else from_row(row.changed_at)
    return Standing(
        name=str(who["name"]),
        address=PostalAddress.of(row.address),
        changed_at=changed,
        confirmed_at=None if row.confirmed_at is None else from_row(row.confirmed_at),
        pin_may_go=confirmed,
    )


async def waiting_for_second(bank: Bank) -> tuple[int, Sequence[tuple[str, str]]]:
    """How many letters wait for a second person; and whose, by user code, with their kind.

    These are PIN letters and parcels with an activation number, due or still to come; the first
    `_MOST_SHOWN` of them are named.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    return await bank.store.read(partial(secrets_that_wait, most=_MOST_SHOWN))


async def change(  # noqa: PLR0913 -- whose, to what, why, by whom, from where
    bank: Bank,
    by: Staff,
    user_code: UserCode,
    new: PostalAddress,
    *,
    reason: str,
    address: str,
) -> Asked | None:
    """Have letters go to *new*; the request that goes with it, where a secret is to come.

    Raises:
        NotAllowed: *by* may not, or their account was closed or changed meanwhile.
        UnsuitableReason: the reason says nothing, or too much.
        NoSuchCustomer: nobody has the user code, or no address is known.
        SameAddress: letters go there already.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    if not may_change(by):
        raise NotAllowed
    reason = check_reason(reason)
    key = (bucket_of(user_code), user_code)

    async def attempt() -> Asked | None:
        theirs = await bank.store.read_access(user_code)
        own = await bank.store.read_access(by.user_code)
        standing = await find_standing(bank, user_code)
        if standing.address == new:
            raise SameAddress
        now = max(bank.now(), from_row(theirs.state.stepped_at))
        at = to_row(now)
        waits = await bank.store.read(lambda connection: secret_to_come(connection, key, before=at))
        asked = None
        facts: dict[str, Fact] = {
            "by": shown(by.user_code),
            "about": user_code,
            "pin_waits": int(waits),
        }
        plan = partial(plan_move, event=EVENT, now=now, address=address)
        if waits:
            wish = Wish(Kind.ADDRESS, user_code, {"changed": at}, reason)
            asked = new_request(bank, by, await described(bank, wish), now)
            facts = request_facts(asked) | facts
        moves = [plan(access, facts=facts, salt=salt_of(bank)) for access in (theirs, own)]
        done = await bank.store.write(
            lambda connection: change_address(
                connection,
                key,
                new.row(),
                by.signer,
                moves,
                notice=Notice(bank.random_bytes(NOTICE_ID), EVENT, b"{}"),
                asks=None if asked is None else request_row(asked),
                kind=Kind.ADDRESS,
                at=at,
            )
        )
        if not done:
            raise NotAllowed
        return asked

    return await until_taken(bank.limits.lost_swaps, attempt)


async def ask_to_confirm(
    bank: Bank, by: Staff, user_code: UserCode, *, reason: str, address: str
) -> Asked:
    """Ask that a PIN may go to the address of today.

    Raises:
        NothingToRelease: it may already.
        NotAllowed, UnsuitableReason, NoSuchCustomer, AskedAlready, TooBusy, StoreUnavailable: as
            `sesame.bank.approving.ask`.
    """
    standing = await find_standing(bank, user_code)
    if standing.changed_at is None or standing.confirmed_at is not None:
        raise NothingToRelease
    payload = {"changed": to_row(standing.changed_at)}
    return await ask(bank, by, Wish(Kind.ADDRESS, user_code, payload, reason), address=address)
