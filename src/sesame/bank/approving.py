"""Asking for what takes two persons, and deciding: each one commit, with every line it means.

The rules are pure and stand in `sesame.bank.approvals`; what a yes releases is done in the commit
that says yes, and the lines stand in the chains of both persons and of whom it is about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import msgspec

from sesame.bank.approvals import (
    ID_LENGTH,
    RULES,
    Asked,
    Barred,
    Kind,
    Payload,
    Release,
    Verdict,
    Wish,
    barred,
    card_of,
    content_hash,
    lowering_of,
    may_ask,
    write_payload,
)
from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import (
    AskedAlready,
    NoSuchCustomer,
    NotAllowed,
    NothingToRelease,
    Undecided,
)
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.reasons import check_reason
from sesame.bank.settling import row_time
from sesame.bank.staff import Role, check_roles, generate_staff_code, read_roles, shown, write_roles
from sesame.bank.staffing import NewStaff, Staff, new_staff_row, refusal
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from sesame.store.approvals import (
    ApprovalRow,
    Describe,
    Effect,
    Move,
    Notice,
    Signer,
    Written,
    describe_card,
    describe_hold,
    describe_nobody,
    describe_person,
    granted_approvals,
    list_approvals,
    read_approval,
    request,
    request_staff,
    settle_decision,
)
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, card_ending, held_card
from sesame.store.customers import Refusal
from sesame.store.notices import NOTICE_ID
from sesame.store.staff import read_staff

_BY_DESK = b'{"by":"desk"}'  # who let a card go
_SHOWN_FOR = timedelta(days=30)
_MOST_SHOWN = 100  # of those that are over


async def ask(bank: Bank, by: Staff, wish: Wish, *, address: str) -> Asked:
    """Ask for *wish*: nothing happens until somebody else agrees.

    Raises:
        NotAllowed: *by* may not ask for it, or their account was closed or changed meanwhile.
        UnsuitableReason: the reason says nothing, or too much.
        NoSuchCustomer: nobody has the code of its subject.
        NothingToRelease: it would do nothing now.
        AskedAlready: another request for that card is open.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    if not may_ask(wish.kind, by.roles):
        raise NotAllowed
    wish = replace(wish, reason=check_reason(wish.reason))

    async def attempt() -> Asked:
        now = bank.now()
        access = await bank.store.read_access(wish.subject)
        if not access.enrolled:
            raise NoSuchCustomer
        RULES[wish.kind].release(wish.payload, access)
        asked = new_request(bank, by, await described(bank, wish), now)
        own = await bank.store.read_access(by.user_code)
        moves = _moves(bank, asked, [own, access], now=now, address=address)
        row = request_row(asked)
        done = await bank.store.write(lambda connection: request(connection, row, by.signer, moves))
        if done is Written.ASKED_ALREADY:
            raise AskedAlready
        if done is Written.NO_RIGHT:
            raise NotAllowed
        return asked

    return await until_taken(bank.limits.lost_swaps, attempt)


async def ask_for_staff(  # noqa: PLR0913 -- who asks for whom, why, and from where
    bank: Bank,
    by: Staff,
    new: NewStaff,
    roles: frozenset[Role],
    *,
    reason: str,
    address: str,
) -> Asked:
    """Ask that *new* become staff: enrolled with a card that is held until somebody agrees.

    Raises:
        IncompatibleRoles: nobody may hold *roles* together.
        CardTaken: the card is somebody's already.
        PersonTaken: the person has an account already.
        CustodyError: custody cannot take the card.
        NotAllowed, UnsuitableReason, TooBusy, StoreUnavailable: as `ask`.
    """
    if not may_ask(Kind.NEW_STAFF, by.roles):
        raise NotAllowed
    reason, written = check_reason(reason), write_roles(check_roles(roles))

    async def attempt() -> Asked:
        now = bank.now()
        code = generate_staff_code(bank.random_bytes)
        row = await new_staff_row(
            bank, code, new, now, roles=written, by=by.user_code, address=address
        )
        card = row.cards[0]
        payload: Payload = {
            "card": card.card_number,
            "last4": card.last4,
            "name": new.name,
            "personnel_number": new.personnel_number,
            "roles": written,
        }
        asked = new_request(bank, by, Wish(Kind.NEW_STAFF, code, payload, reason), now)
        own = await bank.store.read_access(by.user_code)
        moves = _moves(bank, asked, [own], now=now, address=address)
        approval = request_row(asked)
        done = await bank.store.write(
            lambda connection: request_staff(
                connection,
                row,
                written,
                approval,
                by.signer,
                personnel_number=new.personnel_number,
                moves=moves,
            )
        )
        if isinstance(done, Refusal):
            raise refusal(done)
        if not done:
            raise NotAllowed
        return asked

    return await until_taken(bank.limits.lost_swaps, attempt)


