"""What cards began with: the last ATC that an enrolment stated, where it was above 0.

It tells whether a code of a card was accepted since: then the card's last ATC stands above. No
login reads it or writes it.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Integer, SmallInteger, String, Table, delete

from sesame.store.bulk import insert_rows
from sesame.store.metadata import METADATA

Key = tuple[int, str]  # bucket and user code

BEGUN_COUNTERS = Table(
    "begun_counters",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("card_number", SmallInteger, primary_key=True),
    # Never rises; falls together with the card's own, as two persons agreed.
    Column("last_atc", Integer, nullable=False),
    sqlite_with_rowid=False,
)


def insert_begun(connection: Connection, begun: Sequence[tuple[Key, int, int]]) -> None:
    """Write down that cards (key, number, last ATC) begin so: before they are written.

    PostgreSQL takes it of no card that there is.
    """
    columns = ("bucket", "user_code", "card_number", "last_atc")
    rows = [(*key, number, last_atc) for key, number, last_atc in begun if last_atc]
    insert_rows(connection, BEGUN_COUNTERS, columns, rows)


def forget_begun(connection: Connection, key: Key, card_number: int, *, at_or_above: int) -> None:
    """Forget what a card began with, where that is *at_or_above* an ATC: it may fall no more."""
    begun = BEGUN_COUNTERS.c
    connection.execute(
        delete(BEGUN_COUNTERS)
        .where(begun.bucket == key[0], begun.user_code == key[1])
        .where(begun.card_number == card_number, begun.last_atc >= at_or_above)
    )
