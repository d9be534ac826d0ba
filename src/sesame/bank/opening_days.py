"""Giving the help line other hours on some day: what security officers do, at once and alone.

It takes one person, for it opens nothing and stops nobody: the number for lost cards answers day
and night. The line stands in the officer's own chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import NotAllowed
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.reasons import check_told_reason
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff
from sesame.store.approvals import Move
from sesame.store.closures import ClosureRow, list_closures, set_closure, take_closure_back

_MOST_SHOWN = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningDay:
    """A day with hours of its own."""

    day: date
    opens: str | None  # "09:30"; None: closed all day
    closes: str | None
    reason: str  # all customers read it
    set_by: str
    set_at: datetime


async def days_to_come(bank: Bank, today: date) -> Sequence[OpeningDay]:
    """Those that are set, *today* included, the next first."""
    rows = await bank.store.read(
        lambda connection: list_closures(connection, since=today.isoformat(), most=_MOST_SHOWN)
    )
    return [
        OpeningDay(
            day=date.fromisoformat(row.day),
            opens=row.opens,
            closes=row.closes,
            reason=row.reason,
            set_by=row.set_by,
            set_at=from_row(row.set_at),
        )
        for row in rows
    ]


async def set_day(  # noqa: PLR0913 -- who, which day, what, and from where
    bank: Bank, by: Staff, day: date, hours: tuple[str, str] | None, *, reason: str, address: str
) -> None:
    """Give *day* other *hours* (« 09:30 », « 12:00 »), or none, in place of what was set before.

    Raises:
        NotAllowed: *by* is no security officer (any more).
        UnsuitableReason: the reason says nothing, or too much.
        MisleadingReason: it holds a number to call or an address, for all customers to read.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    _require_officer(by)
    reason = check_told_reason(reason)
    opens, closes = hours or (None, None)

    async def attempt() -> None:
        facts = {
            "day": day.isoformat(),
            "opens": opens or "",
            "closes": closes or "",
            "reason": reason,
        }
        move = await _move(bank, by, "hours-set", facts, address)
        at = to_row(bank.now())
        row = ClosureRow(day.isoformat(), opens, closes, reason, by.user_code, at)
        if not await bank.store.write(lambda c: set_closure(c, row, by.signer, move)):
            raise NotAllowed

    await until_taken(bank.limits.lost_swaps, attempt)


async def take_day_back(bank: Bank, by: Staff, day: date, *, address: str) -> bool:
    """Give *day* its usual hours again; False where it has them.

    Raises:
        NotAllowed: *by* is no security officer (any more).
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    _require_officer(by)

    async def attempt() -> bool:
        move = await _move(bank, by, "hours-taken-back", {"day": day.isoformat()}, address)
        done = await bank.store.write(
            lambda c: take_closure_back(c, day.isoformat(), by.signer, move)
        )
        if done is None:
            raise NotAllowed
        return done

    return await until_taken(bank.limits.lost_swaps, attempt)


def _require_officer(by: Staff) -> None:
    if Role.OFFICER not in by.roles:
        raise NotAllowed


async def _move(bank: Bank, by: Staff, event: str, facts: Mapping[str, Fact], address: str) -> Move:
    """The step of the officer's own access that says so."""
    own = await bank.store.read_access(by.user_code)
    return plan_move(own, event, facts, now=bank.now(), salt=salt_of(bank), address=address)