async def decide(bank: Bank, by: Staff, approval: bytes, verdict: Verdict, address: str) -> Asked:
    """Agree to a request or refuse it; what a yes releases is done in the same commit.

    Raises:
        Undecided: this person may not decide on it, or it is over; says why.
        NothingToRelease: there is nothing to agree to any more.
        NotAllowed: the account of *by* was closed or changed meanwhile.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """

    async def attempt() -> Asked:
        asked = await find_request(bank, approval)
        if asked is None:
            raise Undecided(Barred.NOBODY)
        now = bank.now()
        if (why := barred(asked, by.user_code, by.roles, now)) is not None:
            raise Undecided(why)
        subject = await bank.store.read_access(UserCode(asked.subject))
        now = row_time(now, subject)  # so that later verdicts about it are not dated earlier
        approved = verdict is Verdict.APPROVED
        asker = await _asker(bank, asked) if approved else None
        release = RULES[asked.kind].release(asked.payload, subject) if approved else Release()
        effect = _effect(bank, subject, release, ordered_by=asked.requested_by)
        persons = [
            await bank.store.read_access(UserCode(code))
            for code in (asked.requested_by, by.user_code)
        ]
        decided = replace(asked, verdict=verdict, decided_by=by.user_code, decided_at=now)
        gone = [number for number, state in release.cards if state is CardState.RETIRED]
        also: Mapping[str, Fact] = {"retired": [[number] for number in gone]} if gone else {}
        each = [*persons, subject]
        moves = _moves(bank, decided, each, now=now, address=address, also=also)
        done = await bank.store.write(
            lambda connection: settle_decision(
                connection,
                approval,
                verdict,
                by.signer,
                effect,
                asker=asker,
                moves=moves,
                at=to_row(now),
            )
        )
        if done is Written.NO_RIGHT:
            raise NotAllowed
        if done is Written.ASKER_GONE:
            raise Undecided(Barred.ASKER_GONE)
        if done is Written.NOTHING:
            raise NothingToRelease
        return decided

    return await until_taken(bank.limits.lost_swaps, attempt)


async def granted_since(bank: Bank, kind: Kind, since: datetime) -> list[Asked]:
    """What of *kind* was asked for since then and granted, oldest first."""
    rows = await bank.store.read(
        lambda connection: granted_approvals(connection, kind, since=to_row(since))
    )
    return [asked_of(row) for row in rows]


async def find_held_card(bank: Bank, user_code: UserCode, last4: str) -> int | None:
    """The number of this customer's held card that ends with *last4*; None where there is none."""
    key = (bucket_of(user_code), user_code)
    return await bank.store.read(lambda connection: held_card(connection, key, last4))


async def find_card(bank: Bank, user_code: UserCode, last4: str) -> int | None:
    """The number of this customer's newest card that ends with *last4*; None where none does."""
    key = (bucket_of(user_code), user_code)
    return await bank.store.read(lambda connection: card_ending(connection, key, last4))


async def find_request(bank: Bank, approval: bytes) -> Asked | None:
    """The request of that id (16 bytes); None where there is none."""
    row = await bank.store.read(lambda connection: read_approval(connection, approval))
    return None if row is None else asked_of(row)


async def recent_requests(bank: Bank, by: UserCode | None = None) -> list[Asked]:
    """What was asked in the last thirty days, or what *by* asked: the open ones before the others.

    Newest first; of what is over, a hundred at most.
    """
    now = bank.now()
    since = to_row(now - _SHOWN_FOR)
    rows = await bank.store.read(
        lambda connection: list_approvals(
            connection, since=since, now=to_row(now), most=_MOST_SHOWN, by=by
        )
    )
    return [asked_of(row) for row in rows]


# What a request is given of the bank's own rows: whoever decides has seen no card.
_DESCRIBES: Mapping[Kind, Describe] = {
    Kind.LIFT_HOLD: describe_hold,
    Kind.ADDRESS: describe_person,
    Kind.ISSUE: describe_nobody,
    Kind.REPRINT_PIN: describe_card,
    Kind.SHOW_NUMBER: describe_card,
    Kind.LIMITS: describe_nobody,
    Kind.COUNTER: describe_card,
    Kind.BANK_CARDS: describe_nobody,
}


