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
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique

from msgspec.structs import replace

from sesame.bank.bank import Bank
from sesame.bank.errors import TooBusy
from sesame.bank.moments import from_row, to_row
from sesame.bank.settling import Change, row_time, settle
from sesame.bank.user_code import UserCode
from sesame.custody.custodian import KeyUsage
from sesame.store.buckets import bucket_of
from sesame.store.errors import StoreUnavailable
from sesame.store.sessions import (
    delete_other_sessions,
    delete_session,
    delete_session_of,
    find_session,
    list_sessions,
    touch_session,
)
from sesame.store.steps import Fate
from sesame.store.telling import Telling

_TOKEN = re.compile(r"[0-6][0-9][A-Za-z0-9_-]{43}")
# A page every few seconds needs no write each.
_TOUCHED = timedelta(seconds=15)
_NOTICE_LENGTH = 16  # bytes


@unique
class Means(StrEnum):
    """What a customer proved who they are with."""

    CODE = "code"
    TWO_CODES = "two-codes"
    CHALLENGE = "challenge"  # its answer, and a code made after it
    OLD_CODE = "old-code"
    ACTIVATION = "activation"  # a card's first code, with the number of the reader's parcel
    RELEASE = "release"  # a code of a card that its owner held, with the number that lifts it


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A customer who is signed in."""

    user_code: UserCode
    name: str
    id: bytes = field(repr=False)  # 32 bytes, the token's hash
    means: Means
    erased_old_code: bool  # this login was the first with a code Sésame, and retired the old one
    opened_at: datetime
    last_login: datetime | None
    idle_until: datetime
    ends_at: datetime
    replayed_at: datetime | None  # a used code was presented since this session is open

    @property
    def view_only(self) -> bool:
        """Whether it may look and do nothing else: an old code is no strong authentication."""
        return self.means is Means.OLD_CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInList:
    """One of a customer's open sessions. `id` names it and opens nothing."""

    id: bytes = field(repr=False)  # 32 bytes, the token's hash
    means: Means
    opened_at: datetime
    seen_at: datetime


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


def parse_token(token: str) -> tuple[int, bytes] | None:
    """Bucket and hash (32 bytes) by which *token* is found; None where it is none of ours."""
    return (int(token[:2]), token_hash(token)) if _TOKEN.fullmatch(token) else None


async def read_session(bank: Bank, token: str, *, touch: bool = True) -> Session | None:
    """The session of *token*, its idle time begun anew; None once it has ended, for good.

    Without *touch* the idle time runs on: looking how long is left is no activity.

    Raises:
        StoreUnavailable: it cannot be told now; nobody is to be told that it has ended.
    """
    place = parse_token(token)
    if place is None:
        return None
    (bucket, hashed), now = place, bank.now()
    row = await bank.store.read(lambda connection: find_session(connection, bucket, hashed))
    idle = bank.limits.session_idle
    if row is None:
        # Not to be seen is not enough: its end may stand on this server alone, and be gone with
        # it. Whoever makes tokens up shares one commit with all others who ask.
        await bank.store.seen_lasts()
        return None
    if now >= min(from_row(row.ends_at), from_row(row.seen_at) + idle):
        await end_session(bank, token)
        return None
    ends_at, seen_at = from_row(row.ends_at), from_row(row.seen_at)
    if touch:
        seen_at = await touched(bank, place, seen_at, now)
    replayed = row.replayed_at is not None and row.replayed_at > row.opened_at
    return Session(
        user_code=UserCode(row.user_code),
        name=row.name,
        id=hashed,
        means=Means(row.means),
        erased_old_code=bool(row.erased_old_code),
        opened_at=from_row(row.opened_at),
        last_login=_moment(row.previous_login_at),
        idle_until=min(seen_at + idle, ends_at),
        ends_at=ends_at,
        replayed_at=_moment(row.replayed_at) if replayed else None,
    )


async def touched(
    bank: Bank, place: tuple[int, bytes], seen_at: datetime, now: datetime
) -> datetime:
    """When the session at *place* was seen: now, where that is worth a write."""
    if now - seen_at > _TOUCHED:
        at = to_row(now)
        # A page is worth more than its few minutes: what cannot be written is not counted.
        with suppress(StoreUnavailable):
            await bank.store.write(lambda connection: touch_session(connection, *place, at))
            return now
    return seen_at


async def open_sessions(bank: Bank, user_code: UserCode) -> list[SessionInList]:
    """The customer's open sessions, newest first; what is not among them has ended for good.

    Raises:
        StoreUnavailable: that cannot be told now.
    """
    now = bank.now()
    # A list that leaves out what is not there says that it has ended: see `read_session`.
    rows = await bank.store.write(
        lambda connection: list_sessions(
            connection,
            bucket_of(user_code),
            user_code,
            seen_since=to_row(now - bank.limits.session_idle),
            now=to_row(now),
        )
    )
    return [
        SessionInList(
            id=row.token_hash,
            means=Means(row.means),
            opened_at=from_row(row.opened_at),
            seen_at=from_row(row.seen_at),
        )
        for row in rows
    ]


async def end_session(bank: Bank, token: str) -> None:
    """End the session of *token*; one that has ended already stays so."""
    place = parse_token(token)
    if place is not None:
        await bank.store.write(lambda connection: delete_session(connection, *place))


async def end_session_of(bank: Bank, user_code: UserCode, session_id: bytes) -> None:
    """End one session of this customer; what is nobody's or somebody else's stays."""
    bucket = bucket_of(user_code)
    await bank.store.write(
        lambda connection: delete_session_of(connection, bucket, user_code, session_id)
    )


async def end_other_sessions(bank: Bank, session: Session) -> None:
    """End every session of the customer but this one."""
    bucket, user_code = bucket_of(session.user_code), session.user_code
    await bank.store.write(
        lambda connection: delete_other_sessions(connection, bucket, user_code, session.id)
    )


async def end_all_sessions(bank: Bank, user_code: UserCode, address: str) -> None:
    """End every session of the customer, whatever this process knows of them: one step.

    Raises:
        TooBusy: others moved the access first; nothing has ended.
    """
    await _take(bank, user_code, address, "sessions-ended", raises_epoch=True)


async def forget_known_devices(bank: Bank, user_code: UserCode, address: str) -> None:
    """Have no device known any more: the reserved tries are for nobody until the next login.

    The customer is told, as of whatever changes their access.

    Raises:
        TooBusy: others moved the access first; nothing was forgotten.
    """
    await _take(bank, user_code, address, "devices-forgotten", forgets_devices=True)


async def _take(  # noqa: PLR0913 -- an event and its two effects
    bank: Bank,
    user_code: UserCode,
    address: str,
    event: str,
    *,
    raises_epoch: bool = False,
    forgets_devices: bool = False,
) -> None:
    # Whoever is signed in goes before all strangers who guess at the same user code.
    async with bank.turnstile.through(user_code, waiting=bank.limits.waiting, first=True):
        for _ in range(bank.limits.lost_swaps):
            access = await bank.store.read_access(user_code)
            now = row_time(bank.now(), access)
            epoch = access.state.session_epoch + raises_epoch
            change = Change(
                event=event,
                state=replace(access.state, session_epoch=epoch),
                facts={},
                address=address,
                forgets_devices=forgets_devices,
                tells=Telling(event=event, notice=bank.random_bytes(_NOTICE_LENGTH))
                if forgets_devices
                else None,
            )
            if await settle(bank, access, change, now) is Fate.WON:
                return
    raise TooBusy


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_row(at)
