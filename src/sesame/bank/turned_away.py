"""Attempts that were turned away unjudged: one summed line a minute and user code.

A flood against a suspended access costs a read each, and leaves a trace all the same.
"""

from datetime import datetime

from sesame.bank.bank import Bank
from sesame.bank.moments import from_row
from sesame.bank.settling import Change, row_time, settle
from sesame.store.access import Access
from sesame.store.errors import StoreUnavailable
from sesame.store.steps import Fate

_NO_ADDRESS = ""  # they came from many


async def note_turned_away(bank: Bank, access: Access, cause: str, now: datetime) -> None:
    """Count one; write the sum down where the row has had no line for a minute."""
    bank.tally.add(access.user_code, cause)
    if now >= from_row(access.state.stepped_at) + bank.limits.summed:
        await _write(bank, access, now)


async def write_all_turned_away(bank: Bank) -> None:
    """Write down every sum that this process still holds."""
    for user_code in bank.tally.waiting():
        access = await bank.store.read_access(user_code)
        await _write(bank, access, row_time(bank.now(), access))


async def _write(bank: Bank, access: Access, now: datetime) -> None:
    counts = bank.tally.take(access.user_code)
    if not counts:
        return  # somebody else of this process is writing it
    change = Change(
        event="turned-away",
        state=access.state,
        facts={"causes": [[cause, times] for cause, times in sorted(counts.items())]},
        address=_NO_ADDRESS,
    )
    try:
        fate = await settle(bank, access, change, now)
    except StoreUnavailable:
        fate = Fate.LOST  # what turns somebody away must not fail
    if fate is Fate.LOST:
        bank.tally.put_back(access.user_code, counts)
