"""Who is staff: sessions at the desk, new members, and the page that enrols the first officer."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sesame.bank.audit import SALT_LENGTH, Fact, Record, audit_row, moment
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind
from sesame.bank.errors import (
    CardTaken,
    MalformedStaffCode,
    NoSuchCustomer,
    NotAllowed,
    OfficersEnough,
    PersonTaken,
    SecretRefused,
)
from sesame.bank.limits import Limits
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.reasons import check_reason
from sesame.bank.sessions import end_session, parse_token, touched
from sesame.bank.staff import (
    BANK_ITSELF,
    Role,
    check_roles,
    generate_staff_code,
    is_staff_code,
    read_roles,
    shown,
    write_roles,
)
from sesame.bank.user_code import ALPHABET, UserCode
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, Registered
from sesame.store.access import NO_ATTEMPT, NO_HEAD, Access
from sesame.store.approvals import Signer, close_account, enrol_by_secret, make_bootstrap
from sesame.store.buckets import bucket_of
from sesame.store.cards import NewCardRow, seal_context
from sesame.store.customers import NewCustomerRow, Refusal
from sesame.store.engine import Store
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.staff import (
    StaffRow,
    find_staff_session,
    is_bootstrap,
    list_staff,
    read_staff,
)

DEFAULTS = Limits()
_OFFICER = write_roles(frozenset({Role.OFFICER}))
_OFFICERS = 2  # who enrol all others; a third is enrolled by them
_SECRET = 20  # characters of 5 bits each
_GROUP = 4
_CARD = 1  # a member of staff has one
_NO_ADDRESS = ""  # it comes from the console


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A member of staff who is signed in."""

    user_code: UserCode
    name: str
    roles: frozenset[Role]
    idle_until: datetime
    ends_at: datetime

    @property
    def signer(self) -> Signer:
        """As what they do is written by."""
        return Signer(self.user_code, write_roles(self.roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is, was or is to become staff."""

    user_code: UserCode
    name: str
    roles: frozenset[Role]
    added_at: datetime
    begun_at: datetime | None
    closed_at: datetime | None
    closed_reason: str
    personnel_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStaff:
    """A person to become staff, and the card that they will sign in with."""

    name: str
    personnel_number: str  # as `sesame.bank.staff.parse_personnel_number` gives it
    language: Language
    kind: CardKind
    record: CardRecord = field(repr=False)


async def read_staff_session(bank: Bank, token: str) -> Staff | None:
    """The member of staff whose session *token* is, its idle time begun anew; None once it ended.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    place = parse_token(token)
    if place is None:
        return None
    now = bank.now()
    row = await bank.store.read(lambda connection: find_staff_session(connection, *place))
    if row is None:
        await bank.store.seen_lasts()  # as `sesame.bank.sessions.read_session`
        return None
    opened_at, seen_at = from_row(row.opened_at), from_row(row.seen_at)
    ends_at = min(from_row(row.ends_at), opened_at + bank.limits.desk_longest)
    if now >= min(ends_at, seen_at + bank.limits.session_idle):
        await end_session(bank, token)
        return None
    seen_at = await touched(bank, place, seen_at, now)
    return Staff(
        user_code=UserCode(row.user_code),
        name=row.name,
        roles=read_roles(row.roles),
        idle_until=min(seen_at + bank.limits.session_idle, ends_at),
        ends_at=ends_at,
    )


async def all_members(bank: Bank) -> list[Member]:
    """Everybody who is, was or is to become staff, by name."""
    return [_member(row) for row in await bank.store.read(list_staff)]


async def find_member(bank: Bank, user_code: str) -> Member | None:
    """One of them; None where nobody has that staff code."""
    key = (bucket_of(user_code), user_code)
    row = await bank.store.read(lambda connection: read_staff(connection, key))
    return None if row is None else _member(row)


def print_secret(random: bytes) -> str:
    """A one-time secret out of 20 random bytes: five groups of four characters, 100 bits."""
    drawn = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random[:_SECRET])
    return "-".join(drawn[at : at + _GROUP] for at in range(0, _SECRET, _GROUP))


def secret_hash(typed: str) -> bytes:
    """What the store keeps of a secret (32 bytes), however its groups were typed."""
    plain = "".join(c for c in typed.upper() if c.isascii() and c.isalnum())
    return hashlib.sha256(b"sesame-bootstrap\x00" + plain.encode()).digest()


async def prepare_bootstrap(
    store: Store,
    *,
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
    limits: Limits = DEFAULTS,
) -> tuple[str, datetime]:
    """A secret that enrols one security officer, and until when; earlier ones are void.

    The bank's own chain says that it was made.

    Raises:
        OfficersEnough: two officers have signed in.
        TooBusy, StoreUnavailable: nothing was made.
    """
    secret = print_secret(random_bytes(_SECRET))

    async def attempt() -> datetime:
        at = now()
        until = at + limits.bootstrap_good_for
        access = await store.read_access(BANK_ITSELF)
        change = partial(
            make_bootstrap,
            secret_hash=secret_hash(secret),
            at=to_row(at),
            expires_at=to_row(until),
            officers=_OFFICER,
            enough=_OFFICERS,
        )
        facts, salt = {"expires": moment(until)}, random_bytes(SALT_LENGTH)
        if access.enrolled:
            change = partial(
                change,
                move=plan_move(
                    access, "bootstrap-made", facts, now=at, salt=salt, address=_NO_ADDRESS
                ),
            )
        else:
            change = partial(change, new=_bank_row(access, facts, at, salt))
        if not await store.write(change):
            raise OfficersEnough
        return until

    return secret, await until_taken(limits.lost_swaps, attempt)


async def enrol_officer(bank: Bank, secret: str, new: NewStaff, address: str) -> UserCode:
    """Enrol a security officer by a one-time *secret*; their staff code.

    Raises:
        SecretRefused: it is none, was used, or expired; or two officers have signed in since.
        CardTaken, PersonTaken: the card is somebody's already, or the person has an account; the
            secret is still good.
        CustodyError: custody cannot take the card; likewise.
        TooBusy, StoreUnavailable: it was perhaps not done.
    """
    hashed = secret_hash(secret)
    # Before custody is asked, and a transaction that writes begins: anybody can send this form.
    now = to_row(bank.now())
    if not await bank.store.read(lambda connection: is_bootstrap(connection, hashed, at=now)):
        raise SecretRefused

    async def attempt() -> UserCode:
        code = generate_staff_code(bank.random_bytes)
        now = bank.now()
        row = await new_staff_row(
            bank, code, new, now, roles=_OFFICER, by=BANK_ITSELF, address=address
        )
        itself = await bank.store.read_access(BANK_ITSELF)
        facts = {"staff": shown(code)}
        used = plan_move(
            itself, "bootstrap-used", facts, now=now, salt=salt_of(bank), address=address
        )
        done = await bank.store.write(
            lambda connection: _or_undone(
                enrol_by_secret(
                    connection,
                    row,
                    _OFFICER,
                    hashed,
                    [used],
                    personnel_number=new.personnel_number,
                    enough=_OFFICERS,
                    at=to_row(now),
                )
            )
        )
        if not done:
            raise SecretRefused
        return code

    return await until_taken(bank.limits.lost_swaps, attempt)


async def close_member(
    bank: Bank, by: Staff, user_code: UserCode, address: str, *, reason: str
) -> None:
    """Close an account: its sessions end, its card is held, in one commit. Nobody closes their own.

    Raises:
        UnsuitableReason: the reason says nothing, or too much.
        NotAllowed: *by* is no security officer (any more), or it is their own account.
        NoSuchCustomer: no such account is open.
        TooBusy, StoreUnavailable: it was perhaps not done.
    """
    if Role.OFFICER not in by.roles or user_code == by.user_code:
        raise NotAllowed
    if not is_staff_code(user_code):
        raise MalformedStaffCode
    reason = check_reason(reason)

    async def attempt() -> None:
        now = bank.now()
        theirs = await bank.store.read_access(user_code)
        own = await bank.store.read_access(by.user_code)
        facts = {"by": shown(by.user_code), "staff": shown(user_code)}
        plan = partial(plan_move, facts=facts, now=now, address=address)
        moves = [
            plan(theirs, "staff-closed", salt=salt_of(bank), ends_sessions=True),
            plan(own, "staff-closed", salt=salt_of(bank)),
        ]
        cards = [card.card_number for card in theirs.cards]
        key = (theirs.bucket, user_code)
        done = await bank.store.write(
            lambda connection: close_account(
                connection, key, by.signer, cards, moves, reason=reason, at=to_row(now)
            )
        )
        if done is None:
            raise NotAllowed
        if not done:
            raise NoSuchCustomer

    await until_taken(bank.limits.lost_swaps, attempt)


async def new_staff_row(  # noqa: PLR0913 -- who, and what the first line says
    bank: Bank,
    code: UserCode,
    new: NewStaff,
    now: datetime,
    *,
    roles: str,
    by: UserCode,
    address: str,
) -> NewCustomerRow:
    """*new* as they are written, with the first line of their chain.

    Raises:
        CustodyError: custody cannot take the card.
    """
    check_roles(map(Role, roles.split()))
    context = seal_context(code, _CARD)
    (registered,) = await bank.custodian.register_all([(new.record, context)])
    card = _card_row(new, registered)
    stranger = await bank.store.read_access(code)
    record = Record(
        event="staff-enrolment",
        version=stranger.version + 1,
        at=now,
        attempt=NO_ATTEMPT,
        user_code=code,
        address=address,
        facts={"cards": [[_CARD, card.profile, card.last_atc]], "roles": roles, "by": shown(by)},
    )
    return NewCustomerRow(
        bucket=bucket_of(code),
        user_code=code,
        name=new.name,
        language=new.language,
        old_code=None,
        cards=[card],
        line=audit_row(record, prev=NO_HEAD, salt=salt_of(bank), mac=None),
    )


def _or_undone(done: bool | Refusal) -> bool:  # noqa: FBT001 -- what the store says
    """*done*, unless somebody is refused: then the whole transaction is undone.

    Raises:
        CardTaken, PersonTaken: the card is somebody's, or the person has an account.
        EnrolledMeanwhile: the staff code is somebody's, by chance: another is drawn.
    """
    if isinstance(done, Refusal):
        raise refusal(done)
    return done


def refusal(why: Refusal) -> CardTaken | PersonTaken | EnrolledMeanwhile:
    """The error that says *why* somebody could not be enrolled."""
    if why is Refusal.CARD_TAKEN:
        return CardTaken("the card is somebody's already: check its number and PSN")
    if why is Refusal.PERSON_TAKEN:
        return PersonTaken("this person has an account already: close that one first")
    return EnrolledMeanwhile()


def _card_row(new: NewStaff, registered: Registered) -> NewCardRow:
    return NewCardRow(
        card_number=_CARD,
        kind=new.kind,
        profile=new.record.profile,
        sealed=registered.sealed,
        last4=new.record.pan.last4,
        pan_hash=registered.pan_hash,
        psn=new.record.psn,
        last_atc=0,
    )


def _bank_row(
    access: Access, facts: Mapping[str, Fact], now: datetime, salt: bytes
) -> NewCustomerRow:
    """The bank itself, whose chain begins with its first one-time secret."""
    record = Record(
        event="bootstrap-made",
        version=access.version + 1,
        at=now,
        attempt=NO_ATTEMPT,
        user_code=BANK_ITSELF,
        address=_NO_ADDRESS,
        facts=facts,
    )
    return NewCustomerRow(
        bucket=access.bucket,
        user_code=BANK_ITSELF,
        name="",
        language=Language.FRENCH,
        old_code=None,
        cards=[],
        line=audit_row(record, prev=NO_HEAD, salt=salt, mac=None),
    )


def _member(row: StaffRow) -> Member:
    return Member(
        user_code=UserCode(row.user_code),
        name=row.name,
        roles=read_roles(row.roles),
        added_at=from_row(row.added_at),
        begun_at=None if row.begun_at is None else from_row(row.begun_at),
        closed_at=None if row.closed_at is None else from_row(row.closed_at),
        closed_reason=row.closed_reason or "",
        personnel_number=row.personnel_number or "",
    )
