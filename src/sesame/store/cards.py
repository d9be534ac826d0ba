"""Cards: what the bank knows of each, and the last ATC it accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
    update,
)

from sesame.store.begun import BEGUN_COUNTERS, insert_begun
from sesame.store.buckets import bucket_of
from sesame.store.bulk import insert_rows, there_is
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.holds import delete_hold, delete_holds_of_owner
from sesame.store.metadata import METADATA
from sesame.store.staff_mark import STAFF_MARK

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
    Column("last_atc", Integer, nullable=False),  # never below an accepted one
    Column("created_at", BigInteger, nullable=False),
    # Of the database's lives (`sesame.store.incarnation`); in an earlier one the card is unsure.
    Column("generation", Integer, nullable=False, server_default="0"),
    # How whoever calls is found by the end of a card. No step changes it (HOT stays possible).
    Index("cards_by_last4", "last4"),
    sqlite_with_rowid=False,
)

# Unique across all customers, so it cannot begin with a bucket; written with a card, and no more.
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
    WAITING = "waiting"  # issued, and not activated yet
    RETIRED = "retired"  # lost, replaced or returned: never again


class CardRow(msgspec.Struct, frozen=True):
    """What an attempt reads of one card."""

    card_number: int
    state: str
    profile: str
    sealed: bytes
    last_atc: int
    # No older backup was restored since its last ATC was set: truth as the databases have it.
    sure: bool | int | None = True

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
    state: CardState = CardState.ACTIVE


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
    """One card of a customer, whoever's it is; None where there is none.

    None of staff: a portal that asks custody of one is refused (`custody.service`).
    """
    columns = (CARDS.c.user_code, CARDS.c.card_number, CARDS.c.sealed)
    of_customer = func.substr(CARDS.c.user_code, 1, 1) != STAFF_MARK
    row = connection.execute(select(*columns).where(of_customer).limit(1)).first()
    return None if row is None else SealedCardRow(*row)


def sealed_cards(
    connection: Connection, after: SealedCardRow | None, many: int
) -> list[SealedCardRow]:
    """At most *many* cards of the database in the order of their keys, behind the card *after*."""
    columns = (CARDS.c.user_code, CARDS.c.card_number, CARDS.c.sealed)
    key = (CARDS.c.bucket, CARDS.c.user_code, CARDS.c.card_number)
    query = select(*columns).order_by(*key).limit(many)
    if after is not None:
        last = (bucket_of(after.user_code), after.user_code, after.card_number)
        query = query.where(tuple_(*key) > tuple_(*map(literal, last)))
    return [SealedCardRow(*row) for row in connection.execute(query)]


def insert_cards(
    connection: Connection,
    cards: Sequence[tuple[Key, NewCardRow]],
    at: int,
    *,
    unsure_for: int = 0,
) -> None:
    """Write new cards, each of the customer by whose key it stands, and index their PANs.

    Those that are written within *unsure_for* microseconds after a restore are unsure: they may
    have signed in here before, and the backup forgot them. So nobody knows what they began with.

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
    # Read after the rows of `access` were written: no restore is being noticed meanwhile.
    # Without that row, as after a restore that broke off, no generation is the database's.
    life = connection.execute(text("SELECT generation, restored_at FROM incarnation")).first()
    generation, restored_at = life or (0, None)
    if restored_at is not None and at < restored_at + unsure_for:
        generation -= 1
    else:
        insert_begun(connection, [(key, card.card_number, card.last_atc) for key, card in cards])
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
            "generation",
        ),
        [
            (
                *key,
                card.card_number,
                card.kind,
                card.state,
                card.profile,
                card.sealed,
                card.last4,
                card.last_atc,
                at,
                generation,
            )
            for key, card in cards
        ],
    )


def set_card_state(connection: Connection, key: Key, card_number: int, state: CardState) -> None:
    """Let a card sign in, hold or retire it: the desk's word, which ends its owner's own hold.

    What reads it takes a step of its access row afterwards.
    """
    if state is CardState.HELD:
        delete_holds_of_owner(connection, key, [card_number])
    else:
        delete_hold(connection, key, card_number)
    connection.execute(
        update(CARDS)
        .where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
        .where(CARDS.c.card_number == card_number)
        .values(state=state)
    )


