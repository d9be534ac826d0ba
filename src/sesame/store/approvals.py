"""Requests that a second person decides on, and the steps that go with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum, unique
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    and_,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from sesame.store.access import ACCESS, State, state_columns
from sesame.store.addresses import (
    AddressRow,
    confirm_address,
    waits_for_confirmation,
    write_address,
)
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL, AuditRow
from sesame.store.buckets import bucket_of
from sesame.store.bulk import insert_rows
from sesame.store.cards import CARDS, CardState, Key, Lowering, lower_atc, may_fall, set_card_state
from sesame.store.chains import as_bytes
from sesame.store.customers import CUSTOMERS, NewCustomerRow, Refusal, insert_subjects
from sesame.store.errors import EnrolledMeanwhile, StepLost
from sesame.store.holds import delete_hold, find_hold, held_since
from sesame.store.limit_changes import add_limit_change
from sesame.store.metadata import METADATA
from sesame.store.notices import insert_notice
from sesame.store.orders import order_instead
from sesame.store.staff import (
    add_bootstrap,
    begin_staff,
    close_staff,
    count_proved,
    has_right,
    insert_staff,
    read_staff,
    use_bootstrap,
)

# Never deleted: lines commit to what stands here.
APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("subject", String(8), nullable=False),  # whose access it is about
    # Of the subject, 0 where it is about no card; null once it is decided or lapsed.
    Column("open_card", SmallInteger),
    Column("payload", LargeBinary, nullable=False),  # JSON in its one spelling
    Column("reason", String(200), nullable=False),
    Column("requested_by", String(8), nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("verdict", String(16)),
    Column("decided_by", String(8)),
    Column("decided_at", BigInteger),
    Column("used_at", BigInteger),  # what was agreed to can be had once, and was
    # Said by the database too, whoever speaks to it.
    CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_persons"),
    Index("approvals_by_moment", "requested_at"),
    Index("approvals_one_open", "subject", "kind", "open_card", unique=True),
    sqlite_with_rowid=False,
)


class ApprovalRow(NamedTuple):
    """A request, moments as in rows."""

    id: bytes
    kind: str
    subject: str
    open_card: int | None
    payload: bytes
    reason: str
    requested_by: str
    requested_at: int
    expires_at: int
    verdict: str | None = None
    decided_by: str | None = None
    decided_at: int | None = None
    used_at: int | None = None

    def __repr__(self) -> str:
        return f"ApprovalRow({self.kind})"


class Signer(NamedTuple):
    """A member of staff who does something, and the roles by which they were found to may."""

    user_code: str
    roles: str  # as in their row

    @property
    def key(self) -> Key:
        """Bucket and staff code."""
        return bucket_of(self.user_code), self.user_code


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A step of one access row, with its line, taken in a transaction that does more."""

    key: Key
    read_version: int
    state: State  # afterwards
    line: AuditRow


_COLUMNS = [APPROVALS.c[name] for name in ApprovalRow._fields]


Description = Mapping[str, str | int]  # what whoever decides reads, and a verdict is bound to
Describe = Callable[[Connection, Key, int], Description | None]  # of a card, or of 0


def describe_person(connection: Connection, key: Key, _card_number: int) -> Description | None:
    """Who the customer at *key* is; None where it is none."""
    query = select(CUSTOMERS.c.name).where(
        CUSTOMERS.c.bucket == key[0], CUSTOMERS.c.user_code == key[1]
    )
    row = connection.execute(query).first()
    return None if row is None else {"name": row.name}


def describe_nobody(_connection: Connection, _key: Key, _card_number: int) -> Description | None:
    """Nothing, of a request that is about many."""
    return {}


def describe_hold(connection: Connection, key: Key, card_number: int) -> Description | None:
    """Whose that card is, how it ends, who holds it, since when and why; None as `describe_card`.

    Of a card that no list has as held: since 0, and no more.
    """
    card = describe_card(connection, key, card_number)
    if card is None:
        return None
    hold = find_hold(connection, key, card_number)
    if hold is None:
        return {**card, "hold": 0}
    who = read_staff(connection, (bucket_of(hold.by_code), hold.by_code))
    return {
        **card,
        "hold": hold.at,
        "held_by": hold.by,
        "held_by_code": hold.by_code,
        "held_by_name": "" if who is None else who.name,
        "hold_reason": hold.reason,
    }


def describe_card(connection: Connection, key: Key, card_number: int) -> Description | None:
    """Whose that card of the customer at *key* is, and how it ends; None where no customer's."""
    same = and_(CARDS.c.bucket == CUSTOMERS.c.bucket, CARDS.c.user_code == CUSTOMERS.c.user_code)
    query = select(CUSTOMERS.c.name, CARDS.c.last4).select_from(CUSTOMERS.join(CARDS, same))
    query = query.where(CARDS.c.bucket == key[0], CARDS.c.user_code == key[1])
    row = connection.execute(query.where(CARDS.c.card_number == card_number)).first()
    return None if row is None else {"name": row.name, "last4": row.last4}


