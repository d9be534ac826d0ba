"""The login: read, ask custody, decide, swap.

docs/explanation/a-login-through-the-files.md walks the way of a login through this file.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Literal

import msgspec
from msgspec.structs import replace

from sesame.bank.activation import WithNumber, find_openings, judge_opening, looked_at
from sesame.bank.audit import Fact, moment
from sesame.bank.bank import Bank
from sesame.bank.challenges import ChallengeResponse, current_mark, require_current
from sesame.bank.devices import device_hash, device_row, is_known, make_device
from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits
from sesame.bank.matching import (
    Behind,
    Cause,
    Match,
    TwoCodes,
    Verdict,
    behind_fact,
    find_matches,
    find_pairs,
    judge,
)
from sesame.bank.moments import from_row, to_row
from sesame.bank.old_code import OldCode
from sesame.bank.origin import Origin
from sesame.bank.pressure import hour_of
from sesame.bank.sessions import Means, make_token, token_hash
from sesame.bank.settling import Change, row_time, settle
from sesame.bank.sources import Standing, open_again
from sesame.bank.tries import (
    Side,
    after_failure,
    after_success,
    pressed,
    refused_again,
    side_of,
    suspended_until,
    suspension_end,
    tries_of,
)
from sesame.bank.turned_away import note_turned_away
from sesame.bank.user_code import UserCode
from sesame.cap.token import Code
from sesame.custody.errors import CustodyError
from sesame.store.access import Access, State, names_attempt
from sesame.store.cards import CardState
from sesame.store.errors import StoreUnavailable
from sesame.store.opening import OpenedCard, Opening
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate

ATTEMPT_ID_LENGTH = 16  # bytes
_NOTICE_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A user code and what is to prove it, typed into one form.

    `id` is 16 bytes, by chance where a door of ours gave the form. The seeds are 32 bytes
    that only this browser's form has: of the session, or None where none is wanted; of the
    device's secret, or None where it is not to be known (a shared computer).
    """

    id: bytes
    user_code: UserCode
    code: Code | TwoCodes | ChallengeResponse | OldCode | WithNumber
    origin: Origin
    session_seed: bytes | None = field(default=None, repr=False)
    device_seed: bytes | None = field(default=None, repr=False)

    @property
    def event(self) -> str:
        """What its line and its session say that it is."""
        return self.code.use if isinstance(self.code, WithNumber) else "login"

    @property
    def means(self) -> Means:
        """What the customer proves it with."""
        match self.code.code if isinstance(self.code, WithNumber) else self.code:
            case Code():
                return Means.CODE
            case TwoCodes():
                return Means.TWO_CODES
            case ChallengeResponse():
                return Means.CHALLENGE
            case OldCode():
                return Means.OLD_CODE


@dataclass(frozen=True, slots=True, repr=False)
class Accepted:
    """The code was right and is used up; with the token of the session it opened, if any.

    `device` is the secret by which the browser is known from now on, where that is new.
    """

    session_token: str | None = None
    device: bytes | None = None

    def __repr__(self) -> str:
        return "Accepted()"


@dataclass(frozen=True, slots=True)
class Refused:
    """The code was judged and is not accepted. Nobody outside learns the cause."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nothing was judged: too many failures in a row. `until` is aware, UTC."""

    until: datetime


@dataclass(frozen=True, slots=True)
class TwoCodesWanted:
    """Nothing was judged: after so many failures, two codes in a row are asked for."""


@dataclass(frozen=True, slots=True)
class SourceClosed:
    """Nothing was judged: too much was refused to this address. `until` is aware, UTC."""

    until: datetime


