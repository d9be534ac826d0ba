"""An adviser at work for a customer: each act one commit, with a line in both chains.

What is done stands in `sesame.bank.help_line` and `sesame.bank.read_out`; how, here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import msgspec

from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import LiftedEnough, NoSuchCustomer, NotAllowed
from sesame.bank.moments import from_row
from sesame.bank.moves import plan_move, salt_of, until_taken, vouched
from sesame.bank.settling import row_time
from sesame.bank.staff import Role, is_staff_code, shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.access import Access, State
from sesame.store.buckets import bucket_of
from sesame.store.cards import Key
from sesame.store.errors import StepLost
from sesame.store.help_line import (
    Helped,
    HelpEffect,
    Named,
    Notice,
    line_of_attempt,
    read_named,
    settle_help,
)

_NOTICE_ID = 16  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An adviser at work for a customer: who for whom, by which form (16 bytes), from where.

    The same form sent twice is done once, and answered the same.
    """

    by: Staff
    user_code: UserCode
    form: bytes
    address: str = field(repr=False)

    @property
    def key(self) -> Key:
        """Bucket and user code of the customer."""
        return bucket_of(self.user_code), self.user_code


class Line(msgspec.Struct, frozen=True):
    """What is read in a line of the customer's chain."""

    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    by: str = ""
    door: str = ""
    cause: str = ""
    cards: tuple[tuple[int, str, int], ...] = ()  # number, profile, ATC
    behind: tuple[tuple[int, int, int], ...] = ()  # number, ATC, last ATC
    suspended_until: str = ""
    held: tuple[tuple[int], ...] = ()
    retired: tuple[tuple[int], ...] = ()
    ordered: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done: its line, and what goes with it.

    `facts` stand in both chains; `own`, in the customer's only.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    own: Mapping[str, Fact] = field(default_factory=dict)
    state: State
    effect: HelpEffect
    ends_sessions: bool = False


Plan = Callable[[Access, datetime], Awaitable[Act]]


async def read_customer(bank: Bank, user_code: UserCode) -> tuple[Named, State]:
    """The customer as staff name them, and how their access stands.

    Raises:
        NoSuchCustomer: nobody has that user code.
    """
    access = await bank.store.read_access(user_code)
    return await named_customer(bank, (access.bucket, user_code)), access.state


async def carry_out(bank: Bank, call: Call, event: str, plan: Plan) -> Line:
    """Do what *plan* makes of the access as it is, once a form; the customer's line of it.

    Raises:
        NotAllowed: whoever does it is no adviser (any more).
        NoSuchCustomer: nobody has that user code.
        TooBusy: others moved a row first each time; nothing was done.
        StoreUnavailable: it was perhaps not done: the same form sent again tells.
    """
    if Role.ADVISER not in call.by.roles:
        raise NotAllowed

    async def attempt() -> Line:
        access = await bank.store.read_access(call.user_code)
        if not access.enrolled or is_staff_code(call.user_code):
            raise NoSuchCustomer
        if (before := await _done_before(bank, call, event)) is not None:
            return before
        now = row_time(bank.now(), access)
        return await _take(bank, call, event, access, await plan(access, now))

    async with bank.turnstile.through(call.user_code, waiting=bank.limits.waiting, first=True):
        return await until_taken(bank.limits.lost_swaps, attempt)


async def _take(bank: Bank, call: Call, event: str, access: Access, act: Act) -> Line:
    """Take the steps of *act*, the customer's and the adviser's own."""
    now = from_row(act.effect.at)
    facts = {"by": shown(call.by.user_code), "about": call.user_code, **act.facts}
    move = plan_move(
        access,
        event,
        {**facts, **act.own},
        now=now,
        salt=salt_of(bank),
        address=call.address,
        ends_sessions=act.ends_sessions,
        state=act.state,
        attempt=call.form,
    )
    if act.effect.atcs:
        move = await vouched(bank, move)
    own = await bank.store.read_access(call.by.user_code)
    moves = [
        move,
        plan_move(own, event, facts, now=now, salt=salt_of(bank), address=call.address),
    ]
    by = call.by.signer
    done = await bank.store.write(lambda connection: settle_help(connection, by, moves, act.effect))
    if done is Helped.NO_RIGHT:
        raise NotAllowed
    if done is Helped.ENOUGH:
        raise LiftedEnough
    return _read_line(move.line.line)


async def _done_before(bank: Bank, call: Call, event: str) -> Line | None:
    """The line that this very form left before, and that lasts: a second click. Else None."""
    key, form = call.key, call.form
    line = await bank.store.read(lambda connection: line_of_attempt(connection, key, form))
    if line is None or f'"event":"{event}"'.encode() not in line:
        return None
    if not await bank.store.lasts(
        *key, lambda connection: line_of_attempt(connection, key, form) == line
    ):
        raise StepLost
    return _read_line(line)


async def named_customer(bank: Bank, key: Key) -> Named:
    """The customer at *key* as staff name them.

    Raises:
        NoSuchCustomer: there is none.
    """
    named = await bank.store.read(lambda connection: read_named(connection, key))
    if named is None:
        raise NoSuchCustomer
    return named


def notice_of(bank: Bank, event: str, facts: Mapping[str, object]) -> Notice:
    """What the customer is to be told of *event*."""
    return Notice(bank.random_bytes(_NOTICE_ID), event, _encode(facts))


_encode = msgspec.json.Encoder(order="sorted").encode
_read_line = msgspec.json.Decoder(Line).decode
