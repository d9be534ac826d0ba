"""Letters and parcels to customers, and the batches that they are printed in."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
    tuple_,
    update,
)

from sesame.store.bulk import find_rows, insert_rows, there_is
from sesame.store.cards import Key
from sesame.store.metadata import METADATA

CARD, PIN, READER, WELCOME = "card", "pin", "reader", "welcome"
BUREAU = "bureau"  # kind of a batch: the file for who makes the cards
ELEMENTS = (CARD, PIN, READER, WELCOME)  # of an access: never two in one envelope, or on one day
TOLD = ("hold", "release", "notice")  # what tells of a change, see `sesame.bank.notices`
REMINDER = "reminder"  # to switch over from the old code, see `sesame.bank.switching`
PRINTED = (*ELEMENTS, *TOLD, REMINDER)
PARTS = (CARD, PIN, READER)  # of these nobody prints two for one order
_RECORDING = 0x5E5A40  # an advisory lock of PostgreSQL, any number that is ours

DISPATCHES = Table(
    "dispatches",
    METADATA,
    Column("reference", String(24), primary_key=True),  # as the letter has it; says nothing
    Column("bucket", SmallInteger, nullable=False),
    Column("user_code", String(8), nullable=False),
    Column("kind", String(16), nullable=False),  # as `sesame.letters.letter.kind_of` says
    Column("order_number", SmallInteger),  # of the card that it belongs to
    Column("due_at", BigInteger, nullable=False),  # not printed before
    Column("batch", String(24)),
    Column("printed_at", BigInteger),
    Column("posted_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("voided_at", BigInteger),  # never to be printed or sent any more
    Column("reader_serial", String(40)),
    # With all that the board of the switch-over asks of each customer's, see `store.switching`.
    Index(
        "dispatches_of_customer",
        "bucket",
        "user_code",
        "kind",
        "posted_at",
        "returned_at",
        "voided_at",
        "due_at",
    ),
    Index("dispatches_by_batch", "batch"),
    Index("dispatches_due", "kind", "due_at"),
    sqlite_with_rowid=False,
)
BATCHES = Table(
    "batches",
    METADATA,
    Column("id", String(24), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", String(8), nullable=False),
    Column("letters", Integer, nullable=False),
    Column("manifest", LargeBinary(32)),  # SHA-256 of the manifest's file
    Column("posted_at", BigInteger),
    Column("destroyed_at", BigInteger),
    sqlite_with_rowid=False,
)


class DispatchRow(NamedTuple):
    """A letter or parcel, moments as in rows."""

    reference: str
    bucket: int
    user_code: str
    kind: str
    order_number: int | None
    due_at: int
    batch: str | None = None
    printed_at: int | None = None
    posted_at: int | None = None
    returned_at: int | None = None
    voided_at: int | None = None
    reader_serial: str | None = None


class BatchRow(NamedTuple):
    """A batch, moments as in rows."""

    id: str
    kind: str
    made_at: int
    made_by: str
    letters: int
    manifest: bytes | None = None
    posted_at: int | None = None
    destroyed_at: int | None = None


_COLUMNS = [DISPATCHES.c[name] for name in DispatchRow._fields]


def insert_dispatch(connection: Connection, row: DispatchRow) -> None:
    """Plan a letter or parcel."""
    connection.execute(insert(DISPATCHES).values(row._asdict()))


def list_dispatches(connection: Connection, key: Key) -> list[DispatchRow]:
    """What was and will be sent to the customer at *key*, by when it is due."""
    mine = (DISPATCHES.c.bucket == key[0], DISPATCHES.c.user_code == key[1])
    by_day = (DISPATCHES.c.due_at, DISPATCHES.c.reference)
    rows = connection.execute(select(*_COLUMNS).where(*mine).order_by(*by_day))
    return [DispatchRow(*row) for row in rows]


def insert_dispatches(connection: Connection, rows: Sequence[DispatchRow]) -> None:
    """Plan many."""
    insert_rows(connection, DISPATCHES, DispatchRow._fields, rows)


def known_references(connection: Connection, references: Sequence[str]) -> set[str]:
    """Which of *references* are some letter's already."""
    found = find_rows(
        connection, DISPATCHES, ("reference",), (), [(reference,) for reference in references]
    )
    return {reference for (reference,) in found}


