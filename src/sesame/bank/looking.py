"""Who looked at whom: a line in the chain of the member of staff (docs/decisions/0038)."""

import json
from datetime import timedelta
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.approvals import take_moves
from sesame.store.buckets import bucket_of
from sesame.store.customer_view import read_lines_before

LOOKED = "looked"
_ONCE_IN = timedelta(hours=1)
# So many of one's own lines are looked through for an earlier look: an adviser's hour. Whoever
# does more in an hour leaves more lines.
_LOOKED_THROUGH = 200


async def note_look(bank: Bank, by: Staff, user_code: UserCode, address: str) -> None:
    """Write down that *by* looks at a customer, once an hour: before anything is shown.

    Raises:
        TooBusy, StoreUnavailable: it was perhaps not written; show nothing.
    """
    own = (bucket_of(by.user_code), by.user_code)

    async def attempt() -> None:
        # Before the lines: who writes one in between moves the row, and this looks again.
        access = await bank.store.read_access(by.user_code)
        now = bank.now()
        since = to_row(now - _ONCE_IN)
        lines = await bank.store.read(
            partial(read_lines_before, key=own, before=None, most=_LOOKED_THROUGH)
        )
        said = [json.loads(line.line) for line in lines if line.at > since]
        if any(one["event"] == LOOKED and one["about"] == user_code for one in said):
            return
        move = plan_move(
            access, LOOKED, {"about": user_code}, now=now, salt=salt_of(bank), address=address
        )
        await bank.store.write(partial(take_moves, moves=[move]))

    await until_taken(bank.limits.lost_swaps, attempt)
