"""Old codes that come after their customers: set where one is still awaited, and nowhere else."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from sesame.bank.bank import Bank
from sesame.bank.moves import plan_move, salt_of
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from sesame.store.buckets import bucket_of
from sesame.store.late_old_codes import Awaited, take_old_codes

OLD_CODE_SET = "old-code-set"
_NO_ADDRESS = ""  # it comes from the institution itself


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOldCode:
    """An argon2id hash for a customer, and the digests of the row that they were imported from."""

    user_code: UserCode
    old_code: str = field(repr=False)
    was: bytes = field(repr=False)  # 32 bytes: of the row without the hash
    becomes: bytes = field(repr=False)  # likewise: with it


async def set_old_codes(bank: Bank, codes: Sequence[LateOldCode], *, by: str, keep: bool) -> int:
    """Set each old code, with a line in its customer's chain, in one commit; how many there were.

    Without *keep* they are counted, and nothing is written.

    Who has an old code, or has signed in, gets none: whoever has used a code Sésame has no second
    way in.

    Raises:
        StepLost: somebody was faster; nothing was written: look again whose is still to come.
        StoreUnavailable: it is not known whether it was written.
    """
    rows = await asyncio.gather(*(bank.store.read_access(one.user_code) for one in codes))
    wanted = [(row, one) for row, one in zip(rows, codes, strict=True) if _waits(row)]
    if not (keep and wanted):
        return len(wanted)
    now = bank.now()
    moves = [
        plan_move(
            row,
            OLD_CODE_SET,
            {"by": by},
            now=now,
            salt=salt_of(bank),
            address=_NO_ADDRESS,
            state=replace(row.state, old_code=one.old_code),
        )
        for row, one in wanted
    ]
    awaited = [Awaited((bucket_of(c.user_code), c.user_code), c.was, c.becomes) for _, c in wanted]
    await bank.store.write(partial(take_old_codes, moves=moves, awaited=awaited))
    return len(wanted)


def _waits(access: Access) -> bool:
    """Whether nothing was ever used to sign in there, nor is an old code there: pure."""
    return access.enrolled and access.state.old_code is None and access.state.signed_in_at is None