class Notice(NamedTuple):
    """What the customer is told of, see `sesame.store.notices`."""

    id: bytes  # 16 bytes by chance
    event: str
    facts: bytes


_DEADLOCK = "40P01"


@unique
class Written(StrEnum):
    """What became of a request or a verdict."""

    WRITTEN = "written"
    NO_RIGHT = "who asks or decides has no right any more"
    NOTHING = "there is nothing to release any more"
    ASKER_GONE = "who asked has no right any more"
    ASKED_ALREADY = "another request of that kind for that card is open"


def request(connection: Connection, row: ApprovalRow, by: Signer, moves: Sequence[Move]) -> Written:
    """Write a request down, with the steps that say so, unless one for its card is open.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return Written.NO_RIGHT
    alike = (
        APPROVALS.c.subject == row.subject,
        APPROVALS.c.kind == row.kind,
        APPROVALS.c.open_card == row.open_card,
    )
    lapsed = update(APPROVALS).where(*alike, APPROVALS.c.expires_at <= row.requested_at)
    connection.execute(lapsed.values(open_card=None))
    if connection.execute(select(APPROVALS.c.id).where(*alike)).first() is not None:
        return Written.ASKED_ALREADY
    # Before it is written: of two at a time one loses the subject's step, and looks again.
    take_moves(connection, moves)
    connection.execute(insert(APPROVALS).values(row._asdict()))
    return Written.WRITTEN


def change_address(  # noqa: PLR0913 -- whose, to what, by whom, and what goes with it
    connection: Connection,
    key: Key,
    address: AddressRow,
    by: Signer,
    moves: Sequence[Move],
    *,
    notice: Notice,
    asks: ApprovalRow | None,
    kind: str,
    at: int,
) -> bool:
    """Put *address* in place, with the steps that say so; False where *by* has no right.

    An open request of *kind* for the address before is no more in the way of another: its yes
    would find another address. *asks*: the request that goes with the change.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return False
    overtaken = update(APPROVALS).where(APPROVALS.c.subject == key[1], APPROVALS.c.kind == kind)
    connection.execute(overtaken.values(open_card=None))
    take_moves(connection, moves)
    write_address(connection, key, address, at=at)
    if asks is not None:
        connection.execute(insert(APPROVALS).values(asks._asdict()))
    _tell(connection, key, notice, at)
    return True


def _tell(connection: Connection, key: Key, notice: Notice, at: int) -> None:
    insert_notice(connection, key, notice=notice.id, event=notice.event, facts=notice.facts, at=at)


def request_staff(  # noqa: PLR0913 -- who, what they become, and who asks
    connection: Connection,
    new: NewCustomerRow,
    roles: str,
    row: ApprovalRow,
    by: Signer,
    *,
    personnel_number: str,
    moves: Sequence[Move],
) -> bool | Refusal:
    """Write somebody down who is to become staff, with the request; nothing where that cannot be.

    Raises:
        StepLost, EnrolledMeanwhile: undo the transaction, read and plan again.
    """
    if not has_right(connection, by.key, by.roles):
        return False
    refused = insert_staff(
        connection, new, roles=roles, personnel_number=personnel_number, begun_at=None
    )
    if refused:
        return refused[0]
    return request(connection, row, by, moves) is Written.WRITTEN


def make_bootstrap(  # noqa: PLR0913 -- a secret, when there are enough officers, and the line
    connection: Connection,
    *,
    secret_hash: bytes,
    at: int,
    expires_at: int,
    officers: str,
    enough: int,
    new: NewCustomerRow | None = None,
    move: Move | None = None,
) -> bool:
    """Let a secret be used, with the line that says so: the bank's first (*new*), or one more.

    False where *enough* members of staff with the roles *officers* have signed in.

    Raises:
        StepLost, EnrolledMeanwhile: undo the transaction, read and plan again.
    """
    if count_proved(connection, officers) >= enough:
        return False
    add_bootstrap(connection, secret_hash, at=at, expires_at=expires_at)
    if new is not None and insert_subjects(connection, [new]):
        raise EnrolledMeanwhile
    if move is not None:
        take_moves(connection, [move])
    return True


