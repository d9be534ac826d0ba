"""The login: read, ask custody, decide, swap.

docs/explanation/a-login-through-the-files.md walks the way of a login through this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique

from sesame.bank.audit import SALT_LENGTH, Record, audit_row, moment, unsealed_line
from sesame.bank.bank import Bank
from sesame.bank.errors import ImpossibleCode, TooBusy
from sesame.bank.limits import Limits
from sesame.bank.moments import from_row, to_row
from sesame.bank.sessions import make_token, token_hash
from sesame.bank.user_code import UserCode
from sesame.cap.token import Code
from sesame.cap.verification import candidates
from sesame.custody.custodian import Inquiry, KeyUsage, Question
from sesame.store.access import Access
from sesame.store.audit import AuditRow, has_line
from sesame.store.cards import CardRow, CardState, seal_context
from sesame.store.errors import StoreUnavailable
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate, Step

ATTEMPT_ID_LENGTH = 16  # bytes


@unique
class Door(StrEnum):
    """By which way an attempt came in."""

    PORTAL = "portal"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an attempt came from: the door, and the address behind named proxies."""

    door: Door
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A user code and a code, typed into one form.

    `id` is 16 random bytes. `session_seed` is 32 bytes that only this browser's form has,
    or None where no session is wanted.
    """

    id: bytes
    user_code: UserCode
    code: Code
    origin: Origin
    session_seed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Accepted:
    """The code was right and is used up; with the token of the session it opened, if any."""

    session_token: str | None = None

    def __repr__(self) -> str:
        return "Accepted()"


@dataclass(frozen=True, slots=True)
class Refused:
    """The code was judged and is not accepted. Nobody outside learns the cause."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nothing was judged: too many failures in a row. `until` is aware, UTC."""

    until: datetime


@unique
class Cause(StrEnum):
    """Why a code was refused; for staff only."""

    WRONG = "wrong"
    USED = "used"  # the last accepted one again
    OVERTAKEN = "overtaken"  # older than the last accepted one: a sign of harvesting
    CARD_NOT_ACTIVE = "card-not-active"
    UNKNOWN_USER_CODE = "unknown-user-code"


@dataclass(frozen=True, slots=True)
class Match:
    """A card that makes the code at this ATC."""

    card_number: int
    atc: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The cards that make the code, above their last ATC and at or below it."""

    near: tuple[Match, ...]
    behind: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a judged attempt. `cause` is None where it is accepted.

    `repeated`: the same attempt was settled before; nothing more is written.
    """

    cause: Cause | None
    failures: int
    suspended_until: datetime | None
    advance: tuple[Match, ...] = ()
    repeated: bool = False


async def verify_login(bank: Bank, attempt: Attempt) -> Accepted | Refused | Suspended:
    """Read, ask custody, decide, swap; again if somebody was faster.

    A judged attempt moves the access row from one version to the next, so parallel
    guesses queue up behind each other and none is free.

    Raises:
        TooBusy: others on this user code came first; nothing was counted.
        StoreUnavailable: the database does not answer, or did not take the step.
    """
    async with bank.turnstile.through(attempt.user_code, waiting=bank.limits.waiting):
        for _ in range(bank.limits.lost_swaps):
            access = await bank.store.read_access(attempt.user_code)
            now = _later(bank.now(), access)
            until = suspended_until(access, now)
            if until and not refusal_again(access, attempt.id, bank.limits, now):
                return Suspended(until)
            matches = await find_matches(bank, access, attempt.code)
            decision = decide(access, attempt.id, matches, bank.limits, now)
            if decision.repeated:
                return await _answer(bank, attempt, decision, access.version)
            step = await _step(bank, access, attempt, decision, now)
            if await _swap(bank, step) is Fate.WON:
                return await _answer(bank, attempt, decision, step.line.version)
    raise TooBusy


def check_possible(bank: Bank, code: Code) -> None:
    """Make sure that some card of the institution can make *code* at all.

    Raises:
        ImpossibleCode: none can; the code was mistyped, which costs no try.
    """
    if not any(profile.fits(code.token) for profile in bank.profiles.values()):
        raise ImpossibleCode


def suspended_until(access: Access, now: datetime) -> datetime | None:
    """Until when nothing is judged, or None."""
    if access.suspended_until is None:
        return None
    until = from_row(access.suspended_until)
    return until if now < until else None


def refusal_again(access: Access, attempt_id: bytes, limits: Limits, now: datetime) -> bool:
    """Whether this very attempt was refused a moment ago: an impatient second click."""
    return (
        access.last_attempt == attempt_id
        and not access.last_accepted
        and now < from_row(access.stepped_at) + limits.repeated
    )


async def find_matches(bank: Bank, access: Access, code: Code) -> Matches:
    """Ask custody at which ATCs the customer's cards make *code*."""
    cards = access.cards[: bank.limits.cards]
    inquiry = Inquiry(code, tuple(_question(bank, access, card, code) for card in cards))
    (fits,) = await bank.custodian.match([inquiry])
    near: list[Match] = []
    behind: list[Match] = []
    for fit in fits:
        card = cards[fit.question]
        found = Match(card.card_number, fit.atc)
        (near if fit.atc > card.last_atc else behind).append(found)
    return Matches(tuple(near), tuple(behind))


