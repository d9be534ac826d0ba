"""Steps: an access row's way from version *v* to *v + 1*, with all that settles with it.

One commit carries a whole group of them (docs/decisions/0001 and 0002).
"""

from enum import StrEnum, unique

import msgspec

from sesame.store.access import State
from sesame.store.audit import AuditRow
from sesame.store.devices import DeviceRow
from sesame.store.sessions import SessionRow


@unique
class Fate(StrEnum):
    """What became of a swap."""

    WON = "won"
    LOST = "lost"  # somebody was faster: read, plan and decide again
    HELD_UP = "held up"  # in a group only: another program holds the row, so it is taken alone


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an access row from version *v* to *v + 1*, and all that settles with it."""

    bucket: int
    user_code: str
    read_version: int
    enrolled: bool
    state: State  # of the row afterwards
    line: AuditRow
    atcs: tuple[tuple[int, int], ...] = ()  # card number and its new last ATC
    # The mark of the database's life in which the challenge was made that this step answers, or
    # the old code was judged: in another life it is lost. None else moves a card that is unsure.
    answers: bytes | None = None
    session: SessionRow | None = None
    device: DeviceRow | None = None
    forgets_devices: bool = False
    farewell: bytes | None = None  # of the notice that the old code is over, its id (16 bytes)
    failed_hour: int | None = None  # a stranger's failure, counted for the whole bank
