"""Cards: what the bank knows of each, and the last ATC it accepted."""

from dataclasses import dataclass
from enum import StrEnum, unique

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from sesame.store.buckets import bucket_of
from sesame.store.errors import DuplicateCard
from sesame.store.metadata import METADATA

CARDS = Table(
    "cards",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("card_number", SmallInteger, primary_key=True),  # 1, 2 … of this customer
    Column("kind", String(16), nullable=False),  # bank or sesame
    Column("state", String(16), nullable=False),
    Column("profile", String(32), nullable=False),  # a name in sesame.cap.profile
    Column("sealed", LargeBinary, nullable=False),  # PAN, PSN and key, for custody only
    Column("last4", String(4), nullable=False),  # of the PAN: what a screen may show
    Column("last_atc", Integer, nullable=False),  # never decreases
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Unique across all customers, so it cannot begin with a bucket; only enrolment writes it.
PAN_INDEX = Table(
    "pan_index",
    METADATA,
    Column("pan_hash", LargeBinary(32), primary_key=True),  # keyed, by custody
    Column("psn", String(2), primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("user_code", String(8), nullable=False),
    Column("card_number", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)


@unique
class CardState(StrEnum):
    """Whether a card may sign in."""

    ACTIVE = "active"
    HELD = "held"


class CardRow(msgspec.Struct, frozen=True):
    """What an attempt reads of one card."""

    card_number: int
    state: str
    profile: str
    sealed: bytes
    last_atc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCardRow:
    """A card as enrolment writes it."""

    card_number: int
    kind: str
    profile: str
    sealed: bytes
    last4: str
    pan_hash: bytes  # 32 bytes
    psn: str
    last_atc: int


@dataclass(frozen=True, slots=True)
class SealedCardRow:
    """One card as custody opens it."""

    user_code: str
    card_number: int
    sealed: bytes


def seal_context(user_code: str, card_number: int) -> bytes:
    """What a card is sealed to: its row's key, so that no seal serves in another row."""
    return f"{bucket_of(user_code)}|{user_code}|{card_number}".encode()


def any_card(connection: Connection) -> SealedCardRow | None:
    """One card of the database, whoever's it is; None where it has none."""
    columns = (CARDS.c.user_code, CARDS.c.card_number, CARDS.c.sealed)
    row = connection.execute(select(*columns).limit(1)).first()
    return None if row is None else SealedCardRow(*row)


def insert_card(
    connection: Connection, bucket: int, user_code: str, card: NewCardRow, at: int
) -> None:
    """Write a new, active card and its entry in the PAN index.

    Raises:
        DuplicateCard: the PAN with this PSN is somebody's already.
    """
    key = {"bucket": bucket, "user_code": user_code, "card_number": card.card_number}
    try:
        connection.execute(insert(PAN_INDEX).values(pan_hash=card.pan_hash, psn=card.psn, **key))
    except IntegrityError:
        raise DuplicateCard from None  # the parameters would show the row
    connection.execute(
        insert(CARDS).values(
            kind=card.kind,
            state=CardState.ACTIVE,
            profile=card.profile,
            sealed=card.sealed,
            last4=card.last4,
            last_atc=card.last_atc,
            created_at=at,
            **key,
        )
    )
