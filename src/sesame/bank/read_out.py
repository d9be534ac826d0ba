"""Codes that a customer reads out to an adviser: explained, brought into step, rehearsed.

Each is judged as a login judges it, at the same cost. It is used up by it, whatever state its card
is in, and opens nothing: a code that was typed here signs in nowhere afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import msgspec

from sesame.bank.audit import BEGIN_CARDS, Fact, moment
from sesame.bank.bank import Bank
from sesame.bank.calls import Act, Call, Plan, carry_out, named_customer, notice_of
from sesame.bank.helping import costs_a_try, together, used_up
from sesame.bank.matching import Cause, Matches, TwoCodes, find_matches, find_pairs, judge
from sesame.bank.moments import to_row
from sesame.bank.origin import Door
from sesame.bank.rehearsal import enough, rehearsed
from sesame.bank.tries import Side, after_failure, suspension_end
from sesame.bank.verification import Suspended
from sesame.cap.token import Code
from sesame.store.access import Access, State
from sesame.store.audit import read_lines
from sesame.store.cards import Key
from sesame.store.help_line import HelpEffect

EXPLAINED = "code-explained"
IN_STEP = "resync"
REHEARSED = "rehearsed-together"
_OF_A_CARD = 3  # how many values a line says of each card that it moved


@dataclass(frozen=True, slots=True)
class EnoughRehearsals:
    """Nothing was judged: so many codes were wrong today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """That an ATC, or a higher one where it is not the `same`, was taken before.

    When, and by which event of which door; "" where the card was enrolled beyond it.
    """

    at: datetime
    event: str
    door: str
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What a code read out was. `cause` is None where it was fresh; it is used up then.

    `cards` says how the cards end that made it, with the ATC; `taken`, where it was used or
    overtaken, by what, unless that is no longer written down.
    """

    cause: Cause | None
    cards: tuple[tuple[str, int], ...] = ()
    taken: Taken | None = None
    suspended_until: datetime | None = None


Answer = Weighed | Suspended | EnoughRehearsals


class Moved(msgspec.Struct, frozen=True):
    """What a line says that moved cards; of other lines as little."""

    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    door: str = ""
    cards: tuple[tuple[str | int, ...], ...] = ()  # number, profile, ATC


@dataclass(frozen=True, slots=True)
class _Heard:
    """What custody says of a code that was read out, by the access as it was read."""

    access: Access
    matches: Matches
    now: datetime


class _NotJudged(Exception):
    """Nothing was judged; `answer` says why."""

    def __init__(self, answer: Suspended | EnoughRehearsals) -> None:
        super().__init__()
        self.answer = answer


async def explain_code(bank: Bank, call: Call, code: Code) -> Answer:
    """Say of a code what it was, and use it up.

    Raises:
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable, CustodyUnavailable: see `carry_out`.
    """

    async def plan(access: Access, now: datetime) -> Act:
        _require_open(access, now)
        matches = await find_matches(bank, access, code, known=True)
        return _weighed(bank, call, EXPLAINED, _Heard(access, matches, now))

    return await _explained(bank, call, EXPLAINED, plan)


async def bring_into_step(bank: Bank, call: Call, codes: TwoCodes) -> Answer:
    """Bring a card into step by two codes that were read out; they are used up and open nothing.

    A single one of them that is near does too, and is used up even where the other is misheard:
    no code that was typed here is good afterwards.

    Raises:
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable, CustodyUnavailable: see `carry_out`.
    """

    async def plan(access: Access, now: datetime) -> Act:
        _require_open(access, now)
        # However far: nothing is opened, so a pair that is guessed is worth nothing.
        pair = await find_pairs(bank, access, codes, near_only=False, known=True)
        first = await find_matches(bank, access, codes.first, known=True)
        second = await find_matches(bank, access, codes.second, known=True)
        heard = _Heard(access, together(pair, first, second), now)
        return _weighed(bank, call, IN_STEP, heard)

    return await _explained(bank, call, IN_STEP, plan)


async def rehearse_together(bank: Bank, call: Call, code: Code) -> Answer:
    """Check a code as « premier essai » does: by its own counter, whatever is suspended.

    Raises:
        NotAllowed, NoSuchCustomer, TooBusy, StoreUnavailable, CustodyUnavailable: see `carry_out`.
    """

    async def plan(access: Access, now: datetime) -> Act:
        if enough(access.state, bank.limits, now):
            raise _NotJudged(EnoughRehearsals())
        matches = await find_matches(bank, access, code, known=True)
        state = rehearsed(access.state, judge(access, matches), bank.limits, now)
        return _judged(call, _Heard(access, matches, now), state)

    return await _explained(bank, call, REHEARSED, plan)


async def _explained(bank: Bank, call: Call, event: str, plan: Plan) -> Answer:
    """What the code was, by the line that says so."""
    try:
        line = await carry_out(bank, call, event, plan)
    except _NotJudged as unjudged:
        return unjudged.answer
    ends = {card.number: card.last4 for card in (await named_customer(bank, call.key)).cards}
    found = [(number, atc) for number, _, atc in line.cards]
    found = found or [(number, atc) for number, atc, _ in line.behind]
    cause = Cause(line.cause) if line.cause else None
    taken = None
    if cause in {Cause.USED, Cause.OVERTAKEN} and line.behind:
        number, atc, _ = line.behind[0]
        taken = await _taken(bank, call.key, number, atc)
    return Weighed(
        cause=cause,
        cards=tuple((ends[number], atc) for number, atc in found),
        taken=taken,
        suspended_until=(
            datetime.fromisoformat(line.suspended_until) if line.suspended_until else None
        ),
    )


def _require_open(access: Access, now: datetime) -> None:
    """Judge nothing while the open side is suspended."""
    if until := suspension_end(access.state.open, now):
        raise _NotJudged(Suspended(until))


def _weighed(bank: Bank, call: Call, event: str, heard: _Heard) -> Act:
    """A code that was read out, judged as a login's is, by the open side's tries."""
    cause = judge(heard.access, heard.matches).cause
    if costs_a_try(cause):
        state = after_failure(heard.access.state, Side.OPEN, call.form, bank.limits, heard.now)
        until = suspension_end(state.open, heard.now)
        failed: dict[str, Fact] = {
            "side": Side.OPEN,
            "failures": state.open.failures,
            "suspended_until": "" if until is None else moment(until),
        }
        act = _judged(call, heard, state)
        return replace(act, own={**act.own, **failed})
    act = _judged(call, heard, heard.access.state)
    if cause is None and event == IN_STEP:
        return replace(act, effect=replace(act.effect, notice=notice_of(bank, event, {})))
    return act


def _judged(call: Call, heard: _Heard, state: State) -> Act:
    access, matches = heard.access, heard.matches
    profiles = {card.card_number: card.profile for card in access.cards}
    last = {card.card_number: card.last_atc for card in access.cards}
    taken = used_up(access, matches)
    return Act(
        own={
            "door": Door.DESK,
            "outcome": "accepted" if taken else "refused",
            "cause": judge(access, matches).cause or "",
            "cards": [[one.card_number, profiles[one.card_number], one.atc] for one in taken],
            "behind": [[one.card_number, one.atc, last[one.card_number]] for one in matches.behind],
        },
        state=state,
        effect=HelpEffect(
            key=call.key,
            at=to_row(heard.now),
            atcs=[(one.card_number, one.atc) for one in taken],
        ),
    )


async def _taken(bank: Bank, key: Key, card: int, atc: int) -> Taken | None:
    """What took this ATC of the customer's card, or went beyond it; None where no line says so."""
    rows = await bank.store.read(lambda connection: read_lines(connection, *key))
    return first_taken((_read_moved(line) for _, line, _ in rows), card, atc)


def first_taken(lines: Iterable[Moved], card: int, atc: int) -> Taken | None:
    """The first of *lines* that took this ATC of *card*, or a higher one: pure.

    Where a card began with a higher one, its first codes were made before.
    """
    for line in lines:
        atcs = [one[-1] for one in line.cards if len(one) == _OF_A_CARD and one[0] == card]
        for taken in atcs:
            if isinstance(taken, int) and taken >= atc:
                begun = line.event in BEGIN_CARDS
                return Taken(
                    at=line.at,
                    event="" if begun else line.event,
                    door=line.door,
                    same=taken == atc and not begun,
                )
    return None


_read_moved = msgspec.json.Decoder(Moved).decode
