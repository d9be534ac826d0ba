"""Details of customers: what letters need, and what an import wrote. No login reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    select,
)

from sesame.store.access import ACCESS
from sesame.store.bulk import find_rows, insert_rows
from sesame.store.cards import PAN_INDEX, Key
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.metadata import METADATA

CUSTOMER_DETAILS = Table(
    "customer_details",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    # As the French post counts an address: the name is line 1, postcode and city are line 6.
    Column("line_2", String(38), nullable=False),
    Column("line_3", String(38), nullable=False),
    Column("line_4", String(38), nullable=False),
    Column("line_5", String(38), nullable=False),
    Column("postcode", String(10), nullable=False),
    Column("city", String(38), nullable=False),
    Column("country", String(2), nullable=False),  # ISO 3166-1
    Column("letter_format", String(16), nullable=False),
    Column("email", String(254), nullable=True),
    Column("card_kind", String(16), nullable=False),  # which card they are to have
    Column("old_code_to_come", Boolean, nullable=False),  # it is set elsewhere, later
    Column("reference", String(40), nullable=True),  # the institution's own number for them
    Column("import_digest", LargeBinary(32), nullable=True),  # of the row that was imported
    Column("address_changed_at", BigInteger, nullable=True),  # at the desk
    Column("address_confirmed_at", BigInteger, nullable=True),  # by two, since it was changed
    Index("customer_details_reference", "reference", unique=True),
    sqlite_with_rowid=False,
)


class DetailsRow(NamedTuple):
    """What stands of one customer; see the table."""

    line_2: str
    line_3: str
    line_4: str
    line_5: str
    postcode: str
    city: str
    country: str
    letter_format: str
    email: str | None
    card_kind: str
    old_code_to_come: bool
    reference: str | None

    def __repr__(self) -> str:
        """Without the values: where somebody lives is nobody's to log."""
        return "DetailsRow()"


@dataclass(frozen=True, slots=True)
class Imported:
    """A customer who was imported, and the digest (32 bytes) of the row; None: made otherwise."""

    key: Key
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """Whom the database has of those who are to be imported."""

    enrolled: frozenset[Key]  # also who was erased: a user code is never given again
    by_key: Mapping[Key, Imported]
    by_reference: Mapping[str, Imported]
    cards: frozenset[tuple[bytes, str]]  # hash of the PAN, and PSN


def insert_details(
    connection: Connection, rows: Sequence[tuple[Key, DetailsRow, bytes | None]]
) -> None:
    """Write the details of new customers, with the digest of what was imported.

    Raises:
        EnrolledMeanwhile: a reference is somebody's already.
    """
    written = insert_rows(
        connection,
        CUSTOMER_DETAILS,
        (*_KEY, *DetailsRow._fields, "import_digest"),
        # In the order of references, so that two imports do not wait for each other in turn.
        sorted(
            ((*key, *details, digest) for key, details, digest in rows),
            key=lambda row: (row[-2] or "", row[:2]),
        ),
        otherwise="ON CONFLICT DO NOTHING",
    )
    if written != len(rows):
        raise EnrolledMeanwhile


def read_details(connection: Connection, key: Key) -> DetailsRow | None:
    """The details of the customer at *key*; None where there are none."""
    columns = [CUSTOMER_DETAILS.c[name] for name in DetailsRow._fields]
    query = select(*columns).where(
        CUSTOMER_DETAILS.c.bucket == key[0], CUSTOMER_DETAILS.c.user_code == key[1]
    )
    found = connection.execute(query).first()
    return None if found is None else DetailsRow(*found)


def has_address(connection: Connection, key: Key) -> bool:
    """Whether it is known where the customer at *key* lives."""
    return read_details(connection, key) is not None


def find_references(connection: Connection, references: Sequence[str]) -> dict[str, Imported]:
    """The customers with *references*."""
    rows = find_rows(
        connection,
        CUSTOMER_DETAILS,
        ("reference",),
        (*_KEY, "import_digest"),
        [(reference,) for reference in references],
    )
    return {
        reference: Imported((bucket, user_code), digest)
        for reference, bucket, user_code, digest in rows
    }


def find_enrolled(
    connection: Connection,
    *,
    keys: Sequence[Key],
    references: Sequence[str],
    cards: Sequence[tuple[bytes, str]],
) -> Found:
    """Whom the database has of those with *keys*, *references*, or *cards* (PAN's hash, PSN)."""
    access = find_rows(connection, ACCESS, _KEY, ("enrolled_at",), keys)
    details = find_rows(connection, CUSTOMER_DETAILS, _KEY, ("import_digest",), keys)
    return Found(
        enrolled=frozenset((b, u) for b, u, enrolled_at in access if enrolled_at is not None),
        by_key={(b, u): Imported((b, u), digest) for b, u, digest in details},
        by_reference=find_references(connection, references),
        cards=frozenset(
            (bytes(pan_hash), psn)
            for pan_hash, psn in find_rows(connection, PAN_INDEX, ("pan_hash", "psn"), (), cards)
        ),
    )


_KEY = ("bucket", "user_code")
