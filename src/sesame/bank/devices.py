"""Known devices: browsers that a customer has signed in with before.

Such a browser carries a secret in a cookie. It opens nothing and says nothing by itself; it
keeps two tries for its customer that no stranger can use up (docs/decisions/0014).
"""

import hashlib
from datetime import datetime

from sesame.bank.bank import Bank
from sesame.bank.moments import from_row, to_row
from sesame.bank.user_code import UserCode
from sesame.custody.custodian import KeyUsage
from sesame.store.access import DEVICES_ASKED, Access
from sesame.store.buckets import bucket_of
from sesame.store.devices import DeviceRow, count_devices

SECRET_LENGTH = 32  # bytes
MOST_DEVICES = DEVICES_ASKED  # of one browser: people who share it
_DOMAIN = b"sesame-device-1\x00"


def device_hash(user_code: UserCode, secret: bytes) -> bytes:
    """What the store keeps of a device (32 bytes): bound to the customer, nobody else's."""
    return hashlib.sha256(_DOMAIN + user_code.encode() + b"\x00" + secret).digest()


async def make_device(bank: Bank, user_code: UserCode, seed: bytes) -> bytes:
    """The secret (32 bytes) by which a browser is known, of a *seed* that only its form has.

    A MAC by custody, so that whoever had the browser before cannot work it out beforehand.
    """
    return await bank.custodian.mac(KeyUsage.SESSION, f"{user_code}|device|".encode() + seed)


def is_known(access: Access, now: datetime) -> bool:
    """Whether one of the devices that *access* was read for is known at *now*."""
    return access.device_until is not None and now < from_row(access.device_until)


def device_row(bank: Bank, user_code: UserCode, secret: bytes, now: datetime) -> DeviceRow:
    """The row that makes the browser with *secret* (32 bytes) known from *now* on."""
    return DeviceRow(
        device_hash=device_hash(user_code, secret),
        known_since=to_row(now),
        expires_at=to_row(now + bank.limits.device_known),
    )


async def known_devices(bank: Bank, user_code: UserCode) -> int:
    """How many devices of a customer are known."""
    now = to_row(bank.now())
    return await bank.store.read(
        lambda connection: count_devices(connection, bucket_of(user_code), user_code, now=now)
    )
