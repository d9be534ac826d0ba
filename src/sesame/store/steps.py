"""Steps: an access row's way from version *v* to *v + 1*, with all that settles with it.

One commit carries a whole group of them (docs/decisions/0001 and 0002).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.store.access import State, swap_row
from sesame.store.audit import AuditRow, insert_line
from sesame.store.cards import advance_card
from sesame.store.devices import DeviceRow, forget_devices, insert_device
from sesame.store.errors import CardMovedAside
from sesame.store.failures import count_failure
from sesame.store.sessions import SessionRow, insert_session


@unique
class Fate(StrEnum):
    """What became of a swap."""

    WON = "won"
    LOST = "lost"  # somebody was faster: read, plan and decide again


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an access row from version *v* to *v + 1*, and all that settles with it."""

    bucket: int
    user_code: str
    read_version: int
    enrolled: bool
    state: State  # of the row afterwards
    line: AuditRow
    atcs: tuple[tuple[int, int], ...] = ()  # card number and its new last ATC
    session: SessionRow | None = None
    device: DeviceRow | None = None
    forgets_devices: bool = False
    failed_hour: int | None = None  # a stranger's failure, counted for the whole bank


def swap_group(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[Fate]:
    """Take all *steps* in one commit; a step that lost leaves nothing behind.

    Raises:
        CardMovedAside: a card had moved while its access row had not. Nothing of the
            group is written; alone, such a step is simply lost.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        fates = [_swap_one(connection, step) for step in steps]
        connection.execute("COMMIT")
    except CardMovedAside:
        connection.execute("ROLLBACK")
        if len(steps) > 1:
            raise
        return [Fate.LOST]
    except BaseException:
        # On a full disk SQLite has rolled back by itself; a COMMIT that failed may have not.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return fates


def _swap_one(connection: sqlite3.Connection, step: Step) -> Fate:
    key = (step.bucket, step.user_code)
    if not swap_row(
        connection,
        *key,
        read_version=step.read_version,
        head=step.line.head,
        state=step.state,
    ):
        return Fate.LOST
    for card_number, atc in step.atcs:
        if not advance_card(connection, *key, card_number, atc):
            raise CardMovedAside
    insert_line(connection, *key, step.line, enrolled=step.enrolled)
    if step.session is not None:
        insert_session(connection, *key, step.session)
    if step.forgets_devices:
        forget_devices(connection, *key)
    if step.device is not None:
        insert_device(connection, *key, step.device)
    if step.failed_hour is not None:
        count_failure(connection, step.bucket, step.failed_hour)
    return Fate.WON
