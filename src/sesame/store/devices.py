"""Known devices: browsers that have signed in before. A secret's hash is kept, never the secret."""

from dataclasses import dataclass, field

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    func,
    select,
)

from sesame.store.forgetting import forget
from sesame.store.metadata import METADATA

DEVICES = Table(
    "devices",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("device_hash", LargeBinary(32), primary_key=True),
    Column("known_since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("devices_by_end", "expires_at"),  # there may be many, and few are at their end
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as the accepting commit writes it."""

    device_hash: bytes = field(repr=False)  # 32 bytes
    known_since: int
    expires_at: int


def count_devices(connection: Connection, bucket: int, user_code: str, *, now: int) -> int:
    """How many devices of a customer are known at the moment *now*."""
    query = select(func.count()).where(
        DEVICES.c.bucket == bucket, DEVICES.c.user_code == user_code, DEVICES.c.expires_at > now
    )
    return connection.execute(query).scalar_one()


def delete_expired_devices(connection: Connection, *, now: int) -> int:
    """Forget devices whose time is over; how many."""
    return forget(connection, DEVICES, DEVICES.c.expires_at <= now)
