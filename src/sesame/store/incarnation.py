"""Which life of the database this is: a restored backup begins another one.

One row holds the generation that a card must have to be taken by a plain code, and a random mark
of this life. Beside it each server has beats, of which a file outside knows the last. Whatever
brings an older state of the tables back brings older rows back too, and that can be seen from
outside (docs/decisions/0027).
"""

import os
from collections.abc import Callable

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from sesame.store.cards import CARDS
from sesame.store.metadata import METADATA
from sesame.store.sessions import SESSIONS

MARK_LENGTH = 16  # bytes
SERVER_LENGTH = 16  # bytes
NO_MARK = b""  # of a backup: the server that finds it draws one

INCARNATION = Table(
    "incarnation",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),  # 1: there is one row
    Column("generation", Integer, nullable=False),  # cards of an earlier one are unsure
    Column("mark", LargeBinary(MARK_LENGTH), nullable=False),
    Column("restored_at", BigInteger),  # when that was last seen; null: never
    sqlite_with_rowid=False,
)
# A row is advanced by one process alone, by one each time, and no number is tried twice. So a
# database that has this one, or a later one, knows all that there was when it was taken.
BEATS = Table(
    "beats",
    METADATA,
    Column("server", LargeBinary(SERVER_LENGTH), primary_key=True),  # drawn by each process
    Column("beat", BigInteger, nullable=False),  # from 1; never decreases
    Column("taken_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_THE_ROW = INCARNATION.c.id == 1


class Incarnation(msgspec.Struct, frozen=True):
    """The row as read."""

    generation: int
    mark: bytes  # 16 bytes; none at all in what comes from a backup
    restored_at: int | None


def read_incarnation(connection: Connection) -> Incarnation | None:
    """The row; None where it is missing, as after a restore that broke off."""
    row = connection.execute(_READ).first()
    return None if row is None else Incarnation(*row)


def read_restored_at(connection: Connection) -> int | None:
    """When it was last seen that the database was restored, as rows hold moments; None: never."""
    found: int | None = connection.execute(_READ_RESTORED).scalar_one_or_none()
    return found


class Known(msgspec.Struct, frozen=True):
    """What the database knows of what a file outside names."""

    beat: int | None  # of the server; None: it has not had one, as far as is known here
    beaten: bool  # whether any server has had one


class Beat(msgspec.Struct, frozen=True):
    """One of the process that drew `server` (16 bytes)."""

    server: bytes
    number: int


# Whether the row is to change, and by what the database knows of the file.
Judge = Callable[[Incarnation | None, Known], bool]


def knows_beats(connection: Connection) -> bool:
    """Whether there is a table of beats: a database that was put back may be of before."""
    return inspect(connection).has_table(BEATS.name)


def look_for(connection: Connection, server: bytes | None) -> tuple[Incarnation | None, Known]:
    """The row, and what is known of a file that names *server*."""
    beat = select(BEATS.c.beat).where(BEATS.c.server == server).scalar_subquery()
    known = select(beat, select(BEATS.c.server).exists())
    return read_incarnation(connection), Known(*connection.execute(known).one())


def take_beat(  # noqa: PLR0913 -- each by its name
    connection: Connection,
    *,
    wanted: Judge,
    server: bytes | None,
    last: Beat | None,
    fresh: bytes,
    at: int,
) -> tuple[Incarnation | None, Beat | None]:
    """The row, and the beat that was taken; none was where the row is *wanted* to change.

    *server* is what a file outside names. The beat after *last* is this process's
    next; where that is not the last one here, or None, it begins anew under the name *fresh*.
    """
    found, known = look_for(connection, server)
    if wanted(found, known):
        return found, None
    if last is not None:
        is_last = (BEATS.c.server == last.server) & (BEATS.c.beat == last.number)
        beaten = update(BEATS).where(is_last).values(beat=last.number + 1, taken_at=at)
        if connection.execute(beaten).rowcount:
            return found, Beat(last.server, last.number + 1)
    return found, begin_beats(connection, fresh, at=at)


def begin_beats(connection: Connection, server: bytes, *, at: int) -> Beat:
    """The first beat under the name *server*."""
    first = Beat(server, 1)
    connection.execute(insert(BEATS).values(server=server, beat=first.number, taken_at=at))
    return first


def begin_incarnation(  # noqa: PLR0913 -- each by its name
    connection: Connection,
    *,
    wanted: Judge,
    mark: bytes,
    at: int,
    server: bytes | None = None,
    fresh: bytes | None = None,
) -> tuple[Incarnation, bool]:
    """Begin another life with *mark* (16 bytes), where it is *wanted* still: every card is unsure.

    No step of any server is on its way meanwhile, and whoever comes after sees the new row; so
    nobody takes a plain code of an unsure card. All sessions end. *server* is what a file outside
    names. The first beat of *fresh*, where one is named, is taken in whichever life there is then.
    Returns the row that there is then, and whether it is a new one.
    """
    if connection.dialect.name == "postgresql":
        # Every step writes this table first, and reads the row after it has this lock.
        connection.execute(text("LOCK TABLE access IN EXCLUSIVE MODE"))
    found, known = look_for(connection, server)
    if fresh is not None:
        begin_beats(connection, fresh, at=at)
    if found is not None and not wanted(found, known):
        return found, False
    if found is None:
        highest = connection.execute(select(func.max(CARDS.c.generation))).scalar_one() or 0
        begun = Incarnation(highest + 1, mark, at)
        connection.execute(insert(INCARNATION).values(id=1, **msgspec.structs.asdict(begun)))
    else:
        begun = Incarnation(found.generation + 1, mark, at)
        connection.execute(
            update(INCARNATION).where(_THE_ROW).values(**msgspec.structs.asdict(begun))
        )
    connection.execute(delete(SESSIONS))
    return begun, True


def mark_as_backup(connection: Connection) -> None:
    """Make of a copy what a backup must be: restored, whoever opens it and whenever."""
    found = read_incarnation(connection)
    if found is None:
        return  # every card is unsure as it is
    connection.execute(
        update(INCARNATION).where(_THE_ROW).values(generation=found.generation + 1, mark=NO_MARK)
    )


def begin_anew(connection: Connection) -> None:
    """Have a database that was emptied be one that nobody ever restored."""
    first = Incarnation(0, os.urandom(MARK_LENGTH), None)
    connection.execute(insert(INCARNATION).values(id=1, **msgspec.structs.asdict(first)))


_COLUMNS = (
    INCARNATION.c.generation,
    INCARNATION.c.mark,
    INCARNATION.c.restored_at,
)
_READ = select(*_COLUMNS).where(_THE_ROW)
_READ_RESTORED = select(INCARNATION.c.restored_at).where(_THE_ROW)
