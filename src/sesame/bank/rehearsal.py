"""« Premier essai »: a customer who signed in with the old code checks a code Sésame.

It has a small counter of its own and feeds nothing else: a wrong code costs no try of the
login, a right one opens nothing. It is used up, though, so that no good code is left behind.
"""

from datetime import datetime
from enum import StrEnum, unique

from msgspec.structs import replace

from sesame.bank.bank import Bank
from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits
from sesame.bank.matching import Verdict, behind_fact, find_matches, judge
from sesame.bank.moments import from_row, to_row
from sesame.bank.origin import Origin
from sesame.bank.settling import Change, row_time, settle
from sesame.bank.user_code import UserCode
from sesame.cap.token import Code
from sesame.store.access import Access, State
from sesame.store.audit import attempt_of
from sesame.store.steps import Fate


@unique
class Rehearsed(StrEnum):
    """What became of a code that was checked."""

    RIGHT = "right"
    WRONG = "wrong"
    ENOUGH = "enough"  # for today: nothing was checked


async def rehearse(
    bank: Bank, user_code: UserCode, code: Code, origin: Origin, attempt: bytes
) -> Rehearsed:
    """Check *code* of a customer, and use it up if it is right.

    *attempt* (16 bytes) is one form's: the same one sent twice is answered as it was once.

    Raises:
        TooBusy: others moved the access first; nothing was checked.
        StoreUnavailable: the database does not answer, or did not take the step.
    """
    async with bank.turnstile.through(user_code, waiting=bank.limits.waiting, first=True):
        for _ in range(bank.limits.lost_swaps):
            access = await bank.store.read_access(user_code)
            now = row_time(bank.now(), access)
            sent_before = await _settled_last(bank, access, attempt)
            if sent_before and failed_just_now(access.state, bank.limits, now):
                return Rehearsed.WRONG
            if enough(access.state, bank.limits, now):
                return Rehearsed.ENOUGH
            verdict = judge(access, await find_matches(bank, access, code, known=True))
            if sent_before and verdict.again:
                return Rehearsed.RIGHT
            profiles = {card.card_number: card.profile for card in access.cards}
            state = rehearsed(access.state, verdict, bank.limits, now)
            change = Change(
                event="rehearsal",
                state=state,
                facts={
                    "door": origin.door,
                    "outcome": "accepted" if verdict.cause is None else "refused",
                    "cause": verdict.cause or "",
                    "failures": state.rehearsal_failures,
                    "cards": [
                        [m.card_number, profiles[m.card_number], m.atc] for m in verdict.advance
                    ],
                    **behind_fact(verdict.behind),
                },
                address=origin.address,
                attempt=attempt,
                vouched=verdict.cause is None,
                atcs=tuple((m.card_number, m.atc) for m in verdict.advance),
            )
            if await settle(bank, access, change, now) is Fate.WON:
                return Rehearsed.RIGHT if verdict.cause is None else Rehearsed.WRONG
    raise TooBusy


def enough(state: State, limits: Limits, now: datetime) -> bool:
    """Whether so many codes were wrong today that no more are checked: pure."""
    return _counted(state, limits, now) >= limits.rehearsals


def rehearsed(state: State, verdict: Verdict, limits: Limits, now: datetime) -> State:
    """*state* after one more check: pure. Nothing but its own counter moves."""
    if verdict.cause is None:
        return replace(state, rehearsal_failures=0, rehearsal_failed_at=None)
    failures = _counted(state, limits, now) + 1
    return replace(state, rehearsal_failures=failures, rehearsal_failed_at=to_row(now))


def failed_just_now(state: State, limits: Limits, now: datetime) -> bool:
    """Whether the row's last step was a wrong code, a moment ago: pure."""
    at = state.rehearsal_failed_at
    return at is not None and at == state.stepped_at and now < from_row(at) + limits.repeated


async def _settled_last(bank: Bank, access: Access, attempt: bytes) -> bool:
    """Whether *attempt* led to the row as it was read, and that lasts."""
    bucket, user_code, version = access.bucket, access.user_code, access.version

    if await bank.store.read(lambda c: attempt_of(c, bucket, user_code, version)) != attempt:
        return False
    return await bank.store.lasts(
        bucket, user_code, lambda c: attempt_of(c, bucket, user_code, version) == attempt
    )


def _counted(state: State, limits: Limits, now: datetime) -> int:
    if state.rehearsal_failed_at is None:
        return 0
    recent = now < from_row(state.rehearsal_failed_at) + limits.rehearsals_again
    return state.rehearsal_failures if recent else 0