def read_dispatch(connection: Connection, reference: str) -> DispatchRow | None:
    """The letter or parcel with that reference."""
    row = connection.execute(select(*_COLUMNS).where(DISPATCHES.c.reference == reference)).first()
    return None if row is None else DispatchRow(*row)


class When(NamedTuple):
    """What printing waits for: the moment it is, the day's beginning, and who prints."""

    now: int
    day_began: int
    by: str  # a staff code
    # Of what follows a card, by kind: its card is to be posted, or handed over, before then.
    card_before: Mapping[str, int]


def may_print(kind: str, when: When) -> tuple[ColumnElement[bool], ...]:
    """The dispatches of *kind* that may be printed: due, and nothing else of theirs is on its way.

    A letter behind a card waits until that card is posted. Of card, PIN letter and reader's parcel
    of one order nobody prints two (invariant 7). What only tells of a change waits for nothing.
    """
    if kind not in ELEMENTS:
        return is_due(kind, when.now)
    other = DISPATCHES.alias("other")
    ever = (
        other.c.bucket == DISPATCHES.c.bucket,
        other.c.user_code == DISPATCHES.c.user_code,
        other.c.reference != DISPATCHES.c.reference,
    )
    of_customer = (*ever, other.c.voided_at.is_(None))
    on_its_way = there_is(
        *of_customer,
        other.c.kind.in_(ELEMENTS),
        other.c.printed_at.is_not(None),
        other.c.posted_at.is_(None) | (other.c.posted_at >= when.day_began),
    )
    same_order = other.c.order_number == DISPATCHES.c.order_number
    before = when.card_before.get(kind, 0)
    card_waits = there_is(
        *of_customer,
        same_order,
        other.c.kind == CARD,
        other.c.posted_at.is_(None) | (other.c.posted_at >= before),
    )
    mine = there_is(
        *ever,  # voided too: whoever printed it has seen it
        same_order,
        other.c.kind.in_(PARTS),
        other.c.kind != kind,  # the same part once more is no second one
        other.c.batch == BATCHES.c.id,
        BATCHES.c.made_by == when.by,
    )
    may = (*is_due(kind, when.now), ~on_its_way, ~card_waits)
    return (*may, ~mine) if kind in PARTS else may


def is_due(kind: str, now: int) -> tuple[ColumnElement[bool], ...]:
    """The dispatches of *kind* that are to be printed, whatever they wait for."""
    return (
        DISPATCHES.c.kind == kind,
        DISPATCHES.c.due_at <= now,
        DISPATCHES.c.printed_at.is_(None),
        DISPATCHES.c.voided_at.is_(None),
    )