def decide(
    access: Access, attempt_id: bytes, matches: Matches, limits: Limits, now: datetime
) -> Decision:
    """Decide on a code: pure, and the only place where a login is decided.

    *access* is not suspended at *now*, or `refusal_again` holds. A code that fits two
    cards advances both.
    """
    if access.last_attempt == attempt_id:
        if access.last_accepted and _settled(access, matches.behind):
            return Decision(None, 0, None, repeated=True)
        if refusal_again(access, attempt_id, limits, now):
            return Decision(Cause.WRONG, access.failures, None, repeated=True)
    active = {card.card_number for card in access.cards if card.state == CardState.ACTIVE}
    advance = tuple(found for found in matches.near if found.card_number in active)
    if advance:
        return Decision(None, 0, None, advance)
    cause = _cause(access, matches)
    # By age, like what is kept of user codes that nobody has: else these could be told apart.
    kept = now < from_row(access.stepped_at) + limits.forgotten_after
    failures = (access.failures if kept else 0) + 1
    if failures < limits.failures_in_a_row:
        return Decision(cause, failures, None)
    # The suspension takes the place of the count: five more once it is over.
    return Decision(cause, 0, now + limits.suspension)


def _settled(access: Access, behind: Sequence[Match]) -> bool:
    """Whether the code is the one that its card was last accepted with."""
    last = {card.card_number: card.last_atc for card in access.cards}
    return any(found.atc == last[found.card_number] for found in behind)


def _cause(access: Access, matches: Matches) -> Cause:
    if not access.enrolled:
        return Cause.UNKNOWN_USER_CODE
    if matches.near:
        return Cause.CARD_NOT_ACTIVE
    if not matches.behind:
        return Cause.WRONG
    return Cause.USED if _settled(access, matches.behind) else Cause.OVERTAKEN


def _later(now: datetime, access: Access) -> datetime:
    """*now*, or the row's own last moment where the clock ran backwards."""
    return max(now, from_row(access.stepped_at))


def _question(bank: Bank, access: Access, card: CardRow, code: Code) -> Question:
    claimed = candidates(bank.profiles[card.profile], card.last_atc, code)
    return Question(
        sealed=card.sealed,
        context=seal_context(access.user_code, card.card_number),
        atcs=tuple(atc for atc in (claimed.near, claimed.behind) if atc is not None),
    )


async def _swap(bank: Bank, step: Step) -> Fate:
    try:
        return await bank.store.swap_access(step)
    except StoreUnavailable:
        # Whether the commit arrived is not known. If it did, its line is there.
        if await bank.store.read(
            lambda connection: has_line(
                connection, step.bucket, step.user_code, step.line, enrolled=step.enrolled
            )
        ):
            return Fate.WON
        raise


async def _answer(
    bank: Bank, attempt: Attempt, decision: Decision, version: int
) -> Accepted | Refused:
    """The answer to *attempt*, which the step to *version* settled."""
    if decision.cause is not None:
        return Refused()
    if attempt.session_seed is None:
        return Accepted()
    return Accepted(await make_token(bank, attempt.user_code, version, attempt.session_seed))


async def _step(
    bank: Bank, access: Access, attempt: Attempt, decision: Decision, now: datetime
) -> Step:
    session = None
    if decision.cause is None and attempt.session_seed is not None:
        version = access.version + 1
        token = await make_token(bank, attempt.user_code, version, attempt.session_seed)
        session = SessionRow(
            token_hash=token_hash(token),
            session_epoch=access.session_epoch,
            opened_at=to_row(now),
            ends_at=to_row(now + bank.limits.session_longest),
            previous_login_at=access.signed_in_at,
        )
    until = decision.suspended_until
    return Step(
        bucket=access.bucket,
        user_code=access.user_code,
        read_version=access.version,
        enrolled=access.enrolled,
        failures=decision.failures,
        suspended_until=None if until is None else to_row(until),
        at=to_row(now),
        attempt=attempt.id,
        accepted=decision.cause is None,
        atcs=tuple((found.card_number, found.atc) for found in decision.advance),
        line=await _line(bank, access, attempt, decision, now),
        session=session,
    )


async def _line(
    bank: Bank, access: Access, attempt: Attempt, decision: Decision, now: datetime
) -> AuditRow:
    profiles = {card.card_number: card.profile for card in access.cards}
    until = decision.suspended_until
    record = Record(
        event="login",
        version=access.version + 1,
        at=now,
        attempt=attempt.id,
        user_code=access.user_code,
        address=attempt.origin.address,
        facts={
            "door": attempt.origin.door,
            "outcome": "accepted" if decision.cause is None else "refused",
            "cause": decision.cause or "",
            "failures": decision.failures,
            "suspended_until": moment(until) if until else "",
            "cards": [[m.card_number, profiles[m.card_number], m.atc] for m in decision.advance],
        },
    )
    salt = bank.random_bytes(SALT_LENGTH)
    mac = None
    if decision.cause is None:
        covered = unsealed_line(record, prev=access.head, salt=salt)
        mac = await bank.custodian.mac(KeyUsage.AUDIT, covered)
    return audit_row(record, prev=access.head, salt=salt, mac=mac)
