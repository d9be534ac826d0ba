"""Who is likely calling now: customers to whom something was refused a short while ago."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.dossier import Standing, standing
from sesame.bank.moments import from_row, to_row
from sesame.bank.timeline import Entry, Line, entry
from sesame.bank.user_code import UserCode
from sesame.store.callers import find_last4, read_callers

PAGE = 25
MOST_PAGES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A customer, and what was refused to them last. `cards` as in `Speaker`."""

    user_code: UserCode
    name: str
    last: Entry
    times: int  # lines of that kind in the same span
    standing: Standing
    signed_in_since: datetime | None  # after what was refused
    cards: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """A page of them, the latest first; `more`: there is another."""

    callers: tuple[Caller, ...]
    more: bool


async def likely_callers(bank: Bank, *, span: timedelta, page: int = 1) -> Callers:
    """To whom something was refused within *span*; *page* counts from 1, to `MOST_PAGES`.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    now = bank.now()
    rows = await bank.store.read(
        partial(read_callers, since=to_row(now - span), most=PAGE + 1, after=(page - 1) * PAGE)
    )
    shown = rows[:PAGE]
    keys = [(row.bucket, row.user_code) for row in shown]
    cards = await bank.store.read(partial(find_last4, keys=keys))
    # Together, so that they leave as one group.
    accesses = await asyncio.gather(*(bank.store.read_access(row.user_code) for row in shown))
    callers = []
    for row, access in zip(shown, accesses, strict=True):
        last = entry(Line(row.version, row.at, row.line))
        signed_in = access.state.signed_in_at
        callers.append(
            Caller(
                user_code=UserCode(row.user_code),
                name=row.name,
                last=last,
                times=row.lines,
                standing=standing(access.state, bank.limits, now),
                signed_in_since=(
                    from_row(signed_in) if signed_in is not None and signed_in > row.at else None
                ),
                cards=cards[row.user_code],
            )
        )
    return Callers(callers=tuple(callers), more=len(rows) > PAGE and page < MOST_PAGES)
