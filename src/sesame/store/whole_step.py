"""A step of one access row in a transaction that does more than a login's statement can say.

It writes what a login's step writes (`sesame.store.sqlite_login`, `sesame.store.postgresql_login`),
by SQLAlchemy Core and row by row: for what is seldom, and changes a card's state.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from sesame.store.access import ACCESS, state_columns
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.devices import DEVICES
from sesame.store.errors import StepLost
from sesame.store.incarnation import INCARNATION
from sesame.store.notices import OLD_CODE_OVER, insert_notice
from sesame.store.sessions import SESSIONS
from sesame.store.steps import Step


def take_step(connection: Connection, step: Step) -> None:
    """Take *step* by compare-and-swap, with the cards that it moves and what settles with it.

    Raises:
        StepLost: somebody was faster, or a card is not below its new ATC, or is unsure; undo the
            transaction, read and plan again.
    """
    _swap(connection, step)
    for card_number, atc in step.atcs:
        _advance(connection, step, card_number, atc)
    _write(connection, step)


def change_state(
    connection: Connection,
    key: Key,
    card_number: int,
    *,
    was: Sequence[CardState],
    becomes: CardState,
) -> None:
    """Let a card that *was* in one of these states be in another.

    Raises:
        StepLost: it is in none of them any more.
    """
    card = update(CARDS).where(
        CARDS.c.bucket == key[0],
        CARDS.c.user_code == key[1],
        CARDS.c.card_number == card_number,
        CARDS.c.state.in_(was),
    )
    if connection.execute(card.values(state=becomes)).rowcount != 1:
        raise StepLost


def _swap(connection: Connection, step: Step) -> None:
    """Take the access row from the version that was read to the next, in this database's life."""
    swap = update(ACCESS).where(
        ACCESS.c.bucket == step.bucket,
        ACCESS.c.user_code == step.user_code,
        ACCESS.c.version == step.read_version,
        ACCESS.c.enrolled_at.is_not(None),
    )
    swap = swap.values(**state_columns(step.state), version=step.line.version, head=step.line.head)
    if connection.execute(swap).rowcount != 1:
        raise StepLost


def _advance(connection: Connection, step: Step, card_number: int, atc: int) -> None:
    """Raise a card's last ATC, as a login does: only ever upwards, and only where it is sure."""
    now = select(INCARNATION.c.generation).where(INCARNATION.c.id == 1).scalar_subquery()
    mark = select(INCARNATION.c.mark).where(INCARNATION.c.id == 1).scalar_subquery()
    sure = CARDS.c.generation == now if step.answers is None else mark == step.answers
    card = update(CARDS).where(
        CARDS.c.bucket == step.bucket,
        CARDS.c.user_code == step.user_code,
        CARDS.c.card_number == card_number,
        CARDS.c.last_atc < atc,
        sure,
    )
    if connection.execute(card.values(last_atc=atc, generation=now)).rowcount != 1:
        raise StepLost


def _write(connection: Connection, step: Step) -> None:
    """The line, the session, the device and the farewell of *step*."""
    line, session, device = step.line, step.session, step.device
    key = {"bucket": step.bucket, "user_code": step.user_code}
    place = {**key, "version": line.version, "at": line.at}
    connection.execute(
        insert(AUDIT_LINES).values(**place, attempt=line.attempt, line=line.line, head=line.head)
    )
    connection.execute(insert(AUDIT_PERSONAL).values(**place, salt=line.salt, address=line.address))
    if session is not None:
        values = {name: getattr(session, name) for name in session.__dataclass_fields__}
        values["erased_old_code"] = int(session.erased_old_code)
        connection.execute(insert(SESSIONS).values(**key, **values, seen_at=session.opened_at))
    gone = delete(DEVICES).where(
        DEVICES.c.bucket == step.bucket, DEVICES.c.user_code == step.user_code
    )
    if step.forgets_devices:
        connection.execute(gone)
    if device is not None:
        connection.execute(gone.where(DEVICES.c.device_hash == device.device_hash))
        connection.execute(
            insert(DEVICES).values(
                **key,
                device_hash=device.device_hash,
                known_since=device.known_since,
                expires_at=device.expires_at,
            )
        )
    if step.farewell is not None:
        insert_notice(
            connection,
            (step.bucket, step.user_code),
            notice=step.farewell,
            event=OLD_CODE_OVER,
            facts=b"{}",
            at=line.at,
        )
