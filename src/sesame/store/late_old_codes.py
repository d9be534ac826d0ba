"""Old codes that come later than their customers: an import sets what another said would be set."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, update

from sesame.store.approvals import Move, take_moves
from sesame.store.cards import Key
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.errors import StepLost


class Awaited(NamedTuple):
    """Whose old code was still to come, and the digests (32 bytes) of their row so far and now."""

    key: Key
    was: bytes
    becomes: bytes


def take_old_codes(
    connection: Connection, moves: Sequence[Move], awaited: Sequence[Awaited]
) -> None:
    """Take each step, to a state with the old code, and say that it has come.

    Raises:
        StepLost: somebody was faster; undo the transaction, read and plan again.
    """
    take_moves(connection, moves)
    for one in awaited:
        row = update(CUSTOMER_DETAILS).where(
            CUSTOMER_DETAILS.c.bucket == one.key[0],
            CUSTOMER_DETAILS.c.user_code == one.key[1],
            CUSTOMER_DETAILS.c.import_digest == one.was,
            CUSTOMER_DETAILS.c.old_code_to_come,
        )
        come = row.values(old_code_to_come=False, import_digest=one.becomes)
        if connection.execute(come).rowcount != 1:
            raise StepLost
