"""Known devices: browsers that have signed in before. A secret's hash is kept, never the secret."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    delete,
    func,
    select,
)

from sesame.store.metadata import METADATA

DEVICES = Table(
    "devices",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("device_hash", LargeBinary(32), primary_key=True),
    Column("known_since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as the accepting commit writes it."""

    device_hash: bytes  # 32 bytes
    known_since: int
    expires_at: int


_INSERT_DEVICE = """
INSERT INTO devices (bucket, user_code, device_hash, known_since, expires_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (bucket, user_code, device_hash) DO UPDATE
SET known_since = excluded.known_since, expires_at = excluded.expires_at
"""
_FORGET_DEVICES = "DELETE FROM devices WHERE bucket = ? AND user_code = ?"


def insert_device(
    connection: sqlite3.Connection, bucket: int, user_code: str, device: DeviceRow
) -> None:
    """Write a device, in the transaction of the step that makes it known, or known again."""
    parameters = (bucket, user_code, device.device_hash, device.known_since, device.expires_at)
    connection.execute(_INSERT_DEVICE, parameters)


def forget_devices(connection: sqlite3.Connection, bucket: int, user_code: str) -> None:
    """Forget every device of a customer, in the transaction of the step that says so."""
    connection.execute(_FORGET_DEVICES, (bucket, user_code))


def count_devices(connection: Connection, bucket: int, user_code: str, *, now: int) -> int:
    """How many devices of a customer are known at the moment *now*."""
    query = select(func.count()).where(
        DEVICES.c.bucket == bucket, DEVICES.c.user_code == user_code, DEVICES.c.expires_at > now
    )
    return connection.execute(query).scalar_one()


def delete_expired_devices(connection: Connection, *, now: int) -> None:
    """Forget the devices whose time is over."""
    connection.execute(delete(DEVICES).where(DEVICES.c.expires_at <= now))
