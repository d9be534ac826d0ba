"""Who is signed in: tokens, and how long they hold.

A token begins with its bucket, so that the row is found without a search over all; the
rest is a MAC by custody over what only this browser has and the step that accepted it, so
that the same form sent twice opens the same session, and no token comes again
(docs/decisions/0013). The store keeps its hash.
"""

import base64
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sesame.bank.bank import Bank
from sesame.bank.moments import from_row, to_row
from sesame.bank.user_code import UserCode
from sesame.custody.custodian import KeyUsage
from sesame.store.buckets import bucket_of
from sesame.store.errors import StoreUnavailable
from sesame.store.sessions import delete_session, find_session, touch_session

_TOKEN = re.compile(r"[0-6][0-9][A-Za-z0-9_-]{43}")
# A page every few seconds needs no write each.
_TOUCHED = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Session:
    """A customer who is signed in."""

    user_code: UserCode
    name: str
    opened_at: datetime
    last_login: datetime | None
    idle_until: datetime
    ends_at: datetime


async def make_token(bank: Bank, user_code: UserCode, version: int, seed: bytes) -> str:
    """The token of the session that the step to *version* opened.

    *seed* is 32 bytes that only one browser's one form has.
    """
    opened = f"{user_code}|{version}|".encode() + seed
    mac = await bank.custodian.mac(KeyUsage.SESSION, opened)
    return f"{bucket_of(user_code):02d}{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def token_hash(token: str) -> bytes:
    """What the store keeps of a token, 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


async def read_session(bank: Bank, token: str) -> Session | None:
    """The session of *token*, its idle time begun anew; None once it has ended."""
    if not _TOKEN.fullmatch(token):
        return None
    bucket, hashed, now = int(token[:2]), token_hash(token), bank.now()
    row = await bank.store.read(lambda connection: find_session(connection, bucket, hashed))
    if row is None:
        return None
    ends_at, seen_at = from_row(row.ends_at), from_row(row.seen_at)
    if now >= min(ends_at, seen_at + bank.limits.session_idle):
        await end_session(bank, token)
        return None
    if now - seen_at > _TOUCHED:
        at = to_row(now)
        # A page is worth more than its few minutes: what cannot be written is not counted.
        with suppress(StoreUnavailable):
            await bank.store.write(lambda connection: touch_session(connection, bucket, hashed, at))
            seen_at = now
    previous = row.previous_login_at
    return Session(
        user_code=UserCode(row.user_code),
        name=row.name,
        opened_at=from_row(row.opened_at),
        last_login=None if previous is None else from_row(previous),
        idle_until=min(seen_at + bank.limits.session_idle, ends_at),
        ends_at=ends_at,
    )


async def end_session(bank: Bank, token: str) -> None:
    """End the session of *token*; one that has ended already stays so."""
    if _TOKEN.fullmatch(token):
        bucket, hashed = int(token[:2]), token_hash(token)
        await bank.store.write(lambda connection: delete_session(connection, bucket, hashed))
