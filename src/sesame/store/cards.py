"""Cards: what the bank knows of each, and the last ATC it accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    select,
)

from sesame.store.buckets import bucket_of
from sesame.store.bulk import insert_rows
from sesame.store.errors import EnrolledMeanwhile
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


Key = tuple[int, str]  # bucket and user code


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

    def __repr__(self) -> str:
        return f"CardRow({self.card_number}, {self.state}, {self.profile}, {self.last_atc})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCardRow:
    """A card as enrolment writes it."""

    card_number: int
    kind: str
    profile: str
    sealed: bytes = field(repr=False)
    last4: str
    pan_hash: bytes = field(repr=False)  # 32 bytes
    psn: str
    last_atc: int


@dataclass(frozen=True, slots=True)
class SealedCardRow:
    """One card as custody opens it."""

    user_code: str
    card_number: int
    sealed: bytes = field(repr=False)


def seal_context(user_code: str, card_number: int) -> bytes:
    """What a card is sealed to: its row's key, so that no seal serves in another row."""
    return f"{bucket_of(user_code)}|{user_code}|{card_number}".encode()


def any_card(connection: Connection) -> SealedCardRow | None:
    """One card of the database, whoever's it is; None where it has none."""
    columns = (CARDS.c.user_code, CARDS.c.card_number, CARDS.c.sealed)
    row = connection.execute(select(*columns).limit(1)).first()
    return None if row is None else SealedCardRow(*row)


def insert_cards(connection: Connection, cards: Sequence[tuple[Key, NewCardRow]], at: int) -> None:
    """Write new, active cards, each of the customer by whose key it stands, and index their PANs.

    Raises:
        EnrolledMeanwhile: a PAN with its PSN is somebody's already.
    """
    indexed = insert_rows(
        connection,
        PAN_INDEX,
        ("pan_hash", "psn", "bucket", "user_code", "card_number"),
        # In their order, so that two enrolments do not wait for each other in turn.
        sorted((card.pan_hash, card.psn, *key, card.card_number) for key, card in cards),
        otherwise="ON CONFLICT (pan_hash, psn) DO NOTHING",
    )
    if indexed != len(cards):
        raise EnrolledMeanwhile
    insert_rows(
        connection,
        CARDS,
        (
            "bucket",
            "user_code",
            "card_number",
            "kind",
            "state",
            "profile",
            "sealed",
            "last4",
            "last_atc",
            "created_at",
        ),
        [
            (
                *key,
                card.card_number,
                card.kind,
                CardState.ACTIVE,
                card.profile,
                card.sealed,
                card.last4,
                card.last_atc,
                at,
            )
            for key, card in cards
        ],
    )
