"""What customers are to be told on another channel: written with the change that it tells of.

An outbox. Whoever changes something inserts a notice in the same commit; whoever sends sorts the
new ones by what can be done for them, and takes one after the other to send it. A row is one
process's while it is sent: who takes it puts its next try off, beyond the longest sending.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)

from sesame.store.addresses import AddressRow, address_at
from sesame.store.cards import Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.store.metadata import METADATA

NOTICES = Table(
    "notices",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),  # by chance
    Column("bucket", SmallInteger, nullable=False),
    Column("user_code", String(8), nullable=False),
    Column("event", String(32), nullable=False),  # as the audit line has it
    Column("at", BigInteger, nullable=False),
    Column("facts", LargeBinary, nullable=False),  # JSON; nothing secret
    Column("email_state", String(8), nullable=False),  # new, none, due, sent or failed
    Column("tries", SmallInteger, nullable=False),
    Column("next_try_at", BigInteger),
    Column("sent_at", BigInteger),
    Column("letter", String(24)),  # reference of the dispatch that tells it too
    Index("notices_of_customer", "bucket", "user_code", "at"),
    Index("notices_due", "email_state", "next_try_at"),
    sqlite_with_rowid=False,
)
NOTICE_ID = 16  # bytes
NEW = "new"  # nobody has looked yet whether there is an e-mail address
NONE = "none"  # no e-mail is sent
DUE = "due"
SENT = "sent"
FAILED = "failed"  # the mail servers did not take it
# The event of the one notice that a login brings: its statements (`sesame.store.sqlite_login`,
# `sesame.store.postgresql_login`) insert it where their step retires an old code.
OLD_CODE_OVER = "old-code"


class NoticeRow(NamedTuple):
    """A notice, moments as in rows."""

    id: bytes
    bucket: int
    user_code: str
    event: str
    at: int
    facts: bytes
    email_state: str
    tries: int
    next_try_at: int | None = None
    sent_at: int | None = None
    letter: str | None = None

    @property
    def key(self) -> Key:
        """Whom it is for."""
        return self.bucket, self.user_code

    def __repr__(self) -> str:
        """Without the facts, which may hold an address."""
        return f"NoticeRow({self.event}, {self.email_state})"


class RecipientRow(NamedTuple):
    """What stands of a customer that decides how they can be told."""

    language: str
    email: str | None
    has_address: bool  # of a house

    def __repr__(self) -> str:
        return "RecipientRow()"


class Settled(NamedTuple):
    """What became of a notice: its row from now on, and the letter that is due with it."""

    email_state: str
    next_try_at: int | None
    sent_at: int | None
    letter: DispatchRow | None = None


_COLUMNS = [NOTICES.c[name] for name in NoticeRow._fields]


def insert_notice(  # noqa: PLR0913 -- to whom, of what, when
    connection: Connection, key: Key, *, notice: bytes, event: str, facts: bytes, at: int
) -> None:
    """Have the customer at *key* told of *event*: in the commit that does it.

    Args:
        connection: of that transaction.
        key: bucket and user code.
        notice: 16 bytes by chance, its id.
        event: as the audit line has it.
        facts: a JSON object of what the notice says; never a code, PIN, key or full number.
        at: the moment of the change, as in rows.
    """
    connection.execute(
        insert(NOTICES).values(
            id=notice,
            bucket=key[0],
            user_code=key[1],
            event=event,
            at=at,
            facts=facts,
            email_state=NEW,
            tries=0,
            next_try_at=at,
        )
    )


def sort_notices(
    connection: Connection,
    decide: Callable[[NoticeRow, RecipientRow | None], Settled],
    *,
    at: int,
    stale_since: int,
    most: int,
) -> list[Settled]:
    """Do what *decide* says with the new notices, and with those whose e-mail did not leave.

    The latter are of *stale_since* and before. All are held until the commit, and others' are
    passed over: two processes never have the same one.
    """
    stale = and_(
        NOTICES.c.email_state == DUE, NOTICES.c.at <= stale_since, NOTICES.c.next_try_at <= at
    )
    done = []
    for row in _take(connection, or_(NOTICES.c.email_state == NEW, stale), most):
        settled = decide(row, find_recipient(connection, row.key))
        settle_notice(connection, row, settled)
        done.append(settled)
    return done


def take_due(connection: Connection, *, at: int, until: int) -> NoticeRow | None:
    """The notice that has waited longest for its e-mail, and nobody else's before *until*.

    Its row counts the try that begins with this.
    """
    due = and_(NOTICES.c.email_state == DUE, NOTICES.c.next_try_at <= at)
    for row in _take(connection, due, 1):
        tries = row.tries + 1
        taken = update(NOTICES).where(NOTICES.c.id == row.id)
        connection.execute(taken.values(next_try_at=until, tries=tries))
        return row._replace(next_try_at=until, tries=tries)
    return None


def settle_notice(connection: Connection, row: NoticeRow, settled: Settled) -> bool:
    """Write down what became of *row*; False where somebody else has had it since."""
    same = (
        NOTICES.c.id == row.id,
        NOTICES.c.email_state == row.email_state,
        NOTICES.c.tries == row.tries,
    )
    letter = settled.letter
    values = {
        "email_state": settled.email_state,
        "next_try_at": settled.next_try_at,
        "sent_at": settled.sent_at,
    }
    if letter is not None:
        values["letter"] = letter.reference
    if connection.execute(update(NOTICES).where(*same).values(values)).rowcount != 1:
        return False
    if letter is not None:
        insert_dispatch(connection, letter)
    return True


def find_recipient(connection: Connection, key: Key) -> RecipientRow | None:
    """How the customer at *key* can be told; None for one who was erased, and for staff."""
    same = and_(
        CUSTOMERS.c.bucket == CUSTOMER_DETAILS.c.bucket,
        CUSTOMERS.c.user_code == CUSTOMER_DETAILS.c.user_code,
    )
    query = (
        select(CUSTOMERS.c.language, CUSTOMER_DETAILS.c.email, CUSTOMER_DETAILS.c.city)
        .select_from(CUSTOMERS.outerjoin(CUSTOMER_DETAILS, same))
        .where(CUSTOMERS.c.bucket == key[0], CUSTOMERS.c.user_code == key[1])
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    language, email, city = row
    return RecipientRow(language, email, has_address=city is not None)


def count_waiting(connection: Connection) -> int:
    """How many notices wait to be sorted, or for their e-mail."""
    waiting = NOTICES.c.email_state.in_((NEW, DUE))
    query = select(func.count()).select_from(NOTICES).where(waiting)
    return int(connection.execute(query).scalar_one())


def oldest_waiting(connection: Connection) -> int | None:
    """Of when the change is that has waited longest to be told, as in rows; None: nothing waits."""
    waiting = NOTICES.c.email_state.in_((NEW, DUE))
    found: int | None = connection.execute(select(func.min(NOTICES.c.at)).where(waiting)).scalar()
    return found


def list_notices(connection: Connection, key: Key) -> list[NoticeRow]:
    """What the customer at *key* was and is to be told, oldest first."""
    mine = (NOTICES.c.bucket == key[0], NOTICES.c.user_code == key[1])
    rows = connection.execute(select(*_COLUMNS).where(*mine).order_by(NOTICES.c.at, NOTICES.c.id))
    return [NoticeRow(*row) for row in rows]


def find_former(connection: Connection, notices: Sequence[NoticeRow]) -> dict[bytes, AddressRow]:
    """Where letters went when each of *notices* was written, by its id."""
    found = {row.id: address_at(connection, row.key, row.at) for row in notices}
    return {notice: address for notice, address in found.items() if address is not None}


def find_by_letters(connection: Connection, due: Sequence[tuple[Key, str]]) -> dict[str, NoticeRow]:
    """The notices that letters tell, by the letters' references; *due* has whose, and these."""
    found = {}
    for (bucket, user_code), reference in due:
        mine = (NOTICES.c.bucket == bucket, NOTICES.c.user_code == user_code)
        row = connection.execute(
            select(*_COLUMNS).where(*mine, NOTICES.c.letter == reference)
        ).first()
        if row is not None:
            found[reference] = NoticeRow(*row)
    return found


def _take(connection: Connection, which: ColumnElement[bool], most: int) -> list[NoticeRow]:
    """At most so many of the notices, locked; SQLite has no such lock, and one who writes."""
    query = select(*_COLUMNS).where(which).order_by(NOTICES.c.next_try_at).limit(most)
    rows = connection.execute(query.with_for_update(skip_locked=True))
    return [NoticeRow(*row) for row in rows]
