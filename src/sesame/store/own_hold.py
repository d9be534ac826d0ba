"""A customer's own hold, in one commit: their cards, the step with its line, and their sessions."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from sesame.store.cards import CardState
from sesame.store.holds import delete_holds_of_owner, insert_own_holds
from sesame.store.notices import insert_notice
from sesame.store.sessions import SESSIONS
from sesame.store.steps import Fate, Step
from sesame.store.whole_step import change_state, take_step


class OwnHolding(msgspec.Struct, frozen=True, kw_only=True):
    """The cards that their owner holds, and what is kept of the number that lifts it."""

    cards: tuple[int, ...]  # all that are active
    release_hash: bytes  # 32 bytes
    goes_on: bytes  # 32 bytes, the token's hash of the session that asked, which stays open
    event: str
    notice: bytes  # 16 bytes by chance, its id

    def __repr__(self) -> str:
        return f"OwnHolding({self.cards})"


def take_own_holding(connection: Connection, step: Step, holding: OwnHolding) -> Fate:
    """Take *step*, which ends all sessions, and hold the cards; one session goes on.

    Raises:
        StepLost: somebody was faster, or a card is not active any more; undo the transaction, read
            and plan again.
    """
    key = (step.bucket, step.user_code)
    take_step(connection, step)
    delete_holds_of_owner(connection, key, holding.cards)
    at = step.line.at
    insert_own_holds(
        connection, key, holding.cards, reason="", release_hash=holding.release_hash, at=at
    )
    for card_number in holding.cards:
        change_state(connection, key, card_number, was=(CardState.ACTIVE,), becomes=CardState.HELD)
    _carry_on(connection, step, holding.goes_on)
    facts = msgspec.json.encode({"cards": len(holding.cards)})
    insert_notice(connection, key, notice=holding.notice, event=holding.event, facts=facts, at=at)
    return Fate.WON


def _carry_on(connection: Connection, step: Step, token_hash: bytes) -> None:
    """Open the session anew in the epoch that *step* began: no role may move one there.

    Not one that somebody ended meanwhile, by an epoch before or by taking it away.
    """
    mine = (
        SESSIONS.c.bucket == step.bucket,
        SESSIONS.c.user_code == step.user_code,
        SESSIONS.c.token_hash == token_hash,
        SESSIONS.c.session_epoch == step.state.session_epoch - 1,
    )
    row = connection.execute(select(SESSIONS).where(*mine)).mappings().first()
    if row is not None and connection.execute(delete(SESSIONS).where(*mine)).rowcount == 1:
        again = {**row, "session_epoch": step.state.session_epoch}
        connection.execute(insert(SESSIONS).values(again))