def enrol_by_secret(  # noqa: PLR0913 -- who, what they become, and by which secret
    connection: Connection,
    new: NewCustomerRow,
    roles: str,
    secret_hash: bytes,
    moves: Sequence[Move],
    *,
    personnel_number: str,
    enough: int,
    at: int,
) -> bool | Refusal:
    """Write down a security officer who begins at once; the secret is used up with it.

    False where the secret is none, or *enough* members of staff with *roles* have signed in. Where
    the row cannot be written the secret is used, unless the transaction is undone.

    Raises:
        StepLost, EnrolledMeanwhile: undo the transaction, read and plan again.
    """
    if count_proved(connection, roles) >= enough:
        return False
    if not use_bootstrap(connection, secret_hash, at=at):
        return False
    refused = insert_staff(
        connection, new, roles=roles, personnel_number=personnel_number, begun_at=new.line.at
    )
    if refused:
        return refused[0]
    take_moves(connection, moves)
    return True


@contextmanager
def circles_lost() -> Iterator[None]:
    """Say StepLost of a transaction that PostgreSQL ended to break a circle of waiting."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _DEADLOCK:
            raise StepLost from None
        raise


@circles_lost()
def close_account(  # noqa: PLR0913 -- whose, by whom, and what settles with it
    connection: Connection,
    key: Key,
    by: Signer,
    cards: Sequence[int],
    moves: Sequence[Move],
    *,
    reason: str,
    at: int,
) -> bool | None:
    """Close a member of staff's account; None where *by* has no right, False where it is closed.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return None
    if not close_staff(connection, key, by=by.user_code, reason=reason, at=at):
        return False
    # Before the cards, as a login locks them.
    take_moves(connection, moves)
    for number in cards:
        set_card_state(connection, key, number, CardState.HELD)
    return True


class Effect(NamedTuple):
    """What a yes does to the access that it is about; each part may be left out."""

    key: Key
    cards: Sequence[tuple[int, CardState]] = ()
    lifts: Sequence[tuple[int, int]] = ()  # holds: card and since when, 0 where it is on no list
    begins_with: str | None = None  # roles of a member of staff who begins
    replaces: int | None = None  # a card for which another one is ordered, with another PIN
    ordered_by: str = ""  # the staff code of who asked for that
    confirms_address: int | None = None  # which was changed then
    notice: Notice | None = None
    sets: tuple[str, int] | None = None  # a limit of the desk
    lowers: Lowering | None = None


@circles_lost()
def settle_decision(  # noqa: PLR0913 -- what was decided, by whom, and what settles with it
    connection: Connection,
    approval: bytes,
    verdict: str,
    by: Signer,
    effect: Effect,
    *,
    asker: Signer | None,
    moves: Sequence[Move],
    at: int,
) -> Written:
    """Write a verdict with what it does, or nothing at all; a yes where *asker* is one still.

    Raises:
        StepLost: somebody decided or moved a row meanwhile; undo the transaction, read and plan
            again.
    """
    if not has_right(connection, by.key, by.roles):
        return Written.NO_RIGHT
    if asker is not None and not has_right(connection, asker.key, asker.roles):
        return Written.ASKER_GONE
    if not _can_be(connection, effect):
        return Written.NOTHING
    roles = effect.begins_with
    if roles is not None and not begin_staff(connection, effect.key, roles=roles, at=at):
        return Written.NOTHING
    if not decide_approval(connection, approval, verdict=verdict, by=by.user_code, at=at):
        raise StepLost
    take_moves(connection, moves)
    # Asked once more by the statement itself: a restore that makes a card unsure takes no step.
    if effect.lowers is not None and not lower_atc(connection, effect.key, effect.lowers):
        raise StepLost
    _do(connection, effect, approval, at)
    return Written.WRITTEN


def _can_be(connection: Connection, effect: Effect) -> bool:
    """Whether what was agreed to is there as it was asked for.

    Whoever changes it takes a step of the same access row, so what is found here holds once
    `take_moves` has taken ours.
    """
    changed = effect.confirms_address
    if changed is not None and not waits_for_confirmation(connection, effect.key, changed):
        return False
    if effect.lowers is not None and not may_fall(connection, effect.key, effect.lowers):
        return False
    return all(held_since(connection, effect.key, card) == since for card, since in effect.lifts)


def _do(connection: Connection, effect: Effect, approval: bytes, at: int) -> None:
    for number, state in effect.cards:
        set_card_state(connection, effect.key, number, state)
    for number, _ in effect.lifts:
        delete_hold(connection, effect.key, number)
    if effect.confirms_address is not None:
        confirm_address(connection, effect.key, at=at)
    if effect.notice is not None:
        _tell(connection, effect.key, effect.notice, at)
    if effect.sets is not None:
        add_limit_change(connection, *effect.sets, request=approval, at=at)
    if effect.replaces is not None:
        order_instead(
            connection, effect.key, effect.replaces, reason="pin", by=effect.ordered_by, at=at
        )


def read_approval(connection: Connection, approval: bytes) -> ApprovalRow | None:
    """The request of that id (16 bytes)."""
    row = connection.execute(select(*_COLUMNS).where(APPROVALS.c.id == approval)).first()
    return None if row is None else ApprovalRow(*row)