async def described(bank: Bank, wish: Wish) -> Wish:
    """*wish* with what whoever decides reads of it.

    Raises:
        NoSuchCustomer: its subject is none.
    """
    key, number = (bucket_of(wish.subject), wish.subject), card_of(wish.payload)
    describe = _DESCRIBES[wish.kind]
    described = await bank.store.read(lambda connection: describe(connection, key, number))
    if described is None:
        raise NoSuchCustomer
    return replace(wish, payload={**wish.payload, **described})


def _effect(bank: Bank, subject: Access, release: Release, *, ordered_by: str) -> Effect:
    """*release* as it is written; what it orders, for whom asked: *ordered_by*."""
    notice = None
    if release.tells is not None:
        notice = Notice(bank.random_bytes(NOTICE_ID), release.tells, _BY_DESK)
    return Effect(
        key=(subject.bucket, subject.user_code),
        cards=release.cards,
        lifts=release.lifts,
        begins_with=release.begins_with,
        confirms_address=release.confirms_address,
        replaces=release.replaces,
        ordered_by=ordered_by,
        notice=notice,
        sets=release.sets,
        lowers=release.lowers,
    )


async def _asker(bank: Bank, asked: Asked) -> Signer:
    """Who *asked*, by the roles of now; whether the account is open the commit itself finds.

    Raises:
        Undecided: they may not ask for it any more.
    """
    key = (bucket_of(asked.requested_by), asked.requested_by)
    row = await bank.store.read(lambda connection: read_staff(connection, key))
    if row is None or not may_ask(asked.kind, read_roles(row.roles)):
        raise Undecided(Barred.ASKER_GONE)
    return Signer(row.user_code, row.roles)


def new_request(bank: Bank, by: Staff, wish: Wish, now: datetime) -> Asked:
    """A request with an id by chance, open until it expires."""
    return Asked(
        id=bank.random_bytes(ID_LENGTH),
        kind=wish.kind,
        subject=wish.subject,
        payload=wish.payload,
        reason=wish.reason,
        requested_by=by.user_code,
        requested_at=now,
        expires_at=now + bank.limits.approval_good_for,
    )


def request_row(asked: Asked) -> ApprovalRow:
    """A new request as it is written."""
    return ApprovalRow(
        id=asked.id,
        kind=asked.kind,
        subject=asked.subject,
        open_card=card_of(asked.payload),
        payload=write_payload(asked.payload),
        reason=asked.reason,
        requested_by=asked.requested_by,
        requested_at=to_row(asked.requested_at),
        expires_at=to_row(asked.expires_at),
    )


def request_facts(asked: Asked) -> dict[str, Fact]:
    """What lines say of a request, and of its verdict: no name and no reason, but their hash.

    Of a counter that fell, the card's number, from where and to where: who reads the lines alone,
    as an auditor or a replay does, knows below what no code was accepted.
    """
    fell = lowering_of(asked.payload) if asked.kind is Kind.COUNTER else None
    lowered: dict[str, Fact] = {}
    if fell is not None and asked.verdict is Verdict.APPROVED:
        lowered = {"lowered": [list(fell)]}
    return {
        "request": asked.id.hex(),
        "kind": asked.kind,
        "content": content_hash(asked),
        "asked_by": shown(asked.requested_by),
        "about": shown(asked.subject),
        "verdict": asked.verdict or "",
        "decided_by": shown(asked.decided_by or ""),
        **lowered,
    }


def _moves(  # noqa: PLR0913 -- whose, what was asked, and from where
    bank: Bank,
    asked: Asked,
    accesses: Sequence[Access],
    *,
    now: datetime,
    address: str,
    also: Mapping[str, Fact] = {},
) -> list[Move]:
    """A step of each of *accesses*, once; the same line for all, but for its place."""
    event = "approval-requested" if asked.verdict is None else "approval-decided"
    facts = {**request_facts(asked), **also}
    plan = partial(plan_move, event=event, facts=facts, now=now, address=address)
    each = {access.user_code: access for access in accesses}
    return [plan(access, salt=salt_of(bank)) for access in each.values()]


def asked_of(row: ApprovalRow) -> Asked:
    """A request as it is read."""
    return Asked(
        id=bytes(row.id),
        kind=Kind(row.kind),
        subject=row.subject,
        payload=_read_payload(row.payload),
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=from_row(row.requested_at),
        expires_at=from_row(row.expires_at),
        verdict=None if row.verdict is None else Verdict(row.verdict),
        decided_by=row.decided_by,
        decided_at=None if row.decided_at is None else from_row(row.decided_at),
        used_at=None if row.used_at is None else from_row(row.used_at),
    )


_read_payload = msgspec.json.Decoder(dict[str, str | int]).decode
