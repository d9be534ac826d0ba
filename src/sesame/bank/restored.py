"""Was an older state of the database brought back? Then every card is unsure from now on.

Three things tell: a backup says so itself; its row is missing; or a heartbeat's file, which stands
outside, has seen a later beat of its server than the database knows of (docs/decisions/0027).
"""

from contextlib import suppress
from functools import partial
from typing import Annotated

import msgspec

from sesame import logs
from sesame.bank.bank import Bank
from sesame.bank.moments import to_row
from sesame.store.errors import StatementFailed, StoreUnavailable
from sesame.store.incarnation import (
    MARK_LENGTH,
    SERVER_LENGTH,
    Beat,
    Incarnation,
    Judge,
    Known,
    begin_incarnation,
    knows_beats,
    look_for,
    read_incarnation,
    take_beat,
)

# Clocks of servers may differ by less. Who has not beaten for so long when a life begins has seen
# nothing that came later.
_APART = 600 * 1_000_000  # microseconds

_NEVER = (1 << 62) - 1  # later than any life, so that none counts as begun since
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]  # and the database's columns hold more


class Seen(msgspec.Struct, frozen=True):
    """The last beat that a heartbeat's file has seen: whose, and when.

    A server here is a process of one, by the name that it drew when it started. Number 0 stands
    for none: before a server's first beat its file names the life itself, by the mark (16 bytes).
    """

    server: Annotated[bytes, msgspec.Meta(min_length=SERVER_LENGTH, max_length=SERVER_LENGTH)]
    beat: _Number
    at: _Number  # microseconds since 1970-01-01 UTC, by the clock of that server


def is_marked(found: Incarnation | None) -> bool:
    """Whether the database says itself that it was restored: pure."""
    return found is None or not found.mark


def is_older(found: Incarnation, known: Known, seen: Seen) -> bool:
    """Whether the database is older than what was *seen* of it outside: pure.

    Where the life that is began long after, another server has noticed: whatever came before it
    is used up.
    """
    if known.beat is not None and known.beat >= seen.beat:
        return False
    if seen.beat == 0 and seen.server == found.mark:
        return False
    return found.restored_at is None or found.restored_at < seen.at + _APART


async def nothing_seen(bank: Bank) -> Seen:
    """What a file is to say of which nothing is left, if ever there was one.

    A database that has had beats counts as restored then: to be asked once too often does less
    harm than a code that passes twice.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    found, known = await bank.store.read(lambda connection: look_for(connection, None))
    if found is None or is_marked(found) or known.beaten:
        return Seen(bank.random_bytes(SERVER_LENGTH), 0, _NEVER)
    return Seen(found.mark, 0, to_row(bank.now()))


async def beat(bank: Bank, seen: Seen, last: Seen | None = None) -> Seen:
    """Take one more beat, and begin another life of the database where it was restored.

    *last* is what this process was returned last, and nobody else; None where there is nothing,
    or nobody knows whether it was taken. Then it begins to count anew, under a new name.
    Returns what is to be seen outside from now on.

    Raises:
        StoreUnavailable: the database does not answer, or somebody holds its rows.
    """
    at, fresh = to_row(bank.now()), bank.random_bytes(SERVER_LENGTH)
    wanted = partial(_is_restored, seen)
    try:
        found, taken = await bank.store.write(
            lambda connection: take_beat(
                connection,
                wanted=wanted,
                server=seen.server,
                last=None if last is None else Beat(last.server, last.beat),
                fresh=fresh,
                at=at,
            )
        )
    except (StoreUnavailable, StatementFailed):
        with suppress(StoreUnavailable):
            if not await bank.store.read(knows_beats):
                _doubt(bank)  # of before there were any
        raise
    if found is None or taken is None:
        # Judged again by the same measure: nobody knows what came in between.
        found = await _begin(bank, wanted, seen.server, fresh)
        taken = Beat(fresh, 1)
    _looked(bank, found)
    return Seen(taken.server, taken.number, at)


async def doubt_what_is_older(bank: Bank, seen: Seen) -> None:
    """Have nobody's code be taken where the database was restored, and begin no life of it.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    found, known = await bank.store.read(lambda connection: look_for(connection, seen.server))
    if _is_restored(seen, found, known):
        _doubt(bank)


async def look(bank: Bank) -> None:
    """Begin another life where the database says itself that it was restored.

    Raises:
        StoreUnavailable: as `beat`.
    """
    found = await bank.store.read(read_incarnation)
    if found is None or is_marked(found):
        found = await begin_another(bank)
    _looked(bank, found)


async def begin_another(bank: Bank) -> Incarnation:
    """Do so, unless another server did meanwhile; the life that the database has then.

    Raises:
        StoreUnavailable: as `beat`.
    """
    return await _begin(bank, lambda found, _: is_marked(found), None, None)


async def _begin(
    bank: Bank, wanted: Judge, server: bytes | None, fresh: bytes | None
) -> Incarnation:
    """Begin another life where it is *wanted* still, and the beats of *fresh* in whichever."""
    at, mark = to_row(bank.now()), bank.random_bytes(MARK_LENGTH)
    doubted, bank.recovery.in_doubt = bank.recovery.in_doubt, True
    try:
        found, begun = await bank.store.write(
            lambda connection: begin_incarnation(
                connection, wanted=wanted, mark=mark, at=at, server=server, fresh=fresh
            )
        )
    except BaseException:  # whatever it is: it was restored
        bank.recovery.in_doubt = doubted
        _doubt(bank)
        raise
    bank.recovery.in_doubt = doubted and not begun
    if begun:
        logs.restored(found.generation)
    return found


def _doubt(bank: Bank) -> None:
    """Have nobody's code be taken here until a life has begun, and say so once."""
    if not bank.recovery.in_doubt:
        bank.recovery.in_doubt = True
        logs.in_doubt()


def _looked(bank: Bank, found: Incarnation) -> None:
    """The database is known as what it is, or as another life from now on."""
    bank.recovery.in_doubt = False
    bank.meters.restored.put((found.restored_at or 0) / _SECOND)
    bank.meters.beat.put(to_row(bank.now()) / _SECOND)


_SECOND = 1_000_000  # microseconds


def _is_restored(seen: Seen, found: Incarnation | None, known: Known) -> bool:
    return found is None or is_marked(found) or is_older(found, known, seen)
