"""Settling: what was decided becomes a step of the access row, with its audit line.

Every event of a customer's access goes through here, a login or another: one way to write a
line, to take the step, and to find out what became of it.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from sesame import logs
from sesame.bank.audit import SALT_LENGTH, Fact, Record, audit_row, unsealed_line
from sesame.bank.bank import Bank
from sesame.bank.moments import from_row, to_row
from sesame.custody.custodian import KeyUsage
from sesame.store.access import NO_ATTEMPT, Access, State
from sesame.store.audit import has_line
from sesame.store.devices import DeviceRow
from sesame.store.errors import RowHeld, StepLost, StoreUnavailable
from sesame.store.opening import Opening, take_opening
from sesame.store.own_hold import OwnHolding, take_own_holding
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate, Step
from sesame.store.telling import Telling, take_told


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An event that takes an access row one step, and all that settles with it."""

    event: str
    state: State  # afterwards; `stepped_at` is set here
    facts: Mapping[str, Fact]
    address: str
    attempt: bytes = NO_ATTEMPT
    vouched: bool = False  # custody puts its MAC on the line
    atcs: tuple[tuple[int, int], ...] = ()  # card number and its new last ATC
    answers: bytes | None = None  # the mark of the database's life that the challenge was made in
    session: SessionRow | None = None
    device: DeviceRow | None = None
    forgets_devices: bool = False
    farewell: bytes | None = None  # 16 bytes by chance: of the notice that the old code is over
    failed_hour: int | None = None
    # What it does to cards' states: a transaction of its own then.
    cards: Opening | OwnHolding | None = None
    tells: Telling | None = None  # of what no card's state comes with: likewise

    def __repr__(self) -> str:
        return f"Change({self.event})"


def row_time(now: datetime, access: Access) -> datetime:
    """*now*, or the row's own last moment where the clock ran backwards."""
    return max(now, from_row(access.state.stepped_at))


async def settle(bank: Bank, access: Access, change: Change, now: datetime) -> Fate:
    """Take the step of *change* from the row as it was read.

    Raises:
        StoreUnavailable: the database did not take it, or does not tell whether it did.
    """
    record = Record(
        event=change.event,
        version=access.version + 1,
        at=now,
        attempt=change.attempt,
        user_code=access.user_code,
        address=change.address,
        facts=change.facts,
    )
    salt = bank.random_bytes(SALT_LENGTH)
    mac = None
    if change.vouched:
        covered = unsealed_line(record, prev=access.head, salt=salt)
        mac = await bank.custodian.mac(KeyUsage.AUDIT, covered)
    step = Step(
        bucket=access.bucket,
        user_code=access.user_code,
        read_version=access.version,
        enrolled=access.enrolled,
        state=replace(change.state, stepped_at=to_row(now)),
        line=audit_row(record, prev=access.head, salt=salt, mac=mac),
        atcs=change.atcs,
        answers=change.answers,
        session=change.session,
        device=change.device,
        forgets_devices=change.forgets_devices,
        farewell=change.farewell,
        failed_hour=change.failed_hour,
    )
    try:
        match change.cards:
            case None if change.tells is not None:
                told = partial(take_told, step=step, telling=change.tells)
                return await bank.store.write(told)
            case None:
                return await bank.store.swap_access(step)
            case Opening() as opening:
                return await bank.store.write(partial(take_opening, step=step, opening=opening))
            case OwnHolding() as holding:
                return await bank.store.write(partial(take_own_holding, step=step, holding=holding))
    except StepLost:
        return Fate.LOST
    except RowHeld:
        raise
    except StoreUnavailable as error:
        # Whether the commit arrived is not known. If it did, its line is there.
        if await bank.store.lasts(
            step.bucket,
            step.user_code,
            lambda connection: has_line(
                connection, step.bucket, step.user_code, step.line, enrolled=step.enrolled
            ),
        ):
            logs.commit_found(error)
            return Fate.WON
        raise