def one_at_a_time(connection: Connection) -> None:
    """Wait until nobody else records letters, and keep others waiting until the commit.

    On PostgreSQL a statement does not see what another transaction has printed and not committed.
    SQLite has one that writes at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:ours)"), {"ours": _RECORDING})


def mark_printed(
    connection: Connection,
    batch: str,
    references: Sequence[tuple[str, str | None]],
    at: int,
    may: Sequence[ColumnElement[bool]],
) -> int:
    """Say that letters are in *batch*, each by its reference and the reader's serial number.

    How many of them are; the others were printed by somebody else, or voided, meanwhile, or are not
    what *may* be printed any more. Call it behind `one_at_a_time`.
    """
    taken = update(DISPATCHES).where(
        DISPATCHES.c.reference == bindparam("which"),
        DISPATCHES.c.printed_at.is_(None),
        DISPATCHES.c.voided_at.is_(None),
    )
    taken = taken.values(batch=batch, reader_serial=bindparam("serial"))
    connection.execute(taken, [{"which": r, "serial": serial} for r, serial in references])
    # In one statement: letters of this very batch hold none of the others back.
    printed = update(DISPATCHES).where(DISPATCHES.c.batch == batch, *may)
    return connection.execute(printed.values(printed_at=at)).rowcount


def insert_batch(connection: Connection, row: BatchRow) -> None:
    """Write a batch down."""
    connection.execute(insert(BATCHES).values(row._asdict()))


def read_batch(connection: Connection, batch: str) -> BatchRow | None:
    """The batch with that id."""
    row = connection.execute(select(*_BATCH).where(BATCHES.c.id == batch)).first()
    return None if row is None else BatchRow(*row)


def find_batch(connection: Connection, manifest: bytes) -> BatchRow | None:
    """The batch with that hash (32 bytes) of a manifest, or of a bureau's file."""
    row = connection.execute(select(*_BATCH).where(BATCHES.c.manifest == manifest)).first()
    return None if row is None else BatchRow(*row)


def open_batches(connection: Connection) -> list[BatchRow]:
    """The batches that are to be posted, or whose folder is to be destroyed, oldest first."""
    query = select(*_BATCH).where(
        BATCHES.c.kind != BUREAU,
        BATCHES.c.posted_at.is_(None) | BATCHES.c.destroyed_at.is_(None),
    )
    return [BatchRow(*row) for row in connection.execute(query.order_by(BATCHES.c.made_at))]


def mark_posted(connection: Connection, batch: str, at: int) -> bool:
    """Say that a batch is at the post, but for what was voided; False where it was before.

    What was handed over the counter before keeps the moment of that: what follows counts from
    whichever came first.
    """
    posted = update(BATCHES).where(BATCHES.c.id == batch, BATCHES.c.posted_at.is_(None))
    if connection.execute(posted.values(posted_at=at)).rowcount != 1:
        return False
    letters = update(DISPATCHES).where(
        DISPATCHES.c.batch == batch,
        DISPATCHES.c.voided_at.is_(None),
        DISPATCHES.c.posted_at.is_(None) | (DISPATCHES.c.posted_at > at),
    )
    connection.execute(letters.values(posted_at=at))
    return True


def posted_before(connection: Connection, batch: str, at: int) -> list[str]:
    """The references of the letters of *batch* that somebody was given before *at*."""
    query = select(DISPATCHES.c.reference).where(
        DISPATCHES.c.batch == batch, DISPATCHES.c.posted_at < at
    )
    return list(connection.execute(query.order_by(DISPATCHES.c.reference)).scalars())


def meet_on_a_day(connection: Connection, batch: str, *, begins: int, ends: int) -> list[str]:
    """The references of what in *batch* would be posted on one day with another element.

    That is: of the same customer, from another batch, between those moments. What was handed over
    the counter before that day went then.
    """
    other = DISPATCHES.alias("other")
    meets = there_is(
        other.c.bucket == DISPATCHES.c.bucket,
        other.c.user_code == DISPATCHES.c.user_code,
        other.c.kind.in_(ELEMENTS),
        other.c.batch.is_(None) | (other.c.batch != batch),
        other.c.voided_at.is_(None),
        other.c.posted_at >= begins,
        other.c.posted_at < ends,
    )
    query = select(DISPATCHES.c.reference).where(
        DISPATCHES.c.batch == batch,
        DISPATCHES.c.kind.in_(ELEMENTS),
        DISPATCHES.c.voided_at.is_(None),
        DISPATCHES.c.posted_at.is_(None) | (DISPATCHES.c.posted_at >= begins),
        meets,
    )
    return list(connection.execute(query.order_by(DISPATCHES.c.reference)).scalars())


