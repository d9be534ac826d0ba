"""Steps of several access rows in one commit, each with its line: what two persons do together.

A login moves one row and goes with others in a group (`sesame.bank.settling`); a decision moves
the rows of all whom it is about, and is there whole or not at all.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from sesame.bank.audit import SALT_LENGTH, Fact, Record, audit_row, sealed
from sesame.bank.bank import Bank
from sesame.bank.errors import TooBusy
from sesame.bank.settling import row_time
from sesame.custody.custodian import KeyUsage
from sesame.store.access import NO_ATTEMPT, Access, State
from sesame.store.approvals import Move
from sesame.store.errors import EnrolledMeanwhile, StepLost

Answer = TypeVar("Answer")


def plan_move(  # noqa: PLR0913 -- whose, and what their line says
    access: Access,
    event: str,
    facts: Mapping[str, Fact],
    *,
    now: datetime,
    salt: bytes,
    address: str,
    ends_sessions: bool = False,
    state: State | None = None,
    attempt: bytes = NO_ATTEMPT,
) -> Move:
    """The step of *access* that *event* is, to *state* where it changes more: pure.

    *salt* and *attempt* are 16 bytes.
    """
    at = row_time(now, access)
    record = Record(
        event=event,
        version=access.version + 1,
        at=at,
        attempt=attempt,
        user_code=access.user_code,
        address=address,
        facts=facts,
    )
    line = audit_row(record, prev=access.head, salt=salt, mac=None)
    state = access.state if state is None else state
    epoch = state.session_epoch + ends_sessions
    return Move(
        key=(access.bucket, access.user_code),
        read_version=access.version,
        state=replace(state, stepped_at=line.at, session_epoch=epoch),
        line=line,
    )


async def vouched(bank: Bank, move: Move) -> Move:
    """*move* with custody's MAC on its line, as those have that take an ATC.

    Raises:
        CustodyUnavailable: it does not answer.
    """
    mac = await bank.custodian.mac(KeyUsage.AUDIT, move.line.line)
    return replace(move, line=sealed(move.line, mac))


def salt_of(bank: Bank) -> bytes:
    """16 bytes for a line."""
    return bank.random_bytes(SALT_LENGTH)


async def until_taken(times: int, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """What *attempt* answers, made again where others moved a row first, at most so many times.

    Raises:
        TooBusy: they did each time; nothing was written.
    """
    for _ in range(times):
        try:
            return await attempt()
        except (StepLost, EnrolledMeanwhile):
            continue
    raise TooBusy