def raise_atc(connection: Connection, key: Key, card_number: int, atc: int) -> bool:
    """Take an ATC of a card outside a login; False where it is not above the last, or unsure.

    Call it behind the step that says so.
    """
    risen = update(CARDS).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    risen = risen.where(CARDS.c.card_number == card_number, CARDS.c.last_atc < atc, _OF_NOW)
    return connection.execute(risen.values(last_atc=atc)).rowcount == 1


# That no restore made a card unsure.
_OF_NOW = literal_column(
    "cards.generation = (SELECT now.generation FROM incarnation AS now WHERE now.id = 1)", Boolean
)


class Lowering(NamedTuple):
    """A card whose last ATC falls, from what it began with."""

    card_number: int
    begun: int  # 1–65535
    to: int  # below it


def may_fall(connection: Connection, key: Key, fall: Lowering) -> bool:
    """Whether a card would begin lower by `lower_atc`."""
    where = _falls_from_beginning(key, fall, unsure=False)
    return bool(connection.execute(select(there_is(*where))).scalar())


def lower_atc(connection: Connection, key: Key, fall: Lowering, *, unsure: bool = False) -> bool:
    """Have a card begin lower; False where a code was accepted since, or nobody knows.

    Both counters fall, or none. Call it behind the step that says so. *unsure*: also where a
    restore made the card unsure.
    """
    where = _falls_from_beginning(key, fall, unsure=unsure)
    if connection.execute(update(CARDS).where(*where).values(last_atc=fall.to)).rowcount != 1:
        return False
    # On PostgreSQL the trigger that let the card's fall through has done it.
    connection.execute(update(BEGUN_COUNTERS).where(*_begun(key, fall)).values(last_atc=fall.to))
    return True


def _falls_from_beginning(key: Key, fall: Lowering, *, unsure: bool) -> list[ColumnElement[bool]]:
    card = CARDS.c
    return [
        card.bucket == key[0],
        card.user_code == key[1],
        card.card_number == fall.card_number,
        card.last_atc == fall.begun,
        card.last_atc > fall.to,
        there_is(*_begun(key, fall)),
        *([] if unsure else [_OF_NOW]),
    ]


def _begun(key: Key, fall: Lowering) -> list[ColumnElement[bool]]:
    begun = BEGUN_COUNTERS.c
    return [
        begun.bucket == key[0],
        begun.user_code == key[1],
        begun.card_number == fall.card_number,
        begun.last_atc == fall.begun,
    ]


def held_card(connection: Connection, key: Key, last4: str) -> int | None:
    """The number of the first held card of the customer at *key* that ends with *last4*."""
    row = select(CARDS.c.card_number).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    row = row.where(CARDS.c.state == CardState.HELD, CARDS.c.last4 == last4)
    number: int | None = connection.execute(row.order_by(CARDS.c.card_number)).scalar()
    return number


def living_card(connection: Connection, key: Key, last4: str) -> int | None:
    """The number of the Sésame card of the customer at *key* that ends so and is not retired."""
    row = select(CARDS.c.card_number).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    row = row.where(CARDS.c.state != CardState.RETIRED, CARDS.c.kind == "sesame")
    row = row.where(CARDS.c.last4 == last4).order_by(CARDS.c.card_number)
    number: int | None = connection.execute(row).scalar()
    return number


def card_ending(connection: Connection, key: Key, last4: str) -> int | None:
    """The number of the newest card of the customer at *key* that ends with *last4*."""
    row = select(CARDS.c.card_number).where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    row = row.where(CARDS.c.last4 == last4).order_by(CARDS.c.card_number.desc())
    number: int | None = connection.execute(row).scalar()
    return number


class Standing(NamedTuple):
    """Where a card's counter stands, and what it began with: None where that is not known, or 0."""

    card_number: int
    last_atc: int
    begun: int | None


def find_standing(connection: Connection, key: Key, last4: str) -> Standing | None:
    """The newest card of the customer at *key* that ends with *last4* and is not retired."""
    begun = BEGUN_COUNTERS.c
    same = and_(
        begun.bucket == CARDS.c.bucket,
        begun.user_code == CARDS.c.user_code,
        begun.card_number == CARDS.c.card_number,
    )
    columns = (CARDS.c.card_number, CARDS.c.last_atc, begun.last_atc)
    query = select(*columns).select_from(CARDS.outerjoin(BEGUN_COUNTERS, same))
    query = query.where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    query = query.where(CARDS.c.last4 == last4, CARDS.c.state != CardState.RETIRED)
    row = connection.execute(query.order_by(CARDS.c.card_number.desc()).limit(1)).first()
    return None if row is None else Standing(*row)
