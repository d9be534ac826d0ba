"""A step that its customer is told of, in one commit."""

import msgspec
from sqlalchemy import Connection

from sesame.store.notices import insert_notice
from sesame.store.steps import Fate, Step
from sesame.store.whole_step import take_step


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """The notice of a step, which has nothing to say beside its event."""

    event: str
    notice: bytes  # 16 bytes by chance, its id


def take_told(connection: Connection, step: Step, telling: Telling) -> Fate:
    """Take *step*, and have the customer told.

    Raises:
        StepLost: somebody was faster; undo the transaction, read and plan again.
    """
    take_step(connection, step)
    key = (step.bucket, step.user_code)
    at = step.line.at
    insert_notice(connection, key, notice=telling.notice, event=telling.event, facts=b"{}", at=at)
    return Fate.WON