def voided_in(connection: Connection, batch: str) -> list[str]:
    """The references of the letters of *batch* that were voided before it was posted."""
    query = select(DISPATCHES.c.reference).where(
        DISPATCHES.c.batch == batch,
        DISPATCHES.c.voided_at.is_not(None),
        DISPATCHES.c.posted_at.is_(None),
    )
    return list(connection.execute(query.order_by(DISPATCHES.c.reference)).scalars())


def put_off(connection: Connection, batch: str, at: int, kind: str, due_at: int) -> None:
    """Have letters of *kind* be due then: of the orders whose cards went with *batch*, at *at*."""
    card = DISPATCHES.alias("card")
    with_it = there_is(
        card.c.batch == batch,
        card.c.posted_at == at,
        card.c.bucket == DISPATCHES.c.bucket,
        card.c.user_code == DISPATCHES.c.user_code,
        card.c.order_number == DISPATCHES.c.order_number,
    )
    later = update(DISPATCHES).where(
        DISPATCHES.c.kind == kind, DISPATCHES.c.printed_at.is_(None), with_it
    )
    connection.execute(later.values(due_at=due_at))


def mark_destroyed(connection: Connection, batch: str, at: int) -> bool:
    """Say that the folder of a batch is no more; False where it was said before."""
    gone = update(BATCHES).where(BATCHES.c.id == batch, BATCHES.c.destroyed_at.is_(None))
    return connection.execute(gone.values(destroyed_at=at)).rowcount == 1


def mark_returned(connection: Connection, reference: str, at: int) -> bool:
    """Say that a letter came back; False where it was not posted, or came back before."""
    back = update(DISPATCHES).where(
        DISPATCHES.c.reference == reference,
        DISPATCHES.c.posted_at.is_not(None),
        DISPATCHES.c.returned_at.is_(None),
    )
    return connection.execute(back.values(returned_at=at)).rowcount == 1


def returned_mail(connection: Connection, *, most: int) -> list[DispatchRow]:
    """What came back, newest first."""
    query = select(*_COLUMNS).where(DISPATCHES.c.returned_at.is_not(None))
    query = query.order_by(DISPATCHES.c.returned_at.desc(), DISPATCHES.c.reference).limit(most)
    return [DispatchRow(*row) for row in connection.execute(query)]


def welcomed(connection: Connection, keys: Sequence[Key]) -> set[Key]:
    """Which of the customers at *keys* were sent their user code, or will be."""
    stands = select(DISPATCHES.c.bucket, DISPATCHES.c.user_code).where(
        DISPATCHES.c.kind == WELCOME,
        DISPATCHES.c.voided_at.is_(None),
        DISPATCHES.c.returned_at.is_(None),
        tuple_(DISPATCHES.c.bucket, DISPATCHES.c.user_code).in_(keys),
    )
    return {(bucket, user_code) for bucket, user_code in connection.execute(stands)}


def voided_with(connection: Connection, key: Key, at: int) -> list[DispatchRow]:
    """What of the customer at *key* was voided at that very moment."""
    mine = (DISPATCHES.c.bucket == key[0], DISPATCHES.c.user_code == key[1])
    query = select(*_COLUMNS).where(*mine, DISPATCHES.c.voided_at == at)
    return [DispatchRow(*row) for row in connection.execute(query)]


def void_unposted(
    connection: Connection, key: Key, at: int, *, order_number: int | None = None
) -> None:
    """Have nothing be printed or posted any more of what was not; of one order, or of all.

    What only tells of a change goes all the same: an address that was changed, most of all.
    """
    unposted = update(DISPATCHES).where(
        DISPATCHES.c.bucket == key[0],
        DISPATCHES.c.user_code == key[1],
        DISPATCHES.c.posted_at.is_(None),
        DISPATCHES.c.voided_at.is_(None),
        DISPATCHES.c.kind.in_((*ELEMENTS, REMINDER)),
    )
    if order_number is not None:
        unposted = unposted.where(DISPATCHES.c.order_number == order_number)
    connection.execute(unposted.values(voided_at=at))


_BATCH = [BATCHES.c[name] for name in BatchRow._fields]
