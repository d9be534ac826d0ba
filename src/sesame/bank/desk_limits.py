"""The limits that the desk keeps, as two security officers left them.

Three numbers can be changed while servers run (`sesame.bank.limits.Changeable`). Whoever decides by
one of them reads it from the database at that moment; no login does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sesame import logs
from sesame.bank.approvals import Asked, Kind, Wish, may_ask
from sesame.bank.approving import ask, find_request
from sesame.bank.bank import Bank
from sesame.bank.errors import NotAllowed, NothingToRelease
from sesame.bank.limits import BOUNDS, Changeable, Limits, changed_limits, in_units, stands_for
from sesame.bank.moments import from_row
from sesame.bank.staff import BANK_ITSELF
from sesame.bank.staffing import Staff
from sesame.store.limit_changes import LimitChangeRow, read_limit_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitToday:
    """A limit as it holds now; whose word it is, where it is not the program's."""

    limit: Changeable
    value: int  # in its unit
    since: datetime | None = None
    asked_by: str = ""  # staff codes
    agreed_by: str = ""


async def desk_limits(bank: Bank) -> Limits:
    """The limits of now: the program's, with what two persons changed.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    changes = await _agreed(bank)
    return changed_limits(bank.limits, {limit: row.value for limit, row in changes.items()})


async def limits_today(bank: Bank) -> Sequence[LimitToday]:
    """Each limit that can be changed.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    changes = await _agreed(bank)
    return [await _today(bank, limit, changes.get(limit)) for limit in Changeable]


async def ask_for_limit(  # noqa: PLR0913 -- who, which to what, why, and from where
    bank: Bank, by: Staff, limit: Changeable, value: int, *, reason: str, address: str
) -> Asked:
    """Ask that *limit* be *value*, in its unit; another security officer decides.

    Raises:
        NothingToRelease: it is that already, or *value* is out of its bounds.
        AskedAlready: a change of some limit waits for its decision.
        NotAllowed, UnsuitableReason, TooBusy, StoreUnavailable: as `ask`.
    """
    if not may_ask(Kind.LIMITS, by.roles):
        raise NotAllowed
    before = in_units(await desk_limits(bank), limit)
    if value == before:
        raise NothingToRelease
    payload: Mapping[str, str | int] = {"limit": limit, "before": before, "value": value}
    return await ask(bank, by, Wish(Kind.LIMITS, BANK_ITSELF, payload, reason), address=address)


async def _agreed(bank: Bank) -> dict[Changeable, LimitChangeRow]:
    """The last change of each limit. What no form could have asked for is passed over."""
    agreed = {}
    for row in await bank.store.read(read_limit_changes):
        limit = stands_for(row.name)
        if limit is not None and BOUNDS[limit].hold(row.value):
            agreed[limit] = row
        elif (row.name, row.number) not in bank.ignored_limits:
            bank.ignored_limits.add((row.name, row.number))
            logs.limit_ignored("unknown" if limit is None else limit)
    return agreed


async def _today(bank: Bank, limit: Changeable, row: LimitChangeRow | None) -> LimitToday:
    if row is None:
        return LimitToday(limit=limit, value=in_units(bank.limits, limit))
    asked = await find_request(bank, row.request)
    return LimitToday(
        limit=limit,
        value=row.value,
        since=from_row(row.at),
        asked_by="" if asked is None else asked.requested_by,
        agreed_by="" if asked is None else asked.decided_by or "",
    )
