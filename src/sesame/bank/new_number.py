"""A new activation number for a card that waits: by post, never by telephone or at the desk.

An adviser asks for one more letter of the reader; its number takes the place of the old one when
it is printed. Who asks sees no number, old or new (docs/decisions/0037).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import NoSuchCustomer, NotAllowed, NothingToSend
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.staff import Role, shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import ALPHABET, UserCode
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow
from sesame.store.number_letters import READER, find_waiting, plan_number_letter

EVENT = "number-reissued"
_HALF = 4  # characters of a reference, of two such halves
_NOTICE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class WaitingCard:
    """A card that waits for its activation."""

    order_number: int
    last4: str
    until: datetime  # its number is good
    planned: bool  # another letter is to be printed already


def may_send(staff: Staff) -> bool:
    """Whether *staff* may have a new number sent: advisers, whom customers call."""
    return Role.ADVISER in staff.roles


async def waiting_cards(bank: Bank, user_code: UserCode) -> list[WaitingCard]:
    """The cards of that customer that wait, whose number was printed once."""
    key = (bucket_of(user_code), user_code)
    rows = await bank.store.read(partial(find_waiting, key=key))
    return [
        WaitingCard(row.order_number, row.last4, from_row(row.activation_until), bool(row.planned))
        for row in rows
    ]


async def send_new_number(
    bank: Bank, by: Staff, user_code: UserCode, order_number: int, *, address: str
) -> str:
    """Have one more letter of the reader sent for an order whose card waits; its reference.

    Raises:
        NotAllowed: *by* is no adviser, or not any more.
        NoSuchCustomer: nobody has that user code.
        NothingToSend: no such card waits, or a letter is on its way to be printed.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    if not may_send(by):
        raise NotAllowed

    async def attempt() -> str:
        access = await bank.store.read_access(user_code)
        if not access.enrolled:
            raise NoSuchCustomer
        waiting = await waiting_cards(bank, user_code)
        if order_number not in {card.order_number for card in waiting if not card.planned}:
            raise NothingToSend
        own = await bank.store.read_access(by.user_code)
        now, reference = bank.now(), _reference(bank)
        facts: dict[str, Fact] = {
            "order": order_number,
            "letter": reference,
            "by": shown(by.user_code),
            "about": shown(user_code),
        }
        moves = [
            plan_move(one, EVENT, facts, now=now, salt=salt_of(bank), address=address)
            for one in (access, own)
        ]
        row = DispatchRow(reference, access.bucket, user_code, READER, order_number, to_row(now))
        plan = partial(
            plan_number_letter,
            by=by.signer,
            row=row,
            moves=moves,
            notice=bank.random_bytes(_NOTICE_LENGTH),
            event=EVENT,
        )
        if not await bank.store.write(plan):
            raise NotAllowed
        return reference

    return await until_taken(bank.limits.lost_swaps, attempt)


def _reference(bank: Bank) -> str:
    """A new reference, as letters have it: `7QK4-XM2P`."""
    chosen = [ALPHABET[byte % len(ALPHABET)] for byte in bank.random_bytes(2 * _HALF)]
    return f"{''.join(chosen[:_HALF])}-{''.join(chosen[_HALF:])}"
