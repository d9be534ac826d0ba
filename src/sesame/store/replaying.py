"""A customer's row, as a replay brings it forward: line by line, each as the step it once was."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, text, update

from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES
from sesame.store.begun import forget_begun
from sesame.store.cards import CARDS, Lowering, lower_atc
from sesame.store.devices import DEVICES
from sesame.store.replayed_cards import CardMoves, move_cards


@dataclass(frozen=True, slots=True, kw_only=True)
class LostStep:
    """A step that may have been taken after the backup: its line, and what it did."""

    version: int
    prev: bytes  # 32 bytes, the hash of the line before
    head: bytes  # 32 bytes, the line's own
    attempt: bytes
    at: int
    line: bytes = field(repr=False)
    atcs: tuple[tuple[int, int], ...] = ()  # card number and the last ATC that it was given
    falls: tuple[Lowering, ...] = ()  # cards that began lower from then on
    signed_in: bool = False
    retires: bool = False  # the old code, if there was one
    ends_sessions: bool = False
    forgets_devices: bool = False
    moves: CardMoves | None = None


class ReplayedChain(msgspec.Struct, frozen=True):
    """What became of one customer's steps."""

    known: int  # that the database had
    taken: int  # that it had lost, and has again
    raised: int  # last ATCs
    closed: int  # cards that were held or retired
    opened: int  # that sign in again
    forked: bool  # the row went on otherwise: from there on only ATCs and cards were moved
    left: bool = False  # a card still begins too high: this role may not lower it


def replay_chain(
    connection: Connection, bucket: int, user_code: str, steps: Sequence[LostStep], *, by: str
) -> ReplayedChain | None:
    """Take those of *steps*, by version, that follow the row as it is; None where it is nobody's.

    Their lines stand where they stood. The cards stay as unsure as they are; those that a lost
    step held are held again, by the staff code *by*, also where the row went on otherwise.
    """
    row = connection.execute(
        select(ACCESS.c.version, ACCESS.c.head, ACCESS.c.old_code.is_not(None))
        .where(*_of(ACCESS, bucket, user_code), ACCESS.c.enrolled_at.is_not(None))
        .with_for_update(key_share=True)
    ).first()
    if row is None:
        return None
    version, head, has_old_code = row
    there = _heads_of(connection, bucket, user_code, [step.version for step in steps])
    known = taken = raised = closed = opened = 0
    forked = left = False
    # Or a code that the database knows of, and these steps do not, would stand above the fall.
    to_the_end = bool(steps) and steps[-1].version >= version
    for step in steps:
        if step.version <= version:
            # One that was pruned since cannot be compared.
            forked |= there.get(step.version, step.head) != step.head
            known += not forked
            lost = forked
        elif not forked and step.version == version + 1 and step.prev == head:
            retires = has_old_code and step.retires
            _take_again(connection, bucket, user_code, step, retires=retires)
            version, head, has_old_code = step.version, step.head, has_old_code and not retires
            taken += 1
            lost = True
        else:
            forked = lost = True
        if not forked:
            for fall in step.falls:
                left |= not _falls_again(connection, bucket, user_code, fall, may=to_the_end)
        elif step.atcs and _may_lower(connection):
            # A code was taken below, and what it was lowered by is no part of this history.
            for card_number, atc in step.atcs:
                forget_begun(connection, (bucket, user_code), card_number, at_or_above=atc)
        raised += sum(_raise_atc(connection, bucket, user_code, *card) for card in step.atcs)
        if lost and step.moves is not None:
            key = (bucket, user_code)
            down, up = move_cards(connection, key, step.moves, by=by, at=step.at)
            closed, opened = closed + down, opened + up
    return ReplayedChain(known, taken, raised, closed, opened, forked, left)


def _falls_again(
    connection: Connection, bucket: int, user_code: str, fall: Lowering, *, may: bool
) -> bool:
    """False where the card stands where it fell from, and does not fall: it *may* not, by whom.

    Of a line that was there already too: another role may have replayed it.
    """
    if may and _may_lower(connection):
        lower_atc(connection, (bucket, user_code), fall, unsure=True)
        return True
    stands = (CARDS.c.card_number == fall.card_number, CARDS.c.last_atc == fall.begun)
    query = select(CARDS.c.card_number).where(*_of(CARDS, bucket, user_code), *stands)
    return connection.execute(query).first() is None


def _may_lower(connection: Connection) -> bool:
    """Whether this role may: on PostgreSQL the tables' owner, and no server of customers."""
    if connection.dialect.name != "postgresql":
        return True
    owns = text("SELECT has_table_privilege('begun_counters', 'DELETE')")
    return bool(connection.execute(owns).scalar_one())


def _heads_of(
    connection: Connection, bucket: int, user_code: str, versions: Sequence[int]
) -> dict[int, bytes]:
    rows = connection.execute(
        select(AUDIT_LINES.c.version, AUDIT_LINES.c.head).where(
            *_of(AUDIT_LINES, bucket, user_code), AUDIT_LINES.c.version.in_(versions)
        )
    )
    return {row.version: row.head for row in rows}


def _take_again(
    connection: Connection, bucket: int, user_code: str, step: LostStep, *, retires: bool
) -> None:
    row: dict[str, object] = {
        "version": step.version,
        "head": step.head,
        "stepped_at": step.at,
        **({"signed_in_at": step.at} if step.signed_in else {}),
        **({"old_code": None} if retires else {}),
        **({"session_epoch": ACCESS.c.session_epoch + 1} if retires or step.ends_sessions else {}),
    }
    connection.execute(update(ACCESS).where(*_of(ACCESS, bucket, user_code)).values(**row))
    connection.execute(
        insert(AUDIT_LINES).values(
            bucket=bucket,
            user_code=user_code,
            version=step.version,
            attempt=step.attempt,
            at=step.at,
            line=step.line,
            head=step.head,
        )
    )
    if retires or step.forgets_devices:
        connection.execute(delete(DEVICES).where(*_of(DEVICES, bucket, user_code)))


def _raise_atc(
    connection: Connection, bucket: int, user_code: str, card_number: int, atc: int
) -> int:
    """1 where the last ATC was raised to *atc*; 0 where it is there, or beyond."""
    risen = update(CARDS).where(
        *_of(CARDS, bucket, user_code),
        CARDS.c.card_number == card_number,
        CARDS.c.last_atc < atc,
    )
    return connection.execute(risen.values(last_atc=atc)).rowcount


def _of(
    table: Table, bucket: int, user_code: str
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.bucket == bucket, table.c.user_code == user_code
