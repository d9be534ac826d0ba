"""Sessions: who is signed in. A token's hash is kept, never the token."""

from dataclasses import dataclass, field

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
    and_,
    delete,
    select,
    update,
)

from sesame.store.access import ACCESS
from sesame.store.customers import CUSTOMERS
from sesame.store.forgetting import forget
from sesame.store.metadata import METADATA

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("session_epoch", Integer, nullable=False),
    Column("means", String(16), nullable=False),  # code, two-codes or old-code
    Column("erased_old_code", SmallInteger, nullable=False),  # 1: by the login that opened it
    Column("opened_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),  # whatever happens
    Column("previous_login_at", BigInteger),
    # A browser brings its token only, whose first part is the bucket.
    Index("sessions_by_token", "bucket", "token_hash", unique=True),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as the accepting commit writes it."""

    token_hash: bytes = field(repr=False)  # 32 bytes
    session_epoch: int
    means: str
    erased_old_code: bool
    opened_at: int
    ends_at: int
    previous_login_at: int | None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as a request finds it, with whom it belongs to."""

    bucket: int
    user_code: str
    name: str
    means: str
    erased_old_code: int
    opened_at: int
    seen_at: int
    ends_at: int
    previous_login_at: int | None
    replayed_at: int | None  # when somebody last presented a code that was used already


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One of a customer's sessions."""

    token_hash: bytes = field(repr=False)
    means: str
    opened_at: int
    seen_at: int


# Of the customer's row as it is now: once their sessions were all ended, none is found.
_OF_ACCESS = and_(
    ACCESS.c.bucket == SESSIONS.c.bucket,
    ACCESS.c.user_code == SESSIONS.c.user_code,
    ACCESS.c.session_epoch == SESSIONS.c.session_epoch,
)


def find_session(connection: Connection, bucket: int, token_hash: bytes) -> OpenSession | None:
    """Find the session of a token, unless its customer's sessions were all ended since."""
    of_customer = and_(
        CUSTOMERS.c.bucket == SESSIONS.c.bucket, CUSTOMERS.c.user_code == SESSIONS.c.user_code
    )
    row = connection.execute(
        select(
            SESSIONS.c.bucket,
            SESSIONS.c.user_code,
            CUSTOMERS.c.name,
            SESSIONS.c.means,
            SESSIONS.c.erased_old_code,
            SESSIONS.c.opened_at,
            SESSIONS.c.seen_at,
            SESSIONS.c.ends_at,
            SESSIONS.c.previous_login_at,
            ACCESS.c.replayed_at,
        )
        .join(CUSTOMERS, of_customer)
        .join(ACCESS, _OF_ACCESS)
        .where(SESSIONS.c.bucket == bucket, SESSIONS.c.token_hash == token_hash)
    ).one_or_none()
    return None if row is None else OpenSession(*tuple(row))


def list_sessions(
    connection: Connection, bucket: int, user_code: str, *, seen_since: int, now: int
) -> list[ListedSession]:
    """A customer's open sessions, newest first: seen after *seen_since*, not ended by *now*."""
    rows = connection.execute(
        select(SESSIONS.c.token_hash, SESSIONS.c.means, SESSIONS.c.opened_at, SESSIONS.c.seen_at)
        .join(ACCESS, _OF_ACCESS)
        .where(
            _of_customer(bucket, user_code),
            SESSIONS.c.seen_at > seen_since,
            SESSIONS.c.ends_at > now,
        )
        .order_by(SESSIONS.c.opened_at.desc(), SESSIONS.c.token_hash)
    )
    return [ListedSession(*row) for row in rows]


def touch_session(connection: Connection, bucket: int, token_hash: bytes, at: int) -> None:
    """Note that a session was used; its moment never runs backwards."""
    connection.execute(
        update(SESSIONS)
        .where(
            SESSIONS.c.bucket == bucket,
            SESSIONS.c.token_hash == token_hash,
            SESSIONS.c.seen_at < at,
        )
        .values(seen_at=at)
    )


def delete_session(connection: Connection, bucket: int, token_hash: bytes) -> None:
    """End one session."""
    connection.execute(
        delete(SESSIONS).where(SESSIONS.c.bucket == bucket, SESSIONS.c.token_hash == token_hash)
    )


def delete_session_of(
    connection: Connection, bucket: int, user_code: str, token_hash: bytes
) -> None:
    """End one session of this customer; somebody else's stays."""
    connection.execute(
        delete(SESSIONS).where(_of_customer(bucket, user_code), SESSIONS.c.token_hash == token_hash)
    )


def delete_other_sessions(
    connection: Connection, bucket: int, user_code: str, token_hash: bytes
) -> None:
    """End every session of this customer but the one of *token_hash*."""
    connection.execute(
        delete(SESSIONS).where(_of_customer(bucket, user_code), SESSIONS.c.token_hash != token_hash)
    )


def delete_dead_sessions(connection: Connection, *, unseen_since: int, now: int) -> int:
    """Forget sessions that ended by time; how many."""
    dead = (SESSIONS.c.seen_at < unseen_since) | (SESSIONS.c.ends_at < now)
    return forget(connection, SESSIONS, dead)


def _of_customer(bucket: int, user_code: str) -> ColumnElement[bool]:
    return and_(SESSIONS.c.bucket == bucket, SESSIONS.c.user_code == user_code)