Outcome = Accepted | Refused | Suspended | TwoCodesWanted | SourceClosed
_UNJUDGED: Mapping[type[Suspended | TwoCodesWanted], Cause] = {
    Suspended: Cause.SUSPENDED,
    TwoCodesWanted: Cause.TWO_CODES_WANTED,
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The row as it was read, and what follows from it for the browser that asks."""

    access: Access
    now: datetime
    known: bool  # the browser is one that the customer has signed in with
    side: Side  # whose tries it uses
    pressed: bool  # so much failed there that one code is not enough
    bank_pressed: bool  # somebody tries codes all over the bank, and the browser is unknown
    source: Standing = Standing.OPEN  # of its address, where the browser is unknown

    @property
    def source_pressed(self) -> bool:
        """Whether so much was refused at its address that one code is not enough."""
        return self.source is not Standing.OPEN


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a judged attempt. `cause` is None where it is accepted.

    `state` is the row's afterwards. `retires_old_code`: with the old code goes what it opened,
    its sessions and the devices that it made known. `behind`: where a code stands that was used or
    overtaken.
    """

    cause: Cause | None
    state: State
    advance: tuple[Match, ...] = ()
    retires_old_code: bool = False
    behind: tuple[Behind, ...] = ()
    opens: tuple[OpenedCard, ...] = ()


async def verify_login(bank: Bank, attempt: Attempt) -> Outcome:
    """Read, ask custody, decide, swap; again if somebody was faster.

    A judged attempt moves the access row from one version to the next, so parallel
    guesses queue up behind each other and none is free.

    Raises:
        TooBusy: others on this user code came first, or too many strangers wait for custody;
            nothing was counted.
        CustodyUnavailable: custody does not answer; nothing was counted.
        ChallengeOver: the challenge that it answers is; nothing was judged or counted.
        StoreUnavailable: the database does not answer, or did not take the step; or it was
            restored, and cannot write down that it was.
    """
    began = perf_counter()
    try:
        return await _verify(bank, attempt)
    except TooBusy:
        _meter(bank, attempt, "too-busy")
        raise
    except (StoreUnavailable, CustodyError) as error:
        _meter(bank, attempt, "unavailable", type(error).__name__)
        raise
    finally:
        bank.meters.attempt_seconds.observe(perf_counter() - began, attempt.means)


async def _verify(bank: Bank, attempt: Attempt) -> Outcome:
    bank.recovery.require_no_doubt()
    if not attempt.origin.devices and _standing(bank, attempt) is Standing.CLOSED:
        return _closed(bank, attempt)  # no device to be known by: a flood costs no statement
    early = await _read_early(bank, attempt)
    first = early is not None and is_known(early, bank.now())
    if bank.turnstile.is_taken(attempt.user_code):
        early = None  # the row moves before our turn comes
    async with (
        _place(bank, attempt, first=first),
        bank.turnstile.through(attempt.user_code, waiting=bank.limits.waiting, first=first),
    ):
        for _ in range(bank.limits.lost_swaps):
            mark = await _mark_judged_in(bank, attempt)
            # What is judged in one life of the database was read in none before.
            reading = await _read(bank, attempt, early if mark is None else None)
            early = None
            again = await _repeated(bank, reading, attempt)
            if again is Fate.LOST:
                continue
            if again is not None:
                _meter(bank, attempt, "repeated")
                return again
            if reading.source is Standing.CLOSED:
                return _closed(bank, attempt)
            if unjudged := answer_unjudged(reading, attempt, bank.limits):
                _meter_unjudged(bank, attempt, reading, unjudged)
                return await _note(bank, reading, attempt, unjudged)
            verdict = await _judge(bank, reading, attempt.code)
            decision = decide(reading, attempt, verdict, bank.limits)
            # Before the step is taken: a code that is used up has an answer, custody or not.
            answer = await _answer(bank, reading, attempt, decision)
            change = _change(bank, reading, attempt, decision, answer, mark=mark)
            bank.recovery.require_no_doubt()  # nor what was on its way when it was noticed
            if await settle(bank, reading.access, change, reading.now) is Fate.WON:
                _meter_judged(bank, attempt, reading, decision)
                if decision.cause is not None:
                    _count(bank, reading, attempt, judged=True)
                return answer
    raise TooBusy


def accepted_before(state: State, attempt: Attempt) -> bool:
    """Whether this very attempt is the one that was accepted last: perhaps a second click."""
    return state.accepted_version > 0 and state.accepted == attempt.id


def repeats(verdict: Verdict, attempt: Attempt) -> bool:
    """Whether what an accepted attempt brings again is what it was accepted with."""
    return verdict.again or (verdict.cause is None and attempt.means is Means.OLD_CODE)


def answer_unjudged(
    reading: Reading, attempt: Attempt, limits: Limits
) -> Suspended | TwoCodesWanted | None:
    """The answer where nothing may be judged; None where it may: pure."""
    state, now = reading.access.state, reading.now
    until = suspended_until(state, now, known=reading.known)
    if until is not None:
        return Suspended(until)
    match attempt.means:
        case Means.CODE if reading.pressed or reading.bank_pressed or reading.source_pressed:
            return TwoCodesWanted()
        case Means.OLD_CODE if reading.pressed:
            # Nobody has a second old code: it is judged seldom instead. What fails all over the
            # bank or at this address is no matter, for who has only an old code has nothing else.
            last = from_row(tries_of(state, reading.side).failed_at[0])
            return TwoCodesWanted() if now < last + limits.pressed_old_code else None
    return None


def decide(reading: Reading, attempt: Attempt, verdict: Verdict, limits: Limits) -> Decision:
    """Decide on an attempt: pure, and the only place where a login is decided."""
    state, now = reading.access.state, reading.now
    if verdict.cause is not None:
        failed = after_failure(state, reading.side, attempt.id, limits, now)
        if verdict.cause in {Cause.USED, Cause.OVERTAKEN}:
            failed = replace(failed, replayed_at=to_row(now))
        return Decision(verdict.cause, failed, behind=verdict.behind)
    # The first code Sésame retires the old code, in the commit that accepts it.
    retires = state.old_code is not None and attempt.means is not Means.OLD_CODE
    succeeded = replace(
        after_success(state, reading.side),
        accepted=attempt.id,
        accepted_version=reading.access.version + 1,
        signed_in_at=to_row(now),
        old_code=None if retires else state.old_code,
        session_epoch=state.session_epoch + retires,
    )
    return Decision(None, succeeded, verdict.advance, retires, opens=verdict.opens)


async def _read_early(bank: Bank, attempt: Attempt) -> Access | None:
    """The row, where a device says that it is known: strangers keep no such one waiting."""
    if not attempt.origin.devices:
        return None
    return await bank.store.read_access(attempt.user_code, _devices(attempt))


def _place(bank: Bank, attempt: Attempt, *, first: bool) -> AbstractAsyncContextManager[None]:
    """A place to compute the old code's hash, before the turnstile: nobody waits inside for it."""
    if attempt.means is not Means.OLD_CODE:
        return nullcontext()
    return bank.old_codes.place(waiting=bank.limits.waiting_old_codes, first=first)


async def _read(bank: Bank, attempt: Attempt, early: Access | None) -> Reading:
    """What the attempt is judged by. A row read *early* may have moved: the swap sees that."""
    access = early or await bank.store.read_access(attempt.user_code, _devices(attempt))
    now = row_time(bank.now(), access)
    known = is_known(access, now)
    side = side_of(access.state, now, known=known)
    return Reading(
        access=access,
        now=now,
        known=known,
        side=side,
        pressed=pressed(tries_of(access.state, side), bank.limits, now),
        bank_pressed=not known and await bank.pressure.is_on(bank.store, bank.limits, bank.now()),
        source=Standing.OPEN if known else _standing(bank, attempt),
    )


def _standing(bank: Bank, attempt: Attempt) -> Standing:
    return bank.sources.standing(attempt.origin.source, bank.limits.source, bank.now())


def _closed(bank: Bank, attempt: Attempt) -> SourceClosed:
    now = bank.now()
    _meter(bank, attempt, "source-closed")
    bank.sources.add(attempt.origin.source, bank.limits.source, now, judged=False)
    return SourceClosed(open_again(now))


def _count(bank: Bank, reading: Reading, attempt: Attempt, *, judged: bool) -> None:
    """Count a refusal of a stranger's for the address; of a known device nothing is counted."""
    if not reading.known:
        bank.sources.add(attempt.origin.source, bank.limits.source, bank.now(), judged=judged)


async def _repeated(
    bank: Bank, reading: Reading, attempt: Attempt
) -> Accepted | Refused | Literal[Fate.LOST] | None:
    """The answer that this very attempt got before: a second click. None where it got none.

    LOST where the row went on while it was looked up: what was read says nothing any more.
    A refusal is repeated unseen, so that no guess is free; an acceptance to the same code.
    """
    state = reading.access.state
    if accepted_before(state, attempt):
        verdict = await _judge(bank, reading, attempt.code)
        if repeats(verdict, attempt):
            if await _lasts(bank, reading, attempt):
                return await _accepted(bank, reading, attempt, state.accepted_version)
            return Fate.LOST
    if refused_again(state, attempt.id, bank.limits, reading.now):
        return Refused() if await _lasts(bank, reading, attempt) else Fate.LOST
    return None


async def _lasts(bank: Bank, reading: Reading, attempt: Attempt) -> bool:
    """Whether the row names *attempt* for good: nobody may have heard its first answer."""
    key = (reading.access.bucket, reading.access.user_code)
    return await bank.store.lasts(
        *key, lambda connection: names_attempt(connection, *key, attempt.id)
    )


async def _note(
    bank: Bank, reading: Reading, attempt: Attempt, unjudged: Suspended | TwoCodesWanted
) -> Suspended | TwoCodesWanted:
    _count(bank, reading, attempt, judged=False)
    await note_turned_away(bank, reading.access, _UNJUDGED[type(unjudged)], reading.now)
    return unjudged


async def _judge(
    bank: Bank, reading: Reading, code: Code | TwoCodes | ChallengeResponse | OldCode | WithNumber
) -> Verdict:
    access = reading.access
    match code:
        case Code():
            return judge(access, await find_matches(bank, access, code, known=reading.known))
        case TwoCodes():
            # Under pressure in one code's window only: a guessed pair fits nowhere else. Not
            # for what others do elsewhere: a card that ran ahead must get in.
            matches = await find_pairs(
                bank, access, code, near_only=reading.pressed, known=reading.known
            )
            return judge(access, matches)
        case ChallengeResponse(challenge, codes):
            matches = await find_pairs(
                bank,
                access,
                codes,
                near_only=reading.pressed,
                known=reading.known,
                inputs=challenge.inputs,
            )
            return judge(access, matches, fresh=True)
        case OldCode():
            if await bank.old_codes.verify(access.state.old_code, code):
                # Whether it was erased after the backup is not known either.
                sure = all(card.sure for card in access.cards if card.state != CardState.RETIRED)
                return Verdict(None if sure else Cause.CARD_UNSURE)
            return Verdict(Cause.WRONG if access.enrolled else Cause.UNKNOWN_USER_CODE)
        case WithNumber():
            return await _judge_opening(bank, reading, code)


async def _judge_opening(bank: Bank, reading: Reading, typed: WithNumber) -> Verdict:
    """As a login's code is judged, and the number beside it, which takes as long whatever it is."""
    access = reading.access
    openings = await find_openings(bank, access, typed, reading.now)
    asked = looked_at(access, typed.use, bank.limits.cards)
    known, near_only = reading.known, reading.pressed
    match typed.code:
        case Code():
            matches = await find_matches(bank, asked, typed.code, known=known)
            return judge_opening(access, matches, openings)
        case TwoCodes():
            matches = await find_pairs(bank, asked, typed.code, near_only=near_only, known=known)
            return judge_opening(access, matches, openings)
        case ChallengeResponse(challenge, codes):
            matches = await find_pairs(
                bank, asked, codes, near_only=near_only, known=known, inputs=challenge.inputs
            )
            return judge_opening(access, matches, openings, fresh=True)


async def _answer(
    bank: Bank, reading: Reading, attempt: Attempt, decision: Decision
) -> Accepted | Refused:
    """What a judged attempt is told once its step is taken."""
    if decision.cause is not None:
        return Refused()
    if decision.retires_old_code:
        reading = replace(reading, known=False)  # and known anew
    return await _accepted(bank, reading, attempt, reading.access.version + 1)


async def _accepted(bank: Bank, reading: Reading, attempt: Attempt, version: int) -> Accepted:
    """The answer to *attempt*, which the step to *version* accepts."""
    if attempt.session_seed is None:
        return Accepted()
    token = await make_token(bank, attempt.user_code, version, attempt.session_seed)
    if attempt.device_seed is None:
        return Accepted(token)
    device = await make_device(bank, attempt.user_code, attempt.device_seed)
    # A second click may bring the device of the first answer already: it hears the same.
    fresh = not reading.known or device in attempt.origin.devices
    return Accepted(token, device if fresh else None)


def _change(  # noqa: PLR0913 -- what was read and decided, and what follows
    bank: Bank,
    reading: Reading,
    attempt: Attempt,
    decision: Decision,
    answer: Accepted | Refused,
    *,
    mark: bytes | None,
) -> Change:
    accepted = isinstance(answer, Accepted)
    known = reading.known and not decision.retires_old_code
    device = session = None
    if isinstance(answer, Accepted):
        session = _session(bank, reading, attempt, decision, answer)
        if answer.device is not None and not known:
            device = device_row(bank, attempt.user_code, answer.device, reading.now)
    # Where two codes are asked for already, what is guessed says nothing of the whole bank.
    counts = not (accepted or reading.known or reading.source_pressed)
    return Change(
        event=attempt.event,
        state=decision.state,
        facts=_facts(reading, attempt, decision),
        address=attempt.origin.address,
        attempt=attempt.id,
        vouched=accepted,
        atcs=tuple((found.card_number, found.atc) for found in decision.advance),
        answers=mark,
        session=session,
        forgets_devices=decision.retires_old_code,
        device=device,
        farewell=bank.random_bytes(_NOTICE_LENGTH) if decision.retires_old_code else None,
        failed_hour=hour_of(reading.now) if counts else None,
        cards=_opening(bank, attempt, decision) if decision.opens else None,
    )


def _opening(bank: Bank, attempt: Attempt, decision: Decision) -> Opening:
    return Opening(
        cards=decision.opens, event=attempt.event, notice=bank.random_bytes(_NOTICE_LENGTH)
    )


async def _mark_judged_in(bank: Bank, attempt: Attempt) -> bytes | None:
    """Of the life of the database that must still be when the step is taken; None: whichever.

    Codes have their cards, whose generation says so.

    Raises:
        ChallengeOver, StoreUnavailable: see `verify_login`.
    """
    match attempt.code.code if isinstance(attempt.code, WithNumber) else attempt.code:
        case ChallengeResponse(challenge):
            await require_current(bank, challenge)
            return challenge.mark
        case OldCode():
            return await current_mark(bank)
        case _:
            return None


def _session(
    bank: Bank, reading: Reading, attempt: Attempt, decision: Decision, answer: Accepted
) -> SessionRow | None:
    if answer.session_token is None:
        return None
    now = reading.now
    return SessionRow(
        token_hash=token_hash(answer.session_token),
        session_epoch=decision.state.session_epoch,
        means=Means(attempt.event) if isinstance(attempt.code, WithNumber) else attempt.means,
        erased_old_code=decision.retires_old_code,
        opened_at=to_row(now),
        ends_at=to_row(now + bank.limits.session_longest),
        previous_login_at=reading.access.state.signed_in_at,
    )


def _facts(reading: Reading, attempt: Attempt, decision: Decision) -> dict[str, Fact]:
    profiles = {card.card_number: card.profile for card in reading.access.cards}
    tries = tries_of(decision.state, reading.side)
    until = suspension_end(tries, reading.now)
    facts: dict[str, Fact] = {
        "door": attempt.origin.door,
        "means": attempt.means,
        "outcome": "accepted" if decision.cause is None else "refused",
        "cause": decision.cause or "",
        "side": reading.side,
        "device": "known" if reading.known else "unknown",
        "failures": tries.failures,
        "suspended_until": moment(until) if until else "",
        "cards": [[m.card_number, profiles[m.card_number], m.atc] for m in decision.advance],
        **behind_fact(decision.behind),
    }
    if isinstance(attempt.code, WithNumber):
        facts["opened"] = [[one.card_number, one.order_number or 0] for one in decision.opens]
        facts["retired"] = [[one.retires] for one in decision.opens if one.retires is not None]
    return facts


def _meter(bank: Bank, attempt: Attempt, outcome: str, cause: str = "") -> None:
    bank.meters.attempts.add(attempt.origin.door, attempt.means, outcome, cause)


def _meter_unjudged(
    bank: Bank, attempt: Attempt, reading: Reading, unjudged: Suspended | TwoCodesWanted
) -> None:
    if isinstance(unjudged, Suspended):
        _meter(bank, attempt, "suspended")
    else:
        why = "access" if reading.pressed else "bank" if reading.bank_pressed else "source"
        _meter(bank, attempt, "two-codes-wanted", why)


def _meter_judged(bank: Bank, attempt: Attempt, reading: Reading, decision: Decision) -> None:
    if decision.cause is None:
        _meter(bank, attempt, "accepted")
        if attempt.session_seed is not None:
            bank.meters.sessions.add(attempt.means)
        return
    _meter(bank, attempt, "refused", decision.cause)
    tries = tries_of(decision.state, reading.side)
    if tries.suspended_until != tries_of(reading.access.state, reading.side).suspended_until:
        bank.meters.suspensions.add(reading.side)


def _devices(attempt: Attempt) -> tuple[bytes, ...]:
    return tuple(device_hash(attempt.user_code, secret) for secret in attempt.origin.devices)
