"""Holds: who keeps which card from signing in, why, and since when. The card's state decides."""

from collections.abc import Sequence
from enum import StrEnum, unique
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    delete,
    insert,
    select,
)

from sesame.store.bulk import at_least_a_row
from sesame.store.metadata import METADATA

Key = tuple[int, str]  # bucket and user code

# In the place of a release number's hash, where the number is not known any more: none gives it.
NO_NUMBER = bytes(32)
# A reason that rows have as a sentence from before it was a key, and requests that quote them.
_WRITTEN_OUT = {"Courrier revenu : n’habite pas à l’adresse indiquée": "returned"}

HOLDS = Table(
    "holds",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("card_number", SmallInteger, primary_key=True),
    Column("by", String(8), nullable=False),  # owner or desk
    Column("by_code", String(8), nullable=False),  # user code or staff code
    Column("reason", String(200), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("release_hash", LargeBinary(32)),  # keyed; of the number that lets its owner lift it
    sqlite_with_rowid=False,
)


@unique
class HeldBy(StrEnum):
    """Who may lift a hold: its owner by a number, or only the desk, by two persons."""

    OWNER = "owner"
    DESK = "desk"


class OwnHold(NamedTuple):
    """A card that its owner holds, and what is kept of the number that lifts it."""

    card_number: int
    release_hash: bytes  # 32 bytes

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"OwnHold({self.card_number})"


class ListedHold(NamedTuple):
    """Who holds a card, why, and since when."""

    by: str  # owner or desk
    by_code: str  # user code or staff code
    reason: str
    at: int


def find_own_holds(connection: Connection, key: Key) -> list[OwnHold]:
    """The holds that the customer at *key* put on their own cards, by card.

    Where there are none the database answers a row all the same, as for one: `at_least_a_row`.
    """
    tables = at_least_a_row(
        HOLDS,
        HOLDS.c.bucket == key[0],
        HOLDS.c.user_code == key[1],
        HOLDS.c.by == HeldBy.OWNER,
        HOLDS.c.release_hash.is_not(None),
    )
    query = select(HOLDS.c.card_number, HOLDS.c.release_hash).select_from(tables)
    rows = connection.execute(query.order_by(HOLDS.c.card_number))
    return [OwnHold(*row) for row in rows if row.card_number is not None]


def has_own_hold(connection: Connection, key: Key, release_hash: bytes) -> bool:
    """Whether the customer at *key* holds a card that this number lifts."""
    return any(hold.release_hash == release_hash for hold in find_own_holds(connection, key))


def insert_own_holds(  # noqa: PLR0913 -- whose, which, and what is kept of the number
    connection: Connection,
    key: Key,
    cards: Sequence[int],
    *,
    reason: str,
    release_hash: bytes,
    at: int,
) -> None:
    """Write down that the customer at *key* holds *cards*: before the cards' states say so."""
    for card_number in cards:
        connection.execute(
            insert(HOLDS).values(
                bucket=key[0],
                user_code=key[1],
                card_number=card_number,
                by=HeldBy.OWNER,
                by_code=key[1],
                reason=reason,
                at=at,
                release_hash=release_hash,
            )
        )


def delete_own_hold(
    connection: Connection, key: Key, card_number: int, release_hash: bytes
) -> bool:
    """Take an owner's hold away, by what its number says; whether it was there."""
    hold = delete(HOLDS).where(
        HOLDS.c.bucket == key[0],
        HOLDS.c.user_code == key[1],
        HOLDS.c.card_number == card_number,
        HOLDS.c.by == HeldBy.OWNER,
        HOLDS.c.release_hash == release_hash,
    )
    return connection.execute(hold).rowcount == 1


def delete_holds_of_owner(connection: Connection, key: Key, cards: Sequence[int]) -> None:
    """Take the owner's own holds on *cards* away, whichever number lifts them."""
    connection.execute(
        delete(HOLDS).where(
            HOLDS.c.bucket == key[0],
            HOLDS.c.user_code == key[1],
            HOLDS.c.card_number.in_(cards),
            HOLDS.c.by == HeldBy.OWNER,
        )
    )


def put_desk_hold(  # noqa: PLR0913 -- which card, by whom, why, when
    connection: Connection, key: Key, card_number: int, *, by: str, reason: str, at: int
) -> None:
    """Write down that the desk holds a card, in place of what stood there."""
    delete_hold(connection, key, card_number)
    values = {"by": HeldBy.DESK, "by_code": by, "reason": reason, "at": at}
    place = {"bucket": key[0], "user_code": key[1], "card_number": card_number}
    connection.execute(insert(HOLDS).values(**place, **values))


def find_hold(connection: Connection, key: Key, card_number: int) -> ListedHold | None:
    """The hold of that card of the customer at *key*, as it is listed."""
    columns = [HOLDS.c[name] for name in ListedHold._fields]
    row = connection.execute(select(*columns).where(_of(key, card_number))).first()
    return None if row is None else ListedHold(row.by, row.by_code, reason_key(row.reason), row.at)


def reason_key(written: str) -> str:
    """The key of a reason as a hold's row has it; `sesame.desk.timeline_words` has the words."""
    return _WRITTEN_OUT.get(written, written)


def held_since(connection: Connection, key: Key, card_number: int) -> int:
    """Since when that card of the customer at *key* is held; 0 where no hold of it is listed."""
    row = connection.execute(select(HOLDS.c.at).where(_of(key, card_number))).first()
    return 0 if row is None else int(row.at)


def delete_hold(connection: Connection, key: Key, card_number: int) -> None:
    """Take the hold of that card off the list, if it is there; its state is another matter."""
    connection.execute(delete(HOLDS).where(_of(key, card_number)))


def _of(key: Key, card_number: int) -> ColumnElement[bool]:
    return and_(
        HOLDS.c.bucket == key[0], HOLDS.c.user_code == key[1], HOLDS.c.card_number == card_number
    )