def read_approvals(connection: Connection, *, after: bytes, most: int) -> list[ApprovalRow]:
    """The requests of an id (16 bytes) behind *after*, in order, for an auditor."""
    query = select(*_COLUMNS).where(APPROVALS.c.id > after).order_by(APPROVALS.c.id).limit(most)
    # Somebody who was at the file of an SQLite database may have left an id of any type.
    return [ApprovalRow(as_bytes(row[0]), *row[1:]) for row in connection.execute(query)]


def list_approvals(
    connection: Connection, *, since: int, now: int, most: int, by: str | None = None
) -> list[ApprovalRow]:
    """The requests since a moment: all that are open, then *most* of the others; newest first.

    With *by*, those of that member of staff.
    """
    is_open = and_(APPROVALS.c.verdict.is_(None), APPROVALS.c.expires_at > now)
    query = select(*_COLUMNS).where(APPROVALS.c.requested_at >= since)
    if by is not None:
        query = query.where(APPROVALS.c.requested_by == by)
    query = query.order_by(APPROVALS.c.requested_at.desc(), APPROVALS.c.id)
    # However many were decided meanwhile: what nobody sees nobody decides.
    both = (query.where(is_open), query.where(~is_open).limit(most))
    return [ApprovalRow(*row) for part in both for row in connection.execute(part)]


def granted_approvals(connection: Connection, kind: str, *, since: int) -> list[ApprovalRow]:
    """The requests of *kind* that were granted since a moment, oldest first."""
    query = select(*_COLUMNS).where(
        APPROVALS.c.requested_at >= since,
        APPROVALS.c.kind == kind,
        APPROVALS.c.verdict == "approved",
    )
    query = query.order_by(APPROVALS.c.decided_at, APPROVALS.c.id)
    return [ApprovalRow(*row) for row in connection.execute(query)]


def decide_approval(
    connection: Connection, approval: bytes, *, verdict: str, by: str, at: int
) -> bool:
    """Write a verdict, unless there is one, it is too late, or *by* is who asked."""
    open_to_others = (
        APPROVALS.c.id == approval,
        APPROVALS.c.verdict.is_(None),
        APPROVALS.c.expires_at > at,
        APPROVALS.c.requested_by != by,
    )
    decided = update(APPROVALS).where(*open_to_others)
    values = {"verdict": verdict, "decided_by": by, "decided_at": at, "open_card": None}
    return connection.execute(decided.values(values)).rowcount == 1


@circles_lost()
def use_approval(  # noqa: PLR0913 -- which, by whom, until when, and what says so
    connection: Connection,
    approval: bytes,
    by: Signer,
    moves: Sequence[Move],
    *,
    since: int,
    at: int,
) -> Written:
    """Use up a yes that *by* had asked for, given after *since*, with the steps that say so.

    Raises:
        StepLost: see `take_moves`.
    """
    if not has_right(connection, by.key, by.roles):
        return Written.NO_RIGHT
    granted = (
        APPROVALS.c.id == approval,
        APPROVALS.c.verdict == "approved",
        APPROVALS.c.requested_by == by.user_code,
        APPROVALS.c.decided_at > since,
        APPROVALS.c.used_at.is_(None),
    )
    used = connection.execute(update(APPROVALS).where(*granted).values(used_at=at))
    if used.rowcount != 1:
        return Written.NOTHING
    take_moves(connection, moves)
    return Written.WRITTEN


def take_moves(connection: Connection, moves: Sequence[Move]) -> None:
    """Take each step by compare-and-swap, in key order as groups lock, and write its line.

    Raises:
        StepLost: somebody was faster; undo the transaction, read and plan again.
    """
    for move in sorted(moves, key=lambda move: move.key):
        bucket, user_code = move.key
        line = move.line
        step = update(ACCESS).where(
            ACCESS.c.bucket == bucket,
            ACCESS.c.user_code == user_code,
            ACCESS.c.version == move.read_version,
            ACCESS.c.enrolled_at.is_not(None),
        )
        step = step.values(**state_columns(move.state), version=line.version, head=line.head)
        if connection.execute(step).rowcount != 1:
            raise StepLost
    lines = [(*move.key, move.line) for move in moves]
    insert_rows(
        connection,
        AUDIT_LINES,
        ("bucket", "user_code", "version", "at", "attempt", "line", "head"),
        [(b, u, line.version, line.at, line.attempt, line.line, line.head) for b, u, line in lines],
    )
    insert_rows(
        connection,
        AUDIT_PERSONAL,
        ("bucket", "user_code", "version", "at", "salt", "address"),
        [(b, u, line.version, line.at, line.salt, line.address) for b, u, line in lines],
    )
